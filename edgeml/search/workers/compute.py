"""Where evaluations run: worker processes of this computer, or a cluster. Not part of what a run is."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from edgeml.errors import ConfigError

RECYCLE = 100
"""Trials after which a worker process is replaced: TensorFlow's memory grows by some MB a traced network."""
UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}


@dataclass(frozen=True)
class Compute:
    """Where evaluations run; a resumed run may name others.

    Attributes:
        workers: processes on this computer.
        threads: of each; None: the cores shared evenly between several, TensorFlow's choice for one.
        memory_bytes: of each with its children; None: its share of DEFAULT_MEMORY of the computer's.
        trial_s: wall-clock seconds of one evaluation, after which its worker is ended; None for no limit.
        recycle: evaluations after which a worker process is replaced.
        scheduler: address of a Dask scheduler that runs them instead.
        store: fsspec URL through which weights and artifacts go to and from a cluster.
        storage: database of a study that several coordinators share.
        study: name of that study; None: derived from the settings.
    """

    workers: int = 1
    threads: int | None = None
    memory_bytes: int | None = None
    trial_s: float | None = None
    recycle: int = RECYCLE
    scheduler: str | None = None
    store: str | None = None
    storage: str | None = None
    study: str | None = None

    def __post_init__(self) -> None:
        for option, value, least in (
            ("--workers", self.workers, 1),
            ("--worker-threads", self.threads, 1),
            ("--worker-memory", self.memory_bytes, LEAST_MEMORY),
            ("--trial-time", self.trial_s, 1),
        ):
            if value is not None and value < least:
                raise ConfigError(f"{option} {value}: expected at least {least:,}.")
        if self.store and not (self.scheduler or self.storage):
            raise ConfigError(
                "--store is the way to a cluster's workers or to other searches on a study: give --scheduler "
                "or --storage too, or leave it out."
            )
        if self.scheduler and self.workers != 1:
            raise ConfigError(
                "--workers and --scheduler exclude each other: a cluster has as many workers as join it; "
                "leave one of them out."
            )

    @property
    def threads_each(self) -> int | None:
        """Threads of a worker; None leaves them to TensorFlow."""
        if self.threads is None and self.workers > 1:
            return max(1, usable_cores() // self.workers)
        return self.threads


LEAST_MEMORY = 500 * 10**6
"""Bytes without which TensorFlow does not start."""
LOCAL = Compute()


def usable_cores() -> int:
    """Cores that this process may run on."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS
        return os.cpu_count() or 1


def shown(url: str | None) -> str | None:
    """A URL as it may be shown and written down: without password, token or query."""
    if not url:
        return url
    scheme, _, rest = url.partition("://")
    user, at, place = rest.rpartition("@")
    if at and ":" in user:  # databases take a password with slashes as it is, which urlsplit does not
        url = f"{scheme}://{user.partition(':')[0]}:***@{place}"
    try:
        parts = urlsplit(url)
    except ValueError:
        return re.sub(r"//[^/]*@", "//***@", url)
    place = parts.netloc
    if "@" in place:
        user, _, host = place.rpartition("@")
        place = f"{user.partition(':')[0]}:***@{host}" if ":" in user else f"{user}@{host}"
    return urlunsplit((parts.scheme, place, parts.path, "***" if parts.query else "", ""))


def parse_size(text: str) -> int:
    """Text such as "4g", "1500M" or plain bytes -> bytes.

    Raises:
        ConfigError: not such a text.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]?)i?b?", text.strip().lower())
    if match is None:
        raise ConfigError(f"--worker-memory {text!r}: expected a size such as 4g or 1500m.")
    return int(float(match[1]) * UNITS[match[2]])
