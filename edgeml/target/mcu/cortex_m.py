"""TfliteModel -> the work that decides its time on a Cortex-M with int8 CMSIS-NN kernels."""

from __future__ import annotations

from dataclasses import dataclass

from edgeml.deploy.tflite import TfliteModel


@dataclass(frozen=True)
class Work:
    """Multiply-accumulates by kind of kernel, and elements written by all operators."""

    conv_macs: int
    depthwise_macs: int
    dense_macs: int
    outputs: int

    def equivalent_macs(self, depthwise: float, dense: float, output: float) -> float:
        """All of it in MACs of a convolution, given what each costs in them."""
        return (
            self.conv_macs + depthwise * self.depthwise_macs + dense * self.dense_macs + output * self.outputs
        )


def work(model: TfliteModel) -> Work:
    """TfliteModel -> Work of one inference."""
    macs = {"DEPTHWISE_CONV_2D": 0, "FULLY_CONNECTED": 0, "": 0}
    outputs = 0
    for operator in model.operators:
        macs[operator.name if operator.name in macs else ""] += operator.macs
        outputs += sum(model.tensors[index].elements for index in operator.outputs)
    return Work(macs[""], macs["DEPTHWISE_CONV_2D"], macs["FULLY_CONNECTED"], outputs)
