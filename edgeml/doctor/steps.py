"""The self-test's steps: each runs in a process of its own (child.py), the next ones use its files.

A step calls `doing` before anything that could end the process, so that a crash says in what.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edgeml.doctor.finding import Line

if TYPE_CHECKING:
    from edgeml.arch.graph import Graph
    from edgeml.data.source import Split

Doing = Callable[[str], None]
MODEL, IMAGES, OUTPUTS = "model.tflite", "images.npy", "float.npy"
SIDE, CLASSES, SAMPLES, EPOCHS = 16, 3, 256, 6
LEARNT = 0.6
"""Accuracy on three kinds of stripes; guessing gives 0.33."""
NOISY = 0.3
"""Spread of a latency over its value, above which the computer is called noisy."""
AGREEMENT = 0.9


def files(folder: Path, doing: Doing) -> list[Line]:
    """Whether the file system does what run directories need: locks, renames, fsync, SQLite."""
    import fcntl
    import sqlite3

    doing("locking a file")
    path = folder / "a"
    with path.open("w") as one, path.open("w") as other:
        fcntl.flock(one, fcntl.LOCK_EX)
        try:
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pass
        else:
            advice = "two searches could write one run: choose a local file system"
            return [Line("files", "a lock keeps nobody out", "problem", advice)]
    doing("writing and renaming a file")
    began = time.perf_counter()
    (folder / "b").write_bytes(b"new")
    with (folder / "b").open("rb+") as file:
        os.fsync(file.fileno())
    (folder / "b").replace(path)
    if path.read_bytes() != b"new" or (folder / "b").exists():
        return [
            Line("files", "a renamed file is not where it should be", "problem", "choose another file system")
        ]
    synced = time.perf_counter() - began
    doing("writing an SQLite database")
    database = sqlite3.connect(folder / "c.db")
    with database:
        database.execute("CREATE TABLE t (n INTEGER)")
    database.close()
    slow = synced > 1.0
    said = f"locks, renames, fsync and SQLite work (fsync {1e3 * synced:.0f} ms)"
    return [Line("files", said, "note" if slow else "ok", "the disk is slow to sync" if slow else "")]


def network(folder: Path, doing: Doing) -> list[Line]:
    """Import TensorFlow, train a tiny network on stripes, convert it to int8."""
    doing("importing tensorflow")
    began = time.monotonic()
    import tensorflow as tf

    doing("importing tf_keras")
    import tf_keras  # noqa: F401

    from edgeml.deploy.convert import to_tflite
    from edgeml.deploy.fold import fold
    from edgeml.train.build import build, get_weights
    from edgeml.train.fidelity import Fidelity
    from edgeml.train.fit import Recipe, accuracy_float, choose_threads, fit

    lines = [Line("TensorFlow", f"{tf.__version__} imported in {time.monotonic() - began:.1f} s")]
    doing("asking TensorFlow for GPUs")
    gpus = len(tf.config.list_physical_devices("GPU"))
    lines.append(Line("GPU", f"TensorFlow sees {gpus or 'none'}; edgeml trains on the CPU"))
    tf.config.set_visible_devices([], "GPU")
    doing("building and training a network")
    began = time.monotonic()
    graph, data = tiny(), stripes()
    choose_threads(SIDE * SIDE)
    model = build(graph, 0)
    result = fit(model, data, Fidelity(epochs=EPOCHS, batch_size=16), Recipe(), 0)
    if result.failure:
        return [*lines, Line("training", result.failure, "problem", _reinstall("tensorflow"))]
    score, seconds = accuracy_float(model, data), time.monotonic() - began
    said = f"{graph.output_shape[2]} classes in {seconds:.1f} s, accuracy {100 * score:.0f} %"
    if score < LEARNT:
        said += f", expected {100 * LEARNT:.0f} % and more"
        return [*lines, Line("training", said, "problem", _reinstall("tensorflow"))]
    doing("converting the network to int8")
    began = time.monotonic()
    artifact = to_tflite(graph, fold(graph, get_weights(model, graph)), data.inputs[:32])
    (folder / MODEL).write_bytes(artifact)
    images = data.inputs[:64]
    np.save(folder / IMAGES, images)
    logits = model.outputs(images).numpy()
    np.save(folder / OUTPUTS, logits)
    converted = f"{len(artifact):,} bytes in {time.monotonic() - began:.1f} s"
    return [*lines, Line("training", said), Line("conversion to int8", converted)]


def litert(folder: Path, doing: Doing) -> list[Line]:
    """Run the int8 model with XNNPACK and with the reference kernels; time it."""
    doing("importing ai_edge_litert")
    from edgeml.deploy.runtime import interpreter, predict
    from edgeml.target.meters.litert_host import latencies

    model, images = (folder / MODEL).read_bytes(), np.load(folder / IMAGES, allow_pickle=False)
    doing("running the int8 model in LiteRT")
    found = predict(model, images)
    doing("running the int8 model in LiteRT's reference kernels")
    loaded = interpreter(model, reference=True)
    given, taken = loaded.get_input_details()[0], loaded.get_output_details()[0]
    plain = []
    for image in images:
        loaded.set_tensor(given["index"], image[None])
        loaded.invoke()
        plain.append(loaded.get_tensor(taken["index"])[0])
    step, zero = taken["quantization"]
    apart = np.abs(found - (np.array(plain).astype(np.float32) - zero) * step).max() / step
    same = _agreement(found, np.load(folder / OUTPUTS, allow_pickle=False))
    said = (
        f"{version('ai-edge-litert')}: int8 agrees with float on {100 * same:.0f} % of {len(images)} images, "
        f"XNNPACK with the reference kernels within {apart:.0f} of 255 steps"
    )
    if same < AGREEMENT or apart > 16:
        return [Line("LiteRT", said, "problem", _reinstall("ai-edge-litert"))]
    doing("timing the int8 model in LiteRT")
    timed = latencies({"tiny": model})["tiny"]
    return [Line("LiteRT", said), spread(timed.value, timed.low, timed.high, timed.conditions.get("notes"))]


def spread(value: float, low: float, high: float, busy: object) -> Line:
    """Milliseconds with their interval -> how noisy this computer is."""
    share = (high - low) / value
    said = f"a tiny network takes {value:.4f} ms [{low:.4f}, {high:.4f}], spread {100 * share:.0f} %"
    if share <= NOISY and not busy:
        return Line("latency", f"{said}: calm")
    advice = "the computer is busy or shared, so latencies measured here have wide intervals: end what runs"
    return Line("latency", said, "note", advice)


def onnxruntime(folder: Path, doing: Doing) -> list[Line]:
    """Run the same network in onnxruntime."""
    doing("importing onnx and onnxruntime")
    from edgeml.deploy.onnx_quantized import to_quantized_onnx
    from edgeml.deploy.tflite import read_model
    from edgeml.target.meters.ort_host import session

    content, images = (folder / MODEL).read_bytes(), np.load(folder / IMAGES, allow_pickle=False)
    doing("running the network in onnxruntime")
    loaded = session(to_quantized_onnx(read_model(content)))
    name = loaded.get_inputs()[0].name
    found = np.array([loaded.run(None, {name: image[None]})[0][0] for image in images])
    same = _agreement(found, np.load(folder / OUTPUTS, allow_pickle=False))
    said = f"{version('onnxruntime')}: agrees with float on {100 * same:.0f} % of {len(images)} images"
    if same < AGREEMENT:
        return [Line("onnxruntime", said, "problem", _reinstall("onnxruntime"))]
    return [Line("onnxruntime", said)]


def tflite_micro(folder: Path, doing: Doing) -> list[Line]:
    """Find the arena of the network in tflite-micro."""
    from edgeml.target.mcu import process

    if reason := process.missing():
        return [Line("tflite-micro", "not installed, not tried", "ok", reason.rstrip("."))]
    doing("running the network in tflite-micro")
    found = process.ask((folder / MODEL).read_bytes(), 20.0, 4 << 30)
    return [Line("tflite-micro", f"arena of {int(found['arena_bytes']):,} bytes")]


def worker(folder: Path, doing: Doing) -> list[Line]:
    """Start a worker process, kill it, and see that this is noticed and another one starts."""
    from edgeml.search.workers.executor import WorkerDiedError, Workers

    began = time.monotonic()
    workers = Workers(folder / "worker.log")
    try:
        doing("starting a worker process")
        first = workers.submit(os.getpid).result(60)
        started = time.monotonic() - began
        doing("killing a worker process")
        try:
            workers.submit(kill_itself).result(60)
        except WorkerDiedError:
            pass
        else:
            return [Line("worker", "a killed worker was not noticed", "problem", "please report this")]
        if workers.submit(os.getpid).result(60) == first:
            return [Line("worker", "a killed worker came back", "problem", "please report this")]
    finally:
        workers.kill()
    return [Line("worker", f"starts in {started:.1f} s; a killed one is noticed and replaced")]


def kill_itself() -> None:
    """What a worker is told, to see that its death is noticed."""
    os.kill(os.getpid(), signal.SIGKILL)


def tiny() -> Graph:
    """The network of the self-test: always the same, so that computers can be compared by its latency."""
    from edgeml.arch.graph import GraphBuilder
    from edgeml.arch.layers import Conv2D, Dense, DepthwiseConv2D, GlobalAveragePool, Input, Softmax

    build = GraphBuilder()
    at = build.add("input", Input((SIDE, SIDE, 1)))
    at = build.add("stem", Conv2D(8, 3, 1, "relu6"), at)
    at = build.add("depthwise", DepthwiseConv2D(3, 2, "relu6"), at)
    at = build.add("pointwise", Conv2D(16, 1, 1, "relu6"), at)
    at = build.add("pool", GlobalAveragePool(), at)
    at = build.add("dense", Dense(CLASSES), at)
    return build.finish(build.add("softmax", Softmax(), at))


def stripes() -> Split:
    """A tiny data set: horizontal, vertical and diagonal stripes with noise."""
    from edgeml.data.source import Split

    rng = np.random.default_rng(0)
    labels = np.arange(SAMPLES, dtype=np.int64) % CLASSES
    row, column = np.mgrid[:SIDE, :SIDE]
    along = (row, column, row + column)
    images = np.empty((SAMPLES, SIDE, SIDE, 1), np.uint8)
    for image, label in zip(images, labels, strict=True):
        wave = np.sin(along[label] * 1.5 + rng.uniform(0, 6))
        image[..., 0] = np.clip(128 + 90 * wave + rng.normal(0, 20, wave.shape), 0, 255)
    return Split(images, labels)


def _agreement(found: NDArray[np.floating], expected: NDArray[np.floating]) -> float:
    return float((found.argmax(-1) == expected.argmax(-1)).mean())


def _reinstall(package: str) -> str:
    return f"pip install --force-reinstall {package}; please report it if that does not help"


STEPS: dict[str, tuple[Callable[[Path, Doing], list[Line]], float]] = {
    "files": (files, 20.0),
    "network": (network, 180.0),
    "litert": (litert, 60.0),
    "onnxruntime": (onnxruntime, 60.0),
    "tflite_micro": (tflite_micro, 60.0),
    "worker": (worker, 90.0),
}
"""Name -> the step, and seconds after which it is ended."""
NEEDS = {"litert": "network", "onnxruntime": "network", "tflite_micro": "network"}
"""Steps that use another one's files."""
