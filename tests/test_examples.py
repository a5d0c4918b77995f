"""Every example is listed, and runs as a user would run it; EDGEML_EXAMPLE_QUICK=1 makes it small."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
EXAMPLES = HERE.parent / "examples"
FIGURES = {
    "custom_op.py": ("edges of its cells are ghosts", "exported to made/run/export/"),
    "image_folder_coral.py": ("90 pictures of circle, square, triangle", "exported to made/run/export/"),
    "custom_target.py": (" ms estimated", "exported to made/run/export/"),
}
"""Examples run here: what each must say. The others have tests of their own."""


def test_every_example_is_listed_and_run_by_a_test():
    listed = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    tests = "".join(file.read_text(encoding="utf-8") for file in HERE.glob("test_*.py"))
    for path in EXAMPLES.glob("*.py"):
        assert f"[{path.name}]({path.name})" in listed, f"examples/README.md does not list {path.name}"
        assert f'"{path.name}"' in tests, f"no test runs {path.name}"


@pytest.mark.slow
@pytest.mark.parametrize("name", FIGURES)
def test_an_example_runs(name, tmp_path):
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name), "made"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "EDGEML_EXAMPLE_QUICK": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert all(words in done.stdout for words in FIGURES[name]), done.stdout
    assert (tmp_path / "made" / "run" / "report.html").is_file()
