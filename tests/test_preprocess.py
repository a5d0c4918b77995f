"""Readings and rows become the same bytes in edgeml, in the exported Python and in the exported C99."""

from __future__ import annotations

import csv
import io
import shutil
import subprocess
import sys

import numpy as np
import pytest

from edgeml.data.kinds import read_source
from edgeml.data.options import ReadOptions
from edgeml.data.sensors.ranges import fit_ranges
from edgeml.data.sensors.sensors import preprocessing
from edgeml.data.tables.features import fit_category, fit_number, to_features
from edgeml.data.tables.table import Column
from edgeml.export.preprocess import preprocess_files

needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
STRICT = ("-std=c99", "-Wall", "-Wextra", "-pedantic", "-Werror", "-fsanitize=undefined,address")
FLAGS = [("-O0",), ("-O3", "-march=native", "-ffp-contract=fast")]
MAIN = """
#include <stdio.h>
#include "preprocess.h"
static float given[{given}];
static uint8_t taken[{taken}];
int main(void) {{
    while (fread(given, sizeof given, 1, stdin) == 1) {{
        preprocess(given, taken);
        fwrite(taken, sizeof taken, 1, stdout);
    }}
    return 0;
}}
"""


def in_c(folder, about, values, given, taken, flags):
    """Bytes that the header gives."""
    (folder / "preprocess.h").write_bytes(preprocess_files(about)["preprocess.h"])
    (folder / "main.c").write_text(MAIN.format(given=given, taken=taken))
    command = ["gcc", *STRICT, *flags, "main.c", "-lm", "-o", "main"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    found = subprocess.run(
        [folder / "main"], input=values.astype("<f4").tobytes(), capture_output=True, check=True
    )
    return np.frombuffer(found.stdout, np.uint8).reshape(len(values), -1)


def in_python(folder, about, text, count):
    """Bytes that preprocess.py gives for a CSV, in a process that has numpy and no edgeml."""
    (folder / "preprocess.py").write_bytes(preprocess_files(about)["preprocess.py"])
    (folder / "given.csv").write_text(text, encoding="utf-8")
    code = (
        "import sys, numpy as np, preprocess; assert 'edgeml' not in sys.modules;"
        "np.save('out.npy', preprocess.read('given.csv'))"
    )
    subprocess.run([sys.executable, "-c", code], cwd=folder, check=True, capture_output=True)
    return np.load(folder / "out.npy").reshape(count, -1)


def sensor():
    """Settings of three channels, and windows at the edges of levels, between them and far away."""
    rng = np.random.default_rng(0)
    readings = rng.normal(size=(400, 3)) * [1, 500, 1e-3] + [0, 9.81, 5]
    ranges = fit_ranges(list(readings.T))
    about = preprocessing(["ax", 'a "b" */', "ä"], ranges, 20, 10, 50.0)
    levels = rng.integers(-5, 520, (30, 20, 3)) / 2  # halves: where rounding could differ
    windows = (levels * np.array(ranges.scale) + np.array(ranges.offset)).astype(np.float32)
    windows[0, 0] = [np.nan, np.inf, -np.inf]
    windows[0, 1] = [1e38, -1e38, 0]
    return about, ranges, windows


@needs_gcc
@pytest.mark.parametrize("flags", FLAGS)
def test_sensor_in_c(tmp_path, flags):
    about, ranges, windows = sensor()
    found = in_c(tmp_path, about, windows, 60, 60, flags)
    assert (found == ranges.to_uint8(windows).reshape(30, -1)).all()
    assert found[0, :3].tolist() == [0, 255, 0] and len(np.unique(found)) > 250


def test_sensor_in_python(tmp_path):
    about, ranges, windows = sensor()
    rows = windows.reshape(-1, 3)
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(["time", *about["channels"]])
    writer.writerows([index, *map(repr, map(float, row))] for index, row in enumerate(rows))
    found = in_python(tmp_path, about, file.getvalue(), 59)
    assert (found[::2] == ranges.to_uint8(windows).reshape(30, -1)).all()


def table():
    """Settings of five columns and 200 rows: (about, columns, as C has them)."""
    rng = np.random.default_rng(0)
    numbers = {
        "line": rng.normal(size=200),
        "heavy tails": rng.lognormal(0, 3, 200),
        "missing": np.where(rng.random(200) < 0.2, np.nan, rng.integers(0, 9, 200)),
    }
    columns = {name: Column(name, numbers=values) for name, values in numbers.items()}
    for name, kinds in (("colour", 3), ("many", 30)):
        columns[name] = Column(
            name, codes=rng.integers(0, kinds, 200).astype(np.int32), texts=[f"k{i}" for i in range(kinds)]
        )
    columns["colour"].texts[1] = "?"
    train = np.arange(150)
    specs = [
        fit_number(column, train) if column.numbers is not None else fit_category(column, train)
        for column in columns.values()
    ]
    assert [len(spec.get("scale", ())) for spec in specs[:3]] == [1, 17, 1]
    raw = []
    for spec in specs:
        column = columns[spec["name"]]
        if column.numbers is not None:
            raw.append(column.numbers)
            continue
        known = {name: float(number) for number, name in enumerate(spec["categories"])}
        raw.append(np.array([np.nan if t == "?" else known.get(t, -1.0) for t in column.as_texts()]))
    return {"kind": "table", "columns": specs}, columns, np.stack(raw, 1).astype(np.float32)


@needs_gcc
@pytest.mark.parametrize("flags", FLAGS)
def test_table_in_c(tmp_path, flags):
    about, columns, raw = table()
    wanted = to_features(about["columns"], columns)
    found = in_c(tmp_path, about, raw, raw.shape[1], wanted.shape[1], flags)
    assert (found == wanted).all()
    on_points = np.zeros((18, raw.shape[1]), np.float32)
    on_points[:, 1] = about["columns"][1]["points"]
    assert (
        in_c(tmp_path, about, on_points, raw.shape[1], wanted.shape[1], flags)[:, 1].tolist()
        == about["columns"][1]["level"]
    )


def test_table_in_python(tmp_path):
    about, columns, _ = table()
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(columns)
    cells = [
        ["" if np.isnan(v) else repr(float(v)) for v in c.numbers]
        if c.numbers is not None
        else c.as_texts().tolist()
        for c in columns.values()
    ]
    writer.writerows(zip(*cells, strict=True))
    found = in_python(tmp_path, about, file.getvalue(), 200)
    assert (found == to_features(about["columns"], columns)).all()


def test_names_in_c_are_names():
    about, _, _ = table()
    about["columns"][0]["name"] = 'size */ "x" ??/ \\ é'
    about["columns"][1]["name"] = "size x é"
    header = preprocess_files(about)["preprocess.h"].decode("ascii")
    assert "#define PREPROCESS_COLUMN_SIZE_X 0" in header and "#define PREPROCESS_COLUMN_SIZE_X_2 1" in header
    assert header.count("*/") == header.count("/*")
    assert preprocess_files({}) == preprocess_files({"kind": "audio"}) == {}


def training_file(folder, name, delimiter=",", header=True, comma=False, encoding="utf-8", head=""):
    """A CSV of two numbers, a category and a label, and its text as written."""
    rows = [[f"{i % 7}.5", f"{i * i % 11}.25", ("red", "blue")[i % 3 == 0], "pq"[i % 2]] for i in range(60)]
    rows[9][1] = "NA"
    if comma:
        rows = [[cell.replace(".", ",") for cell in row] for row in rows]
    lines = [delimiter.join(row) for row in ([["höhe", "b", "colour", "label"]] if header else []) + rows]
    path = folder / name
    path.write_bytes((head + "\n".join(lines) + "\n").encode(encoding))
    return path


LAYOUTS = {
    "comma": {},
    "semicolon": {"delimiter": ";"},
    "blanks": {"delimiter": ", "},
    "tab": {"delimiter": "\t"},
    "spaces": {"delimiter": "   "},
    "no header": {"header": False},
    "no header, semicolons": {"header": False, "delimiter": ";", "comma": True},
    "decimal comma": {"delimiter": ";", "comma": True},
    "Windows": {"encoding": "cp1252"},
    "UTF-16": {"encoding": "utf-16"},
    "leading blank line": {"head": "\n"},
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_file_that_was_trained_on_is_read_as_training_read_it(tmp_path, layout):
    path = training_file(tmp_path, "t.csv", **LAYOUTS[layout])
    source = read_source(str(path), ReadOptions())
    wanted = source.parts["train"].inputs.reshape(60, -1)
    assert len(np.unique(wanted, axis=0)) > 20
    (tmp_path / "preprocess.py").write_bytes(preprocess_files(source.preprocessing)["preprocess.py"])
    code = "import numpy as np, preprocess; np.save('out.npy', preprocess.read('t.csv'))"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True)
    assert (np.load(tmp_path / "out.npy").reshape(60, -1) == wanted).all()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("höhe,b\n1,2\n", "found the columns höhe, b; this model reads höhe, b, colour"),
        ("höhe,b,colour\n1,tall,red\n", "found 'tall' among the values, expected a number"),
        ("", "this model reads höhe, b, colour"),
    ],
)
def test_a_table_that_does_not_fit_is_one_sentence(tmp_path, text, words):
    source = read_source(str(training_file(tmp_path, "t.csv")), ReadOptions())
    (tmp_path / "preprocess.py").write_bytes(preprocess_files(source.preprocessing)["preprocess.py"])
    (tmp_path / "other.csv").write_text(text, encoding="utf-8")
    command = [sys.executable, "-X", "utf8", "preprocess.py", "other.csv"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 1 and words in done.stderr and "Traceback" not in done.stderr


def test_sensor_files_of_other_kinds(tmp_path):
    about, ranges, windows = sensor()
    about["channels"] = ["ax", "ay", "az"]
    rows = windows.reshape(-1, 3)[20:]
    (tmp_path / "preprocess.py").write_bytes(preprocess_files(about)["preprocess.py"])
    lines = ["t;ax;ay;az", *(f"{i};" + ";".join(map(repr, map(float, r))) for i, r in enumerate(rows))]
    (tmp_path / "a.csv").write_text("\n".join([*lines, "9;NA;1;2"]) + "\n")
    np.save(tmp_path / "b.npy", rows)
    np.save(tmp_path / "c.npy", rows.reshape(-1, 20, 3))
    code = (
        "import numpy as np, preprocess;"
        "np.savez('out.npz', **{f[0]: preprocess.read(f) for f in ('a.csv', 'b.npy', 'c.npy')})"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True)
    found = np.load(tmp_path / "out.npz")
    assert len(found["a"]) == len(found["b"]) == 57 and (found["a"] == found["b"]).all()
    assert (found["b"][::2] == found["c"]).all()
    assert (found["c"].reshape(29, -1) == ranges.to_uint8(rows.reshape(-1, 20, 3)).reshape(29, -1)).all()
