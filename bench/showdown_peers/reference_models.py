"""The fixed networks in Keras, their strides cut to what the input allows.

MLPerf Tiny's ResNet-8 and DS-CNN (https://github.com/mlcommons/tiny/tree/master/benchmark/training),
MobileNetV1 (Howard et al. 2017) at width 0.25, MobileNetV2 (Sandler et al. 2018) at 0.35, MobileNetV3-Small
minimalistic (Howard et al. 2019, as in keras.applications: no squeeze-and-excite, hard-swish, kernels of 5).
Published for 32 to 224 pixels; here an axis keeps as many of the published strides as leave at least 4
positions, and the first ones go.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bench.mobilenet_plans import V1_PLAN, V2_PLAN

# user code begins


class Strides:
    """Published strides, one at a time -> those that the input allows, as (down, across)."""

    def __init__(self, shape: tuple[int, ...], count: int) -> None:
        height, width = (shape[0], 1) if len(shape) == 2 else shape[:2]
        self.skips = [count - min(count, room(side)) for side in (height, width)]
        self.seen, self.sides = 0, [height, width]

    def next(self) -> tuple[int, int]:
        """The next published stride of 2. Unequal strides become equal, for depthwise kernels want that."""
        down, across = (2 if self.seen >= skip else 1 for skip in self.skips)
        self.seen += 1
        if self.sides[1] == 1:
            return down, down
        return min(down, across), min(down, across)


def room(side: int) -> int:
    """Pixels -> halvings that leave at least 4."""
    halvings = 0
    while (side + 1) // 2 >= 4:
        side, halvings = (side + 1) // 2, halvings + 1
    return halvings


def kernel_of(x: Any, size: int) -> tuple[int, int]:
    """Kernel, 1 across where the input is one wide."""
    return size, (size if x.shape[2] > 1 else 1)


def opened(shape: tuple[int, ...]) -> tuple[Any, Any]:
    """Shape -> input and the picture made of it; a window (T, axes) is T x 1 x axes."""
    import keras

    inputs = keras.Input(shape)
    return inputs, (keras.layers.Reshape((shape[0], 1, shape[1]))(inputs) if len(shape) == 2 else inputs)


def conv(
    x: Any, width: int, kernel: Any = 3, stride: Any = 1, relu: float | None = 6.0, last: bool = True
) -> Any:
    """Convolution, BatchNorm and, where `last`, ReLU with the given maximum."""
    from keras import layers, regularizers

    size = kernel if isinstance(kernel, tuple) else kernel_of(x, kernel)
    x = layers.Conv2D(
        width, size, stride, padding="same", use_bias=False, kernel_regularizer=regularizers.l2(1e-4)
    )(x)  # fmt: skip
    x = layers.BatchNormalization(momentum=0.95)(x)
    return layers.ReLU(relu)(x) if last else x


def depthwise(x: Any, stride: Any = 1, relu: float | None = 6.0) -> Any:
    """Depthwise convolution 3 x 3, BatchNorm, ReLU."""
    from keras import layers

    x = layers.DepthwiseConv2D(kernel_of(x, 3), stride, padding="same", use_bias=False)(x)
    return layers.ReLU(relu)(layers.BatchNormalization(momentum=0.95)(x))


def closed(inputs: Any, x: Any, classes: int, dropout: float = 0.0) -> Any:
    """Mean over positions, softmax."""
    import keras
    from keras import layers

    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dropout(dropout)(x) if dropout else x
    return keras.Model(inputs, layers.Dense(classes, activation="softmax")(x))


def resnet8(shape: tuple[int, ...], classes: int) -> Any:
    """MLPerf Tiny's image classifier: three stacks of 16, 32, 64."""
    from keras import layers

    inputs, x = opened(shape)
    strides = Strides(shape, 2)
    x = conv(x, 16, relu=None)
    for width in (16, 32, 64):
        stride = (1, 1) if width == 16 else strides.next()
        y = conv(conv(x, width, 3, stride, None), width, 3, 1, last=False)
        if width != 16:
            x = conv(x, width, 1, stride, last=False)
        x = layers.ReLU()(layers.Add()([x, y]))
    return closed(inputs, x, classes)


