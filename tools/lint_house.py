"""House rules that ruff does not know: no Python file of 300 lines or more."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("edgeml", "tests", "bench", "examples", "tools")
LIMIT = 300


def long_files(root: Path = ROOT) -> list[str]:
    """One sentence per Python file that has LIMIT lines or more."""
    problems = []
    for room in ROOMS:
        for path in sorted((root / room).rglob("*.py")):
            lines = path.read_text(encoding="utf-8").count("\n")
            if lines >= LIMIT:
                problems.append(
                    f"{path.relative_to(root)} has {lines} lines; split it, the limit is {LIMIT - 1}."
                )
    return problems


def main() -> int:
    """Print the problems; 1 if there are any."""
    problems = long_files()
    for problem in problems:
        print(problem)
    if not problems:
        print(f"every Python file has fewer than {LIMIT} lines")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
