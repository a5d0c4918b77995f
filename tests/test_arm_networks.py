"""Rebuilt networks have the published MACs; NAS-Bench-201 cells run as the converter leaves them."""

from __future__ import annotations

import pytest

from bench.arm_networks_large import NETWORKS
from bench.arm_tables import read_series
from bench.fit_arm import ROUGH, fit_series
from bench.nb201_cells import NONE, connected, network, running
from edgeml.target.calibrate.fit import errors, held_out
from edgeml.target.profile import load_target

OPS = {"0": NONE, "s": "skip_connect", "1": "nor_conv_1x1", "3": "nor_conv_3x3", "p": "avg_pool_3x3"}


def cell(text: str):
    return tuple(OPS[letter] for letter in text)


@pytest.mark.parametrize(
    ("name", "mmacs"),
    [
        ("mobilenet_v1_1.0_224", 569),
        ("mobilenet_v2_1.0_224", 300),
        ("mobilenet_v2_0.5_160", 50),
        ("mobilenet_v3_large_1.0", 217),
        ("mobilenet_v3_large_minimalistic", 209),
        ("mnasnet_1.0_224", 315),
        ("lite0", 407),
        ("lite4", 2640),
        ("nasnet_mobile", 564),
        ("nasnet_large", 23800),
        ("inception_resnet_v2", 13200),
        ("inception_v3", 5713),
    ],
)
def test_networks_have_the_published_macs(name, mmacs):
    assert NETWORKS[name]().macs / 1e6 == pytest.approx(mmacs, rel=0.06)


def test_the_nas_bench_201_network_has_the_published_macs():
    assert network(cell("333333")).macs == pytest.approx(220.12e6, rel=1e-3)


@pytest.mark.parametrize(
    ("written", "left", "why"),
    [
        ("333333", "333333", "nothing is zero"),
        ("303003", "303003", "all on the way"),
        ("s3s003", "s3s003", "all on the way"),
        ("s33300", "000300", "node 2 is a sum: its product with zero is a constant"),
        ("3s000s", "3s000s", "node 1 is one convolution: the zero goes into its weights"),
        ("ps000s", "0s000s", "a pooling times zero is a constant"),
        ("001003", "001003", "a convolution of zeros is not evaluated"),
        ("031300", "000300", "node 2 is a sum, of a convolution and one of zeros"),
    ],
)
def test_what_the_converter_leaves_of_a_cell(written, left, why):
    assert running(cell(written)) == cell(left), why


def test_cells_without_a_path_are_known():
    assert connected(cell("300030")) and not connected(cell("300003"))


def test_executed_cells_run_everything():
    whole = network(cell("s33300"), executed=True)
    converted = network(cell("s33300"))
    assert whole.macs > converted.macs
    assert sum(op.name == "MUL" for op in whole.operators) == 2 * 15


@pytest.mark.slow
def test_published_phone_tables_within_15_percent_left_out(shared_data):
    series = read_series(shared_data("published_latency"))
    few = {"Pixel 2, 1 thread, int8 (2018)"}  # Inception from two MobileNets: 31 %, stated in the table
    assert len(series) == 14
    for name in series.keys() - few:
        one = series[name]
        assert errors(held_out(one.amounts, one.latency_ms, ROUGH), one.latency_ms).mape_pct < 15, name
    target, found = load_target("pixel3"), fit_series(series["Pixel 3, 4 threads, int8"])
    held = [target.coefficient(name) for name in list(target.coefficients)[: len(ROUGH)]]
    assert found.coefficients == pytest.approx(held, rel=0.01)
