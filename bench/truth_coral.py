"""Edge TPU estimates against published figures, every model left out once; other models on request.

python bench/truth_coral.py                               rows as bench/target_truth.py takes them
python bench/truth_coral.py --models DIR --latencies CSV  other models, by the coefficients of the profiles

CSV has the columns of data/edgetpu/published_latency.csv: `local_key` or `model` (the file's name in DIR,
with or without .tflite), `platform` (a key of coral_points.DEVICES) and `latency_ms`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.coral_points import DATA, Point, given, published
from bench.fit_coral import Design, baseline, scores, truths
from edgeml.target.coral.latency import latency
from edgeml.target.profile import load_target

PROFILES = ("coral", "coral-devboard")


def rows() -> list[dict[str, Any]]:
    """One row for both devices and one for each; none where the data is not on this machine."""
    if not DATA.exists():
        return []
    points = published()
    predicted, macs = Design(points).leave_one_model_out(), baseline(points, streamed=False)
    readings = by_row(points, predicted)
    all_readings = f"{readings['n']} single readings: {readings['mape_pct']} %"
    found = []
    for device in ("coral and coral-devboard", *PROFILES):
        which = [
            i for i, point in enumerate(points) if device.startswith("coral and") or point.device == device
        ]
        truth = truths([points[i] for i in which])
        ours, other = scores(predicted[which], truth), scores(macs[which], truth)
        models = len({points[i].model for i in which})
        found.append(
            {
                "estimator": f"coral_estimate ({device})",
                "metric": "latency_ms",
                "against": "published by coral.ai and google-coral/pycoral",
                **ours,
                "baseline_mape_pct": other["mape_pct"],
                "baseline_spearman": other["spearman"],
                "note": f"leave-one-model-out over {models} models; baseline: a start and a rate of MACs"
                + (f"; {all_readings}" if len(which) == len(points) else ""),
            }
        )
    return found


def by_profile(points: Sequence[Point]) -> np.ndarray:
    """Milliseconds of points by the coefficients in targets/*.yaml, as users get them."""
    targets = {name: load_target(name) for name in PROFILES}
    return np.array([latency(p.work, p.stored, targets[p.device].coefficient).total_ms for p in points])


def by_row(points: Sequence[Point], predicted: np.ndarray) -> dict[str, float]:
    """Scores against every published reading, not the median of a model's."""
    pairs = [(v, reading) for p, v in zip(points, predicted, strict=True) for reading in p.readings]
    ours, published_ = np.array(pairs).T
    return scores(ours, published_)


def table(points: Sequence[Point], predicted: np.ndarray) -> str:
    """A line a point."""
    lines = []
    for point, value in zip(points, predicted, strict=True):
        readings = ", ".join(f"{reading:g}" for reading in point.readings)
        lines.append(
            f"{point.model:52.52} {point.device:15} published {readings:22} estimated {value:8.2f} "
            f"{100 * (value / point.latency_ms - 1):+6.1f} %"
        )
    return "\n".join(lines)


def main() -> None:
    """Print tables and JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=Path, help="folder of plain .tflite files")
    parser.add_argument("--latencies", type=Path, help="CSV of published latencies")
    wanted = parser.parse_args()
    if (wanted.models is None) != (wanted.latencies is None):
        parser.error("--models and --latencies belong together")
    if wanted.models:
        points, left_out = given(wanted.models, wanted.latencies)
        print("\n".join([f"left out: {reason}" for reason in left_out]))
        if points:
            predicted = by_profile(points)
            print(table(points, predicted))
            print(
                json.dumps({"models": scores(predicted, truths(points)), "rows": by_row(points, predicted)})
            )
        return
    if not DATA.exists():
        print(f"skipped: needs {DATA}, which is not on this machine")
        return
    more = published(keyed=False)
    print("Rebuilt from papers, not in the fit (but EfficientDet-Lite set the prior of output_ms_per_mb):")
    print(table(more, by_profile(more)))
    print(json.dumps(rows(), indent=1))


if __name__ == "__main__":
    main()
