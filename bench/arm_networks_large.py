"""Server-size networks of TensorFlow's hosted TFLite models as outlines, and the table of all networks."""

from __future__ import annotations

from collections.abc import Callable

from bench import coral_inceptions, coral_networks
from bench.arm_networks import MOBILE, classify, start
from bench.coral_inceptions import chain, pooled
from edgeml.deploy.tflite import TfliteModel
from edgeml.deploy.tflite_outline import Outline


def inception_v2() -> TfliteModel:
    """Ioffe & Szegedy 2015 as in slim: 5x5 become two 3x3, the first convolution is separable."""
    build, x = start(224)
    x = build.conv(build.depthwise(x, 7, 2, multiplier=8), 64)
    x = build.conv(build.conv(build.pool(x, 3, 2), 64), 192, 3)
    x = build.pool(x, 3, 2)
    plan: list[tuple[int, tuple[int, int], tuple[int, int], int]] = [
        *[(64, (64, 64), (64, 96), 32), (64, (64, 96), (64, 96), 64), (0, (128, 160), (64, 96), 0)],
        *[(224, (64, 96), (96, 128), 128), (192, (96, 128), (96, 128), 128)],
        *[
            (160, (128, 160), (128, 160), 96),
            (96, (128, 192), (160, 192), 96),
            (0, (128, 192), (192, 256), 0),
        ],
        *[(352, (192, 320), (160, 224), 128), (352, (192, 320), (192, 224), 128)],
    ]
    for a, (b1, b2), (c1, c2), d in plan:
        stride = 1 if a else 2
        b = build.conv(build.conv(x, b1), b2, 3, stride)
        c = build.conv(build.conv(build.conv(x, c1), c2, 3), c2, 3, stride)
        x = (
            build.join(build.conv(x, a), b, c, pooled(build, x, d))
            if a
            else build.join(b, c, build.pool(x, 3, 2))
        )
    return classify(build, x)


def inception_resnet_v2() -> TfliteModel:
    build, x = start(299)
    x = build.conv(build.conv(build.conv(x, 32, 3, 2, "VALID"), 32, 3, 1, "VALID"), 64, 3)
    x = build.conv(build.conv(build.pool(x, 3, 2, padding="VALID"), 80), 192, 3, 1, "VALID")
    x = build.pool(x, 3, 2, padding="VALID")
    b, c = chain(build, x, (48, 1), (64, 5)), chain(build, x, (64, 1), (96, 3), (96, 3))
    x = build.join(build.conv(x, 96), b, c, pooled(build, x, 64))
    for _ in range(10):
        b, c = chain(build, x, (32, 1), (32, 3)), chain(build, x, (32, 1), (48, 3), (64, 3))
        x = build.same("ADD", x, build.conv(build.join(build.conv(x, 32), b, c), 320))
    b = chain(build, x, (256, 1), (256, 3), (384, 3), stride=2)
    x = build.join(build.conv(x, 384, 3, 2, "VALID"), b, build.pool(x, 3, 2, padding="VALID"))
    for _ in range(20):
        b = chain(build, x, (128, 1), (160, (1, 7)), (192, (7, 1)))
        x = build.same("ADD", x, build.conv(build.join(build.conv(x, 192), b), 1088))
    a, b = chain(build, x, (256, 1), (384, 3), stride=2), chain(build, x, (256, 1), (288, 3), stride=2)
    c = chain(build, x, (256, 1), (288, 3), (320, 3), stride=2)
    x = build.join(a, b, c, build.pool(x, 3, 2, padding="VALID"))
    for _ in range(10):
        b = chain(build, x, (192, 1), (224, (1, 3)), (256, (3, 1)))
        x = build.same("ADD", x, build.conv(build.join(build.conv(x, 192), b), 2080))
    return classify(build, build.conv(x, 1536))


