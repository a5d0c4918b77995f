"""TFLite metadata: a model -> the same that says what goes in, what comes out and the classes' names.

MediaPipe Tasks and Android Studio read it. It is a flatbuffer of its own inside the model (entry
TFLITE_METADATA); labels.txt is a ZIP archive behind the model's last byte. Field numbers are those of the
published schema (metadata_schema.fbs 1.5.0 of google-ai-edge/mediapipe); nothing newer than 1.0.0 is used.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edgeml.deploy.tflite import read_model
from edgeml.deploy.tflite_edit import with_metadata
from edgeml.errors import ModelError
from edgeml.export.literals import labels_file

ENTRY = "TFLITE_METADATA"
IDENTIFIER = b"M001"
PARSER_VERSION = "1.0.0"
"""The oldest reader that knows every field written here."""

LABELS = "labels.txt"
_TENSOR_AXIS_LABELS = 2
_RGB, _GRAYSCALE = 1, 2
_FEATURE, _IMAGE = 1, 2
_NORMALIZATION = 1
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""Date of the labels in the archive, its earliest: the same model gives the same bytes."""


CONTENT = {
    "audio": "Features of sound, time by bins",
    "sensor": "Window of sensor readings, time by channels",
    "table": "Features of a row",
    "image": "Image",
}
"""What goes in, by the kind of data."""


@dataclass(frozen=True)
class About:
    """What people read of a model: its name, what it is, its version, who made it."""

    name: str
    description: str
    version: str
    author: str


def described(model: bytes, about: About, kind: str, output: Output, rate_hz: int | None = None) -> bytes:
    """TFLite model of one input and one output -> the same with metadata.

    Raw values 0..255 go in, or a waveform: normalisation is mean 0, std 1 for uint8 and float inputs alike.

    Args:
        model: flatbuffer.
        about: for people.
        kind: of data, in CONTENT; only an image is an image in the metadata, all else are features.
        output: what comes out.
        rate_hz: of the waveform (1, samples) that goes in; None for values 0..255 (1, height, width, c).

    Raises:
        ModelError: another number of inputs, outputs or values.
    """
    read = read_model(model)
    shapes = [read.tensors[index].shape for index in (*read.inputs, *read.outputs)]
    axes = 2 if rate_hz else 4
    if len(shapes) != 2 or len(shapes[0]) != axes or shapes[1][-1] != output.count:
        raise ModelError(
            f"the model has inputs and outputs of the shapes {shapes}; expected one {kind} and "
            f"{output.count} {'scores' if output.classes else 'outputs'}."
        )
    packed = io.BytesIO(with_metadata(model, ENTRY, _metadata(about, shapes[0][1:], kind, output, rate_hz)))
    if output.classes:
        # Mode "a" writes behind what is there, with offsets from the start of the file, as readers expect it.
        with zipfile.ZipFile(packed, "a", zipfile.ZIP_STORED) as archive:
            archive.writestr(zipfile.ZipInfo(LABELS, _EPOCH), labels_file(output.classes))
    return packed.getvalue()


def _metadata(about: About, shape: tuple[int, ...], kind: str, output: Output, rate_hz: int | None) -> bytes:
    """The flatbuffer ModelMetadata."""
    import flatbuffers

    write = _Writer(flatbuffers.Builder(4096))
    given = _waveform(write, shape[0], rate_hz) if rate_hz else _input(write, shape, kind)
    taken = _output(write, output)
    subgraph = write.table({2: write.tables(given), 3: write.tables(taken)})
    fields = {
        0: write.text(about.name),
        1: write.text(about.description),
        2: write.text(about.version),
        3: write.tables(subgraph),
        4: write.text(about.author),
        7: write.text(PARSER_VERSION),
    }
    return write.finish(write.table(fields))


