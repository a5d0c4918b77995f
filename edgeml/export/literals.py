"""Text of the user (class names) and numbers -> source code and one-line files that mean exactly these.

The only place where class names become code. Literals of texts are printable ASCII: no editor, compiler or
reader of right-to-left text can see something else in them than the machine does.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Sequence

_KOTLIN = {
    "\b": "\\b", "\t": "\\t", "\n": "\\n", "\r": "\\r", '"': '\\"', "\\": "\\\\", "$": "\\$",
}  # fmt: skip
_C = {
    ord("\n"): "\\n", ord("\r"): "\\r", ord("\t"): "\\t", ord('"'): '\\"', ord("\\"): "\\\\", ord("?"): "\\?",
}  # fmt: skip
_NOT_ONE_LINE = {"Cc", "Zl", "Zp", "Cs"}  # control characters, line and paragraph separators, lone surrogates
_MARKDOWN = set("\\`*_[]<|&~$")  # what CommonMark, its tables or GitHub read as markup within a line


def kotlin_string(text: str) -> str:
    """Text -> a Kotlin string literal in ASCII, without interpolation ("$" is escaped).

    Characters beyond the basic plane become the two UTF-16 units that a JVM string has for them. The JVM
    takes 65,535 bytes in one constant.
    """
    units = text.encode("utf-16-be", "surrogatepass")
    pairs = (int.from_bytes(units[i : i + 2]) for i in range(0, len(units), 2))
    return '"' + "".join(_KOTLIN.get(chr(unit)) or _ascii(unit) or f"\\u{unit:04x}" for unit in pairs) + '"'


def c_string(text: str) -> str:
    """Text -> a C string literal in ASCII that holds the text as UTF-8; C90, C99 and C++ read it alike.

    Octal escapes, because hexadecimal ones run on into a following digit; "?" is escaped against trigraphs.
    What the literal means is `c_bytes`. Compilers must take 4,095 bytes (C99 5.2.4.1); gcc takes any length.
    """
    return '"' + "".join(_C.get(byte) or _ascii(byte) or f"\\{byte:03o}" for byte in c_bytes(text)) + '"'


def c_float(value: float) -> str:
    """A number -> the C literal of the nearest float32: nine digits give it back exactly."""
    text = f"{value:.9g}"
    return f"{text}f" if re.search(r"[.en]", text) else f"{text}.0f"


def rows(values: Iterable[object], a_row: int) -> str:
    """Values as they are written -> the indented lines between the braces of an array."""
    texts = [str(value) for value in values]
    lines = [texts[at : at + a_row] for at in range(0, len(texts), a_row)]
    return "\n".join(f"    {', '.join(line)}," for line in lines)


def c_bytes(text: str) -> bytes:
    """Text -> the UTF-8 of a C string, without the closing zero.

    U+0000 would end a C string early and lone surrogates have no UTF-8: both become U+FFFD.
    """
    return "".join("\ufffd" if letter == "\0" or _surrogate(letter) else letter for letter in text).encode()


def label_line(text: str) -> str:
    """Text -> one line of labels.txt: the text itself, or JSON in ASCII where the text would not be one line.

    JSON where the text holds a line break, a control character or a lone surrogate, is empty, has white space
    around it, or starts with a quote: so a line that starts with a quote is JSON, and no other.
    """
    plain = text == text.strip() != "" and not text.startswith('"')
    plain = plain and not any(unicodedata.category(letter) in _NOT_ONE_LINE for letter in text)
    return text if plain else json.dumps(text)


def labels_file(classes: Sequence[str]) -> bytes:
    """Class names -> labels.txt, UTF-8: one line a class, in the order of the outputs."""
    return "".join(f"{label_line(name)}\n" for name in classes).encode()


def markdown_text(text: str, longest: int = 120) -> str:
    """Text -> Markdown that renders as that text on one line, in a table too.

    What is not printable (line breaks, direction marks) is shown as an escape; longer text ends in "...".
    """
    shown = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)
    short = shown if len(shown) <= longest else f"{shown[: longest - 3]}..."
    return "".join(f"\\{letter}" if letter in _MARKDOWN else letter for letter in short)


def _ascii(code: int) -> str:
    return chr(code) if 0x20 <= code < 0x7F else ""


def _surrogate(letter: str) -> bool:
    return unicodedata.category(letter) == "Cs"
