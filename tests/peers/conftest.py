"""Lets the tests here import the parts beside them as `peers`, as the bench's processes do."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))
