"""adb -> a phone that runs commands and takes files, with one sentence for whatever goes wrong."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeml.errors import DeviceError
from edgeml.target.board.process import Finished, converse, find_program, printable
from edgeml.target.meter import MeterUnavailableError

ANSWER_S = 30.0
"""For commands that answer at once; a phone that does not is gone."""
SIZE_LIMIT = 1 << 20

_PROPERTIES = {
    "manufacturer": "ro.product.manufacturer",
    "model": "ro.product.model",
    "soc": "ro.soc.model",
    "board": "ro.board.platform",
    "abi": "ro.product.cpu.abi",
    "android": "ro.build.version.release",
}
_EXIT = re.compile(r"^edgeml-exit:(\d+)\s*$", re.MULTILINE)
_STATES = {
    "unauthorized": "does not trust this computer; unlock it and confirm its question about USB debugging",
    "authorizing": "is still asked whether it trusts this computer; try again in a moment",
    "offline": "is offline; reconnect it, or run `adb reconnect offline`",
    "no permissions": "may not be used by this user over USB; add the udev rules (Debian: "
    "android-sdk-platform-tools-common)",
}


@dataclass(frozen=True)
class Ran:
    """A command on the phone.

    Attributes:
        code: its exit status.
        output: stdout and stderr.
    """

    code: int
    output: str


@dataclass(frozen=True)
class Phone:
    """A phone that was there and trusted this computer a moment ago.

    Attributes:
        program: adb.
        serial: as `adb devices` lists it.
        deadline: of the whole session, by time.monotonic().
        limit_s: the same as a length, for messages.
    """

    program: str
    serial: str
    deadline: float
    limit_s: float

    def shell(self, command: str, limit_s: float = ANSWER_S) -> Ran:
        """Run a command line of the phone's shell; every word in it must be quoted already.

        Raises:
            DeviceError: the phone went away, or the time limit has passed.
        """
        marked = f"({command}) 2>&1; edgeml=$?; echo; echo edgeml-exit:$edgeml"
        finished = self._adb(["shell", marked], limit_s)
        output = finished.stdout.decode("utf-8", "replace").replace("\r\n", "\n")
        ends = list(_EXIT.finditer(output))
        if not ends:
            raise self._gone(finished)
        return Ran(int(ends[-1][1]), output[: ends[-1].start()])

    def push(self, files: Sequence[Path], to: str) -> None:
        """Copy files to a path of the phone; a folder ends with a slash.

        Raises:
            DeviceError: no space, no permission, the phone went away, or the time limit has passed.
        """
        paths = [str(path.absolute()) for path in files]
        finished = self._adb(["push", *paths, to], self.deadline - time.monotonic())
        if finished.code:
            raise DeviceError(
                f"phone {self.serial}: files cannot be copied to it ({finished.complaint or 'no message'})."
            )

    def command(self, *arguments: str) -> list[str]:
        """Command line of this computer that asks adb for something of this phone."""
        return [self.program, "-s", self.serial, *arguments]

    def _adb(self, arguments: Sequence[str], limit_s: float) -> Finished:
        left = self.deadline - time.monotonic()
        finished = converse(self.command(*arguments), time_limit_s=min(left, limit_s), size_limit=SIZE_LIMIT)
        if finished.timed_out and limit_s < left:
            raise DeviceError(f"phone {self.serial}: no answer within {limit_s:g} s; is it still connected?")
        if finished.timed_out:
            raise DeviceError(
                f"phone {self.serial}: not done within {self.limit_s:g} s; "
                "give fewer models, fewer rounds or a larger timeout_s."
            )
        if finished.too_long:
            raise DeviceError(f"phone {self.serial}: a command printed more than {SIZE_LIMIT >> 20} MiB.")
        return finished

    def _gone(self, finished: Finished) -> DeviceError:
        words = finished.complaint.removeprefix("adb: ").removeprefix("error: ") or "no message"
        return DeviceError(
            f"phone {self.serial}: it went away half way ({words}); reconnect it and run it again."
        )


def find_adb() -> tuple[str, str]:
    """(Path of adb, ""), or ("", why it cannot be used here)."""
    return find_program("adb", ("version",), "Android's platform tools (Debian: adb)")


def find_phone(serial: str | None, limit_s: float) -> Phone:
    """Serial, or None where one phone is connected -> that phone.

    Raises:
        MeterUnavailableError: no adb, or one that does not start.
        DeviceError: no phone, several, not that one, or one that does not let this computer in.
    """
    program, reason = find_adb()
    if reason:
        raise MeterUnavailableError(reason)
    deadline = time.monotonic() + limit_s
    states = _connected(program, min(ANSWER_S, limit_s))
    listed = ", ".join(f"{name} ({state})" for name, state in states.items())
    if not states:
        raise DeviceError(
            "`adb devices` lists no phone; connect one and switch on USB debugging in its developer options."
        )
    if serial is None and len(states) > 1:
        raise DeviceError(
            f"several phones are connected: {listed}; name one with `adb:SERIAL`, "
            "`options: {adb: {serial: ...}}` or $ANDROID_SERIAL."
        )
    serial = serial or next(iter(states))
    if serial not in states:
        raise DeviceError(f"phone {serial} is not connected; `adb devices` lists {listed}.")
    if (state := states[serial]) != "device":
        known = next((text for start, text in _STATES.items() if state.startswith(start)), None)
        raise DeviceError(f"phone {serial} {known or f'is in state {state!r}; start Android on it'}.")
    return Phone(program, serial, deadline, limit_s)


def _connected(program: str, limit_s: float) -> dict[str, str]:
    """Serial -> state of everything adb sees."""
    finished = converse([program, "devices"], time_limit_s=limit_s, size_limit=SIZE_LIMIT)
    if finished.timed_out or finished.code:
        why = f"no answer within {limit_s:g} s" if finished.timed_out else finished.complaint or "no message"
        raise DeviceError(f"`adb devices` failed ({why}); run `adb kill-server` and try again.")
    _, _, table = finished.stdout.decode("utf-8", "replace").partition("List of devices attached")
    rows = [line.split("\t", 1) for line in table.splitlines() if "\t" in line]
    return {row[0].strip(): row[1].strip() for row in rows}


def facts(phone: Phone) -> dict[str, Any]:
    """What the phone is."""
    asked = "; ".join(f"echo {key}=$(getprop {name})" for key, name in _PROPERTIES.items())
    found = dict(line.split("=", 1) for line in phone.shell(asked).output.splitlines() if "=" in line)
    known = {key: printable(found[key].strip())[:100] for key in _PROPERTIES if found.get(key, "").strip()}
    device = " ".join(known.pop(key) for key in ("manufacturer", "model") if key in known)
    return {"device": device or "unnamed", "serial": phone.serial, **known}


def state(phone: Phone) -> dict[str, Any]:
    """Thermal status (0 is none; see android.os.PowerManager), battery temperature, clocks, governors."""
    files = "/sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling"
    said = phone.shell(
        "dumpsys thermalservice; dumpsys battery; "
        f"for file in {files}_cur_freq; do echo edgeml-khz=$(cat $file); done; "
        f"for file in {files}_governor; do echo edgeml-governor=$(cat $file); done"
    ).output
    found: dict[str, Any] = {}
    if status := re.search(r"^Thermal Status: (\d+)", said, re.MULTILINE):
        found["thermal_status"] = int(status[1])
    if tenths := re.search(r"^\s*temperature: (\d+)", said, re.MULTILINE):
        found["battery_celsius"] = int(tenths[1]) / 10
    if khz := re.findall(r"^edgeml-khz=(\d+)$", said, re.MULTILINE):
        found["mhz"] = max(int(value) for value in khz) / 1e3
    if governors := re.findall(r"^edgeml-governor=(\w+)$", said, re.MULTILINE):
        found["governor"] = " ".join(sorted(set(governors)))[:100]
    return found
