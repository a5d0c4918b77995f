"""CPU name -> what LiteRT finds in /proc and /sys of that CPU, which decides the kernels XNNPACK picks.

Each CPU is a file of cpus/. LiteRT's cpuinfo library reads the part from /proc/cpuinfo, the instruction sets
from the auxiliary vector (qemu's -cpu) and that part, and caches from /sys.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edgeml.errors import ConfigError, UnknownNameError
from edgeml.resources import load_yaml, validation_message

_FOLDER = Path(__file__).with_name("cpus")


class Identity(BaseModel):
    """Fields of /proc/cpuinfo."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    implementer: str
    variant: str
    part: str
    revision: int
    features: str


class Caches(BaseModel):
    """Sizes as /sys writes them, for example 32K."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    l1_data: str
    l1_instruction: str
    l2: str


class Cpu(BaseModel):
    """An aarch64 CPU, one core of it.

    Attributes:
        name: file stem.
        description: which, and in what.
        source: of the facts below.
        emulated_as: qemu's -cpu.
        caches: of one core.
        cpuinfo: who it says it is.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str
    description: str = Field(min_length=1)
    source: str = Field(min_length=1)
    emulated_as: str
    caches: Caches
    cpuinfo: Identity

    @property
    def proc_cpuinfo(self) -> str:
        """Text of /proc/cpuinfo, as Linux writes it on arm64."""
        return (
            "processor\t: 0\nBogoMIPS\t: 108.00\n"
            f"Features\t: {self.cpuinfo.features}\n"
            f"CPU implementer\t: {self.cpuinfo.implementer}\n"
            "CPU architecture: 8\n"
            f"CPU variant\t: {self.cpuinfo.variant}\n"
            f"CPU part\t: {self.cpuinfo.part}\n"
            f"CPU revision\t: {self.cpuinfo.revision}\n\n"
        )

    def files(self) -> dict[str, str]:
        """Path below the root -> text: what LiteRT would else read of this computer."""
        system = "sys/devices/system/cpu"
        files = {"proc/cpuinfo": self.proc_cpuinfo}
        files |= {f"{system}/{name}": "0" for name in ("possible", "present", "online", "kernel_max")}
        files |= {f"{system}/cpu0/cpufreq/cpuinfo_{end}_freq": "1000000" for end in ("min", "max")}
        shared = ("physical_package_id", "cluster_cpus_list", "core_siblings_list")
        files |= {f"{system}/cpu0/topology/{name}": "0" for name in shared}
        caches = (
            (1, "Data", self.caches.l1_data),
            (1, "Instruction", self.caches.l1_instruction),
            (2, "Unified", self.caches.l2),
        )
        for index, (level, kind, size) in enumerate(caches):
            fields = {"level": level, "type": kind, "size": size, "shared_cpu_list": 0}
            files |= {
                f"{system}/cpu0/cache/index{index}/{name}": f"{value}" for name, value in fields.items()
            }
        return {path: text if text.endswith("\n") else f"{text}\n" for path, text in files.items()}


def cpu_names() -> list[str]:
    """Names of all CPUs, sorted."""
    return sorted(path.stem for path in _FOLDER.glob("*.yaml"))


def load_cpu(name: str) -> Cpu:
    """Name -> Cpu.

    Raises:
        UnknownNameError: no such CPU.
        ConfigError: its file does not validate.
    """
    if name not in cpu_names():
        raise UnknownNameError("cpu", name, cpu_names())
    path = _FOLDER / f"{name}.yaml"
    value, lines = load_yaml(path)
    try:
        return Cpu.model_validate(value | {"name": name})
    except ValidationError as error:
        raise ConfigError(validation_message(path, lines, error)) from error
