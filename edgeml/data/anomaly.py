"""Classes -> normal and anomalous samples, for `--task anomaly`.

An autoencoder learns from normal samples; the others are there to be told apart in val and test.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import isqrt

import numpy as np

from edgeml.data.images.pixels import resize_all
from edgeml.data.lending import with_lent
from edgeml.data.source import Source, Split, some
from edgeml.errors import ConfigError, DataError

NORMAL = frozenset(
    ("normal", "ok", "good", "healthy", "nominal", "negative", "fine", "inlier", "pass", "no", "0", "0.0")
)
"""Names, in lower case, of a class that is not anomalous."""

LARGEST = 4096
"""Values of a picture that an autoencoder gives back; larger ones are made smaller."""


def normal_and_rest(names: Sequence[str]) -> tuple[tuple[str, str], list[int]] | None:
    """Classes -> (names of the normal one and of the rest, 0 or 1 for each class); None where unclear.

    Clear is exactly one class called as normal ones are, and at least one other.
    """
    codes = [int(name.strip().lower() not in NORMAL) for name in names]
    others = [name for name, code in zip(names, codes, strict=True) if code]
    if codes.count(0) != 1 or not others:
        return None
    return (names[codes.index(0)], others[0] if len(others) == 1 else "anomalous"), codes


def as_anomalies(found: Source, image_size: int | None = None) -> Source:
    """A source of classes -> the same of the classes normal (0) and anomalous (1).

    Args:
        found: what a reader found.
        image_size: side (px) that the user asked for; None makes pictures as small as an autoencoder takes.

    Raises:
        DataError: no class is named as normal ones are, or several are.
        ConfigError: image_size is more than an autoencoder takes.
    """
    if found.task == "regression" or len(found.classes) < 2:
        raise DataError(
            f"{found.path}: found {_found(found.classes)}, expected at least two, one of them normal, "
            "to detect anomalies; add normal and some anomalous samples (these are only scored with)."
        )
    told = normal_and_rest(found.classes)
    if told is None:
        raise DataError(
            f"{found.path}: which class is normal is not clear among {some(found.classes)}, expected one "
            f"named {', '.join(sorted(NORMAL)[2:])}; rename it."
        )
    classes, codes = told
    others = [name for name, code in zip(found.classes, codes, strict=True) if code]
    if len(others) > 1:
        said = f"{len(others)} classes were taken as anomalous: {some(others)}."
        found = replace(found, warnings=(*found.warnings, said))
    found = found if found.preprocessing else _sized(found, image_size)
    found = with_lent(found, np.array(codes, np.bool_))
    parts = {
        part: Split(split.inputs, np.array(codes, np.int64)[split.labels])
        for part, split in found.parts.items()
    }
    return replace(found, task="anomaly", classes=classes, parts=parts)


def _found(classes: Sequence[str]) -> str:
    return f"one class only ({some(classes)})" if len(classes) == 1 else "no classes"


def _sized(found: Source, image_size: int | None) -> Source:
    """Pictures of at most LARGEST values; those of a side that the user asked for are resized later."""
    height, width, channels = found.parts["train"].inputs.shape[1:]
    most = isqrt(LARGEST // channels)
    if image_size is not None:
        if image_size > most:
            raise ConfigError(
                f"image size is {image_size}, expected at most {most} px for an autoencoder of pictures with "
                f"{channels} channel{'s' * (channels > 1)} ({LARGEST:,} values); choose that or less."
            )
        return found
    if height * width * channels <= LARGEST:
        return found
    side = min(height, width, most // 4 * 4)
    parts = {
        part: replace(split, inputs=resize_all(split.inputs, side, side))
        for part, split in found.parts.items()
    }
    said = f"all images were resized from {height} x {width} to {side} x {side} px, for an autoencoder."
    return replace(found, parts=parts, warnings=(*found.warnings, said))
