"""A run directory on disk -> RunFiles: read only, tolerant of a run that is still going.

    RUN/run.json                         what was asked, on what, with what
    RUN/state.json                       how far it got (absent in the first seconds)
    RUN/front.json                       the Pareto front's keys and the knee (absent until there is one)
    RUN/candidates/KEY/candidate.json    one per trained, failed or infeasible candidate

Every file is written whole or not at all, so a file that does not parse is damaged, not half-written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgeml.data.goal import Goal
from edgeml.errors import RunError
from edgeml.report.candidate_shape import CandidateShape
from edgeml.report.run_json import Shape, read
from edgeml.report.run_shapes import FrontShape, RunShape, StateShape
from edgeml.search.candidate import of_variant
from edgeml.search.run_dir import LAYOUT


@dataclass(frozen=True)
class Figure:
    """One metric of one candidate: a Measurement as it lies on disk.

    Attributes:
        value, low, high: the figure and its interval (None where there is none), in `unit`.
        kind: "measured", "compiled", "estimated" or another word the meter used.
        tool: what produced it, with version.
        conditions: whatever the meter thought worth saying.
    """

    metric: str
    value: float
    unit: str
    low: float | None
    high: float | None
    n: int | None
    kind: str
    tool: str
    conditions: Mapping[str, Any]


@dataclass(frozen=True)
class CandidateFile:
    """One candidate.json. Accuracies are fractions, on the validation split unless they say test.

    Attributes:
        rung: index of the highest rung it was trained on.
        rungs: one row a training: rung, epochs, accuracy, accuracy_float, cost, perhaps curve and stopped.
        further: one row a training of the front's member after that: epochs, before, accuracy, kept.
        source, lineage: how it inherited from its parent, and what differs from it.
        confirmed: the same network trained from scratch, or {"failure": why}.
        compression: what --compress tried on a finalist, or what a variant is.
        choices, recipe: decisions of the space, and training settings.
    """

    key: str
    number: int
    status: str
    reason: str | None
    accuracy: float | None
    accuracy_float: float | None
    test_accuracy: Mapping[str, Any] | None
    figures: Mapping[str, Figure]
    arch: Mapping[str, Any]
    fidelity: Mapping[str, Any]
    parent: str | None
    inherited_fraction: float | None
    history: tuple[Mapping[str, Any], ...]
    finished_at_s: float | None
    rung: int = 0
    rungs: tuple[Mapping[str, Any], ...] = ()
    further: tuple[Mapping[str, Any], ...] = ()
    source: str | None = None
    lineage: str | None = None
    confirmed: Mapping[str, Any] | None = None
    compression: Mapping[str, Any] | None = None
    choices: Mapping[str, Any] = field(default_factory=dict)
    recipe: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_variant(self) -> bool:
        """Whether it is a finalist's compressed variant, which no trial made."""
        return of_variant(self.compression)

    @property
    def ended(self) -> Mapping[str, Any] | None:
        """The training that its learning curve ended, if one was."""
        return next((row for row in self.rungs if row.get("stopped")), None)


@dataclass(frozen=True)
class RunFiles:
    """A run directory as it is now.

    Attributes:
        path: the directory, resolved.
        run: run.json.
        state: state.json; {"status": "running"} until it exists.
        candidates: best int8 validation accuracy first, those without one last.
        front: keys of the Pareto front, as the search wrote them; only of fully trained candidates.
        knee: the key of the best compromise on it, if there is one.
    """

    path: Path
    run: Mapping[str, Any]
    state: Mapping[str, Any]
    candidates: tuple[CandidateFile, ...]
    front: tuple[str, ...]
    knee: str | None

    @property
    def name(self) -> str:
        """The directory's name."""
        return self.path.name

    @property
    def scored(self) -> tuple[CandidateFile, ...]:
        """Candidates whose int8 accuracy is known, best first."""
        return tuple(c for c in self.candidates if c.accuracy is not None)

    @property
    def trials(self) -> tuple[CandidateFile, ...]:
        """What trials made: compressed variants left out."""
        return tuple(c for c in self.candidates if not c.is_variant)

    @property
    def front_candidates(self) -> tuple[CandidateFile, ...]:
        """Candidates on the Pareto front, best accuracy first."""
        return tuple(c for c in self.scored if c.key in self.front)

    @property
    def knee_candidate(self) -> CandidateFile | None:
        """The best compromise, if the run has one yet."""
        return next((c for c in self.scored if c.key == self.knee), None)

    @property
    def goal(self) -> Goal:
        """What outputs are scored by; runs older than other goals have accuracy."""
        return Goal(**((self.run.get("dataset") or {}).get("goal") or {}))

    @property
    def metric(self) -> Mapping[str, Any]:
        """What run.json says of the goal's metric: name, unit, higher_is_better, baseline."""
        return self.goal.described()

    @property
    def ladder(self) -> tuple[Mapping[str, Any], ...]:
        """The rungs in use, cheapest first; one where every candidate is trained fully."""
        known = tuple((self.run.get("ladder") or {}).get("rungs") or ({"epochs": 1.0},))
        used = len(self.state.get("rungs") or ()) or len(known)
        return known[-used:]  # with few trials only the last rung is used

    @property
    def first_rung(self) -> int:
        """What candidates and state.json call the first of `ladder`."""
        return min((int(row["rung"]) for row in self.state.get("rungs") or () if "rung" in row), default=0)

    def fully_trained(self, candidate: CandidateFile) -> bool:
        """Whether the candidate's accuracy is of full training."""
        if candidate.status == "complete":
            return True
        return (
            candidate.status == "infeasible"
            and not candidate.ended
            and candidate.rung >= len(self.ladder) - 1
        )

    @property
    def costs(self) -> tuple[str, ...]:
        """Names of the objectives other than accuracy, in the order of the study."""
        names = [str(objective["name"]) for objective in self.run.get("objectives") or ()]
        return tuple(name for name in names if name != "accuracy")


