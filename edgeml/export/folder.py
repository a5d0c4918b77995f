"""A candidate of a run -> a folder that stands alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeml.export.card import Handed
from edgeml.export.contents import contents
from edgeml.export.describe import describe
from edgeml.export.formats import chosen, make
from edgeml.export.given import ExportInput
from edgeml.export.place import check_place, write_folder
from edgeml.export.proof import Proof, prove
from edgeml.export.read import check_data, check_trained, read_candidate
from edgeml.export.scores import Scores, score
from edgeml.report.run_files import RunFiles, open_run
from edgeml.search.start import WEIGHTS


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        folder: where it lies.
        key: of the candidate.
        files: one row a file, models first.
        proofs: what came of opening each format.
        skipped: formats of `all` that could not be made here, and why.
        notes: sentences that the user must not miss.
    """

    folder: Path
    key: str
    files: tuple[Handed, ...]
    proofs: Mapping[str, Proof]
    skipped: Mapping[str, str]
    notes: tuple[str, ...]

    @property
    def failures(self) -> list[str]:
        """One sentence for each format that is not what was scored."""
        return [_failure(proof) for proof in self.proofs.values() if not proof.passed]

    @property
    def ok(self) -> bool:
        """Whether every format passed its proof."""
        return not self.failures

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        rows = [{"file": one.name, "bytes": one.size, "format": one.format or None} for one in self.files]
        return {
            "folder": str(self.folder),
            "key": self.key,
            "ok": self.ok,
            "files": rows,
            "proofs": {name: proof.to_dict() for name, proof in self.proofs.items()},
            "skipped": dict(self.skipped),
            "notes": list(self.notes),
        }


def export_files(
    run_path: Path, key: str, out: Path, formats: Sequence[str], run: Mapping[str, Any]
) -> Exported:
    """Candidate -> files in `out`, written also where a format fails its proof; the card says so then.

    Args:
        run_path: the run directory.
        key: of the candidate; it must have been trained fully.
        out: folder to write to; made if missing, must be empty or an earlier export.
        formats: names in FORMATS, or "all".
        run: run.json.

    Raises:
        UnknownNameError: unknown format.
        RunError: `out` holds something else, or the candidate was not trained fully.
        ModelError: artifact or weights are missing or not those that were scored; a format cannot be made.
        DataError: the run's data are gone: the test split is needed.
        StorageError: no disk space or no permission.
    """
    chosen(formats)
    check_place(out)
    files = open_run(run_path)
    check_trained(files, key)
    given = read_candidate(run_path, key, run)
    check_data(given)
    scores = score(given.tflite, given.data)
    made = make(given, formats)
    proofs = prove(given, made.files)
    notes = _notes(given, files, scores, proofs)
    weights = (run_path / "candidates" / key / WEIGHTS).read_bytes()
    found = contents(
        describe(given, files, scores), scores, given.record, made.files, weights, proofs, made.skipped, notes
    )
    write_folder(out, found.files)
    return Exported(out, key, found.handed, proofs, made.skipped, tuple(notes))


def _notes(given: ExportInput, files: RunFiles, scores: Scores, proofs: Mapping[str, Proof]) -> list[str]:
    """What a user must not miss: failed proofs first."""
    record = given.record
    what = "accuracy" if given.goal.metric == "accuracy" else "its score"
    notes = [_failure(proof) for proof in proofs.values() if not proof.passed]
    if files.state.get("status") != "finished":
        notes.append(
            f"the search is not finished (state: {files.state.get('status')}); a candidate that is still to "
            "come may be better."
        )
    compression = record.get("compression") or {}
    if compression.get("warning"):
        lost = given.goal.gap((compression.get("drop") or 0.0) / 100)
        notes.append(f"the int8 artifact is {lost} worse than the float network.")
    if record["status"] == "infeasible":
        notes.append(f"this candidate breaks a limit of the search: {record.get('reason')}.")
    if not record.get("test_accuracy"):
        notes.append(
            "this candidate was not on the front of a finished search, so the test split was read at this "
            "export; choosing between candidates by such figures makes them optimistic."
        )
    elif abs(record["test_accuracy"]["value"] - scores.accuracy["value"]) > 1e-9:
        notes.append(
            f"the run has a test {what.removeprefix('its ')} of {record['test_accuracy']['value']:.4f} "
            f"for this artifact, this computer gets {scores.accuracy['value']:.4f}: its kernels round "
            "differently."
        )
    return notes


def _failure(proof: Proof) -> str:
    return f"{proof.format} did NOT pass its proof: {proof.reason.rstrip('.')}."
