"""A network of sound as a TFLite file that takes the waveform itself, front end included."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edgeml.data.audio.front_end import FrontEnd
from edgeml.data.dataset import Dataset
from edgeml.errors import ModelError
from edgeml.export.given import ExportInput
from edgeml.export.labelled import labelled
from edgeml.export.runtimes import Request, most_samples

FILE = "model_waveform.tflite"


def tflite_waveform(given: ExportInput) -> dict[str, bytes]:
    """`model_waveform.tflite`: takes sound, float32 -1 to 1; its front end stands before the int8 network.

    For phones and computers; a microcontroller takes `front_end.c` and the int8 network.

    Raises:
        ModelError: the network reads no sound, or the converter refused.
    """
    from edgeml.deploy.waveform import with_waveform_input

    if not given.front:
        raise ModelError(
            f"--format tflite-waveform: takes sound, this network is of kind {given.kind}; choose tflite."
        )
    rate_hz, samples = int(given.preprocessing["rate_hz"]), int(given.preprocessing["samples"])
    tables = FrontEnd.parse(given.front).tables(rate_hz)
    return {FILE: labelled(given, with_waveform_input(given.tflite, tables, samples), rate_hz)}


def waveform_request(given: ExportInput, folder: Path) -> Request:
    """The file on the waveforms of the test split, not on what the scored front end makes of them."""
    from edgeml.deploy.waveform import FULL_SCALE

    most = most_samples(given.graph.input_shape)
    waveforms = Dataset.open(given.run_path / "data").test.inputs[:most, :, 0, 0]
    np.save(folder / "waveforms.npy", (waveforms / FULL_SCALE).astype(np.float32))
    return Request("litert", folder / FILE, {"waveforms": str(folder / "waveforms.npy")})
