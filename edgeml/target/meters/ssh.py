"""Latency on a Linux board reached by ssh: LiteRT there, models interleaved as on this computer.

One connection of the system's OpenSSH client carries everything: the runner and the models go in, JSON comes
out, and no file is written on the board. Host keys are checked and never accepted on the user's behalf.
"""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from edgeml.errors import ConfigError, DeviceError
from edgeml.target.board import report, runner
from edgeml.target.board.address import FORM, SshAddress, parse_address
from edgeml.target.board.failure import CONNECT_S, explain
from edgeml.target.board.process import converse, find_program
from edgeml.target.board.turn import turn
from edgeml.target.host_timing import ROUND_S, ROUNDS, WARM_UP_RUNS
from edgeml.target.measurement import Measurement
from edgeml.target.meter import Figures, MeterUnavailableError, Options, Subject, options
from edgeml.target.profile import Target

ADDRESS_VARIABLE = "EDGEML_SSH"
TIMEOUT_S = 300.0
ALIVE_S, ALIVE_COUNT = 5, 3

Runtime = Literal["auto", "ai_edge_litert", "tflite_runtime", "tensorflow"]

_BOOTSTRAP = "import sys; f = sys.stdin.buffer; exec(compile(f.read(int(f.readline())), 'edgeml', 'exec'))"
_OPTIONS = {
    "BatchMode": "yes",
    "StrictHostKeyChecking": "yes",
    "ConnectTimeout": str(CONNECT_S),
    "ServerAliveInterval": str(ALIVE_S),
    "ServerAliveCountMax": str(ALIVE_COUNT),
    "LogLevel": "INFO",
    "ControlMaster": "no",
    "RemoteCommand": "none",
    "RequestTTY": "no",
    "ForwardAgent": "no",
    "ForwardX11": "no",
    "ClearAllForwardings": "yes",
    "PermitLocalCommand": "no",
}
"""They win over ~/.ssh/config, which still gives names, keys, ports and jump hosts."""


class SshOptions(Options):
    """Which board, and how to run there."""

    url: str | None = None
    python: str = Field("python3", min_length=1, pattern=r"^[^-\x00-\x1f][^\x00-\x1f]*$")
    runtime: Runtime = "auto"
    timeout_s: float = Field(TIMEOUT_S, gt=0, le=86400)
    rounds: int = Field(ROUNDS, ge=runner.MIN_ROUNDS, le=1000)

    @property
    def longest_s(self) -> float:
        """Seconds, with the wait for another session on the board."""
        return 2 * self.timeout_s

    @field_validator("url")
    @classmethod
    def _without_config(cls, url: str | None) -> str | None:
        """A profile may come from elsewhere, and ssh runs what its configuration says (ProxyCommand)."""
        try:
            chosen = parse_address(url).config if url else ""
        except ConfigError as error:
            raise ValueError(str(error).rstrip(".")) from error
        if chosen:
            raise ValueError(
                "a profile must not choose ssh's configuration, which can run programs here; give the "
                f"address with config= by --device or ${ADDRESS_VARIABLE}"
            )
        return url


def missing(target: Target) -> str:
    """Why the meter cannot be used here; "" where it can."""
    if not _url(options(target, "ssh", SshOptions)):
        return (
            f"no board given: set `options: {{ssh: {{url: ...}}}}` in the profile or ${ADDRESS_VARIABLE}, "
            f"or name it with --device; the form is {FORM}"
        )
    return _client()[1]


def _client() -> tuple[str, str]:
    return find_program("ssh", ("-V",), "the OpenSSH client (Debian: openssh-client)")


def measure(subjects: Mapping[str, Subject], target: Target) -> dict[str, Figures]:
    """Latency of each model on the profile's board, as `time_models` takes it."""
    if reason := missing(target):
        raise MeterUnavailableError(reason)
    given = options(target, "ssh", SshOptions)
    models = {name: subject.artifact for name, subject in subjects.items()}
    found = time_models(_url(given), models, target.threads, settings=given)
    return {name: {"latency_ms": measurement} for name, measurement in found.items()}


def time_models(
    url: str, models: Mapping[str, bytes], threads: int = 1, *, settings: SshOptions | None = None
) -> dict[str, Measurement]:
    """TFLite models by name -> latency of each on a board in milliseconds, in one interleaved session.

    Args:
        url: of the form address.FORM; its `python` wins over the settings'.
        models: flatbuffers.
        threads: of the runtime there.
        settings: everything else.

    Raises:
        ConfigError: the address is not of the form.
        MeterUnavailableError: no ssh program, or one that does not start.
        DeviceError: the board cannot be reached, is not trusted, lacks a runtime, is too slow or goes away.
        ModelError: the runtime there refuses a model.
    """
    settings = settings or SshOptions.model_validate({})
    address = parse_address(url)
    address = replace(address, python=address.python or settings.python)
    if not models:
        return {}
    program, reason = _client()
    if reason:
        raise MeterUnavailableError(reason)
    place = f"board {address.name}"
    with turn(place, settings.timeout_s):
        finished = converse(
            [program, *ssh_arguments(address)],
            _request(list(models.values()), threads, settings),
            time_limit_s=settings.timeout_s,
            hold_stdin=True,
        )
    events = report.read_events(finished.stdout, place)
    board = next((event for event in events if isinstance(event, report.Board)), None)
    result = next((event for event in events if isinstance(event, report.Result)), None)
    if board is None or result is None:
        raise explain(events, list(models), finished, address, settings.timeout_s)
    if len(result.models) != len(models):
        raise DeviceError(f"{place}: {len(result.models)} results for {len(models)} models; run it again.")
    conditions = {
        "board": address.name,
        "threads": threads,
        "session_s": round(finished.seconds, 1),
        "xnnpack": "announced" if b"XNNPACK delegate" in finished.stderr else "not announced",
    }
    return report.measurements(models, board, result, conditions)


def ssh_arguments(address: SshAddress) -> list[str]:
    """Arguments of ssh: its options, the place, and the one command for the board's login shell."""
    arguments = ["-T", *(part for key, value in _OPTIONS.items() for part in ("-o", f"{key}={value}"))]
    if address.config:
        arguments += ["-F", str(Path(address.config).expanduser().absolute())]
    if address.port:
        arguments += ["-p", str(address.port)]
    if address.user:
        arguments += ["-l", address.user]
    # No exec: the shell turns death by a signal into a status; ssh would give 255 as for a lost connection.
    command = f"{shlex.quote(address.python)} -c {shlex.quote(_BOOTSTRAP)}; exit $?"
    return [*arguments, "--", address.host, f"exec sh -c {shlex.quote(command)}"]


def _url(given: SshOptions) -> str:
    return given.url or os.environ.get(ADDRESS_VARIABLE, "")


def _request(models: list[bytes], threads: int, settings: SshOptions) -> bytes:
    code = Path(runner.__file__).read_bytes()
    request = {
        "sizes": [len(model) for model in models],
        "threads": threads,
        "rounds": settings.rounds,
        "round_s": ROUND_S,
        "warm_up_runs": WARM_UP_RUNS,
        "seed": runner.SEED,
        "limit_s": settings.timeout_s,
        "runtime": settings.runtime,
    }
    return b"%d\n" % len(code) + code + json.dumps(request).encode() + b"\n" + b"".join(models)
