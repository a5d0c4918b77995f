"""What train.py says in words and pieces of code: settings, augmentation, losses, optimisers, metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgeml.arch.recipe import Recipe
from edgeml.data.goal import Goal

DISPATCH = """\
    elif path.suffix.lower() == ".npz":
        parts = from_npz(path)
    elif path.is_dir() and list(path.glob("*-images*")):
        parts = from_idx(path)
    elif path.is_dir() and any((path / name).is_dir() for name in CLASSES):
        parts = from_folder(path)
"""


def notes(record: Mapping[str, Any], rule: str) -> list[str]:
    """What is other here than in the search, in sentences."""
    found = []
    if record.get("parent") or record.get("source") or len(record.get("rungs") or ()) > 1:
        found.append("In its search the network inherited weights or climbed rungs; here it starts afresh.")
    if rule not in ("converter", "trained"):
        found.append(f"The exported model's ranges were chosen by {rule}; here they are the converter's.")
    return found


def wrapped_list(names: list[str]) -> str:
    """Class names as a literal, in lines of at most 110 characters."""
    line = repr(names)
    if len(line) < 95:
        return line
    lines = [""]
    for name in map(repr, names):
        if lines[-1] and len(lines[-1]) + len(name) > 100:
            lines.append("")
        lines[-1] += f"{' ' if lines[-1] else ''}{name},"
    return "[\n" + "".join(f"    {line}\n" for line in lines) + "]"


def settings(recipe: Recipe, goal: Goal) -> str:
    """Hyper-parameters that this training uses, one a line."""
    lines = [f'INITIALISER = "{recipe.initialiser}"  # of convolutions']
    if goal.task == "classification":
        lines.append(f"LABEL_SMOOTHING = {recipe.label_smoothing!r}")
    if goal.task == "regression":
        lines.append(
            f"MEAN, STD = {goal.mean!r}, {goal.std!r}  # of the training targets: it learns (y - MEAN) / STD"
        )
    amount = recipe.augmentation
    words = {
        "shift": "SHIFT = {:.4g}  # largest random translation, as a fraction of the side",
        "speed": "SPEED = {:.4g}  # largest random change of tempo, as a fraction",
        "gain": "GAIN = {:.4g}  # largest random change of amplitude, as a fraction",
        "noise": "NOISE = {:.4g}  # deviation of random noise, as a fraction of the range",
    }
    most = {"shift": 0.5, "speed": 0.5, "gain": 0.9, "noise": 1e9}
    lines += [text.format(min(most[n], getattr(recipe, n) * amount)) for n, text in words.items()]
    lines.append(f"FLIP = {bool(recipe.flip and amount)}  # mirrored at random, left to right")
    return "\n".join(lines)


def outputs_words(goal: Goal, outputs: int) -> str:
    """What the network gives, for a docstring."""
    kinds = {"regression": "(y - MEAN) / STD (n, 1)", "anomaly": f"the input again, 0 to 1 (n, {outputs})"}
    return kinds.get(goal.task, f"logits (n, {outputs})")


def scored(record: Mapping[str, Any], goal: Goal) -> str:
    """What the search measured, as a literal."""
    test = (record.get("test_accuracy") or {}).get("value")
    found = {"val_float": record.get("accuracy_float"), "val_int8": record.get("accuracy"), "test_int8": test}
    return repr({name: round(goal.value_of(float(v)), 6) for name, v in found.items() if v is not None})


_MOVED = """\
    count, (height, width) = tf.shape(images)[0], SHAPE[:2]
{flip}    reach_y, reach_x = round(height * SHIFT), {across}
    dy = tf.round(tf.random.uniform((count,), -reach_y - 0.5, reach_y + 0.5))
    dx = tf.round(tf.random.uniform((count,), -reach_x - 0.5, reach_x + 0.5))
    one, nil = tf.ones_like(dx), tf.zeros_like(dx)
    tempo = one
{tempo}    images = tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=tf.stack([one, nil, dx, nil, tempo, dy, nil, nil], 1),
        output_shape=tf.constant([height, width]),
        fill_value=0.0,
        interpolation="{how}",
        fill_mode="NEAREST",  # edges are repeated
    )
"""
_FLIP = """\
    mirrored = tf.random.uniform((count, 1, 1, 1)) < 0.5
    images = tf.where(mirrored, tf.reverse(images, [2]), images)
"""
_TEMPO = """\
    tempo = tf.random.uniform((count,), 1 - SPEED, 1 + SPEED)
    dy += (1 - tempo) * (height - 1) / 2  # around the middle
