"""This computer: system, processor, memory, disks, threads."""

from __future__ import annotations

import os
import platform
import shutil
from contextlib import suppress
from pathlib import Path

from edgeml.doctor.finding import Line, Section, State, existing, temporary
from edgeml.search.workers.compute import usable_cores
from edgeml.search.workers.container import cpu_quota, memory_limit

CPUINFO = Path("/proc/cpuinfo")
LEAST_MEMORY, SHORT_MEMORY = 1.0e9, 2.5e9
LEAST_DISK, SHORT_DISK = 0.2e9, 2.0e9
"""Bytes below which nothing can be done, and below which searches run short."""
THREADS = (
    "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS", "KMP_AFFINITY", "TF_ENABLE_ONEDNN_OPTS", "CUDA_VISIBLE_DEVICES",
)  # fmt: skip
NETWORK = Line("network", "not used, neither by this command nor by searches on this computer")
X86 = {
    "avx": "AVX", "avx2": "AVX2", "fma": "FMA", "avx_vnni": "AVX-VNNI", "avx512f": "AVX-512",
    "avx512_vnni": "AVX-512 VNNI", "amx_int8": "AMX int8", "amx_tile": "AMX",
}  # fmt: skip
ARM = {"asimd": "NEON", "asimddp": "dotprod", "i8mm": "i8mm", "sve": "SVE", "bf16": "bf16"}


def computer(folder: Path) -> Section:
    """This computer; `folder` is where runs are written."""
    lines = [_system(), _processor(), _instructions(), _cores(), *_threads(), _memory()]
    return Section(
        "Computer", (*lines, disk("run folder", folder), disk("temporary folder", temporary()), NETWORK)
    )


def _system() -> Line:
    name = f"{platform.system()} {platform.release()}"
    with suppress(OSError):
        name += f", {platform.freedesktop_os_release().get('PRETTY_NAME', '')}"
    libc = " ".join(part for part in platform.libc_ver() if part)
    return Line("system", f"{name}, {platform.machine()}" + (f", {libc}" if libc else ""))


def _cpuinfo() -> dict[str, str]:
    """Values of the first processor, by name in small letters."""
    found: dict[str, str] = {}
    with suppress(OSError):
        for line in CPUINFO.read_text(encoding="utf-8", errors="replace").splitlines():
            name, colon, value = line.partition(":")
            if colon:
                found.setdefault(name.strip().lower(), value.strip())
    return found


def _processor() -> Line:
    found = _cpuinfo()
    part = " ".join(found[key] for key in ("cpu implementer", "cpu part") if key in found)
    return Line("processor", found.get("model name") or part or platform.processor() or "unknown")


def _instructions() -> Line:
    found = _cpuinfo()
    flags = set((found.get("flags") or found.get("features") or "").split())
    if not flags:
        return Line("vector instructions", "unknown: the system does not list them", "note")
    x86 = platform.machine().lower() in ("x86_64", "amd64", "i686")
    table = X86 if x86 else ARM
    there = [name for flag, name in table.items() if flag in flags]
    absent = [name for flag, name in table.items() if flag not in flags]
    said = f"{', '.join(there) or 'none'}; not: {', '.join(absent) or 'none'}"
    if x86 and "avx" not in flags:
        advice = "TensorFlow's packages need AVX and end with SIGILL without it: use another computer"
        return Line("vector instructions", said, "problem", advice)
    return Line("vector instructions", said)


def _cores() -> Line:
    usable, quota = usable_cores(), cpu_quota()
    said = f"{usable} usable of {os.cpu_count() or 1}"
    if quota is None or quota >= usable:
        return Line("cores", said)
    advice = "the container's quota slows more threads than that down: --worker-threads or a larger quota"
    return Line("cores", f"{said}, of which a quota allows {quota:g}", "note", advice)


def _threads() -> list[Line]:
    said = f"a worker trains with all {usable_cores()} usable cores; networks for small images with 1"
    set_here = [f"{name}={os.environ[name][:20]}" for name in THREADS if name in os.environ]
    own = sorted(name for name in os.environ if name.startswith("EDGEML_"))
    lines = [Line("threads", said + (f"; set: {', '.join(set_here)}" if set_here else ""))]
    return [*lines, *([Line("edgeml's variables", f"{', '.join(own)} (values not shown)")] if own else [])]


def _memory() -> Line:
    try:
        import psutil
    except ImportError:
        return Line("memory", "unknown: psutil is not installed", "note")
    found = psutil.virtual_memory()
    limit = memory_limit()
    said = f"{found.total / 1e9:.1f} GB, {found.available / 1e9:.1f} GB free"
    free = float(found.available)
    if limit is not None and limit < found.total:
        said += f", the container may use {limit / 1e9:.1f} GB"
        free = min(free, float(limit))
    advice = "a training needs 1 to 2 GB: end other programs, or raise the container's limit"
    state = _state(free, LEAST_MEMORY, SHORT_MEMORY)
    return Line("memory", said, state, advice if state != "ok" else "")


def _state(free: float, least: float, short: float) -> State:
    return "problem" if free < least else "note" if free < short else "ok"


def disk(what: str, folder: Path) -> Line:
    """Free space where a folder is or would be made, and on which kind of file system."""
    try:
        place = existing(folder)
        free = shutil.disk_usage(place).free
    except OSError as error:
        advice = "choose a folder that can be read and written"
        return Line(what, f"{folder}: cannot be read ({error.strerror})", "problem", advice)
    kind = file_system(place)
    said = f"{place}: {free / 1e9:.1f} GB free" + (f", {kind}" if kind else "")
    state = _state(free, LEAST_DISK, SHORT_DISK)
    advice = "free some space or choose another folder (--out of a search; $TMPDIR for temporary files)"
    return Line(what, said, state, advice if state != "ok" else "")


def file_system(place: Path) -> str:
    """Type of the file system that holds a path, such as ext4 or nfs4; "" where it is not known."""
    best, kind = -1, ""
    with suppress(OSError):
        for line in Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace").splitlines():
            _, mount, name, *_ = line.split(" ")
            folder = Path(mount.replace("\\040", " "))
            if place.resolve().is_relative_to(folder) and len(folder.parts) >= best:
                best, kind = len(folder.parts), name
    return kind
