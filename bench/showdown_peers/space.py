"""The Keras search space that the peers share: edgeml's default micro and macro choices, as flat decisions.

Three stages of growing width behind a stem. A stage repeats one kind of block (convolution,
depthwise-separable, inverted residual) with its own kernel size and expansion, and a residual edge where the
shapes allow it. The optimiser and its learning rate are decisions too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# user code begins
STAGES = 3
Choices = tuple[Any, ...]
SPACE: dict[str, Choices] = {
    "stem": (4, 8, 12, 16, 24),
    "growth": (1.5, 2.0),
    "head": (0, 64),
    "dropout": (0.0, 0.2),
}
for _stage in range(STAGES):
    SPACE |= {
        f"op_{_stage}": ("conv", "separable", "inverted"), f"kernel_{_stage}": (3, 5),
        f"expansion_{_stage}": (2, 4), f"repeat_{_stage}": (0, 1, 2) if _stage == STAGES - 1 else (1, 2),
    }  # fmt: skip
SPACE |= {"optimizer": ("adam", "adamw", "sgd")}
LEARNING_RATE = (5e-4, 2e-2)
"""Searched on a logarithmic scale; SGD with momentum multiplies it by 10."""
MIDDLE: dict[str, Any] = {name: choices[len(choices) // 2] for name, choices in SPACE.items()} | {
    "learning_rate": 3e-3, "optimizer": "adam",
}  # fmt: skip


def build(config: Mapping[str, Any], shape: tuple[int, ...], classes: int) -> Any:
    """Decisions -> uncompiled Keras network up to a softmax; a window (T, axes) is T x 1 x axes inside."""
    import keras
    from keras import layers

    inputs = keras.Input(shape)
    x = layers.Reshape((shape[0], 1, shape[1]))(inputs) if len(shape) == 2 else inputs
    width = int(config["stem"])
    x = convolved(x, width, 3, 2 if max(x.shape[1:3]) >= 24 else 1)
    for stage in range(STAGES):
        for block in range(int(config[f"repeat_{stage}"])):
            if block == 0 and stage:
                width = int(round(width * float(config["growth"]) / 4) * 4)
            stride = 2 if block == 0 and stage else 1
            kernel, expansion = int(config[f"kernel_{stage}"]), int(config[f"expansion_{stage}"])
            x = BLOCKS[config[f"op_{stage}"]](x, width, kernel, stride, expansion)
    x = layers.GlobalAveragePooling2D()(x)
    if config["head"]:
        x = layers.Dense(int(config["head"]), activation="relu")(x)
    if config["dropout"]:
        x = layers.Dropout(float(config["dropout"]))(x)
    return keras.Model(inputs, layers.Dense(classes, activation="softmax")(x))


def fitted(x: Any, size: int) -> tuple[int, int]:
    """Tensor, kernel or stride -> the same for both axes, 1 where an axis has no room for more."""
    height, width = x.shape[1:3]
    return (size if height >= 4 else min(size, height)), (size if width >= 4 else min(size, width))


def strided(x: Any, stride: int) -> tuple[int, int]:
    """Tensor, stride -> (stride, stride), 1 for an axis of 4 or less."""
    height, width = x.shape[1:3]
    return (stride if height > 4 else 1), (stride if width > 4 else 1)


def convolved(x: Any, width: int, kernel: int, stride: int, relu: bool = True) -> Any:
    """Convolution, BatchNorm, ReLU6."""
    from keras import layers

    x = layers.Conv2D(width, fitted(x, kernel), uniform(x, stride), padding="same", use_bias=False)(x)
    x = layers.BatchNormalization(momentum=0.9)(x)
    return layers.ReLU(6.0)(x) if relu else x


def depthwise(x: Any, kernel: int, stride: int) -> Any:
    """Depthwise convolution, BatchNorm, ReLU6."""
    from keras import layers

    x = layers.DepthwiseConv2D(fitted(x, kernel), uniform(x, stride), padding="same", use_bias=False)(x)
    return layers.ReLU(6.0)(layers.BatchNormalization(momentum=0.9)(x))


def uniform(x: Any, stride: int) -> tuple[int, int]:
    """Tensor, stride -> equal strides, which depthwise kernels want; an axis of 1 strides freely."""
    down, across = strided(x, stride)
    if x.shape[2] == 1 or x.shape[1] == 1:
        return max(down, across), max(down, across)
    return min(down, across), min(down, across)


def with_residual(before: Any, after: Any) -> Any:
    """The sum where the shapes are equal."""
    from keras import layers

    return layers.Add()([before, after]) if before.shape == after.shape else after


def conv_block(x: Any, width: int, kernel: int, stride: int, expansion: int) -> Any:
    """One convolution."""
    return with_residual(x, convolved(x, width, kernel, stride))


def separable_block(x: Any, width: int, kernel: int, stride: int, expansion: int) -> Any:
    """Depthwise, then 1 x 1."""
    return with_residual(x, convolved(depthwise(x, kernel, stride), width, 1, 1))


def inverted_block(x: Any, width: int, kernel: int, stride: int, expansion: int) -> Any:
    """1 x 1 up, depthwise, 1 x 1 down."""
    wide = convolved(x, x.shape[-1] * expansion, 1, 1)
    return with_residual(x, convolved(depthwise(wide, kernel, stride), width, 1, 1, relu=False))


BLOCKS = {"conv": conv_block, "separable": separable_block, "inverted": inverted_block}


# user code ends
