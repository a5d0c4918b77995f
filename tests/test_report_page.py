"""The page as a file: contents, escaping, runs that are not finished."""

import json
import re
import shlex
from html.parser import HTMLParser
from pathlib import Path

import pytest
from test_report_files import HOSTILE, edit, write_run

from edgeml.errors import RunError, StorageError
from edgeml.report import plots, score_axis
from edgeml.report.markup import Markup, join, script_json, tag, with_options
from edgeml.report.page import write_report
from edgeml.report.reproduce import command
from edgeml.report.run_files import open_run
from edgeml.report.summary import summary

HOSTILE_NAME = "<img src=x onerror=alert(1)>&amp;"


class Page(HTMLParser):
    """Elements, their attributes, the text people see and the scripts, as a browser would read them."""

    def __init__(self, path: Path) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.seen: list[str] = []
        self.scripts: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.inside = tag
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self.inside = ""

    def handle_data(self, data: str) -> None:
        if getattr(self, "inside", "") == "script":
            self.scripts[-1] += data
        else:
            self.seen.append(data)

    @property
    def text(self) -> str:
        return "".join(self.seen)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Page:
    return Page(write_report(write_run(tmp_path_factory.mktemp("runs") / "digits-cpu")))


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Page:
    return Page(write_report(write_run(tmp_path_factory.mktemp("runs") / HOSTILE_NAME, hostile=HOSTILE)))


@pytest.mark.parametrize(
    "words",
    [
        "digits-cpu",
        "Best compromise (knee): 508575d4e3a1, 96.5 % int8 accuracy on validation (95.5 % on test)",
        "latency 0.0520 ms measured",
        "Estimated, not measured: RAM.",
        "0.0494 to 0.0546",
        "Cell A: normal cell of stages 1, 2",
        "mbconv 3x3 e4",
        "Hypervolume after every trial",
        "Learning curves of the front",
        "58.7 %",
        "LiteRT 2.3.0 (XNNPACK)",
        "77ab01",
        "class 9 has only 31 samples",
        "number 7: converter stopped",
        "stem: wider 8 -> 12",
        "30 refused by size (size_bytes)",
        "--limit size_bytes=100000",
        "Example CPU",
    ],
)
def test_the_page_says(plain: Page, words: str) -> None:
    assert words in plain.text


def test_it_fetches_nothing(plain: Page) -> None:
    policy = next(a["content"] for t, a in plain.tags if t == "meta" and "http-equiv" in a)
    assert policy is not None
    assert policy.startswith("default-src 'none'")
    addresses = [a[name] for _, a in plain.tags for name in ("src", "href", "action", "srcset") if name in a]
    assert addresses == ["data:,"]


def test_vega_is_there_once_and_each_chart_has_a_place(plain: Page) -> None:
    places = [a["id"] for t, a in plain.tags if (a.get("id") or "").startswith("chart-")]
    specs = json.loads(plain.scripts[0])
    assert places == [f"chart-{i}" for i in range(len(specs))]
    assert len(specs) == 9
    assert len(plain.scripts) == 2


def test_the_knee_is_drawn_over_the_front_and_that_over_the_others(tmp_path: Path) -> None:
    run = open_run(write_run(tmp_path / "run"))
    drawn = plots.pair(run, "size_bytes")
    assert drawn is not None
    rows = drawn["layer"][-1]["data"]["values"]
    roles = [row["role"] for row in rows]
    assert roles == sorted(roles, key=plots.DRAWN.index) and set(roles) > {"candidate"}
    assert rows[-1]["key"] == run.knee != [c.key for c in run.scored][-1]


def test_no_share_above_100_per_cent_stands_on_an_axis(tmp_path: Path) -> None:
    run = open_run(write_run(tmp_path / "run"))
    assert "datum.value > 1 ? ''" in score_axis.axis(run).to_dict()["labelExpr"]


def test_mixed_kinds_are_told_apart_in_the_chart(tmp_path: Path) -> None:
    path = write_run(tmp_path / "run")
    file = path / "candidates" / str(open_run(path).knee) / "candidate.json"
    metrics = json.loads(file.read_text())["metrics"]
    metrics["latency_ms"]["kind"] = "estimated"
    edit(file, metrics=metrics)
    page = Page(write_report(path))
    assert "latency, ms (estimated, measured)" in page.scripts[0]
    assert page.text.count("Hollow points are estimates.") == 1
    assert "Estimated, not measured: latency, RAM." in page.text


def test_hostile_names_are_inert(plain: Page, hostile: Page) -> None:
    shapes = {(t, frozenset(a)) for t, a in plain.tags}
    assert {(t, frozenset(a)) for t, a in hostile.tags} == shapes
    assert len(hostile.tags) == len(plain.tags)
    assert len(hostile.scripts) == 2
    assert HOSTILE in hostile.text
    assert HOSTILE_NAME in hostile.text
    assert "window.pwned" not in "".join(hostile.scripts)


def test_script_json_survives_a_script_element() -> None:
    text = script_json({"a": HOSTILE + "\u2029"})
    assert not re.search(r"[<>&\u2028\u2029]", text)
    assert json.loads(text) == {"a": HOSTILE + "\u2029"}


