"""A run whose files are damaged is one sentence to whoever reads it: found by bench/endurance_fuzz.py."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import struct
import tempfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgeml.data.options import ReadOptions
from edgeml.errors import DataError, EdgemlError, RunError
from edgeml.report.compare import compare
from edgeml.report.leaderboard import table
from edgeml.report.page import write_report
from edgeml.report.run_files import open_run

DAMAGE = {
    "front.json": ('{"keys": 3}', '{"keys": [["a"]]}', '{"knee": ["a"]}', "[" * 100_000, "[1]"),
    "state.json": (
        '{"time_s": {"train": "~"}}',
        '{"time_s": 3}',
        '{"hypervolume": [[1, 2, 3, 4]]}',
        '{"hypervolume": [[1, null, 3]]}',
        '{"refused": 0.5}',
        '{"rungs": [true]}',
        '{"reference_point": 1.5}',
    ),
}


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in DAMAGE.items() for text in texts])
def test_a_damaged_file_is_named(name, text, finished_run, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(finished_run, run)
    (run / name).write_text(text, encoding="utf-8")
    with pytest.raises(RunError) as caught:
        write_report(run)
    assert name in str(caught.value) and len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("settings", 3),
        ("objectives", [7]),
        ("dataset", {"goal": {"x": 1}}),
        ("dataset", {"goal": {"metric": ";"}}),
        ("host", True),
        ("ladder", {"rungs": [{"epochs": "1"}]}),
        ("targets", ["cpu"]),
    ],
)
def test_a_part_of_run_json_of_another_type_is_named(key, value, finished_run, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(finished_run, run)
    whole = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**whole, key: value}))
    with pytest.raises(RunError, match=f"run.json is damaged: {key}"):
        open_run(run)


def _places(value, path=()):
    """Paths to everything in a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        yield (*path, key)
        yield from _places(one, (*path, key))


@settings(
    max_examples=int(os.environ.get("EDGEML_EXAMPLES", 15)),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_any_part_may_be_missing_or_null(data, finished_run, tmp_path):
    """Somebody's edit or another version: a report and tables, or one sentence."""
    names = sorted(str(f.relative_to(finished_run)) for f in finished_run.rglob("*.json"))
    names = [name for name in names if name.count("/") != 1]  # data/ is not read by these
    name = data.draw(st.sampled_from(names))
    value = json.loads((finished_run / name).read_text())
    *above, last = data.draw(st.sampled_from(sorted(_places(value), key=repr)))
    inner = value
    for key in above:
        inner = inner[key]
    if data.draw(st.booleans()):
        inner[last] = None
    else:
        del inner[last]
    run = Path(tempfile.mkdtemp(dir=tmp_path)) / "run"
    shutil.copytree(
        finished_run, run, ignore=lambda folder, names: {"data", "weights.safetensors"} & {*names}
    )
    (run / name).write_text(json.dumps(value))
    for reader in (lambda: table(open_run(run)), lambda: compare([run, finished_run], force=True)):
        with suppress(EdgemlError):
            reader()
    with suppress(EdgemlError):
        write_report(run)


def test_the_unit_of_a_metric_is_that_of_its_name_whatever_run_json_says(finished_run, tmp_path):
    run = shutil.copytree(finished_run, tmp_path / "run")
    whole = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**whole, "metric": {"name": "accuracy"}}))
    files = open_run(run)
    assert files.metric["unit"] == "%" and "accuracies in %" in str(table(files).caption)


def test_zipped_zeros_are_read_no_further_than_their_header_says(tmp_path):
    from edgeml.data.kinds import read_source

    head = struct.pack(">BBBBIII", 0, 0, 8, 3, 2, 4, 4)
    images = gzip.compress(head + bytes(1 << 26))
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(images)
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(struct.pack(">BBBBI", 0, 0, 8, 1, 2) + b"\0\1")
    with pytest.raises(DataError, match="more than 32 bytes of data"):
        read_source(str(tmp_path), ReadOptions())


def test_arrays_that_do_not_fit_into_memory_are_refused_before_they_are_read(tmp_path, monkeypatch):
    from edgeml.data import scratch
    from edgeml.data.kinds import read_source

    monkeypatch.setattr(scratch, "available_bytes", lambda: 1000)
    np.savez(tmp_path / "set.npz", x=np.zeros((40, 8, 8), np.uint8), y=np.arange(40) % 2)
    with pytest.raises(DataError, match="of memory"):
        read_source(str(tmp_path / "set.npz"), ReadOptions())


def test_an_empty_array_of_impossible_sizes_is_named(tmp_path):
    from edgeml.data.kinds import read_source

    head = struct.pack(">BBBB4I", 0, 0, 8, 4, 0, *[2**32 - 1] * 3)
    (tmp_path / "train-images-idx3-ubyte").write_bytes(head)
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(struct.pack(">BBBBI", 0, 0, 8, 1, 0))
    with pytest.raises(DataError, match="which no array can have"):
        read_source(str(tmp_path), ReadOptions())


def test_class_names_that_are_no_text_are_named(tmp_path):
    from edgeml.data.kinds import read_source

    names = np.frombuffer(b"\xff\xff\xff\x7f" * 2, "<U1")
    np.savez(tmp_path / "set.npz", x=np.zeros((40, 8, 8), np.uint8), y=np.arange(40) % 2, class_names=names)
    with pytest.raises(DataError, match="class_names holds bytes that are no text"):
        read_source(str(tmp_path / "set.npz"), ReadOptions())


def test_an_operator_whose_shapes_do_not_fit_it_is_named():
    from types import SimpleNamespace

    from edgeml.errors import ModelError
    from edgeml.target.arm_work import amounts

    tensors = [SimpleNamespace(shape=shape) for shape in ((1, 8, 8, 3), (), ())]
    operator = SimpleNamespace(name="DEPTHWISE_CONV_2D", inputs=(0, 1), outputs=(2,), macs=1)
    with pytest.raises(ModelError, match="DEPTHWISE_CONV_2D cannot have inputs"):
        amounts(SimpleNamespace(operators=[operator], tensors=tensors))
