"""The data of a run: read from where the user has them, or from the run's own copy where they are gone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgeml.data.dataset import Dataset, load
from edgeml.errors import DataError, RunError
from edgeml.search.run_dir import RunDir
from edgeml.search.settings import Settings


def read_data(run_dir: RunDir, settings: Settings, resume: bool) -> Dataset:
    """The data set that a session works on.

    A run that goes on and whose data are no longer where they were, on another computer perhaps, has its own
    copy of them; where that is damaged, it is written anew from the data.

    Args:
        run_dir: of the run.
        settings: say where the data are and how they are read.
        resume: the run goes on.

    Raises:
        DataError: they cannot be read; of a run that goes on, neither can its copy.
        RunError: they have changed since the run was started.
    """
    if not resume:
        return load(settings.data, settings.read_options, guarded=True)
    run, copy = run_dir.open(), _copy(run_dir)
    if settings.data == run["settings"].get("data") and _gone(settings.data):
        if copy is None:
            raise DataError(
                f"{settings.data}: the data of this run are no longer there, and its own copy in "
                f"{run_dir.data} is missing or damaged; give their place with --data."
            )
        _check(copy, run, run_dir)
        run_dir.repaired.append(
            f"{settings.data} is no longer there; going on with the copy in {run_dir.data}."
        )
        return copy
    data = load(settings.data, settings.read_options)
    _check(data, run, run_dir)
    if copy is None or copy.hash != data.hash:
        if run_dir.data.exists():
            run_dir.set_aside(run_dir.data, "was damaged; it is written anew")
        data.save(run_dir.data)
    return data


def _copy(run_dir: RunDir) -> Dataset | None:
    try:
        return Dataset.open(run_dir.data)
    except DataError:
        return None


def _gone(data: str) -> bool:
    """Whether data were at a path where nothing is any more."""
    path = Path(data)
    try:
        return path.is_absolute() and not path.exists()
    except OSError:
        return False


def _check(data: Dataset, run: dict[str, Any], run_dir: RunDir) -> None:
    if run["dataset"].get("hash") != data.hash:
        raise RunError(
            f"--resume: the data in {data.provenance.get('source', data.name)} has changed since "
            f"{run_dir.path} was started (other hash); restore it or start a new run with another --out."
        )
