"""Training settings as decisions of a space, the key that covers them, and the fidelity knobs of an Arch."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgeml.arch.cell import Arch, Cell, Edge, Stage
from edgeml.arch.cost import cost
from edgeml.arch.recipe import OPTIMISERS, Recipe, candidate_key, default_recipe
from edgeml.arch.scale import scaled
from edgeml.arch.space import Task
from edgeml.arch.space_file import load_space
from edgeml.errors import ConfigError, DisconnectedArchError, UnknownNameError
from edgeml.resources import names
from edgeml.train.fidelity import Fidelity, full_fidelity

EVERY = """
training:
  learning_rate: [2.0e-3, 8.0e-3]
  optimiser: [adam, sgd]
  weight_decay: [0, 1e-4]
  batch_size: [64, 128]
  label_smoothing: [0, 0.1]
  initialiser: [he_normal, glorot_uniform]
  dropout: [0, 0.2]
  augmentation: [0.5, 1]
  shift: 0.1
  shift_across: [true, false]
  flip: [true, false]
  compression: [none, qat]
"""


def space_with(tmp_path, training, name="nano"):
    path = tmp_path / "mine.yaml"
    path.write_text(Path(load_space(name).source).read_text(encoding="utf-8") + training, encoding="utf-8")
    return load_space(str(path))


def connected(space, seed=0, shape=(8, 8, 1), **fixed):
    rng = random.Random(seed)
    while True:
        choices = {**space.sample(rng), **fixed}
        arch = space.decode(choices, Task(shape, 10))
        try:
            arch.key  # noqa: B018
        except DisconnectedArchError:
            continue
        return choices, arch


def test_training_settings_are_decisions_and_reach_recipe_and_arch(tmp_path):
    plain, space = load_space("nano"), space_with(tmp_path, EVERY)
    added = [d.name for d in space.decisions if d not in plain.decisions]
    assert added == [f"training.{name}" for name in (
        "learning_rate", "optimiser", "weight_decay", "batch_size", "label_smoothing", "initialiser",
        "dropout", "augmentation", "flip", "compression", "shift_across",
    )]  # fmt: skip
    assert space.size == plain.size * 2**11
    chosen = {"learning_rate": 2e-3, "optimiser": "sgd", "weight_decay": 0.0, "batch_size": 64, "flip": True}
    choices, arch = connected(
        space, **{f"training.{k}": v for k, v in chosen.items()}, **{"training.dropout": 0.2}
    )
    recipe = space.recipe(choices, (8, 8, 1))
    assert arch.dropout == 0.2 and {name: getattr(recipe, name) for name in chosen} == chosen
    assert Recipe(**recipe.to_dict()) == recipe
    with pytest.raises(ConfigError, match=r"lack .*training.learning_rate"):
        space.recipe({k: v for k, v in choices.items() if k != "training.learning_rate"}, (8, 8, 1))


@pytest.mark.parametrize("space", [name for name in names("search_spaces") if name != "autoencoder"])
def test_without_the_section_nothing_changes(space):
    loaded = load_space(space)
    choices, arch = connected(loaded, shape=(32, 32, 3))
    assert not [d.name for d in loaded.decisions if d.name.startswith("training.")]
    for channels in (1, 3):
        assert loaded.recipe(choices, (32, 32, channels)) == Recipe(flip=channels == 3)
    assert candidate_key(arch, loaded.recipe(choices, (32, 32, 3))) == arch.key


def test_what_is_one_wide_is_never_mirrored_and_keeps_the_key_of_its_architecture():
    for shape in ((64, 1, 3), (1, 1, 13)):
        recipe = default_recipe(shape)
        assert not recipe.flip and recipe.noise and bool(recipe.speed) == (shape[0] > 1)
        arch = Arch(shape, 3, 8, (Stage(Cell(((Edge(0, "conv_1x1"),),)), 1, 8),))
        assert candidate_key(arch, recipe) == arch.key != candidate_key(arch, replace(recipe, noise=0.2))


def test_what_no_augmentation_switches_off_makes_no_other_candidate():
    arch = Arch((8, 8, 1), 3, 8, (Stage(Cell(((Edge(0, "conv_1x1"),),)), 1, 8),))
    still = [Recipe(augmentation=0, shift=shift, flip=flip) for shift in (0.1, 0.2) for flip in (True, False)]
    assert len({candidate_key(arch, recipe) for recipe in still}) == 1
    moved = {candidate_key(arch, replace(recipe, augmentation=1.0)) for recipe in still}
    assert len(moved) == 4 and not moved & {candidate_key(arch, still[0])}


def test_spectrograms_move_in_time_only():
    shape, front = (33, 32, 1), "logmel-30-20-32"
    for name in ("audio_cell", "micro_cell", "nano"):
        space = load_space(name)
        choices = space.sample(random.Random(0))
        recipe = space.recipe(choices, shape, front)
        assert not recipe.shift_across and recipe.shift and space.recipe(choices, shape).shift_across
    arch = Arch(shape, 3, 8, (Stage(Cell(((Edge(0, "conv_1x1"),),)), 1, 8),), front=front)
    assert candidate_key(arch, recipe) == arch.key != candidate_key(arch, Recipe())


def test_one_value_is_fixed_and_no_decision(tmp_path):
    space = space_with(tmp_path, "training: {learning_rate: 3e-3, optimiser: rmsprop}\n")
    choices, _ = connected(space)
    assert space.size == load_space("nano").size
    assert space.recipe(choices, (8, 8, 3)) == Recipe(3e-3, optimiser="rmsprop", flip=True)


@pytest.mark.parametrize("space", ["nano", "nasbench201"])
def test_the_key_covers_every_training_decision(tmp_path, space):
    loaded = space_with(tmp_path, EVERY, space)
    choices, _ = connected(loaded)
    trained = [d for d in loaded.decisions if d.name.startswith("training.")]
    default = {
        "learning_rate": 8e-3,
        "weight_decay": 1e-4,
        "augmentation": 1,
        "flip": False,
        "shift_across": True,
        "batch_size": 128,
    }
    choices.update({d.name: default.get(d.name.removeprefix("training."), d.choices[0]) for d in trained})

    def key(point):
        return candidate_key(loaded.decode(point, Task((8, 8, 1), 10)), loaded.recipe(point, (8, 8, 1)))

    found = {key(choices)}
    for decision in trained:
        found |= {key({**choices, decision.name: choice}) for choice in decision.choices}
    assert len(found) == 1 + len(trained) and all(len(k) == 12 and int(k, 16) >= 0 for k in found)
    assert key(choices) == key(dict(reversed(choices.items())))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{learning_rate: 0}", r":\d+: training.learning_rate.*greater than 0"),
        ("{learning_rate: [8.0e-3, -1]}", r":\d+: training.learning_rate"),
        ("{learning_rate: []}", r":\d+: training.learning_rate"),
        ("{learning_rate: .nan}", r":\d+: training.learning_rate"),
        ("{optimiser: adm}", r"unknown optimiser 'adm'; known: adam, sgd, rmsprop"),
        ("{initialiser: [he]}", r"unknown initialiser 'he'; known: he_normal"),
        ("{batch_size: 0}", r"training.batch_size"),
        ("{batch_size: 1.5}", r"training.batch_size"),
        ("{dropout: 1}", r"training.dropout"),
        ("{augmentation: many}", r"training.augmentation"),
        ("{momentum: 0.9}", r":\d+: training.momentum"),
        ("[adam]", r":\d+: training"),
        ("{dropout: 0.1}\ndropout: 0.2", r"`dropout:` stands here and under `training:`"),
    ],
)
def test_bad_training_sections_name_line_and_field(tmp_path, text, words):
    with pytest.raises(ConfigError, match=words) as caught:
        space_with(tmp_path, f"training: {text}\n")
    assert "\n" not in str(caught.value) and "mine.yaml:" in str(caught.value)


@pytest.mark.parametrize(
    ("setting", "error"),
    [
        ({"learning_rate": 0.0}, ConfigError),
        ({"learning_rate": float("nan")}, ConfigError),
        ({"augmentation": -1.0}, ConfigError),
        ({"batch_size": 0}, ConfigError),
        ({"optimiser": "lion"}, UnknownNameError),
        ({"initialiser": "ones"}, UnknownNameError),
    ],
)
def test_a_recipe_that_cannot_be(setting, error):
    with pytest.raises(error, match=next(iter(setting))):
        Recipe(**setting)


def test_the_training_room_knows_every_optimiser():
    from edgeml.train import optimiser

    assert set(optimiser.OPTIMISERS) == set(OPTIMISERS)


@pytest.mark.parametrize("space", names("search_spaces"))
def test_scaled_networks_are_smaller_networks_of_the_same_kind(space):
    loaded = load_space(space)
    for seed in range(20):
        _, arch = connected(loaded, seed, (32, 32, 3))
        assert scaled(arch) == arch and scaled(arch, 1, 1, 1).key == arch.key
        small = scaled(arch, 0.5, 0.5, 0.5)
        assert small.input_shape == (*(max(1, (s + 1) // 2) for s in arch.input_shape[:2]), 3)
        for old, new in zip(arch.stages, small.stages, strict=True):
            assert (new.cell, new.stride, new.reduction) == (old.cell, old.stride, old.reduction)
            assert 1 <= new.repeat <= old.repeat and new.channels % 4 == 0 and new.channels >= 4
        assert bool(small.head_channels) == bool(arch.head_channels)
        assert cost(small.graph).macs < cost(arch.graph).macs
        tiny = scaled(arch, 0.01, 0.01, 0.01)
        assert tiny.graph.input_shape[:2] == (1, 1) and {s.channels for s in tiny.stages} == {4}
    with pytest.raises(ConfigError, match="width"):
        scaled(arch, width=0)


def test_stages_without_cells_stay_empty():
    _, arch = connected(load_space("nano"))
    empty = replace(arch, stages=(replace(arch.stages[0], repeat=0), *arch.stages[1:]))
    assert scaled(empty, cells=0.5).stages[0].repeat == 0


@pytest.mark.parametrize(
    "change",
    [{"data_fraction": 0}, {"resolution": 1.5}, {"width": -1}, {"cells": float("nan")}, {"epochs": 0}],
)
def test_a_fidelity_that_cannot_be(change):
    with pytest.raises(ConfigError, match=next(iter(change))):
        Fidelity(**{"epochs": 1.0, **change})


def test_subsets_are_stratified_nested_and_by_seed():
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(5), [400, 300, 200, 90, 10]))
    parts = [Fidelity(1, data_fraction=share).subset(labels, 3) for share in (0.1, 0.3)]
    assert [len(part) for part in parts] == [100, 300] and set(parts[0]) < set(parts[1])
    assert np.abs(np.bincount(labels[parts[0]], minlength=5) - [40, 30, 20, 9, 1]).max() <= 1
    assert (np.diff(parts[1]) > 0).all()
    other = Fidelity(1, data_fraction=0.1).subset(labels, 4)
    assert set(other) != set(parts[0]) and Fidelity(1).subset(labels, 3) is None


def test_batches_and_full_fidelity():
    assert [full_fidelity(n).epochs for n in (85, 300, 1000, 2280, 5000, 9000)] == [200, 167, 50, 22, 20, 20]
    assert full_fidelity(51_000) == Fidelity(180_000 / 51_000, 64) and full_fidelity(100).batch_size == 12
    assert [full_fidelity(n).batch_size for n in (1257, 5000, 7000, 9000, 10**6)] == [32, 32, 64, 64, 128]
    assert Fidelity(1).batch(51_000, None) == 128 and Fidelity(1).batch(51_000, 64) == 64
    assert Fidelity(1).batch(100, 64) == 12 and Fidelity(1).batch(3, None) == 1
    assert Fidelity(**full_fidelity(500, 2, 3.0).to_dict()) == full_fidelity(500, 2, 3.0)
