"""Keyword spotting on a Cortex-M7: from a folder of WAV files to a network and its front end in C.

python examples/keyword_spotting.py [FOLDER] [TRIALS] [WORDS]

Makes its own recordings, so that it runs anywhere: "words" of two vowels, spoken by a crude voice (a buzz
through three formants) at random pitch, speed and loudness in noise, one WAV file a word:
FOLDER/words/WORD/3.wav. Put recordings of your own there and the rest stays as it is.
EDGEML_EXAMPLE_QUICK=1 trains little.
"""

import os
import sys
import wave
from pathlib import Path

import numpy as np
from scipy.signal import lfilter

import edgeml

RATE_HZ = 16000
VOWELS = {"a": (750, 1200, 2500), "i": (300, 2300, 3000), "u": (320, 800, 2300), "e": (500, 1900, 2600)}
WORDS = ("ai", "ia", "ue", "eu", "background")


def vowel(name: str, seconds: float, pitch_hz: float, rng: np.random.Generator) -> np.ndarray:
    """A buzz through the formants of a vowel."""
    n = int(seconds * RATE_HZ)
    pulses = np.diff(np.floor(np.cumsum(pitch_hz * (1 + 0.02 * rng.normal(size=n + 1)) / RATE_HZ)))
    for formant in VOWELS[name]:
        hz = formant * rng.uniform(0.93, 1.07)
        radius = np.exp(-np.pi * 90 / RATE_HZ)
        pulses = lfilter([1 - radius], [1, -2 * radius * np.cos(2 * np.pi * hz / RATE_HZ), radius**2], pulses)
    return pulses / np.abs(pulses).max() * np.hanning(n) ** 0.3


def say(word: str, rng: np.random.Generator) -> np.ndarray:
    """A word, -1 to 1, in noise; "background" is noise alone."""
    noise = rng.normal(0, 10 ** rng.uniform(-3, -2), int(RATE_HZ * rng.uniform(0.5, 0.7)))
    if word != "background":
        pitch = rng.uniform(90, 240)
        sound = np.concatenate([vowel(name, rng.uniform(0.14, 0.22), pitch, rng) for name in word])
        start = rng.integers(0, len(noise) - len(sound))
        noise[start : start + len(sound)] += sound * 10 ** rng.uniform(-1.2, -0.3)
    return noise


def record(folder: Path, words: int) -> Path:
    """Write `words` recordings of each word; returns the folder of class folders."""
    rng = np.random.default_rng(0)
    for word in WORDS:
        (folder / word).mkdir(parents=True, exist_ok=True)
        for number in range(words):
            samples = np.clip(np.rint(say(word, rng) * 32767), -32768, 32767).astype("<i2")
            with wave.open(str(folder / word / f"{number}.wav"), "wb") as file:
                file.setnchannels(1)
                file.setsampwidth(2)
                file.setframerate(RATE_HZ)
                file.writeframes(samples.tobytes())
    return folder


def main(folder: str = "runs/keywords", trials: int = 8, words: int = 80) -> None:
    """Record, search, export."""
    root = Path(folder)
    run = edgeml.search(
        data=record(root / "words", words),
        target="mcu-m7",
        trials=trials,
        epochs=30 if os.environ.get("EDGEML_EXAMPLE_QUICK") else None,
        out=root / "run",
    )
    for row in run.front:
        print(f"{row['key']}  {100 * row['accuracy']:.1f} % int8  {row['macs'] / 1000:.0f} kMACs")
    exported = run.export("knee", formats=["tflite", "c99"])
    print("exported to", exported)
    print(
        "samples to the network's bytes, in C and Python:",
        exported / "front_end.c",
        exported / "front_end.py",
    )
    print("try it:", f"python {exported / 'example_litert.py'} {root / 'words' / 'ai' / '0.wav'}")


if __name__ == "__main__":
    main(*sys.argv[1:2], *map(int, sys.argv[2:4]))
