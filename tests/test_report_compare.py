"""edgeml compare: common references, costs of one target only, refusals in a sentence."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from test_report_files import HOSTILE, edit, write_run
from test_report_page import Page

from edgeml.cli import main
from edgeml.errors import ConfigError, RunError
from edgeml.report import headline, trades
from edgeml.report.compare import _under, compare
from edgeml.report.compare_fronts import best, chance_error
from edgeml.report.compare_json import to_json
from edgeml.report.compare_page import write_comparison
from edgeml.report.compare_tables import tables
from edgeml.report.run_files import open_run

RMSE = {"task": "regression", "metric": "rmse"}


def data_of(path: Path) -> dict:
    found: dict = json.loads((path / "run.json").read_text())["dataset"]
    return found


def worse(path: Path, points: float = 0.05) -> Path:
    """A run like `write_run` in which every score is lower."""
    write_run(path)
    for file in path.rglob("candidate.json"):
        value = json.loads(file.read_text())
        if value["accuracy"] is not None:
            edit(file, accuracy=value["accuracy"] - points)
    settings = json.loads((path / "run.json").read_text())["settings"]
    edit(path / "run.json", settings={**settings, "strategy": "random"})
    return path


@pytest.fixture
def two(tmp_path: Path) -> list[Path]:
    return [write_run(tmp_path / "good"), worse(tmp_path / "poor")]


def test_the_better_front_has_more_volume_at_one_reference(two: list[Path]) -> None:
    found = compare(two)
    assert found.costs == ("latency_ms@cpu", "size_bytes", "macs")
    for cost in found.costs:
        assert 1 > found.hypervolume(cost, 0) > found.hypervolume(cost, 1) > 0
    # by hand: errors of the front 0.06, 0.035, 0.025 at 0.041, 0.052, 0.11 ms, box 0.9 by 0.121
    volume = (0.9 - 0.06) * (0.121 - 0.041) + 0.025 * (0.121 - 0.052) + 0.01 * (0.121 - 0.11)
    assert found.references["latency_ms@cpu"] == pytest.approx(0.121)
    assert chance_error(found.runs[0]) == pytest.approx(0.9)
    assert found.hypervolume("latency_ms@cpu", 0) == pytest.approx(volume / (0.9 * 0.121))
    best = found.best_under("latency_ms@cpu", 0.06, 0)
    assert best is not None
    assert best[2] == 0.965
    assert found.best_under("latency_ms@cpu", 0.001, 0) is None


def test_json_holds_what_differs(two: list[Path]) -> None:
    found = to_json(compare(two, under={"latency_ms": 0.06}))
    assert found["settings"] == {"strategy": ["evolution", "random"]}
    assert found["under"] == [
        {
            "cost": "latency_ms@cpu",
            "highest": 0.06,
            "best": [
                {"key": "508575d4e3a1", "score": 0.965},
                {"key": "508575d4e3a1", "score": pytest.approx(0.915)},
            ],
        }
    ]
    assert [run["trials"] for run in found["runs"]] == [9, 9]
    assert any("a tie on the test split" in note for note in found["notes"])


def origin(path: Path, **changes: object) -> None:
    data = data_of(path)
    edit(path / "run.json", dataset={**data, "provenance": {**data["provenance"], **changes}})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"content_hash": "another"}, r"other data \(content hash another, not 40c1e0\)"),
        ({"content_hash": None}, r"other data \(content hash unknown, not 40c1e0\)"),
        ({"split_hash": "another", "seed": 5}, r"another validation split \(seed 5, not 0\)"),
        ({"split_hash": "another"}, "another validation split"),
    ],
)
def test_other_samples_are_refused_unless_forced(two: list[Path], changes: dict, words: str) -> None:
    origin(two[1], **changes)
    with pytest.raises(ConfigError, match=f"poor has {words} than good, .*add --force"):
        compare(two)
    assert any(
        "differences of scores may be of the samples" in note for note in compare(two, force=True).notes
    )


def test_given_splits_are_the_same_for_every_seed(two: list[Path]) -> None:
    given = {"train": "train", "val": "val", "test": "test"}
    origin(two[0], split_from=given)
    origin(two[1], split_from=given, split_hash="another", seed=5)
    edit(two[1] / "run.json", dataset={**data_of(two[1]), "hash": "of another order"})
    assert not any("split" in note and "tie" not in note for note in compare(two).notes)
    for path in two:
        origin(path, split_from={**given, "val": "train"})
    with pytest.raises(ConfigError, match=r"poor has another validation split \(seed 5, not 0\) than good"):
        compare(two)
    for path in two:
        origin(path, split_from={**given, "test": "train"})
    with pytest.raises(ConfigError, match=r"poor has another test split \(seed 5, not 0\) than good"):
        compare(two)


def test_errors_of_runs_with_other_baselines_are_compared_as_errors(two: list[Path]) -> None:
    """Equal errors are equal, though the run whose constant guess is worse has the higher scores."""
    for path, baseline in zip(two, (2.0, 4.0), strict=True):
        edit(path / "run.json", dataset={**data_of(path), "goal": {**RMSE, "baseline": baseline}})
        for file in path.rglob("candidate.json"):
            value = json.loads(file.read_text())
            if value["accuracy"] is not None:
                score = 1 - 0.5 / baseline
                edit(
                    file, accuracy=score, test_accuracy={"value": score, "low": score, "high": score, "n": 9}
                )
    found = compare(two)
    assert found.hypervolume("macs", 0) == pytest.approx(found.hypervolume("macs", 1))
    assert {run["best"]["score"] for run in to_json(found)["runs"]} == {0.75}
    assert {run["best"]["test"]["high"] for run in to_json(found)["runs"]} == {0.75}
    assert any("a tie on the test split" in note for note in found.notes)
    best_row = next(row for _, _, rows in tables(found) for row in rows if row[0].startswith("best int8"))
    assert [cell.partition(" (")[0] for cell in best_row[1:]] == ["0.5", "0.5"]


def test_other_targets_share_only_what_no_device_has_a_say_in(two: list[Path]) -> None:
    edit(two[1] / "run.json", targets=[{"name": "coral"}])
    found = compare(two)
    assert found.costs == ("size_bytes", "macs")
    assert any("The targets differ (good: cpu; poor: coral)" in note for note in found.notes)
    with pytest.raises(ConfigError, match="--under latency_ms: expected a cost that all runs have"):
        compare(two, under={"latency_ms": 1.0})


def test_a_cost_without_its_target_is_that_of_every_target() -> None:
    fronts = {"latency_ms@cpu": (), "latency_ms@coral": (), "macs": ()}
    assert _under(fronts, {"latency_ms": 2.0, "macs": 9.0}) == (
        ("latency_ms@cpu", 2.0), ("latency_ms@coral", 2.0), ("macs", 9.0),
    )  # fmt: skip
    assert _under(fronts, {"latency_ms@coral": 2.0}) == (("latency_ms@coral", 2.0),)


def test_other_metrics_are_refused(two: list[Path]) -> None:
    goal = {"task": "classification", "metric": "macro_f1"}
    edit(two[1] / "run.json", dataset={**data_of(two[1]), "goal": goal})
    with pytest.raises(ConfigError, match="good is scored by accuracy, poor by macro F1"):
        compare(two, force=True)


def test_what_cannot_be_compared_is_said(two: list[Path], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="found 1 run, expected two or more"):
        compare(two[:1])
    with pytest.raises(ConfigError, match="named twice"):
        compare([two[0], two[0] / "." / ""])
    with pytest.raises(RunError):
        compare([two[0], tmp_path])
    for file in two[1].rglob("candidate.json"):
        file.unlink()
    with pytest.raises(RunError, match="poor has no fully trained candidate yet"):
        compare(two)


def test_the_page_is_inert_and_names_stay_apart(tmp_path: Path) -> None:
    name = "<img src=x onerror=alert(1)>"
    runs = [write_run(tmp_path / part / name, hostile=HOSTILE) for part in "ab"]
    page = Page(write_comparison(compare(runs), tmp_path / "compare.html"))
    assert "img" not in {tag for tag, _ in page.tags}
    assert len(page.scripts) == 2
    assert str(runs[0]) in page.text
    assert str(runs[1]) in page.text


def test_the_command(two: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "compare.html"
    done = CliRunner().invoke(main, ["compare", *map(str, two), "--out", str(out)])
    assert done.exit_code == 0
    assert "latency on cpu up to 0.121 ms" in done.output
    assert "strategy" in done.output
    assert out.is_file()
    origin(two[1], content_hash="another")
    refused = CliRunner().invoke(main, ["compare", *map(str, two)])
    assert refused.exit_code == 2
    forced = CliRunner().invoke(main, ["compare", *map(str, two), "--force", "--json"])
    assert json.loads(forced.output)["runs"][0]["name"] == "good"


def test_report_says_the_path_where_no_browser_can_be(
    two: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    done = CliRunner().invoke(main, ["report", str(two[0]), "--open"])
    page = (two[0] / "report.html").resolve()
    assert done.output.splitlines() == [str(page), f"no browser can be opened here; open {page.as_uri()}"]
    opened: list[str] = []
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr("webbrowser.open", lambda address: opened.append(address) or True)
    done = CliRunner().invoke(main, ["report", str(two[0]), "--open"])
    assert (done.output.strip(), opened) == (str(page), [page.as_uri()])


def test_the_best_is_on_the_front_where_another_is_as_good(two: list[Path]) -> None:
    run = open_run(two[0])
    first = run.front_candidates[0]
    twin = replace(first, key="0" * 12, number=-1, test_accuracy=None)
    both = replace(run, candidates=(twin, *run.candidates))
    assert best(both).key == first.key
    assert twin.key in headline.as_good_as_the_best(both) or not headline.tied(both, twin, first)
    assert first.key not in headline.as_good_as_the_best(both)


def test_estimates_are_called_so_wherever_runs_are_compared(two: list[Path], tmp_path: Path) -> None:
    for file in (file for run in two for file in run.rglob("candidate.json")):
        metrics = json.loads(file.read_text())["metrics"]
        if "latency_ms" in metrics:
            metrics["latency_ms"]["kind"] = "estimated"
            edit(file, metrics=metrics)
    done = CliRunner().invoke(main, ["compare", *map(str, two)])
    assert "latency on cpu up to 0.121 ms (estimated)" in done.output
    assert "MACs" in done.output and "(counted)" in done.output
    found = compare(two)
    assert to_json(found)["kinds"]["latency_ms@cpu"] == ["estimated"]
    page = Page(write_comparison(found, tmp_path / "compare.html"))
    assert "latency on cpu, ms (estimated)" in page.scripts[0]
    said = trades.sentences(open_run(two[0]))
    assert "ms (estimated) on: " in said[0] and said[0].count("(estimated)") >= 2
