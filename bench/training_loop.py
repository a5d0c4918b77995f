"""edgeml's training loop against a bare one, and what a fresh architecture costs before its first step.

Images a second of `edgeml.train.fit` against a bare loop on the same network: the network as a Keras model,
its step in a tf.function as TensorFlow's guide writes it, called from Python, augmentation by TensorFlow's
operators for it, the same batches, loss, clipping and decay; once with tf_keras's Adam, once with
TensorFlow's fused Adam operator for each variable ("raw"). All
run in one process on one thread, in turns, in CPU seconds; the first steps (tracing) are left out. Beside
them, edgeml's own loop with TensorFlow's graph optimiser on ("grappler"), and inference of the same network,
of which watching a learning curve consists.

Start: CPU and wall seconds from an Arch nobody has built before to the end of its first step.

python bench/training_loop.py [--rounds N] [--steps N] [--out FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402

from bench.random_networks import random_graph  # noqa: E402
from edgeml.arch.graph import Graph  # noqa: E402
from edgeml.arch.recipe import Recipe, default_recipe  # noqa: E402
from edgeml.data.dataset import Split  # noqa: E402

BATCH = 128
SPEED = (
    ("nano", 0, (8, 8, 1)),
    ("micro_cell", 0, (8, 8, 1)),
    ("nano", 1, (28, 28, 1)),
    ("micro_cell", 3, (28, 28, 1)),
    ("mbconv_macro", 7, (32, 32, 3)),
)
"""Space, seed, image."""

START = (
    ("nano", 0, (8, 8, 1)),
    ("micro_cell", 3, (28, 28, 1)),
    ("mbconv_macro", 7, (32, 32, 3)),
    ("mbconv_macro", 3, (32, 32, 3)),
    ("nasbench201", 1, (32, 32, 3)),
    ("micro_cell", 51, (32, 32, 3)),
    ("micro_cell", 128, (28, 28, 1)),
    ("micro_cell", 230, (32, 32, 3)),
)
"""The last three have 88, 88 and 138 layers."""


def samples(shape: tuple[int, int, int], count: int = 2048) -> Split:
    rng = np.random.default_rng(0)
    return Split(rng.integers(0, 256, (count, *shape), dtype=np.uint8), rng.integers(0, 10, count))


def moved(tf: Any, images: Any, recipe: Recipe) -> Any:
    """Mirrored and moved by TensorFlow's operators for it, float32."""
    count, (height, width) = tf.shape(images)[0], images.shape[1:3]
    if recipe.flip:
        mirrored = tf.random.uniform((count, 1, 1, 1)) < 0.5
        images = tf.where(mirrored, tf.reverse(images, [2]), images)
    reach_y, reach_x = round(height * recipe.shift), round(width * recipe.shift)
    dy = tf.round(tf.random.uniform((count,), -reach_y - 0.5, reach_y + 0.5))
    dx = tf.round(tf.random.uniform((count,), -reach_x - 0.5, reach_x + 0.5))
    one, nil = tf.ones_like(dx), tf.zeros_like(dx)
    images = tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=tf.stack([one, nil, dx, nil, one, dy, nil, nil], 1),
        output_shape=tf.constant([height, width]),
        fill_value=0.0,
        interpolation="NEAREST",
        fill_mode="NEAREST",
    )
    return tf.cast(images, tf.float32)


def bare_loop(graph: Graph, data: Split, recipe: Recipe, keras_adam: bool) -> Callable[[Any, Any], Any]:
    """(indices (batch,), learning rate) -> loss: one step of a loop as one writes it by hand."""
    import tensorflow as tf
    import tf_keras as keras

    from edgeml.train.keras_model import keras_model

    model, adam = keras_model(graph), keras.optimizers.Adam()
    adam.build(model.trainable_variables)
    slots = [[tf.Variable(tf.zeros_like(v)) for v in model.trainable_variables] for _ in range(2)]
    count = tf.Variable(0.0)
    kernels = [v for v in model.trainable_variables if "kernel" in v.name]
    images, labels = tf.constant(data.inputs), tf.constant(data.labels)

    def raw(gradients: Any, rate: Any) -> None:
        now = count.assign_add(1.0)
        for variable, gradient, m, v in zip(model.trainable_variables, gradients, *slots, strict=True):
            powers = {"beta1_power": 0.9**now, "beta2_power": 0.999**now}
            moments = {"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-7, **powers}
            tf.raw_ops.ResourceApplyAdam(
                var=variable.handle, m=m.handle, v=v.handle, lr=rate, grad=gradient, **moments
            )

    @tf.function(
        input_signature=[tf.TensorSpec((BATCH,), tf.int64), tf.TensorSpec((), tf.float32)], autograph=False
    )
    def step(indices: Any, rate: Any) -> Any:
        batch = moved(tf, tf.gather(images, indices), recipe)
        with tf.GradientTape() as tape:
            logits = model(batch, training=True)
            loss = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.gather(labels, indices), logits)
            loss = tf.reduce_mean(loss)
        gradients = tape.gradient(loss, model.trainable_variables)
        gradients, _ = tf.clip_by_global_norm(gradients, 5.0)
        if keras_adam:
            adam.learning_rate.assign(rate)
            adam.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        else:
            raw(gradients, rate)
        for kernel in kernels:
            kernel.assign_sub(rate * recipe.weight_decay * kernel)
        return loss

    step.kept = slots, count, adam, model  # a traced function does not keep its variables alive
    return step


