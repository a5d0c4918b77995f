"""The page's sections -> RUN/report.md: Markdown for GitHub and GitLab, without the charts.

The page's own HTML is what is translated, so both say the same.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser
from itertools import pairwise

from edgeml.report.markup import Child, join

MOST_ROWS = 60
"""Rows of a table; GitHub shows no file above 512 kB."""
SKIPPED = ("svg", "figure", "script", "style", "img")
VOID = ("img",)
BLOCKS = ("p", "h1", "h2", "h3", "li", "summary")
HEADS = {"h1": "# ", "h2": "## ", "h3": "### ", "li": "- ", "p": "", "summary": ""}
SPECIAL = re.compile(r"([\\`*_{}\[\]<>|~#$!&])")


def markdown(sections: Child, charts: int) -> str:
    """Sections and the number of their charts -> Markdown; whatever a user named stays text."""
    page = _Translator()
    page.feed(join(sections))
    page.close()
    blocks = [block for block, after in pairwise([*page.blocks, "## "]) if not _empty(block, after)]
    foot = f"The charts are in report.html beside this file ({charts})." if charts else ""
    return "\n\n".join([*blocks, *([foot] if foot else [])]) + "\n"


def _empty(block: str, after: str) -> bool:
    """Whether a heading has nothing below it: its section is all charts."""
    level = [len(text) - len(text.lstrip("#")) for text in (block, after)]
    return level[0] > 1 and 0 < level[1] <= level[0]


def escaped(text: str) -> str:
    """Text that Markdown and the HTML in it leave as it is, on one line."""
    one_line = " ".join(text.split())
    return SPECIAL.sub(
        lambda found: {"<": "&lt;", ">": "&gt;", "&": "&amp;"}.get(found[1], f"\\{found[1]}"), one_line
    )


def coded(text: str) -> str:
    """A code span; what no span can hold is plain text."""
    plain = " ".join(text.split())
    return f"`{plain}`" if plain and not re.search(r"[`|<>&\\]", plain) else escaped(plain)


class _Translator(HTMLParser):
    """Collects blocks of Markdown from the page's elements, which are well-formed."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.blocks: list[str] = []
        self._skipping = 0
        self._text: list[str] = []
        self._code = self._pre = False
        self._rows: list[list[str]] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in SKIPPED:
            self._skipping += tag not in VOID
            return
        if self._skipping:
            return
        if tag == "table":
            self._rows = []
        elif tag == "tr" and self._rows is not None:
            self._rows.append([])
        elif tag in ("td", "th", *BLOCKS):
            self._text = []
        elif tag == "pre":
            self._pre, self._text = True, []
        elif tag == "code":
            self._code = True

    def handle_endtag(self, tag: str) -> None:
        if tag in SKIPPED:
            self._skipping -= tag not in VOID
            return
        if self._skipping:
            return
        if tag in ("td", "th") and self._rows:
            self._rows[-1].append(self._taken())
        elif tag == "table":
            self._close_table()
        elif tag == "pre":
            text = "".join(self._text)
            fence = "`" * (1 + max([2, *map(len, re.findall("`+", text))]))
            self.blocks.append(f"{fence}sh\n{text}\n{fence}")
            self._pre, self._text = False, []
        elif tag in BLOCKS and (text := self._taken()):
            block = f"{HEADS[tag]}{text}"
            if tag == "li" and self.blocks and self.blocks[-1].startswith("- "):
                self.blocks[-1] += f"\n{block}"
            else:
                self.blocks.append(block)
        elif tag == "code":
            self._code = False

    def handle_data(self, data: str) -> None:
        if self._skipping:
            return
        if self._pre:
            self._text.append(data)
        elif data.strip():
            self._text.append(coded(data) if self._code else escaped(data))

    def _taken(self) -> str:
        text = " ".join(part for part in self._text if part)
        self._text = []
        return re.sub(r" ([,.;:])(?=\s|$)", r"\1", text)

    def _close_table(self) -> None:
        rows, self._rows = self._rows or [], None
        width = max(map(len, rows), default=0)
        if not width:
            return
        left = len(rows) - 1 - MOST_ROWS
        lines = [f"| {' | '.join([*row, *[''] * (width - len(row))])} |" for row in rows[: MOST_ROWS + 1]]
        lines.insert(1, "| " + " | ".join(["---"] * width) + " |")
        self.blocks.append("\n".join(lines))
        if left > 0:
            self.blocks.append(f"Rows that only report.html has: {left}.")
