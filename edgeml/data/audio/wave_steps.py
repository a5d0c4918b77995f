"""WAV file -> samples -> a clip: PCM of 8 to 32 bits, float, mu-law and A-law, any rate, any channels.

Layout: Microsoft & IBM, Multimedia Programming Interface 1.0 (1991), and WAVE_FORMAT_EXTENSIBLE; the curves
of mu-law and A-law are ITU-T G.711's. Only what is asked for is read, so long recordings cost no memory. An
export takes this file as it is, so it imports nothing of edgeml; what is wrong with a file is a ValueError.
"""

from __future__ import annotations

import stat
import struct
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

EXTENSIBLE = 0xFFFE
LOUDEST_FLOAT = 16.0
"""Largest float sample that may be one: it is clipped to 1; beyond it the file has another scale."""

RATES = (1_000, 768_000)
CHUNKS = 1_000
"""Chunks looked at before the data; real files have a handful."""


@dataclass(frozen=True)
class Wav:
    """What a WAV file says of itself.

    Attributes:
        path: the file.
        rate_hz: samples a second.
        channels: how many.
        frames: samples of each channel that are there.
        code: key of DECODERS.
        start: byte where they begin.
        cut_off: the header promises more of them.
    """

    path: Path
    rate_hz: int
    channels: int
    frames: int
    code: tuple[int, int]
    start: int
    cut_off: bool

    @property
    def seconds(self) -> float:
        """Duration."""
        return self.frames / self.rate_hz


