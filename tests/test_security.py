"""What docs/security.md promises and no other file tests."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import stat
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeml.data import scratch
from edgeml.errors import ConfigError, ModelError, RunError
from edgeml.export.checksums import read_sums
from edgeml.report.dashboard import _for_this_computer
from edgeml.report.run_files import open_run
from edgeml.resources import load_yaml
from edgeml.search.workers.compute import shown
from edgeml.target.board.address import parse_address
from tests.command import edgeml_run
from tools import audit

SECRET = "hunter2"
PAGE = Path(__file__).resolve().parent.parent / "docs" / "security.md"


@pytest.mark.parametrize(
    "text",
    [
        "a: !!python/object/apply:os.system ['touch ran']",
        "a: !!python/name:os.system",
        "!!python/object/new:os.system [touch ran]",
    ],
)
def test_yaml_makes_no_objects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(ConfigError, match=r"x\.yaml"):
        load_yaml(tmp_path / "x.yaml")
    assert not (tmp_path / "ran").exists()


class Evil:
    """Runs something when it is unpickled."""

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return os.mkdir, ("ran",)


@pytest.mark.parametrize("name", ["x.npz", "x.npy"])
def test_arrays_of_objects_are_never_unpickled(cli, tmp_path: Path, name: str) -> None:
    array = np.array([Evil()] * 40, dtype=object)
    if name.endswith(".npz"):
        np.savez(tmp_path / name, x=array, y=np.zeros(40, int), allow_pickle=True)
    else:
        np.save(tmp_path / name, array, allow_pickle=True)
    code, _, err = cli("data", tmp_path / name)
    assert code == 2 and "Traceback" not in err
    assert not (tmp_path / "ran").exists()


def safetensors(header: dict[str, Any], data: bytes) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


FOUR = {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}


@pytest.mark.parametrize(
    "content",
    [
        safetensors({"a": FOUR}, bytes(15)),  # cut short
        safetensors({"a": FOUR}, bytes(17)),  # more than the header says
        safetensors({"a": {**FOUR, "data_offsets": [0, 1 << 40]}}, bytes(16)),
        safetensors({"a": {**FOUR, "shape": [1 << 40]}}, bytes(16)),
        safetensors({"a": FOUR, "b": FOUR}, bytes(16)),  # the same bytes twice
        struct.pack("<Q", 1 << 60) + b"{}",
        b"",
    ],
)
def test_sizes_of_weights_are_checked_before_they_are_read(tmp_path: Path, content: bytes) -> None:
    from edgeml.train.bank import Bank

    (tmp_path / "bank.safetensors").write_bytes(content)
    with pytest.raises(RunError, match="no weight bank"):
        Bank.open(tmp_path / "bank.safetensors")


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/../../x"])
def test_checksums_name_files_of_their_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "SHA256SUMS").write_text(f"{'0' * 64}  {name}\n")
    with pytest.raises(ModelError, match="leads out of the folder"):
        read_sums(tmp_path)


@pytest.mark.parametrize("key", ["../../../x", "/tmp/x", "..", "", "a/b"])
def test_a_candidate_cannot_name_another_folder(finished_run: Path, tmp_path: Path, key: str) -> None:
    run = shutil.copytree(finished_run, tmp_path / "run")
    file = next(run.glob("candidates/*/candidate.json"))
    file.write_text(json.dumps({**json.loads(file.read_text()), "key": key}))
    with pytest.raises(RunError, match=r"candidate\.json"):
        open_run(run)


@pytest.mark.parametrize(
    "url", ["ssh://-oProxyCommand=x", "ssh://-x@host", "ssh://a@-h", "ssh://h?config=-x"]
)
def test_a_host_is_no_option(url: str) -> None:
    with pytest.raises(ConfigError):
        parse_address(url)


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://u:{SECRET}@host/db",
        f"postgresql://u:p@{SECRET}@host/db",
        f"postgresql+psycopg://u@host/db?password={SECRET}",
        f"s3://key:{SECRET}@bucket/x",
        f"tcp://:{SECRET}@host:8786",
        f"sqlite:///x?key={SECRET}#{SECRET}",
        f"http://[{SECRET}@",
    ],
)
def test_urls_are_shown_without_secrets(url: str) -> None:
    assert SECRET not in str(shown(url))


def test_a_run_holds_no_variable_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_SECRET_ACCESS_KEY", "MY_TOKEN"):
        monkeypatch.setenv(name, SECRET)
    arguments = ["--data", "digits", "--target", "null", "--trials", "1", "--epochs", "0.2", "--no-curves"]
    out = tmp_path / "run"
    done = edgeml_run("search", *arguments, "--compress", "none", "--out", out, cwd=tmp_path)
    assert SECRET not in done.stdout + done.stderr
    files = [path for path in out.rglob("*") if path.is_file()]
    assert len(files) > 8
    assert [path for path in files if SECRET.encode() in path.read_bytes()] == []
    assert not any(path.stat().st_mode & stat.S_IWOTH for path in out.rglob("*"))


def test_a_cache_without_a_home_is_private(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", lambda: (_ for _ in ()).throw(RuntimeError("no home")))
    folder = scratch.cache_folder("images")
    assert stat.S_IMODE(folder.parent.stat().st_mode) == 0o700
    assert folder.parent.name.startswith("edgeml-cache-") and scratch.cache_folder("images") == folder


@pytest.mark.parametrize(
    ("host", "status"),
    [("127.0.0.1:8080", "200"), ("localhost", "200"), ("evil.example:8080", "403"), ("", "403")],
)
def test_the_dashboard_answers_this_computer_only(host: str, status: str) -> None:
    said: list[str] = []

    def app(environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
        start("200 OK", [])
        return [b"trials"]

    body = _for_this_computer(app)({"HTTP_HOST": host}, lambda status, headers: said.append(status))
    assert said[0].startswith(status) and (b"trials" in b"".join(body)) == (status == "200")


def test_known_vulnerabilities_fail_and_ignored_ones_do_not() -> None:
    flaw = {"id": "PYSEC-1", "aliases": ["CVE-2026-1"], "fix_versions": ["2.0"]}
    found = [{"name": "a", "version": "1", "vulns": [flaw]}, {"name": "b", "skip_reason": "not found"}]
    bad, notes = audit.verdict(found, {})
    assert bad == ["a 1: CVE-2026-1 = PYSEC-1, mended in 2.0"] and notes[0].startswith("NOT audited: 1 of 2")
    bad, notes = audit.verdict(found, {"CVE-2026-1": "a is not called with files of others"})
    assert bad == [] and "because a is not called" in notes[0]


def test_an_audit_that_fails_or_hangs_says_that_nothing_was_audited(tmp_path: Path) -> None:
    program = tmp_path / "pip-audit"
    hangs, fails = ("exec sleep 600", 1, "not done within 1 s"), ("echo no >&2; exit 3", 60, "status 3 (no)")
    for script, limit_s, words in (hangs, fails):
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        assert words in str(audit.audited(str(program), limit_s=limit_s))
    assert "cannot be started" in str(audit.audited(str(tmp_path / "none")))


def test_every_pin_is_listed_with_its_licence() -> None:
    rows = {name: licence for name, _, licence in audit.listing()}
    assert set(rows) == set(audit.pins()) and len(rows) > 90
    assert rows["numpy"] not in ("not stated", "not installed")


def test_every_promise_names_a_test_that_exists() -> None:
    named = set(re.findall(r"`(tests/\w+\.py)`", PAGE.read_text(encoding="utf-8")))
    assert len(named) > 8
    assert [name for name in named if not (PAGE.parent.parent / name).is_file()] == []


def test_zip_members_do_not_leave_the_archive(tmp_path: Path, cli) -> None:
    import zipfile

    held = io.BytesIO()
    np.save(held, np.zeros((20, 4, 4), np.uint8))
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        for name in ("../x.npy", "/abs/y.npy"):
            archive.writestr(name, held.getvalue())
    before = sorted(path.name for path in tmp_path.parent.iterdir())
    code, _, err = cli("data", tmp_path / "x.npz")
    assert code == 2 and "Traceback" not in err
    assert sorted(path.name for path in tmp_path.parent.iterdir()) == before
