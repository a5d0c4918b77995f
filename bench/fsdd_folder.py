"""The Free Spoken Digit Dataset's .npz -> a folder of WAV files with its official test split.

    python bench/fsdd_folder.py OUT [NPZ]

OUT/train/CLASS/CLASS_SPEAKER_INDEX.wav and OUT/test/...: recordings 0 to 4 of each digit and speaker are the
test part, as the data set's authors say. NPZ is ../shared/data/fsdd/fsdd_8k.npz unless named.
"""

from __future__ import annotations

import os
import sys
import wave
from collections.abc import Mapping
from pathlib import Path

import numpy as np

SHARED = Path(os.environ.get("EDGEML_SHARED", Path(__file__).resolve().parents[2] / "shared"))


def write(npz: Path, out: Path) -> int:
    """FSDD as one .npz -> WAV files; how many."""
    with np.load(npz) as read:
        data = {name: read[name] for name in read.files}
    spans = zip(data["offsets"], data["offsets"][1:], strict=False)
    for number, (start, stop) in enumerate(spans):
        part = "test" if data["is_test"][number] else "train"
        digit, speaker = int(data["y"][number]), str(data["speakers"][data["speaker"][number]])
        folder = out / part / str(digit)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{digit}_{speaker}_{int(data['index'][number])}.wav"
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(int(data["sample_rate"]))
            file.writeframes(data["audio"][start:stop].astype("<i2").tobytes())
    return len(data["y"])


def move(folder: Path, out: Path, parts: Mapping[str, range]) -> None:
    """Recordings of a part's folder whose index is in one of these ranges -> OUT/PART/CLASS/."""
    for file in folder.glob("*/*.wav"):
        index = int(file.stem.rsplit("_", 1)[1])
        for part in (name for name, indices in parts.items() if index in indices):
            target = out / part / file.parent.name
            target.mkdir(parents=True, exist_ok=True)
            file.rename(target / file.name)


def main() -> None:
    if not 2 <= len(sys.argv) <= 3:
        sys.exit(__doc__)
    out = Path(sys.argv[1])
    npz = Path(sys.argv[2]) if len(sys.argv) == 3 else SHARED / "data" / "fsdd" / "fsdd_8k.npz"
    print(f"{write(npz, out)} recordings in {out}")


if __name__ == "__main__":
    main()
