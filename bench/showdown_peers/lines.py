"""Lines of code that a user writes for a tool."""

from __future__ import annotations

import ast
import io
import tokenize
from pathlib import Path

BEGINS, ENDS = "# user code begins", "# user code ends"
HERE = Path(__file__).resolve().parent


def count(*files: str) -> int:
    """Files of this folder -> lines with code between the marks; comments and docstrings do not count."""
    return sum(count_text((HERE / file).read_text(encoding="utf-8")) for file in files)


def count_text(text: str) -> int:
    """Source -> the same for one file."""
    inside, marked = False, set()
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() in (BEGINS, ENDS):
            inside = line.strip() == BEGINS
        elif inside:
            marked.add(number)
    silent = (
        tokenize.COMMENT,
        tokenize.NL,
        tokenize.NEWLINE,
        tokenize.INDENT,
        tokenize.DEDENT,
        tokenize.ENDMARKER,
    )
    code: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in silent:
            code |= set(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(text)):
        if (
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, str)
        ):
            code -= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return len(code & marked)
