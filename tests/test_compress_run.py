"""`edgeml search --compress`: variants are candidates of their own, survive --resume, and are no trials."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from edgeml.report.pick import pick_key
from edgeml.report.run_files import open_run
from edgeml.train.inherit import load_weights
from tests.command import edgeml_run

SEARCH = ["search", "--data", "digits", "--target", "null", "--epochs", 1]


def state(folder):
    return json.loads((folder / "run" / "state.json").read_text())


def trainings(folder):
    with sqlite3.connect(folder / "run" / "study.db") as database:
        return database.execute("select count(*) from trials").fetchone()[0]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of two trials whose finalists were trained quantisation-aware, and its leaderboard."""
    folder = tmp_path_factory.mktemp("compressed")
    done = edgeml_run(*SEARCH, "--trials", 2, "--compress", "qat", "--out", "run", "--json", cwd=folder)
    return folder, json.loads(done.stdout), done.stderr


def test_a_variant_is_a_candidate_of_its_own(run):
    folder, rows, said = run
    by_key = {row["key"]: row for row in rows}
    variants = [row for row in rows if (row["compression"] or {}).get("of")]
    finalists = {row["compression"]["of"] for row in variants}
    assert finalists and any(row["key"].endswith("-qat") for row in variants)
    for row in variants:
        finalist = by_key[row["parent"]]
        method = row["key"].removeprefix(row["parent"] + "-")
        assert method == row["compression"]["method"] in ("qat", "ptq") and row["key"] in said
        assert row["size_zip_bytes"]["kind"] == "measured" and row["test_accuracy"]["n"] > 100
        assert row["number"] == finalist["number"] and row["macs"] == finalist["macs"]
        assert row["drop"] == pytest.approx(100 * (finalist["accuracy_float"] - row["accuracy"]))
        assert {"model.tflite", "weights.safetensors"} <= {
            path.name for path in (folder / "run" / "candidates" / row["key"]).iterdir()
        }
    for key in finalists:
        record = by_key[key]["compression"]
        assert record["asked"] == "qat" and record["drop"] <= by_key[key]["drop"]
        rules = [(row["rule"], row["images"]) for row in record["calibrations"]]
        assert rules[0] == ("converter", 200) and ("mse", 500) in rules and ("minmax", 50) in rules
        accuracies = [row["accuracy"] for row in record["calibrations"]]
        kept = [row["kept"] for row in record["calibrations"]].index(True)
        assert accuracies[kept] == max(accuracies) and kept == accuracies.index(max(accuracies))
        assert accuracies[0] == by_key[key]["accuracy"]
        assert by_key[key]["size_zip_bytes"]["value"] < by_key[key]["size_bytes"]
    assert state(folder)["trials"] == trainings(folder) == 2
    page = (folder / "run" / "report.html").read_text()
    assert ">Compression</h2>" in page and "quantisation-aware training" in page


def test_export_and_pick(run):
    folder, rows, _ = run
    variant = next(row for row in rows if row["key"].endswith("-qat"))
    edgeml_run("export", "run", "--pick", variant["key"], "--format", "tflite", "--out", "out", cwd=folder)
    card = json.loads((folder / "out" / "spec.json").read_text())
    assert card["key"] == variant["key"]
    for pick, expected in (
        (variant["parent"], variant["parent"]),
        (variant["parent"][:6], variant["parent"]),
    ):
        assert pick_key(open_run(folder / "run"), pick) == expected


@pytest.mark.slow
def test_resume_goes_on_with_variants_present(run):
    folder, rows, _ = run
    before = {row["key"]: row for row in rows}
    more = ["--trials", 3, "--compress", "prune:2:4", "--max-drop", 0]
    done = edgeml_run("search", "--resume", "--out", "run", *more, "--json", cwd=folder)
    after = {row["key"]: row for row in json.loads(done.stdout)}
    assert set(before) <= set(after) and state(folder)["trials"] == trainings(folder) == 3
    assert {k: r["number"] for k, r in before.items()} == {k: after[k]["number"] for k in before}
    pruned = [row for row in after.values() if row["key"].endswith("-prune2of4")]
    assert pruned and all(row["compression"]["pattern"] == "2:4" for row in pruned)
    assert all((row["warning"] is not None) == (row["drop"] > 0) for row in pruned)
    for row in pruned:
        if row["warning"]:
            assert row["warning"] in edgeml_run("leaderboard", "run", "--json", cwd=folder).stdout
    again = edgeml_run("search", "--resume", "--out", "run", "--compress", "none", "--json", cwd=folder)
    assert {row["key"] for row in json.loads(again.stdout)} == set(after)


@pytest.mark.slow
def test_a_space_may_search_compression(tmp_path):
    """Every candidate of this space is pruned after its training, before it is scored."""
    from edgeml.arch.space_file import load_space

    text = Path(load_space("nano").source).read_text(encoding="utf-8")
    (tmp_path / "mine.yaml").write_text(text + "\ntraining: {compression: prune}\n", encoding="utf-8")
    more = ["--space", "mine.yaml", "--trials", 1, "--compress", "auto", "--out", "run", "--json"]
    rows = json.loads(edgeml_run(*SEARCH, *more, cwd=tmp_path).stdout)
    assert len(rows) == 1  # compressed already: no variants
    for row in rows:
        folder = tmp_path / "run" / "candidates" / row["key"]
        candidate = json.loads((folder / "candidate.json").read_text())
        assert candidate["recipe"]["compression"] == row["compression"]["method"] == "prune"
        pruned, before = (
            load_weights(str(folder / name)) for name in ("weights.safetensors", "uncompressed.safetensors")
        )
        dense = next(name for name in pruned if name.startswith("head") and name.endswith(":kernel"))
        assert (pruned[dense] == 0).mean() == pytest.approx(0.5, abs=0.05) and (before[dense] != 0).all()
