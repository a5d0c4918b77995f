"""Edge TPU: latency, parameters on and off the chip, and operators left on the host, as we estimate them.

Works on an architecture before it is trained. Intervals: of latency, the factors that covered four of five
published models when each was left out of the fit; of memory, what the least and the most room that
compilers left for parameters would give.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import version

from edgeml.errors import ModelError
from edgeml.target.coral.latency import Parts, latency
from edgeml.target.coral.layers import workload
from edgeml.target.coral.memory import CACHE_RANGE, MIB, Memory, block_bytes, memory
from edgeml.target.coral.verdicts import check, coral_options
from edgeml.target.measurement import Measurement
from edgeml.target.meter import Figures, Subject, UnreadableModelError
from edgeml.target.profile import Target
from edgeml.target.rules import OpVerdict

ALREADY_COMPILED = (
    "the model is already compiled for the Edge TPU, so its layers cannot be read; give the .tflite file "
    "that edgetpu_compiler was given, or time this one on an Edge TPU with `edgeml measure`."
)


def measure(subjects: Mapping[str, Subject], target: Target) -> dict[str, Figures]:
    """Estimates for each model.

    Raises:
        UnreadableModelError: a model is compiled already.
        ModelError: nothing of it maps.
    """
    return {name: estimate(subject, target) for name, subject in subjects.items()}


def estimate(subject: Subject, target: Target) -> Figures:
    """A plain model, or an outline -> its figures.

    Raises:
        UnreadableModelError: the model is compiled already.
        ModelError: nothing of it maps.
    """
    model, wanted = subject.model, coral_options(target)
    if model.compiled_for_edgetpu:
        raise UnreadableModelError(ALREADY_COMPILED)
    verdicts = check(model, wanted.runtime, wanted.several_subgraphs)
    if not any(verdict.mapped for verdict in verdicts):
        raise ModelError(nothing_maps(verdicts))
    work = workload(model, verdicts)
    blocks = [block_bytes(layer) for layer in work.layers]
    rooms = (target.coefficient("cache_bytes"), *CACHE_RANGE)
    stored, least, most = (memory(blocks, room) for room in rooms)
    parts = latency(work, stored, target.coefficient)
    notes = _notes(stored, parts, work.host.operators)
    conditions = {
        "runtime": wanted.runtime,
        "chip_ms": round(parts.chip_ms, 4),
        "link_ms": round(parts.link_ms, 4),
        "host_ms": round(parts.host_ms, 4),
        "notes": notes,
    }
    total = parts.total_ms
    low, high = target.coefficient("low_factor"), target.coefficient("high_factor")
    found = [
        _estimated("latency_ms", total, "ms", low * total, high * total, conditions),
        _estimated("parameter_bytes", stored.parameter_bytes),
        _estimated("on_chip_bytes", stored.on_chip_bytes, "bytes", least.on_chip_bytes, most.on_chip_bytes),
        _estimated(
            "streamed_bytes", stored.streamed_bytes, "bytes", most.streamed_bytes, least.streamed_bytes
        ),
        _estimated("host_ops", work.host.operators, "operators"),
    ]
    return {figure.metric: figure for figure in found}


def nothing_maps(verdicts: Sequence[OpVerdict]) -> str:
    """Verdicts of which none is mapped -> one sentence."""
    if not verdicts:
        return "nothing of the model runs on the Edge TPU: it has no operators."
    first = verdicts[0]
    instead = f"{first.instead[:1].upper()}{first.instead[1:]}".rstrip(".")
    return f"nothing of the model runs on the Edge TPU: {first.op}: {first.reason}. {instead}."


def _estimated(
    metric: str,
    value: float,
    unit: str = "bytes",
    low: float | None = None,
    high: float | None = None,
    conditions: dict[str, object] | None = None,
) -> Measurement:
    return Measurement(
        metric,
        value,
        unit,
        "estimated",
        _tool(),
        low=min(value, value if low is None else low),
        high=max(value, value if high is None else high),
        conditions=conditions or {},
    )


@cache
def _tool() -> str:
    """Reading the version takes a millisecond."""
    return f"edgeml {version('edgeml')} Edge TPU estimate"


def _notes(stored: Memory, parts: Parts, host_ops: int) -> list[str]:
    notes = []
    if not stored.fits:
        layers = sum(1 for size in stored.streamed if size)
        notes.append(
            f"{stored.streamed_bytes / MIB:.1f} MiB of parameters ({layers} layers) do not fit on the chip "
            "and are sent again on every inference: a cliff, below which the model gets faster at once."
        )
    if not stored.sure:
        low, high = (room / MIB for room in CACHE_RANGE)
        notes.append(
            f"{stored.parameter_bytes / MIB:.1f} MiB of parameters are close to what the chip holds "
            f"({low:.1f} to {high:.1f} MiB, by the activations): only the compiler knows whether they fit."
        )
    if host_ops:
        notes.append(
            f"{host_ops} operators run on the host and take {parts.host_ms:.1f} of {parts.total_ms:.1f} ms, "
            "if its speed is that of the profile."
        )
    if parts.link_ms > parts.chip_ms + parts.host_ms:
        notes.append(
            f"{parts.link_ms:.2f} of {parts.total_ms:.2f} ms are the way to the chip and back: a network "
            "this small may be faster on a CPU."
        )
    return notes
