"""Debian and PyPI -> the aarch64 sysroot that the meter qemu_arm needs, without root privileges.

    python tools/arm_sysroot.py [--mirror URL]

Fetches arm64 packages of Debian 12 (apt checks them against Debian's keys and works in private folders: the
system's dpkg and apt are not touched) and the aarch64 wheels of the installed LiteRT and NumPy, unpacks them,
compiles the counting plugin and starts the worker once. The folder ($EDGEML_ARM_SYSROOT, or else
edgeml/arm-sysroot in $XDG_DATA_HOME) appears whole or not at all; one that is already right is left alone.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from edgeml.target.qemu.cpu import cpu_names, load_cpu  # noqa: E402
from edgeml.target.qemu.guest import GuestError, start  # noqa: E402
from edgeml.target.qemu.sysroot import (  # noqa: E402
    PLUGIN_SOURCE,
    QEMU,
    Sysroot,
    location,
    made,
    qemu_version,
    wanted,
)

MIRROR = "http://deb.debian.org/debian"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
SUITE = "bookworm"
PYTHON = "3.11"
"""Of that suite; the wheels must be for it."""
PACKAGES = (
    *("libc6", "libgcc-s1", "libstdc++6", "zlib1g", "libexpat1", "libffi8", "libbz2-1.0", "liblzma5"),
    *(f"libpython{PYTHON}-minimal", f"libpython{PYTHON}-stdlib", f"python{PYTHON}-minimal"),
)
PLATFORMS = tuple(f"manylinux_2_{minor}_aarch64" for minor in (36, 35, 34, 31, 28, 27, 26, 24, 17))
"""That the suite's glibc 2.36 can run."""
UNUSED = ("usr/lib/aarch64-linux-gnu/gconv", "usr/share", "etc")
FETCH_LIMIT_S, RUN_LIMIT_S = 600, 120


class SysrootError(Exception):
    """One sentence: what failed and what to do."""


def main(arguments: list[str] | None = None) -> int:
    """Make the sysroot; 2 and one sentence where that fails."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--mirror", default=MIRROR, help="Debian mirror (%(default)s)")
    mirror = parser.parse_args(arguments).mirror
    folder = location()
    try:
        _check_programs()
        if isinstance(made(folder), Sysroot):
            print(f"{folder} is already there and right; remove it to have it made again")
            return 0
        _make_whole(folder, mirror)
    except SysrootError as error:
        print(f"arm-sysroot: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"arm-sysroot: {error.filename or folder}: {error.strerror or error}.", file=sys.stderr)
        return 2
    megabytes = sum(path.lstat().st_size for path in folder.rglob("*")) / 1e6
    print(f"made {folder} ({megabytes:.0f} MB); the meter qemu_arm can use it now")
    return 0


def _check_programs() -> None:
    packages = {QEMU: "qemu-user", "gcc": "gcc", "apt-get": "apt", "dpkg-deb": "dpkg"}
    for program, package in packages.items():
        if shutil.which(program) is None:
            raise SysrootError(f"{program} is not on PATH; install Debian's package {package}.")
    if "-plugin" not in _run([QEMU, "-h"], "asking qemu for its options", RUN_LIMIT_S, check=False):
        raise SysrootError(
            f"{QEMU} {qemu_version()} has no -plugin option; expected one built with plugins, such as "
            "qemu-user 7.2 of Debian 12 (qemu-user-static, and qemu-user of Debian 13, are built without)."
        )
    if not KEYRING.is_file():
        raise SysrootError(f"{KEYRING} is missing; install the package debian-archive-keyring.")


def _make_whole(folder: Path, mirror: str) -> None:
    """Build beside the folder, then move into place; a second call waits for the first."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if isinstance(made(folder), Sysroot):
            return
        with tempfile.TemporaryDirectory(prefix=f"{folder.name}.", dir=folder.parent) as temporary:
            staging, old = Path(temporary) / "new", Path(temporary) / "old"
            staging.mkdir()
            _fill(staging, Path(temporary) / "fetched", mirror)
            if folder.exists():
                folder.rename(old)
            staging.rename(folder)


