"""Random changes of a batch of training inputs, traced into the training step."""

from __future__ import annotations

from typing import Any

from edgeml.arch.recipe import Recipe


def augment(tf: Any, images: Any, recipe: Recipe) -> Any:
    """Random translation (edges repeated), mirror, tempo, amplitude and noise, each sample its own.

    Args:
        tf: TensorFlow.
        images: (n, h, w, c), uint8 or float32.
        recipe: shift, shift_across, flip, speed, gain, noise and their strength, `augmentation`.

    Returns:
        The same shape; float32 where speed, gain or noise are on, else of the type given.
    """
    strength = recipe.augmentation
    batch = tf.shape(images)[0]
    if recipe.flip and strength:
        mirrored = tf.random.uniform((batch, 1, 1, 1)) < 0.5
        images = tf.where(mirrored, tf.reverse(images, [2]), images)
    if strength and (recipe.speed or recipe.gain or recipe.noise):
        images = tf.cast(images, tf.float32)
    shift = min(0.5, recipe.shift * strength)
    across = shift if recipe.shift_across else 0.0
    images = _moved(tf, images, shift, across, min(0.5, recipe.speed * strength))
    if recipe.gain and strength:
        reach = min(0.9, recipe.gain * strength)
        middle = 127.5
        images = middle + (images - middle) * tf.random.uniform((batch, 1, 1, 1), 1 - reach, 1 + reach)
    if recipe.noise and strength:
        images += tf.random.normal(tf.shape(images), stddev=255 * recipe.noise * strength)
    if images.dtype == tf.float32 and (recipe.gain or recipe.noise) and strength:
        images = tf.clip_by_value(images, 0.0, 255.0)  # what a device can see
    return images


def _moved(tf: Any, images: Any, down: float, across: float, speed: float) -> Any:
    """Translation by up to these fractions of height and width; height stretched by up to `speed`."""
    batch, height, width = tf.shape(images)[0], images.shape[1], images.shape[2]
    reach_y, reach_x = round(height * down), round(width * across)
    stretched = bool(speed) and height > 1
    if not (reach_y or reach_x or stretched):
        return images
    dy = tf.round(tf.random.uniform((batch,), -reach_y - 0.5, reach_y + 0.5))
    dx = tf.round(tf.random.uniform((batch,), -reach_x - 0.5, reach_x + 0.5))
    one, nil = tf.ones_like(dx), tf.zeros_like(dx)
    tempo = one
    if stretched:  # around the middle, so that a stretch alone does not translate
        tempo = tf.random.uniform((batch,), 1 - speed, 1 + speed)
        dy += (1 - tempo) * (height - 1) / 2
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=tf.stack([one, nil, dx, nil, tempo, dy, nil, nil], 1),
        output_shape=tf.constant([height, width]),
        fill_value=0.0,
        interpolation="BILINEAR" if stretched else "NEAREST",
        fill_mode="NEAREST",
    )
