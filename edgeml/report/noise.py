"""How noisy this computer was when latencies were measured on it, in one sentence."""

from __future__ import annotations

from statistics import median

from edgeml.report.run_files import RunFiles

OF_ONE_READING = ("rounds", "calm_rounds", "waited_s", "notes")
"""Conditions that differ from reading to reading."""


def noise(run: RunFiles) -> str | None:
    """Run -> what its timings on this computer suffered from; None where nothing was timed here."""
    timed = [
        figure
        for candidate in run.scored
        for figure in candidate.figures.values()
        if "calm_rounds" in figure.conditions
    ]
    if not timed:
        return None
    rounds, calm = (
        sum(figure.conditions.get(name) or 0 for figure in timed) for name in ("rounds", "calm_rounds")
    )
    busy = sum(bool(figure.conditions.get("notes")) for figure in timed)
    widths = [
        50 * (f.high - f.low) / f.value for f in timed if f.value and f.low is not None and f.high is not None
    ]
    waits = [figure.conditions.get("waited_s") for figure in timed if "waited_s" in figure.conditions]
    waited = max((float(wait) for wait in waits if wait is not None), default=0.0)
    parts = [f"{calm} of {rounds} rounds were calm"]
    if widths:
        parts.append(f"intervals are +-{median(widths):.1f} % wide in the median")
    if busy:
        parts.append(f"{busy} taken while the computer was busy, and their intervals say so")
    if waited > 0.1:
        parts.append(f"they waited up to {waited:.1f} s for trainings to stand still")
    if (disturbed := sum(wait is None for wait in waits)) > 0:
        parts.append(f"{disturbed} taken beside a training that did not stand still")
    cpus = sorted({str(figure.conditions["cpu"]) for figure in timed if "cpu" in figure.conditions})
    where = f" ({', '.join(cpus)})" if cpus else ""
    what = "1 latency was" if len(timed) == 1 else f"{len(timed)} latencies were"
    return f"{what} timed on the searching computer{where}: {'; '.join(parts)}."
