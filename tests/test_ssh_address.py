"""ssh addresses: what is understood, what is refused, and what ssh is called with."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeml.errors import ConfigError, EdgemlError, MissingToolError
from edgeml.target import devices
from edgeml.target.board.address import SshAddress, parse_address
from edgeml.target.meters import ssh


@pytest.mark.parametrize(
    "url, expected",
    [
        ("ssh://board", SshAddress("board")),
        ("ssh://pi@rpi-5.local:2222", SshAddress("rpi-5.local", "pi", 2222)),
        ("ssh://pi@[fe80::1%eth0]:22/", SshAddress("fe80::1%eth0", "pi", 22)),
        ("ssh://b?python=/opt/c++/my%20env/bin/python", SshAddress("b", python="/opt/c++/my env/bin/python")),
        ("ssh://b?config=~/c&python=python3.9", SshAddress("b", python="python3.9", config="~/c")),
    ],
)
def test_an_address(url: str, expected: SshAddress) -> None:
    assert parse_address(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        "",
        "board",
        "ssh:board",
        "http://board",
        "ssh://",
        "ssh://-oProxyCommand=touch x",
        "ssh://-oProxyCommand=x",
        "ssh://-l@board",
        "ssh://user name@board",
        "ssh://us'er@board",
        "ssh://$(id)@board",
        "ssh://a@b@board",
        "ssh://user:secret@board",
        "ssh://board;reboot",
        "ssh://board\n",
        "ssh://board/path",
        "ssh://board:",
        "ssh://board:0",
        "ssh://board:65536",
        "ssh://board:2²",
        "ssh://bo ard",
        "ssh://board?python",
        "ssh://board?python=",
        "ssh://board?python=-c",
        "ssh://board?python=a%0ab",
        "ssh://board?python=a&python=b",
        "ssh://board?proxy=x",
    ],
)
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_address(url)
    assert "\n" not in str(caught.value) and "expected" in str(caught.value)


@given(st.text(max_size=40))
def test_no_text_becomes_an_option(text: str) -> None:
    try:
        address = parse_address(f"ssh://{text}")
    except EdgemlError:
        return
    assert not address.host.startswith("-") and not (address.user or "").startswith("-")


def test_what_ssh_is_called_with() -> None:
    arguments = ssh.ssh_arguments(SshAddress("board", "pi", 2222, "py 'thon"))
    for option in ("BatchMode=yes", "StrictHostKeyChecking=yes", "ForwardAgent=no", "ConnectTimeout=10"):
        assert arguments[arguments.index(option) - 1] == "-o"
    place = arguments.index("--")
    assert arguments[place + 1] == "board" and place + 3 == len(arguments)
    words = subprocess.run(
        ["sh", "-c", arguments[-1].replace("exec sh -c", "printf %s")],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert words.startswith("'py '\"'\"'thon' -c ")


@pytest.mark.parametrize("device", ["", "phone", "host:1", "adb:", "ADB", "ssh", "ssh:board", "csv:x"])
def test_a_device_of_no_known_form(device: str) -> None:
    for call in (devices.check_device, lambda name: devices.time_on(name, {"m": b""})):
        with pytest.raises(ConfigError, match="ssh://"):
            call(device)


@pytest.mark.parametrize("device", ["host", "adb", "adb:192.168.0.7:5555", "ssh://pi@board"])
def test_a_device_of_a_known_form(device: str) -> None:
    devices.check_device(device)
    assert device == "host" or devices.time_on(device, {}) == {}


@pytest.mark.parametrize("device, package", [("adb", "Debian: adb"), ("ssh://pi@board", "openssh-client")])
def test_a_tool_that_is_not_installed(
    device: str, package: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingToolError, match=package):
        devices.time_on(device, {"m": b""})
