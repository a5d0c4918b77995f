"""Mobile networks as outlines: operators and shapes of the models behind published phone latencies.

Shapes follow the papers and TensorFlow's slim, tpu and models repositories; weights do not matter to a
latency model. tests/test_arm_networks.py holds their MACs against the published ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bench.mobilenet_plans import V1_PLAN, V2_PLAN
from edgeml.deploy.tflite import TfliteModel
from edgeml.deploy.tflite_outline import Outline

Block = tuple[int, int, int, int, int]
"""Kernel, stride, expansion, output channels, repeats."""


def wide(channels: float, divisor: int = 8) -> int:
    """The multiple of 8 that TensorFlow's make_divisible gives."""
    rounded = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * channels else rounded


def start(size: int) -> tuple[Outline, int]:
    build = Outline()
    return build, build.input(size, size, 3)


def classify(build: Outline, x: int, classes: int = 1001) -> TfliteModel:
    return build.finish(build.same("SOFTMAX", build.dense(build.mean(x), classes)))


def mobilenet_v1(size: int, width: float) -> TfliteModel:
    build, x = start(size)
    x = build.conv(x, int(32 * width), 3, 2)
    for filters, stride in V1_PLAN:
        x = build.conv(build.depthwise(x, 3, stride), int(filters * width))
    x = build.conv(build.pool(x, build.shape(x)[1], 2, "AVERAGE", "VALID"), 1001)
    return build.finish(build.same("SOFTMAX", build.add("RESHAPE", (x,), (1, 1001))))


def inverted(build: Outline, x: int, kernel: int, stride: int, inner: int, filters: int) -> int:
    """Inverted residual: expand where needed, depthwise, project, add where shapes agree."""
    channels, y = build.shape(x)[3], x
    if inner != channels:
        y = build.conv(y, inner)
    y = build.conv(build.depthwise(y, kernel, stride), filters)
    return build.same("ADD", x, y) if stride == 1 and channels == filters else y


def inverted_net(size: int, stem: int, head: int, blocks: Sequence[Block]) -> TfliteModel:
    build, x = start(size)
    x = build.conv(x, stem, 3, 2)
    for kernel, first, expansion, filters, repeat in blocks:
        for i in range(repeat):
            inner = build.shape(x)[3] * expansion
            x = inverted(build, x, kernel, first if i == 0 else 1, inner, filters)
    return classify(build, build.conv(x, head))


def mobilenet_v2(size: int, width: float) -> TfliteModel:
    blocks = [(3, s, e, wide(c * width), r) for e, c, r, s in V2_PLAN]
    return inverted_net(size, wide(32 * width), wide(1280 * max(1.0, width)), blocks)


def mnasnet_b1(size: int, width: float) -> TfliteModel:
    """Tan et al. 2019, the variant without squeeze-and-excitation."""
    plan = [(3, 1, 1, 16, 1), (3, 2, 3, 24, 3), (5, 2, 3, 40, 3), (5, 2, 6, 80, 3), (3, 1, 6, 96, 2)]
    plan += [(5, 2, 6, 192, 4), (3, 1, 6, 320, 1)]
    blocks = [(k, s, e, wide(c * width), r) for k, s, e, c, r in plan]
    return inverted_net(size, wide(32 * width), 1280, blocks)


