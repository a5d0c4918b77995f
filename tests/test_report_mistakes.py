"""What the knee gets wrong: the search's diagnosis.json, its place on the page, and Markdown."""

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from test_report_files import HOSTILE, dump, write_run
from test_report_page import Page

from edgeml.data.goal import Goal
from edgeml.data.source import Split
from edgeml.report import mistakes
from edgeml.report.markdown import coded, escaped, markdown
from edgeml.report.markup import tag
from edgeml.report.page import write_report
from edgeml.report.run_files import open_run
from edgeml.search.finishing import diagnosis
from edgeml.search.finishing.picture import picture

RNG = np.random.default_rng(0)


def split(labels: list, goal: Goal) -> Split:
    kind = np.float32 if goal.task == "regression" else np.int64
    return Split(RNG.integers(0, 255, (len(labels), 4, 4, 1), np.uint8), np.array(labels, kind), goal)


def test_the_surest_mistakes_come_first() -> None:
    given = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.55, 0.45]])
    found, worst = diagnosis._classes(given, split([1, 1, 1, 0], Goal()))
    assert found["confusion"] == [[1, 0], [2, 1]]
    assert (found["pairs"], found["errors"]) == ([[1, 0, 2]], 2)
    assert [i for i, _ in worst] == [0, 2, 3, 1]
    assert [one["wrong"] for _, one in worst] == [True, True, False, False]


def test_many_classes_have_pairs_and_no_matrix() -> None:
    size = diagnosis.MOST_CLASSES + 1
    given = np.eye(size)[[1, 1, 2]]
    found, _ = diagnosis._classes(given, split([0, 0, 2], Goal()))
    assert found["confusion"] is None
    assert found["pairs"] == [[0, 1, 2]]


def test_values_and_anomalies() -> None:
    found, worst = diagnosis._numbers(np.array([1.0, 5.0, 2.5]), split([1, 2, 3], Goal("regression", "rmse")))
    assert [i for i, _ in worst] == [1, 2, 0]
    assert found["mean_error"] == pytest.approx(2.5 / 3)
    errors = np.array([0.1, 0.5, 0.2, 0.9])
    found, worst = diagnosis._anomalies(errors, split([0, 0, 1, 1], Goal("anomaly", "auc")))
    assert [i for i, _ in worst] == [2, 3, 1, 0]  # the anomaly that looks most normal first
    assert worst[0][1]["rank"] == pytest.approx(1 / 3)
    assert found["points"][3] == [1, 0.9]


def test_a_class_name_with_a_bracket_is_said_whole() -> None:
    found = {"n": 9, "of": 9, "task": "classification", "errors": 1, "pairs": [[0, 1, 1]]}
    said = mistakes.sentence({**found, "classes": ["car (red)", "bus"]})
    assert said.endswith("validation split: 1 wrong, car (red) called bus.")


def opened(found: dict) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(found["png"]))))


def test_pictures_of_every_kind() -> None:
    pixels = RNG.integers(0, 255, (8, 6, 3), np.uint8)
    assert np.array_equal(opened(picture(pixels, {})), pixels)
    assert opened(picture(RNG.integers(0, 255, (300, 200, 1), np.uint8), {"kind": "image"})).shape == (96, 64)
    sound = RNG.integers(0, 255, (20, 10, 1), np.uint8)
    drawn = opened(picture(sound, {"kind": "audio"}))
    assert np.array_equal(drawn, sound[:, :, 0].T[::-1])  # time to the right, low notes at the bottom
    window = RNG.integers(0, 255, (300, 1, 2), np.uint8)
    lines = picture(window, {"kind": "sensor", "channels": ["x", "y"], "rate_hz": 100.0})
    assert (lines["names"], lines["seconds"]) == (["x", "y"], 3.0)
    assert lines["lines"][1][:3] == [int(v) for v in window[::3, 0, 1][:3]]
    columns = [
        {"name": "age", "kind": "number", "points": [0.0, 100.0], "level": [0, 255], "missing": True},
        {"name": "town", "kind": "category", "categories": ["A", "B"], "other": False},
    ]
    made = picture(np.array([[[51, 0, 0, 255]]], np.uint8), {"kind": "table", "columns": columns})
    assert made["values"] == {"age": "20", "town": "B"}
    gone = picture(np.array([[[51, 255, 255, 0]]], np.uint8), {"kind": "table", "columns": columns})
    assert gone["values"] == {"age": "missing", "town": "A"}


def diagnosed(path: Path, hostile: str = "", **changes: object) -> Path:
    return add_diagnosis(write_run(path, hostile=hostile), hostile, **changes)


