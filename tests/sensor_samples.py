"""Recordings and tables that the sensor and table tests load."""

import csv

import numpy as np


def write_csv(path, header, rows, encoding="utf-8", delimiter=","):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding=encoding) as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerows([header, *rows] if header else rows)
    return path


def gesture(kind, n=60, seed=0):
    """(n, 2): class number of waves over the recording, and a ramp."""
    rng = np.random.default_rng(seed)
    t = np.linspace(0, 1, n)
    wave = np.sin(2 * np.pi * (1 + kind) * t + rng.uniform(0, 6)) + rng.normal(0, 0.1, n)
    return np.stack([wave, t * (1 + kind) + rng.normal(0, 0.1, n)], 1)


def gesture_folder(root, classes=("wave", "punch"), count=6, n=60, time=True, persons=(), part=""):
    """FOLDER/CLASS/[PERSON/]recN.csv at 50 Hz."""
    for k, name in enumerate(classes):
        for i in range(count):
            values = gesture(k, n, seed=100 * k + i)
            rows = [[20 * j, *map(float, v)] if time else list(map(float, v)) for j, v in enumerate(values)]
            folder = root / part / name / (persons[i % len(persons)] if persons else "")
            write_csv(folder / f"rec{i}.csv", ["time_ms", "ax", "ay"] if time else ["ax", "ay"], rows)
    return root


def activity_rows(subjects=4, sessions=2, n=100, classes=("walk", "sit")):
    """Rows of one table: subject, recording, time_s, ax, ay, activity."""
    rows = []
    for subject in range(subjects):
        for session in range(sessions):
            for k, name in enumerate(classes):
                values = gesture(k, n, seed=subject * 17 + session * 5 + k)
                record = f"r{subject}-{session}-{k}"
                rows += [
                    [f"s{subject}", record, round(j * 0.02, 3), float(a), float(b), name]
                    for j, (a, b) in enumerate(values)
                ]
    return rows


ACTIVITY = ["subject", "recording", "time_s", "ax", "ay", "activity"]
