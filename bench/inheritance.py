"""Does starting from trained weights pay, at equal CPU seconds? Fashion-MNIST, a whole search per arm.

    python bench/inheritance.py [--arms scratch,supernet/6] [--seeds 3] [--candidates 30] [--space nano]

Every arm trains the same sequence of random architectures; what it trains before (sources, teachers, their
logits) is counted. CPU seconds are those of the process on one thread. The arms are in inheritance_arms.py.
Accuracy is the float model's on the validation split. A search that bench/results/inheritance.json holds
already is not run again, so that a stopped benchmark goes on; --fresh starts anew.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
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

    given = _parse(arguments, list(ARMS))
    _one_thread()
    if not given.small and not FASHION.exists():
        print(f"skipped: {FASHION} is not on this machine")
        return
    data = load("digits") if given.small else load(str(FASHION))
    found = _read(given.out) if not given.fresh else {"rows": []}
    for seed in range(given.first_seed, given.first_seed + given.seeds):
        setting = Setting(data.train, data.val, given.space, seed, 2.0 if given.small else None)
        for arm in given.arms:
            mine = [row for row in found["rows"] if _is(row, arm, given.space, seed)]
            if max((row["number"] for row in mine), default=-1) >= given.candidates - 1:
                continue
            resumable = ARMS[arm].stateless
            done = len(mine) if resumable else 0
            if not resumable:
                found["rows"] = [row for row in found["rows"] if not _is(row, arm, given.space, seed)]
            for row in search(ARMS[arm], setting, given.candidates, done):
                found["rows"].append({"arm": arm, "space": given.space, "seed": seed, **row})
                print(json.dumps(found["rows"][-1]), flush=True)
                if resumable:
                    _write(given.out, found)
            _write(given.out, found)
    found["summary"] = summary(found["rows"])
    _write(given.out, found)
    print(table(found["summary"]))


def _is(row: dict[str, Any], arm: str, space: str, seed: int) -> bool:
    return (row["arm"], row["space"], row["seed"]) == (arm, space, seed)


def _parse(arguments: list[str] | None, arms: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--arms", type=lambda text: text.split(","), default=["scratch", "supernet/6"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--candidates", type=int, default=30)
    parser.add_argument("--space", default="nano")
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
