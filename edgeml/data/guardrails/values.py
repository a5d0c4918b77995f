"""Guardrails on values: blank pictures, silent or clipped recordings, what never changes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from edgeml.data.guardrails.alike import Alike, sample_name
from edgeml.data.guardrails.finding import SHOWN_EXAMPLES, Finding
from edgeml.data.scratch import rows_at_once
from edgeml.data.source import Source, kind_of, shown

SILENT = 33
"""Peak of an int16 recording, -60 dB of full scale, below which nothing is to be heard."""

CLIPPED = 0.005
"""Share of a recording's samples at full scale, or at its own peak on end, from which on it is clipped."""

LOUD = 8_192
"""A flat top lower than this (-12 dB) is a quiet recording's peak, not clipping."""


def value_findings(source: Source, alike: Alike) -> Iterator[Finding]:
    """By what the inputs are."""
    kind = kind_of(source.preprocessing)
    if source.parts["train"].inputs.dtype == np.int16:
        yield from _recordings(source)
    elif kind == "table":
        yield from _features(source)
    else:
        yield from _blank(source, "pictures are" if kind == "image" else "windows are", kind)


def _blank(source: Source, what: str, kind: str) -> Iterator[Finding]:
    flat = {part: _flat(split.inputs) for part, split in source.parts.items()}
    yield from _marked(
        source,
        flat,
        "blank" if kind == "image" else "constant-window",
        f"{what} of one value throughout and hold nothing to learn from.",
        "trains on them all the same; remove them.",
    )


def _flat(inputs: NDArray[np.uint8]) -> NDArray[np.bool_]:
    found = np.zeros(len(inputs), np.bool_)
    step = rows_at_once(inputs)
    for start in range(0, len(inputs), step):
        block = inputs[start : start + step]
        rows = block.reshape(len(block), -1, block.shape[-1])
        found[start : start + len(block)] = (rows.max(axis=1) == rows.min(axis=1)).all(axis=1)
    return found


def _recordings(source: Source) -> Iterator[Finding]:
    silent, clipped = {}, {}
    for part, split in source.parts.items():
        silent[part] = np.zeros(len(split), np.bool_)
        clipped[part] = np.zeros(len(split), np.bool_)
        step = rows_at_once(split.inputs)
        for start in range(0, len(split), step):
            rows = split.inputs[start : start + step, :, 0, 0]
            stop = start + len(rows)
            silent[part][start:stop], clipped[part][start:stop] = heard(rows)
    yield from _marked(
        source,
        silent,
        "silent",
        "recordings are silent (below -60 dB of full scale) and hold nothing to learn from.",
        "trains on them all the same; remove them unless silence is what the class means.",
    )
    yield from _marked(
        source,
        clipped,
        "clipped",
        f"recordings are clipped (at least {100 * CLIPPED:g} % of samples stand flat at the peak), as a "
        "device with another gain will not hear them.",
        "trains on them all the same; record them again with less gain.",
    )


def heard(rows: NDArray[np.int16]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Waveforms (n, samples) -> (silent (n,), clipped (n,))."""
    size = np.abs(rows.astype(np.int32))
    peak = size.max(axis=1, initial=0)
    top = size >= np.maximum(peak - 1, 1)[:, None]
    flat = (top[:, 1:] & top[:, :-1] & (rows[:, 1:] * 1.0 * rows[:, :-1] > 0)).mean(axis=1)
    return peak < SILENT, (peak >= LOUD) & (flat >= CLIPPED)


def _features(source: Source) -> Iterator[Finding]:
    inputs = source.parts["train"].inputs[:, 0, 0, :]
    constant = np.flatnonzero(inputs.max(axis=0, initial=0) == inputs.min(axis=0, initial=255))
    names = feature_names(source, inputs.shape[1])
    if len(constant):
        yield Finding(
            "error" if len(constant) == inputs.shape[1] else "warning",
            "constant-feature",
            len(constant),
            f"{len(constant)} of {inputs.shape[1]} features have one value throughout and tell nothing.",
            "leaves them in; they cost a little and do no harm."
            if len(constant) < inputs.shape[1]
            else "stops; add columns that differ.",
            tuple(shown(names[index]) for index in constant),
        )


def feature_names(source: Source, count: int) -> list[str]:
    """Names of a table's features, else numbers."""
    from edgeml.data.tables.features import feature_names

    columns = source.preprocessing.get("columns", [])
    names = feature_names(columns) if columns and isinstance(columns[0], dict) else []
    return names if len(names) == count else [f"feature {index}" for index in range(count)]


def _marked(
    source: Source, marked: dict[str, NDArray[np.bool_]], code: str, means: str, does: str
) -> Iterator[Finding]:
    """A finding on marked samples; an error where all of a part are."""
    count = sum(int(found.sum()) for found in marked.values())
    if not count:
        return
    total = sum(len(found) for found in marked.values())
    names = [
        sample_name(source, part, int(index))
        for part, found in marked.items()
        for index in np.flatnonzero(found)[:SHOWN_EXAMPLES]
    ]
    whole = any(len(found) and found.all() for found in marked.values())
    yield Finding(
        "error" if whole else "warning",
        code,
        count,
        f"{count} of {total} {means}",
        "stops, since all samples of a part are so; check how they were saved." if whole else does,
        tuple(names),
    )
