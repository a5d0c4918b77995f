"""Spec -> the sentences and sections of the card on what the model is, reads and is meant for."""

from __future__ import annotations

from edgeml.export.literals import markdown_text as text
from edgeml.export.spec import Spec

MOST = 40
"""Columns and channels whose maps the card lists; spec.json has all."""


def what(spec: Spec) -> str:
    """What the model is, the beginning of a sentence: "An image classifier of 10 classes for ..."."""
    goal, kind = spec.data.goal, spec.kind
    height, width, channels = spec.architecture.input_shape
    classes = len(spec.data.classes)
    colours = "RGB" if channels == 3 else "grey"
    inputs = {
        "image": f"{width} x {height} {colours} images",
        "audio": f"sound, as {height} frames of {width} features",
        "sensor": f"windows of {height} samples of {channels} sensor channels",
        "table": f"rows of a table, as {channels} features",
    }[kind]
    raw = "raw values 0 to 255" if kind == "image" else "uint8 values 0 to 255"
    behind = f" for {inputs} ({raw}, batch of 1)"
    if goal.task == "classification":
        names = {"image": "An image", "audio": "A sound", "sensor": "A sensor-window", "table": "A table"}
        return f"{names[kind]} classifier of {classes:,} classes{behind}"
    if goal.task == "regression":
        return f"A regressor of one value{behind}"
    return f"An anomaly detector (an autoencoder trained on what is normal){behind}"


def read(spec: Spec) -> str:
    """How raw input becomes the model's and what its outputs mean; "" for image classifiers."""
    if spec.kind == "image" and spec.data.task == "classification":
        return ""
    height, width, channels = spec.architecture.input_shape
    shape = f"uint8, 1 x {height} x {width} x {channels}"
    return "\n".join(
        ["## Input and output\n", f"- in: {shape}. {_prepared(spec)}", f"- out: {_output(spec)}"]
    )


def _prepared(spec: Spec) -> str:
    about = spec.preprocessing
    if spec.kind == "audio":
        return (
            f"{about['samples']:,} samples at {about['rate_hz']:,} Hz, one channel, 16 bits, through the "
            f"front end `{about.get('front')}` in integer arithmetic; `front_end.c`, "
            "`front_end.h` and `front_end.py` are that front end."
        )
    if spec.kind == "sensor":
        rate = f" at {about['rate_hz']:g} Hz" if about.get("rate_hz") else ""
        maps = list(zip(about["channels"], about["scale"], about["offset"], strict=True))
        rows = "".join(
            f"\n  - {text(str(name))}: (value - {offset:.6g}) / {scale:.6g}"
            for name, scale, offset in maps[:MOST]
        )
        return (
            f"A window of {about['window']} readings{rate}, oldest first; each becomes q = round((value - "
            f"offset) / scale), halves to even, clipped to 0..255 (`preprocess.h`, `preprocess.py`):{rows}"
            f"{_left(len(maps))}"
        )
    if spec.kind == "table":
        columns = about["columns"]
        rows = "".join(f"\n  - {_column(column)}" for column in columns[:MOST])
        return f"Of a row (`preprocess.h`, `preprocess.py` do it):{rows}{_left(len(columns))}"
    scaled = (spec.data.value_scale, spec.data.value_offset) != (1.0, 0.0)
    words = "Pixels as they are; the model normalises them itself."
    more = f" Pixel = (value - {spec.data.value_offset:g}) / {spec.data.value_scale:g}." if scaled else ""
    return words + more


def _left(count: int) -> str:
    """A last item on those that are not listed."""
    return f"\n  - and {count - MOST} more, see spec.json" if count > MOST else ""


def _column(column: dict[str, object]) -> str:
    name = text(str(column["name"]))
    if column["kind"] == "number":
        points = column["points"]
        assert isinstance(points, list)
        how = "straight" if len(points) == 2 else f"piecewise straight in {len(points) - 1} pieces"
        gone = "; 1 more feature says whether it is missing" if column.get("missing") else ""
        return f"{name}: number, {points[0]:.6g} to {points[-1]:.6g} become 0 to 255, {how}{gone}"
    values = column["categories"]
    assert isinstance(values, list)
    other = " and one for all others" if column.get("other") else ""
    shown = ", ".join(text(str(value), 40) for value in values[:8]) + (", ..." if len(values) > 8 else "")
    return f"{name}: one feature (0 or 255) for each of {len(values)} values ({shown}){other}"


def _output(spec: Spec) -> str:
    goal = spec.data.goal
    if goal.task == "classification":
        return f"{len(spec.data.classes):,} probabilities, in the order of `labels.txt`."
    if goal.task == "regression":
        return (
            f"one number; the label's value is output * {goal.std!r} + {goal.mean!r}, after the output has "
            "been dequantised (its scale and zero point are in the file)."
        )
    found = spec.scored.threshold
    above = f"; above {found.value!r} it is called anomalous" if found else ""
    return (
        "the input again, as input / 255. The anomaly score is the mean over all values of (input / 255 - "
        f"dequantised output)^2{above}."
    )


def use(spec: Spec) -> str:
    """Intended use and limitations."""
    height, width, _ = spec.data.input_shape
    name = text(spec.data.name)
    image = spec.kind == "image"
    many = {"audio": "recordings", "sensor": "windows", "table": "rows"}.get(spec.kind, "images")
    task = spec.data.task
    meant = f"Meant for: {many} like those of {name}"
    if image:
        meant += f" (resized to {width} x {height})" + (
            ", one object an image" if task == "classification" else ""
        )
    scored = "Accuracy" if spec.data.goal.metric == "accuracy" else "What it gets"
    others = {
        "image": "Other cameras, light or people were",
        "audio": "Other microphones, rooms or speakers were",
        "sensor": "Other sensors, ways to wear or mount them, or people were",
        "table": "Rows of another origin or time were",
    }[spec.kind]
    source = f"{'images' if image else many} of the same source as the training {many}"
    items = [
        f"{meant}, on devices of the kind searched for.",
        *_meaning(spec),
        f"{scored} was measured on {spec.scored.test.n:,} {source}. {others} not tried, nor was fairness "
        "between groups of people.",
        "Not for decisions about people's safety, health or rights without an evaluation for that use.",
        "What the costs table calls estimated was not measured on a device.",
    ]
    return "## Intended use and limitations\n\n" + "\n".join(f"- {item}" for item in items)


def _meaning(spec: Spec) -> list[str]:
    """What its outputs do not say."""
    if spec.data.task == "classification":
        shows = "the image shows" if spec.kind == "image" else "it is given"
        return [
            f'It knows no "none of these": whatever {shows}, one of the classes gets the largest share.',
            "Its probabilities are the softmax of a quantised network in steps of 1/256; nobody calibrated "
            "them.",
        ]
    if spec.data.task == "regression":
        return [
            "It gives one value and no measure of how sure it is; values far outside those of the training "
            "data cannot come out, because its output is quantised in 256 steps over the range that "
            "calibration saw."
        ]
    return [
        "It knows what was normal in the training data; whatever differs is anomalous, harmless or not.",
        "The threshold was chosen with the anomalous samples of the validation split; other kinds of "
        "anomalies may need another.",
    ]