def test_markup_escapes_everything_that_is_not_markup() -> None:
    made = tag("a", "<b>", 1, None, ["&", Markup("<i>")], class_='"x"', aria_label=None)
    assert made == '<a class="&quot;x&quot;">&lt;b&gt;1&amp;<i></a>'
    assert join(None) == ""


def test_options_in_a_sentence_are_code_that_no_line_ends_within() -> None:
    said = str(tag("p", with_options("2 <cut> by --time (add --max-drop 0.5), a--b stays")))
    option = '<code class="option">{}</code>'.format
    assert said == (
        f"<p>2 &lt;cut&gt; by {option('--time')} (add {option('--max-drop')} 0.5), a--b stays</p>"
    )
    assert join(with_options("none")) == "none"


@pytest.mark.parametrize("timed", [(), ("macs",), ("latency_ms@coral", "latency_ms@a b.c"), ("energy_mj",)])
def test_any_objectives(tmp_path: Path, timed: tuple[str, ...]) -> None:
    page = Page(write_report(write_run(tmp_path / "run", timed=timed)))
    assert "Accuracy and size" in page.text
    assert page.text.count("Accuracy and ") == len(timed) + 1


def test_a_run_still_going(tmp_path: Path) -> None:
    path = write_run(tmp_path / "run")
    (path / "state.json").unlink()
    (path / "front.json").unlink()
    page = Page(write_report(path))
    assert "Search still running" in page.text
    assert "not finished when this page was written" in page.text
    assert "The knee" not in page.text


def test_a_run_without_candidates(tmp_path: Path) -> None:
    path = write_run(tmp_path / "run")
    for file in path.rglob("candidate.json"):
        file.unlink()
    for name in ("state.json", "front.json"):
        (path / name).unlink()
    page = Page(write_report(path))
    assert "No candidate has been scored yet." in page.text
    assert len(page.scripts) == 1


def test_a_run_json_with_little_in_it(tmp_path: Path) -> None:
    path = write_run(tmp_path / "run")
    (path / "run.json").write_text('{"layout": 3}')
    assert "Accuracy and size" in Page(write_report(path)).text


def test_an_architecture_of_another_edgeml_is_said_not_drawn(tmp_path: Path) -> None:
    path = write_run(tmp_path / "run")
    key = open_run(path).knee
    edit(path / "candidates" / str(key) / "candidate.json", arch={"stages": "none"})
    assert "cannot draw the architecture" in Page(write_report(path)).text


def test_it_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = write_run(tmp_path / "run")
    first = write_report(path)
    assert first == path.resolve() / "report.html"
    write_report(path)
    assert not list(path.glob(".report*"))
    first.unlink()
    first.mkdir()
    with pytest.raises(StorageError, match="cannot write"):
        write_report(path)
    assert not list(path.glob(".report*"))


def test_no_run_no_report(tmp_path: Path) -> None:
    with pytest.raises(RunError):
        write_report(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_summary_names_knee_and_best(tmp_path: Path) -> None:
    said = summary(open_run(write_run(tmp_path / "run"))).splitlines()
    first = next(i for i, line in enumerate(said) if line.startswith("Search finished"))
    assert "508575d4e3a1, the best compromise" in said[0] and first > 0, "the result comes first"
    lines = said[first:]
    assert lines[0].startswith(
        "Search finished after 3 min 2 s: 9 architectures tried, 7 trained fully, 3 on "
    )
    assert "1 failed, 1 infeasible, 32 refused before training." in lines[0]
    assert lines[1].startswith("Best compromise (knee): 508575d4e3a1")
    assert lines[2].startswith("Most accurate on the front: 986fa0f21a00, 97.5 %")
    assert lines[2].endswith("kB estimated.")


def test_the_command_is_quoted_and_whole(tmp_path: Path) -> None:
    path = write_run(tmp_path / "a b", hostile=HOSTILE)
    words = shlex.split(command(open_run(path)))
    assert words[:4] == ["edgeml", "search", "--data", f"my data/{HOSTILE}"]
    assert words[-2:] == ["--out", "a b-again"]
    assert "size_bytes=100000" in words
    assert not {"--fidelity", "--inherit", "--no-curves", "--confirm"} & set(words)
    settings = {
        "data": "-x",
        "targets": ["cpu"],
        "time_s": 0.0,
        "epochs": 0.5,
        "inherit": "none",
        "fidelity": "my rungs.yaml",
        "curves": False,
        "confirm": True,
        "strict": True,
    }
    edit(path / "run.json", settings=settings)
    assert command(open_run(path)).startswith(
        "edgeml search --data -x --target cpu --epochs 0.5 --fidelity 'my rungs.yaml' --inherit none "
        "--no-curves --confirm --strict --out"
    )


def test_a_quick_search_is_done_again_as_a_quick_one(tmp_path: Path) -> None:
    path = write_run(tmp_path / "run")
    settings = json.loads((path / "run.json").read_text())["settings"]
    edit(path / "run.json", settings={**settings, "budget": "quick"})
    assert "--budget quick" in command(open_run(path))
    edit(path / "run.json", settings={**settings, "budget": "standard"})
    assert "--budget" not in command(open_run(path))
