"""The `training:` section of a search-space file: training settings that are decisions like any other.

    training: {learning_rate: [2.0e-3, 8.0e-3], optimiser: [adam, sgd], dropout: [0, 0.2], batch_size: 64}

Every setting is one value or a list; what is not named keeps its default (`edgeml.arch.recipe`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from edgeml.arch.layers import Shape
from edgeml.arch.recipe import COMPRESSIONS, INITIALISERS, LIMITS, OPTIMISERS, Recipe, default_recipe
from edgeml.arch.space import Choice, Choices

PREFIX = "training."


def _listed(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


def _limits(name: str) -> Any:
    least, most, refused = LIMITS[name]
    return Field(gt=least, le=most) if refused else Field(ge=least, le=most)


def _known(what: str, names: Sequence[str]) -> AfterValidator:
    def check(name: str) -> str:
        if name not in names:
            raise ValueError(f"unknown {what} {name!r}; known: {', '.join(names)}")
        return name

    return AfterValidator(check)


T = TypeVar("T")
Each = Annotated[list[T], Field(min_length=1), BeforeValidator(_listed)]


class TrainingFile(BaseModel):
    """What may be chosen of each setting; None where the file does not say."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    learning_rate: Each[Annotated[float, _limits("learning_rate")]] | None = None
    optimiser: Each[Annotated[str, _known("optimiser", OPTIMISERS)]] | None = None
    weight_decay: Each[Annotated[float, _limits("weight_decay")]] | None = None
    batch_size: Each[Annotated[int, _limits("batch_size")]] | None = None
    label_smoothing: Each[Annotated[float, _limits("label_smoothing")]] | None = None
    initialiser: Each[Annotated[str, _known("initialiser", tuple(INITIALISERS))]] | None = None
    dropout: Each[Annotated[float, Field(ge=0, lt=1)]] | None = None
    augmentation: Each[Annotated[float, _limits("augmentation")]] | None = None
    shift: Each[Annotated[float, _limits("shift")]] | None = None
    flip: Each[bool] | None = None
    compression: Each[Annotated[str, _known("compression", COMPRESSIONS)]] | None = None
    speed: Each[Annotated[float, _limits("speed")]] | None = None
    gain: Each[Annotated[float, _limits("gain")]] | None = None
    noise: Each[Annotated[float, _limits("noise")]] | None = None
    shift_across: Each[bool] | None = None

    def decisions(self) -> list[tuple[str, Sequence[Choice]]]:
        """(name, choices) of every setting that the file names."""
        named = {name: getattr(self, name) for name in type(self).model_fields}
        return [(PREFIX + name, choices) for name, choices in named.items() if choices is not None]


def recipe_of(choices: Choices, shape: Shape, front: str = "") -> Recipe:
    """Choices -> Recipe for inputs of that shape and audio front end; dropout is the Arch's and left out."""
    chosen: dict[str, Any] = {
        name.removeprefix(PREFIX): value for name, value in choices.items() if name.startswith(PREFIX)
    }
    chosen.pop("dropout", None)
    return replace(default_recipe(shape, front), **chosen)
