"""What every reader returns, and how names from the file system are shown.

source string -> reader -> Source (whole parts, uint8, labels 0..k-1) -> split -> Dataset
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeml.data import scratch
from edgeml.data.goal import ACCURACY, Goal
from edgeml.data.guardrails.finding import Finding

TASKS = ("classification", "regression", "anomaly")
"""What a network has to give: a class, a number, or its input again (an autoencoder; what it gives badly is
anomalous)."""


@dataclass(frozen=True, eq=False)
class Split:
    """One part of a data set; both arrays are read-only, as they are when memory-mapped.

    Attributes:
        inputs: (n, height, width, channels), uint8; or raw waveforms (n, samples, 1, 1), int16.
        labels: (n,): int64, each in 0..classes-1 (of "anomaly" 0 for normal, 1 for anomalous); or float32,
            the target values of "regression".
        goal: what the labels mean and how outputs are scored.

    Raises:
        ValueError: the arrays are not of that type or shape (a mistake of the caller, not of a user).
    """

    inputs: NDArray[Any]
    labels: NDArray[Any]
    goal: Goal = ACCURACY

    def __post_init__(self) -> None:
        inputs, labels = self.inputs.view(), self.labels.view()
        waveforms = inputs.dtype == np.int16 and inputs.shape[2:] == (1, 1)
        known = (inputs.dtype == np.uint8 or waveforms) and labels.dtype in (np.int64, np.float32)
        if not known or inputs.ndim != 4 or labels.ndim != 1:
            raise ValueError(f"a split of {inputs.dtype} {inputs.shape} and {labels.dtype} {labels.shape}")
        if len(inputs) != len(labels):
            raise ValueError(f"a split of {len(inputs)} samples and {len(labels)} labels")
        inputs.setflags(write=False)
        labels.setflags(write=False)
        object.__setattr__(self, "inputs", inputs)
        object.__setattr__(self, "labels", labels)

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: NDArray[np.int64]) -> Split:
        """The samples at `indices`, copied, in that order; large copies are in a file (data/scratch.py)."""
        shape = (len(indices), *self.inputs.shape[1:])
        if not scratch.is_large(shape, self.inputs.dtype):
            return Split(self.inputs[indices], self.labels[indices], self.goal)
        copied = scratch.empty(shape, self.inputs.dtype)
        step = scratch.rows_at_once(copied)
        for start in range(0, len(indices), step):
            copied[start : start + step] = self.inputs[indices[start : start + step]]
        return Split(copied, self.labels[indices], self.goal)


@dataclass(frozen=True, eq=False)
class Source:
    """What a reader found, before anything is split.

    Attributes:
        name: short name for reports.
        kind: key of `dataset.KINDS`.
        path: where it came from, fit to be shown.
        classes: one name per label; none for regression.
        parts: "train", and "val" and "test" where the source brings its own.
        task: one of TASKS.
        groups: by part, (n,) int64: samples of one group (a person, a recording) stay in one split.
        preprocessing: JSON-able, "kind" and what a device has to do to give the network its uint8 input.
        value_scale, value_offset: the values in the source were uint8 * scale + offset.
        skipped: names of images that could not be read.
        ignored: number of files that are no images.
        warnings: sentences for the user.
        names: by part, the name of each sample (a file, a row) for findings; may be missing.
        findings: what the reader itself saw and guardrails cannot see in the arrays.
    """

    name: str
    kind: str
    path: str
    classes: tuple[str, ...]
    parts: Mapping[str, Split]
    task: str = "classification"
    groups: Mapping[str, NDArray[np.int64]] = field(default_factory=dict)
    preprocessing: Mapping[str, Any] = field(default_factory=dict)
    value_scale: float = 1.0
    value_offset: float = 0.0
    skipped: tuple[str, ...] = ()
    ignored: int = 0
    warnings: tuple[str, ...] = ()
    names: Mapping[str, Sequence[str]] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()


def kind_of(preprocessing: Mapping[str, Any]) -> str:
    """What the inputs are: "image", "audio", "sensor" or "table"."""
    return str(preprocessing.get("kind", "image"))


def readable(name: str | Path) -> str:
    r"""A file name as text that every encoder takes: bytes that are not UTF-8 become \xNN.

    Not U+FFFD, which would give two different class folders the same name.
    """
    return os.fsencode(name).decode("utf-8", errors="backslashreplace")


def shown(name: str | Path) -> str:
    """A name on one line of a message: as `readable`, control characters escaped as well."""
    try:
        text = readable(name)
    except UnicodeEncodeError:  # a str with surrogates that no file system made
        text = str(name).encode("utf-8", errors="backslashreplace").decode()
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


def some(names: Iterable[str], limit: int = 5) -> str:
    """The first few names, quoted, for a message."""
    listed = list(names)
    text = ", ".join(f"'{shown(name)}'" for name in listed[:limit])
    return text + (f" and {len(listed) - limit} more" if len(listed) > limit else "")


def as_bytes(array: NDArray[Any]) -> memoryview:
    """The bytes of an array in C order, without a copy where they are so in memory."""
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


def fingerprint(header: Any, arrays: Iterable[NDArray[Any]]) -> str:
    """SHA-256 of a JSON-able header and of the type, shape and bytes of each array, as hex."""
    digest = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(as_bytes(array))
    return digest.hexdigest()
