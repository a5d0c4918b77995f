"""RunFiles -> would more or fewer units help: score against parameters, MACs and channels, in words."""

from __future__ import annotations

from dataclasses import dataclass

from edgeml.report import climb, figures, trends
from edgeml.report.run_files import CandidateFile, RunFiles
from edgeml.report.trends import Trend

SIZES = ("params", "macs", "channels")
"""What size is measured by: metrics, and the channels of the widest stage."""
TITLES = {"params": "parameters", "macs": "MACs", "channels": "channels of the widest stage"}
SINGULAR = {"params": "the parameters", "macs": "the MACs", "channels": "the channels of the widest stage"}


@dataclass(frozen=True)
class Sample:
    """Candidates that had the same training.

    Attributes:
        points: candidate and its int8 score after that training.
        training: what they had, in words: "full training", "20 % of the epochs".
        whole: it was full training.
    """

    points: tuple[tuple[CandidateFile, float], ...]
    training: str
    whole: bool


def sample(run: RunFiles) -> Sample:
    """Fully trained candidates where there are enough for a trend, else the lower rung with the most.

    Only the promising ones are trained fully, so a lower rung has more candidates, and less chosen ones.
    Those that --time cut short are left out: their sizes are not all that differs.
    """
    scores = ((c, _before_further(c)) for c in run.trials if climb.comparable(run, c))
    full = tuple((c, score) for c, score in scores if score is not None)
    whole = Sample(full, "full training", True)
    if len(full) >= trends.LEAST:
        return whole
    lower = [_on_rung(run, index) for index in range(len(run.ladder) - 1)]
    most = max([whole, *lower], key=lambda one: len(one.points))
    return most if len(most.points) >= trends.LEAST else whole


def _before_further(candidate: CandidateFile) -> float | None:
    """The score after full training, also of those that were trained further in the time left."""
    return next((row.get("before") for row in candidate.further), candidate.accuracy)


def _on_rung(run: RunFiles, index: int) -> Sample:
    known = ((c, climb.accuracies(c)) for c in run.trials)
    points = tuple((c, at[index]) for c, at in known if index in at)
    return Sample(points, climb.share(run.ladder[index]), False)


def size_of(candidate: CandidateFile, size: str) -> float | None:
    """Parameters or MACs of the whole network, or the channels of its widest stage; None where not known."""
    if size != "channels":
        figure = candidate.figures.get(size)
        return figure.value if figure is not None and figure.value > 0 else None
    stages = candidate.arch.get("stages") or ()
    try:
        return float(max(stage["channels"] for stage in stages))
    except (KeyError, TypeError, ValueError):
        return None


def points(taken: Sample, size: str) -> list[tuple[CandidateFile, float, float]]:
    """Candidate, size, score of those whose size is known."""
    sized = ((c, size_of(c, size), score) for c, score in taken.points)
    return [(c, x, score) for c, x, score in sized if x is not None]


def trend(taken: Sample, size: str) -> Trend | None:
    """The trend of the score over a size; None where there are too few candidates or sizes."""
    found = points(taken, size)
    return trends.fit([x for _, x, _ in found], [y for _, _, y in found])


def sentences(run: RunFiles) -> list[str]:
    """One sentence a size, or one that says why there is none; nothing without candidates."""
    taken = sample(run)
    if not taken.points:
        return []
    said = [words for size in SIZES if (words := sentence(run, taken, size))]
    if said:
        return said if taken.whole else [*said, _of_little_training(run, taken)]
    return [
        f"{figures.many(len(taken.points), 'candidate')} with the same training: too few, or too much of one "
        f"size, to say whether more or fewer units would help ({trends.LEAST} of sizes that differ by a "
        f"factor of {trends.LEAST_RATIO} or more are needed)."
    ]


def _of_little_training(run: RunFiles, taken: Sample) -> str:
    full = sum(run.fully_trained(c) for c in run.trials)
    return (
        f"Only {figures.many(full, 'candidate')} had full training, too few for a trend, so this is "
        f"of {taken.training}: with so little training, what learns fast looks better than it will be."
    )


def sentence(run: RunFiles, taken: Sample, size: str) -> str | None:
    """What doubling a size brought, over which range, and how sure that is."""
    found = trend(taken, size)
    if found is None:
        return None
    reach = f"{figures.count(found.smallest)} to {figures.count(found.largest)}"
    after = f"{found.n} candidates after {taken.training}"
    name = figures.capital(TITLES[size])
    apart = f"candidates of one size lie {run.goal.gap(found.spread)} (one standard deviation) apart"
    if not found.clear:
        return (
            f"{name}: no clear effect of {reach} on the {run.goal.title} ({after}); {apart}, so "
            "what a network is made of matters more here than how large it is."
        )
    sure = f"{run.goal.gap(found.low)} to {run.goal.gap(found.high)} with 95 % confidence"
    gain = run.goal.gap(abs(found.slope))
    if found.slope < 0:
        return (
            f"{name}: doubling {SINGULAR[size]} went with a worse {run.goal.title}, by {gain} over "
            f"{reach} ({sure}; {after}): smaller networks did better with this training."
        )
    if found.form == "bend":
        bend = figures.count(found.bend)
        return (
            f"{name}: doubling {SINGULAR[size]} brought about {gain} between "
            f"{figures.count(found.smallest)} and {bend}, and nothing to speak of beyond ({sure}; {after}); "
            f"{apart}."
        )
    beyond = (
        "it still rises among the larger half, so larger ones than those tried may do better"
        if found.still_rising
        else "whether it levels off cannot be told from these"
    )
    return (
        f"{name}: doubling {SINGULAR[size]} brought about {gain} over all of {reach} ({sure}; "
        f"{after}); {beyond}; {apart}."
    )
