"""A real sshd on 127.0.0.1 with keys of its own, run by the current user; what the ssh tests ask of it."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psutil
import pytest

from edgeml.errors import DeviceError
from edgeml.target.meters import ssh
from tests.make_tflite import ModelSpec, make

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
PRIVILEGE_SEPARATION = Path("/run/sshd")
"""A server started by root wants it; packages make it when their service starts."""


@dataclass
class Loopback:
    """The server and what a client needs.

    Attributes:
        folder: holds keys, configurations and the log.
        port: on 127.0.0.1.
        server: the listening process; it serves each connection in a child.
    """

    folder: Path
    port: int
    server: subprocess.Popen[bytes]

    def client(self, name: str = "client", **overrides: str) -> Path:
        """A configuration for `ssh -F`; `overrides` replace its lines."""
        values = {
            "IdentityFile": f'"{self.folder / "user"}"',
            "IdentitiesOnly": "yes",
            "UserKnownHostsFile": f'"{self.folder / "known_hosts"}"',
            "GlobalKnownHostsFile": "/dev/null",
        } | overrides
        path = self.folder / name
        path.write_text("".join(f"{key} {value}\n" for key, value in values.items()))
        return path

    def url(self, python: str | Path, config: Path | None = None) -> str:
        config = config or self.client()
        user = pwd.getpwuid(os.getuid()).pw_name
        return f"ssh://{user}@127.0.0.1:{self.port}?python={quote(str(python))}&config={quote(str(config))}"

    def kill_connections(self) -> None:
        """Kill the processes that serve connections, and the listening one."""
        for child in psutil.Process(self.server.pid).children(recursive=True):
            if child.name().startswith("sshd"):
                child.kill()
        self.server.kill()

    def stop(self) -> None:
        self.server.terminate()
        self.server.wait(10)


def start(folder: Path) -> Loopback:
    """Generate keys, start the server and wait until it listens; skips where there is no OpenSSH."""
    if SSHD is None or not shutil.which("ssh") or not shutil.which("ssh-keygen"):
        pytest.skip("needs sshd, ssh and ssh-keygen (Debian: openssh-server, openssh-client)")
    if os.getuid() == 0 and not PRIVILEGE_SEPARATION.is_dir():
        try:
            PRIVILEGE_SEPARATION.mkdir(mode=0o755)
        except OSError as error:
            pytest.skip(f"sshd run by root needs {PRIVILEGE_SEPARATION}: {error}")
    for name in ("host", "other_host", "user", "stranger"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
        subprocess.run(command, check=True, capture_output=True)
    (folder / "authorized_keys").write_text((folder / "user.pub").read_text())
    port = free_port()
    host_key = " ".join((folder / "host.pub").read_text().split()[:2])
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {host_key}\n")
    (folder / "sshd_config").write_text(
        f"""Port {port}
ListenAddress 127.0.0.1
HostKey "{folder / "host"}"
AuthorizedKeysFile "{folder / "authorized_keys"}"
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
"""
    )
    log = folder / "sshd.log"
    server = subprocess.Popen([SSHD, "-D", "-f", str(folder / "sshd_config"), "-E", str(log)])
    end = time.monotonic() + 60
    while "Server listening" not in (log.read_text() if log.exists() else ""):
        if server.poll() is not None or time.monotonic() > end:
            server.kill()
            server.wait()
            pytest.fail(f"sshd did not start: {log.read_text() if log.exists() else 'no log'}")
        time.sleep(0.02)
    return Loopback(folder, port, server)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def adds(size: int, count: int) -> bytes:
    """A model of `count` additions that LiteRT runs."""
    spec = ModelSpec()
    last = spec.tensor(1, size, size, 16)
    for _ in range(count):
        last = spec.op("ADD", [last, 0], (1, size, size, 16), options=("Add", {}))
    return make(spec)


SMALL, LARGE = adds(8, 2), adds(32, 8)


def settings(**values: object) -> ssh.SshOptions:
    return ssh.SshOptions.model_validate({"timeout_s": 60.0, "rounds": 5, **values})


def fails(url: str, models: dict[str, bytes] | None = None, **values: object) -> str:
    with pytest.raises(DeviceError) as caught:
        ssh.time_models(url, models or {"small": SMALL}, settings=settings(**values))
    message = str(caught.value)
    assert "\n" not in message
    return message
