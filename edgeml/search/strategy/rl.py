"""Reinforcement learning: a policy-gradient controller over the space's decisions.

The policy is a softmax per decision whose logits depend on the weights of the objectives, so that one
controller covers the whole front: it is asked with weights from all over the simplex. It is factorised, not
autoregressive (Zoph & Le 2017): some hundred trials settle some hundred logits, not a recurrent network.

Learning is REINFORCE (Williams 1992) with a baseline and an entropy bonus. The reward under weights w is
minus the augmented Chebyshev scalarisation (Steuer & Choo 1983) of the objectives' ranks among the trials in
the batch; ranks, for the scale of a cost says nothing about its use. A trial has a reward under any weights,
so old trials are learnt from again under new weights, their gradient weighted by how much likelier the policy
has made a choice since (clipped, per decision).

The controller's state is rebuilt from the study's trials: a resumed search goes on where it was, and a value
that changes counts from the next update on.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from edgeml.arch.space import Space
from edgeml.search.strategy.observed import Observed

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

START = 10
"""Random trials before the first update."""
BATCH = 64
"""Trials an update learns from: the best and the latest, as many of each."""
UPDATES = 8
"""Weight vectors, thus gradient steps, for every new trial."""
RATE = 0.3
ENTROPY = 0.1
DECAY = 0.003
"""Of the logits, every update: old trials would push a choice that the policy has dropped ever further."""
CLIP = 2.0
"""Upper bound of the importance ratio of one decision."""
AUGMENTATION = 0.05
EXPLORE = 0.05
"""Chance that a decision is drawn uniformly; it grows with every refused proposal."""
CATCH_UP = 300
"""Updates at most when a controller meets a study that has trials already."""


def features(weights: np.ndarray) -> np.ndarray:
    """Weights of the objectives (sum 1) -> what logits are linear in: the weights and 4 times their products.

    The products let the middle of the front differ from a mean of its ends.
    """
    pairs = combinations(range(len(weights)), 2)
    return np.concatenate([weights, [4 * weights[i] * weights[j] for i, j in pairs]])


def rewards(values: np.ndarray, excess: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Reward of trials under weights: standardised, shape (n,); zeros where all are equal.

    Args:
        values: objectives, minimised, shape (n, objectives).
        excess: sum of violations, 0 where feasible; an infeasible trial is worse than any feasible one.
        weights: of the objectives, shape (objectives,).
    """
    ranks = np.stack([_mean_ranks(column) for column in values.T], axis=1)
    weighted = ranks * weights
    loss = weighted.max(axis=1) + AUGMENTATION * weighted.sum(axis=1)
    infeasible = excess > 0
    if infeasible.any():
        loss = np.where(infeasible, 1 + AUGMENTATION + _mean_ranks(excess), loss)
    spread = loss.std()
    return (loss.mean() - loss) / spread if spread > 1e-9 else np.zeros(len(loss))


def _mean_ranks(column: np.ndarray) -> np.ndarray:
    """Ranks from 0 to 1; equal values share their mean rank."""
    _, place, count = np.unique(column, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    return np.asarray((last - (count + 1) / 2)[place] / max(1, len(column) - 1))


class Controller:
    """Observed -> choices drawn from a policy that learns from every new trial.

    Args:
        space: whose decisions are made.
        seed: of all draws.
    """

    def __init__(self, space: Space, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._sizes = np.array([len(decision.choices) for decision in space.decisions])
        self._impossible = np.arange(self._sizes.max(initial=1)) >= self._sizes[:, None]
        self._logits = np.zeros((0, *self._impossible.shape))
        self._behaviour = np.zeros((0, len(self._sizes)))
        self._objectives = 0

    def policy(self, weights: np.ndarray) -> np.ndarray:
        """Weights of the objectives -> probabilities, shape (decisions, largest number of choices)."""
        logits = np.tensordot(features(weights), self._logits, axes=1)
        logits = np.where(self._impossible, -np.inf, logits)
        exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(exponents / exponents.sum(axis=1, keepdims=True))

    def __call__(self, observed: Observed) -> np.ndarray | None:
        """Index of every decision's choice; None during the random start."""
        if len(observed.complete) < START:
            return None
        if observed.retries == 0:
            self._learn(observed)
        explore = min(1.0, EXPLORE * (1 + observed.retries / 2))
        probabilities = self._explored(self.policy(self._weights()), explore)
        draws = self._rng.random((len(self._sizes), 1))
        indices = (probabilities.cumsum(axis=1) < draws).sum(axis=1)
        return np.asarray(np.minimum(indices, self._sizes - 1))

    def _weights(self) -> np.ndarray:
        return self._rng.dirichlet(np.ones(self._objectives))

    def _explored(self, policy: np.ndarray, explore: float) -> np.ndarray:
        uniform = np.where(self._impossible, 0.0, 1 / self._sizes[:, None])
        return (1 - explore) * policy + explore * uniform

    def _learn(self, observed: Observed) -> None:
        count, objectives = observed.values.shape
        if objectives != self._objectives or count < len(self._behaviour):
            self._objectives = objectives
            self._logits = np.zeros((len(features(np.ones(objectives))), *self._impossible.shape))
            self._behaviour = np.zeros((0, len(self._sizes)))
        new = count - len(self._behaviour)
        self._remember(observed.indices[count - new :])
        best = observed.best(BATCH // 2)
        rows = np.union1d(best, np.arange(max(0, count - BATCH // 2), count))
        for _ in range(min(UPDATES * new, CATCH_UP)):
            self._update(observed, rows)

    def _remember(self, indices: np.ndarray) -> None:
        """How likely the choices of new trials were, on average over the weights."""
        mean = np.mean([self._explored(self.policy(self._weights()), EXPLORE) for _ in range(4)], axis=0)
        likely = np.take_along_axis(mean[None], indices[:, :, None], axis=2)[:, :, 0]
        self._behaviour = np.concatenate([self._behaviour, likely])

    def _update(self, observed: Observed, rows: np.ndarray) -> None:
        """One step of gradient ascent on expected reward plus entropy, under one weight vector."""
        weights = self._weights()
        advantage = rewards(observed.values[rows], observed.excess[rows], weights)
        policy, chosen = self.policy(weights), observed.indices[rows]
        likely = np.take_along_axis(policy[None], chosen[:, :, None], axis=2)[:, :, 0]
        ratio = np.minimum(likely / self._behaviour[rows], CLIP) * advantage[:, None]
        gradient = -policy * ratio.sum(axis=0)[:, None]
        places = np.broadcast_to(np.arange(chosen.shape[1]), chosen.shape)
        np.add.at(gradient, (places, chosen), ratio)
        surprise = -np.log(np.maximum(policy, 1e-12))
        entropy = (policy * surprise).sum(axis=1, keepdims=True)
        gradient = gradient / len(rows) + ENTROPY * policy * (surprise - entropy)
        self._logits *= 1 - DECAY
        self._logits += RATE * features(weights)[:, None, None] * np.where(self._impossible, 0.0, gradient)


def rl(space: Space, seed: int) -> BaseSampler:
    """Space and seed -> sampler that asks a policy-gradient controller."""
    from edgeml.search.strategy.learning import LearningSampler

    return LearningSampler(space, seed, Controller(space, seed))
