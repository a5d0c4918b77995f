"""RunFiles -> what came out, in sentences: the end of a search in a terminal, the top of the page."""

from __future__ import annotations

from edgeml.report import climb, compression, figures
from edgeml.report.headline import headline
from edgeml.report.run_files import CandidateFile, RunFiles


def summary(run: RunFiles) -> str:
    """RunFiles -> a few lines of plain language."""
    return "\n".join(sentences(run))


def sentences(run: RunFiles) -> list[str]:
    """The result; how far the run got; knee and most accurate; whether low rungs rank; what is estimated."""
    result = [*headline(run), progress(run)]
    knee = run.knee_candidate
    if knee is not None:
        result.append(f"Best compromise (knee): {describe(run, knee)}.")
    if run.front_candidates:
        result += _most_accurate(run, run.front_candidates[0])
    result += [*compression.sentences(run), *climb.furthered(run), *climb.confirmations(run)]
    result += [*climb.correlations(run), *climb.warnings(run), *climb.endings(run)]
    result += compression.warnings(run)
    return result + ([estimates(run, knee)] if knee and estimates(run, knee) else [])


def _most_accurate(run: RunFiles, best: CandidateFile) -> list[str]:
    """The best score on the front, and a better one where only a limit keeps it off."""
    if best.key != run.knee:
        said = [f"Most accurate on the front: {describe(run, best)}."]
    elif len(run.front_candidates) > 1:
        said = ["It is the most accurate on the front, too."]
    else:
        said = ["It alone is on the front."]
    barred = [c for c in run.scored if c.status == "infeasible" and (c.accuracy or 0) > (best.accuracy or 0)]
    if barred:
        more = f" and {len(barred) - 1} more" if len(barred) > 1 else ""
        score = f"{figures.score(run, barred[0].accuracy)} int8 {run.goal.title} on validation"
        why = f"{barred[0].reason}".rstrip(".")
        said.append(f"Better, but off the front for a limit: {barred[0].key}, {score} ({why}){more}.")
    return said


def progress(run: RunFiles, timed: bool = True) -> str:
    """Status, time (where it is wanted) and counts in one sentence."""
    elapsed = run.state.get("elapsed_s") if timed else None
    status = {"running": "still running", "interrupted": "stopped early"}.get(
        str(run.state.get("status")), str(run.state.get("status"))
    )
    after = f" after {duration(elapsed)}" if elapsed else ""
    complete = [c for c in run.trials if c.status == "complete"]
    cut = sum(map(climb.cut_short, complete))
    parts = [
        f"{figures.many(len(run.trials), 'architecture')} tried",
        f"{len(complete)} trained fully" + (f" ({cut} of them cut short by --time)" if cut else ""),
        f"{len(run.front_candidates)} on the Pareto front",
    ]
    refused = sum((run.state.get("refused") or {}).values())
    for lost in ("failed", "infeasible"):
        number = sum(c.status == lost for c in run.trials)
        parts += [f"{number} {lost}"] if number else []
    parts += [f"{refused} refused before training"] if refused else []
    return f"Search {status}{after}: {', '.join(parts)}."


def describe(run: RunFiles, candidate: CandidateFile) -> str:
    """A candidate's key, accuracies and costs; whatever is not measured says so."""
    test = candidate.test_accuracy
    on_test = f" ({figures.score(run, test['value'])} on test)" if test else ""
    parts = [f"{figures.score(run, candidate.accuracy)} int8 {run.goal.title} on validation{on_test}"]
    for name in headline_metrics(run):
        figure = candidate.figures.get(name)
        if figure is not None:
            parts.append(f"{figures.title(name)} {figures.shown(figure)} {figure.kind}")
    return f"{candidate.key}, {', '.join(parts)}"


def estimates(run: RunFiles, candidate: CandidateFile) -> str:
    """Which of the figures above nobody measured, and what gave them; nothing where all were measured."""
    said = {}
    for name in headline_metrics(run):
        figure = candidate.figures.get(name)
        if figure is not None and figure.kind in ("estimated", "compiled"):
            said[name] = f"{figures.title(name)} ({figure.kind} by {figure.tool})"
    return f"Not measured on a device: {', '.join(said.values())}." if said else ""


def headline_metrics(run: RunFiles) -> list[str]:
    """The objectives, then latency, size and RAM where they are not objectives."""
    return list(dict.fromkeys([*run.costs, "latency_ms", "size_bytes", "ram_bytes"]))


def duration(seconds: float) -> str:
    """185 -> "3 min 5 s"."""
    if seconds < 9.95:
        return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds:.2g} s"
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole % 3600 // 60, whole % 60
    parts = [(hours, "h"), (minutes, "min"), (rest if not hours else 0, "s")]
    return " ".join(f"{value} {unit}" for value, unit in parts if value)
