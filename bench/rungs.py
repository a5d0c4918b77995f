"""Rungs, learning curves and inheritance on real training: hypervolume at equal CPU seconds.

Every arm is `edgeml.search` as a user calls it, on a part of Fashion-MNIST or CIFAR-10: all switched on, one
of them off in turn, or all off (`plain`: each candidate trained fully from scratch). The hypervolume is the
product's, of (int8 validation error, MACs) over fully trained candidates, one reference point a seed for all
arms; `decades` says the same with the logarithm of MACs, in which the cheapest networks count for more. CPU
seconds are the worker's process time of every training with its conversion and scoring, in order.

    python bench/rungs.py --seeds 3                      # about an hour of one core
    python bench/rungs.py --small                        # smoke run
"""

from __future__ import annotations

import argparse
import io
import json
import os
import platform
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("EDGEML_SHARED", ROOT.parent / "shared")) / "data"
ARMS: dict[str, dict[str, Any]] = {
    "plain": {"fidelity": "full", "curves": False, "inherit": "none"},
    "all": {},
    "no rungs": {"fidelity": "full"},
    "no curves": {"curves": False},
    "no inheritance": {"inherit": "none"},
    "no surrogate": {"strategy": "evolution"},
}
"""Settings of edgeml.search that differ from its defaults."""
CHANCE_ERROR = 0.9


def images(name: str, count: int, seed: int, folder: Path) -> Path:
    """A stratified part of a data set's training images as .npz."""
    from sklearn.model_selection import train_test_split

    x, y = _cifar10() if name == "cifar10" else _fashion_mnist()
    kept, _ = train_test_split(np.arange(len(y)), train_size=count, stratify=y, random_state=seed)
    path = folder / f"{name}{seed}.npz"
    np.savez(path, x_train=np.array([x[i] for i in kept]), y_train=y[kept])
    return path


def _fashion_mnist() -> tuple[Sequence[np.ndarray], np.ndarray]:
    with np.load(DATA / "fashion_mnist" / "fashion_mnist.npz") as found:
        return found["x_train"], found["y_train"]


def _cifar10() -> tuple[Sequence[np.ndarray], np.ndarray]:
    """The copy stored as JPEG files end to end; decoded one by one as asked for."""
    from PIL import Image

    with np.load(DATA / "cifar10" / "cifar10_jpeg.npz") as found:
        content, offsets, labels = found["train_jpeg"], found["train_offsets"], found["train_y"]

    class Images(Sequence[np.ndarray]):
        def __len__(self) -> int:
            return len(labels)

        def __getitem__(self, index: Any) -> Any:
            return np.asarray(Image.open(io.BytesIO(content[offsets[index] : offsets[index + 1]].tobytes())))

    return Images(), labels


def run(data: Path, arm: str, seed: int, options: argparse.Namespace, folder: Path) -> list[dict[str, float]]:
    """One search -> a row a training, in order: CPU seconds so far, error and MACs where fully trained."""
    import edgeml

    out = folder / f"{arm.replace(' ', '-')}{seed}"
    settings = {"strategy": "auto", **ARMS[arm]}
    trials = options.trials if settings.get("fidelity") == "full" else options.trials_rungs
    edgeml.search(
        data,
        "null",
        space=options.space,
        trials=trials,
        epochs=options.epochs,
        seed=seed,
        out=out,
        compress="none",  # what follows the search is not compared here
        **settings,
    )
    rows: list[tuple[float, dict[str, float]]] = []
    for path in (out / "candidates").glob("*/candidate.json"):
        candidate = json.loads(path.read_text())
        for row in candidate["rungs"]:
            found = {"cpu_s": row.get("cpu_s", 0.0), "rung": row["rung"], "finished_at_s": row["at_s"]}
            if candidate["status"] == "complete" and row is candidate["rungs"][-1]:
                found |= {"error": 1 - candidate["accuracy"], "macs": candidate["metrics"]["macs"]["value"]}
            rows.append((row["at_s"], found))
    total, ordered = 0.0, []
    for _, row in sorted(rows, key=lambda pair: pair[0]):
        total += row["cpu_s"]
        ordered.append({**row, "cpu_s": total})
    return ordered