def add_diagnosis(path: Path, hostile: str = "", **changes: object) -> Path:
    png = picture(RNG.integers(0, 255, (8, 8, 1), np.uint8), {})["png"]
    one = {"index": 7, "truth": 9, "called": 2, "sure": 0.9, "wrong": True}
    worst = [
        {**one, "form": "image", "png": png},
        {**one, "form": "image", "png": '"><script>window.pwned=1</script>'},
        {**one, "form": "lines", "names": [hostile or "x"], "lines": [[0, 255, 9]], "seconds": None},
        {**one, "form": "values", "values": {hostile or "age": hostile or "20"}, "left_out": 2},
    ]
    table = [[3 if t == c else int((t, c) == (9, 2)) for c in range(10)] for t in range(10)]
    found = {
        "layout": 1,
        "key": open_run(path).knee,
        "split": "val",
        "n": 31,
        "of": 31,
        "task": "classification",
        "classes": [*map(str, range(9)), hostile or "9"],
        "confusion": table,
        "pairs": [[9, 2, 1]],
        "errors": 1,
        "worst": worst,
    }
    dump(path / diagnosis.FILE, {**found, **changes})
    return path


def test_the_page_shows_matrix_and_examples(tmp_path: Path) -> None:
    page = Page(write_report(diagnosed(tmp_path / "run")))
    assert "31 samples of the validation split: 1 wrong" in page.text
    assert "9 called 2, 90 % sure (sample 7)" in page.text
    pictures = [a["src"] for t, a in page.tags if t == "img"]
    assert len(pictures) == 1
    assert str(pictures[0]).startswith("data:image/png;base64,")
    assert sum(t == "polyline" for t, _ in page.tags) == 1
    assert "and 2 more" in page.text


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    plain = Page(write_report(diagnosed(tmp_path / "plain")))
    hostile = Page(write_report(diagnosed(tmp_path / "hostile", HOSTILE)))
    assert {(t, frozenset(a)) for t, a in hostile.tags} == {(t, frozenset(a)) for t, a in plain.tags}
    assert len(hostile.scripts) == 2


@pytest.mark.parametrize("changes", [{"key": "another"}, {"layout": 2}])
def test_a_diagnosis_of_another_knee_is_left_out(tmp_path: Path, changes: dict) -> None:
    assert "gets wrong" not in Page(write_report(diagnosed(tmp_path / "run", **changes))).text


@pytest.mark.parametrize(
    ("task", "points", "worst", "words"),
    [
        (
            "regression",
            [[1.0, 1.5], [2.0, 2.5]],
            {"truth": 1.0, "called": 1.5},
            "1.5 given, 1 true (sample 3)",
        ),
        ("anomaly", [[0, 0.1], [1, 0.2]], {"truth": 1, "error": 0.2, "rank": 0.4}, "stranger than 40 %"),
    ],
)
def test_other_tasks_have_a_chart(tmp_path: Path, task: str, points: list, worst: dict, words: str) -> None:
    one = {"index": 3, "wrong": True, "form": "values", "values": {"a": "1"}, **worst}
    path = diagnosed(tmp_path / "run", task=task, points=points, mean_error=0.5, worst=[one])
    page = Page(write_report(path))
    assert words in page.text
    assert (
        "Given and true values" if task == "regression" else "Errors of normal and anomalous"
    ) in page.text


def test_markdown_says_the_same_without_charts(tmp_path: Path) -> None:
    path = diagnosed(tmp_path / "run")
    write_report(path)
    text = (path / "report.md").read_text(encoding="utf-8")
    assert text.startswith("# run\n")
    assert "| `508575d4e3a1` (knee) | 96.5 % | 95.5 % 90.0 to 98.0 | 0.0520 ms measured |" in text
    assert "- 9 called 2, 90 % sure (sample 7)" in text
    assert "### Would more or fewer units help?" in text
    assert "```sh\nedgeml search" in text
    assert "<svg" not in text
    assert "base64" not in text
    headings = re.findall(r"^#+ .*\n\n(#+) ", text, re.MULTILINE)
    assert all(len(level) > 2 for level in headings)  # no section without a word


def test_markdown_of_hostile_names_is_inert(tmp_path: Path) -> None:
    path = diagnosed(tmp_path / "run", HOSTILE)
    write_report(path)
    text = (path / "report.md").read_text(encoding="utf-8")
    outside = re.sub(r"(?ms)^(```+)sh\n.*?^\1$", "", text)  # the command, which a fence shows as it is
    assert "<" not in outside
    assert "&lt;script&gt;" in outside


def test_markdown_escapes() -> None:
    assert escaped("a|b *c* _d_ <e> & [f](g) `h` \n i") == (
        "a\\|b \\*c\\* \\_d\\_ &lt;e&gt; &amp; \\[f\\](g) \\`h\\` i"
    )
    assert coded("abc_1") == "`abc_1`"
    assert coded("a`b|c") == "a\\`b\\|c"
    assert markdown(tag("pre", tag("code", "a\n```\nb")), 0) == "````sh\na\n```\nb\n````\n"
