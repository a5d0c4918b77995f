"""Morphs as edits of architectures, and the words for the difference of two."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeml.arch.cell import Arch, Cell, Edge, Stage
from edgeml.arch.cost import cost
from edgeml.arch.difference import difference
from edgeml.arch.morph import MORPHS, morph
from edgeml.arch.space import Task
from edgeml.arch.space_file import load_space
from edgeml.errors import DisconnectedArchError, InfeasibleError

SPACES = ("micro_cell", "mbconv_macro", "nano", "nasbench201")
GROWTH = ("wider_stem", "wider_stage", "wider_head", "deeper", "larger_kernel", "larger_expansion")


def random_arch(space, seed, shape=(8, 8, 3)):
    """A connected architecture of a space."""
    loaded, rng = load_space(space), random.Random(seed)
    while True:
        arch = loaded.decode(loaded.sample(rng), Task(shape, 5))
        try:
            assert arch.graph
            return arch
        except DisconnectedArchError:
            continue


def one(op, repeat=1, channels=16, **changes):
    """An architecture of one stage and a stem as wide."""
    stages = (Stage(Cell(((Edge(0, op),),)), repeat, channels),)
    values = {"input_shape": (8, 8, 3), "classes": 5, "stem_channels": channels, "stages": stages}
    return Arch(**{**values, **changes})


def dag(text, output="last"):
    """ "0:conv_3x3 0:skip | 1:skip" -> Cell."""
    nodes = [[edge.split(":") for edge in node.split()] for node in text.split("|")]
    return Cell(tuple(tuple(Edge(int(source), op) for source, op in node) for node in nodes), output)


@given(st.sampled_from(SPACES), st.integers(0, 10**6), st.sampled_from(list(MORPHS)))
@settings(max_examples=50)
def test_a_morph_gives_another_valid_network(space, seed, name):
    arch = random_arch(space, seed)
    child = MORPHS[name](arch, random.Random(seed))
    again = MORPHS[name](arch, random.Random(seed))
    assert child == again
    if child is None:
        return
    assert child.graph.key != arch.graph.key
    assert child.key != arch.key
    assert (child.input_shape, child.classes, child.identity) == (
        arch.input_shape,
        arch.classes,
        arch.identity,
    )
    assert Arch.from_dict(child.to_dict()) == child
    assert difference(child, arch)
    if name in GROWTH:
        grown = cost(child.graph).params > cost(arch.graph).params
        # a cell of poolings and skips alone has no weights, however often it is repeated
        assert grown or (name == "deeper" and len(child.graph.nodes) > len(arch.graph.nodes))
    if name == "no_branch":
        assert "removed" in difference(child, arch)


@given(st.sampled_from(SPACES), st.integers(0, 10**6))
@settings(max_examples=12)
def test_a_chain_of_morphs_is_deterministic_and_connected(space, seed):
    one_way, other = random_arch(space, seed), random_arch(space, seed)
    rngs = random.Random(seed), random.Random(seed)
    for _ in range(5):
        name, child = morph(one_way, rngs[0])
        assert (name, child) == morph(other, rngs[1])
        assert name in MORPHS
        one_way = other = child
    assert one_way.graph.output_shape == (1, 1, 5)


@pytest.mark.parametrize("name", list(MORPHS))
def test_every_morph_applies_somewhere(name):
    space = "micro_cell" if "branch" in name or name == "new_node" else "nano"
    found = [MORPHS[name](random_arch(space, seed), random.Random(seed)) for seed in range(5)]
    assert any(found)


def test_bounds_of_space_files_hold():
    huge = one("sep_conv_7x7", repeat=20, channels=2048, head_channels=2048)
    rng = random.Random(0)
    for name in ("wider_stem", "wider_stage", "wider_head", "deeper", "larger_kernel", "larger_expansion"):
        assert MORPHS[name](huge, rng) is None, name


def test_nothing_to_edit_is_said(monkeypatch):
    for name in list(MORPHS):
        monkeypatch.setitem(MORPHS, name, lambda arch, rng: None)
    with pytest.raises(InfeasibleError, match="no morph applies to architecture"):
        morph(one("conv_3x3"), random.Random(0))


def test_a_disconnected_parent_is_refused():
    with pytest.raises(DisconnectedArchError):
        morph(one("zero"), random.Random(0))


def test_a_dag_cell_is_edited_in_all_stages_and_a_single_op_in_its_own():
    cell = dag("0:conv_1x1 0:skip")
    shared = one("skip", stages=(Stage(cell, 1, 8), Stage(cell, 1, 16, 2)))
    child = MORPHS["larger_kernel"](shared, random.Random(0))
    assert child.stages[0].cell == child.stages[1].cell == dag("0:conv_3x3 0:skip")
    single = Cell(((Edge(0, "conv_1x1"),),))
    apart = one("skip", stages=(Stage(single, 1, 8), Stage(single, 1, 16, 2)))
    child = MORPHS["larger_kernel"](apart, random.Random(0))
    assert sorted(stage.cell.nodes[0][0].op for stage in child.stages) == ["conv_1x1", "conv_3x3"]


def test_a_removed_branch_leaves_the_others_their_places():
    arch = one("skip", stages=(Stage(dag("0:conv_1x1 0:conv_3x3 0:skip"), 1, 16),))
    for seed in range(6):
        child = MORPHS["no_branch"](arch, random.Random(seed))
        assert {node.name for node in child.graph.nodes if "edge" in node.name} < {
            node.name for node in arch.graph.nodes
        }


def test_differences_are_in_field_terms():
    parent = one("mbconv_3x3_e2", channels=24)
    stage = parent.stages[0]
    wider = replace(parent, stages=(replace(stage, channels=32, repeat=2),))
    assert difference(wider, parent) == "stage0: wider 24 -> 32, deeper 1 -> 2"
    assert difference(parent, wider) == "stage0: narrower 32 -> 24, shallower 2 -> 1"
    assert difference(parent, parent) == ""
    for op, words in (
        ("mbconv_5x5_e2", "kernel 3 -> 5"),
        ("mbconv_3x3_e6", "expansion 2 -> 6"),
        ("mbconv_5x5_e6", "op mbconv_3x3_e2 -> mbconv_5x5_e6"),
        ("fused_3x3_e2", "op mbconv_3x3_e2 -> fused_3x3_e2"),
    ):
        assert difference(one(op, channels=24), parent) == f"stage0: {words}"
    rest = replace(
        parent, input_shape=(6, 6, 3), stem_channels=32, head_channels=64, activation="relu", dropout=0.1
    )
    assert difference(rest, parent) == (
        "input 8x8x3 -> 6x6x3, activation relu6 -> relu, dropout 0.0 -> 0.1; stem: wider 24 -> 32; "
        "head: added, 64 channels"
    )
    heard = replace(parent, front="mfcc-30-20-10", bottleneck=8, decoder=0)
    told = "front logmel-30-20-32 -> mfcc-30-20-10, bottleneck 4 -> 8, decoder 64 -> none"
    assert difference(heard, replace(parent, front="logmel-30-20-32", bottleneck=4, decoder=64)) == told
    two = replace(parent, stages=(stage, Stage(stage.cell, 2, 48, 2)))
    assert difference(two, parent) == "stage1: added, 2 x 48 channels"
    assert difference(parent, two) == "stage1: removed"


def test_a_cell_of_all_stages_is_named_once():
    before, after = (
        dag("0:conv_1x1 0:zero | 1:skip"),
        dag("0:conv_3x3 0:sep_conv_3x3 | 1:skip | 2:skip 0:conv_1x1"),
    )
    parent = one("skip", stages=(Stage(before, 1, 8), Stage(before, 1, 16, 2)))
    child = replace(parent, stages=(Stage(after, 1, 8), Stage(after, 2, 16, 2)))
    assert difference(child, parent) == (
        "cells: node1.edge0 kernel 1 -> 3, node1.edge1 branch added: sep_conv_3x3(0), "
        "node3 added: skip(2) + conv_1x1(0); stage1: deeper 1 -> 2"
    )
    assert "node3 removed" in difference(parent, child)
    assert "node1.edge1 branch removed: sep_conv_3x3(0)" in difference(parent, child)
