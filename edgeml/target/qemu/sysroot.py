"""Where the aarch64 sysroot is, what it holds, and why it cannot be used; tools/arm_sysroot.py makes it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from edgeml.target.qemu.cpu import Cpu

QEMU = "qemu-aarch64"
PLUGIN_SOURCE = Path(__file__).with_name("count.c")
LAYOUT = 1
"""Of the folder: root/ (.debs), site/ (wheels), cpus/ (a root per CPU), libcount.so, versions.json."""
MAKE = "run `make arm-sysroot`"


@dataclass(frozen=True)
class Sysroot:
    """A finished sysroot.

    Attributes:
        folder: holds root/, site/, libcount.so and versions.json.
        versions: of what it was made from, as versions.json says.
    """

    folder: Path
    versions: dict[str, Any]

    @property
    def plugin(self) -> Path:
        """The counting plugin, compiled for this computer."""
        return self.folder / "libcount.so"

    @property
    def root(self) -> Path:
        """Holds the arm64 lib/ and usr/."""
        return self.folder / "root"

    def root_of(self, cpu: Cpu) -> Path:
        """What a guest that plays this CPU sees as /: lib and usr of `root`, /proc and /sys of the CPU.

        Raises:
            OSError: it is not there and cannot be made.
        """
        files = cpu.files()
        mark = hashlib.sha256(repr(sorted(files.items())).encode()).hexdigest()[:12]
        folder = self.folder / "cpus" / f"{cpu.name}-{mark}"
        if folder.is_dir():
            return folder
        folder.parent.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
            staging = Path(temporary) / "root"
            for path, text in files.items():
                (staging / path).parent.mkdir(parents=True, exist_ok=True)
                (staging / path).write_text(text, encoding="utf-8")
            for part in self.root.iterdir():
                (staging / part.name).symlink_to(Path("..", "..", "root", part.name))
            with contextlib.suppress(FileExistsError):  # another process was faster
                staging.rename(folder)
        return folder

    @property
    def site(self) -> Path:
        """Holds LiteRT and NumPy for the arm64 Python."""
        return self.folder / "site"


def location() -> Path:
    """Where the sysroot is or will be: $EDGEML_ARM_SYSROOT, or edgeml/arm-sysroot in the data folder."""
    own = os.environ.get("EDGEML_ARM_SYSROOT")
    if own:
        return Path(own).expanduser().absolute()
    data = os.environ.get("XDG_DATA_HOME")
    return (Path(data) if data else Path.home() / ".local" / "share") / "edgeml" / "arm-sysroot"


def find() -> Sysroot | str:
    """The sysroot, or one sentence that says why there is none to use and how that changes."""
    if shutil.which(QEMU) is None:
        return (
            f"{QEMU} is not on PATH; install Debian's package qemu-user "
            "(qemu-user-static has no plugins) and run `make arm-sysroot`."
        )
    return made(location())


def made(folder: Path) -> Sysroot | str:
    """The sysroot in a folder, or why it is not there, not whole or not of this edgeml and LiteRT."""
    try:
        versions = json.loads((folder / "versions.json").read_text(encoding="utf-8"))
        found = {name: versions[name] for name in wanted()}
    except OSError:
        return f"no aarch64 sysroot in {folder}; {MAKE}."
    except (ValueError, TypeError, KeyError):
        return f"{folder}/versions.json cannot be read; {MAKE}."
    for name, value in wanted().items():
        if found[name] != value:
            return f"the aarch64 sysroot in {folder} has {name} {found[name]}, expected {value}; {MAKE}."
    return Sysroot(folder, versions)


def wanted() -> dict[str, str | int]:
    """What a sysroot must have been made from."""
    return {
        "layout": LAYOUT,
        "ai-edge-litert": version("ai-edge-litert"),
        "plugin": hashlib.sha256(PLUGIN_SOURCE.read_bytes()).hexdigest()[:12],
    }


def qemu_version() -> str:
    """Version of the qemu-aarch64 on PATH, for example "7.2.22"; "unknown" where it does not say."""
    try:
        said = subprocess.run(
            [QEMU, "--version"], capture_output=True, text=True, timeout=30, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    match = re.search(r"version (\S+)", said)
    return match.group(1) if match else "unknown"
