"""The weight bank: what is deposited comes back, by slices, and only where channels mean the same."""

from __future__ import annotations

import numpy as np
import pytest

from edgeml.arch.cell import Arch, Cell, Edge, Stage
from edgeml.arch.graph import Graph
from edgeml.errors import RunError
from edgeml.train.bank import Bank


def network(op: str, channels: int = 8, repeat: int = 1, head: int = 0) -> Graph:
    stage = Stage(Cell(((Edge(0, op),),)), repeat, channels, 2)
    return Arch((8, 8, 1), 3, 4, (stage,), head_channels=head).graph


def filled(graph: Graph, value: float) -> dict[str, np.ndarray]:
    return {
        f"{node.name}:{name}": np.full(shape, value, np.float32)
        for node in graph.nodes
        for name, shape in node.weight_shapes.items()
    }


def numbered(graph: Graph, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {name: rng.normal(size=v.shape).astype(np.float32) for name, v in filled(graph, 0).items()}


@pytest.mark.parametrize("op", ["sep_conv_5x5", "mbconv_3x3_e2", "conv_3x3", "fused_3x3_e2", "skip"])
def test_what_is_deposited_comes_back(op: str) -> None:
    graph, bank = network(op, repeat=2, head=5), Bank()
    weights = numbered(graph)
    bank.deposit(graph, weights, 100)
    found, fraction = bank.slice(graph, filled(graph, 9))
    assert fraction == 1.0
    assert all(np.array_equal(found[name], weights[name]) for name in weights)
    assert bank.samples(graph) == 100


def test_empty_bank_gives_fresh_weights() -> None:
    graph = network("sep_conv_3x3")
    fresh = numbered(graph)
    found, fraction = Bank().slice(graph, fresh)
    assert fraction == 0.0
    assert all(np.array_equal(found[name], fresh[name]) for name in fresh)


def test_small_network_takes_leading_channels_and_kernel_centres() -> None:
    large, small, bank = network("sep_conv_5x5", 12), network("sep_conv_3x3", 8), Bank()
    weights = numbered(large)
    bank.deposit(large, weights, 100)
    found, fraction = bank.slice(small, filled(small, 9))
    place = "stage0/cell0/node1/edge0"
    assert fraction == 1.0
    assert np.array_equal(found[f"{place}/depthwise:kernel"], weights[f"{place}/depthwise:kernel"][1:4, 1:4])
    assert np.array_equal(found[f"{place}/project:kernel"], weights[f"{place}/project:kernel"][..., :8])
    assert np.array_equal(found[f"{place}/project:variance"], weights[f"{place}/project:variance"][:8])


def test_large_network_keeps_fresh_weights_around_what_is_known() -> None:
    small, large, bank = network("sep_conv_3x3", 8), network("sep_conv_5x5", 12), Bank()
    weights = numbered(small)
    bank.deposit(small, weights, 100)
    found, fraction = bank.slice(large, filled(large, 9))
    place = "stage0/cell0/node1/edge0"
    depthwise, gamma = found[f"{place}/depthwise:kernel"], found[f"{place}/project:gamma"]
    assert np.array_equal(depthwise[1:4, 1:4], weights[f"{place}/depthwise:kernel"])
    assert (depthwise[0] == 9).all()
    assert (depthwise[:, 4] == 9).all()
    assert np.array_equal(gamma[:8], weights[f"{place}/project:gamma"])
    assert (gamma[8:] == 9).all()
    known = 9 * 4 + 4 * 8 + 8 * 3 + 9 * 4
    total = 25 * 4 + 4 * 12 + 12 * 3 + 9 * 4
    assert fraction == pytest.approx(known / total)


def test_deposit_moves_by_mix_where_known_and_stores_where_not() -> None:
    small, large, bank = network("sep_conv_3x3", 8), network("sep_conv_3x3", 12), Bank()
    bank.deposit(small, filled(small, 1), 100)
    bank.deposit(large, filled(large, 3), 50, mix=0.25)
    found, _ = bank.slice(large, filled(large, 9))
    project = found["stage0/cell0/node1/edge0/project:kernel"]
    assert np.allclose(project[..., :8], 1.5)
    assert np.allclose(project[..., 8:], 3)
    assert np.allclose(found["stage0/cell0/node1/edge0/project:beta"], [1.5] * 8 + [3] * 4)
    assert bank.samples(small) == 150


def test_weights_of_other_meaning_stay_apart() -> None:
    bank = Bank()
    expanded = network("mbconv_3x3_e2")
    bank.deposit(expanded, filled(expanded, 1), 100)
    separable = network("sep_conv_3x3")
    found, _ = bank.slice(separable, filled(separable, 9))
    assert (found["stage0/cell0/node1/edge0/depthwise:kernel"] == 9).all()
    assert (found["stage0/cell0/node1/edge0/project:kernel"] == 9).all()
    assert (found["stem:kernel"] == 1).all()


def test_bank_is_kept_in_a_file(tmp_path) -> None:
    graph, path = network("mbconv_3x3_e2"), tmp_path / "bank.safetensors"
    weights = numbered(graph)
    bank = Bank.open(path)
    bank.deposit(graph, weights, 100)
    bank.save()
    found, fraction = Bank.open(path).slice(graph, filled(graph, 9))
    assert fraction == 1.0
    assert all(np.array_equal(found[name], weights[name]) for name in weights)
    assert Bank.open(path).samples(graph) == 100
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_broken_file_is_said(tmp_path) -> None:
    path = tmp_path / "bank.safetensors"
    path.write_bytes(b"not a bank")
    with pytest.raises(RunError, match="no weight bank"):
        Bank.open(path)
    with pytest.raises(RunError, match="no file"):
        Bank().save()
