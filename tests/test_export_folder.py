"""An exported folder stands alone: what is in it, that it is right, and that it says where it is not."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from markdown_it import MarkdownIt

import edgeml
from edgeml.data.dataset import Dataset
from edgeml.deploy.runtime import predict
from edgeml.errors import ModelError, RunError
from edgeml.export import card_history, formats
from edgeml.export.folder import export_files
from edgeml.export.literals import markdown_text
from edgeml.export.place import write_folder
from edgeml.export.spec import read_spec
from edgeml.export.undated import DURATIONS, undated
from edgeml.report.run_files import open_run
from tests.test_export_literals import ANY_TEXT

COMMON = {
    "labels.txt", "spec.json", "weights.safetensors", "MODEL_CARD.md", "model.json", "SHA256SUMS",
    "example_litert.py", "EdgemlClassifier.kt",
}  # fmt: skip


@pytest.fixture(scope="module")
def exported(finished_run, tmp_path_factory):
    """(what `export_files` says, the folder)."""
    files = open_run(finished_run)
    out = tmp_path_factory.mktemp("exported") / "out"
    done = export_files(finished_run, files.front[0], out, ("tflite", "onnx"), dict(files.run))
    return done, out


def tables(text: str) -> list[list[list[str]]]:
    """Every table of a Markdown page as rows of plain text, read by a Markdown parser."""
    found: list[list[list[str]]] = []
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        if token.type == "table_open":
            found.append([])
        elif token.type == "tr_open":
            found[-1].append([])
        elif token.type == "inline" and found and token.level > 2:
            found[-1][-1].append("".join(child.content for child in token.children or ()))
    return found


def test_the_files_are_those_that_are_listed(exported):
    done, out = exported
    assert done.ok and not done.notes and not done.skipped
    names = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    assert (
        names
        == {one.name for one in done.files}
        == COMMON | {"model.tflite", "model.onnx", "example_onnx.py"}
    )
    for one in done.files:
        assert (out / one.name).stat().st_size == one.size


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="needs sha256sum")
def test_sha256sum_agrees(exported):
    _, out = exported
    done = subprocess.run(
        ["sha256sum", "-c", "SHA256SUMS"], cwd=out, capture_output=True, text=True, check=True
    )
    names = {path.name for path in out.iterdir()} - {"SHA256SUMS"}
    assert {line.removesuffix(": OK") for line in done.stdout.splitlines()} == names


def test_model_json_keeps_its_keys_and_adds_proofs(exported, finished_run):
    done, out = exported
    card = json.loads((out / "model.json").read_text())
    record = json.loads((finished_run / "candidates" / done.key / "candidate.json").read_text())
    assert {name: card[name] for name in record if name in card} == undated(record)
    assert card["classes"] == [str(digit) for digit in range(10)] and card["dataset"] == "digits"
    assert card["input"] == "raw uint8, NHWC" and card["spec"] == "spec.json"
    assert set(card["proofs"]) == {"tflite", "onnx"} and all(p["passed"] for p in card["proofs"].values())
    for name, wanted in card["checksums"].items():
        assert hashlib.sha256((out / name).read_bytes()).hexdigest() == wanted
    assert (out / "weights.safetensors").read_bytes() == (
        finished_run / "candidates" / done.key / "weights.safetensors"
    ).read_bytes()
    assert record["artifact"]["weights_sha256"] == card["checksums"]["weights.safetensors"]


def test_the_same_folder_twice(exported, finished_run, tmp_path):
    """Proofs take as long as they take; what is written is the same, byte for byte."""
    done, out = exported
    again = export_files(
        finished_run, done.key, tmp_path / "again", ("tflite", "onnx"), dict(open_run(finished_run).run)
    )
    assert contents(out) == contents(again.folder)
    took = [found.proofs["onnx"].seconds for found in (done, again)]
    assert all(took), "what is printed keeps its durations"
    texts = [path.read_text() for path in out.glob("*.json")]
    assert not any(f'"{name}"' in text for name in DURATIONS for text in texts if name != "time_s")


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_card_says_by_class_what_the_artifact_gets(exported, finished_run):
    """Counted here from predictions, not by edgeml's scoring."""
    done, out = exported
    model = (finished_run / "candidates" / done.key / "model.tflite").read_bytes()
    test = Dataset.open(finished_run / "data").test
    called = predict(model, test.inputs).argmax(-1)
    (rows,) = [table for table in tables((out / "MODEL_CARD.md").read_text()) if table[0][0] == "class"]
    assert len(rows) == 11
    for label, (name, precision, recall, n) in enumerate(rows[1:]):
        right = sum(1 for a, b in zip(test.labels, called, strict=True) if a == b == label)
        of_class, of_call = int((test.labels == label).sum()), int((called == label).sum())
        assert (name, n) == (str(label), str(of_class))
        assert recall == f"{100 * right / of_class:.1f} %"
        assert precision == (f"{100 * right / of_call:.1f} %" if of_call else "-")


