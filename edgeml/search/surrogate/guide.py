"""Guide: what was observed, a pool of points that could be next, and the surrogate over both."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from edgeml.arch.space import Choice, Space
from edgeml.search.archive.preference import TURN, WEIGHT, Focus
from edgeml.search.propose import Proposer
from edgeml.search.spending import Bools, Hurry
from edgeml.search.surrogate.algebra import one_thread
from edgeml.search.surrogate.costs import CostModels
from edgeml.search.surrogate.gain import Scale, draw_directions, expected_gain, expected_improvement
from edgeml.search.surrogate.gaussian import Floats
from edgeml.search.surrogate.pool import FULL, Pool
from edgeml.search.surrogate.seen import Seen
from edgeml.search.surrogate.surrogate import Surrogate

START = 12
"""Random trials before the surrogate is asked; where time runs out they are spread from cheap to middling."""
WORTH = 0.25
"""There, errors further than this above the least are not worth a gain."""
FIRST_POOL = 240
"""Points drawn at least, before the surrogate is asked for the first time."""
HOMEWORK = 30
"""Points drawn while something is trained, beside GROWTH."""
GROWTH = 4
"""Points drawn for every proposal: ahead of it, or then and there if nothing was trained meanwhile."""
PROMISING = 12
"""Points of the pool that mutants of the best come from."""
SHORT_LIST = 200
"""Of the pool, by the gain if all deviations were equal: what is merely uncertain stays out."""
REFIT_GROWTH = 1.02
WINDOW = 900
"""Trials that the surrogate is fitted on: those on higher rungs, and the best others."""
SLACK = 90
"""Trials that are added to them before they are chosen anew."""
LONGER = 2.0
"""Times what a network that is looked for may take: the most accurate of what was tried may take so long."""


class Guide:
    """What was observed, the pool, and the surrogate over both.

    Attributes:
        focus: the preferred part of the front.
        hurry: where time runs out.
        dear: costs of the dearest networks that it allows; zeros where nothing is known of that.
    """

    def __init__(self, space: Space, seed: int, proposer: Proposer) -> None:
        self.proposer = proposer
        self.focus: Focus | None = None
        self.hurry: Hurry | None = None
        self.dear: Floats = np.zeros(len(proposer.objectives) or 1)
        self._pool = Pool(space, proposer, seed)
        self._draws = np.random.default_rng(seed)
        self._surrogate: Surrogate | None = None
        self._fitted_on: tuple[int, int] = (0, 0)
        self._seen = Seen()
        self._cost_models = CostModels(self._pool.vectors)
        self._thought = False
        self._gains: dict[str, float] = {}

    @one_thread()
    def propose(self, trials: Sequence[Any], top: int) -> dict[str, Choice] | None:
        """Choices to train next; None while too little is known."""
        self._observe(trials)
        if len(self._seen.keys) < START:
            return self._pool.spread(len(self._seen.keys)) if self.hurry else None
        if not self._gains:
            self._grow(FIRST_POOL - len(self._pool), [])
        self._refit(top)
        keys = self._pool.untried()
        self._judge(keys)
        if not self._thought or not keys:
            added = self._grow(GROWTH, self._promising(keys))
            self._judge(added)
            keys += added
        self._thought = False
        if not keys:
            return None
        best = max(keys, key=self._gains.__getitem__)
        if self._accurate(len(self._seen.keys)) and (allowed := self._affordable(keys)).any():
            assert self._surrogate is not None
            gains = expected_improvement(*self._surrogate.new(keys), self._expected_front()[:, 0])
            best = keys[int(np.argmax(np.where(allowed, gains, -1.0)))]
        if self._pool.shrink(lambda: sorted(keys, key=self._gains.__getitem__)):
            self._drop()
        return dict(self._pool.take(best))

    @one_thread()
    def think(self) -> None:
        """What can be done while something is trained: a larger pool to choose from."""
        if not self._seen.keys or len(self._pool) >= FULL:
            return
        fitted = self._surrogate is not None
        if fitted:
            self._judge(self._pool.untried())
        added = self._grow(HOMEWORK + GROWTH, self._promising(self._pool.points))
        if fitted:
            self._judge(added)
            self._thought = True

    def _promising(self, keys: Iterable[str]) -> list[str]:
        known = (key for key in keys if key in self._gains)
        return heapq.nlargest(PROMISING, known, key=self._gains.__getitem__)

    def forget(self) -> None:
        """The study holds fewer trials than before, under other numbers: read it anew, drop old vectors."""
        self._seen.forget()
        self._fitted_on, self._front_of = (0, 0), (-1, -1)
        self._drop()

    @one_thread()
    def gains(self, trials: Sequence[Any], keys: Sequence[str], top: int) -> Floats:
        """What full training of candidates is expected to gain: hypervolume; at its turn, accuracy."""
        self._observe(trials)
        if len(self._seen.keys) < 2:
            return np.zeros(len(keys))
        self._refit(top)
        assert self._surrogate is not None
        fitted = set(self._fit_keys)
        found = np.full(len(keys), -1.0)
        known = [i for i, key in enumerate(keys) if key in fitted]
        if not known:
            return found
        them = [keys[i] for i in known]
        mean, spread = self._surrogate.known(them)
        costs = self._seen.costs[[self._seen.at[key] for key in them]]
        front = np.array(
            [[e[top], *c] for e, c in zip(self._seen.errors, self._seen.costs, strict=True) if top in e]
        )
        front = front.reshape(-1, 1 + self._seen.costs.shape[1])
        if self._accurate(len(front)) and (allowed := self._affordable(them, LONGER)).any():
            found[known] = np.where(allowed, expected_improvement(mean, spread, front[:, 0]), -1.0)
        else:
            found[known] = self._gain(mean, spread, costs, front) / self._weights(them)
        return found

    def _accurate(self, done: int) -> bool:
        """Whether it is the turn of what is expected to be most accurate, at any cost that time allows.

        Hypervolume over costs that range widely hardly counts the last points of accuracy at the dear end.
        Where something has no error left, nothing more accurate can be told from it.
        """
        due = self.hurry is not None and done % TURN == TURN - 1
        return due and min(error for at in self._seen.errors for error in at.values()) > 0

    def _affordable(self, keys: Sequence[str], times: float = 1.0) -> Bools:
        """Which of the points time allows to train fully."""
        assert self.hurry is not None
        return self.hurry.affordable(self._pool.macs(keys), times)

    def _observe(self, trials: Sequence[Any]) -> None:
        """Read what the study holds; values may have been refreshed since."""
        if self._seen.read(trials) is None:
            self._fitted_on = (0, 0)

    def _refit(self, top: int) -> None:
        full = sum(top in at for at in self._seen.errors) if top else 0
        if self._surrogate is None:
            self._surrogate = Surrogate(top, self._pool.vectors)
        elif len(self._seen.keys) < self._fitted_on[0] * REFIT_GROWTH + 1 and full == self._fitted_on[1]:
            return
        self._fit_keys = self._fit_on(top)
        self._fitted_on = (len(self._seen.keys), full)
        self._gains.clear()
        rows = [self._seen.at[key] for key in self._fit_keys]
        for key, row in zip(self._fit_keys, rows, strict=True):
            self._pool.meet(key, self._seen.choices[row])
        self._surrogate.fit(self._fit_keys, [self._seen.errors[row] for row in rows])
        costs = self._seen.costs
        if self._costs_known and self._pool.costs:
            costs = np.vstack([costs, list(self._pool.costs.values())])
        # One scale and one set of directions for all gains until the next fit: they are compared.
        self._scale = Scale(costs)
        self._directions = draw_directions(1 + costs.shape[1], self._draws)
        if not self._costs_known:
            self._cost_models.fit(self._fit_keys, self._seen.costs[rows])
        self.dear = self._dearest()

    def _dearest(self) -> Floats:
        """Costs of the dearest networks of the pool that time allows: as far as a front may reach."""
        if self.hurry is not None and (keys := self._pool.untried()):
            allowed = self._affordable(keys)
            if allowed.any():
                return np.asarray(self._costs_of(keys)[allowed].max(axis=0))
        return np.zeros(self._seen.costs.shape[1])

    def _fit_on(self, top: int) -> list[str]:
        """Keys of the trials to fit: those of the last time and what is new, until that is too many."""
        if self._fitted_on[0]:
            grown = [*self._fit_keys, *self._seen.keys[self._fitted_on[0] :]]
            if len(grown) <= WINDOW + SLACK:
                return grown
        return [self._seen.keys[row] for row in self._seen.window(top, WINDOW)]

    def _drop(self) -> None:
        """Let go of vectors and predictions of points that have left the pool and were not trained."""
        self._pool.forget(self._seen.keys)
        stay = self._pool.points.keys() | set(self._fit_keys)
        if self._surrogate is not None:
            self._surrogate.forget(stay)
        self._cost_models.forget(stay)

    def _grow(self, count: int, best: Sequence[str]) -> list[str]:
        front = [self._seen.choices[row] for row in self._seen.leaders()]
        return self._pool.grow(count, best, front, self._costs_known)

    def _judge(self, keys: Sequence[str]) -> None:
        """Work out the gains of points that have none since the surrogate was fitted last."""
        missing = [key for key in keys if key not in self._gains]
        self._gains.update(zip(missing, self._gain_of_pool(missing), strict=True))

    def _gain_of_pool(self, keys: Sequence[str]) -> Floats:
        if not keys:
            return np.zeros(0)
        assert self._surrogate is not None
        mean, spread = self._surrogate.new(keys)
        costs, front = self._costs_of(keys), self._expected_front()
        weights = self._weights(keys)
        if len(keys) <= SHORT_LIST:
            return self._gain(mean, spread, costs, front) / weights
        found = np.full(len(keys), -1.0)
        short = np.argsort(-self._gain(mean, 0.1 * mean, costs, front) / weights)[:SHORT_LIST]
        found[short] = self._gain(mean[short], spread[short], costs[short], front) / weights[short]
        return found

    def _weights(self, keys: Sequence[str]) -> Floats:
        """What gains are divided by."""
        return np.ones(len(keys)) if self.hurry is None else self.hurry.weight(self._pool.macs(keys))

    def _expected_front(self) -> Floats:
        """Errors expected of what was tried (measured where fully trained), with costs."""
        assert self._surrogate is not None
        if self._front_of != self._fitted_on:
            rows = [self._seen.at[key] for key in self._fit_keys]
            mean = self._surrogate.expected(self._fit_keys)
            top = max(max(errors) for errors in self._seen.errors)
            for i, row in enumerate(rows):
                mean[i] = self._seen.errors[row].get(top, mean[i])
            self._front, self._front_of = np.column_stack([mean, self._seen.costs[rows]]), self._fitted_on
        return self._front

    _front_of: tuple[int, int] = (-1, -1)
    _front: Floats = np.zeros((0, 2))
    _fit_keys: list[str] = []  # noqa: RUF012

    def _gain(self, mean: Floats, spread: Floats, costs: Floats, front: Floats) -> Floats:
        """Expected gain of hypervolume; in the preferred part of the front it counts WEIGHT times more."""
        reference = self._reference()
        gain = self._gain_within(reference, mean, spread, costs, front)
        bounds = self.focus.reference(self._expected_front(), reference) if self.focus else None
        if bounds is None:
            return gain
        return gain + WEIGHT * self._gain_within(bounds, mean, spread, costs, front)

    def _gain_within(
        self, reference: Floats, mean: Floats, spread: Floats, costs: Floats, front: Floats
    ) -> Floats:
        """Expected gain of the hypervolume that a point bounds, costs that range widely on a log scale."""
        bounds = np.concatenate([reference[:1], self._scale(reference[None, 1:])[0]])
        known = np.column_stack([front[:, :1], self._scale(front[:, 1:])])
        return expected_gain(mean, spread, self._scale(costs), known, bounds, self._directions)

    def _reference(self) -> Floats:
        errors = [error for at in self._seen.errors for error in at.values()]
        most = max(errors)
        if self.hurry is not None:  # time is not spent on what nobody would ship
            most = min(most, WORTH + min(errors))
        costs = np.maximum(self._seen.costs.max(axis=0), self.dear)
        return np.array([max(most, 1e-6) * 1.01, *(1.1 * costs)])

    @property
    def _costs_known(self) -> bool:
        """Whether every cost that is minimised is known before training."""
        names = self.proposer.objectives
        if not names or len(names) != self._seen.costs.shape[1]:
            return False
        if self._known is None:
            some = next(iter(self._seen.choices))
            proposal = self.proposer.outlook(some)
            known = self.proposer.known_costs(proposal.graph) if proposal else {}
            self._known = set(names) <= known.keys()
        return self._known

    _known: bool | None = None

    def _costs_of(self, keys: Sequence[str]) -> Floats:
        if self._costs_known:
            return np.array([self._pool.costs[key] for key in keys])
        return self._cost_models(keys)
