"""Plain values -> YAML text with what only YAML has, for bench/endurance_fuzz.py."""

from __future__ import annotations

import random
from typing import Any

import yaml

from bench.fuzz_mutations import damaged_text


def as_yaml(rng: random.Random, value: Any) -> bytes:
    """YAML text with what only YAML has: bombs of aliases, merges, tags, keys twice, deep nesting."""
    try:
        text = yaml.safe_dump(value, sort_keys=False, allow_unicode=True)
    except (ValueError, yaml.YAMLError, RecursionError):
        text = "description: x\n"
    extra = rng.choice(("",) * 6 + YAML_ODD)
    if extra:
        text = rng.choice((extra + "\n" + text, text + extra + "\n", text.replace(": ", f": {extra} ", 1)))
    return damaged_text(rng, text) if rng.random() < 0.2 else text.encode("utf-8", "replace")


def _bomb(width: int, levels: int) -> str:
    lines = ["a0: &a0 [x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * width)}]" for i in range(1, levels)]
    return "\n".join(lines)


YAML_ODD = (
    _bomb(9, 9),
    _bomb(2, 30),
    "m0: &m0 {k0: 1}\n" + "\n".join(f"m{i}: &m{i} {{<<: *m{i - 1}, k{i}: 1}}" for i in range(1, 60)),
    "d: " + "[" * 2000,
    "d: " + "[" * 400 + "]" * 400,
    "".join(f"{' ' * i}k:\n" for i in range(600)),
    "loop: &l {again: *l}",
    "loop: &l [*l]",
    "? [a, b]\n: 1",
    "? {a: b}\n: 1",
    "1: 2",
    "null: 3",
    "true: 4",
    "2026-01-01: 5",
    "<<: 7",
    "<<: [1, 2]",
    "x: !!python/object/apply:os.system ['true']",
    "x: !!binary '%%%'",
    "x: !!timestamp noon",
    "x: !!int ''",
    "x: !!float x",
    "x: !!set {a, b}",
    "x: !!omap [a: 1]",
    "x: !unknown 1",
    "%YAML 9.9\n---",
    "---\na: 1\n---\nb: 2",
    "description: one\ndescription: two",
    "\tx: 1",
    "x: 1" + "0" * 5000,
    "x: 0x" + "f" * 5000,
    "x: 190:20:30:40:50",
    "x: |\n" + "  line\n" * 3000,
    "k" * 3000 + ": 1",
    "x: *nothing",
)
