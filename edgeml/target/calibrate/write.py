"""Calibration -> a target file that inherits its base, whole or not at all."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeml.errors import ConfigError, EdgemlError, StorageError
from edgeml.resources import is_path, name_of
from edgeml.target.profile import load_target

if TYPE_CHECKING:
    from edgeml.target.calibrate.calibration import Calibration

HEADER = "# Written by `edgeml calibrate`; run it again rather than edit the coefficients.\n"


def inherits(base: str, out: Path) -> str:
    """What a profile at `out` has to say to inherit `base`, a name or path as a user gives it.

    A path is told by its name only where the name leads to that file: another of the same stem may be nearer.
    """
    if not is_path(base):
        return base
    name = name_of("targets", Path(base), "target")
    return os.path.relpath(Path(base).resolve(), out.parent.resolve()) if is_path(name) else name


def check_out(out: Path, base: str, force: bool) -> None:
    """Refuse a path that `write_profile` would refuse, before anything is timed.

    Args:
        out: file to write.
        base: what it will inherit: a name, or a path as from its folder.
        force: replace it where it exists.

    Raises:
        ConfigError: not a .yaml file, the base itself, or it exists.
    """
    if not is_path(out.name):
        raise ConfigError(f"--out {out}: expected a path that ends in .yaml, for example targets/mine.yaml.")
    if base in (out.stem, out.name):
        raise ConfigError(f"--out {out}: it would inherit itself; choose another name than the base's.")
    try:
        folder, there = out.is_dir(), out.exists()
    except OSError as error:
        raise ConfigError(f"--out {out}: {error.strerror}; expected a path of a file to write.") from error
    if folder:
        raise ConfigError(f"--out {out}: is a folder; expected a file to write.")
    if there and not force:
        raise ConfigError(f"--out {out}: exists; choose another name, or give --force to replace it.")


def write_profile(calibration: Calibration, out: Path, force: bool = False) -> None:
    """Write the profile and read it back; nothing is left where that fails.

    Raises:
        ConfigError: see check_out; or the base is not found by its name from there.
        StorageError: it cannot be written.
    """
    import yaml

    check_out(out, calibration.inherits, force)
    body = yaml.safe_dump(profile(calibration), sort_keys=False, allow_unicode=True, width=110)
    temporary = out.with_name(f".{out.stem}-{os.getpid()}{out.suffix}")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("w", encoding="utf-8") as file:
            file.write(HEADER + body)
            file.flush()
            os.fsync(file.fileno())
        load_target(str(temporary))
        temporary.replace(out)
    except OSError as error:
        raise StorageError(f"--out {out}: cannot be written ({error.strerror or error}).") from error
    except EdgemlError as error:
        raise ConfigError(
            f"--out {out}: the profile would not load: {error} A base must be found by its name "
            f"{calibration.inherits!r}, in targets/ of the working directory or of a folder in $EDGEML_PATH."
        ) from error
    finally:
        with suppress(OSError):  # its folder may be what cannot be written
            temporary.unlink()


def profile(calibration: Calibration) -> dict[str, Any]:
    """What the file says."""
    found = calibration
    fact = {"what": "calibration", "value": found.summary, "source": f"edgeml calibrate, {found.date}"}
    value: dict[str, Any] = {
        "inherits": found.inherits,
        "description": f"{found.base} calibrated on {found.device}: {len(found.rows)} models, {found.dtype}.",
    }
    if found.options:
        value["options"] = {found.estimator: found.options}
    value["coefficients"] = {name: one.model_dump() for name, one in found.coefficients.items()}
    return value | {"facts": [fact], "notes": list(found.notes)}
