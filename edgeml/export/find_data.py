"""Spec -> the data that its model was trained on, where they are now."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgeml.data.dataset import Dataset, load
from edgeml.data.source import kind_of
from edgeml.data.store import DESCRIPTION
from edgeml.errors import DataError
from edgeml.export.describe import data_spec
from edgeml.export.spec import DataSpec, Spec


def find_data(spec: Spec, data: str | None, other_data: bool) -> Dataset:
    """The data of the original: as the run saved them, else from their source, else from `data`.

    Raises:
        DataError: they are gone, or have another hash and `other_data` is off, or do not fit the network.
    """
    known = spec.data
    if data is None:
        found = _saved(known) or _source(known)
        if found is None:
            raise DataError(
                f"the data of this model are neither in {known.saved} nor in {known.source} any more "
                f"(SHA-256 {known.hash[:12]}...); say with --data where they are."
            )
        return found
    metric = known.goal.metric
    moved = (Path(data) / DESCRIPTION).is_file()  # the folder data/ of a run that is elsewhere now
    found = Dataset.open(Path(data)) if moved else load(data, known.options).aimed(metric)
    if found.hash == known.hash:
        return found.aimed(metric)
    if not other_data:
        raise DataError(
            f"--data {data}: these are not the data of this model (SHA-256 {found.hash[:12]}..., expected "
            f"{known.hash[:12]}...); give the same data, or add --other-data to train on these."
        )
    _check_fit(known, found, data)
    return found.aimed(metric)


def _check_fit(known: DataSpec, found: Dataset, data: str) -> None:
    """Whether the network can read and tell apart what is in other data."""
    kinds = [kind_of(about) for about in (known.preprocessing, found.preprocessing)]
    if (known.task, kinds[0]) != (found.task, kinds[1]):
        raise DataError(
            f"--data {data}: found {found.task} of kind {kinds[1]}, the network is for {known.task} of kind "
            f"{kinds[0]}; search one for these data."
        )
    if len(found.classes) != len(known.classes) or found.input_shape[2] != known.input_shape[2]:
        raise DataError(
            f"--data {data}: found {len(found.classes)} classes and {found.input_shape[2]} channels, the "
            f"network has {len(known.classes)} and {known.input_shape[2]}; search one for these data."
        )
    resizable = kinds[0] == "image" and known.task != "anomaly"
    if not resizable and found.input_shape != known.input_shape:
        raise DataError(
            f"--data {data}: found inputs of {_shape(found.input_shape)}, the network's data have "
            f"{_shape(known.input_shape)}; search one for these data."
        )


def _shape(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def _saved(known: DataSpec) -> Dataset | None:
    try:
        found = Dataset.open(Path(known.saved)) if known.saved else None
    except DataError:
        return None
    return found.aimed(known.goal.metric) if found and found.hash == known.hash else None


def _source(known: DataSpec) -> Dataset | None:
    try:
        found = load(known.source, known.options).aimed(known.goal.metric)
    except DataError:
        return None
    return found if found.hash == known.hash else None


def described(known: DataSpec, dataset: Dataset, data: str | None) -> DataSpec:
    """What spec.json says of the data that were found."""
    if dataset.hash == known.hash:
        return known
    counts = {name: len(getattr(dataset, name)) for name in ("train", "val", "test")}
    about: Mapping[str, Any] = {
        "name": dataset.name,
        "classes": dataset.classes,
        "input_shape": dataset.input_shape,
        "counts": counts,
        "hash": dataset.hash,
        "split_hash": dataset.provenance.get("split_hash"),
        "provenance": dataset.provenance,
        "warnings": dataset.warnings,
        "task": dataset.task,
        "preprocessing": dataset.preprocessing,
        "goal": dataset.goal.to_dict(),
    }
    source = str(Path(str(data)).resolve()) if Path(str(data)).exists() else data
    settings = {
        "data": source,
        "seed": known.seed,
        "image_size": known.image_size,
        "strict": known.strict,
        **known.asked,
    }
    return data_spec(about, settings, None)
