"""Who lets whom in: host keys, user keys, and the user's own ssh configuration, with a real sshd."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgeml.target.meters import ssh
from tests import loopback_sshd
from tests.loopback_sshd import SMALL, fails, settings


@pytest.fixture(scope="module")
def loopback(tmp_path_factory: pytest.TempPathFactory) -> Iterator[loopback_sshd.Loopback]:
    board = loopback_sshd.start(tmp_path_factory.mktemp("sshd"))
    yield board
    board.stop()


def test_settings_of_the_user_that_do_not_fit_are_overruled(
    loopback: loopback_sshd.Loopback, tmp_path: Path
) -> None:
    config = loopback.client(
        "busy_client",
        ControlMaster="auto",
        ControlPersist="60",
        ControlPath=f'"{tmp_path}/%p"',
        LogLevel="QUIET",
        RemoteCommand="false",
        RequestTTY="force",
        ForwardAgent="yes",
    )
    found = ssh.time_models(loopback.url(sys.executable, config), {"small": SMALL}, settings=settings())
    assert found["small"].value > 0
    assert not (tmp_path / str(loopback.port)).exists()  # no shared connection stays behind


def test_an_unknown_host_key_is_refused_and_not_accepted(loopback: loopback_sshd.Loopback) -> None:
    known = loopback.folder / "nobody_known"
    known.write_text("")
    config = loopback.client("unknown", UserKnownHostsFile=f'"{known}"', StrictHostKeyChecking="no")
    message = fails(loopback.url(sys.executable, config))
    assert "host key is not known" in message and f"ssh -F {config} -p {loopback.port}" in message
    assert known.read_text() == ""


def test_a_changed_host_key_is_refused(loopback: loopback_sshd.Loopback) -> None:
    key = " ".join((loopback.folder / "other_host.pub").read_text().split()[:2])
    known = loopback.folder / "changed"
    known.write_text(f"[127.0.0.1]:{loopback.port} {key}\n")
    config = loopback.client("changed_client", UserKnownHostsFile=f'"{known}"', StrictHostKeyChecking="no")
    message = fails(loopback.url(sys.executable, config))
    assert f"is not the one in line 1 of {known}" in message and "remove that line" in message


def test_a_key_the_board_does_not_know(loopback: loopback_sshd.Loopback) -> None:
    config = loopback.client("stranger_client", IdentityFile=f'"{loopback.folder / "stranger"}"')
    message = fails(loopback.url(sys.executable, config))
    assert "does not let this user in" in message and "ssh-copy-id" in message


def test_connection_refused(loopback: loopback_sshd.Loopback) -> None:
    nobody = loopback_sshd.free_port()
    url = loopback.url(sys.executable).replace(f":{loopback.port}?", f":{nobody}?")
    assert "nothing listens there" in fails(url)


def test_a_name_that_does_not_resolve(loopback: loopback_sshd.Loopback) -> None:
    assert "no machine of that name" in fails(f"ssh://board.invalid?config={loopback.client()}")


def test_a_configuration_that_is_not_there(loopback: loopback_sshd.Loopback, tmp_path: Path) -> None:
    message = fails(loopback.url(sys.executable, tmp_path / "none"))
    assert "cannot read the file given by config=" in message
