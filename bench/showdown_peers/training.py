"""How the peers' networks are trained: cosine in steps or processor seconds, whichever ends first."""

from __future__ import annotations

import math
from typing import Any

from bench.showdown_peers.deadline import BudgetSpentError, Clock
from bench.showdown_peers.task import Task, batch_size, batches

STEPS_AT_ONCE = 8
"""Steps that Keras runs between two looks at the clock."""
MOST_EPOCHS = 30
"""Of a trial in a search; the final training of the front may take FINAL_EPOCHS."""
FINAL_EPOCHS = 100
VALIDATED = 5000
"""Validation samples that steer a search."""


# user code begins
def compiled(model: Any, optimizer: str, learning_rate: float) -> Any:
    """Model -> the same with optimiser, loss and metric."""
    import keras

    made = {
        "adam": lambda: keras.optimizers.Adam(learning_rate),
        "adamw": lambda: keras.optimizers.AdamW(learning_rate, weight_decay=5e-3),
        "sgd": lambda: keras.optimizers.SGD(10 * learning_rate, momentum=0.9, nesterov=True),
    }[optimizer]()
    model.compile(
        made, loss="sparse_categorical_crossentropy", metrics=["accuracy"],
        steps_per_execution=STEPS_AT_ONCE, jit_compile=False,
    )  # fmt: skip
    return model


def cosine(clock: Clock, peak: float, first: int, steps: int, seconds: float, stop: bool = True) -> Any:
    """Callback that lets the learning rate fall and stops the training when its seconds are over.

    Args:
        clock: the whole budget; a training that reaches its end raises BudgetSpentError.
        peak: learning rate to begin with.
        first: steps of this schedule that earlier calls have made.
        steps: of the whole schedule.
        seconds: processor seconds that this call may take.
        stop: whether the seconds count (else only the whole budget does).
    """
    import keras

    class Cosine(keras.callbacks.Callback):  # type: ignore[misc]
        def on_train_begin(self, logs: Any = None) -> None:
            self.began, self.made = clock.spent(), first

        def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
            spent = clock.spent() - self.began
            done = max(self.made / steps, spent / seconds if stop else 0.0)
            self.model.optimizer.learning_rate.assign(peak * 0.5 * (1 + math.cos(math.pi * min(1.0, done))))

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            self.made += STEPS_AT_ONCE
            if clock.left() <= 0:
                raise BudgetSpentError
            if self.made >= steps or (stop and clock.spent() - self.began >= seconds):
                self.model.stop_training = True

    return Cosine()


def trained(
    model: Any,
    task: Task,
    clock: Clock,
    steps: int,
    seconds: float,
    seed: int,
    callbacks: tuple[Any, ...] = (),
) -> int:
    """Train a compiled model by one cosine of `steps`, or of `seconds` if those end first -> steps made."""
    peak = float(model.optimizer.learning_rate.numpy())
    an_epoch = min(steps, epoch_steps(task))
    model.fit(
        batches(task, seed), epochs=math.ceil(steps / an_epoch), steps_per_epoch=an_epoch,
        verbose=0, shuffle=False,
        callbacks=[cosine(clock, peak, 0, steps, seconds), *callbacks],
    )  # fmt: skip
    return int(model.optimizer.iterations.numpy())


def epoch_steps(task: Task) -> int:
    """Task -> steps of one pass over its training split, a multiple of STEPS_AT_ONCE."""
    return max(1, len(task.y) // batch_size(task) // STEPS_AT_ONCE) * STEPS_AT_ONCE


def validated(model: Any, task: Task, most: int = VALIDATED) -> float:
    """Model -> accuracy on the first `most` samples of the validation split."""
    answers = [
        model.predict_on_batch(task.x_validation[start : start + 500]).argmax(-1)
        for start in range(0, min(most, len(task.y_validation)), 500)
    ]
    right = sum(
        int((a == task.y_validation[500 * i : 500 * i + len(a)]).sum()) for i, a in enumerate(answers)
    )
    return right / sum(len(a) for a in answers)


# user code ends
def steps_of_a_trial(task: Task, clock: Clock, share_s: float, seed: int) -> int:
    """Train a middling network for a moment -> steps that a trial of `share_s` processor seconds can make."""
    from bench.showdown_peers.space import MIDDLE, build

    model = compiled(build(MIDDLE, task.shape, task.classes), "adam", 1e-3)
    data = batches(task, seed)
    began = clock.spent()
    model.fit(data, epochs=1, steps_per_epoch=STEPS_AT_ONCE, verbose=0, shuffle=False)
    start = clock.spent() - began
    began = clock.spent()
    model.fit(data, epochs=1, steps_per_epoch=4 * STEPS_AT_ONCE, verbose=0, shuffle=False)
    a_step = max(1e-4, (clock.spent() - began) / (4 * STEPS_AT_ONCE))
    most = MOST_EPOCHS * epoch_steps(task)
    planned = round((share_s - start) / a_step / STEPS_AT_ONCE) * STEPS_AT_ONCE
    return max(4 * STEPS_AT_ONCE, min(most, planned))