def read_header(path: Path) -> Wav:
    """File -> its header, all of it checked.

    Raises:
        ValueError: no WAV file, of a kind that is not read, or without samples.
        OSError: it cannot be opened.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise ValueError("it is no regular file")
    with path.open("rb") as file:
        head = file.read(12)
        if head[:4] not in (b"RIFF", b"RF64") or head[8:12] != b"WAVE":
            raise ValueError(_what(head))
        form = b""
        for _ in range(CHUNKS):
            chunk = file.read(8)
            if len(chunk) < 8:
                raise ValueError("it ends before its samples")
            name, size = struct.unpack("<4sI", chunk)
            if name == b"data":
                return _header(path, form, size, file)
            if name == b"fmt ":
                form = file.read(min(size, 64))
                size -= len(form)
            file.seek(size + size % 2, 1)
    raise ValueError("it has no samples among its first chunks")


def _header(path: Path, form: bytes, size: int, file: BinaryIO) -> Wav:
    if len(form) < 16:
        raise ValueError("it does not say its format before its samples")
    tag, channels, rate, _, block, bits = struct.unpack("<HHIIHH", form[:16])
    if tag == EXTENSIBLE and len(form) >= 26:
        tag = struct.unpack("<H", form[24:26])[0]
    code = tag, 8 * block // channels if channels and block % channels == 0 else bits
    if code not in DECODERS:
        known = "PCM of 8, 16, 24 or 32 bits, float of 32 or 64, mu-law or A-law"
        raise ValueError(f"it holds format {tag} in {bits} bits, not {known}")
    if not 1 <= channels <= 256 or not RATES[0] <= rate <= RATES[1]:
        raise ValueError(f"it says {channels} channels at {rate} Hz")
    start = file.tell()
    there = file.seek(0, 2) - start
    frame = channels * code[1] // 8
    unknown = size in (0, 0xFFFFFFFF)  # written to a pipe, or longer than 4 GB
    frames = (there if unknown else min(size, there)) // frame
    if not frames:
        raise ValueError("it has no samples")
    return Wav(path, rate, channels, frames, code, start, not unknown and size > there)


def read_samples(wav: Wav, start: int = 0, count: int | None = None) -> NDArray[np.float64]:
    """Header -> samples, channels averaged, in the scale of int16: -32768 to 32767.

    Args:
        wav: the header.
        start: first sample.
        count: how many; None is all.

    Returns:
        (at most count,), fewer where the recording ends.

    Raises:
        ValueError: NaN, infinity, or floats of another scale.
    """
    frame = wav.channels * wav.code[1] // 8
    count = max(0, min(wav.frames - start, wav.frames if count is None else count))
    with wav.path.open("rb") as file:
        file.seek(wav.start + start * frame)
        data = file.read(count * frame)
    values = DECODERS[wav.code](data[: len(data) // frame * frame])
    if values.dtype.kind == "f":
        values = _checked(values)
    found: NDArray[np.float64] = values.reshape(-1, wav.channels).mean(axis=1, dtype=np.float64)
    return found


def _checked(values: NDArray[Any]) -> NDArray[np.float64]:
    wrong = int((~np.isfinite(values)).sum())
    if wrong:
        raise ValueError(f"{wrong} of its samples are NaN or infinite")
    peak = float(np.abs(values).max(initial=0))
    if peak > LOUDEST_FLOAT:
        raise ValueError(f"it holds floats up to {peak:.6g}, not -1 to 1")
    return np.clip(values.astype(np.float64), -1, 1) * 32768


def resampled(samples: NDArray[np.float64], from_hz: int, to_hz: int) -> NDArray[np.float64]:
    """Samples at one rate -> at another, by a polyphase filter (scipy.signal.resample_poly).

    A ratio without small terms is taken to within 0.0001 %.
    """
    if from_hz == to_hz or not len(samples):
        return samples
    from scipy.signal import resample_poly  # type: ignore[import-untyped]

    ratio = Fraction(to_hz, from_hz).limit_denominator(1000)
    found: NDArray[np.float64] = resample_poly(samples, ratio.numerator, ratio.denominator)
    return found


def to_int16(samples: NDArray[np.float64]) -> NDArray[np.int16]:
    """Rounded and clipped."""
    clipped: NDArray[np.float64] = np.clip(np.rint(samples), -32768, 32767)
    return clipped.astype(np.int16)


def loudest(samples: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    """The stretch of `length` samples with the most energy; of nearly equal ones the middle one."""
    energy = np.concatenate([[0.0], np.cumsum(np.square(samples))])
    held = energy[length:] - energy[:-length]
    good = np.flatnonzero(held >= 0.99 * held.max())
    start = int(good[len(good) // 2])
    return samples[start : start + length]


def fitted(samples: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    """Samples -> `length` of them: the loudest stretch, or all in the middle of silence."""
    if len(samples) >= length:
        return loudest(samples, length) if len(samples) > length else samples
    found = np.zeros(length)
    start = (length - len(samples)) // 2
    found[start : start + len(samples)] = samples
    return found


def _what(head: bytes) -> str:
    for start, kind in KNOWN.items():
        if head.startswith(start):
            return f"it is {kind}"
    return "it is no WAV file" if head else "it is empty"


def _bytes24(data: bytes) -> NDArray[Any]:
    wide = np.zeros((len(data) // 3, 4), np.uint8)
    wide[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
    return wide.view("<i4")[:, 0] / 65536.0


def _ulaw(data: bytes) -> NDArray[Any]:
    code = ~np.frombuffer(data, np.uint8)
    size = (((code & 15).astype(np.int32) << 3) + 132 << (code >> 4 & 7)) - 132
    return np.where(code & 128, -size, size)


def _alaw(data: bytes) -> NDArray[Any]:
    code = np.frombuffer(data, np.uint8) ^ 0x55
    exponent, low = (code >> 4 & 7).astype(np.int32), ((code & 15).astype(np.int32) << 4) + 8
    size = np.where(exponent > 0, low + 256 << np.maximum(exponent - 1, 0), low)
    return np.where(code & 128, size, -size)


DECODERS: dict[tuple[int, int], Callable[[bytes], NDArray[Any]]] = {
    (1, 8): lambda data: (np.frombuffer(data, np.uint8).astype(np.int32) - 128) << 8,
    (1, 16): lambda data: np.frombuffer(data, "<i2").astype(np.int32),
    (1, 24): lambda data: np.rint(_bytes24(data)).astype(np.int32),
    (1, 32): lambda data: np.rint(np.frombuffer(data, "<i4") / 65536.0).astype(np.int32),
    (3, 32): lambda data: np.frombuffer(data, "<f4"),
    (3, 64): lambda data: np.frombuffer(data, "<f8"),
    (6, 8): _alaw,
    (7, 8): _ulaw,
}
"""By format and bits of a sample: bytes -> samples, integers in the scale of int16 or floats up to 1."""

KNOWN = {
    b"ID3": "an MP3 file",
    b"\xff\xfb": "an MP3 file",
    b"\xff\xf3": "an MP3 file",
    b"\xff\xfa": "an MP3 file",
    b"fLaC": "a FLAC file",
    b"OggS": "an Ogg file",
    b"RIFX": "a big-endian WAV file",
    b"FORM": "an AIFF file",
    b"PK\x03\x04": "a zip archive",
    b"RIFF": "a RIFF file of another kind",
}
"""How files start that are taken for WAV."""
