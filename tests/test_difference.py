"""The words for the difference of two architectures."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from edgeml.arch.cell import Stage
from edgeml.arch.difference import difference
from edgeml.arch.space_file import load_space
from tests.networks import SPACES, dag, decoded, one, random_choices


@pytest.mark.parametrize("name", SPACES)
def test_whatever_a_mutation_changes_is_said(name):
    space = load_space(name)
    for seed in range(20):
        choices, rng = random_choices(space, seed), random.Random(seed)
        parent, child = decoded(space, choices), decoded(space, space.mutate(choices, rng, 1 + seed % 3))
        if child is not None and child.graph.key != parent.graph.key:
            assert difference(child, parent) and difference(parent, child)


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
