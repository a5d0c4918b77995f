"""The study that the strategy reads: one Optuna trial per architecture, in memory, always up to date.

Trials on a lower rung stand here with the accuracy expected of their full training; when they are trained
further, their values are refreshed in place. It holds a limited number of trials (search/archive/active.py).
What is kept on disk is the record (search/record.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from edgeml.arch.space import Space
from edgeml.search.archive.active import LIMIT, active
from edgeml.search.archive.preference import Focus
from edgeml.search.archive.row import Row
from edgeml.search.candidate import Candidate
from edgeml.search.propose import Proposal, Proposer
from edgeml.search.rungs import Gains, Waits
from edgeml.search.spending import Hurry
from edgeml.search.strategy import sampler

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

Told = tuple[Sequence[float] | None, Mapping[str, float]]
"""Objectives as the strategy is told them, None where the candidate failed; and what limits are broken by."""


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
        self._axes, self._limited = axes, not getattr(wrapped, "sees_all", False)
        self._dropped: list[str] = []
        self._start_over()

    def _start_over(self) -> None:
        import optuna

        from edgeml.search.strategy.trials import Trials

        self._study: Study = optuna.create_study(
            storage=Trials(), directions=["minimize"] * self._axes, sampler=self._sampler
        )
        self._place: dict[str, int] = {}
        self._asked: dict[str, int] = {}

    @property
    def distributions(self) -> dict[str, Any]:
        """Optuna's distribution of every decision."""
        return dict(self._sampler.distributions)

    def look_at(self, focus: Focus) -> None:
        """What --prefer names; strategies without a surrogate know nothing of it."""
        if self._guide is not None:
            self._guide.focus = focus

    def hurry(self, hurry: Hurry | None) -> None:
        """Where time runs out, not trials, gains are divided by this; only a surrogate knows of them."""
        if self._guide is not None:
            self._guide.hurry = hurry

    @property
    def dear(self) -> list[float]:
        """Costs of the dearest networks that time allows; nothing where that is not known."""
        return [] if self._guide is None else list(self._guide.dear)

    def ask(self) -> Proposal | None:
        """A new, feasible architecture; None where the space is exhausted."""
        import optuna

        from edgeml.search.strategy.distinct import SpaceExhaustedError

        try:
            trial = self._study.ask(fixed_distributions=self._sampler.distributions)
        except SpaceExhaustedError:
            trained = set(self._asked.values())  # by other workers, which will tell of them
            for left in self._study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,)):
                if left.number not in trained:
                    self._study.tell(left.number, state=optuna.trial.TrialState.FAIL)
            return None
        proposal = self._proposer.judge(trial.params)
        if proposal is None and not self.distributions:  # a space of one point, which is known by now
            self._study.tell(trial, state=optuna.trial.TrialState.FAIL)
            return None
        assert proposal is not None, "the sampler proposed a point that it had to refuse"
        self._asked[proposal.key] = trial.number
        return proposal

    def tell(
        self, candidate: Candidate, values: Sequence[float] | None, constraints: Mapping[str, float]
    ) -> None:
        """A candidate's first training is done; without values it failed."""
        import optuna

        number = self._asked.pop(candidate.key, None)
        if number is None:
            self._adopt(candidate, values, constraints)
        elif values is None:
            self._study.tell(number, state=optuna.trial.TrialState.FAIL)
        else:
            trial = self._trials()[number]
            trial.user_attrs.update(key=candidate.key, rungs=_errors(candidate))
            for name, amount in constraints.items():
                trial.set_constraint(name, amount)
            self._study.tell(number, list(values))
            self._place[candidate.key] = number
        if self._limited and len(self._trials()) > LIMIT:
            self._shrink()

    def take_up(self, rows: Sequence[Row], told: Callable[[str], tuple[Candidate, Told]]) -> None:
        """Take up candidates of earlier sessions, by trial number; where there are many, the active ones."""
        if self._limited and len(rows) > LIMIT:
            known = [row for row in rows if row.status != "failed"]
            nothing = (np.inf,) * self._axes
            values = np.array([row.scores or nothing for row in known])
            excess = np.array([float(row.status == "infeasible") for row in known])
            stay = active(values, excess, np.array([row.rung for row in known]))
            active_rows = [known[place] for place in stay]
            self._dropped += list({row.key for row in rows} - {row.key for row in active_rows})
            rows = active_rows
        for row in rows:
            candidate, (values_told, broken) = told(row.key)
            self._adopt(candidate, values_told, broken)

    def _shrink(self) -> None:
        """Go on with a study of the active trials, and those in training."""
        import optuna

        state = optuna.trial.TrialState
        trials = self._trials()
        known = [trial for trial in trials if trial.state == state.COMPLETE]
        values = np.array([trial.values for trial in known])
        excess = np.array([sum(max(0.0, v) for v in trial.constraints.values()) for trial in known])
        rungs = np.array([max((rung for rung, _ in trial.user_attrs["rungs"]), default=0) for trial in known])
        stay = active(values, excess, rungs)
        asked = {key: trials[number] for key, number in self._asked.items()}
        self._start_over()
        for place in stay:
            self._place[known[place].user_attrs["key"]] = len(self._trials())
            self._study.add_trial(known[place])
        for key, trial in asked.items():
            self._asked[key] = len(self._trials())
            self._study.add_trial(trial)
        kept = set(stay.tolist())
        self._dropped += [t.user_attrs["key"] for place, t in enumerate(known) if place not in kept]
        if self._guide is not None:
            self._guide.forget()

    def dropped(self) -> list[str]:
        """Keys of candidates that the strategy does not see any more, since last asked."""
        keys, self._dropped = self._dropped, []
        return keys

    def _adopt(
        self, candidate: Candidate, values: Sequence[float] | None, constraints: Mapping[str, float]
    ) -> None:
        """Take up a candidate that this coordinator has not asked for in this session."""
        import optuna

        state = optuna.trial.TrialState
        self._place[candidate.key] = len(self._trials())
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

    def refresh(
        self, candidate: Candidate, values: Sequence[float], constraints: Mapping[str, float]
    ) -> None:
        """A candidate was trained further, or more is known of what its accuracy will be."""
        import optuna

        trial = self._trial(candidate.key)
        if trial is not None and trial.values is not None:
            trial.values = list(values)
            trial.user_attrs["rungs"] = _errors(candidate)
            broken = {**dict.fromkeys(trial.constraints, 0.0), **constraints}  # one that is there stays
            judged = optuna.trial.create_trial(values=trial.values, constraints=broken or None)
            trial.system_attrs = {**trial.system_attrs, **judged.system_attrs}

    def revalue(self, values: Mapping[str, Sequence[float]]) -> None:
        """More is known of what the accuracies of candidates that wait will be; by key."""
        trials = self._trials()
        for key, own in values.items():
            place = self._place.get(key)
            if place is not None and trials[place].values is not None:
                trials[place].values = list(own)

    def _trial(self, key: str) -> FrozenTrial | None:
        place = self._place.get(key)
        return None if place is None else self._trials()[place]

    def _trials(self) -> list[FrozenTrial]:
        """The study's own, not copies."""
        return self._study.get_trials(deepcopy=False)

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

        def expected(candidates: Sequence[Waits]) -> Sequence[float]:
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
        return self._trials()


def _errors(candidate: Candidate) -> list[list[float]]:
    """Errors by rung; where a learning curve ended a training, that which it promised."""
    return [
        [int(row["rung"]), 1 - float(row["expected"] if row.get("stopped") else row["accuracy"])]
        for row in candidate.rungs
        if "accuracy" in row
    ]
