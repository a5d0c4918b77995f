"""The part of spec.json that says how a network was found; none of it is needed to train it again."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict


class _Told(BaseModel):
    """What a later edgeml may say more is left out."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class RungRow(_Told):
    """One training of a candidate; `rung` counts from 0, accuracy is int8 on validation."""

    rung: int
    epochs: float
    accuracy: float


class Compression(_Told):
    """What was done to a network after its training.

    Attributes:
        of: the finalist that it was done to; None where the network's own recipe asks for it.
        method: ptq (its calibration was chosen), qat, prune or cluster, and what comes behind that.
        drop: points of its score that int8 loses against float.
        epochs: of fine-tuning.
        sparsity, pattern, clusters: of pruning and clustering.
    """

    of: str | None = None
    method: str
    drop: float | None = None
    epochs: float | None = None
    sparsity: float | None = None
    pattern: str | None = None
    clusters: int | None = None


class TestScore(_Told):
    """A score on the test split, 0..1, with its 95 % interval."""

    value: float
    low: float
    high: float
    n: int


class Confirmed(_Told):
    """The same network trained from scratch by the search, on the test split: value, low, high, n."""

    test_accuracy: TestScore | None = None


class FurtherRow(_Told):
    """A training of the finished candidate that went on from its weights; fields as in candidate.json."""

    epochs: float = 0.0
    before: float | None = None
    accuracy: float | None = None
    kept: bool = False


class Lineage(_Told):
    """How the candidate came to be; fields as in candidate.json."""

    parent: str | None = None
    inherited_fraction: float | None = None
    source: str | None = None
    lineage: str | None = None
    rungs: list[RungRow] = []
    further: list[FurtherRow] = []
    confirmed: Confirmed | None = None
    compression: Compression | None = None

    @property
    def inherited(self) -> bool:
        """Whether its first weights came from elsewhere."""
        return bool(self.parent or self.source)

    @property
    def climbed(self) -> bool:
        """Whether it was trained in several steps."""
        return len(self.rungs) > 1


class Objective(_Told):
    """What the search optimised."""

    name: str
    direction: str


class Settings(_Told):
    """What the search was asked for; fields as in run.json."""

    targets: list[str]
    strategy: str | None = None
    trials: int | None = None
    time_s: float | None = None
    seed: int | None = None
    limits: dict[str, float] = {}
    inherit: str | None = None
    compress: str | None = None


class SearchSpec(_Told):
    """How it was found.

    Attributes:
        run, status, summary, elapsed_s: the run, how far it got, in words, its seconds.
        command: that starts the same search again.
        settings: what was asked for.
        space, points: name of the search space and how many it has.
        ladder, rungs: name of the ladder, and each rung's share of full training.
        correlations: whether low rungs ranked, in words.
        objectives: what was optimised.
        trial, front, knee: of the candidate: its number, whether it is on the front, whether it is the knee.
        choices: its decisions in the space.
        lineage: how it came to be; a compressed variant has its finalist's.
    """

    run: str
    status: str | None = None
    summary: str
    elapsed_s: float | None = None
    command: str
    settings: Settings
    space: str
    points: str
    ladder: str
    rungs: list[dict[str, float]]
    correlations: list[str] = []
    objectives: list[Objective]
    trial: int
    front: bool
    knee: bool
    choices: dict[str, Any] = {}
    lineage: Lineage = Lineage()
