"""Keras Tuner: Bayesian optimisation and Hyperband over the shared space, scalarised by a list of objectives.

Its documentation: of a list of objectives "we will minimize the sum of all the objectives to minimize
subtracting the sum of all the objectives to maximize". So the weight of the MACs sits in the metric.
"""

from __future__ import annotations

import math
import tempfile
from contextlib import suppress
from typing import Any

from bench.showdown_peers.space import LEARNING_RATE, SPACE
from bench.showdown_peers.task import batches
from bench.showdown_peers.training import BATCH, STEPS_AT_ONCE, cosine
from bench.showdown_peers.trials import TRIALS, Trials

COST_WEIGHT = 0.05
"""Points of accuracy (as a fraction) that ten times the MACs are worth."""
EPOCHS, FACTOR = 9, 3
"""Hyperband's longest training, in parts of a trial's steps, and what it divides by (its default)."""
SETTINGS = {
    "bayesian": (
        "BayesianOptimization with its defaults (alpha 1e-4, beta 2.6, but 8 initial points: its default of"
        " 3 a dimension, 48 here, would be random search), objective=[val_accuracy max, cost min], cost = "
        "0.05 log10(MACs). https://keras.io/keras_tuner/api/tuners/bayesian/ and "
        "https://keras.io/keras_tuner/api/oracles/base/ (sum of objectives); HyperModel.fit as in "
        "https://keras.io/guides/keras_tuner/getting_started/."
    ),
    "hyperband": (
        "Hyperband(factor=3, its default; max_epochs=9 parts of twice a trial's steps; hyperband_iterations"
        " until the budget ends), objective=[val_accuracy max, cost min], cost = 0.05 log10(MACs). "
        "https://keras.io/keras_tuner/api/tuners/hyperband/ and "
        "https://keras.io/keras_tuner/api/oracles/base/ (sum of objectives); HyperModel.fit as in "
        "https://keras.io/guides/keras_tuner/getting_started/."
    ),
}


def search(kind: str, trials: Trials) -> None:
    """Kind of tuner, trials -> the search, until it has had its part of the budget."""
    # user code begins
    import keras
    import keras_tuner as kt

    class Enough(KeyboardInterrupt):
        """Keras Tuner goes on after an Exception; this ends it."""

    class Network(kt.HyperModel):  # type: ignore[misc]
        def build(self, hp: Any) -> Any:
            keras.backend.clear_session()
            keras.utils.set_random_seed(1000 * trials.seed + trials.made)
            config = {name: hp.Choice(name, list(choices)) for name, choices in SPACE.items()}
            low, high = LEARNING_RATE
            config["learning_rate"] = hp.Float("learning_rate", low, high, sampling="log")
            self.config, self.began = config, trials.clock.spent()
            return trials.compile(config)

        def fit(self, hp: Any, model: Any, *args: Any, **kwargs: Any) -> dict[str, float]:
            if trials.over():
                raise Enough
            first, last, steps = kwargs.get("initial_epoch", 0), kwargs.get("epochs", 1), trials.steps
            if kind == "hyperband":
                steps = max(STEPS_AT_ONCE, 2 * trials.steps // EPOCHS)
            peak = float(model.optimizer.learning_rate.numpy())
            fall = cosine(trials.clock, peak, first * steps, last * steps, 3 * trials.share_s)
            model.fit(
                batches(trials.task, BATCH, trials.seed + trials.made), initial_epoch=first, epochs=last,
                steps_per_epoch=steps, verbose=0, shuffle=False,
                callbacks=[fall, *kwargs.get("callbacks", [])],
            )  # fmt: skip
            accuracy, cost = trials.note(self.config, model, self.began, (last - first) * steps)
            return {"val_accuracy": accuracy, "cost": COST_WEIGHT * math.log10(cost)}

    options: dict[str, Any] = {
        "objective": [kt.Objective("val_accuracy", "max"), kt.Objective("cost", "min")],
        "seed": trials.seed, "project_name": kind,
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        if kind == "bayesian":
            tuner: Any = kt.BayesianOptimization(
                Network(), max_trials=10_000, num_initial_points=TRIALS // 3, directory=folder, **options
            )
        else:
            tuner = kt.Hyperband(
                Network(),
                max_epochs=EPOCHS,
                factor=FACTOR,
                hyperband_iterations=1000,
                directory=folder,
                **options,
            )
        with suppress(Enough):
            tuner.search(verbose=0)
    # user code ends
