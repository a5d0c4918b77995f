"""`edgeml rebuild`: spec.json trains the same network again; damaged or foreign input is one sentence."""

from __future__ import annotations

import copy
import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import edgeml
from edgeml.data.dataset import load
from edgeml.data.options import ReadOptions
from edgeml.errors import ModelError
from edgeml.export.card import card
from edgeml.export.checksums import SUMS, digest
from edgeml.export.describe import data_spec
from edgeml.export.find_data import find_data
from edgeml.export.folder import export_files
from edgeml.export.scores import Scores
from edgeml.export.spec import Calibration, read_spec
from edgeml.report.run_files import open_run
from tests.test_cli import one_sentence


@pytest.fixture(scope="module")
def whole(finished_run, tmp_path_factory):
    files = open_run(finished_run)
    out = tmp_path_factory.mktemp("exported") / "out"
    export_files(finished_run, files.front[0], out, ("tflite",), dict(files.run))
    return out


@pytest.fixture
def folder(whole, tmp_path):
    """A copy of an exported folder that a test may spoil."""
    return shutil.copytree(whole, tmp_path / "out")


def edit(folder: Path, *keys, value) -> None:
    """Change spec.json and its checksum: what a user does who means it."""
    path = folder / "spec.json"
    spec = json.loads(path.read_text())
    place = spec
    for key in keys[:-1]:
        place = place[key]
    if value is ...:
        del place[keys[-1]]
    else:
        place[keys[-1]] = value
    path.write_text(json.dumps(spec))
    sums = (folder / SUMS).read_text().splitlines()
    lines = [
        f"{digest(path.read_bytes())}  spec.json" if line.endswith(" spec.json") else line for line in sums
    ]
    (folder / SUMS).write_text("\n".join(lines) + "\n")


def test_the_same_network_from_scratch_is_the_same(cli, folder, tmp_path):
    """The original started from fresh weights and was trained in one go, so every figure comes again."""
    code, out, err = cli("rebuild", folder, "--out", tmp_path / "again", "--json")
    assert code == 0, err
    told = json.loads(out)
    assert told["original"] == told["rebuilt"] and told["notes"] == [] and told["epochs"] == 2.0
    again = tmp_path / "again"
    assert (again / "model.tflite").read_bytes() == (folder / "model.tflite").read_bytes()
    assert {p.name for p in again.iterdir()} >= {"weights.safetensors", "spec.json", "MODEL_CARD.md", SUMS}
    spec = read_spec(again / "spec.json")
    assert spec.rebuilt is not None and spec.rebuilt.folder == str(folder)
    assert json.loads((again / "model.json").read_text())["proofs"]["tflite"]["passed"]
    assert "trained again from scratch" in (again / "MODEL_CARD.md").read_text()


def test_another_seed_and_a_second_generation(cli, folder):
    code, out, err = cli("rebuild", folder, "--seed", 77)
    assert code == 0, err
    assert "original" in out.splitlines()[0] and "rebuilt" in out.splitlines()[0]
    first = folder.with_name("out-rebuilt")
    assert read_spec(first / "spec.json").seed == 77
    assert (first / "weights.safetensors").read_bytes() != (folder / "weights.safetensors").read_bytes()
    code, out, err = cli("rebuild", first, "--json")
    assert code == 0, err
    assert json.loads(out)["original"] == json.loads(out)["rebuilt"]


@pytest.mark.slow
def test_compression_is_done_again(cli, tmp_path):
    """A quantisation-aware finalist that was trained in one go from fresh weights: the same bytes."""
    run = edgeml.search(
        "digits",
        "null",
        trials=1,
        epochs=2,
        inherit="none",
        curves=False,
        compress="qat",
        out=tmp_path / "run",
    )
    (variant,) = (run.path / "candidates").glob("*-qat")
    folder = run.export(variant.name, ["tflite"], tmp_path / "out")
    code, out, err = cli("rebuild", folder, "--json")
    assert code == 0, err
    told = json.loads(out)
    assert told["original"] == told["rebuilt"] and told["notes"] == []
    again = Path(told["folder"])
    for name in ("model.tflite", "weights.safetensors"):
        assert (again / name).read_bytes() == (folder / name).read_bytes()
    lineage = read_spec(again / "spec.json").search.lineage
    assert lineage.compression is not None and lineage.compression.method == "qat"


