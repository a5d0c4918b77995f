"""ethosu_estimate: work by layer, what gets no figure, and its distance from Vela on unseen networks."""

from __future__ import annotations

import pytest

from bench.random_networks import random_graph, random_tflite
from edgeml.deploy.tflite_outline import Outline, outline
from edgeml.target.ethosu import vela as ethosu_vela
from edgeml.target.ethosu.vela import VelaOptions, compile_model
from edgeml.target.ethosu.work import TERMS, amounts
from edgeml.target.meter import MeterUnavailableError, Subject, options
from edgeml.target.meters import ethosu_estimate
from edgeml.target.profile import load_target
from tests.make_tflite import ModelSpec, make
from tests.speed import assert_within

TARGETS = ("ethos-u55-128", "ethos-u55-256", "ethos-u65-512", "ethos-u85-256")


def test_amounts_of_layers_worked_out_by_hand() -> None:
    build = Outline()
    tensor = build.conv(build.input(7, 7, 3), 20, 3)
    found = amounts(build.finish(build.dense(build.mean(tensor), 10)))
    assert set(found) == set(TERMS)
    written = 8 * 8 * 32  # 7 x 7 places in blocks of 2 x 2, 20 channels in blocks of 16
    assert found["ethosu_write_cycles"] == written
    # 9 pixels padded to 12 times 3 channels padded to 8 is less than 9 times 16; the dense layer: 16 x 32.
    assert found["ethosu_mac_cycles"] == written * 12 * 8 + 16 * 32
    assert found["ethosu_weight_cycles"] == 27 * 20 + 10 * 20 + 200 + 10 * 10
    assert found["ethosu_pool_cycles"] == 49 * 32
    assert found["ethosu_operator_cycles"] == 3


@pytest.mark.parametrize("name", TARGETS)
def test_figures_are_estimates_with_an_interval(name: str) -> None:
    target = load_target(name)
    build = Outline()
    model = build.finish(build.conv(build.input(16, 16, 8), 16, 3))
    found = ethosu_estimate.measure({"": Subject(model)}, target)[""]
    assert {figure.kind for figure in found.values()} == {"estimated"}
    assert found["cycles"].low < found["cycles"].value < found["cycles"].high
    clock = target.coefficient("ethosu_clock_mhz")
    assert found["latency_ms"].value == pytest.approx(found["cycles"].value / clock / 1e3)


def test_another_configuration_gets_nothing() -> None:
    target = load_target("ethos-u55-128")
    other = {**target.options, "vela": {**target.options["vela"], "memory_mode": "Sram_Only"}}
    target = target.model_copy(update={"options": other})
    assert "fitted for ethos-u55-128 Ethos_U55_High_End_Embedded Shared_Sram" in ethosu_estimate.missing(
        target
    )
    with pytest.raises(MeterUnavailableError, match="Sram_Only"):
        ethosu_estimate.measure({}, target)


def test_a_float_model_gets_nothing() -> None:
    spec = ModelSpec()
    source = spec.tensor(1, 16, dtype="FLOAT32")
    spec.op("FULLY_CONNECTED", [source, spec.tensor(4, 16, dtype="FLOAT32")], (1, 4), dtype="FLOAT32")
    assert ethosu_estimate.measure({"": Subject.of(make(spec))}, load_target("ethos-u55-128")) == {"": {}}


def test_an_estimate_takes_less_than_5_ms() -> None:
    model, target = Subject(outline(random_graph("nasbench201", 0))), load_target("ethos-u55-128")
    assert_within(0.005, lambda: ethosu_estimate.measure({"": model}, target))


@pytest.mark.slow
@pytest.mark.skipif(bool(ethosu_vela.missing()), reason=ethosu_vela.missing())
def test_near_to_vela_on_architectures_it_has_not_seen() -> None:
    errors: list[float] = []
    for seed, space in enumerate(("nano", "micro_cell", "mbconv_macro", "nasbench201"), 9000):
        graph = random_graph(space, seed)
        content = random_tflite(graph, images=1)
        for name in TARGETS:
            target = load_target(name)
            cycles = compile_model(content, options(target, "vela", VelaOptions)).cycles
            found = ethosu_estimate.measure({"": Subject(outline(graph))}, target)[""]["cycles"]
            errors.append(abs(found.value / cycles - 1))
    assert sum(errors) / len(errors) < 0.15
