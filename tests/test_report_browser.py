"""The page in headless Chromium: charts are drawn, nothing complains, a phone does not scroll sideways."""

import html
import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from test_report_files import HOSTILE, dump, write_run
from test_report_lessons import many
from test_report_mistakes import add_diagnosis
from test_report_rungs import climbing

from edgeml.report.compare import compare
from edgeml.report.compare_page import write_comparison
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

PROBE = """<script>
const hovered = {};
async function hover(chart) {
  const point = chart.querySelector(".mark-symbol path, .mark-rect path");
  if (!point) return "no point";
  const box = point.getBoundingClientRect();
  const at = { bubbles: true, clientX: box.x + box.width / 2, clientY: box.y + box.height / 2 };
  for (const kind of ["pointerover", "mouseover", "pointermove", "mousemove"])
    point.dispatchEvent(new (kind.startsWith("p") ? PointerEvent : MouseEvent)(kind, at));
  await new Promise(done => setTimeout(done, 50));
  const tip = document.querySelector("#vg-tooltip-element.visible");
  const text = tip ? tip.innerText : "";
  for (const kind of ["pointerout", "mouseout"])
    point.dispatchEvent(new (kind.startsWith("p") ? PointerEvent : MouseEvent)(kind, at));
  return text;
}
addEventListener("load", () => setTimeout(async () => {
  for (const chart of document.querySelectorAll(".chart"))
    hovered[chart.closest("figure").querySelector("figcaption").textContent] = await hover(chart);
  const images = [...document.images];
  parent.postMessage(JSON.stringify({
    scrolled: document.documentElement.scrollWidth, width: innerWidth, pwned: window.pwned === 1,
    charts: document.querySelectorAll(".chart svg").length, hovered,
    pictures: images.filter(image => image.naturalWidth > 0).length, broken: images.filter(
      image => !image.naturalWidth).length,
    fetched: performance.getEntriesByType("resource").filter(e => !e.name.startsWith("data:")).length,
  }), "*"); }, 3000));</script>"""
"""Hovers a point of every chart and reads what a dump of the DOM does not hold; it runs in a copy of the page
without its policy."""
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


def told(seen: Seen) -> dict:
    found: dict = json.loads(html.unescape(re.findall(r"<pre>(.*?)</pre>", seen.dom, re.DOTALL)[0]))
    return found


def open_candidate(path: Path, key: str) -> tuple[float, float]:
    value = json.loads((path / "candidates" / key / "candidate.json").read_text())
    return value["accuracy"], value["metrics"]["latency_ms"]["value"]


@pytest.mark.parametrize("timed", [("latency_ms",), ("latency_ms@coral", "latency_ms@cpu", "ram_bytes")])
def test_every_chart_is_drawn_and_nothing_complains(tmp_path: Path, timed: tuple[str, ...]) -> None:
    seen = look(write_report(write_run(tmp_path / "run", timed=timed)), tmp_path / "profile")
    assert seen.console == []
    pairs_of_costs = len(timed) * (len(timed) - 1) // 2
    fronts, sizes, speed, steps, progress = len(timed) + 1 + pairs_of_costs, 2, 1, len(timed) + 1, 2
    assert seen.charts == {f"chart-{i}": True for i in range(fronts + sizes + speed + steps + progress)}


@pytest.mark.parametrize("width", [390, 1280])
def test_rungs_are_drawn_and_nothing_scrolls_sideways(tmp_path: Path, width: int) -> None:
    seen = look(framed(write_report(climbing(tmp_path / "run")), width), tmp_path / "profile")
    assert seen.console == []
    said = told(seen)
    assert said["charts"] == 11
    assert (said["scrolled"], said["pwned"], said["fetched"]) == (width, False, 0)


@pytest.mark.parametrize("width", [390, 1280])
def test_hostile_names_run_nothing_and_nothing_scrolls_sideways(tmp_path: Path, width: int) -> None:
    page = framed(write_report(write_run(tmp_path / "run", hostile=HOSTILE)), width)
    seen = look(page, tmp_path / "profile")
    assert seen.console == []
    said = told(seen)
    assert said["charts"] == 9
    assert (said["scrolled"], said["pwned"], said["fetched"]) == (width, False, 0)


def test_every_chart_tells_of_a_hovered_point(tmp_path: Path) -> None:
    """Trend, trades, importance and the front; pictures are drawn, and nothing is fetched."""
    path = many(tmp_path / "run", 40)
    keys = [f"{number:012x}" for number in range(40)]
    accuracies = {key: open_candidate(path, key) for key in keys}
    best = max(accuracies, key=lambda key: accuracies[key][0])
    cheap = min(accuracies, key=lambda key: (accuracies[key][1], -accuracies[key][0]))
    dump(path / "front.json", {"keys": [cheap, best], "knee": cheap})
    add_diagnosis(path)
    seen = look(framed(write_report(path), 390), tmp_path / "profile")
    assert seen.console == []
    said = told(seen)
    assert (said["scrolled"], said["broken"], said["pictures"], said["fetched"]) == (390, 0, 1, 0)
    assert "Importance of the decisions" in said["hovered"]
    silent = {title for title, words in said["hovered"].items() if not words}
    assert not silent
    assert "measured" in said["hovered"]["Accuracy and latency"]
    assert "int8 accuracy" in said["hovered"]["Score and parameters"]


def test_a_comparison_is_drawn(tmp_path: Path) -> None:
    page = write_comparison(
        compare([write_run(tmp_path / "a"), write_run(tmp_path / "b")]), tmp_path / "c.html"
    )
    seen = look(framed(page, 390), tmp_path / "profile")
    assert seen.console == []
    said = told(seen)
    assert (said["charts"], said["scrolled"], said["fetched"]) == (3, 390, 0)
    assert all("%" in words for words in said["hovered"].values())
