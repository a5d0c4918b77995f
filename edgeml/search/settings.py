"""Settings of a run: what `edgeml search` was asked for, as written into run.json."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from edgeml.data.options import ReadOptions
from edgeml.errors import ConfigError, RunError
from edgeml.search.finishing.compression import DEFAULT_COMPRESS, DEFAULT_MAX_DROP

DEFAULT_TRIALS = 30
DEFAULT_STRATEGY = "auto"
DEFAULT_FIDELITY = "balanced"
DEFAULT_INHERIT = "auto"
INHERITS = ("auto", "morph", "bank", "none")


@dataclass(frozen=True)
class Settings:
    """What a search was asked for.

    Attributes:
        data: name or path of the data set.
        targets: names or paths of device profiles.
        space: name or path; None lets the data and the target decide.
        strategy: name.
        trials: how many architectures to train; None: as many as the time allows.
        time_s: wall-clock seconds for the search; 0 for no limit.
        seed: of split, sampler and training.
        limits: by metric, the user's and the target's (the tighter of the two).
        epochs: of full training; None lets the data set's size decide.
        inherit: where new networks' weights come from, one of INHERITS.
        fidelity: name or path of the ladder of rungs.
        curves: end a training whose learning curve will hardly reach the front.
        confirm: train the front's members from scratch too.
        compress: what is done to the front's members at the end (search/finishing/compression.py).
        max_drop: points of the score (`points`) that int8 may lose against float.
        image_size: side in pixels for folders of images; None lets the data decide.
        strict: unreadable files are fatal.
        task, label, group, window, stride: how the data are read (data/options.py).
        metric: what is maximised; None for the task's own (data/metrics.py).
        prefer: which part of the front counts most (search/archive/preference.py).
        budget: what the sizes above were left to where the user named none (search/budget.py).
        deterministic: the same files every time (search/deterministic.py).
    """

    data: str
    targets: list[str]
    space: str | None
    strategy: str = DEFAULT_STRATEGY
    trials: int | None = DEFAULT_TRIALS
    time_s: float = 0.0
    seed: int = 0
    limits: dict[str, float] = field(default_factory=dict)
    epochs: float | None = None
    inherit: str = DEFAULT_INHERIT
    fidelity: str = DEFAULT_FIDELITY
    curves: bool = True
    confirm: bool = False
    compress: str = DEFAULT_COMPRESS
    max_drop: float = DEFAULT_MAX_DROP
    image_size: int | None = None
    strict: bool = False
    task: str | None = None
    label: str | None = None
    group: str | None = None
    window: int | None = None
    stride: int | None = None
    metric: str | None = None
    prefer: str = "balanced"
    budget: str = "standard"
    deterministic: bool = False

    @property
    def read_options(self) -> ReadOptions:
        """How the data are read."""
        return ReadOptions(**{name: getattr(self, name) for name in READ})

    @property
    def planned_trials(self) -> int:
        """What rungs and training times are planned for; a search by time alone is planned as the default."""
        return DEFAULT_TRIALS if self.trials is None else self.trials

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


FIXED = (
    "targets",
    "space",
    "strategy",
    "seed",
    "limits",
    "epochs",
    "inherit",
    "fidelity",
    "curves",
    "image_size",
    "task",
    "label",
    "group",
    "window",
    "stride",
    "metric",
    "prefer",
    "deterministic",
)
"""Settings that a resumed run must share with the run it goes on with."""


WITHOUT = {"prefer": "balanced", "deterministic": False}
"""What settings were in runs that do not say."""

READ = tuple(field.name for field in fields(ReadOptions))
"""Settings that say how the data are read."""


def check_same(old: dict[str, Any], new: Settings) -> None:
    """Refuse to resume with other settings.

    Raises:
        RunError: names the first setting that changed.
    """
    for name in FIXED:
        if old.get(name, WITHOUT.get(name)) != getattr(new, name):
            raise RunError(
                f"--resume: {name} was {old.get(name)!r} in this run and is {getattr(new, name)!r} now; "
                "use the same or start a new run with another --out."
            )


def parse_time(text: str, option: str = "--time") -> float:
    """Text such as "30m", "1h30m", "90s" or plain seconds -> seconds.

    Raises:
        ConfigError: not such a text, or not above zero.
    """
    match = re.fullmatch(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s?)?", text.strip())
    seconds = 0.0
    if match and match[0]:
        hours, minutes, rest = (float(part or 0) for part in match.groups())
        seconds = 3600 * hours + 60 * minutes + rest
    if seconds <= 0:
        raise ConfigError(f"{option} {text!r}: expected a duration such as 90s, 30m or 1h30m.")
    return seconds
