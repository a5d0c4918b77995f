"""Bad input to `edgeml export`: one sentence, exit code 2, and nothing of the user's is touched."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from edgeml.data.options import ReadOptions
from edgeml.report.run_files import open_run
from tests.test_cli import one_sentence


@pytest.fixture
def run(finished_run, tmp_path):
    """A copy of the finished run that a test may spoil."""
    return shutil.copytree(finished_run, tmp_path / "run")


def best(run: Path) -> str:
    return open_run(run).front[0]


def changed(path: Path, **values) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def record(run: Path, **values) -> str:
    """Change the best candidate's record; returns its key."""
    key = best(run)
    changed(run / "candidates" / key / "candidate.json", **values)
    return key


def test_a_run_still_going_hands_over_what_is_finished(cli, run):
    changed(run / "state.json", status="running")
    code, out, err = cli("export", run, "--format", "tflite")
    assert code == 0, err
    assert "note: the search is not finished (state: running)" in out
    folder = next((run / "export").iterdir())
    assert "not finished" in (folder / "MODEL_CARD.md").read_text()


def test_a_run_still_going_that_has_nothing_yet(cli, run):
    for name in ("state.json", "front.json"):
        (run / name).unlink()
    one_sentence(cli("export", run), "no finished candidate")


@pytest.mark.parametrize(
    "layout, advice", [(2, "the edgeml that wrote it"), (99, "upgrade edgeml"), (None, "layout")]
)
def test_a_run_of_another_layout(cli, run, layout, advice):
    changed(run / "run.json", layout=layout)
    one_sentence(cli("export", run), "layout", advice)


@pytest.mark.parametrize("pick", ["knees", "zzzzzzzzzzzz", "", "a", "latency"])
def test_a_pick_that_does_not_exist(cli, run, pick):
    one_sentence(cli("export", run, "--pick", pick))
    assert not (run / "export").exists()


@pytest.mark.parametrize(
    "values, words",
    [
        ({"status": "failed", "reason": "loss was nan", "accuracy": None}, ["failed", "loss was nan"]),
        ({"status": "infeasible", "reason": "big", "accuracy": None}, ["before it was trained", "big"]),
        ({"status": "stopped", "rungs": [{"rung": 0, "epochs": 1, "accuracy": 0.5}]}, ["rung 1/1 only"]),
        ({"status": "stopped", "reason": "why", "rungs": [{"rung": 0, "stopped": "why"}]}, ["early (why)"]),
        ({"artifact": None}, ["has no model"]),
    ],
)  # fmt: skip
def test_a_candidate_without_a_finished_model(cli, run, values, words):
    key = record(run, **values)
    one_sentence(cli("export", run, "--pick", key), key, *words)


def test_a_candidate_that_broke_a_limit_in_the_end_is_exported_with_a_note(cli, run):
    key = record(
        run, status="infeasible", reason="size_bytes 9 kB is over the limit of 8 kB", test_accuracy=None
    )
    code, out, err = cli("export", run, "--pick", key, "--format", "tflite")
    assert code == 0, err
    assert "breaks a limit" in out and "test split was read at this export" in out


@pytest.mark.parametrize("name", ["tflight", "", "tflite,onxx"])
def test_an_unknown_format(cli, run, name):
    one_sentence(cli("export", run, "--format", name), "format", "Known: ")


def flip(path: Path, at: int = -1) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("name", ["model.tflite", "weights.safetensors"])
def test_a_tampered_file(cli, run, name):
    flip(run / "candidates" / best(run) / name)
    one_sentence(cli("export", run, "--pick", best(run)), name, "other checksum")
    (run / "candidates" / best(run) / name).unlink()
    one_sentence(cli("export", run, "--pick", best(run)), name, "cannot be read")


def test_a_run_from_before_weights_had_a_checksum(cli, run):
    key = best(run)
    stored = json.loads((run / "candidates" / key / "candidate.json").read_text())["artifact"]
    stored.pop("weights_sha256")
    record(run, artifact=stored)
    code, _, err = cli("export", run, "--pick", key, "--format", "tflite")
    assert code == 0, err
    weights = run / "candidates" / key / "weights.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:100])
    one_sentence(cli("export", run, "--pick", key), "weights.safetensors is damaged")
    from safetensors.numpy import load, save

    arrays = load(whole)
    first = next(name for name in arrays if name.endswith(":kernel"))
    weights.write_bytes(save({**arrays, first: np.zeros((1, 2, 3), np.float32)}))
    one_sentence(cli("export", run, "--pick", key), "not the weights of this architecture")


def test_data_that_are_gone_or_changed(cli, run):
    flip(run / "data" / "test_inputs.npy")
    one_sentence(cli("export", run), "data", "changed")
    shutil.rmtree(run / "data")
    one_sentence(cli("export", run), "data", "missing")


def test_data_of_another_run(cli, run):
    from edgeml.data.dataset import load

    load("digits", ReadOptions(seed=9)).save(run / "data")
    one_sentence(cli("export", run), "not the data that the run was scored on")


def test_out_that_holds_something_else(cli, run, tmp_path):
    file, other, mine = tmp_path / "file", tmp_path / "other", tmp_path / "mine"
    file.write_text("keep")
    other.mkdir()
    (other / "notes.txt").write_text("keep")
    one_sentence(cli("export", run, "--out", file), "is a file")
    one_sentence(cli("export", run, "--out", other), "not an earlier export")
    one_sentence(cli("export", run, "--out", run), "not an earlier export")
    one_sentence(cli("export", run, "--out", run / "candidates" / best(run)), "not an earlier export")
    one_sentence(cli("export", run, "--out", file / "below"), "file is a file")
    code, _, err = cli("export", run, "--format", "tflite", "--out", mine)
    assert code == 0, err
    (mine / "app").mkdir()
    (mine / "app" / "Main.kt").write_text("keep")
    one_sentence(cli("export", run, "--out", mine), "no export wrote", "app/Main.kt")
    shutil.rmtree(mine / "app")
    (mine / "model.json").write_text("{}")
    one_sentence(cli("export", run, "--out", mine), "model.json")
    assert file.read_text() == (other / "notes.txt").read_text() == "keep"


def test_out_that_is_the_working_directory_or_a_link(cli, run, tmp_path, monkeypatch):
    here, link = tmp_path / "here", tmp_path / "link"
    here.mkdir()
    monkeypatch.chdir(here)
    code, _, err = cli("export", run, "--format", "tflite", "--out", ".")
    assert code == 0, err
    assert (here / "model.tflite").exists() and Path("model.tflite").exists()
    link.symlink_to(here)
    code, _, err = cli("export", run, "--format", "tflite", "--out", link)
    assert code == 0 and link.is_symlink(), err


def test_a_disk_that_is_really_full(cli, run, small_disk):
    (small_disk / "ballast").write_bytes(bytes(180_000))
    one_sentence(
        cli("export", run, "--format", "tflite", "--out", small_disk / "out"),
        "no disk space left",
        "bytes are needed",
    )
    assert [path.name for path in small_disk.iterdir()] == ["ballast"]
    (small_disk / "ballast").unlink()
    code, _, err = cli("export", run, "--format", "tflite", "--out", small_disk)  # a mount point itself
    assert code == 0, err


def test_a_temporary_folder_that_is_full(cli, run, small_disk, tmp_path, monkeypatch):
    (small_disk / "ballast").write_bytes(bytes(192_000))
    monkeypatch.setenv("TMPDIR", str(small_disk))
    one_sentence(cli("export", run, "--out", tmp_path / "out"), "cannot be written", "TMPDIR")
    assert not (tmp_path / "out").exists()