def ds_cnn(shape: tuple[int, ...], classes: int) -> Any:
    """MLPerf Tiny's keyword spotter: 10 x 4 convolution, four depthwise-separable blocks of 64."""
    from keras import layers

    inputs, x = opened(shape)
    size = (min(10, x.shape[1]), min(4, x.shape[2]))
    x = conv(x, 64, size, Strides(shape, 1).next(), None)
    x = layers.Dropout(0.2)(x)
    for _ in range(4):
        x = conv(depthwise(x, relu=None), 64, 1, relu=None)
    return closed(inputs, x, classes, 0.4)


def mobilenet_v1(shape: tuple[int, ...], classes: int, alpha: float = 0.25) -> Any:
    """Thirteen depthwise-separable blocks; five strides."""
    inputs, x = opened(shape)
    strides = Strides(shape, 5)
    x = conv(x, int(32 * alpha), 3, strides.next())
    for width, stride in V1_PLAN:
        x = conv(depthwise(x, strides.next() if stride == 2 else 1), int(width * alpha), 1)
    return closed(inputs, x, classes)


def rounded(width: float) -> int:
    """Channels as a multiple of 8, not more than a tenth below."""
    near = max(8, int(width + 4) // 8 * 8)
    return near + 8 if near < 0.9 * width else near


def inverted(x: Any, wide: int, width: int, stride: Any, relu: float | None = 6.0) -> Any:
    """1 x 1 up, depthwise, 1 x 1 down, the sum where the shapes are equal."""
    from keras import layers

    y = conv(x, wide, 1, relu=relu) if wide != x.shape[-1] else x
    y = conv(depthwise(y, stride, relu), width, 1, last=False)
    return layers.Add()([x, y]) if x.shape == y.shape else y


def mobilenet_v2(shape: tuple[int, ...], classes: int, alpha: float = 0.35) -> Any:
    """Seventeen inverted residuals; five strides; 1280 features."""
    inputs, x = opened(shape)
    strides = Strides(shape, 5)
    x = conv(x, rounded(32 * alpha), 3, strides.next())
    for expansion, width, repeat, stride in V2_PLAN:
        for block in range(repeat):
            step = strides.next() if stride == 2 and block == 0 else 1
            x = inverted(x, x.shape[-1] * expansion, rounded(width * alpha), step)
    return closed(inputs, conv(x, 1280, 1), classes)


def mobilenet_v3(shape: tuple[int, ...], classes: int) -> Any:
    """Small, minimalistic: eleven inverted residuals; five strides; 1024 features."""
    from keras import layers

    inputs, x = opened(shape)
    strides = Strides(shape, 5)
    x = conv(x, 16, 3, strides.next(), None)
    plan = [
        (1, 16, 2), (72 / 16, 24, 2), (88 / 24, 24, 1), (4, 40, 2), (6, 40, 1), (6, 40, 1), (3, 48, 1),
        (3, 48, 1), (6, 96, 2), (6, 96, 1), (6, 96, 1),
    ]  # fmt: skip
    for expansion, width, stride in plan:
        step = strides.next() if stride == 2 else 1
        x = inverted(x, rounded(x.shape[-1] * expansion), width, step, None)
    x = conv(x, rounded(x.shape[-1] * 6), 1, relu=None)
    x = layers.GlobalAveragePooling2D(keepdims=True)(x)
    x = layers.ReLU()(layers.Conv2D(1024, 1)(x))
    return closed(inputs, x, classes, 0.2)


# user code ends
MODELS: dict[str, Callable[..., Any]] = {
    "resnet8": resnet8, "ds-cnn": ds_cnn, "mobilenetv1-0.25": mobilenet_v1, "mobilenetv2-0.35": mobilenet_v2,
    "mobilenetv3-small-minimalistic": mobilenet_v3,
}  # fmt: skip
