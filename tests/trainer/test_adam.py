"""The optimizer against Keras' own."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from readlabel.trainer.adam import Adam


def test_updates_are_those_of_keras_adam_with_clipnorm_one() -> None:
    random = np.random.default_rng(0)
    starts = [random.normal(size=shape).astype(np.float32) for shape in ((6, 4), (5,), (3, 2, 2))]
    ours = [tf.Variable(start) for start in starts]
    theirs = [tf.Variable(start) for start in starts]
    adam, keras = Adam(ours), tf.keras.optimizers.Adam(learning_rate=0.01, clipnorm=1.0)
    for step in range(1, 30):
        # Scales on both sides of the clipping norm.
        gradients = [
            tf.constant((random.normal(size=s.shape) * 10.0 ** random.integers(-3, 3)), tf.float32) for s in starts
        ]
        rate = 0.01 / step
        keras.learning_rate = rate
        adam.apply(gradients, tf.constant(rate), tf.constant(float(step)))
        keras.apply_gradients(zip(gradients, theirs, strict=True))
    for our, their in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(our.numpy(), their.numpy(), rtol=2e-6, atol=1e-7)
