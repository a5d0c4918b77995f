"""The command line as a user types it: contracts and bad input, one sentence and exit code 2."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

EDGEML = [sys.executable, "-m", "edgeml.cli"]


def small_npz(path, **changes):
    rng = np.random.default_rng(0)
    arrays = {"x": rng.integers(0, 256, (60, 8, 8), dtype=np.uint8), "y": np.arange(60) % 3}
    np.savez(path, **{**arrays, **changes})
    return path


def one_sentence(result, *words):
    code, _, err = result
    lines = [line for line in err.splitlines() if line.strip()]
    assert code == 2, err
    assert len(lines) == 1 and lines[0].startswith("error: "), err
    assert "Traceback" not in err
    for word in words:
        assert word in lines[0], err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--target", "cpuu"], ["unknown target 'cpuu'", "Did you mean 'cpu'", "null"]),
        (["--space", "micro_cel"], ["unknown search space", "micro_cell", "nano"]),
        (["--strategy", "evolve"], ["unknown strategy", "evolution", "random"]),
        (["--limit", "size=3"], ["unknown limit", "size_kb"]),
        (["--limit", "size_kb"], ["--limit 'size_kb'", "expected"]),
        (["--limit", "size_kb=1"], ["size_bytes <= 1.0 kB", "smallest found needs", "kB"]),
        (["--time", "soon"], ["--time 'soon'", "30m"]),
        (["--trials", "0"], ["--trials 0"]),
        (["--resume"], ["no run"]),
    ],
)
def test_bad_options(cli, tmp_path, options, words):
    data = small_npz(tmp_path / "d.npz")
    one_sentence(cli("search", "--data", data, "--out", tmp_path / "run", *options), *words)
    assert not (tmp_path / "run" / "run.json").exists()


def test_bad_data(cli, tmp_path):
    def search(data, *options):
        return cli("search", "--data", data, "--target", "null", "--out", tmp_path / "run", *options)

    empty = tmp_path / "empty"
    empty.mkdir()
    one_sentence(search(empty), str(empty))
    one_sentence(search(tmp_path / "absent"), "absent")
    (tmp_path / "cut.npz").write_bytes(small_npz(tmp_path / "d.npz").read_bytes()[:300])
    one_sentence(search(tmp_path / "cut.npz"), "cut.npz")
    noise = np.zeros((60, 8, 8))
    noise[3, 2, 1] = np.nan
    one_sentence(search(small_npz(tmp_path / "nan.npz", x=noise)), "nan.npz")
    one_sentence(search(small_npz(tmp_path / "neg.npz", y=np.arange(60) % 3 - 1)), "neg.npz", "-1")
    one_sentence(search(small_npz(tmp_path / "one.npz", y=np.zeros(60, int))), "one.npz")
    one = tmp_path / "one" / "cats"
    one.mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(one / "a.png")
    one_sentence(search(tmp_path / "one"), "one")
    one_sentence(cli("search", "--target", "null"), "--data")


def test_a_truncated_image_is_fatal_with_strict(cli, tmp_path):
    for name in ("cats", "dogs"):
        folder = tmp_path / "photos" / name
        folder.mkdir(parents=True)
        for index in range(6):
            Image.effect_noise((16 + index, 16), 90).convert(("RGB", "L")[index % 2]).save(
                folder / f"{index}.png"
            )
    broken = tmp_path / "photos" / "cats" / "broken.png"
    broken.write_bytes((tmp_path / "photos" / "cats" / "0.png").read_bytes()[:60])
    photos = tmp_path / "photos"
    one_sentence(
        cli("search", "--data", photos, "--target", "null", "--strict", "--out", tmp_path / "r"), "broken.png"
    )


def test_bad_runs_and_models(cli, tmp_path):
    for command in ("leaderboard", "report", "export"):
        one_sentence(cli(command, tmp_path / "absent"), "absent")
        one_sentence(cli(command, tmp_path), str(tmp_path))
    one_sentence(cli("measure", tmp_path / "absent.tflite"), "absent.tflite")
    (tmp_path / "m.tflite").write_bytes(b"not a model, really")
    one_sentence(cli("measure", tmp_path / "m.tflite"), "not a TFLite model")
    (tmp_path / "m.tflite").write_bytes(b"\x1c\0\0\0TFL3" + bytes(40))
    code, _, err = cli("measure", tmp_path / "m.tflite")
    assert code == 2 and err.startswith("error: ") and len(err.splitlines()) == 1


def test_targets_spaces_and_fidelities_are_listed_and_shown(cli):
    for command, name in (("targets", "cpu"), ("spaces", "nano"), ("fidelities", "balanced")):
        code, out, _ = cli(command, "--json")
        assert code == 0 and name in {row["name"] for row in json.loads(out)}
        code, out, _ = cli(command, name, "--json")
        assert code == 0 and json.loads(out)["name"] == name
        assert cli(command, name)[0] == 0
        one_sentence(cli(command, "nothing"), "unknown", name)


def test_debug_shows_the_traceback(tmp_path):
    command = [*EDGEML, "search", "--data", str(tmp_path / "absent"), "--debug"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert "Traceback" in done.stderr and done.returncode != 0


def test_a_name_on_the_search_path_is_found(cli, tmp_path, monkeypatch):
    folder = tmp_path / "mine" / "targets"
    folder.mkdir(parents=True)
    (folder / "board.yaml").write_text("inherits: cpu\ndescription: my board\nlimits: {size_bytes: 5}\n")
    monkeypatch.setenv("EDGEML_PATH", str(tmp_path / "mine"))
    code, out, _ = cli("targets", "board", "--json")
    assert code == 0 and json.loads(out)["meters"] == ["litert_host"]
    (folder / "round.yaml").write_text("inherits: round\ndescription: x\n")
    one_sentence(cli("targets", "round"), "circle")
    (folder / "bad.yaml").write_text("inherits: cpu\nlimit: 3\n")
    one_sentence(cli("targets", "bad"), "bad.yaml:2: limit")


@pytest.mark.slow
def test_a_latency_limit_is_checked_before_training(cli, tmp_path):
    """Nothing runs in a hundredth of a microsecond: every trial is infeasible, none is trained."""
    data = small_npz(tmp_path / "d.npz")
    options = ("--space", "nano", "--trials", 2, "--limit", "latency_us=0.01", "--out", tmp_path / "run")
    code, out, err = cli("search", "--data", data, *options)
    assert code == 1 and "Traceback" not in err and "0 on the Pareto front" in out
    records = [json.loads(p.read_text()) for p in (tmp_path / "run" / "candidates").glob("*/candidate.json")]
    assert len(records) == 2
    for record in records:
        assert record["status"] == "infeasible" and "latency_ms" in record["reason"]
        assert record["metrics"]["latency_ms"]["kind"] == "measured" and "train" not in record["time_s"]
