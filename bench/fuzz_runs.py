"""Kinds of input for bench/endurance_fuzz.py that edgeml wrote: runs, models, exports; and options."""

from __future__ import annotations

import json
import os
import random
import shutil
import sys
from functools import cache
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.fuzz_data import Command, table
from bench.fuzz_mutations import WORDS, as_json, damaged, damaged_head, damaged_text, damaged_value
from bench.fuzz_options import OPTIONS, VALUES

SEEDS = "EDGEML_FUZZ_SEEDS"
"""Environment variable: the folder of `make_seeds`."""
TARGETS = ("cpu", "coral", "coral-devboard", "rpi4", "mobile", "mcu-m4", "mcu-m7", "ethos-u55-128", "pixel4")


def make_seeds(folder: Path) -> None:
    """A small search on digits, its export and its models, which the kinds below start from."""
    import edgeml

    run = edgeml.search("digits", "coral", trials=6, epochs=2, seed=3, out=folder / "run", space="nano")
    run.export("knee", out=folder / "export")
    (folder / "run" / "study.db").rename(folder / "study.db")
    shutil.rmtree(folder / "run" / "data")
    for name in ("report.html", "report.md"):
        (folder / "run" / name).unlink(missing_ok=True)


def _seeds() -> Path:
    return Path(os.environ[SEEDS])


@cache
def _models() -> tuple[bytes, ...]:
    found = sorted(_seeds().rglob("*.tflite"))
    return tuple(path.read_bytes() for path in found)


def _model(rng: random.Random) -> bytes:
    data = rng.choice(_models())
    way = rng.randrange(4)
    if way == 0:
        return damaged(rng, data, rng.choice(_models()))
    if way == 1:
        return damaged_head(rng, data, 400)
    for _ in range(rng.choice((1, 1, 3, 10))):  # tables and offsets lie behind the weights
        tail = rng.randrange(len(data))
        data = data[:tail] + damaged_head(rng, data[tail:], 2000)
    return data[:4] + b"TFL3" + data[8:]


def check(rng: random.Random, folder: Path) -> Command:
    """`edgeml check FILE.tflite`."""
    path = folder / "given.tflite"
    path.write_bytes(_model(rng))
    return ["check", str(path), "--target", rng.choice(TARGETS), *rng.choice(([], ["--json"]))]


def measure(rng: random.Random, folder: Path) -> Command:
    """`edgeml measure FILE.tflite`: LiteRT runs what may crash it."""
    path = folder / "given.tflite"
    path.write_bytes(_model(rng))
    return ["measure", str(path), "--target", rng.choice(("cpu", "cpu", "mcu-m4"))]


def calibrate(rng: random.Random, folder: Path) -> Command:
    """`edgeml calibrate --device csv:FILE`."""
    rows = ["model,latency_ms"]
    for index in range(11):
        name = f"m{index}.tflite"
        content = _models()[index % len(_models())]
        (folder / name).write_bytes(content + bytes(index) if rng.random() < 0.97 else _model(rng))
        rows.append(f"{name},{rng.uniform(0.5, 5):.3f}")
    if rng.random() < 0.5:
        cells = rng.choice(rows).split(",")
        rows[rng.randrange(len(rows))] = f"{rng.choice((cells[0], '../x', 'no'))},{rng.choice(WORDS)}"
    text = "\n".join(rows)
    path = folder / "given.csv"
    path.write_bytes(damaged_text(rng, text) if rng.random() < 0.6 else damaged(rng, text.encode()))
    return [
        "calibrate",
        "--device",
        f"csv:{path}",
        "--base",
        rng.choice(("coral", "rpi4")),
        "--out",
        str(folder / "o.yaml"),
    ]


def _json_file(rng: random.Random, path: Path) -> None:
    way = rng.randrange(6)
    data = path.read_bytes()
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):  # it has been damaged once already
        way = 0
    if way == 0:
        path.write_bytes(damaged(rng, data))
    elif way == 1 and rng.random() < 0.2:
        path.unlink()
        if rng.random() < 0.3:
            path.mkdir()
    else:
        path.write_bytes(as_json(rng, damaged_value(rng, value)))


def damaged_run(rng: random.Random, folder: Path, name: str = "run") -> Path:
    """A copy of the run with one or two of its files damaged."""
    run = folder / name
    shutil.copytree(_seeds() / "run", run)
    files = ["run.json"] * 4 + ["state.json"] * 3 + ["front.json"] * 2 + ["diagnosis.json"] * 3
    cards = [str(path.relative_to(run)) for path in run.glob("candidates/*/candidate.json")]
    for _ in range(rng.choice((1, 1, 2))):
        wanted = run / rng.choice((*files, *sorted(cards)))
        if wanted.is_file():
            _json_file(rng, wanted)
    return run


def report(rng: random.Random, folder: Path) -> Command:
    """`edgeml report RUN`."""
    return ["report", str(damaged_run(rng, folder))]


def leaderboard(rng: random.Random, folder: Path) -> Command:
    """`edgeml leaderboard RUN`."""
    return ["leaderboard", str(damaged_run(rng, folder)), *rng.choice(([], ["--json"]))]


def compare(rng: random.Random, folder: Path) -> Command:
    """`edgeml compare RUN RUN`."""
    second = damaged_run(rng, folder, "other")
    shutil.copytree(_seeds() / "run", folder / "whole")
    more = rng.choice(
        ([], ["--json"], ["--force"], ["--out", str(folder / "page.html")], ["--under", "size_kb=30"])
    )
    return ["compare", str(folder / "whole"), str(second), "--force", *more]


