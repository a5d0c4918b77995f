"""How text tables are written: encodings, delimiters, headers, quotes; and what is no text table."""

import gzip
import zipfile

import numpy as np
import pytest

from edgeml.data.tables import delimited
from edgeml.data.tables.delimited import sniff
from edgeml.data.tables.table import Column, read_table
from tests.data_samples import refused

ROWS = [[1.5, -2.0, "Ärger, täglich"], [0.25, 1e3, 'sagt "ja"'], [3.0, 4.5, "nö"]] * 4


def text(delimiter=",", comma=False, header=True):
    lines = ["a", "b", "c"]
    found = [delimiter.join(lines)] if header else []
    for a, b, c in ROWS:
        numbers = [str(x).replace(".", ",") if comma else str(x) for x in (a, b)]
        found.append(delimiter.join([*numbers, '"' + c.replace('"', '""') + '"']))
    return "\n".join(found) + "\n"


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252", "latin-1"]
)
@pytest.mark.parametrize(
    ("delimiter", "comma"), [(",", False), (";", True), (";", False), ("\t", True), ("|", False)]
)
def test_as_people_save_them(tmp_path, encoding, delimiter, comma):
    path = tmp_path / "t.csv"
    path.write_bytes(text(delimiter, comma).encode(encoding))
    table = read_table(path)
    assert list(table.columns) == ["a", "b", "c"] and table.rows == len(ROWS)
    assert table.columns["a"].numbers.tolist() == [row[0] for row in ROWS]
    assert table.columns["b"].numbers.tolist() == [row[1] for row in ROWS]
    assert table.columns["c"].as_texts().tolist() == [row[2] for row in ROWS]
    assert ("Windows-1252" in " ".join(table.warnings)) == (encoding in ("cp1252", "latin-1"))


def test_blanks_no_header_and_line_ends(tmp_path):
    path = tmp_path / "t.txt"
    path.write_bytes(b"\r\n".join(b"%d  %.2f   x%d" % (i, i / 3, i % 2) for i in range(20)) + b"\r\n")
    table = read_table(path)
    assert list(table.columns) == ["column1", "column2", "column3"] and table.rows == 20
    assert "no header" in table.warnings[0]
    path.write_text("label,0,1,2\n" + "".join(f"{i % 2},{i},{i},{i}\n" for i in range(9)))
    assert list(read_table(path).columns) == ["label", "0", "1", "2"]
    path.write_text("\n\na,a,\n\n1,2,3\n\n4,5,6,,\n")
    table = read_table(path)
    assert list(table.columns) == ["a", "a.2", "column3"] and table.columns["column3"].numbers.tolist() == [
        3,
        6,
    ]


def test_chunks_give_what_one_reading_gives(tmp_path, monkeypatch):
    """A column that turns to text late, and texts of which half are new in the second chunk."""
    path = tmp_path / "t.csv"
    path.write_text("a,b,c\n" + "".join(f"{i if i < 70 else 'x'},t{i % 90},{i / 7}\n" for i in range(100)))
    whole = read_table(path)
    monkeypatch.setattr("edgeml.data.tables.table.CHUNK", 16)
    parts = read_table(path)
    for name in "abc":
        assert (whole.columns[name].as_texts() == parts.columns[name].as_texts()).all()
    assert parts.columns["a"].as_texts()[69] == "69" and np.isfinite(parts.columns["c"].numbers).all()


def test_missing_values(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(
        "a,b\n"
        + "".join(
            f"{v},{w}\n" for v, w in zip(["1", "", "NA", "nan", "?", "-3"] * 4, "xyz?uv" * 4, strict=True)
        )
    )
    table = read_table(path)
    assert table.columns["a"].missing.tolist() == [False, True, True, True, True, False] * 4
    assert table.columns["b"].missing.tolist() == [False, False, False, True, False, False] * 4


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", ("the file is empty",)),
        (b"\n\n  \n", ("the file is empty",)),
        (b"a,b\n", ("header only",)),
        (b"a,b\n1,2\n3\n", ("row 3 has 1 cells, expected 2",)),
        (b"a,b\n1,2\n3,4,5\n", ("row 3 has 3 cells, expected 2",)),
        (gzip.compress(b"a,b\n1,2\n", mtime=0), ("gzip",)),
        (b"\x89PNG\r\n", ("PNG",)),
        (bytes(range(256)) * 9, ("binary data",)),
        (b"a,b\n" + b"1,2\n" * 30000 + b"1,\xff\n", ("not readable as utf-8", "one encoding")),
    ],
)
def test_what_is_no_table(tmp_path, content, words):
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    refused(path, *words)


def test_archives_and_size(tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "t.csv", "w") as archive:
        archive.writestr("x.csv", "a,b\n1,2\n")
    refused(tmp_path / "t.csv", "zip archive", "unpack it")
    with (tmp_path / "big.csv").open("wb") as file:
        file.write(b"a,b\n1,2\n")
        file.truncate(2 << 30)  # sparse
    refused(tmp_path / "big.csv", "2.1 GB", "keep fewer rows")
    monkeypatch.setattr(delimited, "LARGEST", 10)
    (tmp_path / "s.csv").write_text("a,b\n1,2\n3,4\n")
    refused(tmp_path / "s.csv", "expected at most")


def test_a_quote_that_is_never_closed(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('a,b\n1,2\n3,"4\n' + "5,6\n" * 400000)
    refused(path, "quote")


def test_numbers_that_differ_late_are_told_apart(tmp_path):
    """Digits beyond the sixth, as recordings named by their second have them; 1_5 is no number anywhere."""
    numbers = Column("recording", numbers=np.array([1700000000.25, 1700000000.75, 0.1, 3.0, np.nan]))
    assert numbers.as_texts().tolist() == ["1700000000.25", "1700000000.75", "0.1", "3", ""]
    path = tmp_path / "t.csv"
    path.write_text("a,b\n" + "1,2\n" * 60 + "1_5,2\n")
    assert read_table(path).columns["a"].as_texts()[-1] == "1_5"


def test_sniffing_reads_only_the_start(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(b"a;b\n" + b"1;2\n" * 20000 + b"\xff" * 10)
    assert sniff(path).encoding == "utf-8" and sniff(path).delimiter == ";"