def hypervolumes(
    rows: list[dict[str, float]], reference: tuple[float, float], of_cost: Callable[[float], float]
) -> list[tuple[float, float]]:
    """(CPU seconds, hypervolume) after every full training."""
    from edgeml.search.archive import pareto

    points: list[tuple[float, float]] = []
    found = []
    for row in rows:
        if "error" in row:
            points.append((row["error"], float(of_cost(row["macs"]))))
            found.append((row["cpu_s"], pareto.hypervolume(points, reference)))
    return found


def compare(runs: dict[str, list[dict[str, float]]]) -> dict[str, dict[str, Any]]:
    """By arm: final hypervolume and CPU seconds, and those needed to reach plain training's."""
    macs = [row["macs"] for rows in runs.values() for row in rows if "macs" in row]
    figures: dict[str, dict[str, Any]] = {}
    for name, of_cost in (("", float), ("decades_", np.log10)):
        reference = (CHANCE_ERROR, float(of_cost(1.1 * max(macs))))
        curves = {arm: hypervolumes(rows, reference, of_cost) for arm, rows in runs.items()}
        seconds, volume = curves["plain"][-1]
        for arm, curve in curves.items():
            reached = next((s for s, found in curve if found >= volume), None)
            at_most = max((found for s, found in curve if s <= seconds), default=0.0)
            figures.setdefault(
                arm, {"cpu_s": runs[arm][-1]["cpu_s"], "trainings": len(runs[arm]), "full": len(curve)}
            )
            figures[arm] |= {
                f"{name}hypervolume": curve[-1][1] / volume,
                f"{name}at_plains_cpu_s": at_most / volume,
                f"{name}share_of_plains_cpu_s": None if reached is None else reached / seconds,
            }
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first-seed", type=int, default=0, help="to run seeds beside each other")
    parser.add_argument("--arms", default=",".join(ARMS))
    parser.add_argument("--data-set", choices=("fashion_mnist", "cifar10"), default="fashion_mnist")
    parser.add_argument("--space", default="nano")
    parser.add_argument("--images", type=int, default=12_000)
    parser.add_argument("--epochs", type=float, default=8.0)
    parser.add_argument("--trials", type=int, default=24, help="of arms that train everything fully")
    parser.add_argument("--trials-rungs", type=int, default=48, help="of arms with rungs")
    parser.add_argument("--small", action="store_true", help="a smoke run")
    parser.add_argument("--out", type=Path, help="write the JSON here too")
    options = parser.parse_args()
    if options.small:
        options.seeds, options.images, options.epochs = 1, 600, 1.0
        options.trials = options.trials_rungs = 6
        options.arms = "plain,all"
    if not (DATA / options.data_set).exists():
        print(f"skipped: needs {DATA / options.data_set}, which is not on this machine")
        return
    by_seed = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for seed in range(options.first_seed, options.first_seed + options.seeds):
            data = images(options.data_set, options.images, seed, folder)
            runs = {arm: run(data, arm, seed, options, folder) for arm in options.arms.split(",")}
            by_seed.append(compare(runs))
            print(json.dumps({"seed": seed, **by_seed[-1]}), flush=True)
    arms = list(by_seed[0])
    table = {arm: {key: [seed[arm][key] for seed in by_seed] for key in by_seed[0][arm]} for arm in arms}
    for arm, figures in table.items():
        means = {key: statistics.mean(values) for key, values in figures.items() if None not in values}
        line = f"| {arm} | {means['cpu_s']:.0f} s | {means['full']:.0f} of {means['trainings']:.0f} |"
        for name in ("", "decades_"):
            shares = [f"{s:.2f}" if s else "never" for s in figures[f"{name}share_of_plains_cpu_s"]]
            line += f" {means[f'{name}at_plains_cpu_s']:.3f} | {', '.join(shares)} |"
        print(line)
    result = {
        "arms": table, "settings": {k: v for k, v in vars(options).items() if k != "out"},
        "cpu": platform.processor(), "seeds": options.seeds,
    }  # fmt: skip
    print(json.dumps(result, default=str))
    if options.out:
        options.out.write_text(json.dumps(result, indent=1, default=str) + "\n")


if __name__ == "__main__":
    main()
