"""Copies of the YAML files a run was started with, for going on where the originals are not at hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgeml.durable import storage_errors, write_whole
from edgeml.errors import UnknownNameError
from edgeml.resources import find
from edgeml.target.targets import Targets

FOLDER = "files"
KINDS = {"targets": "target", "search_spaces": "search space", "fidelities": "fidelity"}


def copy_files(run: Path, targets: Targets, space: str, fidelity: str) -> None:
    """Write the files that a run is started with into its directory; profiles with all they inherit.

    Raises:
        StorageError: they cannot be written.
    """
    import yaml

    found = [
        ("search_spaces", find("search_spaces", space, "search space")),
        ("fidelities", find("fidelities", fidelity, "fidelity")),
    ]
    texts = {(kind, path.stem): path.read_bytes() for kind, path in found}
    for target in targets.members:
        value = target.model_dump(mode="json", exclude={"name"}, exclude_unset=True)
        texts["targets", target.name] = yaml.safe_dump(value, sort_keys=False, allow_unicode=True).encode()
    for (kind, stem), text in texts.items():
        path = run / FOLDER / kind / f"{stem}.yaml"
        with storage_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, text)


def own(run: Path, kind: str, names: Sequence[str]) -> list[str]:
    """Names or paths, each replaced by the run's copy where there is no such file any more.

    Raises:
        UnknownNameError: there is no copy either.
    """
    return [_own(run, kind, name) for name in names]


def _own(run: Path, kind: str, name: str) -> str:
    try:
        find(kind, name, KINDS[kind])
    except UnknownNameError:
        copy = run / FOLDER / kind / f"{Path(name).stem}.yaml"
        if copy.is_file():
            return str(copy)
        raise
    return name
