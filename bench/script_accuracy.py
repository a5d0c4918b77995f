"""Does train.py train to what `edgeml rebuild` trains to? Both from scratch, with the same seeds.

    python bench/script_accuracy.py RUN --seeds 5 --epochs 3 --python /venv/with/only/tensorflow/bin/python

RUN is a finished search. Its candidate is exported as `script`; train.py runs in the Python named, the
rebuild in this one. Prints JSON and a table: int8 and float accuracy on validation and test, means over the
seeds, and the difference with its standard error.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

FIGURES = ("val_float", "val_int8", "test_int8", "seconds")


def main() -> None:
    """Run all seeds and print."""
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("run", type=Path)
    asked.add_argument("--pick", default="accuracy")
    asked.add_argument("--seeds", type=int, default=5)
    asked.add_argument("--epochs", type=float, help="of both; the candidate's own where left out")
    asked.add_argument("--python", default=sys.executable, help="that runs train.py")
    asked.add_argument("--out", type=Path, help="JSON file")
    given = asked.parse_args()
    import edgeml

    with tempfile.TemporaryDirectory() as name:
        folder = edgeml.Run(given.run, "finished").export(
            given.pick, ("tflite", "script"), Path(name) / "export"
        )
        rows = [one(folder, given.python, seed, given.epochs) for seed in range(given.seeds)]
    found = {"run": str(given.run), "epochs": given.epochs, "seeds": given.seeds, "rows": rows}
    found |= {"summary": {figure: compared(rows, figure) for figure in FIGURES}}
    if given.out:
        given.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found["summary"]))
    for figure, row in found["summary"].items():
        print(
            f"{figure:10} train.py {row['script']:.4f}, rebuild {row['rebuild']:.4f}, "
            f"difference {row['difference']:+.4f} +- {row['error']:.4f}"
        )


def one(folder: Path, python: str, seed: int, epochs: float | None) -> dict[str, Any]:
    """Both trainings with one seed."""
    command = [
        python,
        str(folder / "train.py"),
        "--seed",
        str(seed),
        "--json",
        "--out",
        str(folder / "made.tflite"),
    ]
    command += ["--epochs", str(epochs)] if epochs else []
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    (folder / "made.tflite").unlink()
    return {
        "seed": seed,
        "script": json.loads(done.stdout.splitlines()[-1]),
        "rebuild": again(folder, seed, epochs),
    }


def again(folder: Path, seed: int, epochs: float | None) -> dict[str, Any]:
    """What `edgeml rebuild` does, in a process of its own: accuracies and seconds."""
    code = (
        "import json, sys; from pathlib import Path\n"
        "from edgeml.data.dataset import Dataset\n"
        "from edgeml.export.retrain import retrain\n"
        "from edgeml.export.spec import read_spec\n"
        "spec = read_spec(Path(sys.argv[1]) / 'spec.json')\n"
        "epochs = float(sys.argv[3]) or spec.fidelity['epochs']\n"
        "spec = spec.model_copy(update={'fidelity': {**spec.fidelity, 'epochs': epochs}})\n"
        "made = retrain(spec, Dataset.open(Path(spec.data.saved)), int(sys.argv[2]))\n"
        "print(json.dumps({'val_float': made.accuracy_float, 'val_int8': made.accuracy,\n"
        "                  'test_int8': made.scores.accuracy['value'], 'seconds': made.seconds}))\n"
    )
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder), str(seed), str(epochs or 0)],
        capture_output=True,
        text=True,
        check=True,
    )
    return {**json.loads(done.stdout.splitlines()[-1]), "wall": time.monotonic() - began}


def compared(rows: list[dict[str, Any]], figure: str) -> dict[str, float]:
    """Means, and the mean of the differences with its standard error."""
    pairs = [(row["script"][figure], row["rebuild"][figure]) for row in rows]
    differences = [a - b for a, b in pairs]
    error = statistics.stdev(differences) / len(pairs) ** 0.5 if len(pairs) > 1 else float("nan")
    return {
        "script": statistics.mean(a for a, _ in pairs),
        "rebuild": statistics.mean(b for _, b in pairs),
        "difference": statistics.mean(differences),
        "error": error,
    }


if __name__ == "__main__":
    main()
