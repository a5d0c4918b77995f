"""Architecture IR: keys, shapes, costs, round trips, spaces."""

from __future__ import annotations

import csv
import gzip
import itertools
import json
import random
from pathlib import Path

import pytest

from edgeml.arch.cell import Arch, Cell, Edge, Stage, lower
from edgeml.arch.cost import cost, peak_activation_bytes
from edgeml.arch.graph import GraphBuilder
from edgeml.arch.layers import Add, Conv2D, Input, Softmax
from edgeml.arch.ops import OPS
from edgeml.arch.space import Task
from edgeml.arch.space_file import load_space
from edgeml.errors import ConfigError, DisconnectedArchError, UnknownNameError
from edgeml.resources import names

NB201_OPS = ("zero", "skip", "conv_1x1", "conv_3x3", "avg_pool_3x3")
NB201_NAMES = dict(
    zip(("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"), NB201_OPS, strict=True)
)


def nb201_cell(ops):
    a, b, c, d, e, f = ops
    return Cell(((Edge(0, a),), (Edge(0, b), Edge(1, c)), (Edge(0, d), Edge(1, e), Edge(2, f))))


def arch_of(cell, **changes):
    values = {"input_shape": (8, 8, 1), "classes": 10, "stem_channels": 8, "stages": (Stage(cell, 1, 8),)}
    return Arch(**{**values, **changes})


def test_nasbench201_has_6466_keys():
    """Every cell of the space, through the space file and Arch.key."""
    space, task = load_space("nasbench201"), Task((32, 32, 3), 10)
    names_ = [decision.name for decision in space.decisions]
    points = itertools.product(*(decision.choices for decision in space.decisions))
    keys = [space.decode(dict(zip(names_, point, strict=True)), task).key for point in points]
    assert len(keys) == 15_625
    assert len(set(keys)) == 6_466


def test_nasbench201_classes_are_the_published_ones(shared_data):
    table = shared_data("nb201") / "nb201_accuracy.csv.gz"
    with gzip.open(table, "rt") as file:
        rows = list(csv.DictReader(file))
    columns = ("op_e01", "op_e02", "op_e12", "op_e03", "op_e13", "op_e23")
    pairs = {
        (nb201_cell([NB201_NAMES[r[c]] for c in columns]).published_string, r["rep_index"]) for r in rows
    }
    assert len(pairs) == len({text for text, _ in pairs}) == len({rep for _, rep in pairs}) == 6_466


def test_what_surrounds_a_published_cell_is_part_of_its_key():
    """Front ends that give one shape, and an autoencoder's own layers."""
    cell = nb201_cell(["conv_3x3"] * 6)
    changes = ({}, {"front": "mfcc-30-20-13"}, {"task": "anomaly"}, {"task": "anomaly", "bottleneck": 8})
    assert len({arch_of(cell, identity="published", **some).key for some in changes}) == len(changes)


@pytest.mark.parametrize(("old", "new"), [("resnet", "searched"), ("output: last", "output: concat")])
def test_the_published_identity_is_for_cells_that_it_tells_apart(tmp_path, old, new):
    text = Path(load_space("nasbench201").source).read_text()
    path = tmp_path / "mine.yaml"
    path.write_text(text.replace(old, new))
    with pytest.raises(ConfigError, match=r"mine\.yaml.*identity.*graph"):
        load_space(str(path))


def test_isomorphic_cells_have_one_key():
    one = Cell(((Edge(0, "conv_3x3"),), (Edge(0, "conv_1x1"),), (Edge(1, "skip"), Edge(2, "skip"))))
    two = Cell(((Edge(0, "conv_1x1"),), (Edge(0, "conv_3x3"),), (Edge(2, "skip"), Edge(1, "skip"))))
    dead = Cell((*one.nodes[:2], (Edge(1, "zero"),), (Edge(2, "skip"), Edge(1, "skip"), Edge(3, "conv_3x3"))))
    assert arch_of(one).key == arch_of(two).key == arch_of(dead).key


def test_sums_have_no_order():
    edges = [Edge(0, "conv_3x3"), Edge(0, "conv_1x1"), Edge(0, "avg_pool_3x3")]
    keys = {arch_of(Cell((tuple(order),))).key for order in itertools.permutations(edges)}
    assert len(keys) == 1


def test_a_shared_layer_is_not_two_layers():
    """conv -> (a, b) differs from two convs of their own: other weights, other MACs."""
    shared = Cell(((Edge(0, "conv_3x3"),), (Edge(1, "conv_1x1"), Edge(1, "conv_3x3"))))
    apart = Cell(((Edge(0, "conv_3x3"),), (Edge(0, "conv_3x3"),), (Edge(1, "conv_1x1"), Edge(2, "conv_3x3"))))
    assert arch_of(shared).key != arch_of(apart).key


@pytest.mark.parametrize(
    "change", [{"stem_channels": 16}, {"classes": 9}, {"activation": "relu"}, {"head_channels": 4}]
)
def test_different_networks_have_different_keys(change):
    cell = Cell(((Edge(0, "conv_3x3"),),))
    assert arch_of(cell).key != arch_of(cell, **change).key


def test_cell_without_a_path_is_disconnected():
    with pytest.raises(DisconnectedArchError):
        lower(arch_of(Cell(((Edge(0, "zero"),),))))


