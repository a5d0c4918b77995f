"""A device's name and models -> milliseconds there: host, ssh://... or adb[:SERIAL]."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from edgeml.errors import ConfigError, MissingToolError
from edgeml.target.board.address import FORM, parse_address
from edgeml.target.measurement import Measurement
from edgeml.target.meter import MeterUnavailableError, options
from edgeml.target.meters import adb, litert_host, ssh
from edgeml.target.profile import Target

Timer = Callable[[str, Mapping[str, bytes], int, float | None], dict[str, Measurement]]

FORMS = ("host", FORM, "adb[:SERIAL]")
"""How a device is named, for help texts and messages."""


def time_on(
    device: str, models: Mapping[str, bytes], threads: int = 1, time_limit_s: float | None = None
) -> dict[str, Measurement]:
    """Models by name -> latency of each on the device in milliseconds, all in one interleaved session.

    Args:
        device: of one of FORMS.
        models: flatbuffers.
        threads: of the runtime there.
        time_limit_s: of the session; None is the meter's own. This computer has none.

    Raises:
        ConfigError: no such form.
        MissingToolError: ssh or adb is not installed here.
        DeviceError: the device cannot be reached, is not trusted, lacks a runtime or goes away.
        ModelError: the device refuses a model.
    """
    timer = _timer(device)
    try:
        return timer(device, models, threads, time_limit_s)
    except MeterUnavailableError as error:
        raise MissingToolError(f"device {device}: {error}.") from error


def settings_of(device: str, target: Target) -> ssh.SshOptions | adb.AdbOptions | None:
    """A target's settings of the meter that times on a device; None for this computer, which needs none.

    Raises:
        ConfigError: the profile's options do not fit.
    """
    kind = device.partition(":")[0]
    if kind == "ssh":
        return options(target, kind, ssh.SshOptions)
    return options(target, kind, adb.AdbOptions) if kind == "adb" else None


def check_device(device: str) -> None:
    """Refuse a name that is of none of FORMS, before anything is made for it.

    Raises:
        ConfigError: it is not.
    """
    if _timer(device) is _ssh:
        parse_address(device)


def _timer(device: str) -> Timer:
    kind, colon, rest = device.partition(":")
    timer = _TIMERS.get(kind)
    if timer is None or (kind == "host" and colon) or (kind == "adb" and colon and not rest):
        raise ConfigError(f"unknown device {device!r}; expected {', '.join(FORMS[:-1])} or {FORMS[-1]}.")
    return timer


def _host(
    device: str, models: Mapping[str, bytes], threads: int, time_limit_s: float | None
) -> dict[str, Measurement]:
    return litert_host.latencies(models, threads)


def _ssh(
    device: str, models: Mapping[str, bytes], threads: int, time_limit_s: float | None
) -> dict[str, Measurement]:
    limit = {} if time_limit_s is None else {"timeout_s": time_limit_s}
    return ssh.time_models(device, models, threads, settings=ssh.SshOptions.model_validate(limit))


def _adb(
    device: str, models: Mapping[str, bytes], threads: int, time_limit_s: float | None
) -> dict[str, Measurement]:
    limit = {} if time_limit_s is None else {"timeout_s": time_limit_s}
    settings = adb.AdbOptions.model_validate({"serial": device.partition(":")[2] or None, **limit})
    return adb.time_models(models, threads, settings=settings)


_TIMERS: dict[str, Timer] = {"host": _host, "ssh": _ssh, "adb": _adb}
