"""Targets: the device profiles that one search serves at once, read as one.

With one target its metrics keep their names ("latency_ms"). With several, a metric that depends on the device
carries its target ("latency_ms@coral"); those of the file or the architecture alone are shared by all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from edgeml.arch.cost import Cost
from edgeml.arch.graph import Graph
from edgeml.deploy.tflite_outline import outline
from edgeml.errors import ConfigError, ModelError, UnknownNameError
from edgeml.target import measure
from edgeml.target.limits import Limits, violations
from edgeml.target.meter import Figures
from edgeml.target.profile import Target
from edgeml.target.rule_sets import verdicts

SHARED = ("size_bytes", "macs", "params")
"""Metrics that are the same on every device."""


@dataclass(frozen=True)
class Targets:
    """One or several profiles, in the order the user named them.

    Attributes:
        members: the profiles.
        also: metrics that are minimised beside the profiles' own objectives, on every device that has them.
    """

    members: tuple[Target, ...]
    also: tuple[str, ...] = ()

    @staticmethod
    def load(names: Iterable[str]) -> Targets:
        """Names or paths -> Targets.

        Raises:
            ConfigError: none, or two of one name.
            UnknownNameError: no such target, or it names an unknown meter.
        """
        members = tuple(measure.known_target(name) for name in names)
        found = [target.name for target in members]
        if not members:
            raise ConfigError("--target is missing; name a device profile (see `edgeml targets`).")
        for name in found:
            if found.count(name) > 1:
                raise ConfigError(f"--target {name} is given twice; name every target once.")
        return Targets(members)

    @property
    def names(self) -> list[str]:
        """Names of the profiles."""
        return [target.name for target in self.members]

    def metric(self, name: str, target: Target) -> str:
        """Name under which a target's metric stands in the run."""
        return name if len(self.members) == 1 or name in SHARED else f"{name}@{target.name}"

    @cached_property
    def objectives(self) -> list[str]:
        """Costs to minimise beside the error, each once."""
        return list(self._names(lambda target: (*target.objectives, *self.also)))

    @property
    def space(self) -> str:
        """Search space where the user names none: that of the first target."""
        return self.members[0].space

    def limits(self, wanted: Mapping[str, float]) -> dict[str, float]:
        """The user's limits and the devices' own, the tighter of two.

        Args:
            wanted: by metric, for all targets ("ram_bytes") or one of them ("ram_bytes@mcu-m7").

        Raises:
            UnknownNameError: a limit names a target that is not searched for.
            ConfigError: nothing here gives a figure to hold to a limit.
        """
        found: dict[str, float] = {}
        for target in self.members:
            for name, value in target.limit_values().items():
                _tighten(found, self.metric(name, target), value)
        for name, value in wanted.items():
            metric, at, place = name.partition("@")
            if at and place not in self.names:
                raise UnknownNameError("target in --limit", place, self.names)
            held = [target for target in self.members if not at or place == target.name]
            known = {name for target in held for name in _metrics(target)}
            if metric not in known:
                of = " or ".join(target.name for target in held)
                raise ConfigError(
                    f"--limit {name}: nothing gives this figure for {of} on this computer, expected one of "
                    f"{', '.join(sorted(known))}; leave it out, or see `edgeml targets` for what each knows."
                )
            for target in held:
                _tighten(found, self.metric(metric, target), value)
        return found

    def expected(self, graph: Graph) -> Figures:
        """What is known of an architecture before it is trained."""
        return self._each(lambda target: measure.expected(graph, target))

    def measure(self, model: bytes, known: Cost | None) -> Figures:
        """TFLite bytes and its graph's cost -> every metric of every target.

        Raises:
            ModelError: a device cannot run it; names the device where there are several.
            DeviceError: a board or phone does not answer.
        """
        return self._each(lambda target: measure.measure(model, known, target))

    def measure_again(self, models: Mapping[str, bytes]) -> dict[str, Figures]:
        """Models by name -> their wall-clock figures, each target's taken in one session."""
        found: dict[str, Figures] = {name: {} for name in models}
        for target in self.members:
            for name, figures in measure.measure_again(models, target).items():
                found[name] |= self._named(figures, target)
        return found

    def surely_broken(self, figures: Figures, limits: Limits) -> dict[str, float]:
        """Limits that are broken before training, whatever a better meter will say of the artifact.

        An estimate that a meter of the artifact will replace counts with the lower end of its interval.
        """
        later = self._names(measure.metrics_of_artifact)
        values = {name: figure.low if name in later else figure.value for name, figure in figures.items()}
        return violations(values, limits)

    def know_before_training(self, limits: Limits) -> bool:
        """Whether a limit is on something that an estimator or the rules tell of an architecture."""
        return bool(self._names(measure.metrics_of_outline).keys() & limits.keys())

    @property
    def refuse_operators(self) -> bool:
        """Whether some target lets no operator, or only so many, run on its host processor."""
        return any(target.limits.host_ops is not None for target in self.members)

    def refusals(self, graph: Graph) -> list[str]:
        """What devices say of an architecture's operators that do not run there, each once."""
        model = outline(graph)
        found = []
        for target in self.members:
            allowed = target.limits.host_ops
            refused = [verdict for verdict in verdicts(model, None, target) if not verdict.mapped]
            if allowed is not None and len(refused) > allowed:
                causes = [verdict for verdict in refused if not verdict.follows]
                found += [f"{target.name}: {v.op}: {v.reason} ({v.instead})" for v in causes]
        return list(dict.fromkeys(found))

    @property
    def timed(self) -> list[str]:
        """Metrics that a stopwatch decides, so that they differ from run to run."""
        return list(self._names(lambda target: sorted(measure.metrics_of_clock(target))))

    def undecided(self, graph: Graph, limits: Limits) -> list[str]:
        """Limits of which only an artifact tells whether they hold, trained or not.

        Not among them is what the upper end of an estimate sees at half of its limit or less: an untrained
        artifact costs as much as a good part of a short training. If it breaks the limit all the same, the
        trained one says so.
        """
        later = [name for name in self._names(measure.metrics_of_artifact) if name in limits]
        figures = self.expected(graph) if later else {}

        def far(name: str) -> bool:
            return name in figures and 0 < 2 * figures[name].high <= limits[name]

        return [name for name in later if not far(name)]

    def dump(self) -> list[dict[str, Any]]:
        """Plain JSON values, for run.json."""
        return [target.model_dump() for target in self.members]

    def _names(self, metrics_of: Callable[[Target], Iterable[str]]) -> dict[str, None]:
        """Names in the run of some metrics of every target, each once, in order."""
        return {self.metric(name, target): None for target in self.members for name in metrics_of(target)}

    def _each(self, figures_of: Callable[[Target], Figures]) -> Figures:
        found: Figures = {}
        for target in self.members:
            try:
                found |= self._named(figures_of(target), target)
            except ModelError as error:
                if len(self.members) == 1:
                    raise
                raise ModelError(f"{target.name}: {error}") from error
        return found

    def _named(self, figures: Figures, target: Target) -> Figures:
        named = {self.metric(name, target): figure for name, figure in figures.items()}
        return {name: replace(figure, metric=name) for name, figure in named.items()}


def _metrics(target: Target) -> set[str]:
    """What a search knows of a candidate: counts of every network, and what usable meters say."""
    counted = {"size_bytes", "ram_bytes", "macs", "params"}
    return counted | measure.metrics_of_outline(target) | measure.metrics_of_artifact(target)


def _tighten(limits: dict[str, float], metric: str, value: float) -> None:
    limits[metric] = min(value, limits.get(metric, value))