def efficientnet_lite(size: int, width: float, depth: float) -> TfliteModel:
    plan = [(3, 1, 1, 16, 1), (3, 2, 6, 24, 2), (5, 2, 6, 40, 2), (3, 2, 6, 80, 3), (5, 1, 6, 112, 3)]
    plan += [(5, 2, 6, 192, 4), (3, 1, 6, 320, 1)]
    ends = (0, len(plan) - 1)  # first and last stage keep their depth, stem and head their width
    blocks = [
        (k, s, e, wide(c * width), r if i in ends else -int(-r * depth // 1))
        for i, (k, s, e, c, r) in enumerate(plan)
    ]
    return inverted_net(size, 32, 1280, blocks)


_LARGE = [
    *[(3, 16, 16, False, False, 1), (3, 64, 24, False, False, 2), (3, 72, 24, False, False, 1)],
    *[(5, 72, 40, True, False, 2), (5, 120, 40, True, False, 1), (5, 120, 40, True, False, 1)],
    *[(3, 240, 80, False, True, 2), (3, 200, 80, False, True, 1), (3, 184, 80, False, True, 1)],
    *[(3, 184, 80, False, True, 1), (3, 480, 112, True, True, 1), (3, 672, 112, True, True, 1)],
    *[(5, 672, 160, True, True, 2), (5, 960, 160, True, True, 1), (5, 960, 160, True, True, 1)],
]
_SMALL = [
    *[(3, 16, 16, True, False, 2), (3, 72, 24, False, False, 2), (3, 88, 24, False, False, 1)],
    *[(5, 96, 40, True, True, 2), (5, 240, 40, True, True, 1), (5, 240, 40, True, True, 1)],
    *[(5, 120, 48, True, True, 1), (5, 144, 48, True, True, 1), (5, 288, 96, True, True, 2)],
    *[(5, 576, 96, True, True, 1), (5, 576, 96, True, True, 1)],
]


def squeeze_excite(build: Outline, x: int) -> int:
    """Squeeze-and-excitation with a hard sigmoid, which TFLite writes as ADD, RELU6, MUL."""
    channels = build.shape(x)[3]
    y = build.pool(x, build.shape(x)[1], 1, "AVERAGE", "VALID")
    y = build.conv(build.conv(y, wide(channels / 4)), channels)
    y = build.same("MUL", build.same("ADD", y, build.constant(1)), build.constant(1))
    return build.same("MUL", x, y)


def mobilenet_v3(small: bool, width: float = 1.0, minimalistic: bool = False) -> TfliteModel:
    """Howard et al. 2019; minimalistic: 3x3 kernels only, no squeeze-and-excitation, ReLU."""
    build, x = start(224)

    def swish(y: int, wanted: bool = True) -> int:
        return build.same("HARD_SWISH", y) if wanted and not minimalistic else y

    x = swish(build.conv(x, wide(16 * width), 3, 2))
    for kernel, inner, filters, excite, hard, stride in _SMALL if small else _LARGE:
        channels, y = build.shape(x)[3], x
        if wide(inner * width) != channels:
            y = swish(build.conv(y, wide(inner * width)), hard)
        y = swish(build.depthwise(y, 3 if minimalistic else kernel, stride), hard)
        y = squeeze_excite(build, y) if excite and not minimalistic else y
        y = build.conv(y, wide(filters * width))
        x = build.same("ADD", x, y) if build.shape(x) == build.shape(y) else y
    x = swish(build.conv(x, wide((576 if small else 960) * width)))
    x = build.pool(x, build.shape(x)[1], 1, "AVERAGE", "VALID")
    x = swish(build.conv(x, 1024 if small else 1280))
    return build.finish(build.same("SOFTMAX", build.conv(x, 1001)))


SINGLE_PATH = [*[(24, 2)], *[(24, 1)] * 3, *[(40, 2)], *[(40, 1)] * 3, *[(80, 2)], *[(80, 1)] * 3]
SINGLE_PATH += [*[(96, 1)] * 4, *[(192, 2)], *[(192, 1)] * 3, *[(320, 1)]]
"""Output channels and stride of blocks 1 to 21 of Single-Path NAS (Stamoulis et al. 2019), 224 x 224."""


def single_path_block(block: int, kernel: int, expansion: int) -> TfliteModel:
    """One MBConv block with its input as the model's."""
    size, channels = 112, 16
    for filters, stride in SINGLE_PATH[: block - 1]:
        size, channels = -(-size // stride), filters
    filters, stride = SINGLE_PATH[block - 1]
    build = Outline()
    x = build.input(size, size, channels)
    return build.finish(inverted(build, x, kernel, stride, channels * expansion, filters))


_LITE = {"lite0": (224, 1.0, 1.0), "lite1": (240, 1.0, 1.1), "lite2": (260, 1.1, 1.2)}
_LITE |= {"lite3": (280, 1.2, 1.4), "lite4": (300, 1.4, 1.8)}


def _mobile() -> dict[str, Callable[[], TfliteModel]]:
    found: dict[str, Callable[[], TfliteModel]] = {}
    for size in (96, 128, 160, 192, 224):
        for width in (0.25, 0.35, 0.5, 0.75, 1.0, 1.3, 1.4):
            found[f"mobilenet_v1_{width}_{size}"] = lambda s=size, w=width: mobilenet_v1(s, w)
            found[f"mobilenet_v2_{width}_{size}"] = lambda s=size, w=width: mobilenet_v2(s, w)
            found[f"mnasnet_{width}_{size}"] = lambda s=size, w=width: mnasnet_b1(s, w)
    for small in (False, True):
        name = f"mobilenet_v3_{'small' if small else 'large'}"
        found |= {f"{name}_{w}": lambda s=small, w=w: mobilenet_v3(s, w) for w in (0.75, 1.0)}
        found[f"{name}_minimalistic"] = lambda s=small: mobilenet_v3(s, minimalistic=True)
    for name, plan in _LITE.items():
        found[name] = lambda p=plan: efficientnet_lite(*p)
    return found


MOBILE = _mobile()
"""Mobile networks by name; call one to build it."""
