"""A running search in plain lines: for logs and pipes, and for what stays on the screen of a terminal."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.console import Console

from edgeml.search.finishing.further import as_long_again_s
from edgeml.search.progress import Listener
from edgeml.target.limits import describe

if TYPE_CHECKING:
    from edgeml.search.candidate import Candidate
    from edgeml.search.evaluate import Order
    from edgeml.search.prune import Pruned
    from edgeml.search.study import Study

TELLING_S = 5.0
"""Between two lines on how far the reading of data is."""


class PlainListener(Listener):
    """One line a trial, for logs and pipes."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._told_s = time.monotonic()
        self._waited = False
        self._afterwards: str | None = None

    def reading(self, what: str, done: int, total: int) -> None:
        """A line every TELLING_S seconds."""
        if time.monotonic() - self._told_s >= TELLING_S:
            self._told_s = time.monotonic()
            self._console.print(f"{what}: {done:,} of {total:,}", markup=False, highlight=False)

    def said(self, sentence: str) -> None:
        """One line."""
        self._console.print(sentence, soft_wrap=True, markup=False, highlight=False)

    def started(self, study: Study) -> None:
        """Says what is about to be done."""
        self._console.print(headline(study), soft_wrap=True, markup=False, highlight=False)

    def tick(self, study: Study) -> None:
        """A line where a database is waited for, where it is back, and of what is done after the search."""
        waiting, afterwards = study.progress.waiting, study.progress.afterwards
        if afterwards != self._afterwards:
            self._afterwards = afterwards
            if afterwards:
                self.said(afterwards)
        if bool(waiting) != self._waited:
            self._waited = bool(waiting)
            self.said(waiting or "the database is back")

    def finished(self, study: Study, candidate: Candidate) -> None:
        """One line."""
        self._console.print(trial_line(study, candidate), soft_wrap=True, markup=False, highlight=False)

    def died(self, study: Study, order: Order, reason: str, left: int) -> None:
        """One line."""
        line = died_line(order, reason, left)
        self._console.print(line, soft_wrap=True, markup=False, highlight=False)

    def compressed(self, study: Study, candidate: Candidate) -> None:
        """One line."""
        self._console.print(variant_line(study, candidate), soft_wrap=True, markup=False, highlight=False)

    def trained_further(self, study: Study, candidate: Candidate) -> None:
        """One line."""
        self._console.print(further_line(study, candidate), soft_wrap=True, markup=False, highlight=False)


def headline(study: Study) -> str:
    """What a search is about to do, in one line."""
    settings = study.settings
    trials = [] if settings.trials is None else [f"{settings.trials} trials"]
    budget = " or ".join([*trials, *([duration(settings.time_s)] if settings.time_s else [])])
    limits = ", ".join(f"{name} <= {describe(name, value)}" for name, value in study.job.limits.items())
    steps = [f"{study.fidelity.epochs * rung.epochs:.3g}" for rung in study.ladder.used]
    epochs = f"{' then '.join(steps)} epochs" + (" each" if len(steps) == 1 else ", the promising ones")
    return (
        f"searching {settings.space} for {' and '.join(settings.targets)} with {settings.strategy}: "
        f"{budget}, {epochs}"
        + (f", {limits}" if limits else "")
        + (f"; {study.progress.trials} trials are done" if study.progress.trials else "")
        + f" -> {study.run.path}"
        + "".join(f"\n{line}" for line in (*study.run.repaired, *map(taken_away, study.pruned)))
    )


def died_line(order: Order, reason: str, left: int) -> str:
    """A worker's death in one line."""
    what = {0: "given up", 1: "one more try"}.get(left, f"{left} more tries")
    return f"trial {order.number} ({order.key}): {reason}; {what}"


def taken_away(one: Pruned) -> str:
    """A choice that no network of the search will have, in one line."""
    return f"taken away: {one.decision} = {one.choice}, refused by {'; '.join(one.reasons)}"


