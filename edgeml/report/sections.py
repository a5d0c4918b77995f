"""RunFiles -> the sections of the page, in reading order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from edgeml.arch.cell import Arch
from edgeml.errors import EdgemlError
from edgeml.report import (
    climb,
    compression,
    cost_plots,
    figures,
    guardrails,
    lessons,
    plots,
    recipes,
    rung_plots,
    rung_tables,
    tables,
)
from edgeml.report.cell_svg import architecture
from edgeml.report.charts import Charts, section
from edgeml.report.headline import as_good_as_the_best
from edgeml.report.lineage_tree import tree
from edgeml.report.markup import Markup, tag, with_options
from edgeml.report.noise import noise
from edgeml.report.reproduce import parts
from edgeml.report.run_files import RunFiles
from edgeml.report.summary import headline_metrics, sentences


def head(run: RunFiles, charts: Charts) -> Markup:
    """Title, what came out in sentences, and the knee's figures in large."""
    made = f"edgeml {run.run.get('edgeml', '')}, started {run.run.get('created', 'at an unknown time')}"
    finished = run.state.get("finished")
    made += f", ended {finished}" if finished else ", not finished when this page was written"
    warned = [*climb.warnings(run), *compression.warnings(run)]
    lines = [tag("p", with_options(s), class_="warning" if s in warned else "lede") for s in sentences(run)]
    return tag("header", tag("h1", run.name), tag("p", made, class_="note"), lines, _tiles(run))


def _tiles(run: RunFiles) -> Markup | None:
    knee = run.knee_candidate
    if knee is None:
        return None
    shown = [_tile(f"int8 {run.goal.title}", figures.score(run, knee.accuracy), "validation", "measured")]
    if test := knee.test_accuracy:
        shown.append(
            _tile(
                f"int8 {run.goal.title}",
                figures.score(run, test["value"]),
                f"test, n = {test.get('n')}",
                "measured",
            )
        )
    for name in headline_metrics(run):
        figure = knee.figures.get(name)
        if figure is not None:
            shown.append(
                _tile(figures.title(name), figures.shown(figure), figures.interval(figure), figure.kind)
            )
    title = tag("h2", "The knee, ", tag("code", knee.key))
    return tag("div", title, tag("ul", shown, class_="tiles"))


def _tile(title: str, value: str, small: str, kind: str) -> Markup:
    return tag("li", tag("span", title), tag("b", value), tag("small", small or " "), tables.kind_tag(kind))


def fronts(run: RunFiles, charts: Charts) -> Markup | None:
    """The score against every cost objective and against size, and the costs against each other."""
    title = figures.capital(run.goal.title)
    drawn = [
        charts.place(
            f"{title} and {figures.title(cost)}", plots.pair(run, cost), plots.hollow_note(run, cost)
        )
        for cost in dict.fromkeys([*run.costs, "size_bytes"])
    ]
    drawn += [
        charts.place(
            figures.capital(f"{figures.title(one)} and {figures.title(other)}"),
            cost_plots.pair(run, one, other),
        )
        for one, other in cost_plots.pairs(run)
    ]
    if not any(drawn):
        return None
    members = tag("noscript", tables.front(run)) if run.front_candidates else None
    return section("Pareto front", tag("div", drawn, class_="charts"), members)


def leaderboard(run: RunFiles, charts: Charts) -> Markup | None:
    """Every scored candidate."""
    if not run.scored:
        return section("Leaderboard", tag("p", "No candidate has been scored yet."))
    note = (
        "int8 and float accuracies are on the validation split; the front of a finished run has the int8 "
        f"artifact's accuracy on the test split. Drop is {compression.drop_unit(run)}."
    )
    if as_good_as_the_best(run):
        note += " Tie: its split cannot tell it from the most accurate network (95 % intervals overlap)."
    if climb.has_rungs(run):
        top = len(run.ladder)
        note += f" Rung {top}/{top} is full training; the accuracy of a lower rung is of less training."
    return section("Leaderboard", tag("p", note, class_="note"), _estimates(run), tables.leaderboard(run))


def _estimates(run: RunFiles) -> Markup | None:
    estimated = [
        figures.title(name)
        for name in tables.metric_names(run)
        if any(c.figures[name].kind == "estimated" for c in run.scored if name in c.figures)
    ]
    if not estimated:
        return None
    return tag("p", tag("strong", "Estimated, not measured: "), ", ".join(estimated), ".", class_="warning")


def winner(run: RunFiles, charts: Charts) -> Markup | None:
    """The knee's architecture."""
    knee = run.knee_candidate
    if knee is None:
        return None
    try:
        drawing = architecture(Arch.from_dict(dict(knee.arch)))
    except (EdgemlError, AttributeError, KeyError, TypeError, ValueError) as error:
        drawing = tag("p", f"This edgeml cannot draw the architecture ({type(error).__name__}: {error}).")
    return section("Architecture of the knee", drawing)


def progress(run: RunFiles, charts: Charts) -> Markup | None:
    """Hypervolume and learning curves."""
    reference = run.state.get("reference_point") or ()
    names = ["error", *run.costs]
    bounds = ", ".join(
        f"{figures.heading(name)} {figures.number(value * figures.scale(name))}"
        for name, value in zip(names, reference, strict=False)
    )
    note = f"Volume that the front dominates, up to {bounds}." if bounds else ""
    drawn = [
        charts.place("Hypervolume after every trial", plots.hypervolume(run), note),
        charts.place(
            "Learning curves of the front", plots.learning(run), "On the training split, float weights."
        ),
    ]
    return section("How the search went", tag("div", drawn, class_="charts") if any(drawn) else None)


