"""METERS: every meter by the name that target files use, with what it gives and what it needs."""

from __future__ import annotations

from edgeml.target.coral.compile import CompilerOptions
from edgeml.target.coral.verdicts import CoralOptions
from edgeml.target.ethosu.vela import VelaOptions
from edgeml.target.meter import MeterEntry
from edgeml.target.meters import (
    adb,
    arm_estimate,
    coral_compiler,
    coral_device,
    coral_estimate,
    cortex_m,
    ethosu_estimate,
    litert_host,
    ort_host,
    qemu_arm,
    ssh,
    tflm,
    tflm_estimate,
    vela,
)


def _all(kind: str, *metrics: str) -> dict[str, str]:
    """Metrics that are all of one kind."""
    return dict.fromkeys(metrics, kind)


METERS: dict[str, MeterEntry] = {
    "litert_host": MeterEntry(
        litert_host.measure,
        kinds=_all("measured", "latency_ms"),
        does="Times LiteRT on this computer, models in turn.",
        wall_clock=True,
        options=litert_host.HostOptions,
    ),
    "qemu_arm": MeterEntry(
        qemu_arm.measure,
        kinds=_all("measured", "instructions"),
        does="Counts the instructions of LiteRT for aarch64 in an emulated CPU (qemu-user).",
        options=qemu_arm.QemuArmOptions,
        missing=qemu_arm.missing,
    ),
    "ssh": MeterEntry(
        ssh.measure,
        kinds=_all("measured", "latency_ms"),
        does="Times LiteRT on a Linux board reached by ssh, models in turn.",
        wall_clock=True,
        options=ssh.SshOptions,
        missing=ssh.missing,
    ),
    "adb": MeterEntry(
        adb.measure,
        kinds=_all("measured", "latency_ms"),
        does="Times benchmark_model on an Android phone reached by adb, models in turn.",
        wall_clock=True,
        options=adb.AdbOptions,
        missing=adb.missing,
    ),
    "tflm": MeterEntry(
        tflm.measure,
        kinds={"ram_bytes": "measured", "flash_bytes": "estimated"},
        does="Finds the smallest arena in which tflite-micro runs the model; estimates flash from it.",
        options=tflm.TflmOptions,
        missing=tflm.missing,
    ),
    "tflm_estimate": MeterEntry(
        tflm_estimate.measure,
        kinds=_all("estimated", "ram_bytes", "flash_bytes"),
        does="Works out tflite-micro's memory plan and estimates flash, from shapes alone.",
        before_training=True,
    ),
    "cortex_m": MeterEntry(
        cortex_m.measure,
        kinds=_all("estimated", "latency_ms", "cycles"),
        does="Estimates the time of CMSIS-NN kernels from the layers.",
        before_training=True,
    ),
    "ort_host": MeterEntry(
        ort_host.measure,
        kinds=_all("measured", "latency_ms"),
        does="Times onnxruntime on this computer, models in turn, on the int8 network of the file.",
        wall_clock=True,
    ),
    "ethosu_estimate": MeterEntry(
        ethosu_estimate.measure,
        kinds=_all("estimated", "latency_ms", "cycles"),
        does="Estimates the cycles Vela would give, from layer shapes, before there is a file.",
        before_training=True,
        options=ethosu_estimate.EthosuEstimateOptions,
        missing=ethosu_estimate.missing,
    ),
    "vela": MeterEntry(
        vela.measure,
        kinds=_all("compiled", "latency_ms", "cycles", "ram_bytes", "flash_bytes", "host_ops"),
        does="Compiles with Arm Vela for an Ethos-U: cycles, memory, and operators left to the CPU.",
        options=VelaOptions,
        missing=vela.missing,
    ),
    "coral_device": MeterEntry(
        coral_device.measure,
        kinds=_all("measured", "latency_ms"),
        does="Times an Edge TPU through libedgetpu, in a process of its own.",
        wall_clock=True,
        options=coral_device.DeviceOptions,
        missing=coral_device.missing,
    ),
    "coral_compiler": MeterEntry(
        coral_compiler.measure,
        kinds=_all("compiled", "on_chip_bytes", "streamed_bytes", "parameter_bytes", "host_ops"),
        does="Compiles with edgetpu_compiler: parameters on and off the chip, operators left on the host.",
        options=CompilerOptions,
        missing=coral_compiler.missing,
    ),
    "coral_estimate": MeterEntry(
        coral_estimate.measure,
        kinds=_all(
            "estimated", "latency_ms", "parameter_bytes", "on_chip_bytes", "streamed_bytes", "host_ops"
        ),
        does="Estimates an Edge TPU's latency, parameter memory and operators left on the host.",
        before_training=True,
        options=CoralOptions,
    ),
    "arm_estimate": MeterEntry(
        arm_estimate.measure,
        kinds=_all("estimated", "latency_ms"),
        does="Estimates milliseconds on an Arm core from layers, fitted on published latencies.",
        before_training=True,
        options=arm_estimate.ArmOptions,
        missing=arm_estimate.missing,
    ),
}
"""Meters by the name used in target files."""
