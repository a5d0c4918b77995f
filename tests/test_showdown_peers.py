"""The peers of bench/showdown.py: the space that they share is built and counted in their own environment."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from bench.showdown_peers import lines

ROOT = Path(__file__).resolve().parents[1]
PEERS = Path(
    os.environ.get(
        "EDGEML_PEERS_PYTHON", Path.home() / ".cache" / "edgeml-bench" / "peers" / "bin" / "python"
    )
)
DRY = """
import json, random
from bench.showdown_peers.deadline import two_threads
two_threads()
from bench.showdown_peers import space
from bench.showdown_peers.convert import macs
from bench.showdown_peers.reference_models import MODELS
draw = random.Random(0)
seen = []
for shape in ((8, 8, 1), (119, 6)):
    config = {name: draw.choice(choices) for name, choices in space.SPACE.items()}
    model = space.build(config, shape, 4)
    given, made = model.input_shape[1:], model.output_shape[1:]
    seen.append([list(given), list(made), macs(model), model.count_params()])
small = MODELS["resnet8"]((32, 32, 3), 10)
print(json.dumps({"space": seen, "resnet8": [macs(small), small.count_params()]}))
"""


def test_only_code_between_the_marks_counts_as_the_users() -> None:
    text = 'a = 1\n# user code begins\ndef f():\n    """Doc."""\n    # why\n\n    return (1,\n        2)\n'
    assert lines.count_text(text + "# user code ends\nb = 2\n") == 3
    assert lines.count("tool_optuna.py") > 10


def test_the_space_and_a_reference_are_built_in_the_peers_environment() -> None:
    if not PEERS.exists():
        pytest.skip(f"no {PEERS}: bench/showdown_peers/environment.sh makes it")
    said = subprocess.run(
        [str(PEERS), "-c", DRY], cwd=ROOT, capture_output=True, text=True, check=True, timeout=300
    )
    found = json.loads(said.stdout.splitlines()[-1])
    assert [row[0] for row in found["space"]] == [[8, 8, 1], [119, 6]]
    assert all(outputs == [4] and macs > params / 2 > 0 for _, outputs, macs, params in found["space"])
    # MLPerf Tiny publishes 12.5 M multiply-accumulates and 78,666 parameters for its ResNet-8.
    assert found["resnet8"] == [12_501_632, pytest.approx(78_666, rel=0.01)]
