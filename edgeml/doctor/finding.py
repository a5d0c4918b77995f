"""What the doctor says: lines under headings, without names of users, their folders or secrets."""

from __future__ import annotations

import getpass
import re
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

State = Literal["ok", "note", "problem"]
"""A problem makes the exit code 1; a note is worth knowing."""


@dataclass(frozen=True)
class Line:
    """One thing that was looked at.

    Attributes:
        what: its name.
        found: how it is.
        state: one of State.
        advice: what to do, where there is something.
    """

    what: str
    found: str
    state: State = "ok"
    advice: str = ""

    def to_dict(self) -> dict[str, str]:
        """Plain JSON values."""
        return {"what": self.what, "found": self.found, "state": self.state, "advice": self.advice}


@dataclass(frozen=True)
class Section:
    """Lines under a heading."""

    title: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Diagnosis:
    """Everything that was looked at.

    Attributes:
        sections: in the order they are shown.
        tested: whether the self-test ran.
        seconds: it all took.
    """

    sections: tuple[Section, ...]
    tested: bool
    seconds: float

    @property
    def problems(self) -> list[Line]:
        """What keeps edgeml from working."""
        return [line for section in self.sections for line in section.lines if line.state == "problem"]

    @property
    def ok(self) -> bool:
        """Whether there are none."""
        return not self.problems

    @property
    def verdict(self) -> str:
        """The last line."""
        if self.ok:
            return "all well" if self.tested else "all well, as far as that was looked at (--quick)"
        count = len(self.problems)
        names = ", ".join(line.what for line in self.problems)
        return f"{count} problem{'s' * (count != 1)}: {names}; what to do stands beside each"

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "ok": self.ok,
            "verdict": self.verdict,
            "self_test": self.tested,
            "seconds": round(self.seconds, 1),
            "sections": [
                {"title": one.title, "lines": [line.to_dict() for line in one.lines]} for one in self.sections
            ],
        }


def masked(sections: Iterable[Section]) -> tuple[Section, ...]:
    """Sections whose texts name no user, no home folder and no password."""
    return tuple(
        Section(
            one.title,
            tuple(Line(line.what, hidden(line.found), line.state, hidden(line.advice)) for line in one.lines),
        )
        for one in sections
    )


def hidden(text: str) -> str:
    """Text without the home folder (~), the user's name in paths (USER) and passwords in URLs (***)."""
    text = re.sub(r"//[^/\s@\[]+@", "//***@", text)
    for folder in sorted({str(one) for one in _homes()}, key=len, reverse=True):
        text = re.sub(re.escape(folder) + r"(?![\w.-])", "~", text)
    name = _user()
    if name and name != "root":
        text = re.sub(rf"(?<![\w.-]){re.escape(name)}(?![\w.-])", "USER", text)
    return text


def _homes() -> list[Path]:
    try:
        home = Path.home()
    except RuntimeError:  # no home
        return []
    return [one for one in (home, home.resolve()) if len(one.parts) > 1]


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # a container's user without a name
        return ""


def existing(folder: Path) -> Path:
    """The folder, absolute, or the nearest one above it that is there.

    Raises:
        OSError: that cannot be told: no permission, or a name longer than the file system takes.
    """
    place = folder.absolute()
    while not place.exists() and place != place.parent:
        place = place.parent
    return place


def temporary() -> Path:
    """The folder of temporary files; the working directory where there is none."""
    try:
        return Path(tempfile.gettempdir())
    except FileNotFoundError:
        return Path.cwd()
