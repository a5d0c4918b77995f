"""`make demo` made small: three of its twelve trials, half of the epochs, 97 % int8 on the test split.

How many trials three minutes are enough for is for `make demo` to say: here other tests run beside it.
"""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.command import edgeml_run

# Reads the exported file with LiteRT and scikit-learn alone; of edgeml only the split's indices are taken.
CHECK = """
import json, sys
import numpy as np
from ai_edge_litert.interpreter import Interpreter
from edgeml.data.dataset import load

test = load("digits").test
model = Interpreter(sys.argv[1])
model.allocate_tensors()
given, taken = model.get_input_details()[0], model.get_output_details()[0]
assert given["dtype"] == np.uint8 and tuple(given["shape"]) == (1, 8, 8, 1)
hits = 0
for image, label in zip(test.inputs, test.labels):
    model.set_tensor(given["index"], image[None])
    model.invoke()
    hits += int(model.get_tensor(taken["index"])[0].argmax() == label)
print(json.dumps({"hits": hits, "n": len(test)}))
"""


@pytest.mark.slow
def test_demo_reaches_97_percent(tmp_path):
    options = ["--data", "digits", "--target", "coral", "--trials", 3, "--epochs", 20, "--seed", 0]
    rows = json.loads(edgeml_run("search", *options, "--out", "run", "--json", cwd=tmp_path).stdout)
    edgeml_run("export", "run", "--pick", "accuracy", "--out", "out", cwd=tmp_path)
    model = str(tmp_path / "out" / "model.tflite")
    checked = subprocess.run([sys.executable, "-c", CHECK, model], capture_output=True, text=True, check=True)
    found = json.loads(checked.stdout)
    state = json.loads((tmp_path / "run" / "state.json").read_text())
    own = sum(state["time_s"].get(stage, 0) for stage in ("proposal", "data", "other", "report"))
    print(f"\ndemo: test {found}, {own:.1f} of {state['elapsed_s']:.1f} s outside training")
    assert len({row["key"] for row in rows}) >= 3
    assert found["hits"] / found["n"] >= 0.97
