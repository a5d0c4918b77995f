"""Goals and metrics: against scikit-learn, and as what networks are trained for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from edgeml.arch.cell import Arch, Cell, Edge, Stage
from edgeml.data.dataset import Dataset, Split
from edgeml.data.goal import ACCURACY, Goal, goal_of, reconstruction_errors
from edgeml.data.metrics import DEFAULT, METRICS, known_for
from edgeml.data.source import TASKS
from edgeml.errors import ConfigError, UnknownNameError


def drawn(seed, n=200, classes=4):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes, n)
    outputs = rng.random((n, classes)).round(1) + 0.5 * np.eye(classes)[truth]
    return outputs / outputs.sum(1, keepdims=True), truth


@pytest.mark.parametrize("seed", range(4))
def test_classes_as_scikit_learn_scores_them(seed):
    given, truth = drawn(seed)
    called = given.argmax(1)
    assert METRICS["accuracy"].measure(given, truth) == sk.accuracy_score(truth, called)
    expected = sk.balanced_accuracy_score(truth, called)
    assert METRICS["balanced_accuracy"].measure(given, truth) == pytest.approx(expected)
    assert METRICS["macro_f1"].measure(given, truth) == pytest.approx(
        sk.f1_score(truth, called, average="macro")
    )
    expected = np.mean([sk.roc_auc_score(truth == i, given[:, i]) for i in range(4)])
    assert METRICS["auc"].measure(given, truth) == pytest.approx(expected)
    assert METRICS["auc"].measure(given[:, 0], (truth == 0).astype(int)) == pytest.approx(
        sk.roc_auc_score(truth == 0, given[:, 0])
    )


@given(st.lists(st.tuples(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3)), min_size=1, max_size=50))
@settings(max_examples=50)
def test_values_as_scikit_learn_scores_them(pairs):
    given, truth = np.array(pairs).T
    assert METRICS["mae"].measure(given, truth) == pytest.approx(sk.mean_absolute_error(truth, given))
    expected = sk.root_mean_squared_error(truth, given)
    assert METRICS["rmse"].measure(given, truth) == pytest.approx(expected)


@pytest.mark.parametrize("levels", [None, 8])
@pytest.mark.parametrize("name", METRICS)
def test_a_resample_is_scored_from_how_often_samples_were_drawn(name, levels):
    """Also where scores are tied, as those of int8 networks are."""
    given, truth = drawn(5)
    if levels:
        given = np.floor(given * levels) / levels
    metric = METRICS[name]
    pairs = [(given[:, 0], truth)] if "regression" in metric.tasks else [(given, truth)]
    if "anomaly" in metric.tasks:
        pairs.append((given[:, 0], (truth == 0).astype(int)))
    for outputs, labels in pairs:
        of_counts = metric.of_counts(outputs, labels)
        for seed in range(5):
            rows = np.random.default_rng(seed).integers(0, len(labels), len(labels))
            expected = metric.measure(outputs[rows], labels[rows])
            assert of_counts(np.bincount(rows, minlength=len(labels)) * 1.0) == pytest.approx(expected)


def test_every_task_has_metrics():
    assert set(DEFAULT) == set(TASKS) == {task for metric in METRICS.values() for task in metric.tasks}
    assert all(DEFAULT[task] in known_for(task) for task in TASKS)


def test_a_metric_of_another_task_is_refused():
    labels = np.zeros(3, np.float32)
    with pytest.raises(ConfigError, match=r"--metric auc: the data are for regression, expected one of mae"):
        goal_of("regression", "auc", labels)
    with pytest.raises(UnknownNameError):
        goal_of("regression", "r2", labels)


@pytest.mark.parametrize("metric", ["mae", "rmse"])
def test_an_error_is_scored_against_the_best_constant(metric):
    labels = np.array([1, 2, 3, 10], np.float32)
    goal = goal_of("regression", metric, labels)
    inputs = np.zeros((4, 1, 1, 1), np.uint8)
    split = Split(inputs, labels, goal)
    best = np.median(labels) if metric == "mae" else labels.mean()
    standard = (np.array([[best]] * 4) - goal.mean) / goal.std
    assert goal.score(standard, split) == pytest.approx(0.0, abs=1e-6)
    assert goal.score((labels[:, None] - goal.mean) / goal.std, split) == pytest.approx(1.0, abs=1e-6)
    assert goal.score(standard + 100, split) == 0.0
    assert goal.value_of(goal.score_of(0.25 * goal.baseline)) == pytest.approx(0.25 * goal.baseline)


def test_constant_targets_do_not_divide_by_zero():
    goal = goal_of("regression", "rmse", np.full(5, 7, np.float32))
    assert goal.std == 1.0 and goal.score_of(0.0) == 0.0


@pytest.mark.parametrize("task", TASKS)
def test_intervals_hold_the_value_and_the_truth(task):
    """The 95 % interval of 40 samples holds the figure of the whole population in about 19 of 20 draws."""
    rng = np.random.default_rng(0)
    n, size = 20_000, 40
    if task == "classification":
        outputs, labels = drawn(3, n)
        inputs = np.zeros((n, 1, 1, 1), np.uint8)
    elif task == "regression":
        labels = rng.normal(0, 1, n).astype(np.float32)
        outputs, inputs = (labels + rng.normal(0, 0.5, n))[:, None], np.zeros((n, 1, 1, 1), np.uint8)
    else:
        labels = rng.integers(0, 2, n)
        inputs = rng.integers(0, 256, (n, 4, 1, 1)).astype(np.uint8)
        outputs = inputs.reshape(n, 4) / 255 + rng.normal(0, 1 + 0.5 * labels[:, None], (n, 4))
    goal = goal_of(task, None, labels)
    whole = goal.score(outputs, Split(inputs, labels, goal))
    held = []
    for _ in range(40):
        chosen = rng.choice(n, size, replace=False)
        split = Split(inputs[chosen], labels[chosen], goal)
        found = goal.intervals(outputs[chosen], split)
        assert 0 <= found["low"] <= found["value"] <= found["high"] and found["n"] == size
        assert found["value"] == pytest.approx(goal.score(outputs[chosen], split))
        assert set(found["metrics"]) == set(known_for(task))
        held.append(found["low"] <= whole <= found["high"])
    assert np.mean(held) >= 0.85


def test_reconstruction_errors():
    inputs = np.array([[[[0], [255]]], [[[51], [51]]]], np.uint8)
    errors = reconstruction_errors(np.array([[0.0, 1.0], [0.0, 0.0]]), inputs)
    assert errors.tolist() == pytest.approx([0.0, 0.04])


def dense(outputs, features, **fields):
    stage = Stage(Cell(((Edge(0, "conv_1x1"),),)), 1, 16)
    return Arch((1, 1, features), outputs, 16, (stage,), **fields)


@pytest.fixture(scope="module")
def fitted():
    """Train on made data: a value that depends on two features; what is normal lies on a line."""
    from edgeml.arch.recipe import Recipe
    from edgeml.deploy import runtime
    from edgeml.deploy.convert import to_tflite
    from edgeml.deploy.fold import fold
    from edgeml.train.build import build, get_weights
    from edgeml.train.fidelity import Fidelity
    from edgeml.train.fit import accuracy_float, fit

    def train(task, metric=None):
        rng = np.random.default_rng(0)
        inputs = rng.integers(0, 256, (600, 1, 1, 6)).astype(np.uint8)
        if task == "regression":
            labels = (20 + 3 * (inputs[:, 0, 0, 0] / 255.0) ** 2 - inputs[:, 0, 0, 1] / 255.0).astype(
                np.float32
            )
            arch = dense(1, 6, task=task)
        else:
            labels = (np.arange(600) % 2).astype(np.int64)
            inputs[labels == 0, ..., 1:] = inputs[labels == 0, ..., :1]
            arch = dense(6, 6, task=task, bottleneck=2, decoder=16)
        goal = goal_of(task, metric, labels)
        train, val = (Split(inputs[part], labels[part], goal) for part in (slice(400), slice(400, 600)))
        if task == "anomaly":
            train = train.take(np.flatnonzero(train.labels == 0))
        model = build(arch.graph, 0)
        recipe = Recipe(shift=0.0, augmentation=0.0)
        result = fit(model, train, Fidelity(40, 32), recipe, 0)
        assert result.failure is None
        weights = get_weights(model, arch.graph)
        artifact = to_tflite(arch.graph, fold(arch.graph, weights), train.inputs[:100])
        return accuracy_float(model, val), runtime.accuracy(artifact, val), result

    return train


@pytest.mark.parametrize(
    ("task", "metric"), [("regression", "rmse"), ("regression", "mae"), ("anomaly", None)]
)
def test_networks_learn_other_goals_and_their_int8_artifact_keeps_them(fitted, task, metric):
    exact, int8, result = fitted(task, metric)
    assert exact > 0.85 and int8 > exact - 0.05
    assert result.history[-1]["loss"] < result.history[0]["loss"]


def test_a_data_set_keeps_its_goal(tmp_path):
    inputs, labels = np.zeros((4, 1, 1, 2), np.uint8), np.arange(4, dtype=np.float32)
    split = Split(inputs, labels)
    data = Dataset("d", (), split, split, split, {}, task="regression", preprocessing={"kind": "table"})
    assert data.goal == ACCURACY
    aimed = data.aimed("mae")
    assert (
        aimed.goal == Goal("regression", "mae", 1.5, pytest.approx(labels.std()), 1.0) and aimed.outputs == 1
    )
    aimed.save(tmp_path / "data")
    found = Dataset.open(tmp_path / "data")
    assert (
        found.goal == aimed.goal and found.task == "regression" and found.preprocessing == {"kind": "table"}
    )
    assert found.val.take(np.array([0])).goal == aimed.goal
