"""WAV files of every kind, and folders of synthesised words, for tests."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np


def wav(samples, rate=16000, bits=16, tag=1, channels=1, extensible=False, extra=b"", size=None) -> bytes:
    """Samples (n,) or (n, channels) in -1..1 -> the bytes of a WAV file, written by hand."""
    values = np.asarray(samples, np.float64)
    if values.ndim == 1:
        values = np.repeat(values[:, None], channels, 1)
    channels = values.shape[1]
    flat = values.reshape(-1)
    if tag == 3:
        data = flat.astype(f"<f{bits // 8}").tobytes()
    elif bits == 8:
        data = np.clip(np.rint(flat * 128) + 128, 0, 255).astype(np.uint8).tobytes()
    else:
        whole = np.clip(np.rint(flat * 2 ** (bits - 1)), -(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
        wide = whole.astype("<i4").view(np.uint8).reshape(-1, 4)
        data = wide[:, : bits // 8].tobytes()
    return container(data, rate, bits, tag, channels, extensible, extra, size)


def container(data, rate=16000, bits=16, tag=1, channels=1, extensible=False, extra=b"", size=None) -> bytes:
    """The bytes of samples -> WAV; `size` is what the header says of them."""
    block = channels * bits // 8
    form = struct.pack("<HHIIHH", 0xFFFE if extensible else tag, channels, rate, rate * block, block, bits)
    if extensible:
        form += struct.pack("<HHIH", 22, bits, 0, tag) + bytes.fromhex("000000001000800000aa00389b71")
    size = len(data) if size is None else size
    body = b"WAVE" + b"fmt " + struct.pack("<I", len(form)) + form + extra
    body += b"data" + struct.pack("<I", size & 0xFFFFFFFF) + data + b"\0" * (len(data) % 2)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def tone(hz, seconds=0.4, rate=16000, level=0.5, seed=0):
    """A tone with a soft start and end in a little noise, -1..1."""
    n = int(seconds * rate)
    shape = np.hanning(n) * level
    noise = np.random.default_rng(seed).normal(0, 0.003, n)
    return shape * np.sin(2 * np.pi * hz * np.arange(n) / rate) + noise


def folder(root: Path, classes=(("low", 300), ("high", 1500)), each=6, rate=16000, seconds=0.4) -> Path:
    """FOLDER/CLASS/NUMBER.wav of tones."""
    for name, hz in classes:
        (root / name).mkdir(parents=True)
        for number in range(each):
            sound = tone(hz * (1 + 0.02 * number), seconds, rate, seed=number)
            (root / name / f"{number}.wav").write_bytes(wav(sound, rate))
    return root
