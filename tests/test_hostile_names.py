"""Names that would run, break out or steer if anything took them for more than text, all the way.

Data folder, classes, columns, label values and the target's file are all named so.
"""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from test_export_literals import NASTY
from test_report_browser import BROWSER, framed, look, told

import edgeml
from edgeml.api.runs import _new_path
from edgeml.cli.output import inert, say
from edgeml.report.page import write_report
from edgeml.search.settings import Settings
from tests.command import edgeml_run

RUN = "</script><script>window.pwned=1</script>"
OWN = (
    "<img src=x onerror=window.pwned=1>", "[red]alarm[/red]", "[/]", "[link=http://x]y", "\x1b]0;title\x07",
    "\x1b[2J", '"; rm -rf ~; echo "', "*_`md`_* | a | b", "&lt;", "%n%s", "-o", "con\u2066fused\u2069",
)  # fmt: skip
FOLDERS = tuple(name for name in (*OWN, *NASTY) if name and not {"/", "\0"} & set(name) and len(name) < 99)
VALUES = (RUN, "a */ b", "??/", "two\nlines", '"quoted"', "\\", *OWN)
COLUMNS = ("*/ int x; /*", '"#include', "??/", f"x{RUN}", "[/]", "\x1b[2J", "tab\there", "\\n")
ODD = "it's \"; $(id) {{x}} <b> [red]"


def harmless(text: str) -> bool:
    allowed = "\n\t\u200d"
    return all(unicodedata.category(c) not in ("Cc", "Cf", "Cs") for c in text if c not in allowed)


