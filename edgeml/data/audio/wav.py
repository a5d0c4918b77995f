"""WAV files as wave_steps reads them; what is wrong with one is a DataError, one sentence with its name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeml.data.audio import wave_steps
from edgeml.data.audio.wave_steps import Wav
from edgeml.data.source import shown
from edgeml.errors import DataError


def read_header(path: Path) -> Wav:
    """File -> its header, all of it checked.

    Raises:
        DataError: no WAV file, of a kind that is not read, or without samples.
        OSError: it cannot be opened.
    """
    with _sentences(path):
        return wave_steps.read_header(path)


def read_samples(wav: Wav, start: int = 0, count: int | None = None) -> NDArray[np.float64]:
    """Header -> samples, as wave_steps.read_samples.

    Raises:
        DataError: NaN, infinity, or floats of another scale.
    """
    with _sentences(wav.path):
        return wave_steps.read_samples(wav, start, count)


@contextmanager
def _sentences(path: Path) -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise DataError(
            f"{shown(path)}: {error}, expected a WAV file with sound in it; save it again."
        ) from error
