"""AutoKeras under size limits that share the budget, for its search has one objective."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from typing import Any

from bench.showdown_peers import lines
from bench.showdown_peers.convert import macs
from bench.showdown_peers.deadline import BudgetSpentError, Clock, versions
from bench.showdown_peers.front import Front, Member
from bench.showdown_peers.task import Task

LIMITS = (60_000, 250_000)
"""Parameters; a byte each in the int8 file."""
TRIALS = 8
"""A limit's part of the budget is divided by them; a trial may take as much processor time."""
SHORTEST_S = 10.0
"""But at least so many seconds, some 4 of which go into tracing."""
FAILURES = 200
"""Trials in a row that may be refused (too large, no pretrained weights) before the search ends."""
SETTINGS = (
    "AutoModel(ImageInput, ImageBlock(block_type=vanilla), ClassificationHead; max_model_size=60,000 and "
    "then 250,000 parameters, half of the budget each; tuner=greedy; objective=val_accuracy). "
    "ImageClassifier itself cannot be limited below 23.6 M parameters in 3.0.0: search() first builds its "
    "default, ResNet-50, outside the try that skips what is too large. fit with its default of "
    "EarlyStopping(patience 10), a trial at most an eighth of its limit's budget or 10 s; "
    "max_consecutive_failed_trials=200 (set on its oracle), for 3 ends the search at the first models over "
    "the limit; ClassificationHead's shape made int, for Keras 3.15 refuses its numpy integers. Its own "
    "augmentation and normalisation layers. A sensor window is an image T x axes x 1. "
    "https://autokeras.com/tutorial/image_classification/#customized-search-space and "
    "https://autokeras.com/auto_model/"
)


def run(given: Any, task: Task, clock: Clock, about: dict[str, Any]) -> None:
    """The searches, noted in `about` however they end."""
    about |= {"settings": SETTINGS, "versions": versions("autokeras", "keras-tuner")}
    about["user_lines"] = lines.count("tool_autokeras.py", "convert.py")
    # user code begins
    import autokeras as ak
    import keras

    # AutoKeras 3.0.0 gives numpy integers where Keras 3.15 takes nothing but int.
    head, built = ak.ClassificationHead, ak.ClassificationHead.build

    def build(self: Any, hp: Any, inputs: Any = None) -> Any:
        self.shape = [int(n) for n in self.shape]
        return built(self, hp, inputs)

    head.build = build
    # user code ends
    about["start_cpu_s"] = round(clock.spent(), 2)
    front = Front(given.out, task, clock, lambda config: None)
    begins = clock.spent()

    # user code begins
    class Enough(KeyboardInterrupt):
        """Keras Tuner goes on after an Exception; this ends it."""

    class Watch(keras.callbacks.Callback):  # type: ignore[misc]
        """Keeps the weights of a trial's best epoch, and to its time."""

        ends, longest, limit = 0.0, 0.0, 0

        def __deepcopy__(self, memo: Any) -> Any:
            return self

        def on_train_begin(self, logs: Any = None) -> None:
            self.began, self.best, self.weights = clock.spent(), -1.0, None

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            if batch % 4 == 0:
                spent = clock.spent()
                if clock.left() <= 0:
                    raise BudgetSpentError
                self.model.stop_training |= spent - self.began > self.longest or spent > self.ends

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            if logs["val_accuracy"] >= self.best:
                self.best, self.weights = logs["val_accuracy"], self.model.get_weights()

        def on_train_end(self, logs: Any = None) -> None:
            kept = self.model.get_weights()
            self.model.set_weights(self.weights)
            spent = clock.spent() - self.began
            steps = int(self.model.optimizer.iterations.numpy())
            if front.add(Member({}, [], float(self.best), macs(self.model), spent, steps)):
                front.write(shaped(self.model, task.shape), float(self.best), f"max_model_size {self.limit}")
            self.model.set_weights(kept)
            if clock.spent() > self.ends:
                raise Enough

    watch, made = Watch(), 0
    window = len(task.shape) == 2 or task.shape[1] == 1
    form = (task.shape[0], task.shape[-1], 1) if window else task.shape
    x, x_validation = (a.reshape(-1, *form) for a in (task.x, task.x_validation[:5000]))
    budget = clock.left()
    try:
        for number, limit in enumerate(LIMITS, 1):
            watch.limit, watch.ends = limit, begins + budget * number / len(LIMITS)
            watch.longest = max(SHORTEST_S, budget / len(LIMITS) / TRIALS)
            with tempfile.TemporaryDirectory() as folder, suppress(Enough):
                given_input = ak.ImageInput()
                block = ak.ImageBlock(block_type="vanilla")(given_input)
                search = ak.AutoModel(
                    given_input, ak.ClassificationHead()(block), max_model_size=limit, max_trials=1000,
                    objective="val_accuracy", tuner="greedy", directory=folder, seed=given.seed,
                )  # fmt: skip
                search.tuner.oracle.max_consecutive_failed_trials = FAILURES
                try:
                    search.fit(
                        x,
                        task.y,
                        validation_data=(x_validation, task.y_validation[:5000]),
                        callbacks=[watch],
                        verbose=0,
                    )
                finally:
                    made += len(search.tuner.oracle.trials)
    finally:
        about |= {"trials": made, "trainings_finished": front.trainings}


def shaped(model: Any, shape: tuple[int, ...]) -> Any:
    """Model -> the same on samples of the task's own shape."""
    import keras

    if tuple(model.input_shape[1:]) == shape:
        return model
    inputs = keras.Input(shape)
    return keras.Model(inputs, model(keras.layers.Reshape(model.input_shape[1:])(inputs), training=False))


# user code ends
