"""Guardrails on image files: damaged ones, names that lie, sizes and shapes."""

from __future__ import annotations

from collections.abc import Iterator

from edgeml.data.guardrails.finding import Finding
from edgeml.data.images.image_files import Decoded

ELONGATED = 3.0
"""Sides differ by so many times: made square, such a picture is distorted beyond what others are."""

SMALL = 2.0
"""A picture is so many times smaller than what it is resized to; the finding says half."""

UNREADABLE = 0.5
"""Share of damaged files from which on something is wrong with all of them."""


def file_findings(found: Decoded, size: tuple[int, int]) -> tuple[Finding, ...]:
    """Decoded image files, (height, width) of what they became -> findings."""
    return tuple(_findings(found, size))


def _findings(found: Decoded, size: tuple[int, int]) -> Iterator[Finding]:
    total = sum(found.sizes.values()) + len(found.bad)
    if found.bad:
        many = len(found.bad) >= UNREADABLE * total
        yield Finding(
            "error" if many else "warning",
            "corrupt-files",
            len(found.bad),
            f"{len(found.bad)} of {total} image files cannot be read.",
            "stops; save them again." if many else "leaves them out; --strict makes it an error.",
            found.bad,
        )
    if found.disguised:
        yield Finding(
            "warning",
            "extension-mismatch",
            len(found.disguised),
            "files hold another format than their names say.",
            "reads them by their content; rename them, other programs may refuse them.",
            found.disguised,
        )
    yield from _sizes(found, size)
    if len(found.modes) > 1:
        yield Finding(
            "note",
            "mixed-colour-modes",
            sum(found.modes.values()) - max(found.modes.values()),
            f"images come in {len(found.modes)} colour modes; if a mode goes with a class, that is learnt.",
            "converts all to one.",
            tuple(f"{mode} ({count})" for mode, count in found.modes.most_common()),
        )


def _sizes(found: Decoded, size: tuple[int, int]) -> Iterator[Finding]:
    named = [(f"{width} x {height} ({count})", height, width, count) for (height, width), count in
             found.sizes.most_common()]  # fmt: skip
    if len(named) > 1:
        yield Finding(
            "note",
            "image-sizes",
            len(named),
            f"images come in {len(named)} sizes (width x height in px).",
            f"resizes all to {size[1]} x {size[0]} px; --image-size sets another side.",
            tuple(name for name, *_ in named),
        )
    target = size[1] / size[0]
    long = [one for one in named if not 1 / ELONGATED < one[2] / one[1] / target < ELONGATED]
    small = [one for one in named if SMALL * max(one[1:3]) <= max(size)]
    for code, listed, means in (
        (
            "aspect-ratio",
            long,
            f"images are distorted {ELONGATED:g} times and more when they get that shape.",
        ),
        ("tiny-images", small, "images are at most half of the size they are resized to."),
    ):
        if listed:
            yield Finding(
                "warning",
                code,
                sum(one[3] for one in listed),
                means,
                "resizes them all the same; crop or remove them.",
                tuple(one[0] for one in listed),
            )
