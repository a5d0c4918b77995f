"""Are predicted final accuracies right, are their intervals honest, and what does stopping save?

    python bench/curves.py [--json] [--write]      --write keeps the figures in bench/results/curves.json

Curves are those of bench/curve_record.py, 10 checkpoints each. Shapes and priors were chosen on the digits of
seeds 0 to 30, the fourth member and the tempering after a look at all digits, so the later ones are left out
in part only; nothing was chosen on Fashion-MNIST. `known` curves are drawn at random from the others of the
group, several times over. The search is simulated: candidates in random order, a front of error and MACs,
completed curves as they come. Rungs: the published accuracies of NAS-Bench-201 after 12 and 200 epochs, all
15,625 cells to draw from.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.curve_record import load_curves  # noqa: E402
from bench.shared_data import DATA  # noqa: E402
from edgeml.search.archive.pareto import front, hypervolume  # noqa: E402
from edgeml.train.curve_rungs import RungModel  # noqa: E402
from edgeml.train.curves import Extrapolator, Prediction, needed_accuracy, should_stop  # noqa: E402

CHECKPOINTS = 10
SHARES = (0.2, 0.3, 0.5, 0.7)
KNOWN = (0, 5, 12, 20, 60)
THRESHOLDS = (0.05, 0.2)
ORDERS = 5
DEVELOPED_ON = 31
TABLE = DATA / "nb201" / "nb201_accuracy.csv.gz"

Curve = tuple[list[tuple[float, float]], int]
"""Points (share of training, accuracy) and MACs."""


def curves(group: str) -> list[Curve]:
    """Recorded curves of a group, thinned to CHECKPOINTS."""
    found = []
    for row in load_curves(group):
        step = len(row["points"]) // CHECKPOINTS
        found.append(([(float(t), float(a)) for t, a in row["points"][step - 1 :: step]], int(row["macs"])))
    return found


def extrapolator(known: Sequence[Curve]) -> Extrapolator:
    """What the product builds of completed curves."""
    return Extrapolator([[a for _, a in c] for c, _ in known], [t for t, _ in known[0][0]] if known else None)


def score(pairs: Sequence[tuple[Prediction, float]], lasts: Sequence[float]) -> dict[str, float]:
    """Predictions and truths -> coverage of the 90 % interval, its width, errors, rank correlations."""
    truths = [truth for _, truth in pairs]
    means = [p.mean for p, _ in pairs]
    return {
        "n": len(pairs),
        "coverage_90": float(np.mean([p.low <= truth <= p.high for p, truth in pairs])),
        "width": float(np.mean([p.high - p.low for p, _ in pairs])),
        "mae": float(np.mean([abs(p.mean - truth) for p, truth in pairs])),
        "mae_last_value": float(np.mean([abs(a - b) for a, b in zip(lasts, truths, strict=True)])),
        "spearman": float(spearmanr(means, truths)[0]),
        "spearman_last_value": float(spearmanr(lasts, truths)[0]),
    }


def accuracy_of(
    pool: list[Curve], tested: Sequence[int], known: int, share: float, repeats: int
) -> dict[str, float] | None:
    """Predict `tested` curves of a pool from `known` others; None where the pool is too small."""
    if len(pool) <= known + 1 or not tested:
        return None
    rng, points = np.random.default_rng(0), round(share * CHECKPOINTS)
    pairs, lasts, ranks = [], [], []
    for _ in range(repeats if known else 1):
        own: list[tuple[Prediction, float]] = []
        for index in tested:
            others = [i for i in range(len(pool)) if i != index]
            chosen = extrapolator([pool[i] for i in rng.choice(others, known, replace=False)])
            curve = pool[index][0]
            own.append((chosen.predict(curve[:points]), curve[-1][1]))
            lasts.append(curve[points - 1][1])
        pairs += own
        ranks.append(float(spearmanr([p.mean for p, _ in own], [t for _, t in own])[0]))
    return score(pairs, lasts) | {"spearman": float(np.mean(ranks))}


def simulate(pool: list[Curve], threshold: float, learn: bool, orders: int = ORDERS) -> dict[str, float]:
    """Random searches with stopping -> what was saved and what was lost, means over orders."""
    rows = []
    truth = [(1 - c[-1][1], float(m)) for c, m in pool]
    volume = _volume(truth, truth)
    members = set(front(truth))
    for seed in range(orders):
        done, spent = list[int](), 0.0
        for index in np.random.default_rng(seed).permutation(len(pool)).tolist():
            curve, macs = pool[index]
            needed = needed_accuracy([truth[i] for i in done], [macs])
            model = extrapolator([pool[i] for i in done] if learn else [])
            for count in range(1, CHECKPOINTS if needed else 1):
                if should_stop(model.predict(curve[:count]), needed, threshold):
                    spent += curve[count - 1][0]
                    break
            else:
                done.append(index)
                spent += 1.0
        lost = len(members - set(done))
        kept = _volume([truth[i] for i in done], truth) / volume
        rows.append((1 - spent / len(pool), 1 - len(done) / len(pool), lost, kept))
    saved, stopped, lost, kept = np.mean(rows, 0)
    return {
        "saved_training": float(saved),
        "stopped": float(stopped),
        "front_members": len(members),
        "front_members_killed": float(lost),
        "hypervolume_kept": float(kept),
        "worst_hypervolume_kept": float(min(r[3] for r in rows)),
    }


def _volume(points: Sequence[tuple[float, float]], everything: Sequence[tuple[float, float]]) -> float:
    """Hypervolume over error and decades of MACs, bounded by the worst of everything."""
    worst = (max(e for e, _ in everything) * 1.1, math.log10(max(m for _, m in everything)) + 0.1)
    return hypervolume([(e, math.log10(m)) for e, m in points], worst)


def rungs(known: int, name: str, rows: Sequence[dict[str, str]], repeats: int = 10) -> dict[str, float]:
    """NAS-Bench-201: 12 epochs (validation) -> 200 epochs (test), predicted from `known` pairs."""
    low = np.array([float(r[f"{name}_val_acc_12ep"]) for r in rows]) / 100
    full = np.array([float(r[f"{name}_test_acc_200ep"]) for r in rows]) / 100
    rng, pairs, lasts = np.random.default_rng(0), [], []
    for _ in range(repeats):
        order = rng.permutation(len(rows))
        model = RungModel([(low[i], full[i]) for i in order[:known]])
        pairs += [(model.predict(float(low[i])), float(full[i])) for i in order[known : known + 150]]
        lasts += [float(low[i]) for i in order[known : known + 150]]
    return score(pairs, lasts)


def milliseconds(pool: list[Curve], known: int, repeats: int = 10) -> dict[str, float]:
    """Processor time of a prediction, the first with these completed curves and a later one."""
    taken = [pool[i % len(pool)] for i in range(known)]
    points = pool[0][0][:5]
    models = [extrapolator(taken) for _ in range(repeats)]

    def timed(call: Callable[[Extrapolator], Any]) -> float:
        start = time.process_time()
        for model in models:
            call(model)
        return 1e3 * (time.process_time() - start) / repeats

    return {"first_ms": timed(lambda m: m.predict(points)), "again_ms": timed(lambda m: m.predict(points))}


def figures(repeats: int) -> Iterator[dict[str, Any]]:
    """Rows of all tables."""
    digits, fashion = curves("digits-20"), curves("fashion-2")
    sets = {
        "digits, developed on": (digits[:DEVELOPED_ON], range(DEVELOPED_ON)),
        "digits, later architectures": (digits, range(DEVELOPED_ON, len(digits))),
        "Fashion-MNIST, a data set left out": (fashion, range(len(fashion))),
    }
    for name, (pool, tested) in sets.items():
        for known, share in product(KNOWN, SHARES):
            result = accuracy_of(pool, list(tested), known, share, repeats)
            if result:
                yield {"table": "accuracy", "curves": name, "known": known, "share": share} | result
    for (name, pool), threshold in product({"digits": digits, "Fashion-MNIST": fashion}.items(), THRESHOLDS):
        for learn in (True, False):
            shown = {"table": "stopping", "curves": name, "threshold": threshold, "completed_used": learn}
            yield shown | simulate(pool, threshold, learn)
    if TABLE.exists():
        with gzip.open(TABLE, "rt") as lines:
            rows = list(csv.DictReader(lines))
        for dataset, known in product(("c10", "c100", "in16"), KNOWN):
            yield {"table": "rungs", "data": dataset, "known": known} | rungs(known, dataset, rows)
    else:
        print(f"rungs skipped: {TABLE} is not on this machine", file=sys.stderr)
    for known in (0, 20, 60, 500):
        yield {"table": "time", "known": known} | milliseconds(digits, known)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--json", action="store_true", help="only JSON")
    parser.add_argument("--write", action="store_true", help="keep the figures in bench/results/curves.json")
    parser.add_argument("--repeats", type=int, default=5, help="draws of known curves")
    given = parser.parse_args()
    found = []
    for row in figures(given.repeats):
        found.append(row)
        if not given.json:
            print("  ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items()))
    text = json.dumps(found)
    print(text)
    if given.write:
        path = ROOT / "bench" / "results" / "curves.json"
        path.write_text(text.replace("}, {", "},\n{") + "\n")


if __name__ == "__main__":
    main()
