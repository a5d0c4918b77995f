"""What holds when searches are long, many, or fail: one command a bar.

    python bench/endurance.py PART [options of the part]

kills      50 runs killed with -9 at random moments and resumed
engine     10,000 trials without training, or --trials 100000: seconds, memory, resume
fuzz       500 damaged inputs, or --inputs 10000
cluster    a Dask cluster whose workers are killed
database   a PostgreSQL server that is stopped and started
soak       2,000 short trials in one process tree: memory of the coordinator
workers    trials an hour of two workers against one

Each prints JSON and a table, and writes bench/results/endurance_PART.json: engine only with --out, fuzz only
from 10,000 inputs on or with --out.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

PARTS = ("kills", "engine", "fuzz", "cluster", "database", "soak", "workers")


def main() -> int:
    """Run one part."""
    if len(sys.argv) < 2 or sys.argv[1] not in PARTS:
        print(__doc__)
        return 2
    part = import_module(f"bench.endurance_{sys.argv[1]}")
    found: int = part.main(sys.argv[2:])
    return found


if __name__ == "__main__":
    sys.exit(main())
