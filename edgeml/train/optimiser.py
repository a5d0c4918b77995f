"""Optimisers by TensorFlow's fused operators, each on one vector of parameters.

Keras's optimisers write a dozen operators for each variable: 10 of 15 seconds that a network of 88 layers
took to trace, and as many to optimise.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from edgeml.errors import UnknownNameError

SGD_RATE = 12.5
"""What "sgd" multiplies a learning rate by, so that one list of rates serves every optimiser: 0.1 is to SGD
with momentum what Adam's default, 8e-3, is to Adam."""

Step = Callable[[Any, Any], None]
"""(gradient, learning rate) -> the variable has moved."""


def optimiser(name: str, tf: Any, variable: Any) -> tuple[Step, list[Any]]:
    """An optimiser of one variable, and its own variables, which must be kept alive.

    Raises:
        UnknownNameError: no such optimiser.
    """
    if name not in OPTIMISERS:
        raise UnknownNameError("optimiser", name, OPTIMISERS)
    return OPTIMISERS[name](tf, variable)


def _slot(tf: Any, variable: Any) -> Any:
    return tf.Variable(tf.zeros_like(variable), trainable=False)


def _adam(tf: Any, variable: Any) -> tuple[Step, list[Any]]:
    """Adam (Kingma & Ba 2015), betas 0.9 and 0.999, epsilon 1e-7."""
    first, second, steps = _slot(tf, variable), _slot(tf, variable), tf.Variable(0.0, trainable=False)

    def apply(gradient: Any, rate: Any) -> None:
        step = steps.assign_add(1.0, read_value=True)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=first.handle,
            v=second.handle,
            beta1_power=0.9**step,
            beta2_power=0.999**step,
            lr=rate,
            beta1=0.9,
            beta2=0.999,
            epsilon=1e-7,
            grad=gradient,
        )

    return apply, [first, second, steps]


def _sgd(tf: Any, variable: Any) -> tuple[Step, list[Any]]:
    """Stochastic gradient descent with Nesterov momentum 0.9 (Sutskever et al. 2013)."""
    gathered = _slot(tf, variable)

    def apply(gradient: Any, rate: Any) -> None:
        tf.raw_ops.ResourceApplyMomentum(
            var=variable.handle,
            accum=gathered.handle,
            lr=SGD_RATE * rate,
            grad=gradient,
            momentum=0.9,
            use_nesterov=True,
        )

    return apply, [gathered]


def _rmsprop(tf: Any, variable: Any) -> tuple[Step, list[Any]]:
    """RMSProp (Tieleman & Hinton 2012), decay 0.9, no momentum, epsilon 1e-7."""
    squares, moved = _slot(tf, variable), _slot(tf, variable)

    def apply(gradient: Any, rate: Any) -> None:
        tf.raw_ops.ResourceApplyRMSProp(
            var=variable.handle,
            ms=squares.handle,
            mom=moved.handle,
            lr=rate,
            rho=0.9,
            momentum=0.0,
            epsilon=1e-7,
            grad=gradient,
        )

    return apply, [squares, moved]


OPTIMISERS: dict[str, Callable[[Any, Any], tuple[Step, list[Any]]]] = {
    "adam": _adam,
    "sgd": _sgd,
    "rmsprop": _rmsprop,
}
