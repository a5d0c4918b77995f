"""User text -> source code: every literal means the text, whatever is in it."""

import ast
import json
import re
import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeml.export.literals import (
    c_bytes,
    c_string,
    kotlin_string,
    label_line,
    labels_file,
)
from edgeml.export.script_text import wrapped_list

NASTY = (
    'say "hi"', "it's", "two\nlines", "carriage\rreturn", "tab\there", "back\\slash", "\\", "\\n", '"""',
    "'''", "${System.exit(1)}", "$name", "a */ b /* c", "// x", "??/", "??=define", "%s%n%d", "\x001",
    "zero\0end", "emoji \U0001f600", "\U0001f469\u200d\U0001f52c", "\u202eright to left", "\u05e9\u05dc",
    "\ufeffbom", "../../etc/passwd", "C:\\temp\\u0041", "\u2028line", "\x85next", "\x1b[31mred",
    " spaces ", "", "`id`", "$(id)", "\udc80lone", "caf\u00e9", "cafe\u0301", "x" * 5000, "a1\x01234567",
    '"looks like JSON"', "--json", "{{a}}", "}",
)  # fmt: skip

ANY_TEXT = st.text() | st.text(st.characters(categories=["Cs", "Cc", "Lo"])) | st.sampled_from(NASTY)


def _kotlin_meaning(literal: str) -> str:
    """What Kotlin's grammar makes of a literal: JSON's escapes and "\\$"; a bare "$" would interpolate."""
    assert literal.isascii() and literal.isprintable()
    bare = re.sub(r"\\(u[0-9a-f]{4}|.)", "", literal)
    assert "$" not in bare and bare.count('"') == 2
    return str(json.loads(re.sub(r"\\(.)", lambda m: "$" if m[1] == "$" else m[0], literal)))


def _c_meaning(literal: str) -> bytes:
    """What C's grammar makes of a literal: Python's bytes literal and "\\?"."""
    assert literal.isascii() and literal.isprintable() and "??" not in literal
    value = ast.literal_eval("b" + re.sub(r"\\(.)", lambda m: "?" if m[1] == "?" else m[0], literal))
    assert isinstance(value, bytes)
    return value


def _utf16(text: str) -> bytes:
    return text.encode("utf-16-le", "surrogatepass")


@given(ANY_TEXT)
def test_kotlin_literals_mean_the_text(text: str) -> None:
    assert _utf16(_kotlin_meaning(kotlin_string(text))) == _utf16(text)


@given(ANY_TEXT)
def test_c_literals_mean_the_text(text: str) -> None:
    meaning = _c_meaning(c_string(text))
    assert meaning == c_bytes(text) and b"\0" not in meaning
    if "\0" not in text and not re.search("[\ud800-\udfff]", text):
        assert meaning == text.encode()


@settings(max_examples=300)
@given(st.lists(ANY_TEXT, max_size=5))
def test_labels_txt_holds_one_line_a_class_and_all_come_back(names: list[str]) -> None:
    text = labels_file(names).decode()
    assert text.splitlines() == text.split("\n")[:-1] and len(text.splitlines()) == len(names)
    read = [json.loads(line) if line.startswith('"') else line for line in text.splitlines()]
    assert [_utf16(name) for name in read] == [_utf16(name) for name in names]


def test_ordinary_names_stand_in_labels_txt_as_they_are() -> None:
    for name in (
        "cat",
        "T-shirt/top",
        "it's",
        "Gr\u00f6\u00dfe 3",
        "\u05e9\u05dc\u05d5\u05dd",
        "\U0001f469\u200d",
    ):
        assert label_line(name) == name


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
@pytest.mark.parametrize("standard", ["c99", "c++11"])
def test_gcc_reads_c_literals_as_meant(tmp_path, standard: str) -> None:
    source = tmp_path / ("names.cc" if "++" in standard else "names.c")
    entries = ",\n".join(c_string(name) for name in NASTY)
    source.write_text(
        "#include <stdio.h>\n#include <string.h>\n"
        f"static const char *const names[] = {{\n{entries}\n}};\n"
        f"int main(void) {{ for (int i = 0; i < {len(NASTY)}; ++i) "
        "fwrite(names[i], 1, strlen(names[i]) + 1, stdout); return 0; }\n"
    )
    flags = [f"-std={standard}", "-Wall", "-Wextra", "-Werror", "-Wtrigraphs", "-trigraphs"]
    subprocess.run(["gcc", *flags, str(source), "-o", str(tmp_path / "names")], check=True)
    out = subprocess.run([str(tmp_path / "names")], check=True, capture_output=True).stdout
    assert out.split(b"\0")[:-1] == [c_bytes(name) for name in NASTY]


@given(st.lists(st.text(min_size=1, max_size=30), min_size=2, max_size=40))
def test_class_names_of_a_script_are_its_literals(names):
    text = wrapped_list(names)
    assert ast.literal_eval(text) == names
    assert all(len(line) <= 110 for line in text.splitlines() if line.count(",") > 1)


def test_names_of_two_words_are_not_cut():
    names = [f"oak tree {i}" for i in range(30)]
    assert ast.literal_eval(wrapped_list(names)) == names
