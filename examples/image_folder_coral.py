"""A folder of photos for a Coral Edge TPU: makes pictures, checks them, searches and exports.

python examples/image_folder_coral.py [FOLDER] [TRIALS]

Put your own class folders in place of FOLDER/pictures: FOLDER/pictures/CLASS/any-name.jpg of any size.
"""

import os
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

import edgeml

QUICK = bool(os.environ.get("EDGEML_EXAMPLE_QUICK"))
SHAPES = ("circle", "square", "triangle")


def make(root: Path, count: int, side: int) -> Path:
    """Photos of three shapes, of any colour, size and place, on blurred backgrounds with noise."""
    rng = np.random.default_rng(0)
    for shape in SHAPES:
        (root / shape).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            few = Image.fromarray(rng.integers(0, 150, (5, 5, 3)).astype(np.uint8))
            smooth = np.asarray(few.resize((side, side), Image.Resampling.BICUBIC))
            picture = Image.fromarray(
                np.clip(smooth + rng.normal(0, 10, smooth.shape), 0, 255).astype(np.uint8)
            )
            radius = int(side * rng.uniform(0.15, 0.3))
            x, y = rng.integers(radius, side - radius, 2).tolist()
            colour = tuple(rng.integers(150, 256, 3).tolist())
            draw = ImageDraw.Draw(picture)
            if shape == "circle":
                draw.ellipse((x - radius, y - radius, x + radius, y + radius), colour)
            elif shape == "square":
                draw.rectangle((x - radius, y - radius, x + radius, y + radius), colour)
            else:
                draw.polygon([(x, y - radius), (x - radius, y + radius), (x + radius, y + radius)], colour)
            picture.save(root / shape / f"{number:04}.jpg", quality=90)
    return root


def main(folder: str = "runs/image_folder_coral", trials: int = 2 if QUICK else 8) -> None:
    """Make the pictures, look for faults, search, show the front, export the knee."""
    pictures = make(Path(folder) / "pictures", *((30, 32) if QUICK else (300, 64)))
    found = edgeml.inspect(pictures)
    print(f"{sum(found.counts.values())} pictures of {', '.join(found.classes)}")
    for finding in found.findings:
        print(f"{finding.severity}: {finding.means} edgeml {finding.does}")
    small = {"epochs": 2.0, "fidelity": "full", "compress": "none"} if QUICK else {}
    run = edgeml.search(data=pictures, target="coral", trials=trials, out=Path(folder) / "run", **small)
    for row in run.front:
        latency = row["latency_ms"]
        print(
            f"{row['key']}  {100 * row['accuracy']:.1f} % int8  {latency['value']:.2f} ms {latency['kind']}"
            f"  {row['size_bytes'] / 1000:.1f} kB"
        )
    print("exported to", run.export("knee", formats=["tflite"]))
    print("report in", run.report())


if __name__ == "__main__":
    main(*sys.argv[1:2], *map(int, sys.argv[2:3]))
