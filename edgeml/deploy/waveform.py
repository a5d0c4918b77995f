"""An int8 model of sound features -> one that takes the waveform: its front end in front, in float32.

Frames, window and DFT are one strided convolution, of builtin operators like all that follows. Values are
those of edgeml/data/audio/front_steps.py before they are rounded, so a feature may differ by a step where it
lies between two.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeml.deploy.convert import converted
from edgeml.deploy.tflite_join import joined

FULL_SCALE = 32768.0
"""The waveform's values are -1 to 1: an int16 sample divided by it."""


def with_waveform_input(model: bytes, tables: Mapping[str, Any], samples: int) -> bytes:
    """A full int8 model of features (1, frames, bins, 1) -> the same with input (1, samples), float32.

    Args:
        model: takes raw uint8 features.
        tables: of the front end (edgeml.data.audio.front_tables).
        samples: of a clip.

    Raises:
        ModelError: the model takes features of another shape, or the converter refused.
    """
    return joined(front_end_model(tables, samples), model)


def front_end_model(tables: Mapping[str, Any], samples: int) -> bytes:
    """Tables -> TFLite model, waveform (1, samples) float32, -1 to 1 -> features (1, frames, bins, 1) uint8.

    Raises:
        ModelError: the converter refused it.
    """
    import tensorflow as tf

    kernel, mel = _kernel(tables), _mel(tables)

    def run(waveform: Any) -> Any:
        sound = tf.reshape(waveform, (1, samples, 1, 1))
        spectrum = tf.nn.conv2d(sound, kernel, (1, tables["hop"], 1, 1), "VALID")
        power = tf.reshape(tf.square(spectrum), (spectrum.shape[1], kernel.shape[3]))
        energies = tf.maximum(tf.matmul(power, mel), 1.0)
        levels = tf.nn.relu(tf.math.log(energies) * float(1024 / np.log(2)) - float(tables["floor"]))
        steps = tf.round(_steps(tf, levels, tables))
        features = tf.cast(tf.clip_by_value(steps, 0.0, 255.0), tf.uint8)
        return tf.reshape(features, (1, spectrum.shape[1], tables["bins"], 1))

    specification = tf.TensorSpec((1, samples), tf.float32, name="waveform")
    concrete = tf.function(run, autograph=False).get_concrete_function(specification)
    return converted(tf.lite.TFLiteConverter.from_concrete_functions([concrete], tf.Module()))


def _steps(tf: Any, levels: Any, tables: Mapping[str, Any]) -> Any:
    if not tables["dct"]:
        return levels * (tables["gain"] / 2048)
    matrix = np.array(tables["dct"], np.float64).reshape(tables["bins"], -1).T / (1 << 24)
    return tf.matmul(levels, matrix.astype(np.float32)) + np.array(tables["bias"], np.float32)


def _kernel(tables: Mapping[str, Any]) -> NDArray[np.float32]:
    """Window and DFT (window, 1, 1, 2 x frequencies): real parts, then imaginary ones."""
    window, size = tables["window"], tables["fft"]
    first, last = _used(tables)
    angle = 2 * np.pi * np.outer(np.arange(window), np.arange(first, last)) / size
    # The scale of the integer spectrum: samples in Q14 by the window, over half the size, power / 256.
    hann = np.array(tables["hann"], np.float64)[:, None] / 2 / (size / 2) / 16 * FULL_SCALE
    return np.concatenate([hann * np.cos(angle), hann * np.sin(angle)], 1).astype(np.float32)[:, None, None]


def _mel(tables: Mapping[str, Any]) -> NDArray[np.float32]:
    """Filters (2 x frequencies, mels): squares of real and imaginary parts add up."""
    first, last = _used(tables)
    found = np.zeros((last - first, len(tables["mel_start"])), np.float32)
    at = 0
    for row, (start, count) in enumerate(zip(tables["mel_start"], tables["mel_count"], strict=True)):
        found[start - first : start - first + count, row] = tables["mel_weights"][at : at + count]
        at += count
    return np.concatenate([found, found])


def _used(tables: Mapping[str, Any]) -> tuple[int, int]:
    """First frequency that a filter reads, and the one after the last."""
    ends = [start + count for start, count in zip(tables["mel_start"], tables["mel_count"], strict=True)]
    return min(tables["mel_start"]), max(ends)
