"""A candidate of a run -> a folder that stands alone; such a folder -> the same network trained again."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from edgeml.errors import ModelError, StorageError

if TYPE_CHECKING:
    from edgeml.export.folder import Exported
    from edgeml.export.rebuild import Rebuilt

Result = TypeVar("Result")


def export(
    run: Path, pick: str = "preferred", formats: tuple[str, ...] = ("tflite", "onnx"), out: Path | None = None
) -> Exported:
    """Write one candidate's files and prove them; the work of `edgeml export`.

    Args:
        run: run directory, also of a search that is still going: its finished candidates can be exported.
        pick: "preferred" (by the search's --prefer), "knee", "accuracy", "latency", "size" or a key
            (or its unambiguous beginning).
        formats: names in edgeml.export.formats.FORMATS, or "all" for what can be made here.
        out: folder; RUN/export/KEY when None.

    Returns:
        Files, proofs and notes; `ok` is False where a format is not what was scored.

    Raises:
        EdgemlError: no such run, candidate or format, files that were changed, a folder that cannot be used.
    """
    from edgeml.export.folder import export_files
    from edgeml.export.formats import chosen
    from edgeml.export.place import check_place
    from edgeml.export.read import check_trained
    from edgeml.report.pick import pick_key
    from edgeml.report.run_files import open_run

    files = open_run(run)
    key = pick_key(files, pick)
    target = out or run / "export" / key
    chosen(formats)
    check_place(target)
    check_trained(files, key)  # before a process is started
    return _in_worker(export_files, run, key, target, formats, dict(files.run))


def rebuild(
    folder: Path,
    data: str | None = None,
    out: Path | None = None,
    *,
    seed: int | None = None,
    other_data: bool = False,
) -> Rebuilt:
    """Train an exported model's architecture again, from scratch; the work of `edgeml rebuild`.

    Args:
        folder: that `edgeml export` (or this) wrote.
        data: where the data are now; the run's own where they still lie when None.
        out: folder to write to; FOLDER-rebuilt when None.
        seed: of weights, order of samples and augmentation; the original's when None.
        other_data: the data may be others than the original's.

    Returns:
        Accuracies of the original and of the new model, and where it lies.

    Raises:
        EdgemlError: not such a folder, files that were changed, no or other data, training that fails.
    """
    from edgeml.export.rebuild import rebuild_folder

    return _in_worker(rebuild_folder, folder, data, out, seed, other_data)


def _in_worker(function: Callable[..., Result], *arguments: object) -> Result:
    """TensorFlow and converters in a quiet process of its own, for as long as it takes; Ctrl-C ends it."""
    from edgeml.search.workers.executor import WorkerDiedError, Workers

    workers = Workers(Path(os.devnull))
    try:
        asked = os.environ.get("TMPDIR")  # as it is now: Python remembers what it was
        within = asked if asked and Path(asked).is_dir() else None
        with tempfile.TemporaryDirectory("", "edgeml-", within, ignore_cleanup_errors=True) as place:
            try:
                found: Result = workers.submit(_below, place, function, *arguments).result()
                return found
            finally:
                workers.kill()  # before its files go
    except WorkerDiedError as error:
        raise ModelError(
            "the process that converts and trains crashed or ran out of memory; nothing was written."
        ) from error
    except OSError as error:  # proofs and training write into the temporary folder
        raise StorageError(
            f"{error.filename or tempfile.gettempdir()}: cannot be written ({error.strerror or error}); make "
            "room there, or set TMPDIR to another folder; nothing was written."
        ) from error


def _below(place: str, function: Callable[..., Result], *arguments: object) -> Result:
    """In the worker: its temporary files lie where they are removed, however it ends."""
    os.environ["TMPDIR"] = tempfile.tempdir = place
    return function(*arguments)
