"""The whole product end to end on the null target, and on digits through the documented commands."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests.command import edgeml_run

EDGEML = [sys.executable, "-m", "edgeml.cli"]
TINY = ["--data", "digits", "--target", "null", "--epochs", "1", "--compress", "none"]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A finished run of three trials, and what the command printed."""
    folder = tmp_path_factory.mktemp("tiny")
    command = [*EDGEML, "search", *TINY, "--trials", "3", "--out", "run", "--json"]
    return folder, subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)


def test_the_whole_way(tiny):
    folder, done = tiny
    rows = json.loads(done.stdout)
    assert len(rows) == len({row["key"] for row in rows}) == 3
    for row in rows:
        for name in (
            "key",
            "accuracy",
            "accuracy_float",
            "size_bytes",
            "ram_bytes",
            "macs",
            "params",
            "fidelity",
        ):
            assert row[name] is not None, name
        assert "parent" in row and "pareto" in row and row["latency_ms"] is None
        assert row["compression"] is None  # asked for none
    front = [row for row in rows if row["pareto"]]
    assert front and all(
        0 <= row["test_accuracy"]["low"] <= row["test_accuracy"]["high"] <= 1 for row in front
    )
    assert (folder / "run" / "report.html").stat().st_size > 100_000
    for noise in ("tensorflow", "oneDNN", "cuda", "XNNPACK", "Warning", "fully_quantize"):
        assert noise not in done.stderr
    assert json.loads(edgeml_run("leaderboard", "run", "--json", cwd=folder).stdout) == rows


def test_the_exported_file_scores_what_the_leaderboard_says(tiny):
    """Reads the exported file with LiteRT and scikit-learn's digits only: nothing of edgeml's scoring."""
    from ai_edge_litert.interpreter import Interpreter

    from edgeml.data.dataset import load

    folder, done = tiny
    edgeml_run("export", "run", "--pick", "accuracy", "--out", "out", cwd=folder)
    best = max((row for row in json.loads(done.stdout) if row["pareto"]), key=lambda row: row["accuracy"])
    test = load("digits").test
    model = Interpreter(str(folder / "out" / "model.tflite"))
    model.allocate_tensors()
    hits = 0
    for image, label in zip(test.inputs, test.labels, strict=True):
        model.set_tensor(model.get_input_details()[0]["index"], image[None])
        model.invoke()
        hits += int(model.get_tensor(model.get_output_details()[0]["index"])[0].argmax() == label)
    assert hits / len(test) == pytest.approx(best["test_accuracy"]["value"])
    assert (folder / "out" / "labels.txt").read_text().split() == [str(digit) for digit in range(10)]

    import onnxruntime

    session = onnxruntime.InferenceSession(folder / "out" / "model.onnx", providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"image": test.inputs.astype(np.float32)})
    assert abs((found.argmax(-1) == test.labels).mean() - hits / len(test)) < 0.05


def test_bad_picks_and_folders(tiny):
    folder, _ = tiny
    (folder / "mine").mkdir(exist_ok=True)
    (folder / "mine" / "notes.txt").write_text("keep me")
    for args in (["--pick", "zzzz"], ["--format", "tflight"], ["--out", "mine"], ["--pick", "latency"]):
        done = edgeml_run("export", "run", *args, cwd=folder, check=False)
        assert done.returncode == 2 and len(done.stderr.splitlines()) == 1, done.stderr
    assert (folder / "mine" / "notes.txt").read_text() == "keep me"


def test_an_existing_run_needs_resume(tiny):
    folder, _ = tiny
    before = sorted(p.name for p in (folder / "run" / "candidates").iterdir())
    done = edgeml_run("search", *TINY, "--out", "run", cwd=folder, check=False)
    assert done.returncode == 2 and "--resume" in done.stderr
    done = edgeml_run("search", "--resume", "--out", "run", "--seed", 5, cwd=folder, check=False)
    assert done.returncode == 2 and "seed was 0" in done.stderr
    assert sorted(p.name for p in (folder / "run" / "candidates").iterdir()) == before


def test_resume_adds_trials_and_repeats_none(tiny):
    folder, done = tiny
    old = {row["key"]: row["number"] for row in json.loads(done.stdout)}
    rows = json.loads(
        edgeml_run("search", "--resume", "--out", "run", "--trials", 4, "--json", cwd=folder).stdout
    )
    new = {row["key"]: row["number"] for row in rows}
    assert len(new) == 4 and {key: new[key] for key in old} == old


def wait_for(condition, limit_s=300):
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, "nothing happened in time"
        time.sleep(0.1)


def finished(run: Path) -> dict[str, str]:
    return {path.parent.name: path.read_text() for path in run.glob("candidates/*/candidate.json")}


@pytest.mark.slow
def test_kill_9_loses_and_repeats_nothing(tmp_path):
    run, kept = tmp_path / "run", {}
    for count in (1, 3):
        more = ["--resume"] if count > 1 else TINY
        with subprocess.Popen(
            [*EDGEML, "search", *more, "--trials", "6", "--out", str(run)],
            cwd=tmp_path,
            stderr=subprocess.DEVNULL,
        ) as process:
            wait_for(lambda count=count: len(finished(run)) >= count)
            process.send_signal(signal.SIGKILL)
        wait_for(lambda: not any("spawn_main" in c for c in children_of_nobody(run)))
        now = finished(run)
        assert set(kept) <= set(now)
        kept = {key: json.loads(text)["number"] for key, text in now.items()}
    rows = json.loads(
        edgeml_run("search", "--resume", "--trials", 6, "--out", run, "--json", cwd=tmp_path).stdout
    )
    assert len(rows) == len({row["key"] for row in rows}) == 6
    numbers = {row["key"]: row["number"] for row in rows}
    assert {key: numbers[key] for key in kept} == kept


def children_of_nobody(run):
    """Command lines of orphaned workers that still write into `run`."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            log = os.readlink(path / "fd" / "1")  # noqa: PTH115
            if log == str(run / "worker.log"):
                found.append((path / "cmdline").read_text())
        except OSError:
            continue
    return found


def listen_to_ctrl_c():
    """Shells start background jobs (CI, nohup) with SIGINT ignored, and children inherit that."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.mark.slow
def test_ctrl_c_ends_cleanly_with_what_there_is(tmp_path):
    run = tmp_path / "run"
    command = [*EDGEML, "search", *TINY, "--trials", "30", "--out", str(run)]
    with subprocess.Popen(
        command,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=listen_to_ctrl_c,
    ) as process:
        wait_for(lambda: len(finished(run)) >= 2)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Traceback" not in err and "front" in out
    state = json.loads((run / "state.json").read_text())
    assert state["status"] == "interrupted" and state["trials"] == len(finished(run)) < 30
    assert (run / "report.html").exists()


@pytest.mark.slow
def test_quickstart_as_a_plain_script(tmp_path):
    """The example, made short and without its main guard's help: the worker must not run it again."""
    text = (Path(__file__).parent.parent / "examples" / "quickstart.py").read_text(encoding="utf-8")
    code, guard, _ = text.partition('if __name__ == "__main__":')
    assert guard and "trials=trials, " in code
    code = code.replace("trials=trials, ", "trials=trials, epochs=1, compress='none', ")
    (tmp_path / "plain.py").write_text(f"{code}main('quick', 1)\nprint('once')\n")
    command = [sys.executable, "plain.py"]
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert " % int8 " in said and "exported to" in said and said.count("once") == 1
    assert json.loads((tmp_path / "quick" / "state.json").read_text())["status"] == "finished"
    assert (tmp_path / "quick" / "report.html").exists()
