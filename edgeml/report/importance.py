"""RunFiles -> how much each decision of the space mattered to the int8 score, and whether that can be told.

Permutation importance (Breiman 2001) of a random forest on candidates it has not seen: in each of FOLDS
parts a forest grown on the others predicts the scores, once as they are and REPEATS times with one decision
shuffled; half of what the shuffling adds to the squared error, as a share of the variance of the scores, is
that decision's importance (half, because a shuffled choice and the true one differ by twice its variance: a
total Sobol index). fANOVA (Hutter et al. 2014) splits the variance of the forest itself, which has some
even where the scores are noise; here a forest that predicts nothing says so, in its R2 on unseen candidates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeml.report import figures
from edgeml.report.run_files import CandidateFile, RunFiles
from edgeml.report.size_effect import Sample, sample

LEAST = 20
"""Candidates below which no forest is grown."""
FOLDS, REPEATS, TREES = 5, 3, 40
LEAST_R2 = 0.05
"""Share of the variance that a forest must predict before its importances are shown."""
CLEAR_SHARE, CLEAR_ERRORS = 0.02, 2.78
"""What is called clear: this share of the variance, and as many standard errors (t of 95 %, 5 folds)."""
LEAST_OF_CHOICE = 3
"""Candidates with a choice before its mean is shown."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Choice:
    """One choice of a decision: how its candidates scored on the mean."""

    name: str
    mean: float
    n: int


@dataclass(frozen=True)
class Decision:
    """A decision.

    Attributes:
        share: of the variance of the scores that is its doing; may be below 0 by chance.
        error: standard error of `share` over folds.
        best, worst: choices by mean score, where two or more have LEAST_OF_CHOICE candidates.
    """

    name: str
    share: float
    error: float
    best: Choice | None
    worst: Choice | None


@dataclass(frozen=True)
class Importance:
    """What was found: `decisions`, most important first; `r2` of the forest on unseen candidates."""

    decisions: tuple[Decision, ...]
    r2: float
    n: int
    training: str

    @property
    def told(self) -> bool:
        """Whether the forest predicts well enough for its importances to mean something."""
        return self.r2 >= LEAST_R2


def importance(run: RunFiles) -> Importance | None:
    """None where fewer than LEAST candidates of the same training have choices that differ."""
    taken = _sample(run)
    rows = [(c, score) for c, score in taken.points if c.choices]
    names = [name for name in _names(rows) if len({_text(c.choices.get(name)) for c, _ in rows}) > 1]
    scores = np.array([score for _, score in rows])
    if len(rows) < LEAST or not names or float(scores.var()) == 0:
        return None
    columns = [_columns([c.choices.get(name) for c, _ in rows]) for name in names]
    base, shuffled = _errors(columns, scores)
    shares = (shuffled - base[:, None]) / (2 * scores.var())
    means, spreads = shares.mean(0), shares.std(0, ddof=1) / len(shares) ** 0.5
    r2 = 1 - float(base.mean()) / float(scores.var())
    found = [
        Decision(name, float(m), float(e), *_ends(rows, name))
        for name, m, e in zip(names, means, spreads, strict=True)
    ]
    return Importance(tuple(sorted(found, key=lambda d: -d.share)), r2, len(rows), taken.training)


def sentence(run: RunFiles, found: Importance | None) -> str:
    """What the figures are worth, for above the chart."""
    if found is None:
        number = sum(bool(c.choices) for c, _ in _sample(run).points)
        if number >= LEAST:
            return (
                f"{number} candidates with the same training: no decision was made in two ways, or all score "
                "the same, so nothing can be told of which mattered."
            )
        return (
            f"{figures.many(number, 'candidate')} with the same training: too few to tell which "
            f"decisions mattered ({LEAST} are needed)."
        )
    of = f"{found.n} candidates after {found.training}"
    if not found.told:
        return (
            f"Which decisions mattered cannot be told: a forest grown on {of} does not predict the others "
            f"(R2 {found.r2:.2f} on unseen candidates)."
        )
    clear = [d for d in found.decisions if d.share > max(CLEAR_SHARE, CLEAR_ERRORS * d.error)]
    first = ", ".join(d.name for d in clear[:3]) or "none by itself"
    return (
        f"Decisions that clearly mattered most: {first}. A forest grown on {of} predicts "
        f"{100 * found.r2:.0f} % of the variance of unseen ones; choices that were made together share their "
        "importance, and what the search did not vary has none."
    )


def _sample(run: RunFiles) -> Sample:
    """Of the rungs the one with the most candidates: importance needs many, and not only promising ones."""
    taken = sample(run)
    lowest = [c for c in run.trials if c.rungs and c.rungs[0].get("rung") == 0]
    if len(run.ladder) > 1 and len(lowest) > len(taken.points):
        from edgeml.report import climb

        points = tuple((c, at[0]) for c in lowest if 0 in (at := climb.accuracies(c)))
        if len(points) > len(taken.points):
            return Sample(points, climb.share(run.ladder[0]), False)
    return taken


def _names(rows: list[tuple[CandidateFile, float]]) -> list[str]:
    return list(dict.fromkeys(name for c, _ in rows for name in c.choices))


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _columns(values: list[Any]) -> Array:
    """Choices of one decision -> one column of numbers, or one of 0 and 1 for every name."""
    if all(isinstance(v, int | float) and not isinstance(v, bool) for v in values):
        return np.array(values, float)[:, None]
    texts = [_text(v) for v in values]
    return np.array([[text == one for one in dict.fromkeys(texts)] for text in texts], float)


def _errors(columns: list[Array], scores: Array) -> tuple[Array, Array]:
    """Squared errors on unseen candidates: (folds,) as they are, (folds, decisions) with one shuffled."""
    from sklearn.ensemble import RandomForestRegressor

    table = np.concatenate(columns, 1)
    ends = np.cumsum([column.shape[1] for column in columns])
    rng = np.random.default_rng(0)
    order = rng.permutation(len(scores))
    base, shuffled = [], []
    for part in range(FOLDS):
        unseen = np.zeros(len(scores), bool)
        unseen[order[part::FOLDS]] = True
        forest = RandomForestRegressor(TREES, min_samples_leaf=2, max_features=0.5, random_state=part)
        forest.fit(table[~unseen], scores[~unseen])
        given, truth = table[unseen], scores[unseen]
        base.append(float(((forest.predict(given) - truth) ** 2).mean()))
        changed = []
        for column, end in zip(columns, ends, strict=True):
            copies = np.tile(given, (REPEATS, 1))
            place = slice(end - column.shape[1], end)
            for repeat in range(REPEATS):
                rows = slice(repeat * len(given), (repeat + 1) * len(given))
                copies[rows, place] = given[rng.permutation(len(given)), place]
            changed.append(float(((forest.predict(copies) - np.tile(truth, REPEATS)) ** 2).mean()))
        shuffled.append(changed)
    return np.array(base), np.array(shuffled)


def _ends(rows: list[tuple[CandidateFile, float]], name: str) -> tuple[Choice | None, Choice | None]:
    """The choices with the best and the worst mean."""
    by_choice: dict[str, list[float]] = {}
    for candidate, score in rows:
        by_choice.setdefault(_text(candidate.choices.get(name)), []).append(score)
    known = [
        Choice(text, sum(v) / len(v), len(v)) for text, v in by_choice.items() if len(v) >= LEAST_OF_CHOICE
    ]
    known.sort(key=lambda one: -one.mean)
    return (known[0], known[-1]) if len(known) > 1 else (None, None)
