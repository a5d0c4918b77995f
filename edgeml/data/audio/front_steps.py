"""Waveform -> uint8 log-mel or MFCC features in integers only: one right answer in any language.

int16 samples -> Hann window (Q15) -> FFT (int32, halved at every stage) -> power -> mel filters (Q10) -> log2
(Q10, table and straight lines) -> [DCT (Q14)] -> uint8. The C99 of an export does the same steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

FRAMES_AT_ONCE = 128
"""What fits a core's cache; nothing depends on it."""


def features(waveforms: NDArray[np.int16], tables: Mapping[str, Any]) -> NDArray[np.uint8]:
    """Waveforms (n, samples), int16 -> features (n, frames, bins), uint8.

    Args:
        waveforms: at the rate that the tables were made for; samples after the last whole frame are unused.
        tables: of front_tables.make_tables.
    """
    window, hop, bins = int(tables["window"]), int(tables["hop"]), int(tables["bins"])
    count = 1 + (waveforms.shape[1] - window) // hop
    found = np.empty((len(waveforms) * count, bins), np.uint8)
    strided = np.lib.stride_tricks.sliding_window_view(waveforms, window, axis=1)[:, ::hop]
    for start in range(0, len(found), FRAMES_AT_ONCE):
        rows = np.arange(start, min(start + FRAMES_AT_ONCE, len(found)))
        frames = strided[rows // count, rows % count]
        found[rows] = _rows(frames, tables)
    return found.reshape(len(waveforms), count, bins)


def _rows(frames: NDArray[np.int16], tables: Mapping[str, Any]) -> NDArray[np.uint8]:
    levels = log2_q10(mel_energies(spectrum(frames, tables), tables), tables)
    return to_uint8(levels, tables).T


def spectrum(frames: NDArray[np.int16], tables: Mapping[str, Any]) -> NDArray[np.int64]:
    """Frames (n, window) -> power of each frequency, / 256 (fft / 2 + 1, n).

    A real FFT as a complex one of half the length over (even, odd) samples.
    """
    size = int(tables["fft"])
    half = size // 2
    windowed = np.zeros((size, len(frames)), np.int32)
    hann = np.asarray(tables["hann"], np.int32)[:, None]
    windowed[: len(hann)] = (frames.T.astype(np.int32) * hann + 1) >> 1
    order = _reversed_bits(half)
    real, imaginary = windowed[0::2][order], windowed[1::2][order]
    cosine = np.asarray(tables["cos"], np.int64)
    sine = np.asarray(tables["sin"], np.int64)
    span = 1
    while span < half:
        shape = (half // (2 * span), 2, span, len(frames))
        a, b = real.reshape(shape), imaginary.reshape(shape)
        step = size // (2 * span)
        c, s = cosine[: size // 2 : step][:, None], sine[: size // 2 : step][:, None]
        turned_real = _q24(a[:, 1] * c + b[:, 1] * s)
        turned_imaginary = _q24(b[:, 1] * c - a[:, 1] * s)
        next_a, next_b = np.empty_like(a), np.empty_like(b)
        next_a[:, 0], next_a[:, 1] = (a[:, 0] + turned_real + 1) >> 1, (a[:, 0] - turned_real + 1) >> 1
        next_b[:, 0], next_b[:, 1] = (
            (b[:, 0] + turned_imaginary + 1) >> 1,
            (b[:, 0] - turned_imaginary + 1) >> 1,
        )
        real, imaginary = next_a.reshape(half, -1), next_b.reshape(half, -1)
        span *= 2
    return _power(real, imaginary, cosine, sine)


def _power(
    real: NDArray[np.int32],
    imaginary: NDArray[np.int32],
    cosine: NDArray[np.int64],
    sine: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Spectrum of (even, odd) samples -> |X|^2 / 256 of the real signal."""
    half = len(real)
    forward = np.arange(half + 1) % half
    backward = (half - np.arange(half + 1)) % half
    a, b = real[forward], imaginary[forward]
    c, d = real[backward], imaginary[backward]
    even_real, even_imaginary = (a + c + 1) >> 1, (b - d + 1) >> 1
    odd_real, odd_imaginary = (b + d + 1) >> 1, (c - a + 1) >> 1
    turn = np.append(cosine, -cosine[0])[:, None]
    slope = np.append(sine, 0)[:, None]
    x = even_real + _q24(odd_real * turn + odd_imaginary * slope)
    y = even_imaginary + _q24(odd_imaginary * turn - odd_real * slope)
    wide_x, wide_y = x.astype(np.int64), y.astype(np.int64)
    return (wide_x * wide_x + wide_y * wide_y) >> 8


def _q24(product: NDArray[np.int64]) -> NDArray[np.int32]:
    return ((product + (1 << 23)) >> 24).astype(np.int32)


def _reversed_bits(size: int) -> NDArray[np.int64]:
    order = np.zeros(1, np.int64)
    while len(order) < size:
        order = np.concatenate([2 * order, 2 * order + 1])
    return order


def mel_energies(power: NDArray[np.int64], tables: Mapping[str, Any]) -> NDArray[np.int64]:
    """Power (fft / 2 + 1, n) -> energy of each mel filter * 1024 (mels, n)."""
    weights = np.asarray(tables["mel_weights"], np.int64)
    starts, counts = tables["mel_start"], tables["mel_count"]
    found = np.empty((len(starts), power.shape[1]), np.int64)
    at = 0
    for row, (start, count) in enumerate(zip(starts, counts, strict=True)):
        found[row] = (power[start : start + count] * weights[at : at + count, None]).sum(0)
        at += count
    return found


def log2_q10(energies: NDArray[np.int64], tables: Mapping[str, Any]) -> NDArray[np.int32]:
    """Integers below 2^62 -> log2 * 1024, of 0 as of 1; off by 0.0003 at most."""
    values = np.maximum(energies, 1)
    exponent = np.zeros(values.shape, np.int64)
    left = values.copy()
    for bits in (32, 16, 8, 4, 2, 1):
        large = (left >> bits) > 0
        exponent += large * bits
        left = np.where(large, left >> bits, left)
    fraction = ((values << (62 - exponent)) >> 47) & 0x7FFF  # Q15
    curve = np.asarray(tables["log2"], np.int64)
    index, rest = fraction >> 10, fraction & 0x3FF
    low = curve[index]
    found: NDArray[np.int64] = (exponent << 10) + (
        (low * 1024 + (curve[index + 1] - low) * rest + (1 << 15)) >> 16
    )
    return found.astype(np.int32)


def to_uint8(levels: NDArray[np.int32], tables: Mapping[str, Any]) -> NDArray[np.uint8]:
    """log2 * 1024 (mels, n) -> uint8 (bins, n): levels themselves, or their cosine transform."""
    above = np.maximum(levels - int(tables["floor"]), 0).astype(np.int64)
    if tables["dct"]:
        matrix = np.asarray(tables["dct"], np.int64).reshape(int(tables["bins"]), len(levels))
        transformed = np.stack([(row[:, None] * above).sum(0) for row in matrix])
        bias = np.asarray(tables["bias"], np.int64)[:, None]
        steps = ((transformed + (1 << 23)) >> 24) + bias
    else:
        steps = (above * int(tables["gain"]) + (1 << 10)) >> 11
    clipped: NDArray[np.int64] = np.clip(steps, 0, 255)
    return clipped.astype(np.uint8)
