"""Lets the tests here import the parts beside them, as the script does."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
