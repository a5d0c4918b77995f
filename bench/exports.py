"""Exports one finalist of a short search in every format and says what the proofs and MediaPipe make of it.

python bench/exports.py --data digits fashion_mnist cifar10 [--epochs 4] [--out results.json]

For each data set: a random network of a space is trained, all formats are made and proven, timed together;
then MediaPipe (tests/test_metadata.py says where its environment is) classifies 500 images with the file that
format `mediapipe` wrote. fashion_mnist and cifar10 come from ../shared/data, left out where that is absent.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from edgeml.data.dataset import Dataset, load  # noqa: E402
from edgeml.deploy.runtime import predict  # noqa: E402
from edgeml.export.formats import make  # noqa: E402
from edgeml.export.given import ExportInput  # noqa: E402
from edgeml.export.proof import Proof, prove  # noqa: E402
from tests.export_input import trained  # noqa: E402

SHARED = Path(os.environ.get("EDGEML_SHARED", ROOT.parent / "shared")) / "data"
MEDIAPIPE = Path(
    os.environ.get("EDGEML_MEDIAPIPE_PYTHON", Path.home() / ".cache/edgeml-tests/mediapipe/bin/python")
)


def dataset(name: str) -> Dataset | None:
    """The data set, None where it is not on this machine."""
    if name == "digits":
        return load("digits")
    path = SHARED / name
    if not path.exists():
        print(f"{name}: left out, {path} is not there")
        return None
    if name == "fashion_mnist":
        return load(str(path / "fashion_mnist.npz"))
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / f"{name}.npz"
        subprocess.run([sys.executable, path / "load.py", path / f"{name}_jpeg.npz", plain], check=True)
        return load(str(plain))


def in_mediapipe(given: ExportInput, model: bytes, images: np.ndarray) -> dict[str, object]:
    """Top-1 agreement with what was scored, and the largest difference of a score."""
    if not MEDIAPIPE.exists():
        return {"skipped": f"{MEDIAPIPE} is not there"}
    scored = predict(given.tflite, images)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "m.tflite").write_bytes(model)
        np.save(folder / "i.npy", np.repeat(images, 3, -1) if images.shape[-1] == 1 else images)
        client = ROOT / "tests" / "mediapipe_client.py"
        command = [MEDIAPIPE, client, folder / "m.tflite", folder / "i.npy", folder / "o.json"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        if done.returncode:
            return {"failed": done.stderr.strip().splitlines()[-1]}
        found = json.loads((folder / "o.json").read_text("utf-8"))
    scores = np.array(found["scores"])
    return {
        "version": found["version"],
        "images": len(images),
        "agreement": float((scores.argmax(-1) == scored.argmax(-1)).mean()),
        "max_error": float(np.abs(scores - scored).max()),
    }


def row(name: str, proof: Proof) -> str:
    """A line of the table."""
    if proof.agreement is None or proof.max_error is None or proof.accuracy is None:
        return f"| {name} | {proof.format} | - | - | - | - | {proof.reason} |"
    scored = "" if proof.agreement_scored is None else f" ({proof.agreement_scored:.1%} with what was scored)"
    return (
        f"| {name} | {proof.format} | {proof.runtime} | {proof.agreement:.2%} of {proof.compared}{scored} | "
        f"{proof.max_error:.2g} | {proof.accuracy['value']:.2%} of {proof.accuracy['n']} | "
        f"{'passed' if proof.passed else proof.reason} |"
    )


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", nargs="+", default=["digits", "fashion_mnist", "cifar10"])
    parser.add_argument("--space", default="micro_cell")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--epochs", type=float, default=4)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    found, lines = [], []
    for name in asked.data:
        data = dataset(name)
        for seed in asked.seeds if data else ():
            assert data is not None
            with tempfile.TemporaryDirectory() as folder:
                epochs = asked.epochs if len(data.train) > 5000 else 10 * asked.epochs
                given = trained(Path(folder), data, asked.space, seed, epochs, batch_size=128)
                began = time.monotonic()
                made = make(given, ("all",))
                made_s = time.monotonic() - began
                proofs = prove(given, made.files)
                seconds = time.monotonic() - began
                (model,) = made.files["mediapipe"].values()
                images = np.concatenate([given.data.test.inputs[:500], given.data.train.inputs[:500]])
                client = in_mediapipe(given, model, images[:500])
            entry = {
                "data": name, "space": asked.space, "seed": seed, "key": given.key,
                "bytes": len(given.tflite), "make_s": round(made_s, 1), "seconds": round(seconds, 1),
                "skipped": made.skipped, "mediapipe": client,
                "proofs": [proof.to_dict() for proof in proofs.values()],
            }  # fmt: skip
            found.append(entry)
            lines += [row(name, proof) for proof in proofs.values()]
            lines.append(f"| {name} | all formats made and proven in {seconds:.1f} s; MediaPipe: {client} |")
            print("\n".join(lines[-len(proofs) - 1 :]), flush=True)
    if asked.out:
        asked.out.write_text(json.dumps(found, indent=1) + "\n")
    else:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
