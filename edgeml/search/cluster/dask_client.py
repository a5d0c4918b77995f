"""The connection to a Dask scheduler."""

from __future__ import annotations

import asyncio
import logging
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from edgeml.errors import ClusterError, MissingToolError
from edgeml.search.cluster.greeting import software

CONNECT_S = 20.0
"""How long a scheduler may take to answer, at first and where the connection is lost."""
PATIENCE_S = 600.0
"""How long a search waits for workers, unless Dask's distributed.scheduler.no-workers-timeout says."""


def connected(url: str, shown: str, log: Path) -> Any:
    """Address of a scheduler -> a Dask client; what Dask prints goes into the log.

    Raises:
        ClusterError: no Dask scheduler answers there.
        MissingToolError: distributed is not installed.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise MissingToolError(
            "--scheduler needs distributed and fsspec: pip install 'edgeml[cluster]', on the workers too."
        ) from error
    _quiet(log)
    try:
        with ThreadPoolExecutor(1) as pool:  # the caller's thread may have an event loop (notebooks)
            pool.submit(asyncio.run, _identity(url)).result()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # other versions on the workers: they are asked one by one
            return Client(url, timeout=CONNECT_S, set_as_default=False, name="edgeml")
    except ImportError as error:
        raise MissingToolError(f"--scheduler {shown}: {error}; install it or use tcp://host:8786.") from error
    except Exception as error:  # a dozen kinds: addresses, names, TLS, what is no scheduler
        reason = (str(error).splitlines() or [""])[0].replace(url, shown)
        raise ClusterError(
            f"--scheduler {shown}: no Dask scheduler answers there ({type(error).__name__}: {reason}); "
            f"{_advice(url)}"
        ) from error


def _advice(url: str) -> str:
    """What to do where no scheduler answers."""
    if not url.startswith("tls://"):
        return (
            "expected an address such as tcp://host:8786 (tls://host:8786 where it encrypts), see that `dask "
            "scheduler` runs and that its port is open."
        )
    import dask

    for name in ("ca-file", "client.cert", "client.key"):
        key = f"distributed.comm.tls.{name}"
        variable = f"DASK_{key.upper().replace('.', '__').replace('-', '_')}"
        path = dask.config.get(key, None)
        if path is None or not Path(path).is_file():
            found = "not set" if path is None else f"{path}, which is no file"
            return f"Dask's setting {key} is {found}; set {variable} to a PEM file."
    return (
        "expected a scheduler whose certificate is of the authority in distributed.comm.tls.ca-file, and "
        "which takes the certificate in distributed.comm.tls.client.cert."
    )


async def _identity(url: str) -> None:
    """Ask who is there: Client waits for ever where something else listens.

    Raises:
        ValueError: no scheduler.
        OSError: no answer in time.
    """
    from distributed.comm import connect
    from distributed.security import Security

    async def ask() -> Any:
        comm = await connect(url, timeout=CONNECT_S, **Security().get_connection_args("client"))
        try:
            await comm.write({"op": "identity", "reply": True})
            return await comm.read()
        finally:
            comm.abort()

    try:
        found = await asyncio.wait_for(ask(), CONNECT_S + 1)
    except TimeoutError as error:
        raise OSError(f"what listens there gave no answer of Dask's in {CONNECT_S:g} s") from error
    kind = found.get("type") if isinstance(found, dict) else None
    if kind != "Scheduler":
        raise ValueError(f"a Dask {kind} listens there")


def check_scheduler(client: Any, shown: str) -> None:
    """See that the scheduler can read what is sent to workers: it unpacks the names of functions and classes.

    Raises:
        ClusterError: there is no edgeml where it runs, or an older one.
    """
    try:
        client.run_on_scheduler(software)
    except OSError as error:
        raise ClusterError(f"--scheduler {shown}: it went away; start it again.") from error
    except Exception as error:  # the text of an ImportError is all that Dask passes on
        what = (str(error).splitlines() or [""])[0]
        raise ClusterError(
            f"--scheduler {shown}: it has no such edgeml ({what}); pip install 'edgeml[cluster]' where it "
            "runs and start it again."
        ) from error


def patience_s() -> float:
    """Seconds to wait for workers."""
    import dask
    from dask.utils import parse_timedelta

    said = dask.config.get("distributed.scheduler.no-workers-timeout", None)
    return PATIENCE_S if said is None else float(parse_timedelta(said))


def _quiet(log: Path) -> None:
    """Have Dask's own messages in the run's log: the terminal says what they mean."""
    handler = logging.FileHandler(log, encoding="utf-8", delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s - %(name)s - %(levelname)s - %(message)s"))
    for name in ("distributed", "distributed.client"):  # those that Dask gives a handler of their own
        logger = logging.getLogger(name)
        for old in logger.handlers:
            old.close()
        logger.handlers[:] = [handler]
        logger.propagate = False