def test_what_the_search_did_more_is_said(cli, folder):
    """Inheritance, rungs and versions of the original are not repeated; notes say so.

    Digits are found by name where the run is gone.
    """
    before = {"epochs": 1.0, "accuracy": 0.4}
    edit(folder, "search", "lineage", value={
        "parent": "0123456789ab", "source": "morph", "rungs": [{"rung": 0, **before}, {"rung": 1, **before}],
    })  # fmt: skip
    edit(folder, "versions", "tensorflow", value="1.0")
    edit(folder, "versions", "pillow", value="2.0")  # decodes and resizes pictures
    edit(folder, "data", "saved", value="/nowhere/data")
    code, out, err = cli("rebuild", folder)
    assert code == 0, err
    flat = " ".join(out.split())
    assert "the original inherited weights and climbed rungs; this one was trained from scratch" in flat
    assert "tensorflow 1.0 then" in flat and "pillow 2.0 then" in flat


def test_ranges_are_taken_as_the_original_took_them(cli, folder, tmp_path):
    edit(
        folder, "calibration", value=Calibration(images=500, rule="percentile", percentile=99.0).model_dump()
    )
    code, _, err = cli("rebuild", folder, "--out", tmp_path / "clipped")
    assert code == 0, err
    assert (tmp_path / "clipped" / "model.tflite").read_bytes() != (folder / "model.tflite").read_bytes()
    assert (tmp_path / "clipped" / "weights.safetensors").read_bytes() == (
        folder / "weights.safetensors"
    ).read_bytes()
    assert "500 training images (percentile 99)" in (tmp_path / "clipped" / "MODEL_CARD.md").read_text()


def test_data_that_have_moved(cli, finished_run, folder, tmp_path):
    """The run is gone; a path that is gone must be said."""
    edit(folder, "data", "saved", value="/nowhere/data")
    edit(folder, "data", "source", value=str(tmp_path / "gone.npz"))
    moved = shutil.copytree(finished_run / "data", tmp_path / "moved")
    code, _, err = cli("rebuild", folder, "--data", moved)
    assert code == 0, err
    one_sentence(cli("rebuild", folder, "--out", tmp_path / "x"), "gone.npz", "--data")
    assert not (tmp_path / "x").exists()


def test_the_metric_is_the_originals_wherever_the_data_lie(tmp_path):
    """Data that another search left in the run's folder are aimed at that one's metric."""
    x = np.random.default_rng(0).normal(size=(60, 3))
    np.savez(tmp_path / "t.npz", x=x, y=x[:, 0])
    data = load(str(tmp_path / "t.npz"), ReadOptions(task="tabular-regression"))
    asked, other = data.aimed("rmse"), data.aimed("mae")
    other.save(tmp_path / "data")
    about = {
        "name": "t", "classes": [], "input_shape": data.input_shape, "counts": {}, "hash": data.hash,
        "task": data.task, "preprocessing": data.preprocessing, "goal": asked.goal.to_dict(),
    }  # fmt: skip
    known = data_spec(about, {"data": "gone.npz", "seed": 0}, str(tmp_path / "data"))
    spec = SimpleNamespace(data=known)
    for given in (None, str(tmp_path / "data")):
        assert find_data(spec, given, False).goal.metric == "rmse"


def test_other_data(cli, folder, tmp_path):
    digits = load("digits")
    images = np.concatenate([digits.train.inputs, digits.val.inputs, digits.test.inputs])[:600, ..., 0]
    labels = np.concatenate([digits.train.labels, digits.val.labels, digits.test.labels])[:600]
    np.savez(tmp_path / "some.npz", x=images, y=labels)
    one_sentence(cli("rebuild", folder, "--data", tmp_path / "some.npz"), "not the data", "--other-data")
    options = ("--data", tmp_path / "some.npz", "--other-data", "--out", tmp_path / "other")
    code, out, err = cli("rebuild", folder, *options)
    assert code == 0, err
    assert "other hash" in " ".join(out.split())
    spec = read_spec(tmp_path / "other" / "spec.json")
    assert spec.data.source == str(tmp_path / "some.npz") and sum(spec.data.counts.values()) == 600
    np.savez(tmp_path / "few.npz", x=images[labels < 3], y=labels[labels < 3])
    one_sentence(cli("rebuild", folder, "--data", tmp_path / "few.npz", "--other-data"), "3 classes")
    one_sentence(cli("rebuild", folder, "--data", tmp_path / "absent.npz"), "absent.npz")