def check_run(rng: random.Random, folder: Path) -> Command:
    """`edgeml check RUN`."""
    run = damaged_run(rng, folder)
    if rng.random() < 0.4:
        path = rng.choice(sorted(run.glob("candidates/*/model.tflite")))
        path.write_bytes(_model(rng)) if rng.random() < 0.8 else path.unlink()
    return ["check", str(run), *rng.choice(([], ["--target", "rpi4"]))]


def export(rng: random.Random, folder: Path) -> Command:
    """`edgeml export RUN` up to where what was read is converted."""
    run = damaged_run(rng, folder)
    for path in sorted(run.glob("candidates/*/*.*")):
        if path.suffix == ".safetensors" and rng.random() < 0.5:
            path.write_bytes(_tensors(rng, path.read_bytes()))
            card = path.with_name("candidate.json")
            if card.is_file() and rng.random() < 0.8:  # as a run without checksums
                card.write_text(card.read_text("utf-8", "replace").replace("weights_sha256", "no"), "utf-8")
    return ["export", str(run), "--pick", rng.choice(("knee", "preferred", "size", "latency", "accuracy"))]


def _tensors(rng: random.Random, data: bytes) -> bytes:
    """A .safetensors file: its head says other names, types, shapes or offsets."""
    if rng.random() < 0.4:
        return damaged_head(rng, data, 200) if rng.random() < 0.5 else damaged(rng, data)
    size = int.from_bytes(data[:8], "little")
    head = as_json(rng, damaged_value(rng, json.loads(data[8 : 8 + size])))
    said = rng.choice((len(head),) * 6 + (1 << 62, 0, len(head) * 1000))
    return said.to_bytes(8, "little") + head + data[8 + size :]


def bank(rng: random.Random, folder: Path) -> Command:
    """RUN/bank.safetensors."""
    path = folder / "bank.safetensors"
    path.write_bytes(_tensors(rng, rng.choice(sorted(_seeds().rglob("*.safetensors"))).read_bytes()))
    return ["@bank", str(path)]


def spec(rng: random.Random, folder: Path) -> Command:
    """spec.json, model.json and SHA256SUMS of an exported folder, as `edgeml rebuild` reads them."""
    made = folder / "export"
    shutil.copytree(_seeds() / "export", made)
    name = rng.choice(("spec.json",) * 6 + ("SHA256SUMS", "model.json"))
    if name.endswith("json"):
        _json_file(rng, made / name)
    else:
        text = (made / name).read_text()
        (made / name).write_bytes(
            damaged_text(rng, text) if rng.random() < 0.5 else damaged(rng, text.encode())
        )
    return ["@spec", str(made)]


def study(rng: random.Random, folder: Path) -> Command:
    """`edgeml dashboard RUN`: its study.db."""
    run = damaged_run(rng, folder) if rng.random() < 0.3 else folder / "run"
    if not run.exists():
        shutil.copytree(_seeds() / "run", run)
    data = (_seeds() / "study.db").read_bytes()
    (run / "study.db").write_bytes(
        damaged_head(rng, data, 4096) if rng.random() < 0.5 else damaged(rng, data)
    )
    return ["@dashboard", str(run)]


def own_ops(rng: random.Random, folder: Path) -> Command:
    """A target file that inherits itself, a list or nobody."""
    path = folder / "targets"
    path.mkdir()
    (path / "mine.yaml").write_text(
        rng.choice(("inherits: mine\ndescription: x", "inherits: [cpu]", "inherits: no"))
    )
    return ["targets", str(path / "mine.yaml")]


def options(rng: random.Random, folder: Path) -> Command:
    """Values of `edgeml search`'s options, and of others'; nothing that could start a search."""
    command = rng.choice(
        ("search", "search", "search", "export", "compare", "calibrate", "check", "measure", "data")
    )
    more: list[str] = []
    if command == "search":
        for _ in range(rng.choice((1, 1, 2, 4))):
            more += [rng.choice(OPTIONS), rng.choice(VALUES)]
        data = table(rng, folder)[1] if rng.random() < 0.3 else "digits"
        return ["search", "--data", data, "--out", str(folder / "run"), *more, "--limit", "size_bytes=0.0001"]
    if command == "export":
        more = [str(_seeds() / "run"), rng.choice(("--pick", "--format", "--out")), rng.choice(VALUES)]
    elif command == "compare":
        more = [
            str(_seeds() / "run"),
            rng.choice(("run", str(_seeds() / "run"))),
            "--under",
            rng.choice(VALUES),
        ]
    elif command == "calibrate":
        device = rng.choice(("csv:", "ssh://", "adb:", "ssh://-oProxyCommand=x@y", "", "csv:\0"))
        out = rng.choice((str(folder / "x.yaml"), str(folder / ("y" * 300 + ".yaml")), "\0.yaml"))
        more = ["--device", device + rng.choice(("", rng.choice(VALUES))), "--base", "rpi4", "--out", out]
        return [command, *more, "--models", rng.choice(VALUES)] if rng.random() < 0.5 else [command, *more]
    else:
        more = [
            rng.choice(VALUES),
            *rng.choice(([], ["--target", rng.choice(VALUES)], ["--task", "anomaly"])),
        ]
    return [command, *more]


if __name__ == "__main__" and len(sys.argv) > 1:
    make_seeds(Path(sys.argv[1]))
