"""Bayesian optimisation: multivariate tree-structured Parzen estimators, or Gaussian processes.

`bayesian` is Optuna's multi-objective TPE over all decisions together (Ozaki et al. 2022), aware of
constraints and of trials in training. Independent TPE, Optuna's default for several objectives, proposes the
same points over and over in a categorical space. `bayesian:gp` is Optuna's Gaussian process with log expected
hypervolume improvement (Daulton et al. 2020, Ament et al. 2023); it needs PyTorch.

Both get slower with every trial, so they see a window: the best trials and the latest ones.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from edgeml.arch.space import Space
from edgeml.errors import MissingToolError

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

START = 10
"""Random trials before the first model."""
WINDOW = 128
"""Trials that TPE sees, half of them the best ones; all of them while there are no more."""
GP_WINDOW = 128
"""Trials that the Gaussian process sees; its time grows with their cube."""


def bayesian(space: Space, seed: int) -> BaseSampler:
    """Space and seed -> multivariate TPE on a window of trials."""
    from optuna.samplers import TPESampler

    from edgeml.search.strategy.window import WindowSampler

    tpe = TPESampler(seed=seed, multivariate=True, constant_liar=True, n_startup_trials=START)
    return WindowSampler(tpe, space, WINDOW)


def gaussian_process(space: Space, seed: int) -> BaseSampler:
    """Space and seed -> Gaussian process on a window of trials.

    Raises:
        MissingToolError: PyTorch is not installed.
    """
    if find_spec("torch") is None:
        raise MissingToolError(
            "--strategy bayesian:gp needs PyTorch, which is not installed: pip install torch, "
            "or take --strategy bayesian."
        )
    from optuna.samplers import GPSampler

    from edgeml.search.strategy.window import WindowSampler

    gp = GPSampler(seed=seed, n_startup_trials=START, warn_independent_sampling=False)
    return WindowSampler(gp, space, GP_WINDOW)