def speed(space: str, seed: int, shape: tuple[int, int, int], rounds: int, steps: int) -> dict[str, Any]:
    """Images per CPU second of the three loops, medians, and the ratios to fit's by round."""
    from edgeml.train.build import build
    from edgeml.train.fidelity import Fidelity
    from edgeml.train.fit import _Run, accuracy_float
    from edgeml.train.grappler import unoptimised
    from edgeml.train.loop import trace

    graph, recipe = random_graph(space, seed, shape), default_recipe(shape)
    data = samples(graph.input_shape)  # a space may choose a lower resolution
    runs = []
    for _ in range(2):
        network = build(graph)
        loop = trace(network, data, recipe, None, BATCH, 0)
        runs.append(_Run(network, loop, Fidelity(1e6), recipe, data, BATCH, 0))
    order = np.random.default_rng(0)

    def ours() -> None:
        with unoptimised():
            runs[0]._advance(steps)

    def watching() -> None:
        accuracy_float(runs[0].model, Split(data.inputs[:512], data.labels[:512]))

    def theirs(step: Callable[[Any, Any], Any]) -> Callable[[], None]:
        def loop() -> None:
            total = 0.0
            for indices in order.integers(0, len(data), (steps, BATCH)):
                total += float(step(indices, np.float32(1e-3)))
            assert np.isfinite(total)

        return loop

    loops = {
        "fit": ours,
        "keras_adam": theirs(bare_loop(graph, data, recipe, True)),
        "raw_adam": theirs(bare_loop(graph, data, recipe, False)),
        "grappler": lambda: runs[1]._advance(steps),
        "inference": watching,
    }
    seconds: dict[str, list[float]] = {name: [] for name in loops}
    for turn in range(rounds + 1):
        for name, loop in loops.items():
            began = time.process_time()
            loop()
            if turn:  # the first turn traces and warms up
                seconds[name].append(time.process_time() - began)
    seen = {name: 512 if name == "inference" else BATCH * steps for name in loops}
    rate = {name: seen[name] / float(np.median(values)) for name, values in seconds.items()}
    ratios = {
        name: np.array(seconds[name]) / np.array(seconds["fit"])
        for name in ("keras_adam", "raw_adam", "grappler")
    }
    return {
        "network": f"{space}-{seed}",
        "image": list(graph.input_shape),
        "layers": len(graph.nodes),
        "inference_over_step": round(rate["fit"] / rate["inference"], 3),
        "images_per_cpu_s": {name: round(value, 1) for name, value in rate.items()},
        "fit_over": {
            name: {
                q: round(float(np.quantile(r, f)), 3) for q, f in (("median", 0.5), ("low", 0), ("high", 1))
            }
            for name, r in ratios.items()
        },
    }


def start(space: str, seed: int, shape: tuple[int, int, int]) -> dict[str, Any]:
    """Seconds from an architecture to the end of its first step."""
    from edgeml.train.build import build
    from edgeml.train.grappler import unoptimised
    from edgeml.train.loop import trace

    graph = random_graph(space, seed, shape)
    data = samples(graph.input_shape, 512)
    marks = [(time.process_time(), time.monotonic())]

    def mark() -> None:
        marks.append((time.process_time(), time.monotonic()))

    with unoptimised():
        network = build(graph)
        mark()
        loop = trace(network, data, default_recipe(shape), None, BATCH, 0)
        mark()
        for _ in range(2):
            loop.steps(np.arange(BATCH)[None], np.full(1, 1e-3, np.float32))
            mark()
    cpu, wall = (np.diff([m[i] for m in marks]) for i in (0, 1))
    return {
        "network": f"{space}-{seed}",
        "layers": len(graph.nodes),
        "build_trace_first_second_cpu_s": cpu.round(3).tolist(),
        "cpu_s": round(float(cpu[:3].sum()), 2),
        "wall_s": round(float(wall[:3].sum()), 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--only", choices=("speed", "start"))
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    start("nano", 5, (8, 8, 1))  # what only the first network of a process pays
    result: dict[str, Any] = {"tensorflow": tf.__version__, "batch": BATCH, "threads": 1}
    if given.only != "speed":
        result["start"] = []
        for one in START:
            row = start(*one)
            took = f"{row['cpu_s']:6.2f} CPU s {row['wall_s']:6.2f} s"
            print(f"{row['network']:18}{row['layers']:5} layers {took} to the first step", flush=True)
            result["start"].append(row)
        found = [row["cpu_s"] for row in result["start"]]
        result["start_cpu_s"] = {"median": round(float(np.median(found)), 2), "worst": max(found)}
    if given.only != "start":
        result["speed"] = []
        for one in SPEED:
            row = speed(*one, given.rounds, given.steps)
            rates, over = row["images_per_cpu_s"], row["fit_over"]
            print(f"{row['network']:18}{row['image']!s:14}{row['layers']:4} layers", end="")
            print(f" {rates['fit']:8.0f} images/CPU s", end="")
            for name, r in over.items():
                print(f" {r['median']:6.2f} ({r['low']:.2f} to {r['high']:.2f}) x {name}", end="")
            print(f"; an image's inference {row['inference_over_step']:.2f} of its step", flush=True)
            result["speed"].append(row)
    text = json.dumps(result, indent=1)
    print(text)
    if given.out:
        given.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
