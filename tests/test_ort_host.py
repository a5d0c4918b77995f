"""The ort_host meter, and the conversion it times: the outputs of onnxruntime against LiteRT's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.random_networks import random_graph, random_tflite
from edgeml.deploy.onnx_quantized import to_quantized_onnx
from edgeml.deploy.runtime import interpreter
from edgeml.deploy.tflite import read_model
from edgeml.errors import ModelError
from edgeml.target.measure import known_target
from edgeml.target.meter import Subject
from edgeml.target.meters import ort_host
from tests.make_tflite import ModelSpec, make

IMAGES = 32


def outputs(content: bytes, seed: int = 1) -> tuple[Any, Any, Any]:
    """Integer outputs of onnxruntime, of LiteRT with XNNPACK and of LiteRT's reference kernels."""
    session = ort_host.session(to_quantized_onnx(read_model(content)))
    runs = [interpreter(content), interpreter(content, reference=True)]
    given = runs[0].get_input_details()[0]
    limits, rng = np.iinfo(given["dtype"]), np.random.default_rng(seed)
    found: list[list[Any]] = [[], [], []]
    for _ in range(IMAGES):
        image = rng.integers(limits.min, limits.max, given["shape"], given["dtype"], endpoint=True)
        found[0].append(session.run(None, {"image": image})[0][0])
        for run, results in zip(runs, found[1:], strict=True):
            run.set_tensor(run.get_input_details()[0]["index"], image)
            run.invoke()
            results.append(run.get_tensor(run.get_output_details()[0]["index"])[0])
    ours, fast, plain = (np.array(results).astype(int) for results in found)
    return ours, fast, plain


@pytest.mark.slow
@pytest.mark.parametrize("space", ["nano", "micro_cell", "mbconv_macro", "nasbench201"])
def test_outputs_are_those_of_litert(space: str) -> None:
    """As near as LiteRT's own two sets of kernels are to each other, and within some steps of 255."""
    ours, fast, plain = outputs(random_tflite(random_graph(space, 1, (24, 24, 3))))
    assert len(np.unique(fast)) > 2  # not a network that always says the same
    assert (ours.argmax(-1) == fast.argmax(-1)).mean() >= 0.9
    steps, own = np.abs(ours - fast), np.abs(fast - plain)
    assert steps.mean() <= 0.5
    assert steps.max() <= max(own.max(), 12)


@pytest.mark.slow
@pytest.mark.parametrize("model", ["kws_ref_model", "ad01_int8", "vww_96_int8", "str_ww_ref_model"])
def test_mlperf_tiny_outputs_are_those_of_litert(model: str, shared_data) -> None:
    ours, fast, _ = outputs((shared_data("mlperf_tiny") / "models" / f"{model}.tflite").read_bytes())
    assert np.abs(ours - fast).max() <= 1


def test_a_profile_can_name_the_meter(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("inherits: cpu\nmeters: [ort_host]\nthreads: 2\n")
    target = known_target(str(tmp_path / "mine.yaml"))
    found = ort_host.measure({"a": Subject.of(random_tflite(random_graph("nano", 0, (8, 8, 3))))}, target)[
        "a"
    ]["latency_ms"]
    assert found.kind == "measured" and 0 < found.low <= found.value <= found.high
    assert found.tool.startswith("onnxruntime 1.") and "QDQ conversion of the .tflite" in found.tool
    assert found.conditions["threads"] == 2


def refused(spec: ModelSpec) -> str:
    with pytest.raises(ModelError) as caught:
        ort_host.latencies({"": read_model(make(spec))})
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_is_not_translated_is_named() -> None:
    spec = ModelSpec()
    spec.op("CUSTOM", [spec.tensor(1, 4)], (1, 4), custom="MyOp")
    assert "CUSTOM:MyOp is not translated to ONNX; known are ADD, AVERAGE_POOL_2D" in refused(spec)
    spec = ModelSpec()
    pair = [spec.tensor(1, 4), spec.tensor(1, 4)]
    spec.op("ADD", pair, (1, 4))
    assert "2 inputs" in refused(spec)
    spec = ModelSpec()
    spec.op("SOFTMAX", [spec.tensor(1, 4, dtype="FLOAT32")], (1, 4), dtype="FLOAT32")
    assert "expected a full int8 model" in refused(spec)


def test_a_constant_where_none_can_be_is_named() -> None:
    spec = ModelSpec()
    spec.op("ADD", [spec.tensor(1, 4), spec.constant(np.ones((1, 4)), "INT8")], (1, 4))
    assert "is a constant or never written" in refused(spec)


def test_a_convolution_may_lack_its_bias() -> None:
    """Absent, or -1, which must not be the file's last tensor."""
    spec = ModelSpec()
    spec.conv(spec.tensor(1, 4, 4, 3), 2)
    source, weights, bias = spec.ops[0].inputs
    spec.tensors[bias].value += 3  # the zero point of `make`: none at all, in real numbers
    with_bias = to_quantized_onnx(read_model(make(spec)))
    for inputs in ([source, weights], [source, weights, -1]):
        spec.ops[0].inputs = inputs
        content = to_quantized_onnx(read_model(make(spec)))
        image = {"image": np.arange(48, dtype=np.int8).reshape(1, 4, 4, 3)}
        ours, own = (ort_host.session(model).run(None, image)[0] for model in (content, with_bias))
        assert np.array_equal(ours, own) and len(np.unique(own)) > 1


def test_onnxruntime_that_cannot_load_is_one_sentence() -> None:
    with pytest.raises(ModelError, match="onnxruntime cannot load the model"):
        ort_host.session(b"no model")
