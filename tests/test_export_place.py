"""Where an export is written: all of it or nothing, nothing of the user's is touched, a kill does no harm."""

from __future__ import annotations

import errno
import fcntl
import json
import os
from pathlib import Path

import pytest

from edgeml.errors import RunError, StorageError
from edgeml.export.place import check_place, write_folder


def test_out_that_cannot_be_made(tmp_path):
    (tmp_path / "nowhere").symlink_to(tmp_path / "absent")
    with pytest.raises(StorageError, match="nowhere: cannot be written"):
        write_folder(tmp_path / "nowhere", {"model.json": b"{}"})


def test_out_that_another_export_writes_to(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    descriptor = os.open(out, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        with pytest.raises(RunError, match="being written by another edgeml"):
            write_folder(out, {"model.json": b"{}"})
    finally:
        os.close(descriptor)
    assert list(out.iterdir()) == []


def export_of(files: dict[str, bytes]) -> dict[str, bytes]:
    return {**files, "model.json": json.dumps({"checksums": dict.fromkeys(files, "")}).encode()}


def test_a_full_disk_leaves_what_was_there(tmp_path, monkeypatch):
    out = tmp_path / "out"
    old = export_of({"model.tflite": b"old", "deep/saved.pb": b"old"})
    write_folder(out, old)
    write = Path.write_bytes

    def full(path, content):
        if path.name == "b":
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(path, content)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(StorageError, match=r"no disk space left at .*out, 2,00. bytes"):
        write_folder(out, {"a": bytes(1000), "b": bytes(1000), "model.json": b"{}"})
    assert {str(p.relative_to(out)): p.read_bytes() for p in out.rglob("*") if p.is_file()} == old
    fresh = tmp_path / "fresh"
    with pytest.raises(StorageError):
        write_folder(fresh, {"b": b"", "model.json": b"{}"})
    assert not fresh.exists()


def test_a_later_export_takes_what_an_earlier_one_left_behind(tmp_path):
    out = tmp_path / "out"
    write_folder(out, export_of({"a": b"1", "deep/er/b": b"2"}))
    (out / ".edgeml-export-killed").mkdir()
    (out / ".edgeml-export-killed" / "half").write_text("x")
    write_folder(out, export_of({"a": b"3"}))
    assert sorted(str(p.relative_to(out)) for p in out.rglob("*")) == ["a", "model.json"]


class Killed(BaseException):
    """Nothing is tidied up once files get their places, so that this ends as a kill would."""


@pytest.mark.parametrize("earlier", [False, True])
def test_an_export_killed_at_any_step_is_taken_up_by_the_next(tmp_path, monkeypatch, earlier):
    """Between any two renames or removals; what is the user's is refused there too, and stays."""
    replace, unlink = Path.replace, Path.unlink
    left = 0

    def counted(act, path, *given, **options):
        nonlocal left
        left -= 1
        if left < 0:
            raise Killed
        return act(path, *given, **options)

    for step in range(2, 20):  # the first two are those of the note, before anything gets its place
        out, ended = tmp_path / str(step), False
        if earlier:
            write_folder(out, export_of({"a": b"old", "old/x": b"old"}))
        with monkeypatch.context() as patched:
            left = step
            patched.setattr(Path, "replace", lambda *given: counted(replace, *given))
            patched.setattr(Path, "unlink", lambda *given, **options: counted(unlink, *given, **options))
            try:
                write_folder(out, export_of({"a": b"new", "b/c": b"new"}))
                ended = True
            except Killed:
                pass
        (out / "mine.txt").write_text("keep")
        with pytest.raises(RunError):
            write_folder(out, export_of({"d": b"newer"}))
        assert (out / "mine.txt").read_text() == "keep"
        (out / "mine.txt").unlink()
        write_folder(out, export_of({"d": b"newer"}))
        assert sorted(path.name for path in out.iterdir()) == ["d", "model.json"]
        if ended:
            break
    assert ended and step >= 4


def test_an_out_that_cannot_be_written_to_is_found_at_once(tmp_path):
    with pytest.raises(StorageError, match="/proc/edgeml-out: cannot be written"):
        check_place(Path("/proc/edgeml-out"))
    check_place(tmp_path / "new" / "er")
    check_place(tmp_path)
    assert list(tmp_path.iterdir()) == []
