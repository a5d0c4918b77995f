"""A JSON file of a run -> its value, of a shape that those who read it can rely on.

Every part may be missing (a run still goes on, or is older) and others may be there; what is there must be of
its type and finite, so that nobody behind meets a list where a number is wanted.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edgeml.errors import RunError

MOST_BYTES = 1 << 28
"""Of one file; a candidate's has some kilobytes, the run.json of a wide space a megabyte."""
DEEPEST = 40
"""Lists and objects inside each other; a run has eight."""

Real = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=-1e300, le=1e300)]
Count = Annotated[int, Field(strict=True, ge=0, le=2**53)]
Score = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=-1e-6, le=1 + 1e-6)]
Text = Annotated[str, Field(strict=True)]
Flag = Annotated[bool, Field(strict=True)]
Plain = Text | Flag | Real | None


class Shape(BaseModel):
    """What is named is checked, the rest passes."""

    model_config = ConfigDict(extra="allow", frozen=True)


def read(file: Path, shape: type[BaseModel]) -> dict[str, Any]:
    """JSON file -> the object in it, as it stands there.

    NaN and infinities, which JSON does not have but Python writes, are read as null.

    Args:
        file: of a run.
        shape: what it must look like.

    Raises:
        FileNotFoundError: there is none.
        RunError: it cannot be read, is no JSON, or has another shape; the message says what and where.
    """
    try:
        size = file.stat().st_size
        if size > MOST_BYTES:
            raise RunError(
                f"{file} is damaged: it has {size:,} bytes, expected at most {MOST_BYTES:,}; "
                "copy the run again."
            )
        value = json.loads(file.read_text(encoding="utf-8"), parse_constant=lambda _: None)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise RunError(f"cannot read {file}: {error.strerror or error}; copy the run again.") from error
    except (ValueError, RecursionError) as error:
        said = "nested too deep" if isinstance(error, RecursionError) else str(error)
        raise RunError(f"cannot read {file}: {said}; copy the run again.") from error
    if not isinstance(value, dict):
        raise _damaged(file, f"expected a JSON object, found {type(value).__name__}")
    if _deeper(value, DEEPEST):
        raise _damaged(file, f"expected at most {DEEPEST} lists and objects inside each other")
    try:
        shape.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part)[:80] for part in first["loc"]) or "the file"
        said = first["msg"].removeprefix("Value error, ")
        raise _damaged(file, f"{where}: {said[:1].lower()}{said[1:]}") from error
    return value


def _deeper(value: Any, most: int) -> bool:
    level = [value]
    for _ in range(most):
        level = [
            part
            for one in level
            for part in (one.values() if isinstance(one, dict) else one)
            if isinstance(part, dict | list)
        ]
        if not level:
            return False
    return True


def _damaged(file: Path, what: str) -> RunError:
    return RunError(f"{file} is damaged: {what}; copy the run again.")
