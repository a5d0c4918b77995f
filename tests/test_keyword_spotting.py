"""Keyword spotting the whole way: from recordings to the same class in C and Python for a WAV file."""

from __future__ import annotations

import json
import os
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edgeml.api import export
from edgeml.data.dataset import Dataset
from edgeml.deploy.runtime import predict

EXAMPLE = Path(__file__).parent.parent / "examples" / "keyword_spotting.py"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """(folder, what was printed, export) of the example with one trial and few words."""
    folder = tmp_path_factory.mktemp("keywords")
    command = [sys.executable, str(EXAMPLE), "made", "1", "20"]
    quick = {**os.environ, "EDGEML_EXAMPLE_QUICK": "1"}
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True, env=quick)
    (exported,) = (folder / "made" / "run" / "export").iterdir()
    return folder / "made", done.stdout, exported


@pytest.mark.slow
def test_words_are_told_apart_and_the_front_end_is_in_the_run(made):
    folder, said, exported = made
    assert max(float(found) for found in re.findall(r"([\d.]+) % int8", said)) >= 50  # guessing has 20
    run = json.loads((folder / "run" / "run.json").read_text())
    about = run["dataset"]["preprocessing"]
    assert (about["kind"], about["rate_hz"]) == ("audio", 16000) and run["space"]["name"] == "audio_cell"
    spec = json.loads((exported / "spec.json").read_text())
    assert re.fullmatch(r"(logmel|mfcc)-\d+-\d+-\d+", spec["arch"]["front"])
    for name in ("front_end.c", "front_end.h", "front_end.py", "front_end_main.c", "c99/model.c"):
        assert (exported / name).is_file()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
def test_a_wav_file_gets_the_same_class_from_python_and_from_c(made, tmp_path):
    folder, _, exported = made
    data = Dataset.open(folder / "run" / "data")
    spec = json.loads((exported / "spec.json").read_text())
    known = {image.tobytes() for image in data.fronted(spec["arch"]["front"]).test.inputs}
    front, network = tmp_path / "front_end", tmp_path / "model"
    build("front_end.c", "front_end_main.c", out=front, folder=exported)
    build("model.c", "main.c", out=network, folder=exported / "c99")
    read = runpy.run_path(str(exported / "front_end.py"))["read"]
    tested = 0
    for path in sorted((folder / "words").rglob("*.wav"))[::2]:
        features = subprocess.run([front], input=path.read_bytes(), capture_output=True, check=True).stdout
        assert features == read(path).tobytes()
        if features not in known:
            continue
        tested += 1
        said = subprocess.run([network], input=features, capture_output=True, check=True).stdout.decode()
        command = [sys.executable, str(exported / "example_litert.py"), str(path)]
        python = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
        assert python[2] == said.splitlines()[-1] and python[2] in data.classes
    assert tested > 2


@pytest.mark.slow
def test_the_waveform_file_names_the_same_classes(made, tmp_path):
    folder, _, _ = made
    done = export(folder / "run", "knee", formats=("tflite", "tflite-waveform"), out=tmp_path / "out")
    proof = done.proofs["tflite-waveform"]
    assert done.ok and proof.executed and proof.agreement >= 0.98 and proof.compared >= 10
    spec = json.loads((tmp_path / "out" / "spec.json").read_text())
    test = Dataset.open(folder / "run" / "data").fronted(spec["arch"]["front"]).test
    scores = predict((tmp_path / "out" / "model.tflite").read_bytes(), test.inputs)
    right = (np.argmax(scores, -1) == test.labels).mean()
    assert abs(proof.accuracy["value"] - right) <= 1 / len(test)


def build(*sources: str, out: Path, folder: Path) -> None:
    command = ["gcc", "-std=c99", "-Wall", "-Wextra", "-pedantic", "-Werror", "-O2", *sources, "-o", str(out)]
    subprocess.run(command, cwd=folder, check=True)
