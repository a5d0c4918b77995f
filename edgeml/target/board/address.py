"""ssh://[user@]host[:port][?python=...&config=...] -> SshAddress, strictly.

Whatever ssh's own configuration can say (keys, jump hosts, aliases) stays there; a name that ssh or a shell
could take for something else is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

from edgeml.errors import ConfigError

FORM = "ssh://[user@]host[:port][?python=/path/to/python&config=/path/to/ssh_config]"
_NAME = r"[A-Za-z0-9_][A-Za-z0-9_.\-]*"
_PLACE = re.compile(
    rf"ssh://(?:(?P<user>{_NAME}\$?)@)?"
    rf"(?:(?P<host>{_NAME})|\[(?P<ipv6>[0-9A-Fa-f:.]+(?:%[A-Za-z0-9_.\-]+)?)\])"
    r"(?::(?P<port>[0-9]{1,5}))?/?(?:\?(?P<query>.*))?",
    re.ASCII,
)
_EXTRAS = ("python", "config")


@dataclass(frozen=True)
class SshAddress:
    """Where a board is.

    Attributes:
        host: name, alias of ~/.ssh/config, or IP address.
        user, port: None leaves them to ssh's configuration.
        python: interpreter on the board; "" where the address does not say.
        config: file for `ssh -F`; "" is the user's own configuration.
    """

    host: str
    user: str | None = None
    port: int | None = None
    python: str = ""
    config: str = ""

    @property
    def name(self) -> str:
        """The address as people type it: user@host."""
        return f"{self.user}@{self.host}" if self.user else self.host

    @property
    def login(self) -> str:
        """A command that opens a shell there, for messages."""
        options = (["-F", self.config] if self.config else []) + (["-p", str(self.port)] if self.port else [])
        return " ".join(["ssh", *options, self.name])


def parse_address(url: str) -> SshAddress:
    """URL -> SshAddress.

    Raises:
        ConfigError: it is not of the form, or names something a shell could take for an option.
    """
    match = _PLACE.fullmatch(url)
    if match is None:
        raise ConfigError(
            f"device {url!r} is not an ssh address; expected {FORM} with letters, digits, dots, "
            "hyphens and underscores in user and host (no password: use a key)."
        )
    port = int(match["port"]) if match["port"] else None
    if port is not None and not 1 <= port <= 65535:
        raise ConfigError(f"device {url!r}: found port {port}, expected 1 to 65535.")
    return SshAddress(
        match["host"] or match["ipv6"], match["user"], port, **_extras(url, match["query"] or "")
    )


def _extras(url: str, query: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in query.split("&") if query else ():
        key, _, value = part.partition("=")
        value = unquote(value)  # a plus stays a plus: it is a path
        if key not in _EXTRAS or key in found or not value:
            expected = " and ".join(f"{name}=..." for name in _EXTRAS)
            raise ConfigError(f"device {url!r}: found {key}={value!r} after the `?`, expected {expected}.")
        if value.startswith("-") or any(ord(letter) < 32 for letter in value):
            raise ConfigError(f"device {url!r}: found {key} {value!r}, expected a path.")
        found[key] = value
    return found
