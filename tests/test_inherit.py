"""Weight inheritance: function-preserving where the child has grown from its parent, overlap elsewhere."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from edgeml.arch.cell import Stage
from edgeml.arch.difference import difference
from edgeml.arch.space_file import load_space
from edgeml.train.inherit import SHRINK, best_parent_score, inherit, load_weights, overlap
from edgeml.train.morphism_weights import rectified
from tests.networks import SPACES, dag, decoded, grown, one, random_arch, random_choices
from tests.numpy_net import forward, trained_like

KINDS = ("channels", "growth", "repeat", "kernel", "expansion", "branch")
IMAGES = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3)).astype(np.float32)
CLOSE = 1e-4


def inherited(child, parent, seed=0, images=IMAGES, **options):
    weights = trained_like(parent.graph, seed, images)
    fresh = trained_like(child.graph, seed + 1, images)
    return inherit(child.graph, fresh, parent.graph, weights, **options), weights, fresh


def largest_change(child, parent, seed=0, images=IMAGES):
    """Largest difference of logits before training, or None where the child is no morph."""
    found, weights, fresh = inherited(child, parent, seed, images)
    assert {k: v.shape for k, v in found.weights.items()} == {k: v.shape for k, v in fresh.items()}
    assert all(v.dtype == np.float32 for v in found.weights.values())
    assert 0 <= found.fraction <= 1
    if found.source != "morph":
        assert found.source == "overlap"
        return None
    before, after = forward(parent.graph, weights, images), forward(child.graph, found.weights, images)
    assert before.std() > 1e-3, "a parent whose output says nothing proves nothing"
    return np.abs(after - before).max()


@given(st.sampled_from(SPACES), st.integers(0, 10**6), st.integers(1, 3), st.sampled_from((*KINDS, None)))
@settings(max_examples=25)
def test_what_is_called_a_morph_computes_the_parents_function(name, seed, edits, kind):
    """A network grown in one decision, or mutated in up to three as a search does."""
    space = load_space(name)
    choices = random_choices(space, seed)
    parent, child = (kind and grown(name, seed, kind)) or (
        decoded(space, choices),
        decoded(space, space.mutate(choices, random.Random(seed), edits)),
    )
    assume(child is not None)
    change = largest_change(child, parent, seed % 1000)
    assert change is None or change < CLOSE, difference(child, parent)
    assert (change is not None) == best_parent_score(child.graph, parent.graph)[0]


@pytest.mark.parametrize("kind", ["repeat", "kernel", "growth"])
def test_morphs_of_networks_over_windows_one_wide(kind):
    """Kernels are 3 x 1 there: the identity that makes a network deeper has its one at (1, 0)."""
    windows = np.random.default_rng(0).integers(0, 256, (8, 24, 1, 6)).astype(np.float32)
    changes = []
    for seed in range(8):
        if pair := grown("sensor_cell", seed, kind, windows.shape[1:]):
            changes.append(largest_change(*pair[::-1], seed, windows))
    exact = [change for change in changes if change is not None]
    assert exact and max(exact) < CLOSE


@pytest.mark.parametrize(
    ("space", "kind", "least"),
    [
        ("micro_cell", "stem.channels", 11),
        ("micro_cell", "growth", 11),
        ("micro_cell", "kernel", 13),
        ("micro_cell", "branch", 11),
        ("mbconv_macro", "repeat", 15),
        ("mbconv_macro", "kernel", 16),
        ("mbconv_macro", "expansion", 11),
        ("mbconv_macro", "channels", 9),
        ("nano", "stem.channels", 10),
        ("nano", "channels", 15),
        ("nano", "repeat", 14),
        ("nasbench201", "kernel", 12),
        ("nasbench201", "branch", 11),
    ],
)
def test_growth_is_found(space, kind, least):
    """Of 16 random parents; others cannot, or grow into or out of a residual, or through a pooling."""
    pairs = filter(None, (grown(space, seed, kind) for seed in range(16)))
    assert sum(best_parent_score(child.graph, parent.graph)[0] for parent, child in pairs) >= least


def changed(arch, **changes):
    return replace(arch, stages=(replace(arch.stages[0], **changes), *arch.stages[1:]))


CASES = {
    "wider, through residuals": ("mbconv_3x3_e2", {"stem_channels": 24}, {"channels": 24}),
    "wider and deeper residuals": ("mbconv_5x5_e3", {"stem_channels": 20}, {"channels": 20, "repeat": 3}),
    "deeper, identity": ("sep_conv_3x3", {}, {"repeat": 2}),
    "deeper, wider identity": ("sep_conv_5x5", {}, {"repeat": 3, "channels": 20}),
    "deeper, full convolutions": ("conv_3x3", {"stem_channels": 20}, {"repeat": 2, "channels": 20}),
    "deeper, hard_swish residual": ("mbconv_3x3_e2", {"activation": "hard_swish"}, {"repeat": 3}),
    "larger kernel, stride 2": ("sep_conv_3x3", {}, {"cell": dag("0:sep_conv_5x5")}),
    "1x1 to 3x3": ("conv_1x1", {}, {"cell": dag("0:conv_3x3")}),
    "larger fused": ("fused_3x3_e2", {}, {"cell": dag("0:fused_5x5_e4")}),
    "expansion from none, after relu6": ("mbconv_3x3_e1", {}, {"cell": dag("0:mbconv_3x3_e3")}),
    "branch": ("conv_3x3", {}, {"cell": dag("0:conv_3x3 0:sep_conv_3x3")}),
    "branch first": ("conv_3x3", {}, {"cell": dag("0:sep_conv_3x3 0:conv_3x3")}),
    "skip to residual": ("skip", {}, {"cell": dag("0:mbconv_3x3_e2")}),
    "node behind": ("conv_3x3", {}, {"cell": dag("0:conv_3x3 | 1:skip 0:sep_conv_5x5")}),
    "node to concatenate": (
        "conv_3x3",
        {"head_channels": 8},
        {"cell": dag("0:conv_3x3 | 0:sep_conv_3x3", "concat")},
    ),
    "shared node": ("conv_1x1", {}, {"cell": dag("0:conv_1x1 | 0:conv_3x3 | 1:skip 2:skip 2:max_pool_3x3")}),
}


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("case", CASES)
def test_grown_by_hand(case, stride):
    op, both, stage = CASES[case]
    if stride == 2 and case == "skip to residual":
        pytest.skip("a strided skip is a convolution of its own")
    parent = changed(one(op, **{k: v for k, v in both.items() if k != "stem_channels"}), stride=stride)
    if case == "branch first":
        parent = changed(parent, cell=dag("0:zero 0:conv_3x3"))
    child = changed(replace(parent, **both), **stage)
    change = largest_change(child, parent)
    assert change is not None
    assert change < CLOSE
    assert difference(child, parent)


def test_concatenations_keep_their_order():
    two, three = (
        dag("0:conv_1x1 | 0:conv_3x3", "concat"),
        dag("0:conv_1x1 | 0:conv_3x3 | 0:sep_conv_3x3", "concat"),
    )
    parent = changed(one("skip"), cell=two)
    for child in (
        changed(parent, cell=three),
        changed(parent, channels=24),
        changed(parent, cell=three, channels=20),
    ):
        change = largest_change(child, parent)
        assert change is not None
        assert change < CLOSE


def test_readers_of_one_node_have_to_agree():
    """node1 may be silent or the identity; node3 reads it twice, and only one of its choices serves both."""
    parent = one("skip", head_channels=8)
    cell = dag("0:conv_1x1 | 0:conv_1x1 1:skip | 1:skip 2:skip")
    child = changed(parent, cell=cell)
    change = largest_change(child, parent)
    assert change is not None
    assert change < CLOSE


NOT_PRESERVING = {
    "smaller": changed(one("conv_3x3"), channels=8),
    "removed branch": changed(one("skip"), cell=dag("0:zero 0:sep_conv_3x3")),
    "op swap": changed(one("skip"), cell=dag("0:mbconv_3x3_e2 0:sep_conv_3x3")),
    "activation": one(
        "conv_3x3", activation="relu", stages=(Stage(dag("0:conv_3x3 0:sep_conv_3x3"), 1, 16),)
    ),
    "stride": changed(one("skip"), cell=dag("0:conv_3x3 0:sep_conv_3x3"), stride=2),
    "input": one("skip", input_shape=(6, 6, 3), stages=(Stage(dag("0:conv_3x3 0:sep_conv_3x3"), 1, 16),)),
    "classes": one("skip", classes=6, stages=(Stage(dag("0:conv_3x3 0:sep_conv_3x3"), 1, 16),)),
}


@pytest.mark.parametrize("case", NOT_PRESERVING)
def test_other_edits_overlap(case):
    parent = changed(one("skip"), cell=dag("0:conv_3x3 0:sep_conv_3x3"))
    assert largest_change(NOT_PRESERVING[case], parent) is None
    assert best_parent_score(NOT_PRESERVING[case].graph, parent.graph)[0] is False


def test_what_no_identity_exists_for_is_not_called_exact():
    """hard_swish has none, relu6 none for sums above 6 or for values below 0."""
    for op, options in (
        ("sep_conv_3x3", {"activation": "hard_swish"}),
        ("conv_3x3", {"activation": "hard_swish"}),
    ):
        assert largest_change(one(op, 2, **options), one(op, 1, **options)) is None
    sums = dag("0:conv_3x3 0:conv_1x1")
    assert largest_change(changed(one("skip", 2), cell=sums), changed(one("skip"), cell=sums)) is None
    relu = [changed(one("skip", n, activation="relu"), cell=sums) for n in (1, 2)]
    assert largest_change(relu[1], relu[0]) < CLOSE
    linear = one("mbconv_3x3_e2")
    assert largest_change(replace(linear, head_channels=32), linear) is None


def test_a_network_is_a_morph_of_itself():
    for space in SPACES:
        arch = random_arch(space, 3)
        found, weights, _ = inherited(arch, arch)
        assert found.source == "morph"
        assert found.fraction == 1
        assert all(np.array_equal(found.weights[name], weights[name]) for name in weights)


def test_fraction_counts_kernel_weights():
    parent, child = one("conv_3x3", channels=8), one("conv_3x3", 2, channels=8)
    stem, cell, dense = 9 * 3 * 8, 9 * 8 * 8, 8 * 5
    expected = (stem + cell + dense) / (stem + 2 * cell + dense)
    assert inherited(child, parent)[0].fraction == pytest.approx(expected)
    assert best_parent_score(child.graph, parent.graph) == (True, pytest.approx(expected))
    assert overlap(child.graph, parent.graph) == pytest.approx(expected)


def test_shrink_mixes_kernels_with_fresh_ones():
    parent, child = one("conv_3x3", channels=8), one("conv_3x3", channels=12)
    exact, _, fresh = inherited(child, parent)
    half, _, _ = inherited(child, parent, shrink=0.5)
    assert (exact.source, half.source) == ("morph", "overlap")
    name = "stage0/cell0/node1/edge0/conv:kernel"
    np.testing.assert_allclose(half.weights[name], (exact.weights[name] + fresh[name]) / 2, rtol=1e-6)
    wide = inherited(parent, child)[0]  # cut down: overlap, SHRINK of it the parent's
    cut = trained_like(child.graph, 0, IMAGES)[name][:, :, :8, :8]
    own = trained_like(parent.graph, 1, IMAGES)[name]
    np.testing.assert_allclose(wide.weights[name], SHRINK * cut + (1 - SHRINK) * own, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(inherited(parent, child, shrink=1.0)[0].weights[name], cut)


def test_weights_survive_their_file(tmp_path):
    weights = trained_like(one("conv_3x3").graph, 0, IMAGES)
    save_file(weights, tmp_path / "w.safetensors")
    loaded = load_weights(str(tmp_path / "w.safetensors"))
    assert loaded.keys() == weights.keys()
    assert all(np.array_equal(loaded[name], weights[name]) for name in weights)


@pytest.mark.parametrize("activation", [None, "relu", "relu6"])
def test_moments_after_an_activation(activation):
    mean, deviation = np.array([-1.0, 0.5, 5.0, 8.0]), np.array([0.5, 2.0, 1.5, 3.0])
    drawn = np.random.default_rng(0).normal(mean, deviation, (400_000, 4))
    if activation:
        drawn = np.clip(drawn, 0, 6 if activation == "relu6" else None)
    expected = rectified(mean, deviation, activation)
    np.testing.assert_allclose(expected[0], drawn.mean(0), atol=0.02)
    np.testing.assert_allclose(expected[1], drawn.var(0), rtol=0.03, atol=1e-3)
