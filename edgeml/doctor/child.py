"""`python -m edgeml.doctor.child STEP FOLDER` runs one step; lines of JSON say what it does and found."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

MARK = "edgeml-doctor"


def main() -> int:
    """Run the step; errors are told, not raised."""
    name, folder = sys.argv[1], Path(sys.argv[2])
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")  # as workers do
    from edgeml.doctor.steps import STEPS

    try:
        lines = STEPS[name][0](folder, lambda what: _tell(doing=what))
    except Exception as error:
        words = str(error).strip().splitlines() or [""]
        _tell(error=f"{type(error).__name__}: {words[0][:300]}", package=missing_package(error))
        return 1
    _tell(lines=[line.to_dict() for line in lines])
    return 0


def missing_package(error: BaseException | None) -> str:
    """The module that could not be imported, "" where that is not the trouble."""
    while error is not None:
        if isinstance(error, ModuleNotFoundError) and error.name:
            return error.name.partition(".")[0]
        error = error.__cause__
    return ""


def _tell(**said: Any) -> None:
    print(f"{MARK} {json.dumps(said)}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
