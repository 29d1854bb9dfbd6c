"""Lets the tests here import the parts beside them, as the scripts do that run as processes."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
