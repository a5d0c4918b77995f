"""The C99 compiler's parts: planning, rounding, names, refusals, damaged models, the exported folder."""

from __future__ import annotations

import contextlib
import random
import shutil
import subprocess
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import c99_programs as programs
from bench.random_networks import random_graph, random_tflite
from edgeml.data.goal import ACCURACY
from edgeml.deploy.c99 import to_c99
from edgeml.deploy.c99.arena import ALIGNMENT, Block, lower_bound, plan
from edgeml.deploy.c99.dense import single_rounding
from edgeml.deploy.c99.fixed import clamp, multiply, quantize_multiplier, round_away
from edgeml.deploy.c99.text import identifier
from edgeml.deploy.convert import to_tflite
from edgeml.deploy.tflite import Quantization, read_model
from edgeml.errors import ModelError
from edgeml.export.c99 import c99, labels_header
from edgeml.target.mcu import process as tflm_process
from tests.c99_models import MODELS, tflite
from tests.make_tflite import ModelSpec, make

needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
NAMES = [
    'say "hi"',
    "two\nlines",
    "back\\slash",
    "what??/",
    "caf\u00e9 \U0001f431",
    "",
    "100 %",
    "\x011",
    "*/ x",
]


@pytest.fixture(scope="module")
def nano():
    return random_tflite(random_graph("nano", 6, (16, 16, 1)), 6)


blocks = st.lists(
    st.tuples(st.integers(1, 60), st.integers(0, 12), st.integers(0, 6)).map(
        lambda drawn: Block(ALIGNMENT * drawn[0], drawn[1], drawn[1] + drawn[2])
    ),
    max_size=14,
)


@settings(max_examples=60)
@given(blocks)
def test_blocks_that_live_together_lie_apart(drawn):
    offsets, size = plan(drawn)
    for i, a in enumerate(drawn):
        assert offsets[i] >= 0 and offsets[i] % ALIGNMENT == 0 and offsets[i] + a.nbytes <= size
        for j, b in enumerate(drawn[:i]):
            together = a.first <= b.last and b.first <= a.last
            assert not together or (
                offsets[i] + a.nbytes <= offsets[j] or offsets[j] + b.nbytes <= offsets[i]
            )
    assert size >= lower_bound(drawn)


def test_a_plan_meets_its_bound_where_greedy_does_not():
    """By size first: 4 + 3 + 3 on top of each other; the best plan needs no more than is alive."""
    drawn = [Block(400, 0, 1), Block(300, 1, 2), Block(300, 2, 3), Block(200, 3, 4), Block(500, 4, 5)]
    assert plan(drawn)[1] == lower_bound(drawn) == 700


@settings(max_examples=80)
@given(st.floats(1e-6, 0.9), st.integers(-128, 127), st.integers(1, 20_000), st.data())
def test_one_integer_rule_rounds_as_a_double_does(scale, zero, reach, data):
    low, high = -128 - zero, 127 - zero
    rule = single_rounding(scale, reach, low, high)
    if rule is None:
        # Products that a double cannot tell from a half (5 * 0.8999999999999999 is 4.5) fit no line.
        off = np.abs(np.arange(1, reach + 1) * scale % 1 - 0.5)
        assert off.min() < 1e-9
        return
    mantissa, shift = rule
    drawn = data.draw(st.lists(st.integers(-reach, reach), min_size=50, max_size=50))
    near = [round((value + half) / scale) for value in range(low, high, 7) for half in (-0.5, 0.5)]
    for total in [*drawn, *(n + d for n in near for d in (-1, 0, 1) if abs(n + d) <= reach)]:
        found = (total * mantissa + (1 << (shift - 1))) >> shift
        assert clamp(found, low, high) == clamp(round_away(total * scale), low, high)


def test_what_is_just_below_a_half_is_not_rounded_up():
    assert round_away(0.49999999999999994) == 0 and round_away(-0.49999999999999994) == 0
    assert [round_away(value) for value in (-2.5, -0.5, 0.5, 1.5, 2.4)] == [-3, -1, 1, 2, 2]