def squeezenet_v1_0() -> TfliteModel:
    """Iandola et al. 2016."""
    build, x = start(224)
    x = build.conv(x, 96, 7, 2, "VALID")
    for group in (
        ((16, 64), (16, 64), (32, 128)),
        ((32, 128), (48, 192), (48, 192), (64, 256)),
        ((64, 256),),
    ):
        x = build.pool(x, 3, 2, padding="VALID")
        for squeeze, expand in group:
            x = build.conv(x, squeeze)
            x = build.join(build.conv(x, expand), build.conv(x, expand, 3))
    return build.finish(build.same("SOFTMAX", build.mean(build.conv(x, 1000))))


_NORMAL = (
    ("s5", "s3", "s5", "s3", "avg", "none", "avg", "avg", "s3", "none"),
    (0, 1, 1, 1, 0, 1, 1, 1, 0, 0),
    (1, 2, 3, 4, 5, 6),
)
_REDUCTION = (
    ("s5", "s7", "max", "s7", "avg", "s5", "none", "avg", "s3", "max"),
    (0, 1, 0, 1, 0, 1, 3, 2, 2, 0),
    (3, 4, 5, 6),
)
"""NASNet-A's cells (Zoph et al. 2018, slim/nets/nasnet): operations, states they read, states joined."""


def _separable(build: Outline, x: int, kernel: int, filters: int, stride: int) -> int:
    for step in (stride, 1):
        x = build.conv(build.depthwise(build.same("RELU", x), kernel, step), filters)
    return x


def _nasnet_cell(build: Outline, x: int, before: int, filters: int, stride: int) -> int:
    operations, reads, joined = _REDUCTION if stride == 2 else _NORMAL
    if build.shape(before)[1] != build.shape(x)[1]:
        halves = [build.conv(build.pool(before, 1, 2, "AVERAGE"), filters // 2) for _ in range(2)]
        before = build.join(*halves)
    elif build.shape(before)[3] != filters:
        before = build.conv(build.same("RELU", before), filters)
    states = [build.conv(build.same("RELU", x), filters), before]
    for i in range(0, 10, 2):
        pair = []
        for operation, read in zip(operations[i : i + 2], reads[i : i + 2], strict=True):
            step = stride if read < 2 else 1
            if operation.startswith("s"):
                pair.append(_separable(build, states[read], int(operation[1]), filters, step))
            elif operation == "none":
                pair.append(states[read])
            else:
                pair.append(build.pool(states[read], 3, step, "MAX" if operation == "max" else "AVERAGE"))
        states.append(build.same("ADD", *pair))
    return build.join(*(states[i] for i in joined))


def nasnet(size: int, stem: int, filters: int, repeat: int) -> TfliteModel:
    build, x = start(size)
    x = before = build.conv(x, stem, 3, 2, "VALID")
    for scale in (4, 2):
        before, x = x, _nasnet_cell(build, x, before, filters // scale, 2)
    for stage in range(3):
        if stage:
            before, x = x, _nasnet_cell(build, x, before, filters * 2**stage, 2)
        for _ in range(repeat):
            before, x = x, _nasnet_cell(build, x, before, filters * 2**stage, 1)
    return classify(build, build.same("RELU", x))


LARGE: dict[str, Callable[[], TfliteModel]] = {
    "densenet_121": coral_networks.densenet121,
    "inception_resnet_v2": inception_resnet_v2,
    "inception_v1": coral_inceptions.inception_v1,
    "inception_v2": inception_v2,
    "inception_v3": coral_inceptions.inception_v3,
    "inception_v4": coral_inceptions.inception_v4,
    "nasnet_large": lambda: nasnet(331, 96, 168, 6),
    "nasnet_mobile": lambda: nasnet(224, 32, 44, 4),
    "resnet_v2_101": lambda: coral_networks.resnet_v2(299, 3, 4, 23, 3),
    "squeezenet": squeezenet_v1_0,
}

NETWORKS = {**MOBILE, **LARGE}
"""Every network by name; call one to build it."""
