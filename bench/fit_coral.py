"""Fits the Edge TPU latency coefficients on published latencies; prints left-out errors and YAML.

python bench/fit_coral.py            the fit, every model left out once, the lines for targets/*.yaml
python bench/fit_coral.py --nested   and with the choice of terms and priors made in every fold (minutes)

The fit is in the logarithm of latency, robust (pseudo-Huber), with coefficients above zero and a log-normal
prior for each: 35 points of 20 models could not tell 16 coefficients apart without one.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares
from scipy.stats import spearmanr

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.coral_points import DATA, Point, published
from edgeml.target.coral.latency import DEVICE_TERMS, HOST_TERMS, LAYER_TERMS, amounts

PRIORS: dict[str, tuple[float, float]] = {
    "layer_ms": (0.016, 0.7),  # time an instruction stream of some 2 kB needs
    "convolution_factor": (0.5, 0.5),  # the compiler counts k x k twice too high (decoded files)
    "depthwise_factor": (2.0, 0.7),  # and depthwise twice too low
    "traffic_ms_per_mb": (0.05, 1.0),  # 20 GB/s: 16 tiles x 2.5 bytes a cycle
    "elementwise_ms_per_mb": (0.05, 1.0),
    "spill_ms_per_mb": (0.05, 1.0),  # as much again as the traffic it repeats
    "vector_ns": (5.0, 1.0),  # a call of memcpy
    "custom_ns": (2.4, 0.7),  # detection post-processing: bench/coral_host_ops.py
}
DEVICE_PRIORS: dict[str, dict[str, tuple[float, float]]] = {
    "coral": {
        "start_ms": (0.29, 0.4),  # smallest round trips seen over USB3
        "link_ms_per_mb": (2.0, 0.5),  # 4 Gbit/s of USB 3.0's 5
        "output_ms_per_mb": (8.0, 0.5),  # EfficientDet-Lite, which is not in the fit
        "host_factor": (1.4, 0.5),  # a Xeon of 2014 against the reference processor
    },
    "coral-devboard": {
        "start_ms": (0.10, 0.4),  # smallest round trips seen over PCIe
        "link_ms_per_mb": (2.4, 0.5),  # one lane of PCIe 2.0, less its overhead
        "output_ms_per_mb": (2.4, 0.5),
        "host_factor": (9.0, 0.5),  # Cortex-A53 at 1.5 GHz against the reference processor
    },
}
"""(median, standard deviation of the logarithm): what the hardware says before any latency is seen."""
NOISE = 0.08
"""Standard deviation of the logarithm of a published latency: readings of one model differ by 9 to 19 %."""
CHOICES = {
    "width": (1.0, 0.5, 2.0),
    "without": ((), ("spill_ms_per_mb",), ("vector_ns",), ("elementwise_ms_per_mb",)),
}
"""What a nested fit chooses from: factors on the priors' width, and terms left out."""

UNITS = {
    "layer_ms": "ms a layer",
    "convolution_factor": "times the compiler's cycles at 500 MHz",
    "depthwise_factor": "times the compiler's cycles at 500 MHz",
    "traffic_ms_per_mb": "ms a MB of activations of layers with weights",
    "elementwise_ms_per_mb": "ms a MB of activations of ADD MUL SUB CONCATENATION",
    "spill_ms_per_mb": "ms a MB of one layer's activations above 3 MiB",
    "vector_ns": "reference ns a row and column of the outputs",
    "custom_ns": "reference ns a value that custom operators read",
    "start_ms": "ms",
    "link_ms_per_mb": "ms a MB of inputs and streamed parameters",
    "output_ms_per_mb": "ms a MB of outputs",
    "host_factor": "times the reference processor of coral/host.py",
}

Coefficients = dict[str, float]


