"""An ssh session without a result -> the error that says what to do."""

from __future__ import annotations

import re
from collections.abc import Sequence

from edgeml.errors import DeviceError, EdgemlError, ModelError
from edgeml.target.board import report, runner
from edgeml.target.board.address import SshAddress
from edgeml.target.board.process import Finished

CONNECT_S = 10
SSH_FAILED = 255

_CHANGED = "REMOTE HOST IDENTIFICATION HAS CHANGED"
_COMPLAINTS = {
    "Host key verification failed": "its host key is not known here; compare its fingerprint and accept it "
    "once with `{login}`.",
    "Permission denied": "it does not let this user in ({words}); put your public key there with "
    "`ssh-copy-id` and check with `{login}`.",
    "Too many authentication failures": "it refused the keys that were offered; name the right one with "
    "IdentityFile and IdentitiesOnly in ~/.ssh/config and check with `{login}`.",
    "Could not resolve hostname": "no machine of that name ({words}); check the address.",
    "Connection refused": "nothing listens there; is the board on, and its ssh server running on that port?",
    "timed out": f"it does not answer ({CONNECT_S} s or more); is the board on and in this network?",
    "No route to host": "it cannot be reached; is the board on and in this network?",
    "Network is unreachable": "it cannot be reached; is this computer in the board's network?",
    "Bad configuration option": "ssh refuses its configuration ({words}).",
    "Can't open user config file": "ssh cannot read the file given by config= ({words}).",
    "Bad owner or permissions": "ssh refuses its configuration ({words}).",
}
"""What OpenSSH prints -> what to tell the user. Sources: OpenSSH's sshconnect*.c, ssh.c, readconf.c."""


def explain(
    events: Sequence[report.Event],
    names: Sequence[str],
    finished: Finished,
    address: SshAddress,
    timeout_s: float,
) -> EdgemlError:
    """What was said before it ended -> the error.

    Args:
        events: of the runner.
        names: of the models, in the order sent.
        finished: the ssh command.
        address: of the board, with its Python.
        timeout_s: the limit it ran under.
    """
    place = f"board {address.name}"
    told = next((event for event in events if isinstance(event, report.Failure)), None)
    if told is not None:
        return _refusal(told, names, address)
    if finished.timed_out:
        return DeviceError(
            f"{place}: no result within {timeout_s:g} s, so the connection was ended; "
            "give fewer models or a larger timeout_s."
        )
    if finished.too_long:
        return DeviceError(f"{place}: it printed more than any result has; something else answers there.")
    if not events:
        return DeviceError(f"{place}: {_not_started(finished, address)}")
    last = events[-1]
    loading = last.model if isinstance(last, report.Progress) and last.event == "loading" else -1
    if finished.code != SSH_FAILED and 0 <= loading < len(names):
        return ModelError(
            f"{place}: its runtime crashed on model {names[loading]!r} (status {finished.code}); "
            "it cannot run there."
        )
    return DeviceError(
        f"{place}: it went away half way (status {finished.code}, {finished.complaint or 'no message'}); "
        "check its power and network, and run it again."
    )


def _refusal(told: report.Failure, names: Sequence[str], address: SshAddress) -> EdgemlError:
    place = f"board {address.name}"
    if told.kind == runner.NO_RUNTIME:
        return DeviceError(
            f"{place}: {address.python!r} has no TFLite runtime ({told.text}); install one there with "
            "`python -m pip install ai-edge-litert`, or name another Python with `?python=/path` at the end "
            "of the address."
        )
    if told.kind == runner.BAD_MODEL and 0 <= told.model < len(names):
        return ModelError(f"{place}: its runtime refuses model {names[told.model]!r}: {told.text}")
    if told.kind == runner.TOO_SLOW:
        return DeviceError(
            f"{place}: too slow for its time limit ({told.text}); raise timeout_s or give fewer models."
        )
    return DeviceError(f"{place}: {told.text}")


def _not_started(finished: Finished, address: SshAddress) -> str:
    if finished.code in (126, 127):
        return (
            f"cannot run {address.python!r} ({finished.complaint}); name its Python with `?python=/path` "
            "at the end of the address or `options: {ssh: {python: ...}}`."
        )
    if finished.code != SSH_FAILED:
        return (
            f"{address.python!r} ended with status {finished.code} before it said anything "
            f"({finished.complaint or 'no message'}); expected Python 3.7 or newer with LiteRT."
        )
    said = finished.stderr.decode("utf-8", "replace")
    if _CHANGED in said:
        return _changed(said, address)
    for words, sentence in _COMPLAINTS.items():
        line = next((line.strip() for line in said.splitlines() if words in line), None)
        if line is not None:
            return sentence.format(login=address.login, words=line[:200])
    return f"ssh could not connect ({finished.complaint or 'no message'}); check with `{address.login}`."


def _changed(said: str, address: SshAddress) -> str:
    line = re.search(r"Offending .* key in (.+):(\d+)", said)
    old = f"line {line[2]} of {line[1]}" if line else "known_hosts"
    return (
        f"its host key is not the one in {old}; if the board was set up anew, remove that line and log in "
        f"once with `{address.login}`, else somebody is in between."
    )
