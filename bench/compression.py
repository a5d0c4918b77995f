"""Compression of finalists: what int8 loses, what --compress auto makes of it, and each method beside it.

A search without compression (coral, every candidate trained fully) gives finalists: its five most accurate
candidates. Each goes through `edgeml.search.finishing.compressing.compress`, as a search sends it, with auto
and with every method, at the settings that users get. All accuracies are int8 on validation, drops against
the float network in points. Then the hard case: a network with hard-swish and depthwise convolutions whose
channels are brought to scales far apart without changing the float function (the reverse of cross-layer
equalisation, Nagel et al. 2019).

    python bench/compression.py                          # digits and 12,000 images of Fashion-MNIST
    python bench/compression.py --run runs/mine          # finalists of a run of yours
    python bench/compression.py --small                  # smoke run
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
import tempfile
import time
from pathlib import Path
from statistics import mean
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("EDGEML_SHARED", ROOT.parent / "shared")) / "data"
METHODS = ("auto", "qat", "prune", "prune:2:4", "cluster")
FINALISTS = 5


def fashion_mnist(count: int, folder: Path) -> Path | None:
    """A stratified part of Fashion-MNIST's training images as .npz; None where it is not on this machine."""
    from sklearn.model_selection import train_test_split

    path = DATA / "fashion_mnist" / "fashion_mnist.npz"
    if not path.exists():
        print(f"skipped: Fashion-MNIST is not at {path}", file=sys.stderr)
        return None
    with np.load(path) as found:
        x, y = found["x_train"], found["y_train"]
    kept, _ = train_test_split(np.arange(len(y)), train_size=count, stratify=y, random_state=0)
    part = folder / f"fashion_{count}.npz"
    np.savez(part, x_train=x[kept], y_train=y[kept])
    return part


def searched(data: str, trials: int, epochs: float | None, out: Path) -> Path:
    """A finished run whose candidates were all trained fully and none compressed."""
    import edgeml

    edgeml.search(
        data=data, target="coral", trials=trials, epochs=epochs, out=out, fidelity="full", compress="none",
        curves=False,
    )  # fmt: skip
    return out


def measured(run: Path, methods: tuple[str, ...], finalists: int, max_drop: float) -> list[dict[str, Any]]:
    """One row a finalist and method."""
    from edgeml.search.candidate import Candidate
    from edgeml.search.evaluate import Job
    from edgeml.search.finishing.compressing import compress
    from edgeml.search.finishing.compression import plan
    from edgeml.search.run_dir import RunDir, read_json
    from edgeml.target.targets import Targets
    from edgeml.train.fidelity import full_fidelity

    about = read_json(run / "run.json")
    job = Job(str(run), Targets.load(about["settings"]["targets"]), {})
    full = full_fidelity(about["dataset"]["counts"]["train"], about["settings"]["epochs"])
    known = [c for c in RunDir(run).load_candidates() if c.status == "complete" and not c.is_variant]
    best = sorted(known, key=lambda c: -(c.accuracy or 0.0))[:finalists]
    rows = []
    for candidate in best:
        for word in methods:
            began = time.process_time()
            done, variants = compress(job, candidate.key, plan(word, max_drop), full)
            rows.append(_row(word, done, variants, time.process_time() - began))
            print(json.dumps(rows[-1]), file=sys.stderr)
            RunDir(run).update(Candidate.from_dict(candidate.to_dict(), candidate.key))
    return rows


def _row(word: str, done: Any, variants: list[Any], cpu_s: float) -> dict[str, Any]:
    """A method's variant; of auto the best of the finalist and what was kept of its variants."""
    method = word.partition(":")[0]
    usable = [v for v in variants if method == "auto" or v.key.rpartition("-")[2].startswith(method)]
    best = max(
        [*usable, *([done] if method == "auto" else [])], key=lambda c: c.accuracy or 0.0, default=done
    )
    return {
        "key": done.key,
        "method": word,
        "made": best.key.partition("-")[2] or "nothing better",
        "accuracy_float": done.accuracy_float,
        "accuracy_searched": done.accuracy,
        "accuracy": best.accuracy,
        "drop_searched": 100 * (done.accuracy_float - done.accuracy),
        "drop": 100 * (done.accuracy_float - best.accuracy),
        "warning": done.compression["warning"],
        "size_bytes": best.metrics["size_bytes"]["value"],
        "size_zip_bytes": best.metrics["size_zip_bytes"]["value"],
        "zip_searched": done.metrics["size_zip_bytes"]["value"],
        "cpu_s": round(cpu_s, 2),
    }


