"""Full and failing disks, torn files, kills: nothing finished is lost, and what is said is one sentence."""

from __future__ import annotations

import errno
import json
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edgeml.errors import EdgemlError, RunError, StorageError
from edgeml.search.candidate import Candidate
from edgeml.search.run_dir import RunDir

OTHER = "0123456789ab"


def made(number=0, rung=0):
    model = bytes(number + 8)
    artifact = {"file": "model.tflite", "bytes": len(model), "weights_sha256": "-"}
    candidate = Candidate(
        OTHER, number, "stopped", {}, {}, 0, rungs=[{"rung": r} for r in range(rung + 1)], artifact=artifact
    )
    header = json.dumps({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    weights = len(header).to_bytes(8, "little") + header + bytes(4)
    return candidate, {"model.tflite": model, "weights.safetensors": weights}


@pytest.fixture
def run(tmp_path):
    run = RunDir(tmp_path / "run")
    run.create()
    run.store(*made())
    return run


def begun(run, layout=3):
    run.data.mkdir(exist_ok=True)
    run.begin({"layout": layout, **{name: {} for name in ("settings", "dataset", "space", "ladder")}})


@pytest.mark.parametrize(
    "code", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EFBIG, errno.ESTALE]
)
@pytest.mark.parametrize("call", ["fsync", "replace", "mkdir"])
def test_a_disk_that_fails_is_one_sentence_and_keeps_what_was_there(run, monkeypatch, code, call):
    def fails(*_args, **_named):
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patch:
        patch.setattr(os, call, fails)
        with pytest.raises(StorageError) as caught:
            run.store(*made(0, 1))
    assert str(caught.value).count("\n") == 0 and str(run.path) in str(caught.value)
    run.clear_unfinished()
    assert len(run.load_candidates()[0].rungs) in (1, 2) and not run.repaired
    assert not list(run.path.rglob(".*"))
    run.store(*made(0, 1))  # once there is room
    assert len(run.load_candidates()[0].rungs) == 2


def test_a_limit_on_the_size_of_files(run):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    candidate, files = made()
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, before[1]))
    try:
        with pytest.raises(StorageError, match="ulimit -f"):
            run.store(candidate, {**files, "weights.safetensors": bytes(100_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert len(run.load_candidates()) == 1


def test_a_disk_that_is_really_full(small_disk):
    run = RunDir(small_disk / "run")
    run.create()
    run.store(*made())
    candidate, files = made(0, 1)
    with pytest.raises(StorageError, match="no disk space"):
        run.store(candidate, {**files, "weights.safetensors": bytes(300_000)})
    assert len(run.load_candidates()[0].rungs) == 1 and not list(run.path.rglob(".*"))
    run.store(candidate, files)
    assert len(run.load_candidates()[0].rungs) == 2


@pytest.mark.parametrize("moved", [False, True])
def test_a_kill_between_two_renames_loses_no_training(run, moved):
    """The next rung's folder was whole: it gets the name, wherever the rename was broken off."""
    new = RunDir(run.path.parent / "other")
    new.create()
    new.store(*made(0, 1))
    (new.candidates / OTHER).replace(run.candidates / f".{OTHER}")
    if moved:
        (run.candidates / OTHER).replace(run.candidates / f".{OTHER}.before")
    run.clear_unfinished()
    assert len(run.load_candidates()[0].rungs) == 2 and not list(run.candidates.glob(".*"))


def test_a_kill_while_a_folder_was_written(run):
    half = run.candidates / f".{OTHER}"
    shutil.copytree(run.candidates / OTHER, half)
    (half / "model.tflite").write_bytes(b"")
    (run.candidates / OTHER).replace(run.candidates / f".{OTHER}.before")
    run.clear_unfinished()
    assert len(run.load_candidates()) == 1 and not list(run.candidates.glob(".*")) and not run.repaired


@pytest.mark.parametrize("name", ["candidate.json", "model.tflite", "weights.safetensors"])
@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", None])
def test_a_torn_candidate_is_set_aside_and_said(run, name, content):
    path = run.candidates / OTHER / name
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    assert run.load_candidates() == []
    assert len(run.repaired) == 1 and OTHER in run.repaired[0]
    assert (run.path / "damaged" / OTHER).is_dir()


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"layout": 3}', '{"layout": 3, "settings": []}', "\0" * 50]
)
def test_a_torn_run_json_is_one_sentence(run, content):
    (run.path / "run.json").write_text(content)
    with pytest.raises(RunError, match=r"damaged.*--out") as caught:
        run.open()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("layout", [1, 2, 4, None, "3"])
def test_another_layout_is_refused_in_one_sentence(run, layout):
    begun(run, layout)
    with pytest.raises(RunError, match=r"this edgeml reads layout 3; use the edgeml"):
        run.open()


def test_torn_state_front_and_bank_are_made_anew(run):
    begun(run)
    for name in ("state.json", "front.json", "bank.safetensors"):
        (run.path / name).write_bytes(b"\0\0")
    run.check_whole()
    assert run.state() == {} and len(run.repaired) == 3
    assert {p.name for p in (run.path / "damaged").iterdir()} == {
        "state.json",
        "front.json",
        "bank.safetensors",
    }


def test_what_was_killed_before_it_had_begun(tmp_path, cli):
    run = RunDir(tmp_path / "run")
    run.create()
    (run.path / ".data.abc").mkdir()
    (run.path / ".run.json.1.tmp").write_text("{")
    run.log.write_text("")
    assert run.unbegun
    code, _, err = cli("search", "--resume", "--out", "run")
    assert code == 2 and "ended before it had begun" in err and err.count("\n") == 1
    run.create()
    assert not list(run.path.glob(".*"))
    (run.path / "holiday.jpg").write_text("mine")
    with pytest.raises(RunError, match="not an edgeml run"):
        run.create()
    assert (run.path / "holiday.jpg").exists()


def test_a_folder_of_the_users_own_data_is_not_cleared(tmp_path):
    (tmp_path / "run" / "data" / "cats").mkdir(parents=True)
    (tmp_path / "run" / "candidates").mkdir()
    with pytest.raises(RunError, match="not an edgeml run"):
        RunDir(tmp_path / "run").create()
    assert (tmp_path / "run" / "data" / "cats").is_dir()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be someone else")
def test_a_run_of_someone_else_is_one_sentence(tmp_path):
    run = RunDir(tmp_path / "run")
    run.create()
    begun(run)
    script = (
        "import os, sys; from pathlib import Path; from edgeml.errors import EdgemlError\n"
        "from edgeml.search.run_dir import RunDir; os.setuid(65534)\n"
        "try:\n    with RunDir(Path(sys.argv[1])).locked(): print('held')\n"
        "except EdgemlError as error: print(error)"
    )
    for mode, said in ((0o755, "copy the folder"), (0o700, "cannot be read")):
        run.path.chmod(mode)
        for parent in run.path.parents[:4]:
            parent.chmod(0o755)
        done = subprocess.run(
            [sys.executable, "-c", script, run.path],
            capture_output=True, text=True, check=True, cwd=Path(__file__).parent.parent,
        )  # fmt: skip
        assert said in done.stdout and done.stdout.count("\n") == 1, done.stdout


def test_a_file_in_place_of_the_folder(tmp_path):
    (tmp_path / "run").write_text("")
    with pytest.raises(EdgemlError, match="is a file"), RunDir(tmp_path / "run").locked():
        pass


@pytest.mark.slow
def test_a_coordinator_killed_at_any_instant_loses_and_repeats_nothing(tmp_path):
    """No training, so that there are many kills; bench/endurance_kills.py has the real command."""
    script = Path(__file__).parent / "killed_engine.py"
    done = subprocess.run(
        [sys.executable, script, "60", tmp_path], capture_output=True, text=True, check=False, timeout=400
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert found["kills"] == 60 and found["wrong"] == [] and len(found["phases"]) > 3
