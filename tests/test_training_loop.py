"""The training loop against Keras's parts, its failures, its watch, its teacher and its costs."""

from __future__ import annotations

import numpy as np
import pytest

from edgeml.arch.cell import Arch, Cell, Edge, Stage
from edgeml.arch.recipe import INITIALISERS, Recipe
from edgeml.data.dataset import Split
from edgeml.errors import ConfigError, UnknownNameError
from edgeml.train import fit as training
from edgeml.train import loop as tracing
from edgeml.train.build import build, get_weights, set_weights
from edgeml.train.fidelity import Fidelity
from edgeml.train.fit import accuracy_float, fit
from edgeml.train.loop import trace
from edgeml.train.optimiser import SGD_RATE, optimiser
from edgeml.train.watch import Distil, Watch, watched

SMALL = Arch((6, 6, 1), 3, 4, (Stage(Cell(((Edge(0, "sep_conv_3x3"),),)), 1, 8, 2),))
STILL = Recipe(shift=0.0)


def squares(count=240, seed=0):
    """Images of three classes that a few steps tell apart: bright rows at three heights."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    images = rng.integers(0, 90, (count, 6, 6, 1))
    for image, label in zip(images, labels, strict=True):
        image[2 * label : 2 * label + 2] += 160
    return Split(images.astype(np.uint8), labels)


def random_weights(graph, seed=0):
    rng, weights = np.random.default_rng(seed), get_weights(build(graph, seed), graph)
    for name, value in weights.items():
        if name.endswith((":gamma", ":variance")):
            weights[name] = rng.uniform(0.5, 1.5, value.shape).astype(np.float32)
        elif not name.endswith(":kernel"):
            weights[name] = rng.normal(0, 0.2, value.shape).astype(np.float32)
    return weights


MIXED = Cell(
    (
        (Edge(0, "conv_3x3"), Edge(0, "skip")),
        (Edge(0, "max_pool_3x3"), Edge(1, "sep_conv_3x3")),
        (Edge(0, "avg_pool_3x3"), Edge(1, "mbconv_3x3_e2")),
    ),
    "concat",
)


def test_three_steps_are_three_steps_of_keras():
    """The same network, loss, clipping, Adam, weight decay and moving averages, in Keras's own parts."""
    import tensorflow as tf
    import tf_keras as keras

    from edgeml.train.keras_model import keras_model, keras_weights

    graph = Arch((8, 8, 3), 5, 4, (Stage(MIXED, 1, 8, 2),), head_channels=8).graph
    weights, rng = random_weights(graph), np.random.default_rng(1)
    data = Split(rng.integers(0, 256, (32, 8, 8, 3), dtype=np.uint8), rng.integers(0, 5, 32))
    recipe = Recipe(shift=0.0, weight_decay=1e-2, label_smoothing=0.1)
    network, theirs = build(graph), keras_model(graph, weights)
    set_weights(network, graph, weights)
    images = data.inputs.astype(np.float32)
    np.testing.assert_allclose(network(images), theirs(images), rtol=1e-4, atol=1e-4)

    loop = trace(network, data, recipe, None, 16, 0)
    adam = keras.optimizers.Adam(1.0)
    entropy = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1)
    for number, rate in enumerate((1e-3, 2e-3, 1e-3)):
        chosen = rng.permutation(32)[:16]
        (loss,), *_ = loop.steps(chosen[None], np.float32([rate]))
        with tf.GradientTape() as tape:
            expected = entropy(tf.one_hot(data.labels[chosen], 5), theirs(images[chosen], training=True))
        assert float(loss) == pytest.approx(float(expected), rel=1e-3), number
        variables = theirs.trainable_variables
        gradients, _ = tf.clip_by_global_norm(tape.gradient(expected, variables), 5.0)
        adam.learning_rate.assign(rate)
        adam.apply_gradients(zip(gradients, variables, strict=True))
        for variable in variables:
            if "kernel" in variable.name:
                variable.assign_sub(rate * 1e-2 * variable)
    ours, found = get_weights(network, graph), keras_weights(theirs, graph)
    for name in ours:  # Adam moves by up to the rate where a gradient is all rounding
        np.testing.assert_allclose(ours[name], found[name], atol=2e-3, err_msg=name)
        assert np.abs(ours[name] - found[name]).mean() < 2e-4, name


@pytest.mark.parametrize("name", ["sgd", "rmsprop"])
def test_optimisers_are_keras_optimisers(name):
    import tensorflow as tf
    import tf_keras as keras

    peers = {
        "sgd": keras.optimizers.SGD(SGD_RATE * 1e-3, momentum=0.9, nesterov=True),
        "rmsprop": keras.optimizers.RMSprop(1e-3, rho=0.9, epsilon=1e-7),
    }
    rng = np.random.default_rng(0)
    ours = tf.Variable(rng.normal(size=7).astype(np.float32))
    theirs, (apply, _) = tf.Variable(ours.numpy()), optimiser(name, tf, ours)
    for _ in range(20):
        gradient = tf.constant(rng.normal(size=7).astype(np.float32))
        peers[name].apply_gradients([(gradient, theirs)])
        apply(gradient, tf.constant(1e-3))
    np.testing.assert_allclose(ours.numpy(), theirs.numpy(), atol=1e-5)