class Design:
    """Points as arrays, and the model over them.

    Args:
        points: to fit.
        width: factor on every prior's standard deviation.
        without: terms held at zero.
    """

    def __init__(self, points: Sequence[Point], width: float = 1.0, without: Sequence[str] = ()) -> None:
        self.points = list(points)
        self.names = [*LAYER_TERMS, *HOST_TERMS]
        self.names += [f"{device}:{name}" for device in DEVICE_PRIORS for name in DEVICE_TERMS]
        priors = [PRIORS[name] for name in (*LAYER_TERMS, *HOST_TERMS)]
        priors += [DEVICE_PRIORS[device][name] for device in DEVICE_PRIORS for name in DEVICE_TERMS]
        self.mean = np.log([median for median, _ in priors])
        self.spread = width * np.array([spread for _, spread in priors])
        self._zero = [self.names.index(name) for name in without]

    def predict(self, logs: NDArray[np.float64], which: Sequence[int]) -> NDArray[np.float64]:
        """Logarithms of the coefficients -> milliseconds of some of the points, as coral_latency has it."""
        values = np.exp(logs)
        values[self._zero] = 0.0
        layers, streamed, starts, sizes, chosen, device = self._arrays(tuple(which))
        start, link, out, slow = values[len(LAYER_TERMS) + len(HOST_TERMS) :].reshape(-1, 4)[device].T
        chip = np.maximum(layers @ values[: len(LAYER_TERMS)], streamed * np.repeat(link, sizes))
        inputs, outputs, reference, vectors, custom = chosen.T
        vector_ns, custom_ns = values[len(LAYER_TERMS) :][: len(HOST_TERMS)]
        host = reference + vectors * vector_ns + custom * custom_ns
        return np.add.reduceat(chip, starts) + start + inputs * link + outputs * out + slow * host

    @lru_cache(maxsize=4096)  # noqa: B019  (a script's few designs)
    def _arrays(self, which: tuple[int, ...]) -> tuple[NDArray[Any], ...]:
        """Points as arrays: layers, where each point's begin, and what it moves and leaves to the host."""
        points = [self.points[index] for index in which]
        sizes = [len(point.work.layers) for point in points]
        layers = [amounts(layer) for point in points for layer in point.work.layers]
        streamed = [size / 1e6 for point in points for size in point.stored.streamed]
        rest = [
            (
                point.work.input_bytes / 1e6,
                point.work.output_bytes / 1e6,
                point.work.host.reference_ms,
                point.work.output_vectors / 1e6,
                point.work.host.custom_values / 1e6,
            )
            for point in points
        ]
        devices = [list(DEVICE_PRIORS).index(point.device) for point in points]
        starts = np.cumsum([0, *sizes[:-1]])
        found = (layers, streamed, starts, sizes, rest, devices)
        return tuple(np.array(values) for values in found)

    def fit(self, which: Sequence[int]) -> NDArray[np.float64]:
        """Indices of points -> logarithms of the coefficients."""
        truth = np.log([self.points[index].latency_ms for index in which])

        def residuals(logs: NDArray[np.float64]) -> NDArray[np.float64]:
            robust = _robust(np.log(self.predict(logs, which)) - truth)
            return np.concatenate([robust, (logs - self.mean) / self.spread])

        return np.asarray(least_squares(residuals, self.mean).x, float)

    def coefficients(self, logs: NDArray[np.float64]) -> Coefficients:
        """By name, "device:name" where they differ."""
        return dict(zip(self.names, np.exp(logs).tolist(), strict=True))

    def leave_one_model_out(self, which: Sequence[int] | None = None) -> NDArray[np.float64]:
        """Milliseconds of each point as predicted by a fit that saw nothing of its model."""
        wanted = list(range(len(self.points))) if which is None else list(which)
        found = np.zeros(len(self.points))
        for model in dict.fromkeys(self.points[index].model for index in wanted):
            kept = [index for index in wanted if self.points[index].model != model]
            out = [index for index in wanted if self.points[index].model == model]
            found[out] = self.predict(self.fit(kept), out)
        return found[wanted]


def _robust(error: NDArray[np.float64]) -> NDArray[np.float64]:
    """Error of a logarithm -> what squares to the pseudo-Huber loss."""
    scaled = error / NOISE
    return np.sign(scaled) * np.sqrt(2 * (np.sqrt(1 + scaled**2) - 1))


def nested(points: Sequence[Point]) -> NDArray[np.float64]:
    """As leave_one_model_out, with the best of CHOICES found by leaving one out among the rest."""
    designs = [Design(points, width, without) for width, without in product(*CHOICES.values())]
    truth, found = truths(points), np.zeros(len(points))
    for model in dict.fromkeys(point.model for point in points):
        kept = [index for index, point in enumerate(points) if point.model != model]
        out = [index for index, point in enumerate(points) if point.model == model]
        losses = [_robust(np.log(d.leave_one_model_out(kept) / truth[kept])) for d in designs]
        best = designs[int(np.argmin([(loss**2).sum() for loss in losses]))]
        found[out] = best.predict(best.fit(kept), out)
    return found


