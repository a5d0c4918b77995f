"""Runs -> what is not alike in them, in sentences; refused where their scores are not of the same samples."""

from __future__ import annotations

from collections.abc import Sequence

from edgeml.errors import ConfigError
from edgeml.report.compare_fronts import best, figures_of, rescored
from edgeml.report.run_files import RunFiles


def unlike(runs: Sequence[RunFiles], names: Sequence[str], force: bool) -> list[str]:
    """Notes on data that are not the same.

    Raises:
        ConfigError: they are not, and nobody forces it; or scores are of different kinds.
    """
    first = runs[0]
    notes: list[str] = []
    for run, name in zip(runs[1:], names[1:], strict=True):
        if (run.goal.task, run.goal.metric) != (first.goal.task, first.goal.metric):
            raise ConfigError(
                f"compare: {names[0]} is scored by {first.goal.title}, {name} by {run.goal.title}; compare "
                "runs of one metric."
            )
        what = _other_samples(first, run)
        if what is None:
            continue
        if not force:
            raise ConfigError(
                f"compare: {name} has {what} than {names[0]}, so their scores are not of the same samples; "
                "compare runs of the same data and, where edgeml splits them, the same seed, or add --force."
            )
        notes.append(f"{name} has {what} than {names[0]}: differences of scores may be of the samples.")
    return notes


def _other_samples(first: RunFiles, run: RunFiles) -> str | None:
    """What is scored on other samples in the second run: "other data (...)"; None where nothing is.

    Splits that the data bring are used whole, in an order that depends on the seed; only what is taken from
    the training part depends on the seed itself. So hashes of arrays or of the order do not tell.
    """
    one, other = ((r.run.get("dataset") or {}) for r in (first, run))
    known = [(d.get("provenance") or {}) for d in (one, other)]
    hashes = [found.get("content_hash") for found in known]
    if None in hashes or hashes[0] != hashes[1] or one.get("classes") != other.get("classes"):
        told = [str(value or "unknown")[:12] for value in hashes]
        return f"other data (content hash {told[1]}, not {told[0]})"
    parts = [(found.get("split_from") or {}) for found in known]
    splits = [found.get("split_hash") for found in known]
    for name, words in (("val", "another validation split"), ("test", "another test split")):
        given = parts[0].get(name) == parts[1].get(name) == name
        if not given and (None in splits or splits[0] != splits[1]):
            seeds = [found.get("seed") for found in known]
            return f"{words} (seed {seeds[1]}, not {seeds[0]})" if seeds[0] != seeds[1] else words
    return None


def cautions(runs: Sequence[RunFiles], names: Sequence[str], common: Sequence[str]) -> list[str]:
    """Costs found out in different ways, targets that differ, and whether the best are a tie on test."""
    return [*_other_tools(runs, common), *_device_costs(runs, names), *_ties(runs)]


def _device_costs(runs: Sequence[RunFiles], names: Sequence[str]) -> list[str]:
    targets = [", ".join(str(t.get("name")) for t in run.run.get("targets") or ()) for run in runs]
    if len(set(targets)) == 1:
        return []
    told = "; ".join(f"{name}: {target}" for name, target in zip(names, targets, strict=True))
    return [f"The targets differ ({told}): what depends on the device is compared only where it is the same."]


def _ties(runs: Sequence[RunFiles]) -> list[str]:
    """A sentence where the test split does not tell the best of the runs apart."""
    tests = [best(run).test_accuracy for run in runs]
    known = [
        [rescored(run, test[end], runs[0]) for end in ("low", "high")]
        for run, test in zip(runs, tests, strict=True)
        if test
    ]
    if len(known) < len(runs) or max(low for low, _ in known) > min(high for _, high in known):
        return []
    return ["The best of the runs are a tie on the test split: their 95 % intervals overlap."]


def _other_tools(runs: Sequence[RunFiles], common: Sequence[str]) -> list[str]:
    """Where the same cost was found out in different ways."""
    tools = {cost: sorted({f"{f.kind} by {f.tool}" for f in figures_of(runs, cost)}) for cost in common}
    return [f"{cost} is not of one kind: {', '.join(own)}." for cost, own in tools.items() if len(own) > 1]
