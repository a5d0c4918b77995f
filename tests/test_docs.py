"""Docs say what the code says: generated pages are current, everything is mentioned, links lead somewhere."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from edgeml.arch.cell import Arch, Cell, Edge, Stage
from edgeml.arch.ops import OPS
from edgeml.errors import DisconnectedArchError
from edgeml.export.formats import FORMATS
from tools import make_docs

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\]\(<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\)|(?:src|href)=\"([^\"]+)\"")
HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*#*$", re.MULTILINE)
CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.MULTILINE | re.DOTALL)


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_generated_pages_are_current() -> None:
    assert make_docs.stale() == []


def test_check_says_which_page_is_stale(tmp_path: Path) -> None:
    for folder in ("targets", "search_spaces", "docs"):
        (tmp_path / folder).mkdir()
    for path, text in make_docs.pages(tmp_path).items():
        (tmp_path / path).write_text(text)
    assert make_docs.stale(tmp_path) == []
    (tmp_path / "targets" / "new.yaml").write_text("description: a | b\ninherits: cpu\n")
    (tmp_path / "docs" / "ops.md").unlink()
    assert make_docs.stale(tmp_path) == [
        "docs/ops.md is missing; run `make docs`.",
        "docs/targets.md is out of date; run `make docs`.",
    ]
    assert r"a \| b (inherits `cpu`)" in make_docs.pages(tmp_path)[Path("docs/targets.md")]


def test_the_script_checks_from_any_folder(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", str(ROOT / "tools" / "make_docs.py"), "--check"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", OPS)
def test_every_op_is_mentioned(name: str) -> None:
    assert f"`{name}`" in (ROOT / "docs" / "ops.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_mentioned(name: str) -> None:
    assert f"| `{name}` |" in (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page, folder", [("targets", "targets"), ("spaces", "search_spaces")])
def test_every_yaml_file_is_mentioned_with_a_description(page: str, folder: str) -> None:
    text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
    for path in (ROOT / folder).glob("*.yaml"):
        assert re.search(rf"\[`{re.escape(path.stem)}`\]\([^)]*\) \| \w", text), (
            f"{path.name} has no description"
        )


def test_every_command_and_option_is_mentioned_and_explained() -> None:
    import click

    from edgeml.cli import main

    text = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    unexplained = []
    for context in make_docs._contexts(click.Context(main, info_name="edgeml")):
        assert f"`{context.command_path}`" in text
        if not context.command.help:
            unexplained.append(context.command_path)
        for option in context.command.params:
            if isinstance(option, click.Option) and not option.hidden:
                assert all(name in text for name in option.opts)
                if not option.help:
                    unexplained.append(f"{context.command_path} {option.opts[0]}")
    assert unexplained == []


def anchors(page: Path) -> set[str]:
    """GitHub's anchors of a page's headings: lower case, punctuation dropped, spaces as hyphens."""
    headings = HEADING.findall(page.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    broken = []
    for match in LINK.finditer(CODE.sub("", page.read_text(encoding="utf-8"))):
        link = match[1] or match[2]
        if re.match(r"[a-z]+:", link):
            continue
        place, _, anchor = link.partition("#")
        goal = (page.parent / place).resolve() if place else page
        if not goal.exists() or (anchor and goal.suffix == ".md" and anchor not in anchors(goal)):
            broken.append(link)
    assert broken == []


def test_concepts_is_one_page() -> None:
    page = ROOT / "docs" / "concepts.md"
    assert len(page.read_text(encoding="utf-8").splitlines()) <= 70


@pytest.mark.slow
def test_the_figures_of_decision_002() -> None:
    reduction = Cell(((Edge(0, "conv_3x3"),), (Edge(1, "conv_3x3"), Edge(0, "skip"))))
    published_of: dict[str, set[str]] = defaultdict(set)
    graphs_of: dict[str, set[str]] = defaultdict(set)
    disconnected = 0
    for op in itertools.product(("zero", "skip", "conv_1x1", "conv_3x3", "avg_pool_3x3"), repeat=6):
        edges = [Edge(source, name) for source, name in zip((0, 0, 1, 0, 1, 2), op, strict=True)]
        cell = Cell(((edges[0],), tuple(edges[1:3]), tuple(edges[3:])))
        try:
            # One repetition: three and two give the same figures, at two and one and a half times the work.
            key = Arch((32, 32, 3), 10, 16, (Stage(cell, 1, 16), Stage(cell, 1, 32, 2, reduction))).key
        except DisconnectedArchError:
            key = "disconnected"
            disconnected += 1
        published_of[key].add(cell.published_string)
        graphs_of[cell.published_string].add(key)
    found = {
        "5,261": len(published_of),
        "6,466": len(graphs_of),
        "341": disconnected,
        "5": len(published_of.pop("disconnected")),
        "687": sum(len(strings) > 1 for strings in published_of.values()),
        "431": sum(len(keys) > 1 for keys in graphs_of.values()),
    }
    text = (ROOT / "docs" / "decisions" / "002-canonical-key.md").read_text(encoding="utf-8")
    for figure, count in found.items():
        assert f"{count:,}" == figure
        assert re.search(rf"\b{figure}\b", text)