def trial_line(study: Study, candidate: Candidate) -> str:
    """One finished trial in one line."""
    head = f"[{counted(study)}] {candidate.key}"
    if candidate.status not in ("complete", "stopped") or candidate.accuracy is None:
        return f"{head} {candidate.status}: {candidate.reason}"
    front = study.archive.front()
    rung = f"{place(study, candidate.rung)} | " if study.ladder.climbs else ""
    if candidate.reason:
        return (
            f"{head} {rung}stopped early at {study.goal.said(candidate.accuracy, 2)} int8: {candidate.reason}"
        )
    parts = [f"{rung}{study.goal.title} {study.goal.said(candidate.accuracy, 2)} int8"]
    for name in dict.fromkeys([*study.archive.objectives, "size_bytes"]):
        metric, words = candidate.metrics[name], short(name)
        figure = describe(name, metric["value"]).removesuffix(f" {words}")  # MACs are their own unit
        parts.append(f"{words} {figure} {metric['kind']}")
    if front:
        parts.append(f"front {len(front)}, best {study.goal.said(front[0].accuracy, 2)}")
    parts.append(f"left {duration(time_left_s(study))}")
    return f"{head} " + " | ".join(parts)


def counted(study: Study) -> str:
    """Trials done, of how many where that is limited."""
    limit = study.settings.trials
    return f"{study.progress.trials}" + ("" if limit is None else f"/{limit}")


def variant_line(study: Study, candidate: Candidate) -> str:
    """A finalist's new variant in one line."""
    if candidate.status != "complete" or candidate.accuracy is None:
        return f"{candidate.key} {candidate.status}: {candidate.reason}"
    drop = study.goal.gap((candidate.accuracy_float or 0.0) - candidate.accuracy, digits=2)
    sizes = [describe(name, candidate.metrics[name]["value"]) for name in ("size_bytes", "size_zip_bytes")]
    score = f"{study.goal.title} {study.goal.said(candidate.accuracy, 2)} int8"
    return f"{candidate.key} {score}, drop {drop} | {sizes[0]}, zipped {sizes[1]}"


def further_line(study: Study, candidate: Candidate) -> str:
    """What came of training a member of the front further, in one line."""
    row, said = candidate.further[-1], study.goal.said
    head = f"{candidate.key} trained for {row['epochs']:.3g} epochs more: "
    if "failure" in row:
        return f"{head}{row['failure']}; it stays as it was"
    figures = f"{study.goal.title} {said(row['before'], 2)} -> {said(row['accuracy'], 2)} int8"
    left = f" | left {duration(time_left_s(study))}"
    return head + figures + ("" if row["kept"] else ", not kept") + left


def place(study: Study, rung: int) -> str:
    """Index of a rung -> "rung 1 of 2"."""
    return f"rung {rung + 1} of {study.ladder.top + 1}"


def short(metric: str) -> str:
    """Metric -> its words in a narrow line: latency_ms@coral -> latency on coral."""
    base, _, target = metric.partition("@")
    return base.split("_")[0] + (f" on {target}" if target else "")


def time_left_s(study: Study) -> float:
    """Expected seconds to the end: training left at the pace so far, or the time limit if that is nearer.

    As long again where the front is trained further then.
    """
    tally, spent = study.archive.tally, sum(study.rungs.spent)
    by_trials = study.rungs.left(study.settings.planned_trials) * (tally.seconds / spent if spent else 0.0)
    if not study.settings.time_s:
        return by_trials
    left = study.pace.all_left_s()
    if not study.archive.rows or study.settings.trials is None or study.progress.afterwards:
        return max(0.0, left)
    return max(0.0, min(left, by_trials + as_long_again_s(study, by_trials)))


def duration(seconds: float) -> str:
    """75 -> "1m15s"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02d}m"


def where_time_went(seconds: dict[str, float]) -> str:
    """Seconds by stage -> one line, with the share outside training, conversion and measurement."""
    total = sum(seconds.values()) or 1.0
    work = ("train", "build", "convert", "measure", "accuracy", "final", "confirm", "compress", "further")
    own = sum(value for name, value in seconds.items() if name not in work)
    parts = [
        f"{name} {100 * value / total:.0f} %" for name, value in sorted(seconds.items(), key=lambda i: -i[1])
    ]
    return f"time: {', '.join(parts)}; outside training, conversion and measurement {100 * own / total:.1f} %"
