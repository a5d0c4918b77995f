"""Export the best compromise of a run, look at the proofs, and run the model as a user without edgeml would.

python examples/export_and_run.py [RUN]
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np

import edgeml


def main(run: str = "runs/quickstart") -> None:
    """Export what `run` found (searched first where there is no such run) and classify a test image."""
    if not Path(run, "run.json").exists():
        edgeml.search(data="digits", target="cpu", trials=6, out=run)
    folder = edgeml.Run(Path(run), "finished").export("knee", ["tflite", "onnx"])
    card = json.loads((folder / "model.json").read_text())
    for name, proof in card["proofs"].items():
        same = f"{proof['agreement']:.1%} of {proof['compared']} images"
        print(f"{name}: same class on {same}, {proof['runtime']}")
    image, label = np.load(f"{run}/data/test_inputs.npy")[0], np.load(f"{run}/data/test_labels.npy")[0]
    sample = Path(run, "image.npy")
    np.save(sample, image)
    print(f"an image of class {card['classes'][label]} is taken for")
    command = [sys.executable, str(folder / "example_litert.py"), str(sample)]
    print(subprocess.run(command, check=True, capture_output=True, text=True).stdout, end="")
    print("files in", folder)


if __name__ == "__main__":
    main(*sys.argv[1:2])
