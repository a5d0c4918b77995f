"""`--pick` -> the key of a candidate."""

from __future__ import annotations

from edgeml.errors import RunError, UnknownNameError
from edgeml.report.run_files import CandidateFile, RunFiles
from edgeml.search.archive.preference import DEFAULT_PREFER, PREFERS, favourite

WORDS = ("preferred", "knee", "accuracy", "latency", "size")


def pick_key(run: RunFiles, pick: str) -> str:
    """Key of what --prefer picks, of the knee, the most accurate, fastest or smallest, or of the one named.

    Raises:
        RunError: the run has no finished candidate, or nothing has the figure asked for.
        UnknownNameError: no such word or key.
    """
    if not run.front_candidates:
        raise RunError(f"{run.path} has no finished candidate yet; go on with `edgeml search --resume`.")
    if pick == "preferred":
        return preferred(run).key
    if pick == "knee":
        return run.knee or run.front_candidates[0].key
    if pick == "accuracy":
        return max(run.front_candidates, key=lambda c: c.accuracy or 0.0).key
    if pick == "latency":
        return _lowest(run, "latency_ms")
    if pick == "size":
        return _lowest(run, "size_bytes")
    whole = [candidate.key for candidate in run.candidates if candidate.key == pick]
    trials = [candidate.key for candidate in run.trials if candidate.key.startswith(pick)]
    variants = [c.key for c in run.candidates if c.is_variant and c.key.startswith(pick) and "-" in pick]
    keys = whole or trials or variants
    if len(keys) != 1 or len(pick) < 4:
        known = [*WORDS, *(candidate.key for candidate in run.front_candidates)]
        raise UnknownNameError("pick", pick, known)
    return keys[0]


def preferred(run: RunFiles) -> CandidateFile:
    """What the search's --prefer picks from a front that has members; the knee where it named nothing."""
    prefer = preference(run)
    if prefer == "balanced":
        return run.knee_candidate or run.front_candidates[0]
    members = [c for c in run.front_candidates if all(name in c.figures for name in run.costs)]
    points = [(1 - (c.accuracy or 0.0), *(c.figures[name].value for name in run.costs)) for c in members]
    index = favourite(points, prefer, run.costs)
    return run.front_candidates[0] if index is None else members[index]


def preference(run: RunFiles) -> str:
    """What --prefer was; runs older than it preferred nothing."""
    said = (run.run.get("settings") or {}).get("prefer")
    return said if said in PREFERS else DEFAULT_PREFER


def _lowest(run: RunFiles, metric: str) -> str:
    def value(candidate: CandidateFile) -> float:
        return candidate.figures[metric].value

    rows = [candidate for candidate in run.front_candidates if metric in candidate.figures]
    if not rows:
        named = {name for c in run.front_candidates for name in c.figures}
        several = any(name.startswith(f"{metric}@") for name in named)
        why = "there is one for each of its targets" if several else "its target measures none"
        raise RunError(f"{run.path} has no {metric} to pick by; {why}. Pick knee, size or a KEY.")
    return min(rows, key=value).key
