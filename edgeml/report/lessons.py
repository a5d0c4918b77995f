"""RunFiles -> the sections that answer in words and a picture what people tune by hand to learn."""

from __future__ import annotations

from edgeml.report import convergence, figures, lesson_plots, mistakes, size_effect, trades
from edgeml.report.charts import Charts, section
from edgeml.report.importance import FOLDS, Choice, importance, sentence
from edgeml.report.markup import Markup, tag
from edgeml.report.run_files import RunFiles
from edgeml.report.tables import row, table

SHOWN = 12
"""Decisions in the table."""


def lessons(run: RunFiles, charts: Charts) -> Markup | None:
    """Would more or fewer units help, how does size change convergence, what is traded for what."""
    size = size_effect.sentences(run)
    if not size:
        return None
    size_drawn = [
        charts.place(f"Score and {size_effect.TITLES[name]}", lesson_plots.size(run, name))
        for name in size_effect.SIZES
    ]
    note = (
        "The dashed line is the trend: flat, straight or bent, in doublings of the size, whichever explains "
        "the candidates best for what it needs (AICc). It is over candidates that differ in more than size, "
        "so it says what went together in this run, not what one change would do. It is cut at a perfect "
        "score."
    )
    taken = size_effect.sample(run)
    trended = any(size_effect.trend(taken, name) for name in size_effect.SIZES)
    speed = convergence.sentence(run)
    speed_drawn = _speed_chart(run, charts) if speed else None
    traded = trades.sentences(run)
    steps = [
        charts.place(f"Steps along the front: {figures.title(cost)}", lesson_plots.trade(run, cost))
        for cost in trades.costs(run)
    ]
    return section(
        "What this run teaches",
        tag("h3", "Would more or fewer units help?"),
        [tag("p", words) for words in size],
        tag("div", size_drawn, class_="charts") if any(size_drawn) else None,
        tag("p", note, class_="note") if any(size_drawn) and trended else None,
        [tag("h3", "How does size change how fast a network learns?"), tag("p", speed)] if speed else None,
        speed_drawn,
        [tag("h3", "What is traded for what along the front?"), _listed(traded)] if traded else None,
        tag("div", steps, class_="charts") if any(steps) else None,
    )


def _speed_chart(run: RunFiles, charts: Charts) -> Markup | None:
    drawn = charts.place("Epochs to 90 % and parameters", lesson_plots.speed(run))
    return tag("div", drawn, class_="charts") if drawn else None


def _listed(sentences: list[str]) -> Markup:
    return tag("ul", (tag("li", words) for words in sentences))


def decisions(run: RunFiles, charts: Charts) -> Markup | None:
    """How much each decision of the space mattered."""
    if not run.scored:
        return None
    found = importance(run)
    said = tag("p", sentence(run, found))
    if found is None or not found.told:
        return section("Which decisions mattered", said)
    drawn = charts.place("Importance of the decisions", lesson_plots.decisions(found))
    rows = [
        row(
            [
                tag("code", d.name),
                f"{100 * d.share:.1f} % (+- {100 * d.error:.1f})",
                _choice(run, d.best),
                _choice(run, d.worst),
            ]
        )
        for d in found.decisions[:SHOWN]
    ]
    heads = ["decision", "share of the variance", "best on the mean", "worst on the mean"]
    note = (
        f"Permutation importance of a random forest on candidates it has not seen ({FOLDS} folds; lines: "
        "95 %). The means are over candidates that differ in everything else too."
    )
    left = len(found.decisions) - SHOWN
    note += f" Left out for their small importance: {left}." if left > 0 else ""
    return section(
        "Which decisions mattered",
        said,
        drawn,
        table("Importance", heads, rows),
        tag("p", note, class_="note"),
    )


def _choice(run: RunFiles, choice: Choice | None) -> str:
    if choice is None:
        return "-"
    return f"{choice.name} ({figures.score(run, choice.mean)}, {choice.n} candidates)"


def errors(run: RunFiles, charts: Charts) -> Markup | None:
    """What the knee gets wrong."""
    found = mistakes.read(run)
    if found is None:
        return None
    chart = mistakes.errors(found)
    drawn = charts.place(*chart) if chart else None
    return section(
        "What the knee gets wrong", tag("p", mistakes.sentence(found)), drawn, mistakes.shown(found)
    )
