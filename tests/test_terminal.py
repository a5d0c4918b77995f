"""The terminal view on recorded consoles: it fits, shows rungs and front, and needs no colour."""

from __future__ import annotations

import io
import re
from types import SimpleNamespace

import pytest
from rich.console import Console

import edgeml
from edgeml.search.progress import Progress
from edgeml.search.study import Study
from edgeml.terminal import PlainListener
from edgeml.terminal.live import LiveListener, view

SIZES = [(80, 24), (120, 40), (60, 16), (40, 12), (20, 6)]


class Watch:
    """Keeps the study and what windows of several sizes would have shown of it."""

    def __init__(self) -> None:
        self.study: Study | None = None
        self.shown: dict[tuple[int, int], list[str]] = {size: [] for size in SIZES}
        self.lines = io.StringIO()
        self.plain = PlainListener(Console(file=self.lines, width=80))
        self.screen = io.StringIO()
        console = Console(file=self.screen, width=80, height=24, force_terminal=True, color_system=None)
        self.live = LiveListener(console)

    def look(self, study):
        self.study = study
        for width, height in SIZES:
            console = Console(file=io.StringIO(), width=width, height=height, record=True)
            console.print(view(study, width, height))
            self.shown[width, height].append(console.export_text())

    def reading(self, what, done, total):
        self.plain.reading(what, done, total)
        self.live.reading(what, done, total)

    def started(self, study):
        self.look(study)
        self.plain.started(study)
        self.live.started(study)

    def tick(self, study):
        self.live.tick(study)

    def finished(self, study, candidate):
        self.look(study)
        self.plain.finished(study, candidate)
        self.live.finished(study, candidate)

    def trained_further(self, study, candidate):
        pass

    def compressed(self, study, candidate):
        self.plain.compressed(study, candidate)


@pytest.fixture(scope="module")
def watched(tmp_path_factory) -> Watch:
    watch = Watch()
    with watch.live:
        edgeml.search(
            "digits",
            "null",
            trials=6,
            epochs=2,
            seed=1,
            compress="none",
            prefer="size",
            out=tmp_path_factory.mktemp("terminal") / "run",
            listener=watch,
        )
    return watch


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_it_fits_the_window(watched, size):
    width, height = size
    for text in watched.shown[size]:
        lines = text.rstrip("\n").split("\n")
        assert max(map(len, lines)) <= width, text
        assert len(lines) < max(height, 9), text


def test_rungs_and_front_are_there(watched):
    study, text = watched.study, watched.shown[80, 24][-1]
    assert "6/6 trials" in text
    for index in range(study.ladder.top + 1):
        here = sum(row["rung"] == index for c in study.archive.candidates.values() for row in c.rungs)
        assert re.search(rf"^{index + 1}/{study.ladder.top + 1} +\S+ +{here} ", text, re.MULTILINE), text
    front = study.archive.front()
    assert f"Pareto front so far: {len(front)}" in text
    assert all(candidate.key in text for candidate in front[:5])
    assert len(re.findall(r" <\s*$", text, re.MULTILINE)) == 1 and "< size; m measured" in text


def test_before_anything_is_trained(watched):
    assert "0/6 trials" in watched.shown[80, 24][0]
    assert "no network is trained fully yet" in watched.shown[80, 24][0]


def test_plain_lines_for_logs(watched):
    lines = watched.lines.getvalue().splitlines()
    assert "\x1b" not in watched.lines.getvalue()
    assert sum(line.startswith("[") for line in lines) >= 6 and "6/6" in lines[-1]
    figures = r"\| macs [\d.]+ [kM]? ?counted \| size [\d.]+ kB measured \|"
    assert re.search(figures, lines[-1]), lines[-1]


def test_without_colour_there_is_none(watched):
    said = watched.screen.getvalue()
    assert "Pareto front so far" in said
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]m", said), "no colours, only moves of the cursor"


def test_only_a_database_that_was_waited_for_is_back():
    lines = io.StringIO()
    plain = PlainListener(Console(file=lines, width=80))
    study = SimpleNamespace(progress=Progress())
    for waiting, afterwards in (
        (None, "training further"),
        (None, None),
        ("waiting for it", None),
        (None, None),
    ):
        study.progress.waiting, study.progress.afterwards = waiting, afterwards
        plain.tick(study)
        plain.tick(study)
    assert lines.getvalue().splitlines() == ["training further", "waiting for it", "the database is back"]
