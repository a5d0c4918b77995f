"""A table for a microcontroller: scikit-learn's breast-cancer measurements as CSV, searched and run.

python examples/tabular.py [FOLDER] [TRIALS]
"""

import csv
import subprocess
import sys
from pathlib import Path

from sklearn.datasets import load_breast_cancer

import edgeml


def write(path: Path) -> Path:
    """The table as a spreadsheet exports it: a header, one row a sample, the label as text at the end."""
    data = load_breast_cancer()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*data.feature_names, "diagnosis"])
        for values, label in zip(data.data, data.target, strict=True):
            writer.writerow([*values, data.target_names[label]])
    return path


def main(folder: str = "runs/tabular", trials: int = 6) -> None:
    """Write the table, search, export, and run the exported model on the table with its own example."""
    root = Path(folder)
    table = write(root / "breast_cancer.csv")
    run = edgeml.search(data=table, label="diagnosis", target="mcu-m4", trials=trials, out=root / "run")
    for row in run.front:
        print(f"{row['key']}  {100 * row['accuracy']:.1f} % int8  {row['size_bytes'] / 1000:.1f} kB")
    exported = run.export("knee", formats=["tflite"])
    print("exported to", exported)
    command = [sys.executable, str(exported / "example_litert.py"), str(table)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    print("row, probability, class, by", exported / "example_litert.py")
    print("\n".join(said[:3]))


if __name__ == "__main__":
    main(*sys.argv[1:2], *map(int, sys.argv[2:3]))
