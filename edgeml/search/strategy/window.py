"""Shows an Optuna sampler some of a study's trials only: the best ones and the latest ones."""

from __future__ import annotations

from collections.abc import Container
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.storages import InMemoryStorage
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from edgeml.arch.space import Space
from edgeml.search.strategy.learning import distributions
from edgeml.search.strategy.observed import Observed

NAME = "window"


class WindowStorage(InMemoryStorage):
    """Storage of a study whose trials belong to another study."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: list[FrozenTrial] = []

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        """The trials to be shown, in order of their numbers; never copies."""
        return [trial for trial in self.shown if states is None or trial.state in states]

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Nothing: the trial that is asked for lives in the other study, which holds its parameters."""


class WindowSampler(BaseSampler):
    """The wrapped sampler on at most `size` finished trials, and all that are in training.

    Args:
        wrapped: samples relatively, over the whole space.
        space: whose decisions are sampled.
        size: half of it for the best trials by front and crowding, the rest for the latest.
    """

    def __init__(self, wrapped: BaseSampler, space: Space, size: int) -> None:
        self._wrapped, self._size = wrapped, size
        self._observed, self._distributions = Observed(space), distributions(space)
        self._storage = WindowStorage()
        self._study: Study | None = None

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return self._distributions

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return self._wrapped.sample_relative(self._window(study, trial), trial, search_space)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        window = self._window(study, trial)
        return self._wrapped.sample_independent(window, trial, param_name, param_distribution)

    def _window(self, study: Study, trial: FrozenTrial) -> Study:
        observed = self._observed
        observed.read(study, trial)
        if self._study is None or observed.retries == 0:
            self._study = self._show(study)
        return self._study

    def _show(self, study: Study) -> Study:
        """A study of the best and the latest trials; a new one, for a study object keeps its trials."""
        observed, count = self._observed, len(self._observed.complete)
        rows = np.arange(count)
        if count > self._size:
            best = observed.best(self._size // 2)
            others = np.setdiff1d(rows, best, assume_unique=True)
            rows = np.concatenate([best, others[len(best) - self._size :]])
        shown = [observed.complete[row] for row in rows] + observed.running
        self._storage.shown = sorted(shown, key=lambda shown_trial: shown_trial.number)
        if not self._storage.get_all_studies():
            optuna.create_study(study_name=NAME, storage=self._storage, directions=study.directions)
        return optuna.load_study(study_name=NAME, storage=self._storage)