def test_halves_go_away_from_zero():
    """Powers of two give exact halves, where a plain rounding shift would go up instead."""
    mantissa, shift = single_rounding(0.25, 1000, -100, 100)
    for total in range(-400, 401):
        assert (total * mantissa + (1 << (shift - 1))) >> shift == round_away(total * 0.25)


def test_two_roundings():
    mantissa, exponent = quantize_multiplier(0.1)
    assert [multiply(value, mantissa, exponent) for value in (-25, -15, -5, 5, 15, 25)] == [
        -3,
        -2,
        -1,
        1,
        2,
        3,
    ]


@given(st.text(max_size=60))
def test_any_name_becomes_an_identifier(text):
    found = identifier(text)
    assert found.isascii() and found.isidentifier() and not found.startswith("_") and len(found) < 60


@needs_gcc
def test_class_names_survive(tmp_path):
    (tmp_path / "labels.h").write_bytes(labels_header(NAMES).encode("ascii"))
    main = '#include <stdio.h>\n#include "labels.h"\nint main(void) { for (int i = 0; i < %d; i++)'
    main += " { fputs(model_labels[i], stdout); putchar(0); } return 0; }\n"
    (tmp_path / "main.c").write_text(main % len(NAMES))
    flags = [*programs.STRICT, "-trigraphs", "main.c", "-o", "main"]
    subprocess.run(["gcc", *flags], cwd=tmp_path, check=True)
    said = subprocess.run(["./main"], cwd=tmp_path, capture_output=True, check=True).stdout
    assert said.decode().split("\0")[:-1] == NAMES


@needs_gcc
def test_the_exported_program_names_the_class(nano, tmp_path):
    """Class names that hurt, raw bytes in, the most probable class out; too few bytes are said."""
    names = [*NAMES, "last"][: read_model(nano).tensors[read_model(nano).outputs[0]].elements]
    graph = SimpleNamespace(input_shape=(16, 16, 1))
    given = SimpleNamespace(tflite=nano, classes=names, graph=graph, goal=ACCURACY)
    files = c99(given)
    assert set(files) == {"c99/model.c", "c99/model.h", "c99/main.c", "c99/labels.h"}
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    folder = tmp_path / "c99"
    flags = [*programs.STRICT, "-O2", "model.c", "main.c", "-o", "model"]
    subprocess.run(["gcc", *flags], cwd=folder, check=True)
    for values in programs.random_inputs(nano, 3):
        done = subprocess.run(
            ["./model"], cwd=folder, input=values.tobytes(), capture_output=True, check=True
        )
        best = int(programs.reference(nano, values[None])[0].argmax())
        assert done.stdout.decode().endswith(f"\n{names[best]}\n")
    done = subprocess.run(["./model"], cwd=folder, input=b"12", capture_output=True, check=False)
    assert done.returncode == 2 and b"expected 256 bytes on standard input" in done.stderr


def test_it_is_within_five_percent_of_tflite_micro(nano):
    if tflm_process.missing():
        pytest.skip(tflm_process.missing())
    for model in (nano, random_tflite(random_graph("nasbench201", 27, (16, 16, 3)), 27)):
        head = tflm_process.ask(model, 60, 8 << 30)["head_bytes"]
        assert to_c99(read_model(model)).arena_bytes <= 1.05 * head


def refused(model):
    """Why; weights are taken as symmetric, which make_tflite's are not."""
    read = read_model(model)
    symmetric = Quantization((0.5,), (0,), 0)
    tensors = [
        replace(t, quantization=symmetric) if t.is_constant and t.dtype == "INT8" else t for t in read.tensors
    ]
    with pytest.raises(ModelError) as error:
        to_c99(replace(read, tensors=tuple(tensors)))
    said = str(error.value)
    assert "\n" not in said and said.endswith(".") and len(said) < 300
    return said


def test_a_float_model_is_refused():
    graph = random_graph("nano", 0, (16, 16, 1))
    from edgeml.deploy.fold import fold
    from edgeml.train.build import build, get_weights

    said = refused(to_tflite(graph, fold(graph, get_weights(build(graph, 0), graph)), None))
    assert "CONV_2D" in said and "FLOAT32, expected INT8" in said


