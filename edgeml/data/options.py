"""What a user may say about how a source is to be read."""

from __future__ import annotations

from dataclasses import dataclass

from edgeml.errors import ConfigError, UnknownNameError


@dataclass(frozen=True)
class ReadOptions:
    """How to read a source; columns and windows are refused where a kind of source has none (kinds.KINDS).

    Attributes:
        image_size: side in px that all images are resized to.
        strict: raise on an unreadable file in place of skipping it with a warning.
        task: one of TASK_NAMES; None leaves it to the source.
        label: name of the label column.
        group: name of the column whose equal values stay in one split (a person, a recording).
        window: samples of a sensor window.
        stride: samples from one window to the next.
        seed: of anything random.
    """

    image_size: int | None = None
    strict: bool = False
    task: str | None = None
    label: str | None = None
    group: str | None = None
    window: int | None = None
    stride: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.image_size is not None and not 4 <= self.image_size <= 1024:
            raise ConfigError(
                f"image size is {self.image_size}, expected 4 to 1024 px; choose one in that range."
            )
        if self.seed < 0:
            raise ConfigError(f"seed is {self.seed}, expected 0 or more; choose another.")
        if self.task is not None and self.task not in TASK_NAMES:
            raise UnknownNameError("--task", self.task, TASK_NAMES)
        for name in ("window", "stride"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"--{name} is {value}, expected at least 1 sample; choose another.")


TASK_NAMES = (
    "image-classification",
    "audio-classification",
    "sensor-classification",
    "tabular-classification",
    "tabular-regression",
    "anomaly",
)
