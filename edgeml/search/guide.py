"""Guide: what was observed, a pool of points that could be next, and the surrogate over both."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from operator import is_
from typing import Any

import numpy as np

from edgeml.arch.cost import cost
from edgeml.arch.space import Choice, Space
from edgeml.search.features import Features
from edgeml.search.gain import expected_gain
from edgeml.search.gaussian import Floats, GaussianProcess, typical_square
from edgeml.search.propose import Proposal, Proposer
from edgeml.search.surrogate import Surrogate

START = 12
"""Random trials before the surrogate is asked."""
FIRST_POOL = 240
"""Points at least, before the surrogate is asked for the first time."""
HOMEWORK = 30
"""Points that join the pool while something is trained."""
POOL = 2_000
GROWTH = 3
"""Points that join the pool for every proposal: of three, two are mutants of what looks best."""
SHORT_LIST = 200
"""Of the pool, by a rough gain, before deviations are worked out."""
REFIT_GROWTH = 1.02
WINDOW = 900
"""Trials that the surrogate is fitted on: those on higher rungs, and the best others."""
RUNGS = "rungs"
"""User attribute of a trial: errors by rung, as [[rung, error], ...]; without it, values are full ones."""


class Guide:
    """What was observed, the pool, and the surrogate over both."""

    def __init__(self, space: Space, seed: int, proposer: Proposer) -> None:
        self.space, self.proposer = space, proposer
        self._rng, self._draws = random.Random(seed), np.random.default_rng(seed)
        self._features = Features(space)
        self._vectors: dict[str, Floats] = {}
        self._pool: dict[str, Proposal] = {}
        self._pool_costs: dict[str, list[float]] = {}
        self._scale: tuple[Floats, Floats] | None = None
        self._surrogate: Surrogate | None = None
        self._fitted_on: tuple[int, int] = (0, 0)
        self._keys: list[str] = []
        self._errors: list[dict[int, float]] = []
        self._costs: Floats = np.zeros((0, 1))
        self._choices: list[Mapping[str, Choice]] = []
        self._cost_models: list[GaussianProcess] = []
        self._gains: dict[str, float] = {}
        self._marks: list[Any] = []
        self._feasible: dict[int, bool] = {}

    def propose(self, trials: Sequence[Any], top: int) -> dict[str, Choice] | None:
        """Choices to train next; None while too little is known."""
        self._observe(trials)
        if len(self._keys) < START:
            return None
        if len(self._pool) < FIRST_POOL and not self._gains:
            self._grow(FIRST_POOL - len(self._pool), [])
        self._refit(top)
        taken = self.proposer.seen
        keys = [key for key in self._pool if key not in taken]
        self._judge(keys)
        gain = np.array([self._gains[key] for key in keys])
        best = [keys[i] for i in np.argsort(-gain)[: GROWTH * 4]] if keys else []
        added = self._grow(GROWTH, [self._pool[key].choices for key in best])
        self._judge(added)
        if not keys and not added:
            return None
        every = [*keys, *added]
        gains = np.array([self._gains[key] for key in every])
        chosen = every[int(gains.argmax())]
        self._shrink(every, gains)
        return self._pool.pop(chosen).choices

    def think(self) -> None:
        """What can be done while something is trained: a larger pool to choose from."""
        if self._keys and len(self._pool) < POOL:
            best = sorted(self._gains, key=self._gains.__getitem__, reverse=True)[: GROWTH * 4]
            self._grow(HOMEWORK, [self._pool[key].choices for key in best if key in self._pool])

    def gains(self, trials: Sequence[Any], keys: Sequence[str], top: int) -> Floats:
        """Expected gain of hypervolume if the candidates with these keys were fully trained."""
        self._observe(trials)
        if len(self._keys) < 2:
            return np.zeros(len(keys))
        self._refit(top)
        assert self._surrogate is not None
        place = {key: row for row, key in enumerate(self._fit_keys)}
        rows = [place.get(key, -1) for key in keys]
        found = np.full(len(keys), -1.0)
        known = [i for i, row in enumerate(rows) if row >= 0]
        mean, spread = self._surrogate.known([rows[i] for i in known])
        at = {key: row for row, key in enumerate(self._keys)}
        costs = self._costs[[at[keys[i]] for i in known]]
        front = np.array([[e[top], *c] for e, c in zip(self._errors, self._costs, strict=True) if top in e])
        front = front.reshape(-1, 1 + self._costs.shape[1])
        found[known] = expected_gain(mean, spread, costs, front, self._reference(), self._draws)
        return found

    def _observe(self, trials: Sequence[Any]) -> None:
        """Read what the study holds; values may have been refreshed since."""
        for trial in trials:
            if trial.number not in self._feasible:
                self._feasible[trial.number] = not any(v > 0 for v in trial.constraints.values())
        feasible = [trial for trial in trials if self._feasible[trial.number]]
        marks = [trial.user_attrs.get(RUNGS) or trial.values for trial in feasible]
        same = len(self._marks) <= len(marks) and all(map(is_, self._marks, marks))
        first = len(self._marks) if same else 0
        self._marks = marks
        if not same:
            self._keys, self._errors, self._choices = [], [], []
        for trial in feasible[first:]:
            rungs = trial.user_attrs.get(RUNGS) or [[0, trial.values[0]]]
            self._keys.append(trial.user_attrs.get("key") or str(trial.number))
            self._errors.append({int(rung): float(error) for rung, error in rungs})
            self._choices.append(trial.params)
        new = [trial.values[1:] for trial in feasible[first:]]
        if new:
            costs = np.array(new, float)
            self._costs = np.concatenate([self._costs, costs]) if first else costs

    def _refit(self, top: int) -> None:
        full = sum(top in at for at in self._errors) if top else 0
        if self._surrogate is None:
            self._surrogate = Surrogate(top)
        elif len(self._keys) < self._fitted_on[0] * REFIT_GROWTH + 1 and full == self._fitted_on[1]:
            return
        self._fitted_on = (len(self._keys), full)
        self._gains.clear()
        rows = self._window(top)
        self._fit_keys = [self._keys[row] for row in rows]
        x = np.array([self._vector(self._keys[row], self._choices[row]) for row in rows])
        self._surrogate.fit(x, [self._errors[row] for row in rows], typical_square(x))
        if not self._costs_known:
            self._fit_costs(x, self._costs[rows])

    def _window(self, top: int) -> list[int]:
        count = len(self._keys)
        if count <= WINDOW:
            return list(range(count))
        promoted = [row for row, at in enumerate(self._errors) if len(at) > 1 or (top and top in at)]
        order = sorted(range(count), key=lambda row: min(self._errors[row].values()))
        # the best by error in every part of the range of costs, so that cheap ones stay in
        strata = np.argsort(np.argsort(self._costs[:, 0])) * 16 // count
        taken = set(promoted[-WINDOW // 2 :])
        rank = [0] * 16
        for row in order:
            rank[strata[row]] += 1
            if rank[strata[row]] <= WINDOW // 32:
                taken.add(row)
        recent = (row for row in range(count - 1, -1, -1) if row not in taken)
        taken.update(row for row, _ in zip(recent, range(max(0, WINDOW - len(taken))), strict=False))
        return sorted(taken)

    def _vector(self, key: str, choices: Mapping[str, Choice]) -> Floats:
        if key not in self._vectors:
            proposal = self.proposer.outlook(choices)
            arch = proposal.arch if proposal else self.space.decode(choices, self.proposer.task)
            self._vectors[key] = self._features(choices, arch, cost(arch.graph))
        return self._scaled(self._vectors[key])

    def _scaled(self, vector: Floats) -> Floats:
        """The vector, its two logarithms in units of their spread over the first pool."""
        if self._scale is None:
            logs = np.array([v[-2:] for v in self._vectors.values()])
            if len(logs) < 2:
                return vector
            self._scale = (logs.mean(axis=0), np.maximum(logs.std(axis=0), 1e-6))
        scaled = vector.copy()
        scaled[-2:] = (vector[-2:] - self._scale[0]) / self._scale[1]
        return scaled

    def _grow(self, count: int, best: Sequence[Mapping[str, Choice]]) -> list[str]:
        """Put points into the pool: mutants of the best and of the front, and random ones."""
        added = []
        fronts = [self._choices[row] for row in self._leaders()]
        for number in range(count):
            if number % 3 == 2 or not (best or fronts):
                point: Mapping[str, Choice] = self.space.sample(self._rng)
            else:
                source = best if best and (number % 3 == 0 or not fronts) else fronts
                point = self.space.mutate(
                    self._rng.choice(list(source)), self._rng, self._rng.choice((1, 1, 2))
                )
            proposal = self.proposer.outlook(point)
            if proposal is None:
                continue
            if proposal.key in self._pool or proposal.key in self.proposer.seen:
                continue
            self._pool[proposal.key] = proposal
            known = self.proposer.known_costs(proposal.graph) if self._costs_known else {}
            self._pool_costs[proposal.key] = [
                known[name] for name in self.proposer.objectives if name in known
            ]
            self._vectors.setdefault(
                proposal.key, self._features(proposal.choices, proposal.arch, cost(proposal.graph))
            )
            added.append(proposal.key)
        return added

    def _leaders(self) -> list[int]:
        """Rows near the front of the errors on the highest rungs seen."""
        from edgeml.search.strategy.observed import non_domination_ranks

        if not self._keys:
            return []
        latest = np.array([min(at.values()) for at in self._errors])
        recent = np.argsort(latest)[:200]
        ranks = non_domination_ranks(np.column_stack([latest[recent], self._costs[recent]]))
        return [int(recent[i]) for i in np.flatnonzero(ranks <= 1)]

    def _judge(self, keys: Sequence[str]) -> None:
        """Work out the gains of points that have none since the surrogate was fitted last."""
        missing = [key for key in keys if key not in self._gains]
        self._gains.update(zip(missing, self._gain_of_pool(missing), strict=True))

    def _gain_of_pool(self, keys: Sequence[str]) -> Floats:
        if not keys:
            return np.zeros(0)
        assert self._surrogate is not None
        x = np.array([self._scaled(self._vectors[key]) for key in keys])
        costs = self._costs_of(keys, x)
        front, reference = self._expected_front(), self._reference()
        rough = self._surrogate.rough(x)
        gain = expected_gain(rough, 0.1 * rough, costs, front, reference, self._draws)
        short = np.argsort(-gain)[:SHORT_LIST]
        mean, spread = self._surrogate.new(x[short])
        found = np.full(len(keys), -1.0)
        found[short] = expected_gain(mean, spread, costs[short], front, reference, self._draws)
        return found

    def _expected_front(self) -> Floats:
        """Errors expected of what was tried (measured where fully trained), with costs."""
        assert self._surrogate is not None
        at = {key: row for row, key in enumerate(self._keys)}
        rows = [at[key] for key in self._fit_keys]
        if self._front_of != self._fitted_on:
            mean, _ = self._surrogate.known(range(len(rows)))
            top = max(max(errors) for errors in self._errors)
            for i, row in enumerate(rows):
                mean[i] = self._errors[row].get(top, mean[i])
            self._front, self._front_of = np.column_stack([mean, self._costs[rows]]), self._fitted_on
        return self._front

    _front_of: tuple[int, int] = (-1, -1)
    _front: Floats = np.zeros((0, 2))
    _fit_keys: list[str] = []  # noqa: RUF012

    def _reference(self) -> Floats:
        errors = max(max(at.values()) for at in self._errors)
        return np.array([max(errors, 1e-6) * 1.01, *(1.1 * self._costs.max(axis=0))])

    @property
    def _costs_known(self) -> bool:
        """Whether every cost that is minimised is known before training."""
        names = self.proposer.objectives
        if not names or len(names) != self._costs.shape[1]:
            return False
        if self._known is None:
            some = next(iter(self._choices))
            proposal = self.proposer.outlook(some)
            known = self.proposer.known_costs(proposal.graph) if proposal else {}
            self._known = set(names) <= known.keys()
        return self._known

    _known: bool | None = None

    def _fit_costs(self, x: Floats, costs: Floats) -> None:
        logs = np.log(np.maximum(costs, 1e-12))
        tune = len(self._cost_models) != logs.shape[1] or len(x) % 20 == 0
        if len(self._cost_models) != logs.shape[1]:
            self._cost_models = [GaussianProcess(typical_square(x)) for _ in range(logs.shape[1])]
        for model, column in zip(self._cost_models, logs.T, strict=True):
            model.fit(x, column, tune)

    def _costs_of(self, keys: Sequence[str], x: Floats) -> Floats:
        if self._costs_known:
            return np.array([self._pool_costs[key] for key in keys])
        return np.exp(np.column_stack([model.mean(x) for model in self._cost_models]))

    def _shrink(self, keys: Sequence[str], gains: Floats) -> None:
        """Drop the least promising points of a full pool."""
        if len(self._pool) <= POOL:
            return
        for i in np.argsort(gains)[: len(keys) // 4]:
            self._pool.pop(keys[i], None)
            self._pool_costs.pop(keys[i], None)
