"""Inception networks as outlines (Szegedy et al. 2014, 2015, 2016), and the table of all networks."""

from __future__ import annotations

from collections.abc import Callable

from bench import coral_networks as nets
from edgeml.deploy.tflite import TfliteModel
from edgeml.deploy.tflite_outline import Outline, Pair

Step = tuple[int, Pair]


def chain(build: Outline, x: int, *steps: Step, stride: int = 1) -> int:
    """Convolutions one after the other; a stride is the last one's and leaves the border out."""
    for i, (filters, kernel) in enumerate(steps):
        last = stride > 1 and i == len(steps) - 1
        x = build.conv(x, filters, kernel, stride if last else 1, "VALID" if last else "SAME")
    return x


def pooled(build: Outline, x: int, filters: int, mode: str = "AVERAGE") -> int:
    return build.conv(build.pool(x, 3, 1, mode), filters)


def inception_v1() -> TfliteModel:
    build, x = nets.old(224)
    x = build.conv(build.conv(build.pool(build.conv(x, 64, 7, 2), 3, 2), 64), 192, 3)
    groups = [
        (3, [(64, 96, 128, 16, 32, 32), (128, 128, 192, 32, 96, 64)]),
        (
            3,
            [
                (192, 96, 208, 16, 48, 64),
                (160, 112, 224, 24, 64, 64),
                (128, 128, 256, 24, 64, 64),
                (112, 144, 288, 32, 64, 64),
                (256, 160, 320, 32, 128, 128),
            ],
        ),
        (2, [(256, 160, 320, 32, 128, 128), (384, 192, 384, 48, 128, 128)]),
    ]
    for size, blocks in groups:
        x = build.pool(x, size, 2)
        for a, b1, b2, c1, c2, d in blocks:
            b = chain(build, x, (b1, 1), (b2, 3))
            c = chain(build, x, (c1, 1), (c2, 3))
            x = build.join(build.conv(x, a), b, c, pooled(build, x, d, "MAX"))
    return nets.classify(build, x)


def inception_v3() -> TfliteModel:
    build, x = nets.old(299)
    x = build.conv(build.conv(build.conv(x, 32, 3, 2, "VALID"), 32, 3, 1, "VALID"), 64, 3)
    x = build.pool(x, 3, 2, padding="VALID")
    x = build.pool(build.conv(build.conv(x, 80), 192, 3, 1, "VALID"), 3, 2, padding="VALID")
    for last in (32, 64, 64):
        b, c = chain(build, x, (48, 1), (64, 5)), chain(build, x, (64, 1), (96, 3), (96, 3))
        x = build.join(build.conv(x, 64), b, c, pooled(build, x, last))
    b = chain(build, x, (64, 1), (96, 3), (96, 3), stride=2)
    x = build.join(build.conv(x, 384, 3, 2, "VALID"), b, build.pool(x, 3, 2, padding="VALID"))
    for n in (128, 160, 160, 192):
        b = chain(build, x, (n, 1), (n, (1, 7)), (192, (7, 1)))
        c = chain(build, x, (n, 1), (n, (7, 1)), (n, (1, 7)), (n, (7, 1)), (192, (1, 7)))
        x = build.join(build.conv(x, 192), b, c, pooled(build, x, 192))
    b = chain(build, x, (192, 1), (320, 3), stride=2)
    c = chain(build, x, (192, 1), (192, (1, 7)), (192, (7, 1)), (192, 3), stride=2)
    x = build.join(b, c, build.pool(x, 3, 2, padding="VALID"))
    for _ in range(2):
        b, c = build.conv(x, 384), chain(build, x, (448, 1), (384, 3))
        pairs = [build.join(build.conv(y, 384, (1, 3)), build.conv(y, 384, (3, 1))) for y in (b, c)]
        x = build.join(build.conv(x, 320), *pairs, pooled(build, x, 192))
    return nets.classify(build, x)