def test_cost_of_a_known_network():
    """Hand-counted: stem 3x3x1x8 on 8x8, conv 3x3x8x8 on 8x8, dense 8x10."""
    graph = lower(arch_of(Cell(((Edge(0, "conv_3x3"),),))))
    found = cost(graph)
    assert found.macs == 64 * 9 * 8 + 64 * 9 * 8 * 8 + 80
    assert found.params == (72 + 8) + (576 + 8) + (80 + 10)
    assert found.weight_bytes == 72 + 576 + 80 + 4 * (8 + 8 + 10)
    assert found.ram_bytes == 2 * 8 * 8 * 8


def test_peak_counts_a_residual_that_waits():
    build = GraphBuilder()
    a = build.add("in", Input((4, 4, 2)))
    b = build.add("wide", Conv2D(10, 1), a)
    c = build.add("back", Conv2D(2, 1), b)
    graph = build.finish(build.add("sum", Add(), a, c))
    assert peak_activation_bytes(graph) == 16 * (2 + 10 + 2)


def test_strided_shapes_round_up():
    build = GraphBuilder()
    a = build.add("in", Input((7, 5, 3)))
    assert build.shape(build.add("c", Conv2D(4, 3, 2), a)) == (4, 3, 4)


@pytest.mark.parametrize(
    ("name", "shape", "strides", "last"),
    [
        *(
            (name, (px, px, 1), (2, 1, 2, 2), (4, 4))
            for name in ("mcu", "micro_cell", "nano")
            for px in (28, 30)
        ),
        *(("nasbench201", (px, px, 3), (1, 1, 2, 2), (-(-px // 4),) * 2) for px in (28, 30)),
        ("mbconv_macro", (28, 28, 3), (2, 1, 2, 2, 1), (4, 4)),
        ("mbconv_macro", (20, 20, 3), (1, 1, 2, 2, 1), (5, 5)),
        ("mbconv_macro", (18, 18, 3), (1, 1, 2, 2, 1), (5, 5)),
        ("audio_cell", (28, 32, 1), (2, 1, 2, 2), (4, 4)),
        ("audio_cell", (30, 40, 1), (2, 1, 2, 2), (4, 5)),
        ("sensor_cell", (28, 1, 3), (1, 1, 2, 2), (7, 1)),
        ("sensor_cell", (14, 1, 3), (1, 1, 2, 2), (4, 1)),
    ],
)
def test_a_space_takes_the_strides_that_leave_its_smallest_size(name, shape, strides, last):
    """As "same" padding rounds up, 28 px are 14, 7 and 4."""
    space = load_space(name)
    choices = {decision.name: decision.choices[-1] for decision in space.decisions}
    arch = space.decode(choices, Task(shape, 10, resizable=False))
    assert (arch.stem_stride, *(stage.stride for stage in arch.stages)) == strides
    assert [n.shape for n in arch.graph.nodes if n.shape[0] > 1][-1][:2] == last


def test_dead_nodes_are_dropped():
    build = GraphBuilder()
    a = build.add("in", Input((4, 4, 2)))
    build.add("dead", Conv2D(2), a)
    assert [n.name for n in build.finish(build.add("out", Softmax(), a)).nodes] == ["in", "out"]


@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("stride", [1, 2])
def test_every_op_gives_the_shape_asked_for(op, stride):
    cell = Cell(((Edge(0, op), Edge(0, "conv_1x1")),))
    graph = lower(arch_of(cell, input_shape=(9, 9, 3), stages=(Stage(cell, 2, 12, stride),)))
    before_pool = graph.nodes[-4]
    assert before_pool.shape == (-(-9 // stride), -(-9 // stride), 12)


@pytest.mark.parametrize("name", names("search_spaces"))
def test_random_points_build_cost_and_round_trip(name):
    space, rng, connected = load_space(name), random.Random(7), 0
    for index in range(1000):
        task = Task(
            rng.choice([(8, 8, 1), (28, 28, 1), (32, 32, 3), (64, 48, 3), (5, 3, 2)]), rng.randint(2, 20)
        )
        arch = space.decode(space.sample(rng), task)
        try:
            graph = lower(arch)
        except DisconnectedArchError:
            continue
        connected += 1
        costs = cost(graph)
        assert costs.macs > 0 and costs.size_bytes > costs.weight_bytes >= costs.params
        assert graph.output_shape == (1, 1, task.classes)
        if index % 10 == 0:
            again = Arch.from_dict(json.loads(arch.to_json()))
            assert again == arch and again.key == arch.key
    assert connected > 800


def test_mutation_changes_what_it_says():
    space, rng = load_space("micro_cell"), random.Random(0)
    point = space.sample(rng)
    for edits in (1, 2, 3):
        child = space.mutate(point, rng, edits)
        assert sum(child[k] != point[k] for k in point) == edits


def test_unknown_op_suggests_the_nearest():
    with pytest.raises(UnknownNameError, match="Did you mean 'conv_3x3'"):
        Edge(0, "conv_3x33")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("kind: cells", "kind: cellz"), r":\d+: kind"),
        (("ops: [skip", "ops: [skipp"), r":\d+: cell.*unknown op 'skipp'"),
        (("nodes: 3", "nodes: 99"), r":\d+: cell.nodes"),
        (("head:", "heads:"), r":\d+: heads"),
        (("stages: {count: 3", "stages: {count: x"), r":\d+: stages"),
        (("activation", "activation"), None),
    ],
)
def test_errors_in_a_space_file_name_the_line(tmp_path, change, words):
    source = load_space("micro_cell").source
    text = Path(source).read_text(encoding="utf-8")
    path = tmp_path / "mine.yaml"
    path.write_text(text.replace(*change), encoding="utf-8")
    if words is None:
        assert load_space(str(path)).size > 1
        return
    with pytest.raises(ConfigError, match=words) as caught:
        load_space(str(path))
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)
