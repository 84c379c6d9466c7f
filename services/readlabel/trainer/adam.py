"""Adam with each variable's gradient clipped, as Keras does it: gradients in, changed variables out.

Kingma and Ba 2015, with the constants and the order of operations of Keras 2.15's ``Adam(clipnorm=1.0)``, and one fused
kernel a variable. Its state is two moments a variable, so that a checkpoint holds plain arrays.
"""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

_BETA_1 = 0.9
_BETA_2 = 0.999
_EPSILON = 1e-7
_CLIP_NORM = 1.0


class Adam:
    """The optimizer of some variables.

    Args:
        variables: to train; float32.
    """

    def __init__(self, variables: Sequence[tf.Variable]) -> None:
        self._variables = list(variables)
        self._first = [tf.Variable(tf.zeros_like(v), trainable=False) for v in self._variables]
        self._second = [tf.Variable(tf.zeros_like(v), trainable=False) for v in self._variables]

    @property
    def moments(self) -> list[tf.Variable]:
        """First moments of all variables, then second moments."""
        return [*self._first, *self._second]

    def apply(self, gradients: Sequence[tf.Tensor], rate: tf.Tensor, step: tf.Tensor) -> None:
        """Change the variables by one update.

        Nothing changes before all that needs memory is computed: when memory runs out, the update has not begun.

        Args:
            gradients: one a variable, of its shape.
            rate: float32 scalar, the learning rate.
            step: float32 scalar, the number of this update, from 1.
        """
        clipped = [tf.clip_by_norm(gradient, _CLIP_NORM) for gradient in gradients]
        powers = tf.pow(_BETA_1, step), tf.pow(_BETA_2, step)
        with tf.control_dependencies([*clipped, *powers]):
            for variable, first, second, gradient in zip(
                self._variables, self._first, self._second, clipped, strict=True
            ):
                tf.raw_ops.ResourceApplyAdam(
                    var=variable.handle,
                    m=first.handle,
                    v=second.handle,
                    beta1_power=powers[0],
                    beta2_power=powers[1],
                    lr=rate,
                    beta1=_BETA_1,
                    beta2=_BETA_2,
                    epsilon=_EPSILON,
                    grad=gradient,
                )
