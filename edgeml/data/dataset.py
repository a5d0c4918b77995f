"""Files in, arrays out: `load` reads any kind of source into a Dataset, split, as uint8.

name or path -> KINDS -> reader -> Source -> stratified split -> Dataset
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeml.data import store
from edgeml.data.goal import Goal, goal_of
from edgeml.data.guardrails import guardrails
from edgeml.data.guardrails.alike import find_alike
from edgeml.data.guardrails.finding import Finding
from edgeml.data.images.pixels import resize_all
from edgeml.data.kinds import KINDS, read_source
from edgeml.data.options import ReadOptions
from edgeml.data.source import Source, Split, fingerprint, shown
from edgeml.data.split import PARTS, absent_classes, divide, strata, stratified_order
from edgeml.errors import ConfigError, DataError

__all__ = ["KINDS", "Dataset", "Split", "load"]


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set in three splits; every prefix of a split is itself stratified.

    Attributes:
        name: short name for reports.
        classes: one name per label; none for regression.
        train, val, test: the splits.
        provenance: JSON-able: source, hashes, seed, counts, skipped files, value_scale and value_offset
            (the raw values were uint8 * scale + offset).
        warnings: sentences to be shown and put in the report.
        task: one of source.TASKS.
        preprocessing: JSON-able, "kind" and what makes raw input the network's uint8 input; empty for images.
        findings: what the guardrails found, where they were asked; not saved with the arrays.
    """

    name: str
    classes: tuple[str, ...]
    train: Split
    val: Split
    test: Split
    provenance: dict[str, Any]
    warnings: tuple[str, ...] = ()
    task: str = "classification"
    preprocessing: Mapping[str, Any] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of one sample; of a waveform (samples, 1, 1)."""
        _, height, width, channels = self.train.inputs.shape
        return height, width, channels

    @cached_property
    def hash(self) -> str:
        """SHA-256 (hex) of classes, value map and all three splits; where they came from does not count."""
        scale, offset = self.provenance.get("value_scale", 1.0), self.provenance.get("value_offset", 0.0)
        header: list[Any] = [self.classes, scale, offset]
        if self.task != "classification" or self.preprocessing:
            header += [self.task, dict(self.preprocessing)]
        return fingerprint(header, self._arrays().values())

    @property
    def goal(self) -> Goal:
        """What the labels mean and how outputs are scored."""
        return self.train.goal

    def aimed(self, metric: str | None = None) -> Dataset:
        """The same with the goal of its task and a metric (None: the task's own) on all splits.

        Raises:
            EdgemlError: no such metric, or none of this task's.
        """
        goal = goal_of(self.task, metric, self.train.labels)
        train, val, test = (replace(split, goal=goal) for split in (self.train, self.val, self.test))
        return replace(self, train=train, val=val, test=test)

    @property
    def outputs(self) -> int:
        """Numbers that a network gives: one a class, one for a value, one for each that it reads."""
        sizes = {"regression": 1, "anomaly": prod(self.input_shape)}
        return sizes.get(self.task, len(self.classes))

    def calibration(self, n: int, seed: int = 0) -> NDArray[np.uint8]:
        """A stratified sample of training inputs to calibrate int8 ranges with.

        Args:
            n: how many, at least 1; all of them where there are fewer.
            seed: decides which.

        Returns:
            (min(n, len(train)), height, width, channels), a copy.

        Raises:
            ValueError: n is below 1.
        """
        if n < 1:
            raise ValueError(f"calibration needs at least one image, not {n}")
        order = stratified_order(strata(self.train.labels), np.random.default_rng(seed))
        return np.array(self.train.inputs[order[:n]])

    def fronts(self, names: Iterable[str]) -> dict[str, tuple[int, int, int]]:
        """Names of audio front ends -> the shape of what each gives; empty where the inputs are no waveforms.

        Raises:
            ConfigError: no such front end, or none that fits the recordings.
        """
        if self.train.inputs.dtype != np.int16:
            return {}
        from edgeml.data.audio.front_end import FrontEnd

        samples, rate_hz = self.input_shape[0], int(self.preprocessing["rate_hz"])
        return {name: FrontEnd.parse(name).shape(samples, rate_hz) for name in names}

    def fronted(self, front: str) -> Dataset:
        """Waveforms -> what an audio front end makes of them, uint8 (n, frames, bins, 1)."""
        from edgeml.data.audio.front_end import FrontEnd

        made, rate_hz = FrontEnd.parse(front), int(self.preprocessing["rate_hz"])
        train, val, test = (
            replace(split, inputs=made.apply(split.inputs[:, :, 0, 0], rate_hz))
            for split in (self.train, self.val, self.test)
        )
        about = {**self.preprocessing, "front": front}
        return replace(self, train=train, val=val, test=test, preprocessing=about)

    def resized(self, height: int, width: int) -> Dataset:
        """The same data set at another resolution (px), bilinear; itself where that is its own."""
        if (height, width) == self.input_shape[:2]:
            return self
        train, val, test = (
            replace(split, inputs=resize_all(split.inputs, height, width))
            for split in (self.train, self.val, self.test)
        )
        provenance = {**self.provenance, "resized_from": list(self.input_shape[:2])}
        return replace(self, train=train, val=val, test=test, provenance=provenance)

    def save(self, folder: Path) -> None:
        """Write .npy files and dataset.json, whole or not at all, for worker processes to `open`.

        Raises:
            StorageError: no disk space, no permission, or the folder holds something else.
        """
        description = {
            "hash": self.hash,
            "name": self.name,
            "classes": list(self.classes),
            "provenance": self.provenance,
            "warnings": list(self.warnings),
            "task": self.task,
            "goal": self.goal.to_dict(),
            "preprocessing": dict(self.preprocessing),
        }
        store.write(folder, description, self._arrays())

    @staticmethod
    def open(folder: Path) -> Dataset:
        """A folder that `save` wrote -> the Dataset, memory-mapped read-only.

        Every byte is read once to verify the hash (about 1 s a GB): open once per worker.

        Raises:
            DataError: something is missing, or differs from what was saved.
        """
        found, mapped = store.read(folder, tuple(_array_names()))
        try:
            goal = Goal(**found["goal"])
            splits = {name: Split(mapped[f"{name}_inputs"], mapped[f"{name}_labels"], goal) for name in PARTS}
            dataset = Dataset(
                str(found["name"]),
                tuple(found["classes"]),
                provenance=dict(found["provenance"]),
                warnings=tuple(found["warnings"]),
                task=str(found["task"]),
                preprocessing=dict(found["preprocessing"]),
                train=splits["train"],
                val=splits["val"],
                test=splits["test"],
            )
            intact = dataset.hash == found["hash"]
        except (KeyError, TypeError, ValueError) as error:
            raise _changed(folder) from error
        if not intact:
            raise _changed(folder)
        return dataset

    def _arrays(self) -> dict[str, NDArray[Any]]:
        splits = (self.train, self.val, self.test)
        arrays = (array for split in splits for array in (split.inputs, split.labels))
        return dict(zip(_array_names(), arrays, strict=True))


def _array_names() -> list[str]:
    return [f"{part}_{what}" for part in PARTS for what in ("inputs", "labels")]


def _changed(folder: Path) -> DataError:
    return DataError(
        f"{shown(folder)}: the saved data set was changed since it was written, expected the content that "
        f"{store.DESCRIPTION} describes; load the source again and save it."
    )


def load(
    source: str,
    options: ReadOptions | None = None,
    *,
    val_fraction: float = 0.15,
    test_fraction: float = 0.15,
    guarded: bool = False,
) -> Dataset:
    """The name or path of a data set -> Dataset.

    Args:
        source: "digits" or a path; KINDS lists what is understood.
        options: how to read it; its seed decides the split and its order.
        val_fraction: share of each class for val, where the source brings no such part.
        test_fraction: the same for test.
        guarded: let the guardrails look (some 20 s for 50,000 pictures); their `findings` stop nothing here.

    Raises:
        DataError: it does not exist, cannot be read, or cannot be used.
        ConfigError: a fraction is out of range.
    """
    options = options or ReadOptions()
    if not (val_fraction > 0 and test_fraction > 0 and val_fraction + test_fraction < 1):
        raise ConfigError(
            f"the val fraction is {val_fraction:g} and the test fraction {test_fraction:g}, expected both "
            "above 0 and less than 1 together; choose others."
        )
    found = read_source(source, options)
    dataset = _split(found, options.seed, {"val": val_fraction, "test": test_fraction}, guarded)
    size = options.image_size if not found.preprocessing else None
    return dataset if size is None else dataset.resized(size, size)


def _split(found: Source, seed: int, fractions: dict[str, float], guarded: bool) -> Dataset:
    alike = find_alike(found)
    bound = guardrails.bound(found, alike)
    chosen = divide(found.parts, found.classes, fractions, seed, found.path, found.task, *bound)
    splits = {name: found.parts[origin].take(indices) for name, (origin, indices) in chosen.items()}
    content = [array for part in found.parts.values() for array in (part.inputs, part.labels)]
    origins = {name: origin for name, (origin, _) in chosen.items()}
    provenance: dict[str, Any] = {
        "source": found.path,
        "kind": found.kind,
        "content_hash": fingerprint(sorted(found.parts), content),
        "split_hash": fingerprint([seed, origins], [indices for _, indices in chosen.values()]),
        "seed": seed,
        "split_from": origins,
        "fractions": {name: fraction for name, fraction in fractions.items() if origins[name] == "train"},
        "counts": {name: len(split) for name, split in splits.items()},
        "skipped": {"count": len(found.skipped), "first": list(found.skipped[:5])},
        "ignored_files": found.ignored,
        "value_scale": found.value_scale,
        "value_offset": found.value_offset,
    }
    warnings = (*found.warnings, *absent_classes(splits, found.classes, found.parts))
    return Dataset(
        found.name,
        found.classes,
        provenance=provenance,
        warnings=warnings,
        task=found.task,
        preprocessing=found.preprocessing,
        findings=guardrails.check(found, alike) if guarded else (),
        **splits,
    )
