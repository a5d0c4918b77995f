"""A cluster started through ssh with the script of docs/scale.md, on a real sshd of 127.0.0.1."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests import loopback_sshd
from tests.dask_cluster import EDGEML, ENVIRONMENT, command_line, documented, until

pytestmark = pytest.mark.slow
pytest.importorskip("asyncssh")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A home whose ssh configuration leads all of the script's hosts to the loopback server."""
    keys = tmp_path / "sshd"
    keys.mkdir()
    server = loopback_sshd.start(keys)
    (tmp_path / ".ssh").mkdir(mode=0o700)
    server.client("lines", HostName="127.0.0.1", Port=str(server.port))
    lines = textwrap.indent((keys / "lines").read_text(), "  ")
    (tmp_path / ".ssh" / "config").write_text(f"Host head node1 node2\n{lines}")
    yield tmp_path
    server.stop()


def script(local: Path) -> str:
    """The documented one, with this computer's Python, folder and a free port."""
    text = documented("# ssh_cluster.py")
    for theirs, ours in (
        ('"/opt/edgeml/bin/python"', repr(sys.executable)),
        ('"/var/tmp/edgeml"', repr(str(local))),
        ('"port": 8786', '"port": 0'),
        ('"n_workers": 4', '"n_workers": 1'),
    ):
        assert theirs in text
        text = text.replace(theirs, ours)
    return text


def ours(local: Path) -> list[psutil.Process]:
    """What ssh has started for this test."""
    return [
        one
        for one in psutil.process_iter()
        if "dask_spec" in (words := command_line(one)) and str(local) in words
    ]


def test_a_search_on_a_cluster_started_through_ssh(home: Path, tmp_path: Path) -> None:
    local = tmp_path / "local"
    (tmp_path / "ssh_cluster.py").write_text(script(local))
    environment = os.environ | ENVIRONMENT | {"HOME": str(home)}
    with (tmp_path / "cluster.log").open("w") as log:
        cluster = subprocess.Popen(
            [sys.executable, tmp_path / "ssh_cluster.py"],
            env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
        )  # fmt: skip
    assert cluster.stdout is not None and cluster.stdin is not None
    try:
        address = cluster.stdout.readline().strip()
        assert address.startswith("tcp://"), (tmp_path / "cluster.log").read_text()
        assert len(ours(local)) == 2, "one for each host"
        options = ["--target", "null", "--trials", "2", "--epochs", "1", "--compress", "none", "--out", "run"]
        found = subprocess.run(
            [*EDGEML, "search", "--data", "digits", "--scheduler", address, *options],
            cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300,
        )  # fmt: skip
        assert found.returncode == 0, found.stdout + found.stderr
        state = json.loads((tmp_path / "run" / "state.json").read_text())
        assert state["status"] == "finished" and state["trials"] == 2
        cluster.stdin.write("\n")
        cluster.stdin.close()
        assert cluster.wait(60) == 0, (tmp_path / "cluster.log").read_text()
        until(lambda: not ours(local))
    finally:
        cluster.kill()
        cluster.wait()
        cluster.stdout.close()
        for one in ours(local):
            one.kill()
