"""How numbers of a table become uint8: a straight line, a quantile map, or either by the column's spread.

For each data set that scikit-learn ships, ten splits; a dense network of two layers of 32 (scikit-learn's) is
trained on the uint8 features and scored on validation; the test share is never looked at. "float" has
standardised features. "wine, heavy tails" is wine with exp(3 z) in place of each standardised feature z.

    python bench/table_maps.py [--seeds 10]
"""

from __future__ import annotations

import argparse
import json
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import datasets
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor

from edgeml.data.tables.features import fit_number, map_number
from edgeml.data.tables.table import Column

MAPS: dict[str, bool | None] = {"line": False, "quantile": True, "by spread": None}


def data_sets() -> dict[str, tuple[NDArray[Any], NDArray[Any], bool]]:
    """Name -> (features, labels, whether they are to be regressed)."""
    found = {}
    for name in ("breast_cancer", "wine", "iris", "digits", "diabetes"):
        loaded = getattr(datasets, f"load_{name}")()
        found[name] = (loaded.data, loaded.target, name == "diabetes")
    x, y, _ = found["wine"]
    found["wine, heavy tails"] = (np.exp(3 * (x - x.mean(0)) / x.std(0)), y, False)
    return found


def as_uint8(x: NDArray[Any], rows: NDArray[np.int64], quantiles: bool | None) -> NDArray[np.float64]:
    """Features by the maps of the training rows, scaled to -2..2 for the optimiser's sake."""
    columns = [Column(str(index), numbers=x[:, index]) for index in range(x.shape[1])]
    mapped = [map_number(fit_number(c, rows, quantiles), c.numbers.astype(np.float32)) for c in columns]
    return np.stack(mapped, axis=1) / 255.0 * 4 - 2


def standardised(x: NDArray[Any], rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """Features less the training mean, by the training deviation."""
    return (x - x[rows].mean(0)) / (x[rows].std(0) + 1e-9)


def scored(
    x: NDArray[Any], y: NDArray[Any], regression: bool, make: Callable[..., Any], seeds: int
) -> list[float]:
    """Accuracy, or 1 - MAE / MAE of the training median, on validation, for each split."""
    scores = []
    for seed in range(seeds):
        order = np.random.default_rng(seed).permutation(len(y))
        share = round(0.15 * len(y))
        val, train = order[:share], order[2 * share :]
        features = make(x, train)
        if regression:
            mean, std = y[train].mean(), y[train].std()
            net = MLPRegressor(hidden_layer_sizes=(32, 32), max_iter=300, random_state=seed, alpha=1.0)
            found = net.fit(features[train], (y[train] - mean) / std).predict(features[val]) * std + mean
            scores.append(1 - np.abs(found - y[val]).mean() / np.abs(np.median(y[train]) - y[val]).mean())
        else:
            net = MLPClassifier((32, 32), max_iter=300, random_state=seed, alpha=1e-2)
            scores.append(float(net.fit(features[train], y[train]).score(features[val], y[val])))
    return scores


def main() -> None:
    """Print a table and JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    seeds = parser.parse_args().seeds
    warnings.simplefilter("ignore", ConvergenceWarning)
    makers = {name: lambda x, rows, q=q: as_uint8(x, rows, q) for name, q in MAPS.items()}
    rows = []
    for name, (x, y, regression) in data_sets().items():
        for kind, make in {"float": standardised, **makers}.items():
            scores = scored(x, y, regression, make, seeds)
            error = float(np.std(scores, ddof=1) / np.sqrt(seeds))
            rows.append({"data": name, "map": kind, "score": float(np.mean(scores)), "standard_error": error})
            print(f"{name:20s} {kind:10s} {100 * rows[-1]['score']:6.2f} +- {100 * error:.2f}", flush=True)
    print(json.dumps({"seeds": seeds, "rows": rows}))


if __name__ == "__main__":
    main()
