"""A fixed network, trained until its budget or its epochs are over; the best weights are kept."""

from __future__ import annotations

from typing import Any

from bench.showdown_peers import lines
from bench.showdown_peers.deadline import BudgetSpentError, Clock, versions
from bench.showdown_peers.front import Front
from bench.showdown_peers.reference_models import MODELS
from bench.showdown_peers.task import Task
from bench.showdown_peers.training import VALIDATED, compiled, epoch_steps, trained, validated

EPOCHS, PATIENCE = 150, 60
"""At most, and those without a better validation accuracy that end the training."""
LEARNING_RATE = 2e-3
LOOKED = 500
"""Validation samples that tell, before training, what the last look at that split will take."""
SETTINGS = (
    "Own Keras definition, random initial weights, AdamW 2e-3 (weight decay 5e-3), cosine over the epochs "
    "or the budget, whichever ends first, batch 64 (128 above 20,000 samples), light augmentation, the best"
    " epoch by validation. Strides of 2 that leave fewer than 4 positions are dropped, the first ones "
    "first. https://github.com/mlcommons/tiny/tree/master/benchmark/training, "
    "https://keras.io/api/applications/"
)


def run(name: str, given: Any, task: Task, clock: Clock, about: dict[str, Any]) -> None:
    """Name -> its file."""
    import keras

    if name not in MODELS:
        raise ValueError(f"no reference {name}; expected one of {', '.join(MODELS)}")
    used = ("task.py", "convert.py", "training.py", "tool_reference.py", "reference_models.py")
    about |= {"settings": SETTINGS, "versions": versions(), "user_lines": lines.count(*used), "trials": 1}
    about["start_cpu_s"] = round(clock.spent(), 2)
    front = Front(given.out, task, clock, lambda config: None)
    # user code begins
    keras.utils.set_random_seed(given.seed)
    model = compiled(MODELS[name](task.shape, task.classes), "adamw", LEARNING_RATE)
    an_epoch = epoch_steps(task)
    clock.conversion_s = 1.0 + 0.03 * len(model.layers)  # 3 s for MobileNetV2's 155
    validated(model, task, LOOKED)  # builds the graph
    began = clock.spent()
    validated(model, task, LOOKED)
    known = len(task.y_validation)
    last_look = 1.2 * (clock.spent() - began) * min(VALIDATED, known) / min(LOOKED, known)

    class Best(keras.callbacks.Callback):  # type: ignore[misc]
        """The weights of the best epoch; small data sets are looked at every few epochs."""

        accuracy, weights, since, looked, took, call_began = -1.0, None, 0, 0.0, 0.0, 0.0

        def look(self) -> None:
            began = clock.spent()
            score = validated(self.model, task)
            self.looked = clock.spent()
            self.took = self.looked - began
            if score >= self.accuracy:
                self.accuracy, self.weights, self.since = score, self.model.get_weights(), 0

        def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
            self.call_began = clock.spent()

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            another = clock.spent() - self.call_began  # MobileNetV2's eight steps take half a minute
            self.model.stop_training |= clock.left() - last_look < 1.5 * another

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            self.since += 1
            if self.model.stop_training:  # looked at once more below
                return
            if epoch + 1 >= EPOCHS or clock.spent() - self.looked > max(
                0.03 * clock.budget_s, 12 * self.took
            ):
                self.look()
            self.model.stop_training |= self.since >= PATIENCE

    best = Best()
    try:
        trained(model, task, clock, EPOCHS * an_epoch, clock.left() - last_look, given.seed, (best,))
        best.look()
    except BudgetSpentError:
        pass
    if best.weights is None:
        best.accuracy, best.weights = validated(model, task, VALIDATED), model.get_weights()
    model.set_weights(best.weights)
    # user code ends
    epochs = int(model.optimizer.iterations.numpy()) / an_epoch
    front.write(model, best.accuracy, f"{epochs:.1f} epochs")
    about |= {"trainings_finished": 1, "epochs": round(epochs, 2)}