def test_the_card_says_what_matters(exported, finished_run):
    _, out = exported
    run, text = json.loads((finished_run / "run.json").read_text()), (out / "MODEL_CARD.md").read_text()
    record = json.loads((out / "model.json").read_text())
    test = record["test_accuracy"]
    bounds = [f"{100 * test[name]:.1f} %" for name in ("value", "low", "high")]
    assert f"{bounds[0]} ({bounds[1]} to {bounds[2]}, n = {test['n']})" in text
    parts = [run["dataset"]["hash"], run["dataset"]["split_hash"], run["versions"]["tensorflow"]]
    parts += ["3 architectures", "auto", "nano", "edgeml rebuild", "Intended use", "--seed 1"]
    for part in (*parts, f"trial {record['number']}"):
        assert part in text, part
    (costs,) = [
        table
        for table in tables((out / "MODEL_CARD.md").read_text())
        if table[0][0] == "what" and "kind" in table[0]
    ]
    kinds = {row[0]: row[3] for row in costs[1:]}
    assert kinds == {"size": "measured", "RAM": "estimated", "MACs": "counted", "parameters": "counted"}
    for row in costs[1:]:
        assert row[4], "no tool"


def test_the_spec_describes_the_candidate(exported, finished_run):
    done, out = exported
    spec = read_spec(out / "spec.json")
    record = json.loads((out / "model.json").read_text())
    assert spec.architecture.key == spec.key == done.key and spec.seed == record["seed"]
    assert spec.fidelity["epochs"] == 2.0 and spec.data.kind == "digits" and spec.data.counts["test"] == 269
    assert spec.scored.validation.value == pytest.approx(record["accuracy"])
    assert spec.scored.artifact_sha256 == record["artifact"]["sha256"]
    assert Path(str(spec.data.saved)) == (finished_run / "data").resolve()


def test_a_later_export_takes_the_place_of_an_earlier_one(cli, finished_run, tmp_path):
    code, text, _ = cli("export", finished_run, "--pick", "accuracy", "--out", tmp_path / "out", "--json")
    told = json.loads(text)
    assert code == 0 and told["ok"] and (tmp_path / "out" / "model.onnx").exists()
    assert {row["format"] for row in told["files"]} == {"tflite", "onnx", None}
    code, text, _ = cli("export", finished_run, "--format", "tflite", "--out", tmp_path / "out")
    assert code == 0 and "model.tflite" in text and "passed" in text and "file" in text.splitlines()[0]
    assert {path.name for path in (tmp_path / "out").iterdir()} == COMMON | {"model.tflite"}


def test_what_running_a_folder_leaves_is_not_in_the_way(tmp_path):
    files = {"model.json": json.dumps({"checksums": []}).encode(), "SHA256SUMS": b"", "a.py": b"1"}
    write_folder(tmp_path / "out", {**files, "model.json": json.dumps({"checksums": ["a.py"]}).encode()})
    (tmp_path / "out" / "__pycache__").mkdir()
    (tmp_path / "out" / "__pycache__" / "preprocess.cpython-311.pyc").write_bytes(b"x")
    (tmp_path / "out" / "model_retrained.tflite").write_bytes(b"mine")
    write_folder(tmp_path / "out", files)
    assert (tmp_path / "out" / "model_retrained.tflite").read_bytes() == b"mine"
    (tmp_path / "out" / "notes.txt").write_text("mine")
    with pytest.raises(RunError, match=r"notes\.txt"):
        write_folder(tmp_path / "out", files)


def test_the_card_says_whose_splits_they_are():
    def said(**origins):
        data = SimpleNamespace(split_from=origins, asked={}, task="classification", seed=3)
        return card_history._split(SimpleNamespace(data=data))

    assert said(train="train", val="val", test="test") == "split as the source is"
    assert said(train="train", val="train", test="test") == (
        "test as the source has it, else stratified split with seed 3"
    )
    assert said() == said(train="train", val="train", test="train") == "stratified split with seed 3"


def of_other_weights(given):
    """The ONNX file of a network whose kernels are in another order."""
    turned = {name: value[..., ::-1].copy() for name, value in given.weights.items()}
    return formats.onnx(replace(given, weights=turned))


