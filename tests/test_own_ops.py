"""Ops registered from Python: refused in a sentence where they are none, known to worker processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from edgeml.arch import own_ops
from edgeml.arch.layers import Conv2D
from edgeml.arch.ops import OPS, conv
from edgeml.errors import ConfigError


def plain(build, name, source, channels, stride, activation):
    return build.add(f"{name}/conv", Conv2D(channels, 3, stride, activation), source)


def forgets_the_stride(build, name, source, channels, stride, activation):
    return build.add(f"{name}/conv", Conv2D(channels, 3, 1, activation), source)


def fails(build, name, source, channels, stride, activation):
    raise RuntimeError("no such layer")


@pytest.fixture(autouse=True)
def _as_before(monkeypatch):
    monkeypatch.setenv(own_ops.VARIABLE, "")
    before = dict(OPS)
    yield
    OPS.clear()
    OPS.update(before)


def test_an_op_is_known_here_and_to_children():
    own_ops.register_op("own_3x3", plain)
    own_ops.register_op("own_3x3", plain)
    assert OPS["own_3x3"] is plain
    assert os.environ[own_ops.VARIABLE] == str(Path(__file__).resolve())


@pytest.mark.parametrize(
    ("name", "op", "words"),
    [
        ("Own", plain, ("small letters",)),
        ("conv_3x3", plain, ("name already",)),
        ("skip", conv, ("name already",)),
        ("own", forgets_the_stride, ("at stride 2", "(8, 8, 4)", "expected (4, 4, 4)")),
        ("own", fails, ("RuntimeError: no such layer",)),
        ("own", print, ("in no file",)),
    ],
)
def test_what_is_no_op_is_one_sentence(name, op, words):
    before = dict(OPS)
    with pytest.raises(ConfigError) as refused:
        own_ops.register_op(name, op)
    assert all(word in str(refused.value) for word in words) and "\n" not in str(refused.value)
    assert before == OPS


def test_files_named_in_the_environment(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(
        "import edgeml\nfrom edgeml.arch.layers import Conv2D\n"
        "def own(build, name, source, channels, stride, activation):\n"
        "    return build.add(f'{name}/conv', Conv2D(channels, 3, stride, activation), source)\n"
        "edgeml.register_op('own_conv', own)\n"
    )
    space = tmp_path / "space.yaml"
    space.write_text(
        "description: own\nkind: cells\nstem: {channels: [8]}\ncell: {nodes: 1, ops: [own_conv, skip]}\n"
        "stages: {count: 2, repeat: [1], growth: [2]}\n"
    )

    def spaces(variable: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-m", "edgeml.cli", "spaces", str(space)],
            capture_output=True,
            text=True,
            env={**os.environ, own_ops.VARIABLE: variable},
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    assert spaces("")[0] == 2
    code, said = spaces(str(file))
    assert code == 0 and "own_conv" in said
    code, said = spaces(str(tmp_path / "absent.py"))
    assert code == 2 and "absent.py is no Python file" in said
    (tmp_path / "broken.py").write_text("1 / 0\n")
    code, said = spaces(str(tmp_path / "broken.py"))
    assert code == 2 and "ZeroDivisionError" in said and "Traceback" not in said