def truths(points: Sequence[Point]) -> NDArray[np.float64]:
    """Published milliseconds."""
    return np.array([point.latency_ms for point in points])


def baseline(points: Sequence[Point], streamed: bool) -> NDArray[np.float64]:
    """Left-out milliseconds of a start, a rate of MACs and (or) one of streamed bytes; a fit a device."""
    amounts_ = np.array([[1.0, p.macs / 1e9, p.stored.streamed_bytes / 1e6 * streamed] for p in points])
    truth, found = np.log(truths(points)), np.zeros(len(points))

    def error(logs: NDArray[np.float64], which: Sequence[int]) -> NDArray[np.float64]:
        return np.log(amounts_[which] @ np.exp(logs)) - truth[which]

    for index, point in enumerate(points):
        rest = [i for i, p in enumerate(points) if p.model != point.model and p.device == point.device]
        fitted = least_squares(
            error, np.zeros(3), loss="soft_l1", f_scale=NOISE, bounds=(-9, 9), args=(rest,)
        )
        found[index] = amounts_[index] @ np.exp(fitted.x)
    return found


def scores(predicted: NDArray[np.float64], truth: NDArray[np.float64]) -> dict[str, float]:
    """Mean absolute percentage error, shares within 10 and 20 %, rank correlation."""
    error = np.abs(predicted / truth - 1)
    return {
        "n": len(truth),
        "mape_pct": round(100 * float(error.mean()), 1),
        "within10_pct": round(100 * float((error <= 0.1).mean()), 1),
        "within20_pct": round(100 * float((error <= 0.2).mean()), 1),
        "spearman": round(float(spearmanr(predicted, truth)[0]), 4),
    }


def interval(predicted: NDArray[np.float64], truth: NDArray[np.float64]) -> tuple[float, float]:
    """The factors on a left-out prediction that covered four of five points."""
    low, high = np.quantile(truth / predicted, (0.1, 0.9))
    return float(low), float(high)


def ranges(design: Design) -> Mapping[str, tuple[float, float]]:
    """Each coefficient's smallest and largest value over the fits that left one model out."""
    everyone = range(len(design.points))
    fits = []
    for model in dict.fromkeys(point.model for point in design.points):
        fits.append(np.exp(design.fit([i for i in everyone if design.points[i].model != model])))
    return dict(zip(design.names, zip(np.min(fits, 0), np.max(fits, 0), strict=True), strict=True))


def yaml_lines(design: Design, fitted: Coefficients) -> str:
    """The lines under `coefficients:` of targets/coral.yaml, then those of the other devices' files."""
    spread, lines = ranges(design), ["coral.yaml"]
    source = f"bench/fit_coral.py on {len(design.points)} published latencies"
    for name, value in fitted.items():
        device, _, short = name.rpartition(":")
        if device not in ("", "coral") and f"{device}.yaml" not in lines:
            lines.append(f"{device}.yaml")
        low, high = spread[name]
        lines += [
            f"  {short}:",
            f"    {{value: {value:.4g}, unit: {UNITS[short]}, source: {source},",
            f"     error: {low:.3g} to {high:.3g} with any one model left out}}",
        ]
    return "\n".join(lines)


def main() -> None:
    """Print tables, YAML and JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nested", action="store_true", help="choose terms and priors in every fold")
    wanted = parser.parse_args()
    if not DATA.exists():
        print(f"skipped: needs {DATA}, which is not on this machine")
        return
    points = published()
    design, truth = Design(points), truths(points)
    left_out = design.leave_one_model_out()
    for point, value in sorted(zip(points, left_out, strict=True), key=lambda pair: pair[0].latency_ms):
        print(
            f"{point.model:52.52} {point.device:15} {point.latency_ms:8.2f} published {value:8.2f} left out "
            f"{100 * (value / point.latency_ms - 1):+6.1f} %"
        )
    result = {"left out": scores(left_out, truth)}
    if wanted.nested:
        result["left out, choice nested"] = scores(nested(points), truth)
    result["MACs alone"] = scores(baseline(points, streamed=False), truth)
    result["MACs and streamed bytes"] = scores(baseline(points, streamed=True), truth)
    for name, score in result.items():
        print(f"{name:26}", score)
    logs = design.fit(range(len(points)))
    print(yaml_lines(design, design.coefficients(logs)))
    low, high = interval(left_out, truth)
    print(f"low_factor: {low:.3f}\nhigh_factor: {high:.3f}")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
