"""Parameters of an audio front end -> the integers that its steps work with."""

from __future__ import annotations

import math
from typing import Any

LOWEST_HZ = 60.0
"""Where the first mel filter starts: below it microphones pick up mains hum and handling."""

FLOOR = 26 << 10
"""log2 * 1024 that becomes 0: about -97 dB of full scale in a mel band, below a 16-bit microphone's noise."""

GAIN = 17
"""Steps of log2 * 1024, / 2048: 8.5 steps an octave of power, 0.354 dB a step, 90 dB in all."""


def make_tables(kind: str, window: int, hop: int, bins: int, rate_hz: int) -> dict[str, Any]:
    """Front end -> plain integers and lists of them, as JSON takes them.

    Mel filters are HTK's (2595 log10(1 + f / 700)), triangles of height 1 from 60 Hz to half the rate; the
    DCT is the orthonormal DCT-II.

    Args:
        kind: "logmel" or "mfcc".
        window: samples of a frame.
        hop: samples from one frame to the next.
        bins: mel filters, or coefficients.
        rate_hz: samples a second.
    """
    size = 1 << max(4, (window - 1).bit_length())
    mels = bins if kind == "logmel" else mfcc_filters(bins)
    starts, weights = _filters(size, mels, rate_hz)
    return {
        "kind": kind,
        "rate_hz": rate_hz,
        "window": window,
        "hop": hop,
        "bins": bins,
        "fft": size,
        "hann": [
            min(32767, round(32768 * (0.5 - 0.5 * math.cos(2 * math.pi * i / window)))) for i in range(window)
        ],
        "cos": [round((1 << 24) * math.cos(2 * math.pi * i / size)) for i in range(size // 2)],
        "sin": [round((1 << 24) * math.sin(2 * math.pi * i / size)) for i in range(size // 2)],
        "mel_start": starts,
        "mel_count": [len(row) for row in weights],
        "mel_weights": [weight for row in weights for weight in row],
        "log2": [round(65536 * math.log2(1 + i / 32)) for i in range(33)],
        "floor": FLOOR,
        "gain": GAIN,
        "dct": _dct(bins, mels) if kind == "mfcc" else [],
        "bias": [0, *[128] * (bins - 1)] if kind == "mfcc" else [],
    }


def mfcc_filters(coefficients: int) -> int:
    """Mel filters under a number of cepstral coefficients."""
    return max(32, coefficients)


def _filters(size: int, mels: int, rate_hz: int) -> tuple[list[int], list[list[int]]]:
    """(first frequency of each filter, its weights in Q10); too narrow a one takes the nearest frequency."""
    low, high = _mel(LOWEST_HZ), _mel(rate_hz / 2)
    edges = [_hz(low + (high - low) * i / (mels + 1)) * size / rate_hz for i in range(mels + 2)]
    starts, weights = [], []
    for left, middle, right in zip(edges, edges[1:], edges[2:], strict=False):
        row = {}
        for index in range(size // 2 + 1):
            share = min((index - left) / (middle - left), (right - index) / (right - middle))
            weight = round(1024 * share)
            if weight > 0:
                row[index] = weight
        row = row or {round(middle): 1024}
        starts.append(min(row))
        weights.append(list(row.values()))
    return starts, weights


def _mel(hz: float) -> float:
    return 2595 * math.log10(1 + hz / 700)


def _hz(mel: float) -> float:
    return 700 * (10 ** (mel / 2595) - 1)


def _dct(coefficients: int, mels: int) -> list[int]:
    """Rows of the DCT-II that give steps * 2^24 from log2 * 1024.

    Coefficient 0 is the mean level in the steps of log-mel; the others are orthonormal, times 4 * sqrt(k)
    steps an octave: higher ones are smaller by nature and would fill few of 256 steps.
    """
    found = []
    for k in range(coefficients):
        scale = 4 * math.sqrt(k) * math.sqrt(2 / mels) if k else GAIN / 2 / mels
        found += [
            round((1 << 14) * scale * math.cos(math.pi * k * (2 * m + 1) / (2 * mels))) for m in range(mels)
        ]
    return found