def hard_case(spread: float, epochs: float) -> dict[str, Any]:
    """hard-swish and depthwise convolutions on digits, channels at scales apart: calibration and training."""
    from edgeml.arch.cell import lower
    from edgeml.arch.recipe import Recipe
    from edgeml.arch.space import Task
    from edgeml.arch.space_file import load_space
    from edgeml.data.dataset import load
    from edgeml.deploy import calibrate, runtime
    from edgeml.deploy.fold import fold
    from edgeml.search.finishing.compression import plan
    from edgeml.search.finishing.trained import Trained
    from edgeml.search.finishing.tuning import fine_tuned, unscaled
    from edgeml.train.build import build, get_weights
    from edgeml.train.compress import Tuning
    from edgeml.train.compress_qat import quantisation_aware
    from edgeml.train.fidelity import Fidelity
    from edgeml.train.fit import accuracy_float, fit

    data, space = load("digits"), load_space("mbconv_macro")
    smallest = {decision.name: decision.choices[0] for decision in space.decisions}
    graph = lower(space.decode({**smallest, "activation": "hard_swish"}, Task(data.input_shape, 10)))
    model = build(graph, 0)
    fit(model, data.train, Fidelity(epochs, 64), Recipe(), 0)
    weights = channels_apart(graph, get_weights(model, graph), spread)
    trained = Trained(graph, weights, data, 0, Recipe(), accuracy_float(model, data.val), 0.0)
    calibrated = trained.calibrated(weights)
    trained.accuracy = calibrated.rows[0]["accuracy"]
    tuned, shipped, _ = fine_tuned(trained, plan("qat"), Fidelity(epochs))
    ranges = calibrate.Observed(graph, trained.folded, trained.images).ranges(calibrate.WIDE)
    alone = quantisation_aware(
        graph,
        weights,
        unscaled(graph, trained.folded),
        ranges,
        data.train,
        Recipe(),
        Tuning(0.2 * epochs, 1e-2),
    )
    after = calibrate.Quantiser(graph, fold(graph, alone.weights), trained.images).artifact(alone.ranges)
    return {
        "spread": spread,
        "accuracy_float": trained.float_accuracy,
        "calibrations": calibrated.rows,
        "best_calibration": calibrated.accuracy,
        "qat": shipped.accuracy,
        "qat_not_equalised": runtime.accuracy(after, data.val),
        "qat_seconds": round(tuned.seconds, 2),
    }


def channels_apart(graph: Any, weights: dict[str, Any], spread: float) -> dict[str, Any]:
    """Scale channels of linear convolutions by random factors, and what reads them by the inverse."""
    from edgeml.arch.layers import Conv2D

    rng, found = np.random.default_rng(0), dict(weights)
    for index, node in enumerate(graph.nodes):
        readers = [other for other in graph.nodes if index in other.inputs]
        linear = isinstance(node.layer, Conv2D) and node.layer.activation is None
        if not linear or not readers or not all(isinstance(r.layer, Conv2D) for r in readers):
            continue
        factor = np.exp(rng.normal(0, spread, node.shape[2])).astype(np.float32)
        for name in ("gamma", "beta"):
            found[f"{node.name}:{name}"] = found[f"{node.name}:{name}"] * factor
        for reader in readers:
            found[f"{reader.name}:kernel"] = found[f"{reader.name}:kernel"] / factor[:, None]
    return found


def table(name: str, rows: list[dict[str, Any]]) -> str:
    """Means by method."""
    lines = [f"{name}: {len({row['key'] for row in rows})} finalists, means",
             "method     int8 %  drop  largest drop  size kB  zipped kB  CPU s"]  # fmt: skip
    first = [row for row in rows if row["method"] == rows[0]["method"]]
    lines.append(
        f"{'searched':9} {100 * mean(r['accuracy_searched'] for r in first):7.2f} "
        f"{mean(r['drop_searched'] for r in first):5.2f} {max(r['drop_searched'] for r in first):13.2f} "
        f"{mean(r['size_bytes'] for r in first) / 1e3:8.1f} "
        f"{mean(r['zip_searched'] for r in first) / 1e3:10.1f}"
    )
    for method in dict.fromkeys(row["method"] for row in rows):
        own = [row for row in rows if row["method"] == method]
        lines.append(
            f"{method:9} {100 * mean(r['accuracy'] for r in own):7.2f} {mean(r['drop'] for r in own):5.2f} "
            f"{max(r['drop'] for r in own):13.2f} {mean(r['size_bytes'] for r in own) / 1e3:8.1f} "
            f"{mean(r['size_zip_bytes'] for r in own) / 1e3:10.1f} {mean(r['cpu_s'] for r in own):6.1f}"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure, print JSON, then tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, action="append", default=[], help="a finished run; repeatable")
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--finalists", type=int, default=FINALISTS)
    parser.add_argument("--max-drop", type=float, default=0.5)
    parser.add_argument("--images", type=int, default=12_000, help="of Fashion-MNIST")
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--no-hard-case", action="store_true")
    given = parser.parse_args()
    methods = tuple(given.methods.split(","))
    found: dict[str, Any] = {"cpu": platform.processor() or platform.machine(), "results": {}}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        runs = {path.name: Path(shutil.copytree(path, folder / path.name)) for path in given.run}
        if not runs:
            trials, epochs = (2, 1.0) if given.small else (6, None)
            runs["digits"] = searched("digits", trials, epochs, folder / "digits")
            part = None if given.small else fashion_mnist(given.images, folder)
            if part is not None:
                runs["fashion_mnist"] = searched(str(part), 6, 6.0, folder / "fashion_mnist")
        for name, run in runs.items():
            found["results"][name] = measured(run, methods, given.finalists, given.max_drop)
    if not given.no_hard_case:
        found["hard_case"] = [
            hard_case(spread, 4.0 if given.small else 30.0) for spread in (1.0, 1.5, 2.0, 2.5)
        ]
    print(json.dumps(found, indent=1))
    for name, rows in found["results"].items():
        print(table(name, rows), file=sys.stderr)
    for row in found.get("hard_case", ()):
        print(
            f"channels apart by exp(N(0, {row['spread']:g})): float {100 * row['accuracy_float']:.1f} %, "
            f"best calibration {100 * row['best_calibration']:.1f} %, QAT {100 * row['qat']:.1f} %, "
            f"without equalisation {100 * row['qat_not_equalised']:.1f} %",
            file=sys.stderr,
        )


if __name__ == "__main__":
    main()
