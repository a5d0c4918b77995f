"""Does starting from trained weights pay, at equal CPU seconds? Fashion-MNIST, a whole search per arm.

    python bench/inheritance.py [--arms scratch,parent/6+exact] [--seeds 3] [--candidates 30]

The arm scratch trains every candidate of a plain evolution fully; every other arm trains the same sequence
of architectures. What an arm trains before (sources, teachers, their logits) counts. CPU seconds are those of
the process, on one thread. The arms are in inheritance_arms.py. Accuracy is the float model's on the
validation split. A search that bench/results/inheritance.json holds already is not run again, so that a
stopped benchmark goes on; --fresh starts anew.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
SHARED = Path(os.environ.get("EDGEML_SHARED", ROOT.parent / "shared"))
FASHION = SHARED / "data" / "fashion_mnist" / "fashion_mnist.npz"
RESULTS = Path(__file__).resolve().parent / "results" / "inheritance.json"


def main(arguments: list[str] | None = None) -> None:
    from bench.inheritance_arms import ARMS, Setting, search
    from bench.inheritance_figures import summary, table
    from edgeml.data.dataset import load
    from edgeml.data.options import ReadOptions

    given = _parse(arguments, list(ARMS))
    _one_thread()
    if not given.small and not FASHION.exists():
        print(f"skipped: {FASHION} is not on this machine")
        return
    data = load("digits") if given.small else load(str(FASHION), ReadOptions(image_size=given.image_size))
    found = _read(given.out) if not given.fresh else {"rows": []}
    for seed in range(given.first_seed, given.first_seed + given.seeds):
        epochs = given.samples / len(data.train) if given.samples else None
        epochs = 2.0 if given.small else epochs
        setting = Setting(data.train, data.val, given.space, seed, epochs, given.batch)
        for arm in given.arms:
            where = {"arm": arm, "space": given.space, "seed": seed}
            if arm == "scratch":
                evolve(setting, where, given.candidates, found["rows"], partial(_write, given.out, found))
            elif len(_rows(found, where)) < given.candidates:
                full = _rows(found, {**where, "arm": "scratch"})[: given.candidates]
                if len(full) < given.candidates:
                    raise SystemExit(f"arm {arm} needs the architectures of arm scratch; name that first.")
                found["rows"] = [row for row in found["rows"] if not where.items() <= row.items()]
                for row in search(ARMS[arm], setting, [row["choices"] for row in full]):
                    found["rows"].append({**where, **row})
                    print(_line(found["rows"][-1]), flush=True)
            _write(given.out, found)
    found["summary"] = summary(found["rows"])
    _write(given.out, found)
    print(table(found["summary"]))


def evolve(
    setting: Any, where: dict[str, Any], count: int, rows: list[dict[str, Any]], write: Callable[[], None]
) -> None:
    """The from-scratch search, which finds the architectures; goes on from the rows that are there."""
    from bench.inheritance_arms import ARMS, train_one

    mine = [row for row in rows if where.items() <= row.items()]
    while len(mine) < count:
        row = train_one(ARMS["scratch"], setting, len(mine), setting.propose(mine))
        mine.append({**where, **row})
        rows.append(mine[-1])
        print(_line(row), flush=True)
        write()


def _rows(found: dict[str, Any], where: dict[str, Any]) -> list[dict[str, Any]]:
    """Candidates of one search, without sources and polishing."""
    rows = [row for row in found["rows"] if where.items() <= row.items()]
    return [row for row in rows if row["number"] >= 0 and "polish" not in row]


def _line(row: dict[str, Any]) -> str:
    return json.dumps({name: value for name, value in row.items() if name != "choices"})


def _parse(arguments: list[str] | None, arms: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--arms", type=lambda text: text.split(","), default=["scratch", "parent/6+exact"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--candidates", type=int, default=30)
    parser.add_argument("--space", default="nano")
    parser.add_argument("--image-size", type=int, default=None, help="side in px; as stored otherwise")
    parser.add_argument("--samples", type=int, default=None, help="that full training sees; else 180,000")
    parser.add_argument("--batch", type=int, default=None, help="samples a step; else the product's 128")
    parser.add_argument("--fresh", action="store_true", help="run again what is there already")
    parser.add_argument("--small", action="store_true", help="bundled digits, two epochs: a smoke test")
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args(arguments)
    for arm in given.arms:
        if arm not in arms:
            parser.error(f"unknown arm {arm!r}; known: {', '.join(arms)}")
    return given


def _one_thread() -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow as tf

    try:
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError:  # in a test, TensorFlow has run something already
        return


def _read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {"rows": []}
    return found


def _write(path: Path, found: dict[str, Any]) -> None:
    """One row a line, whole or not at all."""
    rows = ",\n".join(json.dumps(row) for row in found["rows"])
    rest = json.dumps(found.get("summary", []), indent=1)
    fresh = path.with_suffix(".tmp")
    fresh.write_text(f'{{"rows": [\n{rows}\n],\n"summary": {rest}}}\n')
    fresh.replace(path)


if __name__ == "__main__":
    main()
