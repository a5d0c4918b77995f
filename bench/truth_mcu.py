"""How far the microcontroller estimates are from tflite-micro's own figures and from MLPerf Tiny.

    python bench/truth_mcu.py [--json]

Arena: networks drawn from every search space, converted, run in tflite-micro; the plan is worked out from
the file and, as before training, from the outline. Nothing in it is fitted on these networks. The baseline
is the largest sum of live activations times one factor, leave-one-network-out.
Milliseconds: leave-one-network-out of bench/fit_cortex_m.py, MACs alone as the baseline.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import random
import statistics
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench import fit_cortex_m  # noqa: E402
from edgeml.arch.cell import lower  # noqa: E402
from edgeml.arch.cost import cost  # noqa: E402
from edgeml.arch.graph import Graph  # noqa: E402
from edgeml.arch.space import Task  # noqa: E402
from edgeml.arch.space_file import load_space  # noqa: E402
from edgeml.deploy.convert import to_tflite  # noqa: E402
from edgeml.deploy.fold import fold  # noqa: E402
from edgeml.deploy.tflite import read_model  # noqa: E402
from edgeml.deploy.tflite_outline import outline  # noqa: E402
from edgeml.errors import DisconnectedArchError  # noqa: E402
from edgeml.resources import names  # noqa: E402
from edgeml.target.mcu import process as tflm_process  # noqa: E402
from edgeml.target.mcu.flash import outlined_file_bytes  # noqa: E402
from edgeml.target.mcu.plan import arena, order_is_forced  # noqa: E402
from edgeml.train.build import build, get_weights  # noqa: E402

Row = dict[str, Any]
NETWORKS_PER_SPACE = 8
SHAPES = ((16, 16, 3), (28, 28, 1), (32, 32, 3), (49, 10, 1), (64, 64, 3))
MIB = 1 << 20


def row(
    estimator: str,
    metric: str,
    against: str,
    predicted: Sequence[float],
    true: Sequence[float],
    baseline: Sequence[float],
    note: str = "",
) -> Row:
    """Predictions, truth and the baseline's predictions -> a row of the table."""
    errors, plain = _errors(predicted, true), _errors(baseline, true)
    return {
        "estimator": estimator,
        "metric": metric,
        "against": against,
        "n": len(true),
        "mape_pct": round(statistics.mean(errors), 2),
        "within10_pct": round(100 * sum(e <= 10 for e in errors) / len(errors), 1),
        "within20_pct": round(100 * sum(e <= 20 for e in errors) / len(errors), 1),
        "spearman": round(float(spearmanr(predicted, true).statistic), 4),
        "baseline_mape_pct": round(statistics.mean(plain), 2),
        "baseline_spearman": round(float(spearmanr(baseline, true).statistic), 4),
        "note": note,
    }


def _errors(predicted: Sequence[float], true: Sequence[float]) -> list[float]:
    return [float(100 * abs(p / t - 1)) for p, t in zip(predicted, true, strict=True)]


def scaled(values: Sequence[float], true: Sequence[float]) -> list[float]:
    """Each value times the factor that the others give it, leave-one-out."""
    logs = [math.log(t / v) for v, t in zip(values, true, strict=True)]
    return [
        value * math.exp(statistics.mean(logs[:index] + logs[index + 1 :]))
        for index, value in enumerate(values)
    ]


def networks() -> Iterator[tuple[str, Graph, bytes]]:
    """(space, graph, its int8 .tflite) for random architectures, with weights as trained ones have."""
    for name in names("search_spaces"):
        space, rng, count = load_space(name), random.Random(f"mcu {name}"), 0
        while count < NETWORKS_PER_SPACE:
            try:
                graph = lower(
                    space.decode(space.sample(rng), Task(rng.choice(SHAPES), rng.choice((2, 5, 10))))
                )
            except DisconnectedArchError:
                continue
            yield name, graph, _converted(graph, count)
            count += 1


def _converted(graph: Graph, seed: int) -> bytes:
    """With biases that are not zero: converters leave those out."""
    rng = np.random.default_rng(seed)
    folded = {
        name: dataclasses.replace(layer, bias=rng.normal(0, 0.2, layer.bias.shape).astype(np.float32))
        for name, layer in fold(graph, get_weights(build(graph, seed), graph)).items()
    }
    return to_tflite(graph, folded, rng.integers(0, 256, (4, *graph.input_shape), dtype=np.uint8))


