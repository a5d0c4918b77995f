"""A running search on a terminal: how far, the rungs, the front so far; it fits the window, 80x24 as well."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from edgeml.report.figures import legend, mark
from edgeml.search.archive.preference import favourite
from edgeml.search.progress import Listener
from edgeml.target.limits import describe
from edgeml.terminal.lines import (
    counted,
    died_line,
    duration,
    further_line,
    headline,
    place,
    short,
    time_left_s,
    trial_line,
    variant_line,
)

if TYPE_CHECKING:
    from edgeml.search.candidate import Candidate
    from edgeml.search.evaluate import Order
    from edgeml.search.study import Study

NARROW = 64
"""Columns below which keys are cut and only the first cost is shown."""
MOST_ROWS = 10
"""Of the front, however high the window is."""
LEFT_FREE = 2
"""Lines of the window that stay free: a view as high as the window flickers."""


class LiveListener(Listener):
    """Progress bar, the training that runs, rungs, the front so far."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, refresh_per_second=4, transient=True)

    def __enter__(self) -> LiveListener:
        self._live.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._live.stop()

    def reading(self, what: str, done: int, total: int) -> None:
        """A bar."""
        row = Table.grid(padding=(0, 2))
        bar = ProgressBar(total=total, completed=done, width=min(40, self._live.console.width // 3))
        row.add_row(Text(what), bar, Text(f"{done:,} of {total:,}"))
        self._live.update(row)

    def said(self, sentence: str) -> None:
        """One line that stays on the screen."""
        self._live.console.print(sentence, markup=False, highlight=False)

    def started(self, study: Study) -> None:
        """Says what is about to be done."""
        self._live.console.print(headline(study), markup=False, highlight=False)

    def tick(self, study: Study) -> None:
        """Redraw."""
        size = self._live.console.size
        self._live.update(view(study, size.width, size.height))

    def finished(self, study: Study, candidate: Candidate) -> None:
        """Redraw; failures stay on the screen."""
        if candidate.status == "failed":
            self._live.console.print(trial_line(study, candidate), markup=False, highlight=False)
        self.tick(study)

    def died(self, study: Study, order: Order, reason: str, left: int) -> None:
        """One line that stays on the screen."""
        self._live.console.print(died_line(order, reason, left), markup=False, highlight=False)

    def compressed(self, study: Study, candidate: Candidate) -> None:
        """One line that stays on the screen."""
        self._live.console.print(variant_line(study, candidate), markup=False, highlight=False)

    def trained_further(self, study: Study, candidate: Candidate) -> None:
        """One line that stays on the screen."""
        self._live.console.print(further_line(study, candidate), markup=False, highlight=False)


def view(study: Study, width: int, height: int) -> Group:
    """What a window of so many columns and lines shows."""
    top = [*_progress(study, width), *_rungs(study, width)]
    used = sum(one.row_count + 1 if isinstance(one, Table) else 1 for one in top)
    rows = max(1, min(MOST_ROWS, height - LEFT_FREE - used - 3))  # title, heading and legend
    return Group(*top, *_front(study, width, rows))


def _progress(study: Study, width: int) -> list[RenderableType]:
    limit = study.settings.trials
    by_time = (study.settings.time_s, study.settings.time_s - max(0.0, study.pace.all_left_s()))
    total, done = by_time if limit is None else (limit, study.progress.trials)
    spent = f"{duration(study.progress.elapsed_s)} gone, {duration(time_left_s(study))} left"
    said = f"{counted(study)} trials"
    line = Table.grid(padding=(0, 2))
    room = width - len(spent) - len(said) - 5
    bar = [ProgressBar(total=total, completed=done, width=min(40, room))] if room >= 10 else []
    line.add_row(Text(said), *bar, Text(spent))
    return [line, Text(_cut(_doing(study), width), style="dim")]


def _doing(study: Study) -> str:
    """What goes on, and what came of candidates that are not on their way any more."""
    doing = study.progress.waiting or study.progress.afterwards or _training(study)
    tally = study.archive.tally
    counts = {
        "ended early": tally.ended,
        "infeasible": tally.statuses["infeasible"],
        "failed": study.progress.failed,
    }
    return "; ".join([doing, *(f"{number} {what}" for what, number in counts.items() if number)])


def _training(study: Study) -> str:
    """What the workers do."""
    running = study.progress.running
    if not running:
        return "waiting for what other coordinators train" if study.progress.elsewhere else "proposing"
    rungs = study.ladder.climbs
    each = [f"{one.number}, {place(study, one.index)}" if rungs else str(one.number) for one in running[:3]]
    more = f" and {len(running) - 3} more" if len(running) > 3 else ""
    return f"training trial {' and '.join(each)}{more}"


def _rungs(study: Study, width: int) -> list[RenderableType]:
    """One line a rung, where there are several."""
    if not study.ladder.climbs:
        return []
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for name in ("rung", "epochs", "trained", "waiting", "best int8"):
        table.add_column(name, justify="left" if name == "rung" else "right", no_wrap=True)
    tally = study.archive.tally
    for index, rung in enumerate(study.ladder.rungs):
        table.add_row(
            f"{index + 1}/{study.ladder.top + 1}",
            f"{study.fidelity.epochs * rung.epochs:.3g}",
            str(tally.trained[index]),
            str(tally.waiting[index]) if index < study.ladder.top else "",
            study.goal.said(tally.best.get(index), 2),
        )
    return [table] if width >= 40 else []


def _front(study: Study, width: int, most: int) -> list[RenderableType]:
    """The front, most accurate first; where it is too long for the window, its cheap end is only counted."""
    front, narrow = study.archive.front(), width < NARROW
    if not front:
        return [Text(_cut("no network is trained fully yet", width), style="dim")]
    objectives = study.archive.objectives
    shown = objectives[:1] if narrow else list(dict.fromkeys([*objectives, "size_bytes"]))
    picked = _picked(study, front)
    rows = _window(front, picked, most)
    more = f", {len(front) - len(rows)} more" if len(rows) < len(front) else ""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    table.add_column("key", no_wrap=True)
    table.add_column("score" if narrow else f"{study.goal.title} int8", justify="right", no_wrap=True)
    for name in shown:
        table.add_column(short(name), justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for candidate in rows:
        costs = [_cost(candidate, name) for name in shown]
        key = candidate.key[:6] if narrow else candidate.key
        sign = "<" if candidate is picked else ""
        score = study.goal.said(candidate.accuracy, 2)
        table.add_row(key, score, *costs, sign, style="bold" if candidate is picked else "")
    kinds = {
        candidate.metrics[name]["kind"] for candidate in rows for name in shown if name in candidate.metrics
    }
    words = f"< {study.settings.prefer}; {legend(kinds)}"
    title = Text(_cut(f"Pareto front so far: {len(front)}{more}", width), style="italic")
    return [title, table, Text(_cut(words, width), style="dim")]


def _picked(study: Study, front: Sequence[Candidate]) -> Candidate | None:
    """What --prefer would pick if the search ended now."""
    points = [(c, c.point(study.archive.objectives)) for c in front]
    known = [(c, point) for c, point in points if point is not None]
    index = favourite([point for _, point in known], study.settings.prefer, study.archive.objectives)
    return None if index is None else known[index][0]


def _window(front: Sequence[Candidate], picked: Candidate | None, most: int) -> list[Candidate]:
    """At most so many members, the picked one among them."""
    rows = list(front[:most])
    if picked is not None and picked not in rows:
        rows[-1] = picked
    return rows


def _cost(candidate: Candidate, name: str) -> str:
    metric = candidate.metrics.get(name)
    return "-" if metric is None else f"{describe(name, metric['value'])} {mark(metric['kind'])}"


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: max(0, width - 3)] + "..."
