"""RunFiles -> how candidates climbed the ladder of rungs, in words: for the summary and for the tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgeml.report import figures
from edgeml.report.run_files import CandidateFile, RunFiles

WHOLE = 0.9
"""Of a schedule: full trainings of which less was done were cut short."""
FACTORS = {
    "epochs": "of the epochs",
    "data": "of the data",
    "resolution": "of the resolution",
    "width": "of the channels",
    "cells": "of the cells",
}
"""Factors of a rung in words."""


def has_rungs(run: RunFiles) -> bool:
    """Whether the ladder has more than one rung."""
    return len(run.ladder) > 1


def label(run: RunFiles, candidate: CandidateFile) -> str:
    """The rung that the candidate's accuracy is of: "1/2"."""
    last = candidate.rungs[-1].get("rung") if candidate.rungs else None
    rung = candidate.rung if last is None else int(last)
    return place(run, run.first_rung + len(run.ladder) - 1 if candidate.status == "complete" else rung)


def place(run: RunFiles, rung: int) -> str:
    """What candidates call a rung -> "1/2"."""
    top = len(run.ladder)
    return f"{min(rung - run.first_rung + 1, top)}/{top}"


def cut_short(candidate: CandidateFile) -> bool:
    """Whether --time left so little of its full training that it is none to compare others with."""
    done = candidate.rungs[-1].get("share") if candidate.rungs else None
    return candidate.status == "complete" and done is not None and done < WHOLE


def comparable(run: RunFiles, candidate: CandidateFile) -> bool:
    """Whether it had full training, as the others had that are compared by what they learnt."""
    return run.fully_trained(candidate) and not cut_short(candidate)


def share(rung: Mapping[str, Any]) -> str:
    """A rung -> "20 % of the epochs and 50 % of the data"; "full training" for the last."""
    parts = [
        f"{100 * rung[name]:.3g} % {words}" for name, words in FACTORS.items() if rung.get(name, 1.0) < 1
    ]
    return " and ".join(parts) or "full training"


def ended(run: RunFiles) -> list[CandidateFile]:
    """Candidates whose training was ended by its learning curve, by trial."""
    return sorted((c for c in run.candidates if c.ended), key=lambda c: c.number)


def accuracies(candidate: CandidateFile) -> dict[int, float]:
    """int8 accuracy by rung, of the trainings that went to their end."""
    return {
        int(row["rung"]): float(row["accuracy"])
        for row in candidate.rungs
        if not row.get("stopped") and row.get("accuracy") is not None and row.get("rung") is not None
    }


def both(run: RunFiles, rung: int) -> list[tuple[CandidateFile, float, float]]:
    """Candidates trained on a lower rung and fully, with both int8 accuracies."""
    top = len(run.ladder) - 1
    known = ((c, accuracies(c)) for c in run.candidates)
    return [(c, at[rung], at[top]) for c, at in known if rung in at and top in at and rung != top]


def observed(run: RunFiles) -> list[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """(rung, what state.json says of it) of every lower rung that has been counted."""
    rows = {int(row["rung"]): row for row in run.state.get("rungs") or () if "rung" in row}
    return [(rung, rows[i]) for i, rung in enumerate(run.ladder[:-1]) if "pairs" in rows.get(i, {})]


def correlation(rung: Mapping[str, Any], row: Mapping[str, Any]) -> str:
    """A rung and its row of state.json -> "0.82 at 20 % of the epochs (9 candidates)"."""
    number = figures.many(row["pairs"], "candidate")
    value = "not known" if row.get("spearman") is None else f"{row['spearman']:.2f}"
    doubt = ", too few to judge" if row.get("ranks") is None else ""
    return f"{value} at {share(rung)} ({number}{doubt})"


def correlations(run: RunFiles) -> list[str]:
    """One sentence with the rank correlation of every lower rung; nothing on a ladder of one."""
    found = [correlation(rung, row) for rung, row in observed(run)]
    return [f"Spearman rank correlation with full training: {', '.join(found)}."] if found else []


def warnings(run: RunFiles) -> list[str]:
    """One sentence for every rung that does not order candidates as full training does."""
    return [
        f"WARNING: training for {share(rung)} did not rank candidates as full training does (Spearman "
        f"{row['spearman']:.2f} on {row['pairs']} candidates); use --fidelity full or "
        f"a higher {'first rung' if row['rung'] == 0 else 'rung ' + str(row['rung'] + 1)}."
        for rung, row in observed(run)
        if row.get("ranks") is False and row.get("spearman") is not None
    ]


def endings(run: RunFiles) -> list[str]:
    """How many trainings were ended by their learning curves; nothing where none was."""
    number = len(ended(run))
    if not number:
        return []
    words = "training was ended early by its learning curve"
    many = "trainings were ended early by their learning curves"
    return [f"{number} {words if number == 1 else many}."]


def furthered(run: RunFiles) -> list[str]:
    """One sentence on what training members of the front further has brought; nothing where none was."""
    tried = [c for c in run.trials if c.further]
    better = [(c, rows) for c in tried if (rows := [row for row in c.further if row.get("kept")])]
    if not tried:
        return []
    parts = [
        f"{c.key} {figures.score(run, rows[0]['before'])} -> {figures.score(run, rows[-1]['accuracy'])}"
        for c, rows in better
    ]
    many = f"{len(tried)} member{'s' if len(tried) > 1 else ''} of the front"
    gained = f": {'; '.join(parts)} (int8, validation)" if parts else ", none of which got better"
    return [f"Trained further in the time left: {many}{gained}."]


def confirmations(run: RunFiles) -> list[str]:
    """One sentence with both int8 accuracies of every front member that was trained from scratch too."""
    parts = [
        f"{c.key} {figures.score(run, c.accuracy)} in the search, {scratch(run, c)}"
        for c in run.front_candidates
        if c.confirmed
    ]
    return [f"Trained from scratch as well (int8, validation): {'; '.join(parts)}."] if parts else []


def scratch(run: RunFiles, candidate: CandidateFile) -> str:
    """What training from scratch gave: "96.9 % from scratch", or why there is no such figure."""
    found = candidate.confirmed or {}
    if found.get("accuracy") is None:
        return f"none from scratch (training failed: {found.get('failure', 'no accuracy')})"
    return f"{figures.score(run, found['accuracy'])} from scratch"
