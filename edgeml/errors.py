"""The error tree: one class per cause a user can act on.

    EdgemlError                 anything a user can act on; one sentence; exit code 2
    +-- UnknownNameError        a target, space, strategy, op or pick that does not exist
    +-- ConfigError             a YAML file or an option value that does not validate
    +-- DataError               a data set that cannot be read or used
    +-- RunError                a run directory in the wrong state (exists, missing, other layout, in use)
    +-- InfeasibleError         limits that nothing in the search space meets
    +-- ModelError              a model file that cannot be read, converted or run
    +-- DeviceError             a board or phone that cannot be reached, is not trusted or goes away
    +-- MissingToolError        an optional package or program that is not installed
    +-- ClusterError            a Dask cluster that cannot be reached, has no worker to use or goes away
    +-- StorageError            no disk space, no permission, read-only folder

`DisconnectedArchError` is not a user's mistake but a property of an architecture (no path from input to
output); the search skips such points.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class EdgemlError(Exception):
    """Anything a user can act on: one sentence that names what, found, expected and what to do."""


class UnknownNameError(EdgemlError):
    """A name that is not in a known list.

    Args:
        what: kind of thing, for example "target".
        name: what was given.
        known: the names that exist.
    """

    def __init__(self, what: str, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        super().__init__(f"unknown {what} {name!r}.{hint} Known: {', '.join(names) or 'none'}.")
        self.what = what
        self.name = name
        self.known = names

    def __reduce__(self) -> tuple[type[UnknownNameError], tuple[str, str, list[str]]]:
        """The way from a worker process: pickle would call the class with the message alone."""
        return UnknownNameError, (self.what, self.name, self.known)


class ConfigError(EdgemlError):
    """A YAML file or an option value that does not validate."""


class DataError(EdgemlError):
    """A data set that cannot be read or used."""


class RunError(EdgemlError):
    """A run directory in the wrong state: it exists, is missing, in use or of another layout."""


class InfeasibleError(EdgemlError):
    """Limits that nothing in the search space meets."""


class ModelError(EdgemlError):
    """A model file that cannot be read, converted or run."""


class DeviceError(EdgemlError):
    """A board or phone that cannot be reached, whose key is not trusted, or that goes away half way."""


class MissingToolError(EdgemlError):
    """An optional package or program that is not installed; the message says how to get it."""


class ClusterError(EdgemlError):
    """A Dask cluster that cannot be reached, has no worker that can be used or goes away half way."""


class StorageError(EdgemlError):
    """No disk space, no permission or a read-only folder."""


class DisconnectedArchError(Exception):
    """An architecture without a path from input to output; never shown to users as an error."""


def unforeseen(error: Exception) -> str:
    """An exception that nobody expected -> one sentence; its traceback goes to stderr, a worker's log."""
    import traceback

    traceback.print_exception(error)
    what = " ".join(f"{type(error).__name__}: {error}".split())[:300]
    return f"{what} (not foreseen; worker.log in the run directory has the traceback: please report it)"
