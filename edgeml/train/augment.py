"""Random changes of training inputs, made before they are handed to TensorFlow.

TensorFlow's operators for it took up to a third of the step of a small network: copying memory is faster.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from edgeml.arch.recipe import Recipe

MIDDLE, MOST = np.float32(127.5), 255.0
"""Of what a device can see."""
HALF = 0.5

Drawn = NDArray[np.float64]
"""(n,), one of each sample's."""


class Augment:
    """Random mirror, translation (edges repeated), tempo, amplitude and noise, each sample its own.

    What a sample goes through depends on how many came before it, not on how they were batched.

    Args:
        recipe: shift, shift_across, flip, speed, gain, noise and their strength, `augmentation`.
        seed: of what is drawn.
    """

    def __init__(self, recipe: Recipe, seed: int) -> None:
        self.recipe = recipe
        self._draws, self._noise = (np.random.default_rng((seed, stream)) for stream in (1, 2))

    def gives(self, given: np.dtype[Any]) -> np.dtype[Any]:
        """Type of images -> of changed ones: float32 where speed, gain or noise are on, else the same."""
        recipe = self.recipe
        floats = recipe.augmentation and (recipe.speed or recipe.gain or recipe.noise)
        return np.dtype(np.float32) if floats else given

    def __call__(self, images: NDArray[Any]) -> NDArray[Any]:
        """Images (n, h, w, c), values 0..255 -> the same shape, changed; the array given is left as it is."""
        recipe, strength = self.recipe, self.recipe.augmentation
        if not strength:
            return images
        mirror, down, across, tempo, gain = self._draws.random((len(images), 5)).T
        if recipe.flip:
            images = images.copy()
            images[mirror < HALF] = images[mirror < HALF, :, ::-1]
        shift, speed = min(HALF, recipe.shift * strength), min(HALF, recipe.speed * strength)
        images = _moved(images, shift, shift if recipe.shift_across else 0.0, down, across)
        images = images.astype(self.gives(images.dtype), copy=False)
        if speed and images.shape[1] > 1:
            images = _stretched(images, 1 + speed * (2 * tempo - 1))
        if recipe.gain:
            reach = min(0.9, recipe.gain * strength)
            times = (1 + reach * (2 * gain - 1)).astype(np.float32)[:, None, None, None]
            images = MIDDLE + (images - MIDDLE) * times
        if recipe.noise:
            noise = self._noise.standard_normal(images.shape, np.float32)
            images = images + np.float32(MOST * recipe.noise * strength) * noise
        return np.clip(images, 0.0, MOST) if recipe.gain or recipe.noise else images


def _moved(
    images: NDArray[Any], most_down: float, most_across: float, down: Drawn, across: Drawn
) -> NDArray[Any]:
    """Translation by whole pixels, by at most these fractions of height and width; drawn 0..1."""
    count, height, width, channels = images.shape
    y, x = round(height * most_down), round(width * most_across)
    if not (y or x):
        return images
    wide = np.empty((count, height + 2 * y, width + 2 * x, channels), images.dtype)
    middle = wide[:, y : y + height]
    middle[:, :, x : x + width] = images
    middle[:, :, :x], middle[:, :, x + width :] = images[:, :, :1], images[:, :, -1:]
    wide[:, :y], wide[:, y + height :] = middle[:, :1], middle[:, -1:]
    sample, row, pixel, value = wide.strides
    windows = as_strided(
        wide,
        (count, 2 * y + 1, 2 * x + 1, height, width * channels),
        (sample, row, pixel, row, value),
        writeable=False,
    )
    first = (down * (2 * y + 1)).astype(np.intp), (across * (2 * x + 1)).astype(np.intp)
    found: NDArray[Any] = windows[np.arange(count), *first].reshape(images.shape)
    return found


def _stretched(images: NDArray[np.float32], tempo: Drawn) -> NDArray[np.float32]:
    """Height at that tempo (n,), around the middle, so that this alone does not move a sample; bilinear."""
    count, height = images.shape[:2]
    middle = (height - 1) / 2
    at = np.clip(middle + tempo[:, None] * (np.arange(height) - middle), 0, height - 1)
    first = at.astype(np.intp)
    part = (at - first).astype(np.float32)[:, :, None, None]
    sample = np.arange(count)[:, None]
    found: NDArray[np.float32] = (1 - part) * images[sample, first]
    found += part * images[sample, np.minimum(first + 1, height - 1)]
    return found
