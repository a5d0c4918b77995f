"""The showdown's tables in docs/benchmarks.md, from the JSON files in bench/results/showdown/.

    python bench/showdown_markdown.py [--print]

Each block stands between two comments there, the standings above the text and the tables below it;
tests/test_showdown.py says when they are not those of the files.
"""

from __future__ import annotations

import re
import statistics
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from bench.showdown_table import (  # noqa: E402
    Comparison,
    ablations,
    comparisons,
    references,
    share_of,
    spread,
    table,
    titled,
)
from bench.showdown_volume import SHOWN  # noqa: E402

PAGE = ROOT / "docs" / "benchmarks.md"


def line(cells: Iterable[str]) -> str:
    """Cells -> a line of a table; shares without their 0, names such as mobilenetv1-0.25 as they are."""
    return re.sub(r"(?<![\w.])(?<!\w-)0\.", ".", f"| {' | '.join(cells)} |")


def markdown(what: Comparison) -> Iterator[str]:
    """Lines of a table as docs/benchmarks.md has it."""
    rows = table(*what)
    costs = list(rows[0]["volumes"])
    names = [titled(*what), "seeds", *(SHOWN[c] for c in costs), "all", "best test", "edgeml in"]
    yield f"| {' | '.join(names)} |"
    yield f"|{' --- |' * len(names)}"
    for row in rows:
        volumes = [spread(row["volumes"][c]) for c in costs]
        share = "" if row["tool"] == "edgeml" else share_of(row["share"])
        cells = [row["tool"], str(row["seeds"]), *volumes, spread(by_seed(row)), spread(row["best"]), share]
        yield line(cells)
    yield ""
    limits = [f"{n.split('_')[0]} {int(n.split()[1]) // 1000} kB" for n in rows[0]["under"]]
    yield f"| best test accuracy within | {' | '.join(limits)} | lines to write |"
    yield f"|{' --- |' * (2 + len(limits))}"
    for row in rows:
        limited = [spread(row["under"][name]) for name in row["under"]]
        cells = [row["tool"], *limited, str(row["user_lines"] or "-")]
        yield line(cells)
    if fixed := references(*what):
        yield ""
        yield "| fixed network | test | MACs | arena | edgeml's, of its MACs | of its arena |"
        yield f"|{' --- |' * 6}"
    for row in fixed:
        arena = f"{row['arena_bytes'] / 1000:.0f} kB" if row["arena_bytes"] else "-"
        shares = [share_of(row["share_macs"]), share_of(row["share_arena_bytes"])]
        cells = [row["reference"], f"{row['test']:.3f}", f"{row['macs'] / 1e6:.2f} M", arena, *shares]
        yield line(cells)


def by_seed(row: dict[str, Any]) -> list[float]:
    """A row of `table` -> each seed's mean over the costs."""
    return [statistics.mean(seed) for seed in zip(*row["volumes"].values(), strict=True)]


def standings(compared: Iterable[Comparison]) -> Iterator[str]:
    """Lines of the table of edgeml and the best of the others, a line a task, budget and processor."""
    yield "| task | edgeml | seeds | best of the others | seeds | it has | all seeds above | edgeml in |"
    yield f"|{' --- |' * 8}"
    for what in compared:
        rows = table(*what)
        ours = [row for row in rows if row["tool"] == "edgeml"]
        others = [row for row in rows if row["tool"] != "edgeml"]
        if not ours or not others:
            continue
        had, best = by_seed(ours[0]), others[0]
        peer = by_seed(best)
        above = "yes" if min(had) > max(peer) else "no"
        yield line(
            [
                *(titled(*what), spread(had), str(len(had)), best["tool"], str(len(peer))),
                *(spread(peer), above, share_of(best["share"])),
            ]
        )


def switched_off() -> Iterator[str]:
    """Lines of the table of what edgeml loses when something is switched off."""
    compared = comparisons(changed=True)
    if compared:
        yield "| edgeml with | seeds | all | more than as it is | best test |"
        yield f"|{' --- |' * 5}"
    for what in compared:
        rows = ablations(*what)
        plain = dict(zip(rows[0]["seeds"], rows[0]["mean"], strict=True))
        for row in rows:
            named = f"{titled(*what)}: {row['options']}"
            means = zip(row["seeds"], row["mean"], strict=True)
            more = [mean - plain[seed] for seed, mean in means if seed in plain and row is not rows[0]]
            yield line(
                [named, str(len(row["seeds"])), spread(row["mean"]), spread(more), spread(row["best"])]
            )


def blocks() -> dict[str, str]:
    """Name of a block of the page -> its lines."""
    compared = comparisons()
    found = [*map(markdown, compared), switched_off()]
    below = "\n\n".join(filter(None, map("\n".join, found)))
    return {"standings": "\n".join(standings(compared)), "tables": below}


def page() -> str:
    """docs/benchmarks.md with the tables of today.

    Raises:
        ValueError: a block's comments are not there.
    """
    text = PAGE.read_text(encoding="utf-8")
    for name, block in blocks().items():
        begin, end = f"<!-- {name} of bench/showdown_markdown.py -->", f"<!-- end of {name} -->"
        before, opened, rest = text.partition(begin)
        _, closed, after = rest.partition(end)
        if not opened or not closed:
            raise ValueError(f"{PAGE}: no {begin} with {end} after it")
        text = f"{before}{begin}\n\n{block}\n\n{end}{after}"
    return text


def main() -> None:
    """Write them, or print them."""
    if "--print" in sys.argv[1:]:
        print("\n\n".join(blocks().values()))
    else:
        PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
