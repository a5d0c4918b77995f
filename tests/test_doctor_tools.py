"""What the doctor says of meters and programs that are missing, hang, crash or suit some targets only."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgeml.doctor import tools
from tests.test_doctor import line


def test_a_missing_meter_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("EDGEML_SSH", raising=False)
    coral = line(tools.meters(), "coral_compiler")
    assert coral.state == "note" and "edgetpu_compiler is not on PATH" in coral.advice
    assert line(tools.programs(), "adb").found == "not found"


def test_a_meter_is_asked_for_every_target(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A profile with a board of its own comes after those that name none."""
    (tmp_path / "targets").mkdir()
    (tmp_path / "targets" / "zz.yaml").write_text(
        'inherits: rpi4\ndescription: mine\noptions: {ssh: {url: "ssh://pi@board"}}\n'
    )
    (tmp_path / "ssh").write_text("#!/bin/sh\n")
    (tmp_path / "ssh").chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("EDGEML_SSH", raising=False)
    found = [one for one in tools.meters().lines if one.what == "ssh"]
    assert [one.state for one in found] == ["ok", "note"]
    assert "usable (for zz): latency_ms measured" in found[0].found
    assert "(for rpi4, rpi5)" in found[1].found and "no board given" in found[1].advice


def test_programs_that_hang_or_crash(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, code in (
        ("adb", "sleep 60"),
        ("gcc", "kill -SEGV $$"),
        ("ssh", "printf 'v1 \\033[31mred' >&2"),
    ):
        (tmp_path / name).write_text(f"#!/bin/sh\n{code}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setattr(tools, "ANSWER_S", 1.0)
    found = tools.programs()
    assert line(found, "adb").found == "no answer within 1 s"
    assert line(found, "gcc").found == "ended by signal 11"
    assert line(found, "ssh").found == "v1  [31mred"
