"""The study that the strategy reads: one Optuna trial per architecture, in memory, always up to date.

Trials on a lower rung stand here with the accuracy expected of their full training; when they are trained
further, their values are refreshed in place. What is kept on disk is the record (search/record.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from edgeml.arch.space import Space
from edgeml.search.candidate import Candidate
from edgeml.search.preference import Focus
from edgeml.search.propose import Proposal, Proposer
from edgeml.search.rungs import Gains
from edgeml.search.strategy import sampler

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial


class Asker:
    """A strategy and its study.

    Args:
        strategy: name of the strategy.
        space: what may be chosen.
        proposer: judges what is proposed.
        axes: number of objectives, the error included.
        top: index of the highest rung.
        seed: of the strategy.

    Raises:
        ConfigError: the strategy refuses the space.
    """

    def __init__(
        self, strategy: str, space: Space, proposer: Proposer, axes: int, top: int, seed: int
    ) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._sampler = sampler(strategy, space, proposer, seed)
        wrapped: Any = self._sampler.wrapped
        self._guide = getattr(wrapped, "guide", None)
        self._top = top
        if self._guide is not None:
            wrapped.top = top
        self._proposer = proposer
        self._study = optuna.create_study(directions=["minimize"] * axes, sampler=self._sampler)
        self._place: dict[str, int] = {}
        self._asked: dict[str, Any] = {}

    @property
    def distributions(self) -> dict[str, Any]:
        """Optuna's distribution of every decision."""
        return dict(self._sampler.distributions)

    def look_at(self, focus: Focus) -> None:
        """What --prefer names; strategies without a surrogate know nothing of it."""
        if self._guide is not None:
            self._guide.focus = focus

    def ask(self) -> Proposal | None:
        """A new, feasible architecture; None where the space is exhausted."""
        import optuna

        from edgeml.search.strategy.distinct import SpaceExhaustedError

        try:
            trial = self._study.ask(fixed_distributions=self._sampler.distributions)
        except SpaceExhaustedError:
            for left in self._study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,)):
                self._study.tell(left.number, state=optuna.trial.TrialState.FAIL)
            return None
        proposal = self._proposer.judge(trial.params)
        if proposal is None and not self.distributions:  # a space of one point, which is known by now
            self._study.tell(trial, state=optuna.trial.TrialState.FAIL)
            return None
        assert proposal is not None, "the sampler proposed a point that it had to refuse"
        self._asked[proposal.key] = trial
        return proposal

    def tell(
        self, candidate: Candidate, values: Sequence[float] | None, constraints: Mapping[str, float]
    ) -> None:
        """A candidate's first training is done; without values it failed."""
        import optuna

        trial = self._asked.pop(candidate.key, None)
        if trial is None:
            self._adopt(candidate, values, constraints)
            return
        if values is None:
            self._study.tell(trial, state=optuna.trial.TrialState.FAIL)
            return
        trial.set_user_attr("key", candidate.key)
        trial.set_user_attr("rungs", _errors(candidate))
        for name, amount in constraints.items():
            trial.set_constraint(name, amount)
        self._study.tell(trial, list(values))
        self._place[candidate.key] = trial.number

    def _adopt(
        self, candidate: Candidate, values: Sequence[float] | None, constraints: Mapping[str, float]
    ) -> None:
        """Take up a candidate of an earlier session."""
        import optuna

        state = optuna.trial.TrialState
        self._place[candidate.key] = len(self._study.get_trials(deepcopy=False))
        self._study.add_trial(
            optuna.trial.create_trial(
                state=state.FAIL if values is None else state.COMPLETE,
                values=values if values is None else list(values),
                params=candidate.choices,
                distributions=self.distributions,
                user_attrs={"key": candidate.key, "rungs": _errors(candidate)},
                constraints=dict(constraints) or None,
            )
        )

    def refresh(self, candidate: Candidate, values: Sequence[float]) -> None:
        """A candidate was trained further, or more is known of what its accuracy will be."""
        trial = self._trial(candidate.key)
        if trial is not None and trial.values is not None:
            trial.values = list(values)
            trial.user_attrs["rungs"] = _errors(candidate)

    def _trial(self, key: str) -> FrozenTrial | None:
        place = self._place.get(key)
        return None if place is None else self._study.get_trials(deepcopy=False)[place]

    def think(self) -> None:
        """Let the strategy use the time in which something is trained."""
        if self._guide is not None:
            self._guide.think()

    @property
    def gains(self) -> Gains | None:
        """Expected gains of hypervolume, where the strategy has a surrogate."""
        if self._guide is None:
            return None
        from optuna.trial import TrialState

        guide = self._guide

        def expected(candidates: Sequence[Candidate]) -> Sequence[float]:
            done = self._study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
            keys = [candidate.key for candidate in candidates]
            return [float(gain) for gain in guide.gains(done, keys, self._top)]

        return expected

    @property
    def needs_expected(self) -> bool:
        """Whether the strategy reads values, which then have to be what full training would give."""
        return self._guide is None

    def told(self) -> Iterable[FrozenTrial]:
        """All trials, for tests."""
        return self._study.get_trials(deepcopy=False)


def _errors(candidate: Candidate) -> list[list[float]]:
    return [[int(row["rung"]), 1 - float(row["accuracy"])] for row in candidate.rungs if "accuracy" in row]