@pytest.mark.parametrize("name", ["labels.txt", "weights.safetensors", "model.tflite"])
def test_a_tampered_file(cli, folder, name):
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    one_sentence(cli("rebuild", folder), name, "other checksum")


def test_a_tampered_spec(cli, folder):
    text = (folder / "spec.json").read_text()
    (folder / "spec.json").write_text(text.replace('"epochs": 2.0', '"epochs": 1.0'))
    one_sentence(cli("rebuild", folder), "spec.json", "other checksum", "where the change is yours")


def test_a_folder_that_is_none(cli, folder, tmp_path):
    one_sentence(cli("rebuild", tmp_path / "absent"), "spec.json", "cannot be read")
    one_sentence(cli("rebuild", tmp_path), "spec.json")
    (folder / SUMS).write_text("nonsense\n")
    one_sentence(cli("rebuild", folder), f"{SUMS}:1")
    (folder / SUMS).unlink()
    (tmp_path / "file").write_text("keep")
    one_sentence(cli("rebuild", folder, "--out", tmp_path / "file"), "is a file")
    one_sentence(cli("rebuild", folder, "--out", folder), "the original itself")
    data = ("--data", tmp_path / "absent")  # looked for after the place
    one_sentence(cli("rebuild", folder, *data, "--out", "/proc/out"), "/proc/out: cannot be written")


@pytest.mark.parametrize(
    "keys, value, words",
    [
        (("layout",), 2, "upgrade edgeml"),
        (("layout",), "1", "its layout is '1'"),
        (("layout",), True, "its layout is True"),
        (("layout",), ..., "its layout is None"),
        (("arch",), ..., "arch: field required"),
        (("arch",), {}, "arch: "),
        (("arch", "stages"), [{"cell": 3}], "arch: "),
        (("arch", "activation"), "tanh", "arch: unknown activation"),
        (("arch", "classes"), 7, "7 outputs"),
        (("recipe", "optimiser"), "sgdd", "recipe: unknown optimiser"),
        (("recipe", "learning_rate"), "fast", "recipe: "),
        (("recipe", "speed"), 3, "recipe: "),
        (("fidelity", "epochs"), 0, "fidelity: "),
        (("fidelity", "epochs"), None, "fidelity: "),
        (("seed",), -1, "seed: "),
        (("data", "classes"), ["one"], "data.classes"),
        (("scored", "test", "value"), 1.5, "scored.test.value"),
        (("calibration", "rule"), "guess", "calibration.rule"),
        (("surprise",), 1, "surprise"),
    ],
)  # fmt: skip
def test_a_damaged_spec(cli, folder, keys, value, words):
    edit(folder, *keys, value=value)
    one_sentence(cli("rebuild", folder), "spec.json", words)
    assert not folder.with_name("out-rebuilt").exists()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b'"x"'])
def test_a_spec_that_is_no_json_of_ours(tmp_path, content):
    (tmp_path / "spec.json").write_bytes(content)
    with pytest.raises(ModelError, match="is damaged"):
        read_spec(tmp_path / "spec.json")


def test_every_part_of_a_spec_is_looked_at(folder):
    """Any one value replaced by nonsense: refused with our error, or good enough for a card."""
    path = folder / "spec.json"
    spec = json.loads(path.read_text())

    scores = Scores(spec["scored"]["test"], (), ())

    def places(value, keys=()):
        yield keys
        for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
            yield from places(value[key], (*keys, key))

    for keys in list(places(spec))[1:]:
        for nonsense in (None, [], {}, "x", -1):
            changed = copy.deepcopy(spec)
            place = changed
            for key in keys[:-1]:
                place = place[key]
            place[keys[-1]] = nonsense
            path.write_text(json.dumps(changed))
            try:
                assert card(read_spec(path), scores, {}, [], [])
            except ModelError as error:
                assert str(path) in str(error)
