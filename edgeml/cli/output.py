"""What several commands print with; nothing that a file or a device named can steer the terminal."""

from __future__ import annotations

import json
import re
import sys
import unicodedata
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import ConsoleRenderable

INTERRUPTED = 130
"""Exit code after Ctrl-C."""
LONGEST = 2000
"""Characters of an error; longer ones lose their middle."""
KEPT = "\n\t\u200d"
"""Control characters that stay: the last joins emoji."""


def inert(text: str) -> str:
    r"""Text without what moves the cursor, sets colours or turns the direction ("\x1b[2J" is a name too).

    Control characters become their pictures (U+2400 and on), others of that kind U+FFFD: one column each, so
    that tables stay straight. Line breaks stay.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(letter if _harmless(letter) else _picture(letter) for letter in text)


def _harmless(letter: str) -> bool:
    return letter in KEPT or unicodedata.category(letter) not in ("Cc", "Cf", "Cs", "Zl", "Zp")


def _picture(letter: str) -> str:
    code = ord(letter)
    return chr(0x2400 + code) if code < 0x20 else "\u2421" if code == 0x7F else "\ufffd"


def one_line(error: Exception) -> str:
    """What an error says, on one line of a length that can be read, whatever names it repeats."""
    text = re.sub(r"\s*[\r\n\v\f\x85\u2028\u2029]+\s*", " ", str(error))
    return text if len(text) <= LONGEST else f"{text[: LONGEST // 2]} ... {text[-LONGEST // 4 :]}"


def say(text: object, err: bool = False) -> None:
    """A line on stdout or stderr, made inert."""
    click.echo(inert(str(text)), err=err)


def print_json(value: Any) -> None:
    """JSON on stdout, for scripts; it is ASCII, so inert."""
    click.echo(json.dumps(value, indent=1))


def print_rows(rows: list[dict[str, Any]], as_json: bool) -> None:
    """Names with their descriptions."""
    if as_json:
        print_json(rows)
        return
    width = max((len(str(row["name"])) for row in rows), default=0)
    for row in rows:
        extra = f"{row['points']:.3g} points. " if "points" in row else ""
        say(f"{row['name']:<{width}}  {extra}{row['description']}")


def print_mapping(value: dict[str, Any], as_json: bool) -> None:
    """A mapping as JSON or YAML."""
    if as_json:
        print_json(value)
        return
    import yaml

    say(yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=110).rstrip())


def console(stderr: bool = False) -> Any:
    """A rich console that prints inert texts; 120 columns where the output is not a terminal."""
    from rich.console import Console, ConsoleOptions, RenderHook, RenderResult
    from rich.segment import Segment

    class Inert:
        """What is rendered, its texts made inert; rich's own control codes are segments of another kind."""

        def __init__(self, inner: ConsoleRenderable) -> None:
            self.inner = inner

        def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
            for text, style, control in console.render(self.inner, options):
                yield Segment(text if control else inert(text), style, control)

    class Hook(RenderHook):
        """Called by rich for everything that is printed."""

        def process_renderables(self, renderables: Iterable[ConsoleRenderable]) -> list[ConsoleRenderable]:
            return [Inert(one) for one in renderables]

    made = Console(stderr=stderr, width=None if sys.stdout.isatty() else 120)
    made.push_render_hook(Hook())
    return made
