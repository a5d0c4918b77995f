"""Reading .tflite bytes: fields, MACs, flags, damage."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeml.deploy.tflite import TfliteModel, read_model
from edgeml.deploy.tflite_macs import count_macs
from edgeml.deploy.tflite_schema import DTYPES, OPERATORS, OPTIONS
from edgeml.errors import ModelError
from tests.make_tflite import ModelSpec, make
from tests.speed import assert_within


def small() -> ModelSpec:
    spec = ModelSpec(metadata=("TFLITE_METADATA",))
    x = spec.conv(spec.tensor(1, 8, 8, 4), 16, 3, 2, fusedActivationFunction=3, dilationHFactor=1)
    kernel = spec.constant([[[[1] * 16] * 3] * 3], "INT8")
    fields = {"strideH": 1, "strideW": 1, "depthMultiplier": 1, "padding": 1}
    x = spec.op(
        "DEPTHWISE_CONV_2D",
        [x, kernel, -1],
        (1, 2, 2, 16),
        options=("DepthwiseConv2D", fields),
        version=3,
    )
    x = spec.op("MEAN", [x, spec.constant([1, 2])], (1, 1, 1, 16), options=("Reducer", {"keepDims": True}))
    x = spec.op("RESHAPE", [x], (1, 16), options=("Reshape", {"newShape": [-1, 16]}))
    weights = spec.constant([[1] * 16] * 10, "INT8")
    x = spec.op("FULLY_CONNECTED", [x, weights], (1, 10), options=("FullyConnected", {}))
    spec.op("SOFTMAX", [x], (1, 10), options=("Softmax", {"beta": 1.0}))
    return spec


SMALL = make(small())
ACCESSORS = {
    "activation": "FusedActivationFunction",
    "dilation_h": "DilationHFactor",
    "dilation_w": "DilationWFactor",
    "filter_h": "FilterHeight",
    "filter_w": "FilterWidth",
}


def test_everything_of_a_small_model_is_read() -> None:
    model = read_model(SMALL)
    assert [op.label for op in model.operators] == [
        "CONV_2D",
        "DEPTHWISE_CONV_2D",
        "MEAN",
        "RESHAPE",
        "FULLY_CONNECTED",
        "SOFTMAX",
    ]
    conv, depthwise, mean, reshape, dense, softmax = model.operators
    assert conv.options["padding"] == "SAME"
    assert (conv.integer("stride_h"), conv.integer("dilation_w"), conv.activation) == (2, 1, "RELU6")
    assert (depthwise.options["padding"], depthwise.version, depthwise.inputs[2]) == ("VALID", 3, -1)
    assert depthwise.integer("depth_multiplier") == 1
    assert model.tensors[mean.inputs[1]].integers() == (1, 2)
    assert mean.integer("keep_dims") == 1
    assert reshape.options["new_shape"] == (-1, 16)
    assert dense.options["weights_format"] == "DEFAULT"
    assert softmax.options["beta"] == 1.0
    assert [op.macs for op in model.operators] == [4 * 4 * 16 * 9 * 4, 2 * 2 * 16 * 9, 0, 0, 160, 0]
    assert model.macs == 9216 + 576 + 160
    assert (model.subgraphs, model.metadata, model.description) == (1, ("TFLITE_METADATA",), "made by a test")
    assert model.inputs == (0,)
    assert model.file_bytes == len(SMALL)


def test_tensors_say_type_size_and_quantisation() -> None:
    model = read_model(SMALL)
    image, weights = model.tensors[0], model.tensors[1]
    assert (image.shape, image.dtype, image.nbytes, image.is_constant) == ((1, 8, 8, 4), "INT8", 256, False)
    assert image.quantization is not None
    assert (image.quantization.scales, image.quantization.zero_points) == ((0.5,), (3,))
    assert weights.data is not None
    assert bytes(weights.data) == b"\x01" * 16 * 9 * 4
    assert model.tensors[2].dtype == "INT32"
    assert image.integers() is None


def test_reading_needs_no_tensorflow() -> None:
    import subprocess
    import sys

    code = (
        "import sys, edgeml.deploy.tflite; print(*sorted({'tensorflow', 'flatbuffers'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_schema_tables_agree_with_the_schema() -> None:
    from ai_edge_litert import schema_py_generated as schema

    def names(enum: object) -> list[str]:
        return [k for _, k in sorted((v, k) for k, v in vars(enum).items() if not k.startswith("_"))]

    assert list(OPERATORS) == names(schema.BuiltinOperator)[: len(OPERATORS)]
    assert list(DTYPES) == names(schema.TensorType)[: len(DTYPES)]
    kinds = names(schema.BuiltinOptions)
    for kind, fields in OPTIONS.values():
        table = getattr(schema, kinds[kind])
        for name, number, _, _ in fields:
            getter = getattr(table, ACCESSORS.get(name, name.title().replace("_", "")))
            assert 4 + 2 * number in getter.__code__.co_consts, (kinds[kind], name)


def test_custom_compiled_and_dynamic_models_are_flagged() -> None:
    spec = ModelSpec()
    x = spec.tensor(1, 8, signature=(-1, 8))
    spec.op("CUSTOM", [x], (1, 8), custom="edgetpu-custom-op")
    spec.op("CUSTOM", [x], (1, 8), custom="Other")
    model = read_model(make(spec))
    assert model.compiled_for_edgetpu
    assert model.custom_ops == ("edgetpu-custom-op", "Other")
    assert model.operators[1].label == "CUSTOM:Other"
    assert model.dynamic_tensors == (0,)
    plain = read_model(SMALL)
    assert (plain.compiled_for_edgetpu, plain.custom_ops, plain.dynamic_tensors) == (False, (), ())


def test_operators_above_127_are_read() -> None:
    spec = ModelSpec()
    spec.op("GELU", [spec.tensor(1, 8)], (1, 8))
    assert read_model(make(spec)).operators[0].name == "GELU"


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "not a TFLite file"),
        (b"PK\x03\x04" + bytes(100), "not a TFLite file"),
        (b"\x08\x00\x00\x00TFL3", "damaged"),
        (b"\xff\xff\xff\xffTFL3", "damaged"),
        (SMALL[: len(SMALL) // 2], "damaged"),
    ],
)
def test_bad_bytes_are_one_sentence(data: bytes, says: str) -> None:
    with pytest.raises(ModelError, match=says) as caught:
        read_model(data)
    assert "\n" not in str(caught.value)


def test_missing_file_and_folder_are_one_sentence(tmp_path: Path) -> None:
    for path in (tmp_path / "none.tflite", tmp_path):
        with pytest.raises(ModelError, match="cannot be read"):
            read_model(path)


def outcome(data: bytes) -> TfliteModel | None:
    try:
        return read_model(data)
    except ModelError:
        return None


@given(st.integers(0, len(SMALL) - 1))
def test_every_truncation_is_a_model_or_a_model_error(length: int) -> None:
    outcome(SMALL[:length])


@settings(max_examples=400)
@given(st.lists(st.tuples(st.integers(8, len(SMALL) - 1), st.integers(0, 255)), min_size=1, max_size=12))
def test_flipped_bytes_are_a_model_or_a_model_error(flips: list[tuple[int, int]]) -> None:
    data = bytearray(SMALL)
    for place, value in flips:
        data[place] = value

    def read() -> None:
        model = outcome(bytes(data))
        if model is not None:
            assert model.macs >= 0
            assert all(tensor.nbytes >= 0 for tensor in model.tensors)

    assert_within(2, read)


@given(st.binary(max_size=300))
def test_noise_after_the_identifier_is_a_model_or_a_model_error(noise: bytes) -> None:
    outcome(b"\x10\x00\x00\x00TFL3" + noise)


def test_a_model_of_300_mb_is_read_fast() -> None:
    import numpy as np

    spec = ModelSpec()
    weights = spec.constant(np.zeros((10_000, 30_000), np.int8), "INT8")
    spec.op("FULLY_CONNECTED", [spec.tensor(1, 30_000), weights], (1, 10_000))
    data = make(spec)
    assert_within(1, lambda: read_model(data))
    assert read_model(data).macs == 300_000_000


def test_macs_of_operators_without_weights_or_shapes_are_zero() -> None:
    assert count_macs("ADD", [(1, 4), (1, 4)], [(1, 4)]) == 0
    assert count_macs("CONV_2D", [(1, 4, 4, 3)], [(1, 4, 4, 8)]) == 0
    assert count_macs("TRANSPOSE_CONV", [(4,), (8, 3, 3, 4)], [(1, 8, 8, 8)]) == 0


def test_published_models_have_their_published_macs(shared_data: Callable[[str], Path]) -> None:
    folder = shared_data("edgetpu")
    with (folder / "compiled_models.csv").open() as file:
        rows = {row["model"]: row for row in csv.DictReader(file) if row["plain_macs"]}
    seen = 0  # the table counts an LSTM as none, we count its matrices
    for path in sorted((folder / "models").glob("*.tflite")):
        model = read_model(path)
        row = rows.get(f"{path.stem}_edgetpu.tflite")
        if row and int(row["plain_n_ops"]) == len(model.operators) and "lstm" not in path.name:
            seen += 1
            assert model.macs == int(row["plain_macs"]), path.name
    assert seen >= 5
