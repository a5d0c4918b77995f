"""Class names of every kind, and 1,000 of them, all the way from data to each exported file."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
import zipfile

import numpy as np
import pytest

import edgeml
from edgeml.export.folder import export_files
from edgeml.export.literals import c_bytes
from edgeml.export.spec import read_spec
from edgeml.report.run_files import open_run
from tests.test_export_literals import NASTY, _kotlin_meaning

FORMATS = ("tflite", "onnx", "onnx-int8", "mediapipe", "c")


def exported(folder, classes, side, channels, formats):
    """A search on noise with those classes, and what is exported of it."""
    rng, each = np.random.default_rng(0), 6 if len(classes) < 100 else 3
    count = each * len(classes)
    images = rng.integers(0, 256, (count, side, side, channels)).astype(np.uint8)
    np.savez(folder / "data.npz", x=images, y=np.arange(count) % len(classes), class_names=np.array(classes))
    run = edgeml.search(
        folder / "data.npz", "null", trials=1, epochs=0.5, curves=False, compress="none", out=folder / "run"
    )
    files = open_run(run.path)
    done = export_files(run.path, files.front[0], folder / "out", formats, dict(files.run))
    assert done.ok, done.failures
    return folder / "out"


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    return exported(tmp_path_factory.mktemp("names"), NASTY, 10, 3, FORMATS)


def utf16(names):
    return [name.encode("utf-16-le", "surrogatepass") for name in names]


def labels(text: str) -> list[str]:
    return [json.loads(line) if line.startswith('"') else line for line in text.splitlines()]


def test_text_files(out):
    assert utf16(labels((out / "labels.txt").read_text(encoding="utf-8"))) == utf16(NASTY)
    card = json.loads((out / "model.json").read_text())
    assert utf16(card["classes"]) == utf16([row["name"] for row in card["per_class"]]) == utf16(NASTY)
    assert utf16(read_spec(out / "spec.json").data.classes) == utf16(NASTY)
    rows = [line for line in (out / "MODEL_CARD.md").read_text().splitlines() if line.startswith("| ")]
    assert sum(line.count(" % |") == 2 or line.endswith("| 1 |") for line in rows) >= len(NASTY)


@pytest.mark.parametrize("name", ["model.tflite", "model_mediapipe.tflite"])
def test_metadata(out, name):
    with zipfile.ZipFile(io.BytesIO((out / name).read_bytes())) as archive:
        assert utf16(labels(archive.read("labels.txt").decode())) == utf16(NASTY)


def test_onnx(out):
    import onnx

    for name in ("model.onnx", "model_int8.onnx"):
        said = {p.key: p.value for p in onnx.load(out / name).metadata_props}
        assert utf16(json.loads(said["classes"])) == utf16(NASTY)


def test_kotlin(out):
    lines = (out / "EdgemlClassifier.kt").read_text(encoding="ascii").splitlines()
    literals = [line.strip().rstrip(",") for line in lines if line.startswith('            "')]
    assert utf16(map(_kotlin_meaning, literals)) == utf16(NASTY)


@pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")
def test_c(out, tmp_path):
    (tmp_path / "main.cc").write_text(
        '#include "model_data.h"\n#include <cstdio>\n#include <cstring>\n'
        "int main() {\n  for (const char *label : model_labels)\n"
        "    std::fwrite(label, 1, std::strlen(label) + 1, stdout);\n}\n"
    )
    sources = [str(tmp_path / "main.cc"), str(out / "c" / "model_data.cc")]
    flags = ["-std=c++11", "-Wall", "-Wextra", "-Werror", f"-I{out / 'c'}", "-o", str(tmp_path / "main")]
    subprocess.run(["g++", *flags, *sources], check=True)
    told = subprocess.run([str(tmp_path / "main")], check=True, capture_output=True).stdout
    assert told.split(b"\0")[:-1] == [c_bytes(name) for name in NASTY]


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_examples_print_one_line_a_class(out, tmp_path, encoding):
    shown = {name if name.isprintable() else ascii(name) for name in NASTY}
    shown |= {name.encode("ascii", "backslashreplace").decode() for name in shown}
    for seed in range(3):
        image = np.random.default_rng(seed).integers(0, 256, (10, 10, 3), np.uint8)
        np.save(tmp_path / "x.npy", image)
        for script in ("example_litert.py", "example_onnx.py"):
            done = subprocess.run(
                [sys.executable, out / script, tmp_path / "x.npy"], capture_output=True, check=True,
                env={"PYTHONIOENCODING": encoding},
            )  # fmt: skip
            lines = done.stdout.decode(encoding).split("\n")[:-1]
            assert len(lines) == 3 and all(line.split("  ", 1)[1] in shown for line in lines)


@pytest.mark.slow
def test_a_thousand_classes(tmp_path):
    names = [f"class number {number}" for number in range(1000)]
    out = exported(tmp_path, names, 8, 1, ("tflite", "onnx", "onnx-int8", "mediapipe"))
    assert labels((out / "labels.txt").read_text()) == names
    card = (out / "MODEL_CARD.md").read_text()
    assert "1,000 classes" in card and "100 of 1,000 classes with the lowest recall" in card
    assert len(json.loads((out / "model.json").read_text())["per_class"]) == 1000
    with zipfile.ZipFile(io.BytesIO((out / "model.tflite").read_bytes())) as archive:
        assert labels(archive.read("labels.txt").decode()) == names
    np.save(tmp_path / "x.npy", np.zeros((8, 8), np.uint8))
    done = subprocess.run(
        [sys.executable, out / "example_litert.py", tmp_path / "x.npy"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert len(done.stdout.splitlines()) == 3
    assert read_spec(out / "spec.json").data.classes == names
