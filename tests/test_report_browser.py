"""The page in headless Chromium: charts are drawn, nothing complains, a phone does not scroll sideways."""

import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from test_report_files import HOSTILE, write_run
from test_report_rungs import climbing

from edgeml.report.page import write_report

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-dev-shm-usage",
    "--enable-logging=stderr",
    "--hide-scrollbars",
    "--dump-dom",
    "--virtual-time-budget=10000",
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="needs chromium on PATH (apt-get install chromium)"),
]

PROBE = """<script>addEventListener("load", () => setTimeout(() => parent.postMessage(JSON.stringify({
  scrolled: document.documentElement.scrollWidth, width: innerWidth, pwned: window.pwned === 1,
  charts: document.querySelectorAll(".chart svg").length }), "*"), 3000));</script>"""
"""Reads what a dump of the DOM does not hold; it runs in a copy of the page without its policy."""
FRAME = """<!DOCTYPE html><link rel="icon" href="data:,"><iframe src="{address}" width="{width}" height="900"
style="border:0"></iframe><pre></pre><script>addEventListener("message", event => {{
  document.querySelector("pre").textContent = event.data; }});</script>"""
"""A frame, because a headless window is never narrower than 500 pixels."""


@dataclass(frozen=True)
class Seen:
    """What the browser made of a page."""

    dom: str
    console: list[str]

    @property
    def charts(self) -> dict[str, bool]:
        """Chart -> whether something is drawn in it."""
        parts = re.split(r'id="(chart-\d+)"', self.dom)
        found = zip(parts[1::2], parts[2::2], strict=True)
        return {name: "<svg" in rest.partition("</figure>")[0] for name, rest in found}


def look(page: Path, profile: Path) -> Seen:
    flags = [*FLAGS, f"--user-data-dir={profile}", "--window-size=1300,900"]
    done = subprocess.run(
        [str(BROWSER), *flags, page.as_uri()], capture_output=True, text=True, timeout=120, check=True
    )
    return Seen(done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line])


def framed(page: Path, width: int) -> Path:
    text = page.read_text(encoding="utf-8")
    text, found = re.subn(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text)
    assert found == 1
    before, _, after = text.rpartition("</body>")
    page.write_text(f"{before}{PROBE}</body>{after}", encoding="utf-8")
    frame = page.with_name("frame.html")
    frame.write_text(FRAME.format(address=page.as_uri(), width=width), encoding="utf-8")
    return frame


@pytest.mark.parametrize("timed", [("latency_ms",), ("latency_ms@coral", "latency_ms@cpu", "ram_bytes")])
def test_every_chart_is_drawn_and_nothing_complains(tmp_path: Path, timed: tuple[str, ...]) -> None:
    seen = look(write_report(write_run(tmp_path / "run", timed=timed)), tmp_path / "profile")
    assert seen.console == []
    assert seen.charts == {f"chart-{i}": True for i in range(len(timed) + 3)}


@pytest.mark.parametrize("width", [390, 1280])
def test_rungs_are_drawn_and_nothing_scrolls_sideways(tmp_path: Path, width: int) -> None:
    seen = look(framed(write_report(climbing(tmp_path / "run")), width), tmp_path / "profile")
    assert seen.console == []
    said = json.loads(re.findall(r"<pre>(.*?)</pre>", seen.dom)[0])
    assert said == {"scrolled": width, "width": width, "pwned": False, "charts": 6}


@pytest.mark.parametrize("width", [390, 1280])
def test_hostile_names_run_nothing_and_nothing_scrolls_sideways(tmp_path: Path, width: int) -> None:
    page = framed(write_report(write_run(tmp_path / "run", hostile=HOSTILE)), width)
    seen = look(page, tmp_path / "profile")
    assert seen.console == []
    said = json.loads(re.findall(r"<pre>(.*?)</pre>", seen.dom)[0])
    assert said == {"scrolled": width, "width": width, "pwned": False, "charts": 4}
