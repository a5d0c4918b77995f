"""Models and what is known of them -> every file of the folder: card, examples and checksums as well."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgeml.data.goal import Goal
from edgeml.export.card import NAME as MODEL_CARD
from edgeml.export.card import Handed, card
from edgeml.export.card_scores import as_data
from edgeml.export.checksums import SUMS, digest, sums_file
from edgeml.export.claims import alike
from edgeml.export.examples import examples
from edgeml.export.front_end import audio_files
from edgeml.export.literals import labels_file
from edgeml.export.place import CARD
from edgeml.export.preprocess import preprocess_files
from edgeml.export.proof import Proof
from edgeml.export.scores import Scores
from edgeml.export.spec import NAME as SPEC
from edgeml.export.spec import Spec
from edgeml.export.undated import undated
from edgeml.search.start import WEIGHTS

FAILED = "failed/"
"""Folder of the files that are not what was scored: kept to be looked at, out of the way of use."""

Models = Mapping[str, Mapping[str, bytes]]
"""By format: file name -> content."""


@dataclass(frozen=True)
class Contents:
    """The files of a folder.

    Attributes:
        files: name -> content.
        handed: one row a file, models first.
    """

    files: dict[str, bytes]
    handed: tuple[Handed, ...]


def contents(
    spec: Spec,
    scores: Scores,
    record: Mapping[str, Any],
    models: Models,
    weights: bytes,
    proofs: Mapping[str, Proof],
    skipped: Mapping[str, str],
    notes: Sequence[str],
) -> Contents:
    """Everything that goes into the folder.

    Args:
        spec: what the model is and how it was found.
        scores: on the test split.
        record: candidate.json.
        models: the model files by format.
        weights: the bytes of weights.safetensors.
        proofs: by format.
        skipped: formats that could not be made, and why.
        notes: sentences that a reader must not miss.
    """
    files: dict[str, bytes] = {}
    rows: list[tuple[str, str, str]] = []
    wrong = {name for name, proof in proofs.items() if not proof.passed}
    for name, made in models.items():
        part = {FAILED + file: content for file, content in made.items()} if name in wrong else made
        files.update(part)
        said = proof_words(proofs[name], spec.data.goal) if name in proofs else ""
        rows += [(file, name, "" if index else said) for index, file in enumerate(part)]
    rest = {
        **({"labels.txt": labels_file(spec.data.classes)} if spec.data.task == "classification" else {}),
        SPEC: spec.to_json(),
        WEIGHTS: weights,
        **preprocess_files(spec.data.preprocessing),
        **audio_files(spec.architecture.front, spec.data.preprocessing),
        **examples(
            {name: list(part) for name, part in models.items() if name not in wrong},
            spec.architecture.input_shape,
            spec.data,
            spec.scored.threshold,
        ),
    }
    files.update(rest)
    rows += [(file, "", "") for file in rest]
    handed = [Handed(file, len(files[file]), kind, said) for file, kind, said in rows]
    files[MODEL_CARD] = card(spec, scores, record["metrics"], handed, notes)
    checksums = {name: digest(content) for name, content in files.items()}
    described = scores.to_dict()
    files[CARD] = _json(
        {
            **undated(record),
            "classes": spec.data.classes,
            "dataset": spec.data.name,
            "input": "raw uint8, NHWC",
            "spec": SPEC,
            **as_data(spec),
            "test": described["accuracy"],
            "per_class": described["classes"],
            "confusions": described["confusions"],
            "proofs": {name: undated(proof.to_dict()) for name, proof in proofs.items()},
            "skipped": dict(skipped),
            "notes": list(notes),
            "checksums": checksums,
        }
    )
    files[SUMS] = sums_file(files)
    handed += [Handed(file, len(files[file]), "", "") for file in (MODEL_CARD, CARD, SUMS)]
    return Contents(files, tuple(handed))


def proof_words(proof: Proof, goal: Goal) -> str:
    """A proof in a few words: "passed: same class on 100.0 % of 269 (LiteRT 2.3.0)"."""
    if not proof.passed:
        return f"FAILED: {proof.reason}"
    if not proof.executed:
        return proof.reason
    same = "same class" if proof.steps is None else alike(proof.steps)
    parts = (
        [] if proof.agreement is None else [f"{same} on {100 * proof.agreement:.1f} % of {proof.compared}"]
    )
    parts += [] if proof.max_error is None else [f"off by {proof.max_error:.1g} at most"]
    parts += [f"test {goal.said(proof.accuracy['value'])}"] if proof.accuracy else []
    return f"passed: {', '.join(parts)} ({proof.runtime})"


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=1).encode()
