"""Installed packages against the versions that edgeml is tested with."""

from __future__ import annotations

import platform
import sys
from importlib import metadata, util
from pathlib import Path
from typing import TYPE_CHECKING

from edgeml.doctor.finding import Line, Section

if TYPE_CHECKING:
    from packaging.requirements import Requirement

DISTRIBUTION = "edgeml"
OLDEST_PYTHON = (3, 11)


def versions() -> Section:
    """edgeml, Python and every package that edgeml needs."""
    return Section("Versions", (_edgeml(), _python(), *(_package(one) for one in requirements(""))))


def extras() -> Section:
    """What can be installed beside it, and whether it is."""
    return Section("Optional parts", tuple(_extra(name) for name in _names()))


def requirements(extra: str) -> list[Requirement]:
    """Name of an extra, "" for none -> its requirements; none where edgeml itself is not installed."""
    from packaging.requirements import Requirement

    try:
        said = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        return []
    found = [Requirement(one) for one in said]
    if not extra:
        return [one for one in found if one.marker is None or one.marker.evaluate({"extra": ""})]
    return [
        one
        for one in found
        if one.marker and one.marker.evaluate({"extra": extra}) and not one.marker.evaluate({"extra": ""})
    ]


def installed(name: str) -> str | None:
    """Name of a distribution -> its version; None where it is not installed."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _names() -> list[str]:
    try:
        found = metadata.metadata(DISTRIBUTION).get_all("Provides-Extra") or []
    except metadata.PackageNotFoundError:
        return []
    return sorted(name for name in found if name != "dev")


def _edgeml() -> Line:
    found, folder = installed(DISTRIBUTION), Path(__file__).parent.parent
    if found is None:
        advice = "install it: pip install edgeml, or pip install -e . in its source folder"
        return Line("edgeml", f"not installed, run from {folder}", "problem", advice)
    return Line("edgeml", f"{found} in {folder}")


def _python() -> Line:
    said = f"{platform.python_version()} ({platform.python_implementation()}, {platform.machine()})"
    if sys.version_info < OLDEST_PYTHON:  # pragma: no cover
        return Line("Python", said, "problem", "edgeml needs Python 3.11 or newer")
    return Line("Python", said)


def _package(wanted: Requirement) -> Line:
    found, advice = installed(wanted.name), f"pip install '{wanted.name}{_range(wanted)}'"
    tested = f"tested: {_range(wanted)}"
    if found is None:
        return Line(wanted.name, f"not installed, {tested}", "problem", advice)
    if not wanted.specifier.contains(found, prereleases=True):
        return Line(wanted.name, f"{found}, {tested}", "problem", advice)
    if not _findable(wanted.name):
        advice = f"pip install --force-reinstall '{wanted.name}{_range(wanted)}'"
        return Line(wanted.name, f"{found} is registered but its files are gone", "problem", advice)
    return Line(wanted.name, f"{found}, {tested}")


def _range(wanted: Requirement) -> str:
    return ",".join(sorted(map(str, wanted.specifier), reverse=True))  # >= before <


def _extra(name: str) -> Line:
    wanted = requirements(name)
    versions = {one.name: installed(one.name) for one in wanted}
    there = [f"{package} {version}" for package, version in versions.items() if version]
    missing = [package for package, version in versions.items() if not version]
    advice = f"pip install 'edgeml[{name}]'"
    if missing:
        have = f", {', '.join(there)} is there" if there else ""
        return Line(name, f"not installed: {', '.join(missing)}{have}", "note", advice)
    unfit = [one.name for one in wanted if not one.specifier.contains(versions[one.name] or "", True)]
    if unfit:
        tested = ", ".join(f"{one.name}{_range(one)}" for one in wanted)
        return Line(name, f"{', '.join(there)}; tested: {tested}", "note", advice)
    return Line(name, ", ".join(there))


def _findable(distribution: str) -> bool:
    """Whether a module of the distribution is where Python looks; true where its files do not say."""
    try:
        files = metadata.files(distribution) or []
    except metadata.PackageNotFoundError:
        return False
    python = [one for one in files if one.suffix == ".py" and ".." not in one.parts]
    tops = {one.parts[0].removesuffix(".py") for one in python}
    modules = {top for top in tops if top.isidentifier()}
    return not modules or any(_spec(top) for top in modules)


def _spec(module: str) -> bool:
    try:
        return util.find_spec(module) is not None
    except (ImportError, ValueError, AttributeError):
        return False