def test_initialisers_scale_by_what_an_output_sees():
    """Standard deviations by fan-in and fan-out; a depthwise output sees k * k inputs."""
    arch = Arch((8, 8, 3), 10, 64, (Stage(Cell(((Edge(0, "sep_conv_5x5"),),)), 1, 128),))
    for name, (scale, mode, _) in INITIALISERS.items():
        weights = get_weights(build(arch.graph, 0, name), arch.graph)
        kernels = {
            k: v for k, v in weights.items() if k.endswith(":kernel") and v.size > 1000 and v.ndim == 4
        }
        assert len(kernels) == 3  # stem, depthwise, pointwise
        for key, value in kernels.items():
            window = value.shape[0] * value.shape[1]
            depthwise = value.shape[3] == 1
            fans = (window, window) if depthwise else (window * value.shape[2], window * value.shape[3])
            fan = fans[0] if mode == "fan_in" else sum(fans) / 2
            assert value.std() == pytest.approx((scale / fan) ** 0.5, rel=0.1), (name, key)
    one, two = (get_weights(build(arch.graph, 7), arch.graph) for _ in range(2))
    assert all(np.array_equal(one[key], two[key]) for key in one)
    with pytest.raises(UnknownNameError, match="he_normal"):
        build(arch.graph, 0, "zeros")


def test_a_training_learns_and_says_what_it_did():
    data, model = squares(), build(SMALL.graph, 1)
    result = fit(model, data, Fidelity(8), Recipe(batch_size=24, shift=0.0), 0)
    assert result.failure is result.stopped is None and result.curve == []
    assert (result.epochs, result.samples, len(result.history)) == (8, 8 * 240, 8)
    assert result.history[-1]["loss"] < 0.5 * result.history[0]["loss"]
    assert accuracy_float(model, squares(seed=1)) > 0.95
    assert 0 < result.trace_s < result.seconds
    recipe = Recipe(batch_size=24, shift=0.2, flip=True)
    again, other = (fit(build(SMALL.graph, 1), data, Fidelity(1), recipe, seed).history[0] for seed in (0, 1))
    once_more = fit(build(SMALL.graph, 1), data, Fidelity(1), recipe, 0).history[0]
    assert again == pytest.approx(once_more, rel=1e-3) and again != pytest.approx(other, rel=1e-3)


def test_only_a_share_of_the_data_is_used(monkeypatch):
    seen = {}

    def traced(network, data, recipe, teacher, batch, seed):
        seen.update(data=data, teacher=teacher, batch=batch)
        return trace(network, data, recipe, teacher, batch, seed)

    monkeypatch.setattr(training, "trace", traced)
    data, model = squares(), build(SMALL.graph)
    logits = np.eye(3, dtype=np.float32)[data.labels] * 5 + np.arange(240, dtype=np.float32)[:, None] * 0.01
    fit(model, data, Fidelity(1, data_fraction=0.2), STILL, 0, teacher=Distil(logits))
    assert len(seen["data"]) == 48 and seen["batch"] == 6
    assert (np.bincount(seen["data"].labels) == 16).all()
    rows = np.round(seen["teacher"].teacher.min(1) * 100).astype(int)  # the logits know where they come from
    assert np.array_equal(data.inputs[rows], seen["data"].inputs)


def test_the_watch_sees_a_curve_and_may_stop():
    data, val = squares(), squares(90, 1)
    curves = []

    def judge(curve, epochs):
        curves.append(curve)
        assert epochs == 5
        return "good enough" if len(curve) == 4 else None

    model = build(SMALL.graph, 1)
    result = fit(model, data, Fidelity(5, 24), STILL, 0, watch=Watch(val, judge))
    assert result.stopped == "good enough" and [len(curve) for curve in curves] == [1, 2, 3, 4]
    assert (
        [point.epoch for point in result.curve] == [0.5, 1.0, 1.5, 2.0]
        and result.epochs == 2
        and result.share == 0.4
    )
    assert all(0 <= point.accuracy <= 1 for point in result.curve)
    # What stands there is no moving average of the last steps but the mean of some batches.
    weights = get_weights(model, SMALL.graph)
    batches = np.random.default_rng(0).integers(0, 240, (200, 24))
    stem = np.mean(
        [model.forward(model.parameters, data.inputs[b].astype(np.float32), True)[1] for b in batches], 0
    )
    np.testing.assert_allclose(weights["stem:mean"], stem[:4], atol=0.03 * np.abs(stem[:4]).max())
    for steps in (3, 100):
        result = fit(
            build(SMALL.graph), data, Fidelity(steps / 10, 24), STILL, 0, watch=Watch(val, lambda *seen: None)
        )
        assert len(result.curve) == min(10, steps) and result.curve[-1].epoch == result.epochs
        assert result.stopped is None and result.share == 1


