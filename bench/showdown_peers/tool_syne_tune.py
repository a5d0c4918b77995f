"""Syne Tune's multi-objective ASHA (MOASHA) over the shared space, its scheduler called in this process.

Its LocalBackend starts a Python process per trial, which costs 3 processor seconds of importing TensorFlow
each; here MOASHA is asked and told directly, as its Tuner would, so none of the budget goes there.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from bench.showdown_peers.convert import macs
from bench.showdown_peers.space import LEARNING_RATE, SPACE
from bench.showdown_peers.task import batches
from bench.showdown_peers.training import STEPS_AT_ONCE, cosine, validated
from bench.showdown_peers.trials import Trials

MAX_T, GRACE, FACTOR = 9, 1, 3
"""In parts of twice a trial's steps; MOASHA's defaults for the last two."""
SETTINGS = (
    "MOASHA(metrics=[error, macs], max_t=9 parts of twice a trial's steps, grace_period=1, "
    "reduction_factor=3, non-dominated sort: the last three its defaults), one worker, called without a "
    "backend: LocalBackend would import TensorFlow anew for every trial. "
    "https://syne-tune.readthedocs.io/en/latest/schedulers.html and "
    "https://syne-tune.readthedocs.io/en/latest/getting_started.html."
)


def search(trials: Trials) -> None:
    """Trials -> the search, until it has had its part of the budget."""
    # user code begins
    import keras
    import numpy as np
    from syne_tune.backend.trial_status import Trial
    from syne_tune.config_space import choice, loguniform
    from syne_tune.optimizer.schedulers.multiobjective.moasha import MOASHA

    space: dict[str, Any] = {name: choice(list(choices)) for name, choices in SPACE.items()}
    space["learning_rate"] = loguniform(*LEARNING_RATE)
    scheduler = MOASHA(
        space, metrics=["error", "macs"], time_attr="epoch", max_t=MAX_T, grace_period=GRACE,
        reduction_factor=FACTOR, random_seed=trials.seed,
    )  # fmt: skip
    steps = max(1, 2 * trials.steps // MAX_T // STEPS_AT_ONCE) * STEPS_AT_ONCE

    def report(trial: Any, cost: int) -> Any:
        class Report(keras.callbacks.Callback):  # type: ignore[misc]
            def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
                result = {"error": 1 - validated(self.model, trials.task), "macs": cost, "epoch": epoch + 1}
                if scheduler.on_trial_result(trial, result) == "STOP":
                    self.model.stop_training = True

        return Report()

    for number in range(10_000):
        if trials.over():
            break
        np.random.seed(1000 * trials.seed + number)  # MOASHA samples from the global generator
        trial = Trial(number, scheduler.suggest().config, datetime.now())
        scheduler.on_trial_add(trial)
        keras.backend.clear_session()
        keras.utils.set_random_seed(1000 * trials.seed + number)
        began = trials.clock.spent()
        model = trials.compile(trial.config)
        peak = float(model.optimizer.learning_rate.numpy())
        model.fit(
            batches(trials.task, trials.seed + number), epochs=MAX_T, steps_per_epoch=steps, verbose=0,
            shuffle=False, callbacks=[
                cosine(trials.clock, peak, 0, MAX_T * steps, 3 * trials.share_s), report(trial, macs(model)),
            ],
        )  # fmt: skip
        made = int(model.optimizer.iterations.numpy())
        accuracy, cost = trials.note(trial.config, model, began, made)
        if made < MAX_T * steps:
            scheduler.on_trial_remove(trial)
        else:
            scheduler.on_trial_complete(trial, {"error": 1 - accuracy, "macs": cost, "epoch": MAX_T})
    # user code ends