def inception_v4() -> TfliteModel:
    build, x = nets.old(299)
    x = build.conv(build.conv(build.conv(x, 32, 3, 2, "VALID"), 32, 3, 1, "VALID"), 64, 3)
    x = build.join(build.pool(x, 3, 2, padding="VALID"), build.conv(x, 96, 3, 2, "VALID"))
    a = build.conv(build.conv(x, 64), 96, 3, 1, "VALID")
    b = build.conv(chain(build, x, (64, 1), (64, (1, 7)), (64, (7, 1))), 96, 3, 1, "VALID")
    x = build.join(a, b)
    x = build.join(build.conv(x, 192, 3, 2, "VALID"), build.pool(x, 3, 2, padding="VALID"))
    for _ in range(4):
        b, c = chain(build, x, (64, 1), (96, 3)), chain(build, x, (64, 1), (96, 3), (96, 3))
        x = build.join(build.conv(x, 96), b, c, pooled(build, x, 96))
    b = chain(build, x, (192, 1), (224, 3), (256, 3), stride=2)
    x = build.join(build.conv(x, 384, 3, 2, "VALID"), b, build.pool(x, 3, 2, padding="VALID"))
    for _ in range(7):
        b = chain(build, x, (192, 1), (224, (1, 7)), (256, (7, 1)))
        c = chain(build, x, (192, 1), (192, (7, 1)), (224, (1, 7)), (224, (7, 1)), (256, (1, 7)))
        x = build.join(build.conv(x, 384), b, c, pooled(build, x, 128))
    b = chain(build, x, (192, 1), (192, 3), stride=2)
    c = chain(build, x, (256, 1), (256, (1, 7)), (320, (7, 1)), (320, 3), stride=2)
    x = build.join(b, c, build.pool(x, 3, 2, padding="VALID"))
    for _ in range(3):
        b, c = build.conv(x, 384), chain(build, x, (384, 1), (448, (3, 1)), (512, (1, 3)))
        pairs = [build.join(build.conv(y, 256, (1, 3)), build.conv(y, 256, (3, 1))) for y in (b, c)]
        x = build.join(build.conv(x, 256), *pairs, pooled(build, x, 256))
    return nets.classify(build, x)


NETWORKS: dict[str, Callable[[], TfliteModel]] = {
    "densenet121_224": nets.densenet121,
    "effnet_edgetpu_s": lambda: nets.efficientnet_edgetpu(1.0, 1.0, 224),
    "effnet_edgetpu_m": lambda: nets.efficientnet_edgetpu(1.0, 1.1, 240),
    "effnet_edgetpu_l": lambda: nets.efficientnet_edgetpu(1.2, 1.4, 300),
    "inception_v1_224": inception_v1,
    "inception_v3_299": inception_v3,
    "inception_v4_299": inception_v4,
    "mobilenet_v1_224": lambda: nets.mobilenet_v1(224),
    "mobilenet_v1_0.25_128_quant": lambda: nets.mobilenet_v1(128, 0.25),
    "mobilenet_v2_224": nets.mobilenet_v2,
    "posenet_mobilenet_v1_075_353_481_16_quant_decoder": lambda: nets.posenet(353, 481),
    "posenet_mobilenet_v1_075_721_1281_16_quant_decoder": lambda: nets.posenet(721, 1281),
    "resnet50_v1_224": lambda: nets.resnet_v1(224, 3, 4, 6, 3),
    "resnet50_v1_299": lambda: nets.resnet_v1(299, 3, 4, 6, 3),
    "resnet50_v2_299": lambda: nets.resnet_v2(299, 3, 4, 6, 3),
    "resnet152_v2_299": lambda: nets.resnet_v2(299, 3, 8, 36, 3),
    "squeezenet_224": nets.squeezenet,
    "ssd_mobilenet_v1_300": lambda: nets.ssd(1),
    "ssd_mobilenet_v2_300": lambda: nets.ssd(2),
    "unet_mv2_128": nets.unet,
    "unet_mv2_256": lambda: nets.unet(256),
    "vgg16_224": lambda: nets.vgg(2, 2, 3, 3, 3),
    "vgg19_224": lambda: nets.vgg(2, 2, 4, 4, 4),
}
"""Networks by the name that published_latency.csv knows them by."""
