"""CIFAR-10's JPEG copy -> a folder of 3,000 pictures of 128 x 128 pixels, as a user has them.

    python bench/photo_folder.py OUT [NPZ]

OUT/CLASS/NUMBER.jpg, 300 a class, the first of the training part, enlarged with bicubic interpolation. NPZ is
../shared/data/cifar10/cifar10_jpeg.npz unless named.
"""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import numpy as np
from PIL import Image

SHARED = Path(os.environ.get("EDGEML_SHARED", Path(__file__).resolve().parents[2] / "shared"))
EACH, SIDE = 300, 128


def write(npz: Path, out: Path) -> int:
    """The JPEG copy -> class folders; how many pictures."""
    written = 0
    with np.load(npz) as data:
        blob, offsets, labels = data["train_jpeg"].tobytes(), data["train_offsets"], data["train_y"]
        for number, name in enumerate(data["class_names"]):
            folder = out / str(name)
            folder.mkdir(parents=True, exist_ok=True)
            for index in np.flatnonzero(labels == number)[:EACH]:
                picture = Image.open(io.BytesIO(blob[offsets[index] : offsets[index + 1]])).convert("RGB")
                large = picture.resize((SIDE, SIDE), Image.Resampling.BICUBIC)
                large.save(folder / f"{index:05}.jpg", quality=90)
                written += 1
    return written


def main() -> None:
    """Write the folder."""
    npz = Path(sys.argv[2]) if len(sys.argv) > 2 else SHARED / "data" / "cifar10" / "cifar10_jpeg.npz"
    print(f"{write(npz, Path(sys.argv[1]))} pictures in {sys.argv[1]}")


if __name__ == "__main__":
    main()
