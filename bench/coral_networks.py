"""Well-known networks as outlines: operators and shapes of the models behind published Coral latencies.

Shapes follow the papers and TensorFlow's slim and Keras model code; weights do not matter to a latency model.
Networks quantised before 2020 have one scale for all channels (`per_channel=False`).
"""

from __future__ import annotations

from bench.mobilenet_plans import V1_PLAN, V2_PLAN
from edgeml.deploy.tflite import TfliteModel
from edgeml.deploy.tflite_outline import Outline


def old(size: int, tall: int = 0) -> tuple[Outline, int]:
    build = Outline(per_channel=False)
    return build, build.input(tall or size, size, 3)


def new(size: int) -> tuple[Outline, int]:
    build = Outline()
    return build, build.same("QUANTIZE", build.input(size, size, 3, dtype="UINT8"))


def classify(build: Outline, x: int, classes: int = 1001) -> TfliteModel:
    return build.finish(build.same("SOFTMAX", build.dense(build.mean(x), classes)))


def norm(build: Outline, x: int) -> int:
    """A BatchNorm that no convolution takes up: times a constant, plus a constant."""
    channels = build.shape(x)[3]
    return build.same("ADD", build.same("MUL", x, build.constant(channels)), build.constant(channels))


def vgg(*repeats: int) -> TfliteModel:
    build, x = new(224)
    for filters, repeat in zip((64, 128, 256, 512, 512), repeats, strict=True):
        for _ in range(repeat):
            x = build.conv(x, filters, 3)
        x = build.pool(x, 2, 2)
    x = build.add("RESHAPE", (x,), (1, 25088))
    return build.finish(build.same("SOFTMAX", build.dense(build.dense(build.dense(x, 4096), 4096), 1000)))


def mobilenet_v1_body(
    build: Outline, x: int, width: float = 1.0, keep: int = 32, last: int = 1024
) -> list[int]:
    """Outputs of the pointwise convolutions; beyond output stride `keep` strides turn into dilations."""
    plan = [*V1_PLAN[:-2], (last, 2), (last, 1)]
    x = build.conv(x, int(32 * width), 3, 2)
    outputs, reached = [], 2
    for filters, stride in plan:
        here = stride if reached * stride <= keep else 1
        reached *= here
        x = build.conv(build.depthwise(x, 3, here), int(filters * width))
        outputs.append(x)
    return outputs


def mobilenet_v1(size: int, width: float = 1.0) -> TfliteModel:
    build, x = old(size)
    x = mobilenet_v1_body(build, x, width)[-1]
    x = build.conv(build.pool(x, build.shape(x)[1], 2, "AVERAGE", "VALID"), 1001)
    return build.finish(build.same("SOFTMAX", build.add("RESHAPE", (x,), (1, 1001))))


def mobilenet_v2_body(build: Outline, x: int, head: bool = True) -> tuple[int, dict[str, int]]:
    x, block, kept = build.conv(x, 32, 3, 2), 0, {}
    for expansion, filters, repeat, first in V2_PLAN:
        for i in range(repeat):
            channels, y, stride = build.shape(x)[3], x, first if i == 0 else 1
            if expansion > 1:
                y = kept[f"expand{block}"] = build.conv(x, channels * expansion)
            y = build.conv(build.depthwise(y, 3, stride), filters)
            x = build.same("ADD", x, y) if stride == 1 and channels == filters else y
            block += 1
    kept["last"] = x
    return build.conv(x, 1280) if head else x, kept


def mobilenet_v2() -> TfliteModel:
    build, x = old(224)
    return classify(build, mobilenet_v2_body(build, x)[0])


def posenet(tall: int, size: int) -> TfliteModel:
    build, x = old(size, tall)
    x = mobilenet_v1_body(build, x, 0.75, keep=16, last=512)[-1]
    heads = [build.conv(x, filters) for filters in (17, 34, 32, 32)]
    heads = [*heads[:2], build.join(*heads[2:])]
    return build.finish(
        build.add("CUSTOM", heads, (1, 10, 17, 2), dtype="FLOAT32", custom="PosenetDecoderOp")
    )


def ssd(version: int, size: int = 300, classes: int = 91) -> TfliteModel:
    build, x = old(size)
    if version == 1:
        outputs = mobilenet_v1_body(build, x)
        maps = [outputs[10], outputs[12]]
    else:
        x, kept = mobilenet_v2_body(build, x)
        maps = [kept["expand13"], x]
    for squeeze, filters in ((256, 512), (128, 256), (128, 256), (64, 128)):
        maps.append(build.conv(build.conv(maps[-1], squeeze), filters, 3, 2))
    sides: list[list[int]] = [[], []]
    for i, source in enumerate(maps):
        for side, values in zip(sides, (4, classes), strict=True):
            y = build.conv(source, (3 if i == 0 else 6) * values)
            cells = build.shape(y)[1] * build.shape(y)[2] * (3 if i == 0 else 6)
            side.append(build.add("RESHAPE", (y,), (1, cells, values)))
    cells = sum(build.shape(y)[1] for y in sides[0])
    boxes, scores = (build.add("CONCATENATION", side, (1, cells, build.shape(side[0])[2])) for side in sides)
    scores = build.same("LOGISTIC", scores)
    floats = [build.same("DEQUANTIZE", y, dtype="FLOAT32") for y in (boxes, scores)]
    post = "TFLite_Detection_PostProcess"
    return build.finish(build.add("CUSTOM", floats, (1, 10, 4), dtype="FLOAT32", custom=post))


