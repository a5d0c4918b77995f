"""Samples a step and learning rate of full training: validation accuracy and CPU seconds of the same nets.

Random networks of a space are trained for the same epochs from the same weights with each setting, all
settings of a network one after another, on a part of Fashion-MNIST and on scikit-learn's digits. Accuracies
are the float model's on a validation part; nothing is chosen by a test split.

    python bench/batch_size.py --networks 4
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np  # noqa: E402

from bench.random_networks import random_graph  # noqa: E402
from edgeml.data.dataset import Split, load  # noqa: E402

FASHION = (
    Path(os.environ.get("EDGEML_SHARED", ROOT.parent / "shared")) / "data/fashion_mnist/fashion_mnist.npz"
)
SETTINGS = ((128, 8e-3, 1.0), (128, 8e-3, 1.35), (64, 8e-3, 1.0), (32, 8e-3, 1.0), (128, 8e-3, 2.0))
"""Samples a step, learning rate, times the epochs; the first is the default. Small batches cost more CPU
seconds an epoch, so more epochs in large ones stand beside them."""
FULL_SAMPLES, MOST_EPOCHS = 180_000, 8.0
"""Of full training on Fashion-MNIST."""


def data_sets(samples: int) -> dict[str, tuple[Split, Split, float]]:
    """Name -> training part, validation part, epochs of full training."""
    digits = load("digits")
    found = {"digits": (digits.train, digits.val, 30.0)}
    if FASHION.exists():
        with np.load(FASHION) as file:
            x, y = file["x_train"][..., None], file["y_train"].astype(np.int64)
        order = np.random.default_rng(0).permutation(len(y))
        train, val = order[:samples], order[samples : samples + 3000]
        found["fashion_mnist"] = (
            Split(x[train], y[train]),
            Split(x[val], y[val]),
            min(MOST_EPOCHS, FULL_SAMPLES / samples),
        )
    else:
        print(f"skipped: Fashion-MNIST is not in {FASHION}")
    return found


def trained(graph: Any, train: Split, val: Split, epochs: float, batch: int, rate: float, seed: int) -> Any:
    """(validation accuracy, CPU seconds)."""
    from edgeml.arch.recipe import Recipe
    from edgeml.train.build import build
    from edgeml.train.fidelity import Fidelity
    from edgeml.train.fit import accuracy_float, fit

    model = build(graph, seed)
    began = time.process_time()
    fit(model, train, Fidelity(epochs, batch), Recipe(learning_rate=rate), seed)
    return accuracy_float(model, val), time.process_time() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", type=int, default=4)
    parser.add_argument("--space", default="nano")
    parser.add_argument("--samples", type=int, default=6000, help="of Fashion-MNIST")
    parser.add_argument("--out", type=Path, help="write the JSON here too")
    options = parser.parse_args()
    rows = []
    for name, (train, val, epochs) in data_sets(options.samples).items():
        shape = train.inputs.shape[1:]
        for seed in range(options.networks):
            graph = random_graph(options.space, seed, shape, 10)
            for batch, rate, times in SETTINGS:
                accuracy, seconds = trained(graph, train, val, times * epochs, batch, rate, seed)
                rows.append({"data": name, "network": seed, "batch": batch, "rate": rate, "times": times,
                             "accuracy": accuracy, "cpu_s": round(seconds, 2)})  # fmt: skip
                print(json.dumps(rows[-1]), flush=True)
    print("| data | batch | rate | epochs x | accuracy, mean | against the default, by network | CPU s |")
    print("|---|---|---|---|---|---|---|")
    for name in dict.fromkeys(row["data"] for row in rows):
        found = {setting: _rows(rows, name, setting) for setting in SETTINGS}
        first = found[SETTINGS[0]]
        for setting, mine in found.items():
            pairs = list(zip(mine, first, strict=True))
            gains = " ".join(f"{100 * (a['accuracy'] - b['accuracy']):+.1f}" for a, b in pairs)
            ratio = statistics.median(a["cpu_s"] / b["cpu_s"] for a, b in pairs)
            mean = 100 * statistics.mean(row["accuracy"] for row in mine)
            numbers = " | ".join(f"{x:g}" for x in setting)
            print(f"| {name} | {numbers} | {mean:.1f} % | {gains} | x {ratio:.2f} |")
    result = {"settings": {k: v for k, v in vars(options).items() if k != "out"}, "rows": rows}
    print(json.dumps(result))
    if options.out:
        options.out.write_text(json.dumps(result, indent=1) + "\n")


def _rows(rows: list[dict[str, Any]], name: str, setting: tuple[float, ...]) -> list[dict[str, Any]]:
    return [r for r in rows if (r["data"], r["batch"], r["rate"], r["times"]) == (name, *setting)]


if __name__ == "__main__":
    main()