@pytest.fixture(scope="module")
def target(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("target") / f"{ODD}.yaml"
    path.write_text("inherits: 'null'\ndescription: \"\\e[31m[red]</b>\"\n")
    return path


def test_data_with_a_long_name_get_a_run_directory(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    for letter in "a\U0001f408":
        made = _new_path(Settings(data=f"{letter * 250}.csv", targets=["cpu"], space=None))
        made.mkdir(parents=True)
        assert made.name.startswith(letter) and made.name.endswith("-001")


def searched(data: Path, target: Path, out: Path) -> Path:
    """A run and, beside it, a copy with an odd name and what the search printed."""
    arguments = ["--data", data, "--target", target, "--out", out, "--trials", "1", "--epochs", "0.5"]
    done = edgeml_run("search", *arguments, "--no-curves", "--compress", "none", cwd=out.parent)
    (out.parent / "said").write_text(done.stdout + done.stderr)
    shutil.copytree(out, out.parent / ODD / "[red]\x1b[2J<b>")
    return out


def other(run: Path) -> Path:
    return next((run.parent / ODD).glob("*red*"))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory, target: Path) -> Path:
    folder, rng = tmp_path_factory.mktemp("pictures") / "data" / ODD, np.random.default_rng(0)
    for name in FOLDERS:
        (folder / name).mkdir(parents=True)
        for index in range(5):
            pixels = rng.integers(0, 256, (8, 8, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{index} <b>[red].png")
    return searched(folder, target, folder.parent.parent / "run")


@pytest.fixture(scope="module")
def table(tmp_path_factory, target: Path) -> Path:
    import csv

    folder, rng = tmp_path_factory.mktemp("table"), np.random.default_rng(0)
    path = folder / f"{ODD}.csv"
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow([*COLUMNS, "label"])
        for index in range(len(VALUES) * 8):
            numbers = [f"{value:.3f}" for value in rng.normal(size=len(COLUMNS) - 2)]
            words = [VALUES[rng.integers(len(VALUES))], VALUES[rng.integers(3)]]
            rows.writerow([*numbers, *words, VALUES[index % len(VALUES)]])
    return searched(path, target, folder / "run")


@pytest.fixture(params=["pictures", "table"])
def run(request: pytest.FixtureRequest) -> Path:
    found: Path = request.getfixturevalue(request.param)
    return found


@pytest.mark.slow
def test_nothing_steers_the_terminal(cli, run: Path, target: Path) -> None:
    said = (run.parent / "said").read_text()
    assert len(said) > 200 and harmless(said)
    data = json.loads((run / "run.json").read_text())["settings"]["data"]
    for arguments in (
        ("leaderboard", run), ("compare", run, other(run)), ("data", data), ("check", run),
        ("targets", target), ("export", run, "--out", run.with_name("told")),
        ("search", "--data", f"{data}/\x1b[31m[/]"),
        ("search", "--data", data, "--metric", "\x1b[2J[/]"),
    ):  # fmt: skip
        code, out, err = cli(*arguments)
        assert code in (0, 2), (arguments, err)
        assert out + err and harmless(out) and harmless(err), (arguments, out, err)
        assert "Traceback" not in err


@pytest.mark.slow
def test_json_is_whole(cli, run: Path) -> None:
    for arguments in (("leaderboard", run), ("compare", run, other(run)), ("check", run)):
        code, out, err = cli(*arguments, "--json")
        assert code == 0, err
        assert json.loads(out) and out.isascii()


@pytest.mark.slow
def test_markdown_holds_no_html(run: Path) -> None:
    write_report(run)
    text = (run / "report.md").read_text(encoding="utf-8")
    assert "pwned" in text and "&lt;" in text
    text = re.sub(r"^(```+)sh\n.*?^\1$", "", text, flags=re.MULTILINE | re.DOTALL)  # code, where < is <
    assert "<" not in text


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="needs chromium on PATH (apt-get install chromium)")
def test_the_page_runs_nothing(run: Path, tmp_path: Path) -> None:
    page = shutil.copy(write_report(run), tmp_path / "report.html")
    text = Path(page).read_text(encoding="utf-8")
    assert "'unsafe-eval'" not in text and "default-src 'none'" in text
    seen = look(framed(Path(page), 1280), tmp_path / "profile")
    said = told(seen)
    assert seen.console == [] and (said["pwned"], said["fetched"], said["broken"]) == (False, 0, 0)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
def test_exports_compile_and_stay_in_their_folder(run: Path, tmp_path: Path) -> None:
    before = sorted(run.rglob("*"))
    out = edgeml.api.exports.export(run, "knee", ("tflite", "onnx", "c", "c99", "script"), tmp_path / "out")
    assert out.ok, out.failures
    assert sorted(run.rglob("*")) == before and [path.name for path in tmp_path.iterdir()] == ["out"]
    for name in [one.name for one in out.files]:
        assert re.fullmatch(r"[\w./-]+", name) and ".." not in name
    flags = ["-Wall", "-Wextra", "-Werror", "-Wcomment", "-Wtrigraphs", "-trigraphs", "-fsyntax-only"]
    sources = [path for path in out.folder.rglob("*") if path.suffix in (".c", ".cc", ".h")]
    assert sources
    for path in sources:
        language = ["-xc++", "-std=c++11"] if path.suffix == ".cc" else ["-xc", "-std=c99"]
        if "tensorflow" in path.read_text(encoding="utf-8") or path.suffix == ".h":
            continue  # needs tflite-micro's headers; compiled in test_micro.py
        subprocess.run(["gcc", *language, *flags, f"-I{path.parent}", path], check=True)
    for path in out.folder.rglob("*.py"):
        ast.parse(path.read_text(encoding="utf-8"))


def test_inert() -> None:
    assert inert("plain") == "plain" and inert("Zürich 中 🎉\n") == "Zürich 中 🎉\n"
    assert inert("\x1b[31m\x07\x7f\x9b\u202e\u2028\ud800") == "␛[31m␇␡\ufffd\ufffd\ufffd\ufffd"
    assert all(harmless(inert(name)) for name in (*NASTY, *OWN))


def test_what_is_said_is_inert(capsys: pytest.CaptureFixture[str]) -> None:
    say("a\x1b[2Jb", err=True)
    assert capsys.readouterr().err == "a␛[2Jb\n"
