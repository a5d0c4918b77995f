"""`--compress WORD` -> Plan: what is done to the front's members once the search is over.

auto      choose how activations are calibrated; quantisation-aware training where int8 loses too much
ptq       choose how activations are calibrated
qat       quantisation-aware training
prune     half of the weights zero; prune:0.7 for another share, prune:2:4 for two of every four
cluster   16 different weights a kernel; cluster:32 for another number
none      nothing
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec

from edgeml.errors import ConfigError, MissingToolError, UnknownNameError
from edgeml.search.candidate import Candidate

METHODS = ("auto", "ptq", "qat", "prune", "cluster", "none")
TRAINED = ("qat", "prune", "cluster")
"""Methods that train, through tensorflow-model-optimization."""

DEFAULT_COMPRESS = "auto"
DEFAULT_MAX_DROP = 0.5
TOOLKIT = "tensorflow_model_optimization"


@dataclass(frozen=True)
class Plan:
    """What is done to finalists.

    Attributes:
        word: as asked for.
        method: one of METHODS.
        max_drop: points of the score (`points`) that int8 may lose against float.
        sparsity: share of weights that pruning zeroes.
        pattern: two of every four weights.
        clusters: different weights a kernel.
    """

    word: str
    method: str
    max_drop: float = DEFAULT_MAX_DROP
    sparsity: float = 0.5
    pattern: bool = False
    clusters: int = 16

    @property
    def suffix(self) -> str:
        """What a variant's key ends with: "qat", "prune", "prune70", "prune2of4", "cluster", "cluster32"."""
        if self.method == "prune" and self.pattern:
            return "prune2of4"
        if self.method == "prune":
            return "prune" + ("" if self.sparsity == Plan.sparsity else f"{100 * self.sparsity:g}")
        if self.method == "cluster":
            return "cluster" + ("" if self.clusters == Plan.clusters else str(self.clusters))
        return self.method

    def was_done(self, candidate: Candidate) -> bool:
        """Whether a finalist has been through this plan."""
        record = candidate.compression or {}
        return (record.get("asked"), record.get("max_drop")) == (self.word, self.max_drop)

    def too_much(self, accuracy_float: float, accuracy: float) -> bool:
        """Whether int8 loses more than it may."""
        return points(accuracy_float, accuracy) > self.max_drop + 1e-9


def points(accuracy_float: float, accuracy: float) -> float:
    """Score lost, in points; below 0 where int8 is better.

    Of accuracy a point is 1 % of the samples; of an error, whose score is 1 - error / baseline, 1 % of the
    best constant's error.
    """
    return 100 * (accuracy_float - accuracy)


def plan(word: str = DEFAULT_COMPRESS, max_drop: float = DEFAULT_MAX_DROP) -> Plan:
    """What the user wrote -> Plan.

    Raises:
        UnknownNameError: no such method.
        ConfigError: a share, a number of clusters or a drop out of range.
        MissingToolError: the method trains, and the package for it is not installed.
    """
    if not 0 <= max_drop <= 100:
        raise ConfigError(f"--max-drop {max_drop:g}: expected points of accuracy from 0 to 100, such as 0.5.")
    method, colon, rest = word.partition(":")
    if method not in METHODS:
        raise UnknownNameError("--compress", method, METHODS)
    if method in TRAINED and find_spec(TOOLKIT) is None:
        raise MissingToolError(
            f"--compress {word} needs tensorflow-model-optimization, which is not installed; "
            "`pip install tensorflow-model-optimization`, or use --compress ptq or none."
        )
    if not colon:
        return Plan(word, method, max_drop)
    if method == "prune" and rest == "2:4":
        return Plan(word, method, max_drop, pattern=True)
    if method == "prune":
        return Plan(word, method, max_drop, sparsity=_number(word, rest, 0.05, 0.95))
    if method == "cluster":
        return Plan(word, method, max_drop, clusters=round(_number(word, rest, 2, 128)))
    raise ConfigError(f"--compress {word}: {method} takes no setting; write --compress {method}.")


def _number(word: str, text: str, least: float, most: float) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not least <= value <= most:
        also = " or 2:4" if word.startswith("prune") else ""
        raise ConfigError(f"--compress {word}: expected a number from {least:g} to {most:g}{also}.")
    return value
