"""The report's script is bundled once a computer, and a damaged or unwritable cache costs time only."""

import os

import pytest
import vl_convert

from edgeml.data.scratch import cache_folder
from edgeml.report import bundle as module
from edgeml.report.bundle import KEPT, bundle


@pytest.fixture
def bundled(monkeypatch, tmp_path):
    """How often it was bundled; the real thing takes seconds."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    calls = []

    def made(snippet, vl_version):
        calls.append(vl_version)
        return "draw();\r\n'</script><!--'; // é"

    monkeypatch.setattr(vl_convert, "javascript_bundle", made)
    bundle.cache_clear()
    yield calls
    bundle.cache_clear()


def again():
    bundle.cache_clear()
    return bundle()


def test_the_next_process_reads_what_the_first_has_made(bundled):
    first = bundle()
    assert first == "draw();\r\n'<\\/script><\\!--'; // é" and again() == first
    assert len(bundled) == 1


@pytest.mark.parametrize("damage", [b"", b"\xff\xfe", b"alert(1)", None])
def test_a_damaged_one_is_made_anew(bundled, damage):
    first = bundle()
    (kept,) = cache_folder("report").iterdir()
    kept.write_bytes(kept.read_bytes()[:-1] if damage is None else damage)
    assert again() == first and again() == first
    assert len(bundled) == 2


def test_a_cache_that_cannot_be_written(bundled, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null/here")
    assert "draw" in bundle() and "draw" in again()
    assert len(bundled) == 2


def test_other_lines_are_another_bundle_and_the_oldest_go(bundled, monkeypatch):
    for count in range(KEPT + 2):
        monkeypatch.setattr(module, "DRAW", f"lines {count}")
        again()
        for kept in cache_folder("report").iterdir():  # a clock is too coarse to tell them apart
            os.utime(kept, ns=(kept.stat().st_atime_ns, kept.stat().st_mtime_ns - 10**9))
    assert len(bundled) == KEPT + 2 and len(list(cache_folder("report").iterdir())) == KEPT
    again()
    assert len(bundled) == KEPT + 2