def rungs(run: RunFiles, charts: Charts) -> Markup | None:
    """The ladder, whether its low rungs rank, and the learning curves that were watched."""
    watched = rung_plots.curves(run)
    if not climb.has_rungs(run) and watched is None and not climb.ended(run):
        return None
    note = (
        "Share: of all training, what a rung may have. Cost: in full trainings. On both: candidates that "
        "were trained on the rung and fully, over which Spearman's rank correlation goes; only promoted ones "
        "are, so it does not tell how the others would have fared."
    )
    early = len(climb.ended(run))
    of_curves = f"A cross marks a training that was ended early ({early})." if early else ""
    drawn = [
        charts.place("Accuracy on a lower rung and after full training", rung_plots.agreement(run)),
        charts.place("Learning curves that were watched", watched, of_curves),
    ]
    return section(
        "Rungs",
        [tag("p", with_options(words), class_="warning") for words in climb.warnings(run)],
        rung_tables.ladder(run),
        tag("p", note, class_="note") if len(run.ladder) > 1 else None,
        tag("div", drawn, class_="charts") if any(drawn) else None,
        rung_tables.endings(run),
    )


def inheritance(run: RunFiles, charts: Charts) -> Markup | None:
    """Whose weights candidates began with: a tree, and what differs in a table."""
    found = rung_tables.lineage(run)
    if found is None:
        return None
    note = "Below each candidate those that began with its weights; on the right what was changed."
    full = tag("details", tag("summary", "Every difference, as a table"), found)
    return section("Where weights came from", tag("p", note, class_="note"), tree(run), full)


def training(run: RunFiles, charts: Charts) -> Markup | None:
    """How candidates were trained."""
    return section("How candidates were trained", recipes.shown(run))


def compressed(run: RunFiles, charts: Charts) -> Markup | None:
    """What --compress made of the front's members."""
    found = [tables.row(cells) for cells in compression.rows(run)]
    if not found:
        return None
    shown = tables.table("Compression", compression.HEADS, found)
    return section("Compression", compression.note(run), shown)


def effort(run: RunFiles, charts: Charts) -> Markup | None:
    """Where the time went."""
    return section("Where the time went", tables.times(run))


def losses(run: RunFiles, charts: Charts) -> Markup | None:
    """What was refused, failed or broke a limit."""
    return section("Refused and failed", tables.refusals(run), tables.losses(run))


def cautions(run: RunFiles, charts: Charts) -> Markup | None:
    """Warnings about the data and notes of the target."""
    targets = run.run.get("targets") or ()
    said = [note for target in targets for note in target.get("notes") or ()]
    notes = [*((run.run.get("dataset") or {}).get("warnings") or ()), *said]
    said_of_data = guardrails.sentence(run)
    return section(
        "Know before use",
        tag("ul", (tag("li", str(note)) for note in notes)) if notes else None,
        tag("p", said_of_data) if said_of_data else None,
        guardrails.shown(run),
    )


HIDDEN = ("warnings", "provenance", "guardrails", "preprocessing", "goal")
"""Facts about the data that have their own place, or are for programs."""


def conditions(run: RunFiles, charts: Charts) -> Markup | None:
    """Everything the figures depend on."""
    data = {k: v for k, v in (run.run.get("dataset") or {}).items() if k not in HIDDEN}
    blocks: Mapping[str, object] = {
        "Data": {**data, "number_of_classes": len(data.get("classes") or ())},
        "Settings": run.run.get("settings"),
        **{f"Target {target.get('name')}": _profile(target) for target in run.run.get("targets") or ()},
        "Host": run.run.get("host"),
        "Versions": run.run.get("versions"),
    }
    drawn = [
        tag("div", tag("h3", title), tables.pairs(values, title))
        for title, values in blocks.items()
        if isinstance(values, Mapping)
    ]
    noisy = noise(run)
    note = tag("p", noisy, class_="note") if noisy else None
    origins = [tag("h3", "Origin of the figures"), tables.origins(run), note] if run.scored else None
    return section("Conditions", origins, tag("div", drawn, class_="blocks"))


def _profile(target: Mapping[str, Any]) -> dict[str, object]:
    """A profile without what has its own place on the page, or is too long for it."""
    elsewhere = ("notes", "facts", "coefficients")
    return {name: value for name, value in target.items() if value and name not in elsewhere}


def reproduce(run: RunFiles, charts: Charts) -> Markup | None:
    """The command line."""
    note = "The same seed proposes the same architectures; a time limit can end the search at another trial."
    box = tag("pre", tag("code", " \\\n  ".join(parts(run))), tabindex=0)
    return section("Do it again", box, tag("p", note, class_="note"))


SECTIONS: Iterable[Callable[[RunFiles, Charts], Markup | None]] = (
    head,
    fronts,
    leaderboard,
    cautions,
    winner,
    lessons.errors,
    lessons.lessons,
    lessons.decisions,
    progress,
    rungs,
    inheritance,
    training,
    compressed,
    effort,
    losses,
    conditions,
    reproduce,
)
"""The page from top to bottom."""
