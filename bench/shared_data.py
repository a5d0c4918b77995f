"""Where the shared data lies: below $EDGEML_SHARED, or ../shared beside the checkout."""

from __future__ import annotations

import os
from pathlib import Path

DATA = Path(os.environ.get("EDGEML_SHARED", Path(__file__).resolve().parents[2] / "shared")) / "data"
"""A folder for each data set; it need not be on this machine."""
