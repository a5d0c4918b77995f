"""Proof before hand-over: each exported file is opened by its real runtime and compared with what was scored.

Int8 formats are held to the int8 artifact that the search scored, float formats to the float network as it
was trained. What a file must reach stands in one table, CLAIMS. A crash, a hang and a mismatch are results
with a reason, never errors.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeml.data.dataset import Split
from edgeml.deploy.tflite import read_model
from edgeml.errors import ModelError
from edgeml.export.claims import (
    CLAIMS,
    FLOAT,
    PROBABILITY_STEPS,
    REFERENCE,
    SCORED,
    Claim,
    NotHere,
    alike,
)
from edgeml.export.given import ExportInput
from edgeml.export.runtimes import Outcome, Request, most_samples, run, softmax_note

WORKERS = 2


@dataclass(frozen=True)
class Proof:
    """What became of one format.

    Attributes:
        format: its name.
        runtime: what opened the file, with its version; "" where nothing did.
        executed: the file was run here.
        against: what it was compared with.
        compared: samples whose outputs were compared.
        agreement: share of them with the same most probable class, or, where outputs are no classes, whose
            outputs are within `steps`; None where not executed.
        agreement_scored: the same against the artifact in the very kernels that scored it, for int8 formats
            that are held to other kernels; they round differently.
        max_error: largest difference of a probability (or other output); None where not executed.
        accuracy: score on the test split: value, its 95 % interval low and high, n; None where not executed.
        threshold: what had to be reached, in words.
        passed: it was, or it cannot be run here and is what its compiler should write.
        reason: why not; for what was not executed, why not and what was checked in its place; else "".
        seconds: that it took.
        steps: of the scored model's quantised output that agreement allows; None for classes.
    """

    format: str
    runtime: str
    executed: bool
    against: str
    compared: int
    agreement: float | None
    agreement_scored: float | None
    max_error: float | None
    accuracy: Mapping[str, float] | None
    threshold: str
    passed: bool
    reason: str
    seconds: float
    steps: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


def prove(given: ExportInput, files: Mapping[str, Mapping[str, bytes]]) -> dict[str, Proof]:
    """Files of each format -> its proof, in the order of the formats.

    Args:
        given: the candidate.
        files: by format: name -> content, as its exporter made them.

    Raises:
        ModelError: the scored artifact itself does not run, so there is nothing to compare with.
    """
    with tempfile.TemporaryDirectory(prefix="edgeml-proof-") as name, ThreadPoolExecutor(WORKERS) as pool:
        bench = _Bench(given, Path(name), pool)
        try:
            started = {kind: bench.start(kind, CLAIMS[kind], content) for kind, content in files.items()}
            return {kind: bench.finish(kind, CLAIMS[kind], found) for kind, found in started.items()}
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


class _NoReference(Exception):  # noqa: N818 (no error of its own: becomes a reason where it is caught)
    """There is nothing to hold a format to; the text says why."""


@dataclass(frozen=True)
class _Started:
    """A format under way: the run, or the finished proof of what is not executed."""

    outcome: Future[Outcome] | None
    proof: Proof


class _Bench:
    """The test samples, the references, each made once, and the folder where all of it lies."""

    def __init__(self, given: ExportInput, folder: Path, pool: ThreadPoolExecutor) -> None:
        self._given, self._folder, self._pool = given, folder, pool
        test = given.data.test
        most = most_samples(given.graph.input_shape)
        self._goal = given.goal
        self._test = Split(test.inputs[:most], test.labels[:most], given.goal)
        self._inputs = folder / "inputs.npy"
        np.save(self._inputs, self._test.inputs)
        self._scored: dict[str, Future[Outcome]] = {}
        self._float: NDArray[np.float32] | None = None

    def start(self, kind: str, claim: Claim, files: Mapping[str, bytes]) -> _Started:
        """Write a format's files and start its runtime, and that of its reference."""
        began = time.monotonic()
        folder = self._folder / kind
        for name, content in files.items():
            path = folder / "files" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        classes = self._goal.task == "classification"
        words, steps = (claim.threshold, None) if classes else (claim.threshold_of_values, claim.steps)
        proof = Proof(kind, "", False, claim.against, 0, None, None, None, None, words, False, "", 0.0, steps)
        try:
            request = claim.request(self._given, folder / "files")
        except ModelError as error:
            return _Started(None, replace(proof, reason=str(error).rstrip(".")))
        if isinstance(request, NotHere):
            seconds = round(time.monotonic() - began, 2)
            return _Started(None, replace(proof, passed=True, reason=request.reason, seconds=seconds))
        if claim.against != FLOAT:
            self._reference_run(SCORED)
            self._reference_run(claim.against)
        return _Started(self._pool.submit(run, request, self._inputs, folder / "run"), proof)

    def finish(self, kind: str, claim: Claim, started: _Started) -> Proof:
        """Wait for the runtime and judge."""
        if started.outcome is None:
            return started.proof
        found = started.outcome.result()
        proof = replace(started.proof, runtime=found.tool, executed=not found.reason, seconds=found.seconds)
        if found.reason:
            note = softmax_note(len(self._given.classes)) if claim.against == REFERENCE else ""
            return replace(proof, reason=f"it could not be run: {found.reason}{note}")
        try:
            reference = self._reference(claim.against, len(found.outputs))
        except _NoReference as error:
            return replace(proof, reason=str(error))
        if found.outputs.shape[1:] != reference.shape[1:]:
            said = f"it gives {found.outputs.shape[1:]} outputs, expected {reference.shape[1:]}"
            return replace(proof, reason=said)
        return self._judged(proof, claim, found, reference)

    def _judged(self, proof: Proof, claim: Claim, found: Outcome, reference: NDArray[np.float32]) -> Proof:
        n = min(found.compared, len(reference))  # on a busy computer the reference may be the slower one
        agreement, error = self._compared(claim, found.outputs[:n], reference[:n])
        tested = self._test.take(np.arange(len(found.outputs)))
        measured = self._goal.intervals(found.outputs, tested, metrics=())
        del measured["metrics"]
        known = (
            measured if np.isfinite(list(measured.values())).all() else None
        )  # AUC of a slow runtime's few
        proof = replace(proof, compared=n, agreement=agreement, max_error=error, accuracy=known)
        if claim.against == REFERENCE:
            scored_outputs = self._reference(SCORED, n)[:n]
            scored, _ = self._compared(claim, found.outputs[: len(scored_outputs)], scored_outputs)
            proof = replace(proof, agreement_scored=scored)
        failures = []
        if not np.isfinite(found.outputs).all():
            failures.append("some outputs are no numbers")
        if agreement < claim.agreement:
            same = "the same class" if proof.steps is None else alike(claim.steps)
            failures.append(f"{same} on {agreement:.1%} of {n} samples, expected {claim.agreement:.0%}")
        most = None if claim.max_error is None else claim.max_error * self._unit
        if most is not None and not error <= most:
            what = "a probability" if proof.steps is None else "an output"
            failures.append(f"{what} is off by {error:.2g}, expected at most {most:g}")
        recorded = self._given.record.get("test_accuracy") or {}
        # The scored artifact's figure; float formats have none on the test split.
        if claim.against != FLOAT and recorded and known and measured["high"] < recorded["low"]:
            say = self._goal.said
            failures.append(
                f"{self._goal.title} {say(measured['value'])} on the test split, the run has "
                f"{say(recorded['value'])}"
            )
        return replace(proof, passed=not failures, reason="; ".join(failures))

    @cached_property
    def _unit(self) -> float:
        """What corresponds to a probability of 1: as many steps of the scored model's quantised output."""
        if self._goal.task == "classification":
            return 1.0
        return PROBABILITY_STEPS * self._step

    @cached_property
    def _step(self) -> float:
        """Of the scored model's quantised output."""
        read = read_model(self._given.tflite)
        taken = read.tensors[read.outputs[0]].quantization
        return float(taken.scales[0]) if taken else 1.0 / PROBABILITY_STEPS

    def _compared(
        self, claim: Claim, found: NDArray[np.float32], reference: NDArray[np.float32]
    ) -> tuple[float, float]:
        if self._goal.task != "classification":
            return compare_values(found, reference, claim.steps * self._step)
        # Two classes that the float network tells apart by less than rounding may change places.
        undecided = 2 * (claim.max_error or 0.0) if claim.against == FLOAT else 0.0
        return compare(found, reference, undecided)

    def _reference_run(self, against: str) -> None:
        """Start the scored artifact in LiteRT, as it was scored or with reference kernels."""
        if against in self._scored:
            return
        model = self._folder / "scored.tflite"
        model.write_bytes(self._given.tflite)
        more = {"reference": True} if against == REFERENCE else {}
        folder = self._folder / f"scored{len(self._scored)}"
        request = Request("litert", model, more)
        self._scored[against] = self._pool.submit(run, request, self._inputs, folder)

    def _reference(self, against: str, n: int) -> NDArray[np.float32]:
        """Outputs to compare with: of n samples, or of fewer where the reference is that slow."""
        if against == FLOAT:
            if self._float is None or len(self._float) < n:
                self._float = float_outputs(
                    self._given, np.load(self._inputs, mmap_mode="r", allow_pickle=False)[:n]
                )
            return self._float
        found = self._scored[against].result()
        if not found.reason:
            return found.outputs
        if against == SCORED:
            raise ModelError(f"candidate {self._given.key}: the scored model cannot be run: {found.reason}.")
        note = softmax_note(len(self._given.classes))
        raise _NoReference(
            f"LiteRT's reference kernels, which it is held to, do not run it: {found.reason}{note}"
        )


