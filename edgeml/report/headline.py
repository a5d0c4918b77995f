"""RunFiles -> the result in one or two sentences: the member that was asked for, and what it is better than.

What it is compared with is always another network of the run. Accuracies whose 95 % intervals overlap are no
difference that the split can show, and are called so.
"""

from __future__ import annotations

from collections.abc import Sequence

from edgeml.data.goal import wilson
from edgeml.report import figures, score_axis
from edgeml.report.pick import preference, preferred
from edgeml.report.run_files import CandidateFile, RunFiles
from edgeml.search.archive.preference import GIVE_UP, PREFERS

BETTER = {
    "size_bytes": ("smaller", "larger"),
    "latency_ms": ("faster", "slower"),
    "ram_bytes": ("less RAM", "more RAM"),
}
"""Words for a cost that is lower or higher, by metric."""
WORTH_SAYING = 1.05
"""Ratios below are left out."""

Interval = tuple[float, float, float]
"""Value, low, high: scores 0..1."""


def headline(run: RunFiles) -> list[str]:
    """The picked member's figures; how it compares with another network; its ties. Empty without a front."""
    if not run.front_candidates:
        return []
    pick = preferred(run)
    found = [f"{figures_of(run, pick)} ({pick.key}, {_why(run, pick)})."]
    other = _other(run, pick)
    found += [compared(run, pick, other)] if other is not None else []
    return found + ties(run, pick)


def figures_of(run: RunFiles, pick: CandidateFile) -> str:
    """Candidate -> "97.9 % accuracy on test at 0.80 ms (estimated) on mcu-m7, 23.0 kB"."""
    split, known = _interval(run, pick)
    value = known[0] if known else pick.accuracy
    text = f"{figures.score(run, value)} {run.goal.title} on {split}"
    targets = list((run.run.get("settings") or {}).get("targets") or ())
    times = []
    for name, figure in pick.figures.items():
        metric, _, target = name.partition("@")
        if metric == "latency_ms":
            where = target or (targets[0] if len(targets) == 1 else "")
            times.append(figures.told(figure) + (f" on {_stem(where)}" if where else ""))
    text += f" at {' and '.join(times)}" if times else ""
    size = pick.figures.get("size_bytes")
    return text + (f", {figures.told(size)}" if size else "")


def compared(run: RunFiles, pick: CandidateFile, other: CandidateFile) -> str:
    """Two candidates -> what the first costs less, and at what price in accuracy."""
    gains, losses = [], []
    for name, (better, worse) in BETTER.items():
        for metric in (m for m in pick.figures if m.partition("@")[0] == name):
            mine, theirs = pick.figures[metric], other.figures.get(metric)
            if theirs is None or theirs.kind != mine.kind or min(mine.value, theirs.value) <= 0:
                continue
            on = f" on {metric.partition('@')[2]}" if "@" in metric else ""
            ratio = theirs.value / mine.value
            if ratio >= WORTH_SAYING:
                gains.append(f"{_times(ratio, better)}{on}{figures.unmeasured([mine.kind])}")
            elif 1 / ratio >= WORTH_SAYING:
                losses.append(f"{_times(1 / ratio, worse)}{on}{figures.unmeasured([mine.kind])}")
    what = _listed(gains) or "No cheaper"
    but = f", though {_listed(losses)}," if losses else ""
    most = (
        "the most accurate on the front"
        if other.key == run.front_candidates[0].key
        else "the largest of its equals"
    )
    return f"{what}{but} than {other.key}, {most}: {_price(run, pick, other)}."


def ties(run: RunFiles, pick: CandidateFile) -> list[str]:
    """Members of the front that the split cannot tell from the picked one."""
    same = [c.key for c in run.front_candidates if c.key != pick.key and tied(run, pick, c)]
    if not same:
        return []
    split, _ = _interval(run, pick)
    shown = ", ".join(same[:4]) + (f" and {len(same) - 4} more" if len(same) > 4 else "")
    return [f"Ties: between {pick.key} and {shown} there is no difference that the {split} split can show."]


