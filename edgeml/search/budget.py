"""`--budget`: how much is spent on a search, by the size of the data; each explicit option wins."""

from __future__ import annotations

from dataclasses import dataclass

from edgeml.errors import UnknownNameError
from edgeml.search.settings import DEFAULT_FIDELITY, DEFAULT_TRIALS
from edgeml.train.fidelity import full_fidelity


@dataclass(frozen=True)
class Budget:
    """What one word stands for.

    Attributes:
        trials: architectures.
        time_s: seconds after which no training starts; 0 for no limit.
        fidelity: the ladder of rungs.
        training: times the usual training, which the data's size decides (train/fidelity.py).
        further: where `trials` end a search of large data, its front is trained on, as long as that took.
    """

    trials: int
    time_s: float
    fidelity: str
    training: float
    further: bool = True

    def epochs(self, train_samples: int) -> float | None:
        """Epochs of full training for so many training samples; None for the usual ones."""
        if self.training == 1:
            return None
        return round(max(1.0, self.training * full_fidelity(train_samples).epochs), 2)


BUDGETS = {
    "quick": Budget(12, 600.0, "fast", 1 / 3, further=False),
    "standard": Budget(DEFAULT_TRIALS, 3600.0, DEFAULT_FIDELITY, 1.0),
    "thorough": Budget(100, 8 * 3600.0, DEFAULT_FIDELITY, 2.0),
}
"""By the name of --budget; `standard` is what a search does without the option."""
DEFAULT_BUDGET = "standard"


def budget(name: str) -> Budget:
    """Name -> Budget.

    Raises:
        UnknownNameError: no such budget.
    """
    if name not in BUDGETS:
        raise UnknownNameError("--budget", name, BUDGETS)
    return BUDGETS[name]
