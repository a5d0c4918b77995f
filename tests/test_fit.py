"""The training loop's own parts against Keras's."""

from __future__ import annotations

import numpy as np

from edgeml.train.optimiser import optimiser


def test_adam_is_keras_adam():
    import tensorflow as tf
    import tf_keras as keras

    rng = np.random.default_rng(0)
    ours = [tf.Variable(rng.normal(size=shape).astype(np.float32)) for shape in ((5, 4), (3,))]
    theirs = [tf.Variable(variable.numpy()) for variable in ours]
    keras_adam, adams = keras.optimizers.Adam(1e-2), [optimiser("adam", tf, variable) for variable in ours]
    keras_adam.build(theirs)
    for step in range(50):
        gradients = [tf.constant(rng.normal(size=v.shape).astype(np.float32)) for v in ours]
        rate = 1e-2 * (step + 1) / 50
        keras_adam.learning_rate.assign(rate)
        keras_adam.apply_gradients(zip(gradients, theirs, strict=True))
        for (apply, _), gradient in zip(adams, gradients, strict=True):
            apply(gradient, tf.constant(rate, tf.float32))
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), atol=2e-6)