def test_a_schedule_that_time_shortens_is_watched_and_counted_by_what_is_left_of_it(monkeypatch):
    monkeypatch.setattr(training, "_shorten", lambda total, done, *times: max(done, 20))
    seen = []
    watch = Watch(squares(90, 1), lambda curve, epochs: seen.append((curve[-1].epoch, epochs)))
    result = fit(build(SMALL.graph, 1), squares(), Fidelity(5, 24, max_s=60.0), STILL, 0, watch=watch)
    assert result.epochs == 2 and result.share == 0.4  # 20 of 50 steps
    assert all(epochs == 2 for _, epochs in seen[1:]) and seen[-1][0] < 2
    assert len(result.curve) >= 8


def test_watching_costs_its_share():
    watch = Watch(Split(np.zeros((5000, 1, 1, 1), np.uint8), np.zeros(5000, np.int64)), lambda *seen: None)
    assert len(watched(watch, 10**7).val) == 2000
    assert len(watched(watch, 60_000).val) == 512  # 10 * 512 inferences are 3 % of 60,000 training steps
    assert len(watched(watch, 100).val) == 256


def test_a_teacher_pulls_the_student():
    """Distillation's loss by hand, and a student that follows wrong labels less with a teacher."""
    import tensorflow as tf

    rng = np.random.default_rng(0)
    taught, logits = rng.normal(size=(2, 8, 5)).astype(np.float32) * 3

    def softmax(x):
        return np.exp(x) / np.exp(x).sum(-1, keepdims=True)

    p, q = softmax(taught / 4), softmax(logits / 4)
    expected = 16 * (p * np.log(p / q)).sum(-1).mean()
    assert float(tracing.divergence(tf, taught, logits, 4.0)) == pytest.approx(expected, rel=1e-4)
    data = squares()
    wrong = Split(data.inputs, (data.labels + (np.random.default_rng(0).random(240) < 0.6)) % 3)
    teacher = Distil(np.eye(3, dtype=np.float32)[data.labels] * 8, weight=0.9, temperature=2.0)
    scores = []
    for one in (None, teacher):
        model = build(SMALL.graph, 1)
        fit(model, wrong, Fidelity(8, 24), STILL, 0, teacher=one)
        scores.append(accuracy_float(model, squares(seed=1)))
    assert scores[1] > 0.8 and scores[1] > scores[0] + 0.3


@pytest.mark.parametrize("bad", [np.zeros((3, 3), np.float32), np.full((240, 3), np.nan, np.float32)])
def test_a_teacher_of_something_else_is_refused(bad):
    with pytest.raises(ConfigError, match="one row for every training sample"):
        fit(build(SMALL.graph), squares(), Fidelity(1), STILL, 0, teacher=Distil(bad))


@pytest.mark.parametrize(
    ("losses", "words"),
    [
        ([np.nan], "became nan at step 27 of 50"),
        ([np.inf], "became inf at step 27"),
        ([1e4] * 99, "exploded to 1e+04"),
    ],
)
def test_a_loss_that_is_lost_is_noticed_soon(monkeypatch, losses, words):
    """The step and its learning rate are named, and at most 20 steps are wasted."""
    taken = []

    def traced(network, *args):
        found = trace(network, *args)

        def steps(indices, rates):
            lost, hits, statistics = found.steps(indices, rates)
            first = len(taken)
            taken.extend(rates)
            for place in range(len(rates)):
                if 0 <= (fault := first + place + 1 - 27) < len(losses):
                    lost[place] = losses[fault]
            return lost, hits, statistics

        return tracing.Loop(steps, found.kept)

    monkeypatch.setattr(training, "trace", traced)
    result = fit(build(SMALL.graph), squares(), Fidelity(5, 24), STILL, 0)
    assert words in result.failure and len(taken) <= 27 + 40
    assert "exploded" in words or (
        len(taken) <= 47 and f"learning rate was {taken[26]:.3g}" in result.failure
    )
    assert "peak is 0.008" in result.failure and "epoch" in result.history[-1]


def test_weights_that_are_no_numbers_fail_at_the_first_step():
    model = build(SMALL.graph)
    set_weights(model, SMALL.graph, {"head/dense:bias": np.full(3, np.nan, np.float32)})
    assert "became nan at step 1 of" in fit(model, squares(), Fidelity(2), STILL, 0).failure


@pytest.mark.slow
def test_the_loop_is_as_fast_as_a_bare_one_and_starts_soon():
    from bench import training_loop

    training_loop.start("nano", 5, (8, 8, 1))  # TensorFlow's import, once a process
    assert training_loop.start("micro_cell", 51, (32, 32, 3))["cpu_s"] <= 3.0  # 88 layers
    row = training_loop.speed("nano", 0, (8, 8, 1), rounds=5, steps=5)
    assert row["fit_over"]["keras_adam"]["median"] >= 0.9 and row["fit_over"]["raw_adam"]["median"] >= 0.9
