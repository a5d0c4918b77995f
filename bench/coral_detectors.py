"""Detectors with large outputs, and U-Net, that Coral published latencies of without a file we have.

Rebuilt from the papers and TensorFlow's model code; what we had to assume is in the docstrings. They are
not in the fit: bench/truth_coral.py prints them as a check.
"""

from __future__ import annotations

from math import prod

from bench import coral_networks as nets
from edgeml.deploy.tflite import TfliteModel
from edgeml.deploy.tflite_outline import Outline


def detect(build: Outline, heads: list[tuple[int, int]], classes: int) -> TfliteModel:
    """(boxes, scores) maps of each level -> the model that ends in TFLite_Detection_PostProcess."""
    sides = []
    for side, values in ((0, 4), (1, classes)):
        flat = []
        for head in heads:
            rows = prod(build.shape(head[side])) // values
            flat.append(build.add("RESHAPE", (head[side],), (1, rows, values)))
        rows = sum(build.shape(part)[1] for part in flat)
        sides.append(build.add("CONCATENATION", flat, (1, rows, values)))
    sides[1] = build.same("LOGISTIC", sides[1])
    floats = [build.same("DEQUANTIZE", side, dtype="FLOAT32") for side in sides]
    post = "TFLite_Detection_PostProcess"
    return build.finish(build.add("CUSTOM", floats, (1, 10, 4), dtype="FLOAT32", custom=post))


def twice(build: Outline, x: int) -> int:
    """Nearest-neighbour resizing to twice the size."""
    _, height, width, channels = build.shape(x)
    size = build.constant(2, dtype="INT32")
    return build.add("RESIZE_NEAREST_NEIGHBOR", (x, size), (1, 2 * height, 2 * width, channels))


def ssd_fpn() -> TfliteModel:
    """SSD with a feature pyramid on MobileNet v1, 640 x 640, 256 channels, heads of four convolutions."""
    build, x = nets.old(640)
    outputs = nets.mobilenet_v1_body(build, x)
    top = build.conv(outputs[12], 256)
    middle = build.same("ADD", build.conv(outputs[10], 256), twice(build, top))
    low = build.same("ADD", build.conv(outputs[4], 256), twice(build, middle))
    levels = [build.conv(low, 256, 3), build.conv(middle, 256, 3), top]
    levels += [build.conv(levels[-1], 256, 3, 2)]
    levels += [build.conv(levels[-1], 256, 3, 2)]
    heads = []
    for level in levels:
        boxes = scores = level
        for _ in range(4):
            boxes, scores = build.conv(boxes, 256, 3), build.conv(scores, 256, 3)
        heads.append((build.conv(boxes, 24, 3), build.conv(scores, 6 * 91, 3)))
    return detect(build, heads, 91)


def efficientdet_lite(size: int, depth: float, channels: int, cells: int) -> TfliteModel:
    """Tan et al. 2020 on EfficientNet-Lite: no squeeze-and-excitation, ReLU6, 9 anchors, 90 classes."""
    build, x = nets.new(size)
    x = build.conv(x, 32, 3, 2)
    plan = [
        (1, 3, 1, 1, 16),
        (2, 3, 2, 6, 24),
        (2, 5, 2, 6, 40),
        (3, 3, 2, 6, 80),
        (3, 5, 1, 6, 112),
        (4, 5, 2, 6, 192),
        (1, 3, 1, 6, 320),
    ]
    outputs = []
    for stage, (repeat, kernel, stride, expansion, filters) in enumerate(plan):
        for i in range(repeat if stage in (0, 6) else -int(-repeat * depth // 1)):
            inner = build.conv(x, build.shape(x)[3] * expansion) if expansion > 1 else x
            y = build.conv(build.depthwise(inner, kernel, stride if i == 0 else 1), filters)
            x = build.same("ADD", x, y) if i else y
        outputs.append(x)
    levels = [outputs[2], outputs[4], outputs[6]]
    levels.append(build.pool(build.conv(levels[-1], channels), 3, 2))
    levels.append(build.pool(levels[-1], 3, 2))
    for _ in range(cells):
        levels = _bifpn(build, levels, channels)
    heads = []
    for level in levels:
        boxes = scores = level
        for _ in range(3):
            boxes, scores = _separable(build, boxes, channels), _separable(build, scores, channels)
        heads.append((_separable(build, boxes, 36), _separable(build, scores, 810)))
    return detect(build, heads, 90)


def _separable(build: Outline, x: int, filters: int) -> int:
    return build.conv(build.depthwise(x), filters)


def _bifpn(build: Outline, levels: list[int], channels: int) -> list[int]:
    """One cell: from the top down, then from the bottom up."""
    levels = [x if build.shape(x)[3] == channels else build.conv(x, channels) for x in levels]
    down = levels[:]
    for i in (3, 2, 1, 0):
        larger = twice(build, down[i + 1])
        down[i] = _separable(build, build.same("ADD", levels[i], larger), channels)
    up = down[:]
    for i in (1, 2, 3, 4):
        x = levels[i] if i == 4 else build.same("ADD", levels[i], down[i])
        x = build.same("ADD", x, build.pool(up[i - 1], 3, 2))
        up[i] = _separable(build, x, channels)
    return up


PUBLISHED = {
    "U-Net MobileNet v2 256": lambda: nets.unet(256),
    "SSD MobileNet V2 300 (TF2)": lambda: nets.ssd(2),
    "SSD MobileNet V2 Faces 320": lambda: nets.ssd(2, 320, 2),
    "ssd_mobilenet_v2_face_quant_postprocess": lambda: nets.ssd(2, 320, 2),
    "EfficientDet-Lite0 320": lambda: efficientdet_lite(320, 1.0, 64, 3),
    "EfficientDet-Lite1 384": lambda: efficientdet_lite(384, 1.1, 88, 4),
    "SSD/FPN MobileNet V1 640": ssd_fpn,
}
"""Networks by `model` of published_latency.csv, where `local_key` is empty."""