def test_a_format_that_is_not_what_was_scored_is_not_handed_over_silently(
    finished_run, tmp_path, monkeypatch
):
    """Its real proof fails; card, model.json and `ok` say so."""
    monkeypatch.setitem(formats.FORMATS, "onnx", of_other_weights)
    files = open_run(finished_run)
    done = export_files(finished_run, files.front[0], tmp_path / "out", ("tflite", "onnx"), dict(files.run))
    assert not done.ok and len(done.failures) == 1 and "onnx did NOT pass" in done.failures[0]
    assert done.proofs["tflite"].passed and not done.proofs["onnx"].passed
    assert (tmp_path / "out" / "failed" / "model.onnx").exists() and not (
        tmp_path / "out" / "model.onnx"
    ).exists()
    assert not (tmp_path / "out" / "example_onnx.py").exists()
    assert "did NOT pass" in (tmp_path / "out" / "MODEL_CARD.md").read_text()
    card = json.loads((tmp_path / "out" / "model.json").read_text())
    assert not card["proofs"]["onnx"]["passed"] and card["notes"] == [*done.notes]
    with monkeypatch.context() as patched:
        patched.setattr("edgeml.api.exports._in_worker", lambda function, *arguments: function(*arguments))
        with pytest.raises(ModelError, match="onnx did NOT pass"):
            edgeml.Run(finished_run, "finished").export(files.front[0], out=tmp_path / "api")


def test_exit_code_1_where_a_proof_failed(cli, finished_run, tmp_path, monkeypatch):
    monkeypatch.setattr("edgeml.api.exports._in_worker", lambda function, *arguments: function(*arguments))
    monkeypatch.setitem(formats.FORMATS, "onnx", of_other_weights)
    code, out, _ = cli("export", finished_run, "--out", tmp_path / "out")
    assert code == 1 and "FAILED" in out and "note: onnx did NOT pass" in out
    assert (tmp_path / "out" / "failed" / "model.onnx").exists()
    assert (
        not (tmp_path / "out" / "model.onnx").exists() and not (tmp_path / "out" / "example_onnx.py").exists()
    )


def test_run_export_returns_the_folder(finished_run, tmp_path):
    folder = edgeml.Run(finished_run, "finished").export("size", ["tflite"], tmp_path / "out")
    assert folder == tmp_path / "out" and (folder / "model.tflite").exists()


@given(ANY_TEXT)
def test_markdown_shows_the_text(name):
    """A table cell renders as the name, what cannot be printed as an escape."""
    ((_, (shown, end)),) = tables(f"| a | b |\n| --- | --- |\n| {markdown_text(name)} | end |\n")
    plain = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in name)
    assert end == "end"
    assert shown == (plain if len(plain) <= 120 else plain[:117] + "...").strip()


def test_many_classes_are_shortened_in_the_card_only():
    from edgeml.export.card_scores import by_class
    from edgeml.export.scores import ClassScore, Scores

    rows = tuple(ClassScore(f"c{i}", 3, 0.5, i / 1000) for i in range(1000))
    text = by_class(Scores({"value": 0.5, "low": 0.4, "high": 0.6, "n": 3000}, rows, ()))
    assert (
        "100 of 1,000 classes" in text and "| c0 |" in text and "| c99 |" in text and "| c100 |" not in text
    )


def test_a_compressed_finalist_has_its_finalists_history(finished_run, tmp_path):
    """Its card says what it climbed and inherited as the finalist, and what was done to it afterwards."""
    run = shutil.copytree(finished_run, tmp_path / "run")
    key = open_run(run).front[0]
    finalist, variant = run / "candidates" / key, run / "candidates" / f"{key}-qat"
    record = json.loads((finalist / "candidate.json").read_text())
    steps = [{"rung": rung, "epochs": 1.0, "accuracy": 0.2} for rung in (0, 1)]
    grown = {"parent": "0123456789ab", "source": "morph", "inherited_fraction": 0.5, "rungs": steps}
    (finalist / "candidate.json").write_text(json.dumps({**record, **grown}))
    shutil.copytree(finalist, variant)
    made = {"key": f"{key}-qat", "parent": key, "source": "compression", "rungs": [], "test_accuracy": None}
    told = {"of": key, "method": "qat", "drop": 1.25, "warning": True, "calibration": {"rule": "trained"}}
    (variant / "candidate.json").write_text(json.dumps({**record, **made, "compression": told}))
    run_json = json.loads((run / "run.json").read_text())
    done = export_files(run, f"{key}-qat", tmp_path / "out", ("tflite",), run_json)
    assert any("the int8 artifact is 1.2 points worse" in note for note in done.notes)
    lineage = read_spec(tmp_path / "out" / "spec.json").search.lineage
    assert lineage.compression is not None and lineage.compression.of == key
    assert lineage.climbed and lineage.source == "morph" and lineage.parent == "0123456789ab"
    text = (tmp_path / "out" / "MODEL_CARD.md").read_text()
    assert f"- compression: qat of {key}: drop 1.25 points" in text and "over the rungs of the search" in text
    assert "as quantisation-aware training left them" in text and "before compression" in text