def compare(
    found: NDArray[np.float32], reference: NDArray[np.float32], undecided: float = 0.0
) -> tuple[float, float]:
    """Outputs and reference (n, classes) -> share with the same most probable class, and largest difference.

    A class whose probability in the reference is the highest to within `undecided` is the same class.
    """
    best = found.argmax(-1)
    same = best == reference.argmax(-1)
    if undecided:
        same |= np.take_along_axis(reference, best[:, None], -1)[:, 0] >= reference.max(-1) - undecided
    return float(same.mean()), float(np.abs(found.astype(np.float64) - reference).max())


def compare_values(
    found: NDArray[np.float32], reference: NDArray[np.float32], within: float
) -> tuple[float, float]:
    """Outputs and reference (n, outputs) -> share of samples within `within`, largest difference.

    A sample's difference is the root mean square over its outputs.
    """
    off = np.abs(found.astype(np.float64) - reference)
    same = np.sqrt(np.square(off).mean(-1)) <= within * (1 + 1e-6)  # float32 of whole steps
    return float(same.mean()), float(off.max())


def float_outputs(given: ExportInput, inputs: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Raw inputs -> outputs of the float network as it was trained, BatchNorm and all (n, outputs)."""
    import tensorflow as tf

    from edgeml.train.build import Network

    network = Network(given.graph, given.weights)
    batches = (inputs[start : start + 100].astype(np.float32) for start in range(0, len(inputs), 100))
    last = tf.nn.softmax if given.goal.task == "classification" else tf.identity
    found = [last(network(batch)).numpy() for batch in batches]
    return np.concatenate(found).reshape(len(inputs), -1)