def _fill(staging: Path, fetched: Path, mirror: str) -> None:
    print(f"fetching {len(PACKAGES)} arm64 packages of Debian {SUITE} from {mirror}")
    debs = _fetch_debs(fetched / "debs", mirror)
    for deb in debs:
        _run(["dpkg-deb", "-x", str(deb), str(staging / "root")], f"unpacking {deb.name}", RUN_LIMIT_S)
    for unused in UNUSED:
        shutil.rmtree(staging / "root" / unused, ignore_errors=True)
    print("fetching the aarch64 wheels of LiteRT and NumPy")
    wheels = _fetch_wheels(fetched / "wheels")
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(staging / "site", [n for n in archive.namelist() if "/tests/" not in n])
    print("compiling the plugin")
    _compile(staging)
    versions = {
        **wanted(),
        "qemu": qemu_version(),
        "debs": sorted(deb.name for deb in debs),
        "wheels": sorted(wheel.name for wheel in wheels),
    }
    (staging / "versions.json").write_text(json.dumps(versions, indent=2) + "\n", encoding="utf-8")
    print("starting the worker once")
    _try(Sysroot(staging, versions))


def _fetch_debs(folder: Path, mirror: str) -> list[Path]:
    """Package names -> .deb files, through apt with folders and architecture of its own."""
    apt, downloads = folder / "apt", folder / "debs"
    for part in ("state/lists/partial", "cache/archives/partial"):
        (apt / part).mkdir(parents=True)
    downloads.mkdir()
    (apt / "status").touch()
    (apt / "sources.list").write_text(f"deb [signed-by={KEYRING}] {mirror} {SUITE} main\n", encoding="utf-8")
    settings = {
        "Dir::State": f"{apt}/state",
        "Dir::State::status": f"{apt}/status",
        "Dir::Cache": f"{apt}/cache",
        "Dir::Etc::sourcelist": f"{apt}/sources.list",
        "Dir::Etc::sourceparts": "-",
        "APT::Architecture": "arm64",
        "APT::Architectures::": "arm64",
        "APT::Sandbox::User": "",
        "APT::Update::Error-Mode": "any",
        "Acquire::Languages": "none",
        "Acquire::Retries": "2",
    }
    command = ["apt-get", "-qq"]
    for name, value in settings.items():
        command += ["-o", f"{name}={value}"]
    _run([*command, "update"], f"reading the package list of {mirror}", FETCH_LIMIT_S)
    _run([*command, "download", *PACKAGES], f"fetching packages from {mirror}", FETCH_LIMIT_S, downloads)
    return sorted(downloads.glob("*.deb"))


def _fetch_wheels(folder: Path) -> list[Path]:
    command = [sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check", "--no-deps"]
    command += ["--only-binary=:all:", "--implementation", "cp", "--python-version", PYTHON]
    for platform in PLATFORMS:
        command += ["--platform", platform]
    command += [
        "-d",
        str(folder),
        f"ai-edge-litert=={version('ai-edge-litert')}",
        f"numpy<={version('numpy')}",
    ]
    _run(command, f"fetching aarch64 wheels for Python {PYTHON} with pip", FETCH_LIMIT_S)
    return sorted(folder.glob("*.whl"))


def _compile(staging: Path) -> None:
    target = Sysroot(staging, {}).plugin
    command = ["gcc", "-O2", "-Wall", "-shared", "-fPIC", "-o", str(target), str(PLUGIN_SOURCE)]
    _run(command, f"compiling {PLUGIN_SOURCE.name}", RUN_LIMIT_S)


def _try(sysroot: Sysroot) -> None:
    """Start and end the worker; its Python writes its caches meanwhile, which makes later starts short."""
    for name in cpu_names():
        sysroot.root_of(load_cpu(name))
    try:
        start(sysroot, load_cpu("cortex-a53")).close()
    except GuestError as error:
        raise SysrootError(f"the worker does not start under {QEMU} {qemu_version()}: {error}.") from error


def _run(
    command: list[str], doing: str, limit_s: float, where: Path | None = None, check: bool = True
) -> str:
    """A program's output; its last words in one sentence where it fails."""
    try:
        done = subprocess.run(
            command, cwd=where, capture_output=True, text=True, timeout=limit_s, check=False
        )
    except subprocess.TimeoutExpired:
        raise SysrootError(f"{doing} took longer than {limit_s:g} s; try again.") from None
    if check and done.returncode != 0:
        lines = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        failed = [line for line in lines if line.startswith(("E:", "ERROR:"))] or lines
        said = failed[0].strip()[:300] if failed else f"exit status {done.returncode}"
        hint = "; is there a network?" if limit_s == FETCH_LIMIT_S else ":"
        raise SysrootError(f"{doing} failed{hint} {Path(command[0]).name} said: {said}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
