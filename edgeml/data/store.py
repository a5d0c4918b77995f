"""Arrays and a JSON description <-> a folder, written whole or not at all, read memory-mapped."""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeml.data.source import as_bytes, shown
from edgeml.errors import DataError, StorageError

LAYOUT = 2
DESCRIPTION = "dataset.json"


def write(folder: Path, description: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write NAME.npy for each array and dataset.json; `folder` appears complete or not at all.

    A data set that is already there is replaced; any other folder that holds something is left alone.

    Raises:
        StorageError: no disk space, no permission, or `folder` holds something else.
    """
    temporary: Path | None = None
    try:
        _refuse_foreign(folder)
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        temporary.chmod(0o755)  # mkdtemp gives 0o700; workers may run as another user
        for name, array in arrays.items():
            _write_array(temporary / f"{name}.npy", array)
        text = json.dumps({"layout": LAYOUT, **description}, indent=1)
        (temporary / DESCRIPTION).write_text(text, encoding="utf-8")
        _swap(temporary, folder)
    except OSError as error:
        size = sum(array.nbytes for array in arrays.values())
        raise StorageError(_storage_message(folder, size, error)) from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def _refuse_foreign(folder: Path) -> None:
    if folder.is_dir() and not (folder / DESCRIPTION).is_file() and any(folder.iterdir()):
        raise StorageError(f"{shown(folder)}: exists and holds no data set; choose a new or empty folder.")
    if folder.exists() and not folder.is_dir():
        raise StorageError(f"{shown(folder)}: is a file, expected a folder; choose another name.")


def _write_array(path: Path, array: NDArray[Any]) -> None:
    # np.save reports a full disk as an OSError without errno ("N requested and 0 written"); write() has it.
    whole = np.ascontiguousarray(array)
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(whole))
        file.write(as_bytes(whole))


def _swap(temporary: Path, folder: Path) -> None:
    if not folder.exists():
        temporary.rename(folder)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{folder.name}.old.", dir=folder.parent))
    os.replace(folder, old)  # noqa: PTH105  (a rename onto an empty folder, which POSIX allows)
    try:
        temporary.rename(folder)
    except OSError:
        os.replace(old, folder)  # noqa: PTH105
        raise
    shutil.rmtree(old, ignore_errors=True)


def _storage_message(folder: Path, size: int, error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return (
            f"no disk space left at {shown(folder)}, {size:,} bytes are needed; "
            "free some or choose another folder."
        )
    return (
        f"{shown(folder)}: cannot be written ({error.strerror or error}); choose a folder you may write to."
    )


def read(folder: Path, names: tuple[str, ...]) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """A folder that `write` made -> its description and its arrays, memory-mapped read-only.

    Raises:
        DataError: something is missing, damaged or of another layout.
    """
    path = folder / DESCRIPTION
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise _damaged(path, error) from error
    layout = description.get("layout") if isinstance(description, dict) else None
    if layout != LAYOUT:
        raise DataError(
            f"{shown(path)}: found data set layout {layout!r}, expected {LAYOUT}; "
            "load the source again and save it."
        )
    arrays: dict[str, NDArray[Any]] = {}
    for name in names:
        file = folder / f"{name}.npy"
        try:
            arrays[name] = np.load(file, mmap_mode="r", allow_pickle=False)
        except MemoryError:
            raise
        except Exception as error:  # NumPy raises a dozen kinds on damaged headers
            raise _damaged(file, error) from error
    return description, arrays


def _damaged(path: Path, error: Exception) -> DataError:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
    return DataError(f"{shown(path)}: missing or damaged ({reason}); load the source again and save it.")
