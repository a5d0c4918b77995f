"""Random changes of a batch of training images, traced into the training step."""

from __future__ import annotations

from typing import Any

from edgeml.arch.recipe import Recipe


def augment(tf: Any, images: Any, recipe: Recipe) -> Any:
    """Random translation (edges repeated) and mirror, each sample its own; `recipe.augmentation` scales it.

    Args:
        tf: TensorFlow.
        images: (n, h, w, c), uint8 or float32.
        recipe: shift, flip and their strength.
    """
    batch, height, width = tf.shape(images)[0], images.shape[1], images.shape[2]
    shift = min(0.5, recipe.shift * recipe.augmentation)
    reach_y, reach_x = round(height * shift), round(width * shift)
    if recipe.flip and recipe.augmentation:
        mirrored = tf.random.uniform((batch, 1, 1, 1)) < 0.5
        images = tf.where(mirrored, tf.reverse(images, [2]), images)
    if not (reach_y or reach_x):
        return images
    dy = tf.round(tf.random.uniform((batch,), -reach_y - 0.5, reach_y + 0.5))
    dx = tf.round(tf.random.uniform((batch,), -reach_x - 0.5, reach_x + 0.5))
    one, nil = tf.ones_like(dx), tf.zeros_like(dx)
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=tf.stack([one, nil, dx, nil, one, dy, nil, nil], 1),
        output_shape=tf.constant([height, width]),
        fill_value=0.0,
        interpolation="NEAREST",
        fill_mode="NEAREST",
    )