def test_other_operators_and_types_are_refused():
    spec = ModelSpec()
    spec.op("LOGISTIC", [spec.tensor(1, 4)], (1, 4))
    assert "operator 0 (LOGISTIC) cannot be written as C99: it is not among" in refused(make(spec))
    spec = ModelSpec()
    spec.op("RELU", [spec.tensor(1, 4, dtype="INT16")], (1, 4), dtype="INT16")
    assert "INT16, expected INT8" in refused(make(spec))
    spec = ModelSpec()
    spec.conv(spec.tensor(1, 8, 8, 3), 4, 3, fusedActivationFunction=4)
    assert "its activation is TANH" in refused(make(spec))
    spec = ModelSpec(subgraphs=2)
    spec.op("RELU", [spec.tensor(1, 4)], (1, 4))
    assert "2 subgraphs" in refused(make(spec))
    spec = ModelSpec()
    spec.op("ADD", [spec.tensor(1, 4), spec.tensor(1, 4)], (1, 4))
    assert "2 inputs" in refused(make(spec))


def test_sums_that_could_overflow_are_refused():
    spec = ModelSpec()
    weights = spec.constant(np.full((1, 1, 1, 4), 127), "INT8")
    bias = spec.constant([1 << 30])
    spec.op(
        "CONV_2D",
        [spec.tensor(1, 2, 2, 4), weights, bias],
        (1, 2, 2, 1),
        options=("Conv2D", {"strideH": 1, "strideW": 1}),
    )
    assert "overflow" in refused(make(spec))


def test_damaged_models_give_errors_and_no_crash(nano):
    """Whatever a flipped bit does, it is a model or a ModelError, in bounded time."""
    rng, compiled = random.Random(0), 0
    content = bytearray(nano)
    tables = [i for i in range(len(content)) if i < 400 or i > len(content) - 9000]
    for _ in range(400):
        damaged = bytearray(content)
        for _ in range(rng.choice((1, 1, 2, 8))):
            damaged[rng.choice(tables)] = rng.choice((0, 1, 127, 128, 255, rng.randrange(256)))
        try:
            to_c99(read_model(bytes(damaged)))
            compiled += 1
        except ModelError as error:
            assert "\n" not in str(error)
    assert 0 < compiled < 400


@pytest.mark.parametrize("name", MODELS)
def test_scales_and_zero_points_of_any_size_give_errors_and_no_crash(name):
    rng, read = random.Random(name), read_model(tflite(name))
    for _ in range(60):
        tensors = list(read.tensors)
        for _ in range(rng.choice((1, 2, 5))):
            at = rng.randrange(len(tensors))
            found = tensors[at].quantization
            if found is None:
                continue
            scale = rng.choice(
                (0.0, -1.0, 1e-45, 1e-38, 1e-9, 1e-3, 1.0, 1e6, 3e38, float("inf"), float("nan"))
            )
            zero = rng.choice((-(1 << 63), -129, -128, 0, 127, 128, 1 << 40))
            changed = replace(found, scales=(scale,) * len(found.scales))
            tensors[at] = replace(
                tensors[at], quantization=rng.choice((changed, replace(found, zero_points=(zero,))))
            )
        with contextlib.suppress(ModelError):
            to_c99(replace(read, tensors=tuple(tensors)))


@needs_gcc
def test_what_a_damaged_model_becomes_stays_inside_its_memory(nano, tmp_path):
    rng, tried = random.Random(1), 0
    content = bytearray(nano)
    flags = ("-O1", "-fsanitize=undefined,address", "-fno-sanitize-recover=all", "-Wno-error")
    while tried < 6:
        damaged = bytearray(content)
        damaged[rng.randrange(len(content) - 9000, len(content))] = rng.randrange(256)
        if damaged == content:
            continue
        try:
            programs.write(bytes(damaged), tmp_path / str(tried))
        except ModelError:
            continue
        programs.on_host(tmp_path / str(tried), programs.random_inputs(bytes(damaged), 2), flags)
        tried += 1
