"""tools/arm_sysroot.py with programs that a script plays: whole or not at all, one sentence on failure."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from edgeml.target.qemu.guest import GuestError
from edgeml.target.qemu.sysroot import Sysroot, made
from tools import arm_sysroot

PROGRAMS = {
    "qemu-aarch64": 'case "$1" in -h) echo "-plugin x" ;; *) echo "qemu-aarch64 version 7.2.9" ;; esac',
    "gcc": 'while [ "$1" != -o ]; do shift; done; echo plugin > "$2"',
    "apt-get": 'for last; do :; done; [ "$last" = update ] || echo deb > libc6_1_arm64.deb',
    "dpkg-deb": 'mkdir -p "$3/lib" "$3/usr/share/doc" "$3/usr/lib"',
}
"""Name -> body of a shell script that does as the program would."""


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str, str | None], None]:
    """`play(program, body)` replaces one of PROGRAMS, or removes it with None; all are on PATH at first."""
    programs = tmp_path / "bin"
    programs.mkdir()

    def play(program: str, body: str | None) -> None:
        path = programs / program
        path.unlink(missing_ok=True)
        if body is not None:
            path.write_text(f"#!/bin/sh\n{body}\n")
            path.chmod(0o755)

    for program, body in PROGRAMS.items():
        play(program, body)
    for program in ("mkdir", "sh", "sleep"):
        (programs / program).symlink_to(Path("/bin") / program)
    (tmp_path / "keyring").touch()
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setenv("EDGEML_ARM_SYSROOT", str(tmp_path / "data" / "arm-sysroot"))
    monkeypatch.setattr(arm_sysroot, "KEYRING", tmp_path / "keyring")
    monkeypatch.setattr(arm_sysroot, "_fetch_wheels", wheels)
    monkeypatch.setattr(arm_sysroot, "start", lambda *_: Started())
    return play


class Started:
    def close(self) -> None:
        pass


def wheels(folder: Path) -> list[Path]:
    folder.mkdir(parents=True)
    with zipfile.ZipFile(folder / "litert.whl", "w") as wheel:
        wheel.writestr("litert/__init__.py", "")
        wheel.writestr("litert/tests/test_it.py", "")
    return [folder / "litert.whl"]


def folder_of(tmp_path: Path) -> Path:
    return tmp_path / "data" / "arm-sysroot"


Play = Callable[[str, str | None], None]


def test_it_is_made_whole_and_left_alone_afterwards(
    play: Play, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert arm_sysroot.main([]) == 0
    found = made(folder_of(tmp_path))
    assert isinstance(found, Sysroot)
    assert found.versions["qemu"] == "7.2.9"
    assert found.versions["debs"] == ["libc6_1_arm64.deb"]
    assert found.plugin.read_text() == "plugin\n"
    assert (found.site / "litert" / "__init__.py").is_file()
    assert not (found.site / "litert" / "tests").exists()
    assert not (found.root / "usr" / "share").exists()
    assert {path.name for path in folder_of(tmp_path).parent.iterdir()} == {"arm-sysroot", "arm-sysroot.lock"}
    play("apt-get", "exit 1")
    assert arm_sysroot.main([]) == 0
    assert "already there" in capsys.readouterr().out


def test_an_outdated_one_is_replaced(play: Play, tmp_path: Path) -> None:
    assert arm_sysroot.main([]) == 0
    versions = folder_of(tmp_path) / "versions.json"
    versions.write_text(versions.read_text().replace('"layout": 1', '"layout": 0'))
    (folder_of(tmp_path) / "rest").touch()
    assert arm_sysroot.main([]) == 0
    assert isinstance(made(folder_of(tmp_path)), Sysroot)
    assert not (folder_of(tmp_path) / "rest").exists()


@pytest.mark.parametrize(
    ("program", "body", "says"),
    [
        ("gcc", None, "gcc is not on PATH; install Debian's package gcc."),
        ("qemu-aarch64", None, "qemu-aarch64 is not on PATH; install Debian's package qemu-user."),
        ("apt-get", None, "apt-get is not on PATH; install Debian's package apt."),
        (
            "qemu-aarch64",
            'case "$1" in -h) echo "-cpu x" ;; *) echo "qemu-aarch64 version 10.0.2" ;; esac',
            "qemu-aarch64 10.0.2 has no -plugin option; expected one built with plugins",
        ),
        (
            "apt-get",
            'echo "W: old" >&2; echo "E: Could not resolve deb.debian.org" >&2; exit 100',
            "reading the package list of http://deb.debian.org/debian failed; is there a network? "
            "apt-get said: E: Could not resolve deb.debian.org",
        ),
        (
            "apt-get",
            "sleep 600",
            "reading the package list of http://deb.debian.org/debian took longer than 1 s",
        ),
        ("dpkg-deb", "exit 2", "unpacking libc6_1_arm64.deb failed: dpkg-deb said: exit status 2"),
        (
            "gcc",
            'echo "count.c:1: error: no" >&2; exit 1',
            "compiling count.c failed: gcc said: count.c:1: error",
        ),
    ],
)
def test_a_failure_is_one_sentence_and_leaves_nothing(
    play: Play,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    program: str,
    body: str | None,
    says: str,
) -> None:
    if body and "sleep" in body:
        monkeypatch.setattr(arm_sysroot, "FETCH_LIMIT_S", 1)
    play(program, body)
    assert arm_sysroot.main([]) == 2
    said = capsys.readouterr().err
    assert says in said
    assert said.count("\n") == 1
    nothing_left(tmp_path)


def nothing_left(tmp_path: Path) -> None:
    data = folder_of(tmp_path).parent
    assert not data.exists() or [path.name for path in data.iterdir()] == ["arm-sysroot.lock"]


def test_a_worker_that_does_not_start(
    play: Play, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(*_: object) -> None:
        raise GuestError("it ended with signal SIGILL")

    monkeypatch.setattr(arm_sysroot, "start", start)
    assert arm_sysroot.main([]) == 2
    assert "the worker does not start under qemu-aarch64 7.2.9: it ended with signal SIGILL." in (
        capsys.readouterr().err
    )
    nothing_left(tmp_path)


def test_without_debians_keys(
    play: Play, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arm_sysroot, "KEYRING", tmp_path / "none.gpg")
    assert arm_sysroot.main([]) == 2
    assert "none.gpg is missing; install the package debian-archive-keyring." in capsys.readouterr().err


def test_a_folder_that_cannot_be_written(
    play: Play, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("EDGEML_ARM_SYSROOT", str(tmp_path / "file" / "arm-sysroot"))
    assert arm_sysroot.main([]) == 2
    assert capsys.readouterr().err.startswith(f"arm-sysroot: {tmp_path}/file: ")
