"""--deterministic: the same files byte for byte from another process; what cannot be the same is refused."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys

import pytest

import edgeml
from edgeml.errors import ConfigError
from edgeml.search.deterministic import check
from edgeml.search.settings import Settings
from edgeml.search.workers.compute import LOCAL, Compute
from edgeml.target.targets import Targets
from tests.command import edgeml_run

EDGEML = [sys.executable, "-m", "edgeml.cli"]


def checked(target="null", compute=LOCAL, **settings):
    targets = Targets.load([target])
    return check(Settings("digits", [target], None, **settings), targets, compute)


def test_what_is_decided_by_the_clock_is_refused():
    with pytest.raises(ConfigError, match="--trials"):
        checked(time_s=60.0)
    with pytest.raises(ConfigError, match=r"latency_ms.*stopwatch.*edgeml measure"):
        checked("cpu")
    assert checked() == checked("coral") == []


def test_what_several_workers_promise_less_is_said():
    two = Compute(workers=2)
    assert "other architectures" in checked(compute=two, strategy="evolution")[0]
    assert "same architectures" in checked(compute=two, strategy="random")[0]


def test_the_command_refuses_in_one_sentence(cli):
    for more in (["--target", "cpu"], ["--target", "null", "--time", "1m"]):
        code, _, err = cli("search", "--data", "digits", "--deterministic", *more, "--out", "run")
        assert code == 2 and "--deterministic" in err and err.count("\n") == 1


SEARCH = ["search", "--data", "digits", "--target", "null", "--epochs", "2", "--deterministic"]


def elsewhere(*words, cwd):
    """The command in a process of its own, whose hash seed is another."""
    environment = {**os.environ, "PYTHONHASHSEED": "1"}
    subprocess.run([*EDGEML, *words], cwd=cwd, env=environment, check=True, capture_output=True)


def searched(folder, name, *more, command=edgeml_run):
    command(*SEARCH, *more, "--out", name, cwd=folder)
    files = {
        str(file.relative_to(folder / name)): hashlib.sha256(file.read_bytes()).hexdigest()
        for ending in ("*.tflite", "*.safetensors")
        for file in (folder / name).glob(f"candidates/*/{ending}")
    }
    return files, json.loads((folder / name / "front.json").read_text())


def exported(folder, name):
    """All files of an export; `edgeml export` says where the run lies, so it has to be in the same place."""
    place = (folder / name).rename(folder / "run")
    out = edgeml.Run(place, "finished").export(out=folder / f"{name}-export")
    place.rename(folder / name)
    return {str(file.relative_to(out)): file.read_bytes() for file in out.rglob("*") if file.is_file()}


@pytest.mark.slow
def test_the_same_files_twice(tmp_path):
    """Rungs, inheritance and compression; the hash seed of Python differs."""
    one = searched(tmp_path, "one", "--trials", "5", "--compress", "qat")
    other = searched(tmp_path, "other", "--trials", "5", "--compress", "qat", command=elsewhere)
    assert one == other and len(one[0]) >= 10 and any("-qat" in name for name in one[0])
    assert exported(tmp_path, "one") == exported(tmp_path, "other")


@pytest.mark.slow
def test_two_workers_try_the_same_architectures(tmp_path):
    more = (
        "--trials",
        "4",
        "--strategy",
        "random",
        "--compress",
        "none",
        "--inherit",
        "none",
        "--fidelity",
        "full",
        "--no-curves",  # what is known when a training begins depends on the other worker
    )
    assert searched(tmp_path, "one", *more) == searched(tmp_path, "two", *more, "--workers", "2")
