"""The stages of MobileNetV1 and V2, for whoever builds them here: edgeml layers, TFLite operators, Keras.

Imports nothing, so that peers' environments can read it too.
"""

from __future__ import annotations

V1_PLAN = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1)]
"""Channels and stride of each depthwise-separable block (Howard et al. 2017, table 1)."""

V2_PLAN = [
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
]
"""Expansion, channels, repeats, stride (Sandler et al. 2018, table 2)."""
