"""Trains random architectures and records their learning curves: bench/results/curve_GROUP.json.

    python bench/curve_record.py [GROUP] [--first 0] [--count 40] [--cpu-s 600]

A group is a data set, a number of training images and a schedule (GROUPS); its architectures are drawn from
two search spaces in turn. A curve that is there already is not trained again, so a stopped recording goes on.
Judged is the float model of the moment, on up to 2,000 validation images (`fit(..., watch=)`).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.random_networks import random_graph  # noqa: E402
from bench.shared_data import DATA  # noqa: E402
from edgeml.arch.cost import cost  # noqa: E402
from edgeml.data.dataset import Split, load  # noqa: E402
from edgeml.data.options import ReadOptions  # noqa: E402
from edgeml.train.build import build  # noqa: E402
from edgeml.train.fidelity import full_fidelity  # noqa: E402
from edgeml.train.fit import default_recipe, fit  # noqa: E402
from edgeml.train.watch import Watch  # noqa: E402

RESULTS = Path(__file__).resolve().parent / "results"
SPACES = ("nano", "micro_cell")


@dataclass(frozen=True)
class Group:
    """Curves of one data set and schedule.

    Attributes:
        source: "digits" or a path below ../shared/data.
        samples: training images used.
        epochs: of the cosine schedule.
        checkpoints: evenly spaced over it.
        image_size: side in px; None as stored.
    """

    source: str
    samples: int
    epochs: float
    checkpoints: int
    image_size: int | None = None


GROUPS = {
    "digits-20": Group("digits", 1_100, 20, 20),
    "digits-8": Group("digits", 1_100, 8, 10),
    "fashion-2": Group("fashion_mnist/fashion_mnist.npz", 20_000, 2, 10),
    "fashion14-4": Group("fashion_mnist/fashion_mnist.npz", 8_000, 4, 10, 14),
    "cifar-3": Group("cifar10/cifar10_jpeg.npz", 10_000, 3, 10),
}


def load_curves(group: str) -> list[dict[str, Any]]:
    """Recorded curves of a group; the last point of each is the end of its training."""
    path = RESULTS / f"curve_{group}.json"
    rows: list[dict[str, Any]] = json.loads(path.read_text()) if path.exists() else []
    return rows


def keep(row: dict[str, Any]) -> None:
    """Add a curve to its group's file, one line each, whole or not at all."""
    rows = sorted([*load_curves(row["group"]), row], key=lambda r: r["seed"])
    fresh = RESULTS / f"curve_{row['group']}.tmp"
    fresh.write_text("[\n" + ",\n".join(json.dumps(r) for r in rows) + "\n]\n")
    fresh.replace(fresh.with_suffix(".json"))


def splits(group: Group) -> tuple[Split, Split]:
    """Group -> training and validation split."""
    if group.source == "digits":
        found = load("digits", val_fraction=0.35, test_fraction=0.03)
    else:
        found = load(str(DATA / group.source), ReadOptions(image_size=group.image_size))
    chosen = np.random.default_rng(0).permutation(len(found.train))[: group.samples]
    return found.train.take(np.sort(chosen)), found.val


def record(name: str, seed: int, train: Split, val: Split) -> dict[str, Any]:
    """Train the architecture of `seed` and judge it at every checkpoint."""
    import tf_keras

    group, space = GROUPS[name], SPACES[seed % len(SPACES)]
    graph = random_graph(space, seed, (*train.inputs.shape[1:3], train.inputs.shape[3]), 10)
    tf_keras.backend.clear_session()
    started, fidelity = time.process_time(), full_fidelity(len(train), group.epochs)
    watch = Watch(val, lambda curve, epochs: None, group.checkpoints)
    recipe = default_recipe(train.inputs.shape[1:])
    result = fit(build(graph, seed), train, fidelity, recipe, seed, watch=watch)
    points = [[round(p.epoch / result.epochs, 4), round(p.accuracy, 5)] for p in result.curve]
    macs, seconds = cost(graph).macs, round(time.process_time() - started, 1)
    return {"group": name, "space": space, "seed": seed, "macs": macs, "points": points, "cpu_s": seconds}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("group", nargs="?", choices=list(GROUPS), help="default: list what is recorded")
    parser.add_argument("--count", type=int, default=40, help="seeds below this")
    parser.add_argument("--first", type=int, default=0, help="seed to begin with")
    parser.add_argument("--cpu-s", type=float, default=600, help="no further one after these CPU seconds")
    given = parser.parse_args()
    if given.group is None:
        print(json.dumps({name: len(load_curves(name)) for name in GROUPS}))
        return
    if GROUPS[given.group].source != "digits" and not (DATA / GROUPS[given.group].source).exists():
        print(f"skipped: {DATA / GROUPS[given.group].source} is not on this machine")
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    train, val = splits(GROUPS[given.group])
    there = {row["seed"] for row in load_curves(given.group)}
    for seed in range(given.first, given.count):
        if seed in there:
            continue
        if time.process_time() > given.cpu_s:
            break
        row = record(given.group, seed, train, val)
        keep(row)
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