"""


def augmentation(recipe: Recipe) -> str:
    """The body of `augmented`."""
    on = recipe.augmentation > 0
    stretched = on and recipe.speed > 0
    moved = on and (recipe.shift > 0 or recipe.flip or stretched)
    text = ""
    if on and (recipe.speed or recipe.gain or recipe.noise):
        text += "    images = tf.cast(images, tf.float32)\n"
    if moved:
        text += _MOVED.format(
            flip=_FLIP if recipe.flip else "",
            tempo=_TEMPO if stretched else "",
            across="round(width * SHIFT)" if recipe.shift_across else "0  # in time only",
            how="BILINEAR" if stretched else "NEAREST",
        )
    if on and recipe.gain:
        text += "    amount = tf.random.uniform((tf.shape(images)[0], 1, 1, 1), 1 - GAIN, 1 + GAIN)\n"
        text += "    images = 127.5 + (images - 127.5) * amount\n"
    if on and recipe.noise:
        text += "    images += tf.random.normal(tf.shape(images), stddev=255 * NOISE)\n"
    if on and (recipe.gain or recipe.noise):
        text += "    images = tf.clip_by_value(images, 0.0, 255.0)  # what a device can see\n"
    return text + "    return tf.cast(images, tf.float32)"


_LOSSES = {
    "classification": """\
    count = len(CLASSES)
    target = tf.one_hot(truth, count, 1 - LABEL_SMOOTHING + LABEL_SMOOTHING / count, LABEL_SMOOTHING / count)
    return tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(target, outputs))""",
    "regression": """\
    error = tf.abs(outputs[:, 0] - (truth - MEAN) / STD)
    return tf.reduce_mean({how})""",
    "anomaly": """\
    wanted = tf.reshape(images, [-1, outputs.shape[-1]]) / 255.0
    return tf.reduce_mean(tf.square(wanted - outputs))""",
}

_SLOTS = "tf.Variable(tf.zeros_like(v), trainable=False)"
_OPTIMISERS = {
    "adam": (
        "Adam",
        f'''\
def optimiser(variables):
    """Adam (Kingma & Ba 2015): the mean gradient, over the root of the mean square."""
    first, second = ([{_SLOTS} for v in variables] for _ in range(2))
    steps = tf.Variable(0.0, trainable=False)

    def update(gradients, rate):
        step = steps.assign_add(1.0, read_value=True)
        for v, m, s, gradient in zip(variables, first, second, gradients):
            tf.raw_ops.ResourceApplyAdam(
                var=v.handle, m=m.handle, v=s.handle, beta1_power=0.9**step, beta2_power=0.999**step,
                lr=rate, beta1=0.9, beta2=0.999, epsilon=1e-7, grad=gradient,
            )

    update.kept = [first, second, steps]
    return update''',
    ),
    "sgd": (
        "SGD with Nesterov momentum",
        f'''\
def optimiser(variables):
    """Gradient descent with Nesterov momentum; its rates are 12.5 times those of Adam."""
    gathered = [{_SLOTS} for v in variables]

    def update(gradients, rate):
        for v, one, gradient in zip(variables, gathered, gradients):
            tf.raw_ops.ResourceApplyMomentum(
                var=v.handle, accum=one.handle, lr=12.5 * rate, grad=gradient, momentum=0.9, use_nesterov=True
            )

    update.kept = gathered
    return update''',
    ),
    "rmsprop": (
        "RMSProp",
        f'''\
def optimiser(variables):
    """RMSProp, decay 0.9: the gradient over the root of its mean square."""
    squares, moved = ([{_SLOTS} for v in variables] for _ in range(2))

    def update(gradients, rate):
        for v, s, m, gradient in zip(variables, squares, moved, gradients):
            tf.raw_ops.ResourceApplyRMSProp(
                var=v.handle, ms=s.handle, mom=m.handle, lr=rate, rho=0.9, momentum=0.0, epsilon=1e-7,
                grad=gradient,
            )

    update.kept = [squares, moved]
    return update''',
    ),
}


def training(recipe: Recipe, goal: Goal) -> dict[str, str]:
    """What the template of the training is filled with."""
    squared = "tf.square(error)"
    huber = (
        "tf.where(error < 1.0, tf.square(error), 2.0 * error - 1.0)"  # for the absolute error (Huber 1964)
    )
    words, code = _OPTIMISERS[recipe.optimiser]
    return {
        "augmentation": augmentation(recipe),
        "loss": _LOSSES[goal.task].replace("{how}", huber if goal.metric == "mae" else squared),
        "optimiser": code,
        "optimiser_words": words,
    }


def strata(goal: Goal) -> str:
    """What calibration samples are spread over."""
    if goal.task == "regression":  # tenths of the targets' distribution
        return (
            "    edges = np.quantile(labels, np.linspace(0, 1, 11)[1:-1])\n"
            '    kinds = np.unique(np.searchsorted(edges, labels, side="right"), return_inverse=True)[1]'
        )
    return "    kinds = labels"


_COUNTS = """\
    called = outputs.argmax(-1)
    hits, found, calls = (
        np.bincount(one, minlength=len(CLASSES)) for one in (labels[called == labels], labels, called)
    )
"""
_AREA = '''

def _area(scores, positive):
    """The chance that a positive sample scores above a negative one, ties counting half."""
    many, few = int(positive.sum()), int((~positive).sum())
    if not many or not few:
        return float("nan")
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    return float((ranks[positive].sum() - many * (many + 1) / 2) / (many * few))
'''
_METRICS = {
    "accuracy": "    return float((outputs.argmax(-1) == labels).mean())",
    "balanced_accuracy": _COUNTS + "    return float((hits[found > 0] / found[found > 0]).mean())",
    "macro_f1": _COUNTS
    + "    both = found + calls\n    return float((2 * hits[both > 0] / both[both > 0]).mean())",
    "auc": "    return float(np.nanmean([_area(outputs[:, k], labels == k) for k in range(len(CLASSES))]))",
    "mae": "    return float(np.abs(outputs[:, 0] * STD + MEAN - labels).mean())",
    "rmse": "    return float(np.sqrt(np.square(outputs[:, 0] * STD + MEAN - labels).mean()))",
}
_STRANGE = """\
    wanted = images.reshape(len(images), -1) / 255.0
    strange = np.square(wanted - outputs).mean(1)  # what it cannot draw again is unlike what it learnt
    return _area(strange, labels == 1)"""


def evaluation(goal: Goal) -> str:
    """METRIC and `score`."""
    body = _STRANGE if goal.task == "anomaly" else _METRICS[goal.metric]
    head = f'METRIC = "{goal.metric}"\n\n\ndef score(outputs, images, labels):\n'
    return f'{head}    """Outputs and truth of a split -> {goal.title}."""\n{body}' + (
        _AREA.rstrip("\n") if "_area(" in body else ""
    )