def resnet_v1(size: int, *repeats: int) -> TfliteModel:
    build, x = new(size)
    x = build.pool(build.conv(x, 64, 7, 2), 3, 2)
    for stage, (filters, repeat) in enumerate(zip((64, 128, 256, 512), repeats, strict=True)):
        for i in range(repeat):
            stride = 2 if stage and i == 0 else 1
            short = build.conv(x, 4 * filters, 1, stride) if i == 0 else x
            y = build.conv(build.conv(build.conv(x, filters, 1, stride), filters, 3), 4 * filters)
            x = build.same("ADD", short, y)
    return classify(build, x, 1000)


def resnet_v2(size: int, *repeats: int) -> TfliteModel:
    build, x = new(size)
    x = build.pool(build.conv(x, 64, 7, 2), 3, 2)
    for stage, (filters, repeat) in enumerate(zip((64, 128, 256, 512), repeats, strict=True)):
        for i in range(repeat):
            stride = 2 if stage < 3 and i == repeat - 1 else 1
            before = norm(build, x)
            short = build.conv(before, 4 * filters) if i == 0 else x
            short = build.pool(short, 1, stride) if stride > 1 else short
            y = build.conv(build.conv(build.conv(before, filters), filters, 3, stride), 4 * filters)
            x = build.same("ADD", short, y)
    return classify(build, norm(build, x))


def densenet121() -> TfliteModel:
    build, x = new(224)
    x = build.pool(build.conv(x, 64, 7, 2), 3, 2)
    for stage, repeat in enumerate((6, 12, 24, 16)):
        for _ in range(repeat):
            x = build.join(x, build.conv(build.conv(norm(build, x), 128), 32, 3))
        x = norm(build, x)
        if stage < 3:
            x = build.pool(build.conv(x, build.shape(x)[3] // 2), 2, 2, "AVERAGE")
    return classify(build, x, 1000)


def squeezenet() -> TfliteModel:
    build, x = new(224)
    x = build.conv(x, 64, 3, 2)
    for group in (((16, 64),) * 2, ((32, 128),) * 2, ((48, 192),) * 2 + ((64, 256),) * 2):
        x = build.pool(x, 3, 2, padding="VALID")
        for squeeze, expand in group:
            x = build.conv(x, squeeze)
            x = build.join(build.conv(x, expand), build.conv(x, expand, 3))
    return build.finish(build.same("SOFTMAX", build.mean(build.conv(x, 1000))))


def efficientnet_edgetpu(width: float, depth: float, size: int) -> TfliteModel:
    """Gupta & Tan 2019: fused blocks first, ReLU, no squeeze-and-excitation."""

    def wide(filters: int) -> int:
        rounded = max(8, int(filters * width + 4) // 8 * 8)
        return rounded + 8 if rounded < 0.9 * filters * width else rounded

    plan = [
        (1, 3, 1, 4, 24, True, False),
        (2, 3, 2, 8, 32, True, True),
        (4, 3, 2, 8, 48, True, True),
        (5, 5, 2, 8, 96, False, True),
        (4, 5, 1, 8, 144, False, True),
        (2, 5, 2, 8, 192, False, True),
    ]
    build, x = old(size)
    x = build.conv(x, wide(32), 3, 2)
    base = wide(24)
    for repeat, kernel, first, expansion, filters, fused, skip in plan:
        for i in range(-int(-repeat * depth // 1)):
            stride, channels = first if i == 0 else 1, build.shape(x)[3] if base is None else base
            base, inner = None, channels * expansion
            if fused:
                y = build.conv(x, inner, kernel, stride)
            else:
                y = build.depthwise(build.conv(x, inner), kernel, stride)
            y = build.conv(y, wide(filters))
            x = build.same("ADD", x, y) if skip and stride == 1 and channels == wide(filters) else y
    return classify(build, build.conv(x, wide(1280)))


def unet(size: int = 128) -> TfliteModel:
    build, x = new(size)
    x, kept = mobilenet_v2_body(build, x, head=False)
    for filters, block in ((512, 13), (256, 6), (128, 3), (64, 1)):
        x = build.join(build.upconv(x, filters, 3, 2), kept[f"expand{block}"])
    return build.finish(build.upconv(x, 3, 3, 2))