def arena_rows() -> list[Row]:
    """Arena and file size of random networks; arena of MLPerf Tiny's models where they are."""
    data = list(networks())
    true = [float(tflm_process.ask(model, 60, 4096 * MIB)["arena_bytes"]) for _, _, model in data]
    files = [float(arena(read_model(model)).total) for _, _, model in data]
    outlines = [outline(graph) for _, graph, _ in data]
    early = [float(arena(model).total) for model in outlines]
    live = scaled([cost(graph).ram_bytes for _, graph, _ in data], true)
    tool = tflm_process.tool()
    forced = [index for index, model in enumerate(outlines) if order_is_forced(model)]
    others = [index for index in range(len(data)) if index not in forced]
    found = [row("tflm_estimate on a file", "ram_bytes", tool, files, true, live, _exact(files, true))]
    for chosen, what in (
        (forced, "one possible order of operators"),
        (others, "branching: other orders possible"),
    ):
        p, t, b = ([values[index] for index in chosen] for values in (early, true, live))
        worst = f"{what}; largest error {max(_errors(p, t)):.2f} %"
        found.append(row("tflm_estimate before training", "ram_bytes", tool, p, t, b, worst))
    sizes = [float(len(model)) for _, _, model in data]
    guessed = [float(outlined_file_bytes(model)) for model in outlines]
    weights = scaled([cost(graph).weight_bytes for _, graph, _ in data], sizes)
    note = "the model's part of flash_bytes; its code part has no published truth to check with"
    found.append(
        row("tflm_estimate before training", "model_bytes", "the .tflite file", guessed, sizes, weights, note)
    )
    return found


def mlperf_arena_rows() -> list[Row]:
    """Arena of MLPerf Tiny's int8 models: the plan against tflite-micro."""
    files = [*fit_cortex_m.MODELS.values(), "str_ww_ref_model.tflite", "pretrainedResnet_large_int8.tflite"]
    models = [(fit_cortex_m.DATA / "models" / file).read_bytes() for file in files]
    true = [float(tflm_process.ask(model, 60, 4096 * MIB)["arena_bytes"]) for model in models]
    plans = [arena(read_model(model)) for model in models]
    found = [float(plan.total) for plan in plans]
    base = scaled([float(plan.activations) for plan in plans], true)
    against = f"{tflm_process.tool()}, MLPerf Tiny's models"
    return [row("tflm_estimate on a file", "ram_bytes", against, found, true, base, _exact(found, true))]


def _exact(found: Sequence[float], true: Sequence[float]) -> str:
    equal = sum(f == t for f, t in zip(found, true, strict=True))
    return f"equal to the byte on {equal} of {len(true)}"


def latency_rows() -> list[Row]:
    """Milliseconds of each board in the fit, every network held out."""
    times, known = fit_cortex_m.published(), fit_cortex_m.works()
    predicted = fit_cortex_m.held_out(times, known)
    found = []
    for board in fit_cortex_m.POOL:
        true, base = times[board.key], fit_cortex_m.by_macs(times, known, board)
        p, t, b = (
            [values[name] for name in fit_cortex_m.MODELS] for values in (predicted[board.name], true, base)
        )
        worst = f"largest error {max(_errors(p, t)):.1f} %"
        found.append(row("cortex_m", "latency_ms", f"MLPerf Tiny, {board.name}", p, t, b, worst))
    return found


def rows() -> list[Row]:
    """Every row; those that need ../shared/data only where it is there.

    Raises:
        FileNotFoundError: neither the data nor tflite-micro is on this machine.
    """
    found = [] if tflm_process.missing() else arena_rows()
    if fit_cortex_m.DATA.exists():
        found += ([] if tflm_process.missing() else mlperf_arena_rows()) + latency_rows()
    if not found:
        raise FileNotFoundError(f"{fit_cortex_m.DATA} and tflite-micro are not on this machine")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="only JSON")
    options = parser.parse_args()
    for reason in (tflm_process.missing(), "" if fit_cortex_m.DATA.exists() else f"no {fit_cortex_m.DATA}"):
        if reason and not options.json:
            print(f"skipped in part: {reason}")
    found = rows()
    if not options.json:
        for one in found:
            print(
                f"{one['estimator']:30} {one['metric']:12} n={one['n']:<3} MAPE {one['mape_pct']:6.2f} % "
                f"(baseline {one['baseline_mape_pct']:6.2f} %)  rank {one['spearman']:.3f} "
                f"({one['baseline_spearman']:.3f})  {one['against']}; {one['note']}"
            )
    print(json.dumps(found))


if __name__ == "__main__":
    main()
