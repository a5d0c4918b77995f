"""BatchNorm's statistics after training."""

from __future__ import annotations

from typing import Any

import numpy as np

STATISTICS_BATCHES = 16


def estimate_statistics(tf: Any, model: Any, run_steps: Any, take: Any) -> None:
    """Replace BatchNorm's moving averages by plain means over some batches, weights unchanged.

    The training function runs with learning rate zero (so nothing needs tracing again). Moving averages
    are set to zero before each batch; what stands there afterwards is (1 - momentum) times the batch's.
    """
    norms = [layer for layer in model.layers if type(layer).__name__ == "BatchNormalization"]
    variables = [v for norm in norms for v in (norm.moving_mean, norm.moving_variance)]
    sums = [np.zeros(v.shape, np.float64) for v in variables]
    rate = tf.constant([0.0], tf.float32)
    for _ in range(STATISTICS_BATCHES):
        for variable in variables:
            variable.assign(tf.zeros_like(variable))
        run_steps(tf.constant(take(1)), rate)
        for index, variable in enumerate(variables):
            sums[index] += variable.numpy()
    for norm_index, norm in enumerate(norms):
        share = STATISTICS_BATCHES * (1 - norm.momentum)
        norm.moving_mean.assign(sums[2 * norm_index] / share)
        norm.moving_variance.assign(sums[2 * norm_index + 1] / share)
