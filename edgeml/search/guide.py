"""Guide: what was observed, a pool of points that could be next, and the surrogate over both."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from operator import is_
from typing import Any

import numpy as np

from edgeml.arch.space import Choice, Space
from edgeml.search.gain import expected_gain
from edgeml.search.gaussian import Floats, GaussianProcess, typical_square
from edgeml.search.pool import FULL, Pool
from edgeml.search.preference import WEIGHT, Focus
from edgeml.search.propose import Proposer
from edgeml.search.surrogate import Surrogate

START = 12
"""Random trials before the surrogate is asked."""
FIRST_POOL = 240
"""Points drawn at least, before the surrogate is asked for the first time."""
HOMEWORK = 30
"""Points drawn while something is trained."""
GROWTH = 4
"""Points drawn for every proposal."""
PROMISING = 12
"""Points of the pool that mutants of the best come from."""
SHORT_LIST = 200
"""Of the pool, by a rough gain, before deviations are worked out."""
REFIT_GROWTH = 1.02
WINDOW = 900
"""Trials that the surrogate is fitted on: those on higher rungs, and the best others."""
RUNGS = "rungs"
"""User attribute of a trial: errors by rung, as [[rung, error], ...]; without it, values are full ones."""


@cache
def _algebra() -> Any:
    """The loaded libraries of linear algebra."""
    import scipy.linalg  # type: ignore[import-untyped]  # noqa: F401 - loads the library that it comes with
    from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

    return ThreadpoolController()


@contextmanager
def one_thread() -> Iterator[None]:
    """Linear algebra on one core: a worker trains on the others, and waiting for them costs more.

    Proposals of 5 ms took 38 ms beside a training without it (1,000 trials, 2 cores).
    """
    with _algebra().limit(limits=1):
        yield


class Guide:
    """What was observed, the pool, and the surrogate over both."""

    def __init__(self, space: Space, seed: int, proposer: Proposer) -> None:
        self.proposer = proposer
        self.focus: Focus | None = None
        self._pool = Pool(space, proposer, seed)
        self._draws = np.random.default_rng(seed)
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

    @one_thread()
    def propose(self, trials: Sequence[Any], top: int) -> dict[str, Choice] | None:
        """Choices to train next; None while too little is known."""
        self._observe(trials)
        if len(self._keys) < START:
            return None
        if not self._gains:
            self._grow(FIRST_POOL - len(self._pool), [])
        self._refit(top)
        keys = self._pool.untried()
        self._judge(keys)
        added = self._grow(GROWTH, sorted(keys, key=self._gains.__getitem__, reverse=True)[:PROMISING])
        self._judge(added)
        every = [*keys, *added]
        if not every:
            return None
        order = sorted(every, key=self._gains.__getitem__)
        self._pool.shrink(order)
        return self._pool.take(order[-1]).choices

    @one_thread()
    def think(self) -> None:
        """What can be done while something is trained: a larger pool to choose from."""
        if self._keys and len(self._pool) < FULL:
            best = sorted(self._gains, key=self._gains.__getitem__, reverse=True)[:PROMISING]
            self._grow(HOMEWORK, best)

    def forget(self) -> None:
        """The study holds fewer trials than before, under other numbers: read it anew, drop old vectors."""
        self._pool.forget(self._keys)
        self._feasible, self._marks = {}, []
        self._fitted_on, self._front_of = (0, 0), (-1, -1)

    @one_thread()
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
        found[known] = self._gain(mean, spread, costs, front)
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
        same = bool(first)
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
        x = np.array([self._pool.vector(self._keys[row], self._choices[row]) for row in rows])
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

    def _grow(self, count: int, best: Sequence[str]) -> list[str]:
        front = [self._choices[row] for row in self._leaders()]
        return self._pool.grow(count, best, front, self._costs_known)

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
        x = self._pool.vectors(keys)
        costs = self._costs_of(keys, x)
        front = self._expected_front()
        rough = self._surrogate.rough(x)
        gain = self._gain(rough, 0.1 * rough, costs, front)
        short = np.argsort(-gain)[:SHORT_LIST]
        mean, spread = self._surrogate.new(x[short])
        found = np.full(len(keys), -1.0)
        found[short] = self._gain(mean, spread, costs[short], front)
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

    def _gain(self, mean: Floats, spread: Floats, costs: Floats, front: Floats) -> Floats:
        """Expected gain of hypervolume; in the preferred part of the front it counts WEIGHT times more."""
        reference = self._reference()
        gain = expected_gain(mean, spread, costs, front, reference, self._draws)
        bounds = self.focus.reference(self._expected_front(), reference) if self.focus else None
        if bounds is None:
            return gain
        return gain + WEIGHT * expected_gain(mean, spread, costs, front, bounds, self._draws)

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
            return np.array([self._pool.costs[key] for key in keys])
        return np.exp(np.column_stack([model.mean(x) for model in self._cost_models]))
