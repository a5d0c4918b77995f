"""Gestures of an accelerometer on a Cortex-M4: from recordings in class folders to a network in C.

python examples/gestures.py [FOLDER] [TRIALS] [RECORDINGS]

Makes recordings of four people who move a wrist-worn accelerometer (50 Hz, g), one CSV file a gesture, as a
logger would write them: FOLDER/gestures/GESTURE/PERSON/rec0.csv. People differ in tempo, strength and in how
they wear the device; edgeml keeps each in one split, so validation and test are people it has not seen.
"""

import csv
import sys
from pathlib import Path

import numpy as np

import edgeml

RATE_HZ = 50
SECONDS = 2
GESTURES = ("circle", "shake", "lift", "rest")


def motion(gesture: str, tempo: float) -> np.ndarray:
    """(samples, 3) acceleration in g of a gesture, without gravity."""
    t = np.arange(SECONDS * RATE_HZ) / RATE_HZ
    turn = 2 * np.pi * tempo * t
    still = np.zeros_like(t)
    if gesture == "circle":
        return np.stack([np.cos(turn), np.sin(turn), still], axis=1)
    if gesture == "shake":
        return np.stack([1.5 * np.sin(4 * turn), still, 0.3 * np.sin(8 * turn)], axis=1)
    if gesture == "lift":
        up = np.exp(-(((t - 1) * tempo / 0.3) ** 2)) * np.sin((t - 1) * 6 * tempo)
        return np.stack([still, still, 1.5 * up], axis=1)
    return np.zeros((len(t), 3))


def record(folder: Path, recordings: int) -> Path:
    """Write `recordings` of each gesture by each of four people; returns the folder of class folders."""
    rng = np.random.default_rng(0)
    for person in ("anna", "ben", "cleo", "dan"):
        tempo, strength = rng.uniform(0.8, 1.3), rng.uniform(0.6, 1.4)
        angle = rng.uniform(-0.4, 0.4)  # how the strap sits
        turned = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
        for gesture in GESTURES:
            for number in range(recordings):
                values = strength * motion(gesture, tempo * rng.uniform(0.9, 1.1)) @ turned.T
                values = np.roll(values, rng.integers(-10, 11), axis=0) + np.array([0, 0, 1])  # gravity
                write(
                    folder / gesture / person / f"rec{number}.csv", values + rng.normal(0, 0.05, values.shape)
                )
    return folder


def write(path: Path, values: np.ndarray) -> None:
    """One recording as a logger writes it: a time in milliseconds, then the axes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["time_ms", "ax", "ay", "az"])
        writer.writerows([1000 * n // RATE_HZ, *map("{:.4f}".format, row)] for n, row in enumerate(values))


def main(folder: str = "runs/gestures", trials: int = 8, recordings: int = 12) -> None:
    """Record, search, export."""
    root = Path(folder)
    run = edgeml.search(
        data=record(root / "gestures", recordings),
        target="mcu-m4",
        limits={"macs": 300_000},
        trials=trials,
        out=root / "run",
    )
    for row in run.front:
        print(f"{row['key']}  {100 * row['accuracy']:.1f} % int8  {row['macs'] / 1000:.0f} kMACs")
    exported = run.export("knee", formats=["tflite", "c99"])
    print("exported to", exported)
    print(
        "raw g to the network's bytes, in C and Python:",
        exported / "preprocess.h",
        exported / "preprocess.py",
    )


if __name__ == "__main__":
    main(*sys.argv[1:2], *map(int, sys.argv[2:4]))
