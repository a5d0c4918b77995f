"""KINDS: every kind of source, how it is recognised and which reader reads it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edgeml.data import arrays
from edgeml.data.anomaly import as_anomalies
from edgeml.data.audio import audio
from edgeml.data.images import idx, images, manifest
from edgeml.data.options import ReadOptions
from edgeml.data.sensors import sensors
from edgeml.data.source import Source, kind_of, shown
from edgeml.data.tables import tabular
from edgeml.errors import ConfigError, DataError


@dataclass(frozen=True)
class Kind:
    """A kind of source: when it is one, how it is read, how it is described, which of OF_SOME it heeds."""

    says: str
    matches: Callable[[str, Path], bool]
    read: Callable[[Path, ReadOptions], Source]
    heeds: tuple[str, ...] = ()


_COLUMNS, _WINDOWS = ("label", "group"), ("window", "stride")
OF_SOME = dict.fromkeys(_COLUMNS, "has no columns") | dict.fromkeys(_WINDOWS, "is not cut into windows")
"""Options that only some kinds heed, and why the others cannot."""


ACCEPTED = (
    "expected the name digits, a folder with one sub-folder per class (images, WAV or CSV recordings), a CSV "
    "or Parquet table, a .npz file or IDX files"
)


def read_source(source: str, options: ReadOptions) -> Source:
    """The name or path of a data set -> Source, by the first of KINDS that knows it.

    Raises:
        DataError: it does not exist, cannot be read, or cannot be used.
        ConfigError: an option does not fit what was found.
    """
    try:
        found = _read(source, options)
    except OSError as error:
        where = shown(error.filename) if isinstance(error.filename, str) else shown(source)
        raise DataError(
            f"{where}: cannot be read ({error.strerror or type(error).__name__}), {ACCEPTED}; "
            "check the path and its permissions."
        ) from error
    _check_kind(found, options.task)
    if options.task == "anomaly" and found.task != "anomaly":
        found = as_anomalies(found, options.image_size)
    return found


def _check_kind(found: Source, task: str | None) -> None:
    """What `--task` says the data are must be what was found."""
    kind = kind_of(found.preprocessing)
    wanted = {"tabular": "table"}.get((task or "").partition("-")[0], (task or "").partition("-")[0])
    if wanted not in ("", "anomaly", kind):
        raise DataError(
            f"{found.path}: --task {task}: found {_FOUND[kind]}, expected {_FOUND[wanted]}; leave --task out "
            "or give another path."
        )


_FOUND = {
    "image": "images",
    "audio": "sound",
    "sensor": "readings of a sensor",
    "table": "a table of features",
}


def _read(source: str, options: ReadOptions) -> Source:
    path = Path(source)
    for kind in KINDS.values():
        if kind.matches(source, path):
            _refuse_unheeded(source, kind, options)
            return kind.read(path, options)
    if not source.strip() or not path.exists():
        raise DataError(
            f"{shown(source) or 'the empty name'}: does not exist, {ACCEPTED}; check the spelling."
        )
    suffix = path.suffix.lower()
    if suffix in ARCHIVES:
        raise DataError(f"{shown(source)}: found a packed {suffix} archive, {ACCEPTED}; unpack it first.")
    raise DataError(
        f"{shown(source)}: found a file of an unsupported kind, {ACCEPTED}; convert it to one of them."
    )


def _refuse_unheeded(source: str, kind: Kind, options: ReadOptions) -> None:
    for name, reason in OF_SOME.items():
        value = getattr(options, name)
        if value is not None and name not in kind.heeds:
            raise ConfigError(
                f"{shown(source)}: --{name} {value}: found {kind.says}, which {reason}; leave --{name} out "
                "or give another path."
            )


ARCHIVES = frozenset((".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst", ".7z", ".rar"))

# The first that matches reads the source.
KINDS = {
    "digits": Kind(
        "scikit-learn's digits, 8 x 8 x 1", lambda name, path: name == "digits", arrays.read_digits
    ),
    "idx": Kind(
        "a folder of IDX files (train-images-idx3-ubyte[.gz], ...), or one of them",
        lambda name, path: (
            bool(name)
            and (idx.holds_idx(path) if path.is_dir() else path.is_file() and idx.is_idx_name(path.name))
        ),
        idx.read_idx,
    ),
    "npz": Kind(
        "a .npz file with x_train, y_train and optionally x_test, y_test, x_val, y_val, class_names; or x, y",
        lambda name, path: path.suffix.lower() == ".npz" and path.is_file(),
        arrays.read_npz,
    ),
    "audio": Kind(
        "a folder with one sub-folder of WAV files per class, or with such folders in train, val and test",
        lambda name, path: bool(name.strip()) and path.is_dir() and audio.holds_audio(path),
        audio.read_audio,
        _WINDOWS,
    ),
    "sensors": Kind(
        "a folder with one sub-folder of sensor recordings (CSV) per class, also in train, val and test",
        lambda name, path: bool(name.strip()) and path.is_dir() and sensors.holds_recordings(path),
        sensors.read_recordings,
        (*_COLUMNS, *_WINDOWS),
    ),
    "manifest": Kind(
        "a list of image files (CSV or JSON Lines) with a path and a label each, and perhaps split and group",
        lambda name, path: bool(name.strip()) and manifest.is_manifest(path),
        manifest.read_manifest,
        _COLUMNS,
    ),
    "table": Kind(
        "a CSV or Parquet table of features and a label, or of readings with a time or recording column",
        lambda name, path: bool(name.strip()) and tabular.is_table(path),
        tabular.read_tabular,
        (*_COLUMNS, *_WINDOWS),
    ),
    "folder": Kind(
        "a folder with one sub-folder of images per class, or with such folders in train, val and test",
        lambda name, path: bool(name.strip()) and path.is_dir(),
        images.read_folder,
    ),
}
