"""`edgeml doctor`: what it says of a whole and of a broken computer, and what it keeps to itself."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from edgeml.doctor import computer, finding, self_test, steps, versions
from edgeml.doctor.examination import examine
from edgeml.doctor.finding import Diagnosis, Line, Section
from edgeml.search.workers import container
from edgeml.target.board.process import Finished

ROOT = Path(__file__).resolve().parent.parent


def line(section: Section, what: str) -> Line:
    return next(one for one in section.lines if one.what == what)


@pytest.fixture(scope="module")
def tested(tmp_path_factory: pytest.TempPathFactory) -> Section:
    return self_test.self_test(tmp_path_factory.mktemp("runs") / "not" / "there")


@pytest.mark.slow
def test_the_self_test_finds_this_computer_well(tested: Section) -> None:
    assert [one for one in tested.lines if one.state == "problem"] == []
    assert [one.what for one in tested.lines] == [
        "files", "TensorFlow", "GPU", "training", "conversion to int8", "LiteRT", "latency", "onnxruntime",
        "tflite-micro", "worker",
    ]  # fmt: skip
    assert "a killed one is noticed" in line(tested, "worker").found
    assert "trains on the CPU" in line(tested, "GPU").found


def test_quick_says_versions_computer_meters_and_files(cli, tmp_path: Path) -> None:
    code, out, err = cli("doctor", "--quick")
    assert code == 0 and not err
    numpy = metadata.version("numpy")
    for words in (
        f"numpy: {numpy}, tested: >=", "vector instructions: ", "cores: ",
        "litert_host: usable (for cpu): latency_ms measured", "ssh: note: not usable here",
        "files: locks, renames, fsync and SQLite work", "network: not used",
    ):  # fmt: skip
        assert words in out
    assert out.rstrip().endswith("all well, as far as that was looked at (--quick)")
    assert "\x1b" not in out
    assert list(tmp_path.iterdir()) == []  # nothing is left behind


def test_json(cli) -> None:
    code, out, _ = cli("doctor", "--quick", "--json")
    found = json.loads(out)
    assert code == 0 and found["ok"] and not found["self_test"]
    titles = ["Versions", "Optional parts", "Computer", "Meters of the targets", "Programs", "Files"]
    assert [section["title"] for section in found["sections"]] == titles
    assert {one["state"] for section in found["sections"] for one in section["lines"]} <= {
        "ok", "note", "problem",
    }  # fmt: skip


def test_nothing_private_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    home = tmp_path / "home" / "wilhelmine"
    home.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("LOGNAME", "wilhelmine")
    monkeypatch.setenv("EDGEML_SSH", "ssh://wilhelmine@secret-host")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2hunter2")
    folder = tmp_path / "data" / "wilhelmine" / "runs"
    folder.mkdir(parents=True)
    (home / "runs").mkdir()
    text = json.dumps(examine(folder, quick=True).to_dict())
    text += json.dumps(examine(home / "runs", quick=True).to_dict())
    for secret in ("wilhelmine", "secret-host", "hunter2", str(home)):
        assert secret not in text
    assert "~/runs" in text and "data/USER/runs" in text and "EDGEML_SSH (values not shown)" in text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("see /home/ada/x", "see ~/x"),
        ("/home/ada-2/x", "/home/ada-2/x"),
        ("/data/ada/x and adapter", "/data/USER/x and adapter"),
        ("postgresql://ada:pw@host/db", "postgresql://***@host/db"),
        ("ssh://[user@]host", "ssh://[user@]host"),
    ],
)
def test_what_is_hidden(monkeypatch: pytest.MonkeyPatch, text: str, shown: str) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    monkeypatch.setenv("LOGNAME", "ada")
    assert finding.hidden(text) == shown


def test_a_missing_package(monkeypatch: pytest.MonkeyPatch) -> None:
    real = metadata.version

    def version(name: str) -> str:
        if name in ("onnxruntime", "ethos-u-vela"):
            raise metadata.PackageNotFoundError(name)
        return "0.1" if name == "optuna" else real(name)

    monkeypatch.setattr(metadata, "version", version)
    found = versions.versions()
    gone, old = line(found, "onnxruntime"), line(found, "optuna")
    assert gone.state == "problem" and "not installed" in gone.found
    assert gone.advice.startswith("pip install 'onnxruntime>=")
    assert old.state == "problem" and old.found.startswith("0.1, tested: >=5.0")
    extra = line(versions.extras(), "ethos-u")
    assert extra.state == "note" and extra.advice == "pip install 'edgeml[ethos-u]'"


def test_edgeml_itself_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versions, "DISTRIBUTION", "edgeml-that-is-not-there")
    assert line(versions.versions(), "edgeml").state == "problem"


def fake_package(folder: Path, name: str, code: str) -> Path:
    (folder / name).mkdir(parents=True)
    (folder / name / "__init__.py").write_text(code)
    return folder


def stepped(monkeypatch: pytest.MonkeyPatch, path: Path, name: str, folder: Path) -> list[Line]:
    monkeypatch.setenv("PYTHONPATH", str(path))
    return self_test.run_step(name, folder)


@pytest.mark.parametrize(
    ("code", "found", "advice"),
    [
        ("import os; os.kill(os.getpid(), 4)", "died of SIGILL while importing tensorflow", "AVX"),
        ("import os; os.kill(os.getpid(), 11)", "died of SIGSEGV while importing tensorflow", "crashed"),
        ("import os; os._exit(3)", "ended with status 3 while importing tensorflow", "report"),
        ("raise ImportError('libfoo.so: no such file')", "ImportError: libfoo.so", ""),
        ("import nowhere_to_be_found", "No module named", "pip install nowhere_to_be_found"),
    ],
)
def test_a_broken_tensorflow(monkeypatch, tmp_path: Path, code: str, found: str, advice: str) -> None:
    path = fake_package(tmp_path / "broken", "tensorflow", code)
    (one,) = stepped(monkeypatch, path, "network", tmp_path)
    assert one.state == "problem" and found in one.found and advice in one.advice


def test_a_step_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = fake_package(tmp_path / "slow", "tensorflow", "import time; time.sleep(600)")
    monkeypatch.setitem(steps.STEPS, "network", (steps.network, 3.0))
    (one,) = stepped(monkeypatch, path, "network", tmp_path)
    assert one.found == "not done within 3 s while importing tensorflow"


def test_steps_without_what_they_need_are_not_tried(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def run(name: str, folder: Path) -> list[Line]:
        return [Line(name, "", "problem" if name == "network" else "ok")]

    monkeypatch.setattr(self_test, "run_step", run)
    found = self_test.self_test(tmp_path)
    assert "not tried, because network failed" in line(found, "litert").found
    assert line(found, "worker").state == "ok"
    told = Diagnosis((found,), True, 1.0)
    assert not told.ok and told.verdict == "1 problem: network; what to do stands beside each"


def test_a_problem_is_exit_code_1(cli, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Section("Files", (Line("files", "no [bold]lock", "problem", "go away"),))
    monkeypatch.setattr("edgeml.doctor.examination.file_test", lambda folder: broken)
    code, out, _ = cli("doctor", "--quick")
    assert code == 1 and "files: PROBLEM: no [bold]lock -> go away" in out and "1 problem: files" in out


def test_a_part_that_breaks_does_not_end_the_report(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def broken() -> Section:
        raise RuntimeError("everything is lost")

    monkeypatch.setattr("edgeml.doctor.examination.versions", broken)
    found = examine(tmp_path, quick=True)
    assert [one.what for one in found.problems] == ["versions"]
    assert "everything is lost" in found.problems[0].found


def test_a_full_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    usage = type("Usage", (), {"free": 1e6})
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage)
    found = computer.disk("run folder", tmp_path / "not" / "there")
    assert found.state == "problem" and "0.0 GB free" in found.found and "free some space" in found.advice


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (one,) = self_test.file_test(tmp_path / "file" / "runs").lines
    assert one.state == "problem" and "cannot be written" in one.found


def test_a_folder_whose_name_is_too_long(tmp_path: Path) -> None:
    """Whether it is there cannot even be asked."""
    folder = tmp_path / ("a" * 300) / "runs"
    for found in (self_test.file_test(folder).lines[0], computer.disk("run folder", folder)):
        assert found.state == "problem" and "File name too long" in found.found


def test_a_bus_error_under_the_file_test_names_the_disk() -> None:
    """SQLite maps a file into memory, and a page that finds no room there is a SIGBUS."""
    said = f"edgeml-doctor {json.dumps({'doing': 'writing'})}\n"
    finished = Finished(-signal.SIGBUS, said.encode(), b"", False, False, 1.0)
    found = self_test.crashed("files", "writing", finished)
    assert found.found == "died of SIGBUS while writing" and "disk may be full" in found.advice


def test_processors(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    info = tmp_path / "cpuinfo"
    monkeypatch.setattr(computer, "CPUINFO", info)
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    info.write_text("model name : Old\nflags : sse sse2\n")
    old = line(computer.computer(tmp_path), "vector instructions")
    assert old.state == "problem" and "SIGILL" in old.advice
    info.write_text("model name : New\nflags : avx avx2 fma avx512f avx512_vnni amx_int8\n")
    new = line(computer.computer(tmp_path), "vector instructions")
    assert new.state == "ok" and "AVX-512 VNNI, AMX int8" in new.found
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    info.write_text("CPU implementer : 0x41\nCPU part : 0xd0b\nFeatures : asimd asimddp\n")
    arm = computer.computer(tmp_path)
    assert line(arm, "vector instructions").found.startswith("NEON, dotprod; not: i8mm")
    assert line(arm, "processor").found == "0x41 0xd0b"


def test_what_a_container_allows(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(container, "CGROUP", tmp_path)
    assert container.cpu_quota() is None and container.memory_limit() is None
    (tmp_path / "cpu.max").write_text("50000 100000\n")
    (tmp_path / "memory.max").write_text("500000000\n")
    found = computer.computer(tmp_path)
    assert line(found, "cores").state == "note" and "a quota allows 0.5" in line(found, "cores").found
    assert line(found, "memory").state == "problem" and "may use 0.5 GB" in line(found, "memory").found
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert container.cpu_quota() is None


@pytest.mark.parametrize(("low", "high", "state"), [(0.9, 1.1, "ok"), (0.7, 1.3, "note")])
def test_a_noisy_computer_is_told(low: float, high: float, state: str) -> None:
    assert steps.spread(1.0, low, high, None).state == state
    assert steps.spread(1.0, 0.99, 1.0, ["busy"]).state == "note"


def test_a_program_imports_nothing_from_the_working_directory(tmp_path: Path) -> None:
    """A folder of data from elsewhere may hold a json.py; no process of ours may run it."""
    for name in ("json", "numpy", "sqlite3", "multiprocessing", "random", "tensorflow", "edgeml"):
        (tmp_path / f"{name}.py").write_text("open('ran', 'w').close()\nraise SystemExit('hijacked')\n")
    program = Path(sys.executable).with_name("edgeml")
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    done = subprocess.run(
        [program, "doctor", "--quick"], cwd=tmp_path, capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (tmp_path / "m.tflite").write_bytes(b"\0\0\0\0TFL3" + bytes(64))
    spawned = subprocess.run(
        [program, "measure", "m.tflite", "--device", "host"], cwd=tmp_path, capture_output=True, text=True,
        env=environment,
    )  # fmt: skip
    assert spawned.returncode == 2 and "m.tflite: LiteRT cannot load the model" in spawned.stderr
    assert not (tmp_path / "ran").exists()