def open_run(path: Path) -> RunFiles:
    """Run directory -> RunFiles.

    Raises:
        RunError: there is no such directory, it is not an edgeml run, it has another layout, or one of
            its files is damaged.
    """
    try:
        path = Path(path).resolve()
        there, is_run = path.is_dir(), (path / "run.json").is_file()
    except (OSError, RuntimeError) as error:  # a name longer than the file system takes, a circle of links
        said = getattr(error, "strerror", None) or error
        raise RunError(f"no run directory at {path}: it cannot be read ({said}).") from error
    if not there:
        raise RunError(f"no run directory at {path}.")
    if not is_run:
        raise RunError(f"{path} is not an edgeml run: it has no run.json.")
    _check_layout(path, read(path / "run.json", Shape).get("layout"))
    run = read(path / "run.json", RunShape)
    state = _read_if_there(path / "state.json", StateShape) or {"status": "running"}
    candidates = tuple(sorted(_candidates(path), key=_rank))
    front = _read_if_there(path / "front.json", FrontShape) or {}
    complete = {candidate.key for candidate in candidates if candidate.status == "complete"}
    keys = tuple(str(key) for key in front.get("keys") or () if key in complete)
    knee = front.get("knee") or state.get("knee")
    return RunFiles(path, run, state, candidates, keys, str(knee) if knee in complete else None)


def _check_layout(path: Path, found: object) -> None:
    if found == LAYOUT:
        return
    newer = isinstance(found, int) and found > LAYOUT
    advice = "upgrade edgeml" if newer else "open it with the edgeml that wrote it"
    raise RunError(f"{path} has layout {found}, this edgeml reads layout {LAYOUT}: {advice}.")


def _rank(candidate: CandidateFile) -> tuple[float, int]:
    accuracy = -1.0 if candidate.accuracy is None else candidate.accuracy
    return -accuracy, candidate.number


def _candidates(path: Path) -> list[CandidateFile]:
    """Folders with a dot in front are being written; one may also be replaced while we read."""
    files = sorted((path / "candidates").glob("[!.]*/candidate.json"))
    values = [(file, _read_if_there(file, CandidateShape)) for file in files]
    return [_candidate(file, value) for file, value in values if value is not None]


def _candidate(file: Path, value: Mapping[str, Any]) -> CandidateFile:
    if value.get("key") in ("", ".", "..") or Path(str(value.get("key"))).name != str(value.get("key")):
        raise RunError(f"{file} is damaged: its key {str(value.get('key'))[:80]!r} is no folder's name.")
    try:
        figures = {str(k): _figure(str(k), v) for k, v in (value.get("metrics") or {}).items() if v}
        return CandidateFile(
            key=str(value["key"]),
            number=int(value["number"]),
            status=str(value["status"]),
            reason=value.get("reason"),
            accuracy=_number(value.get("accuracy")),
            accuracy_float=_number(value.get("accuracy_float")),
            test_accuracy=value.get("test_accuracy"),
            figures={name: figure for name, figure in figures.items() if figure is not None},
            arch=value.get("arch") or {},
            fidelity=value.get("fidelity") or {},
            parent=value.get("parent"),
            inherited_fraction=_number(value.get("inherited_fraction")),
            history=tuple(value.get("history") or ()),
            finished_at_s=_number(value.get("finished_at_s")),
            rung=int(value.get("rung") or 0),
            rungs=tuple(dict(row) for row in value.get("rungs") or ()),
            further=tuple(dict(row) for row in value.get("further") or ()),
            source=value.get("source"),
            lineage=value.get("lineage"),
            confirmed=value.get("confirmed"),
            compression=value.get("compression"),
            choices=dict(value.get("choices") or {}),
            recipe=dict(value.get("recipe") or {}),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise RunError(f"{file} is damaged: {type(error).__name__}: {error}.") from error


def _figure(name: str, value: Mapping[str, Any]) -> Figure | None:
    number = _number(value.get("value"))
    if number is None:
        return None
    return Figure(
        metric=name,
        value=number,
        unit=str(value.get("unit") or ""),
        low=_number(value.get("low")),
        high=_number(value.get("high")),
        n=value.get("n"),
        kind=str(value.get("kind") or "unknown"),
        tool=str(value.get("tool") or ""),
        conditions=value.get("conditions") or {},
    )


def _number(value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"expected a number, found {value!r}")
    return value


def _read_if_there(file: Path, shape: type[Shape]) -> dict[str, Any] | None:
    try:
        return read(file, shape)
    except FileNotFoundError:
        return None
