"""FrontEnd: what turns a waveform into the uint8 image of sound that a network reads."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeml.data.audio.front_steps import features
from edgeml.data.audio.front_tables import make_tables
from edgeml.errors import ConfigError

KINDS = ("logmel", "mfcc")
LIMITS = {"window": (5, 200), "hop": (2, 200), "bins": (4, 128)}
LARGEST_FFT = 4096
_NAME = re.compile(r"(?P<kind>[a-z]+)-(?P<window>\d{1,4})-(?P<hop>\d{1,4})-(?P<bins>\d{1,4})")


@dataclass(frozen=True)
class FrontEnd:
    """A log-mel or MFCC front end in fixed point: the same bytes from NumPy and from the exported C99.

    Attributes:
        kind: one of KINDS.
        window_ms, hop_ms: length of a frame, and from one frame to the next.
        bins: mel filters, or cepstral coefficients.
    """

    kind: str
    window_ms: int
    hop_ms: int
    bins: int

    @staticmethod
    def parse(name: str) -> FrontEnd:
        """Name such as logmel-30-20-32 (kind, window in ms, hop in ms, bins) -> FrontEnd.

        Raises:
            ConfigError: it is not such a name, or a number is out of range.
        """
        found = _NAME.fullmatch(name)
        if found is None or found["kind"] not in KINDS:
            raise ConfigError(
                f"front end {name!r}: expected logmel-WINDOW-HOP-BINS or mfcc-WINDOW-HOP-BINS, window "
                "and hop in ms, such as logmel-30-20-32; correct the name."
            )
        for what, (least, most) in LIMITS.items():
            if not least <= int(found[what]) <= most:
                raise ConfigError(
                    f"front end {name!r}: {what} is {found[what]}, expected {least} to {most}; correct "
                    "the name."
                )
        return FrontEnd(found["kind"], int(found["window"]), int(found["hop"]), int(found["bins"]))

    @property
    def name(self) -> str:
        """What `parse` takes."""
        return f"{self.kind}-{self.window_ms}-{self.hop_ms}-{self.bins}"

    def shape(self, samples: int, rate_hz: int) -> tuple[int, int, int]:
        """(frames, bins, 1) of what it makes of `samples` samples.

        Raises:
            ConfigError: the waveform is shorter than a frame, or a frame too long for the FFT.
        """
        tables = self.tables(rate_hz)
        if samples < tables["window"]:
            raise ConfigError(
                f"front end {self.name}: a frame is {tables['window']} samples at {rate_hz} Hz, the clips "
                f"have {samples}; choose a shorter window, or longer clips with --window."
            )
        return 1 + (samples - tables["window"]) // tables["hop"], self.bins, 1

    def tables(self, rate_hz: int) -> dict[str, Any]:
        """The integers that its steps work with at a rate; not to be changed.

        Raises:
            ConfigError: a frame is too long for the FFT at that rate, or a hop shorter than a sample.
        """
        return _tables(self, rate_hz)

    def apply(self, waveforms: NDArray[np.int16], rate_hz: int) -> NDArray[np.uint8]:
        """Waveforms (n, samples), int16 -> features (n, frames, bins, 1), uint8.

        Raises:
            ConfigError: the waveforms are shorter than a frame.
        """
        self.shape(waveforms.shape[1], rate_hz)
        return features(waveforms, self.tables(rate_hz))[..., None]


@cache
def _tables(front: FrontEnd, rate_hz: int) -> dict[str, Any]:
    window, hop = round(rate_hz * front.window_ms / 1000), round(rate_hz * front.hop_ms / 1000)
    if not 8 <= window <= LARGEST_FFT or hop < 1:
        raise ConfigError(
            f"front end {front.name}: a frame is {window} samples at {rate_hz} Hz and the next begins "
            f"{hop} later, expected 8 to {LARGEST_FFT} and at least 1; choose another window, hop or rate."
        )
    return make_tables(front.kind, window, hop, front.bins, rate_hz)