def _input(write: _Writer, shape: tuple[int, ...], kind: str) -> _Field:
    height, width, channels = shape
    if kind == "image" and channels in (1, 3):
        size = write.table({0: write.uint(width), 1: write.uint(height)})
        image = write.table({0: write.byte(_RGB if channels == 3 else _GRAYSCALE), 1: size})
        content = write.table({0: write.byte(_IMAGE), 1: image})
        pixels = f"raw {'RGB' if channels == 3 else 'grey'} values 0 to 255, {width} x {height} pixels"
    else:
        content = write.table({0: write.byte(_FEATURE), 1: write.table({})})
        pixels = f"values 0 to 255, {height} x {width} x {channels}"
    name = "image" if kind == "image" else "input"
    return _raw(write, name, f"{CONTENT[kind]}: {pixels}.", content, (0.0, 255.0))


def _waveform(write: _Writer, samples: int, rate_hz: int) -> _Field:
    content = write.table({0: write.byte(_FEATURE), 1: write.table({})})
    said = f"Sound of one channel: {samples} samples at {rate_hz} Hz, -1 to 1."
    return _raw(write, "waveform", said, content, (-1.0, 1.0))


def _raw(write: _Writer, name: str, said: str, content: _Field, ends: tuple[float, float]) -> _Field:
    """An input that is taken as it is, between two values."""
    raw = write.table({0: write.floats(0.0), 1: write.floats(1.0)})
    process = write.table({0: write.byte(_NORMALIZATION), 1: raw})
    return write.table(
        {
            0: write.text(name),
            1: write.text(said),
            3: content,
            4: write.tables(process),
            5: write.table({0: write.floats(ends[1]), 1: write.floats(ends[0])}),
        }
    )


def _output(write: _Writer, output: Output) -> _Field:
    fields = {
        0: write.text(output.name),
        1: write.text(output.description),
        3: write.table({0: write.byte(_FEATURE), 1: write.table({})}),
    }
    if not output.classes:
        return write.table(fields)
    labels = write.table(
        {
            0: write.text(LABELS),
            1: write.text("Names of the classes, one a line."),
            2: write.byte(_TENSOR_AXIS_LABELS),
        }
    )
    stats = write.table({0: write.floats(1.0), 1: write.floats(0.0)})
    return write.table({**fields, 5: stats, 6: write.tables(labels)})


@dataclass(frozen=True)
class Output:
    """What comes out.

    Attributes:
        name: of the tensor.
        description: in a sentence.
        classes: names in the order of the outputs, which are attached; none where outputs are no classes.
        count: of outputs.
    """

    name: str
    description: str
    classes: tuple[str, ...]
    count: int


@dataclass(frozen=True)
class _Field:
    """A value of a table: one of its numbers, or the offset of what is written elsewhere."""

    kind: str
    value: int


class _Writer:
    """Tables by their field numbers; what a table points at is written before it."""

    def __init__(self, builder: Any) -> None:
        self._builder = builder

    def byte(self, value: int) -> _Field:
        return _Field("byte", value)

    def uint(self, value: int) -> _Field:
        return _Field("uint", value)

    def text(self, value: str) -> _Field:
        # A lone surrogate has no UTF-8.
        plain = value.encode("utf-8", "replace").decode()
        return _Field("offset", self._builder.CreateString(plain))

    def floats(self, *values: float) -> _Field:
        self._builder.StartVector(4, len(values), 4)
        for value in reversed(values):
            self._builder.PrependFloat32(value)
        return _Field("offset", self._builder.EndVector())

    def tables(self, *tables: _Field) -> _Field:
        self._builder.StartVector(4, len(tables), 4)
        for table in reversed(tables):
            self._builder.PrependUOffsetTRelative(table.value)
        return _Field("offset", self._builder.EndVector())

    def table(self, fields: Mapping[int, _Field]) -> _Field:
        builder = self._builder
        builder.StartObject(max(fields, default=-1) + 1)
        put = {
            "byte": builder.PrependUint8Slot,
            "uint": builder.PrependUint32Slot,
            "offset": builder.PrependUOffsetTRelativeSlot,
        }
        for number, field in fields.items():
            put[field.kind](number, field.value, 0)
        return _Field("offset", builder.EndObject())

    def finish(self, root: _Field) -> bytes:
        self._builder.Finish(root.value, file_identifier=IDENTIFIER)
        return bytes(self._builder.Output())