def tied(run: RunFiles, one: CandidateFile, other: CandidateFile) -> bool:
    """Whether the 95 % intervals of two scores on one split overlap."""
    (_, a), (_, b) = _pair(run, one, other)
    return a is not None and b is not None and a[1] <= b[2] and b[1] <= a[2]


def as_good_as_the_best(run: RunFiles) -> set[str]:
    """Keys of the fully trained that their split cannot tell from the most accurate of the front."""
    trained = [c for c in run.scored if run.fully_trained(c)]
    best = next(iter((*run.front_candidates, *trained)), None)
    return {c.key for c in trained if best is not None and c.key != best.key and tied(run, c, best)}


def _price(run: RunFiles, pick: CandidateFile, other: CandidateFile) -> str:
    (split, mine), (_, theirs) = _pair(run, pick, other)
    if mine is None or theirs is None:
        scores = [figures.score(run, c.accuracy) for c in (pick, other)]
        return f"{scores[0]} against {scores[1]} on validation"
    ends = [score_axis.upwards(run, low, high) for _, low, high in (mine, theirs)]
    spans = [f"{figures.score(run, low)} to {figures.score(run, high)}" for low, high in ends]
    if tied(run, pick, other):
        return f"no difference in {run.goal.title} that the {split} split can show ({spans[0]}, {spans[1]})"
    values = [figures.score(run, one[0]) for one in (mine, theirs)]
    return f"{values[0]} {run.goal.title} against {values[1]} on {split}"


def _other(run: RunFiles, pick: CandidateFile) -> CandidateFile | None:
    """The most accurate of the front; for itself, the largest fully trained network that it ties with."""
    best = run.front_candidates[0]
    if best.key != pick.key:
        return best
    size = pick.figures.get("size_bytes")
    rivals = [
        c
        for c in run.trials
        if c.key != pick.key and run.fully_trained(c) and tied(run, pick, c) and "size_bytes" in c.figures
    ]
    larger = [
        c for c in rivals if size is not None and c.figures["size_bytes"].value >= WORTH_SAYING * size.value
    ]
    return max(larger, key=lambda c: c.figures["size_bytes"].value, default=None)


def _pair(run: RunFiles, one: CandidateFile, other: CandidateFile) -> Sequence[tuple[str, Interval | None]]:
    """Both intervals on the same split: test where both have it, else validation."""
    found = [_interval(run, candidate) for candidate in (one, other)]
    if found[0][0] == found[1][0]:
        return found
    return [("validation", _on_validation(run, candidate)) for candidate in (one, other)]


def _interval(run: RunFiles, candidate: CandidateFile) -> tuple[str, Interval | None]:
    test = candidate.test_accuracy
    if test:
        return "test", (float(test["value"]), float(test["low"]), float(test["high"]))
    return "validation", _on_validation(run, candidate)


def _on_validation(run: RunFiles, candidate: CandidateFile) -> Interval | None:
    """Wilson's interval; none for other metrics than accuracy, whose samples are not kept."""
    count = ((run.run.get("dataset") or {}).get("counts") or {}).get("val")
    if candidate.accuracy is None or not count or run.goal.metric != "accuracy":
        return None
    low, high = wilson(round(candidate.accuracy * count), int(count))
    return candidate.accuracy, low, high


def _why(run: RunFiles, pick: CandidateFile) -> str:
    prefer = preference(run)
    if prefer != "balanced":
        return f"--prefer {prefer}: {PREFERS[prefer].format(run.goal.gap(GIVE_UP, digits=0))}"
    return "the best compromise" if pick.key == run.knee else "on the front"


def _listed(parts: Sequence[str]) -> str:
    """Parts -> "one, two and three"."""
    return " and ".join(part for part in (", ".join(parts[:-1]), *parts[-1:]) if part)


def _times(ratio: float, words: str) -> str:
    """2.1, "less RAM" -> "2.1x less RAM"."""
    return f"{ratio:.1f}x {words}" if ratio < 20 else f"{ratio:.0f}x {words}"


def _stem(target: str) -> str:
    return target.rpartition("/")[2].removesuffix(".yaml")
