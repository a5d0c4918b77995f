"""TFLite bytes -> outputs, through LiteRT (ai-edge-litert) on this host."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeml.data.dataset import Split
from edgeml.data.scratch import rows_at_once
from edgeml.deploy.foreign import first_line
from edgeml.errors import ModelError


def read_file(path: Path) -> bytes:
    """Bytes of a TFLite file.

    Raises:
        ModelError: unreadable, or not a TFLite flatbuffer.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror}); expected a .tflite file.") from error
    if content[4:8] != b"TFL3":
        raise ModelError(f"{path}: not a TFLite model (bytes 4 to 8 are {content[4:8]!r}, expected b'TFL3').")
    return content


def interpreter(model: bytes, threads: int = 1, reference: bool = False) -> Any:
    """TFLite bytes -> LiteRT interpreter with allocated tensors.

    Args:
        model: flatbuffer.
        threads: of XNNPACK.
        reference: use the plain reference kernels instead of XNNPACK.

    Raises:
        ModelError: LiteRT cannot load the model.
    """
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    resolver = OpResolverType.BUILTIN_REF if reference else OpResolverType.AUTO
    try:
        loaded = Interpreter(model_content=model, num_threads=threads, experimental_op_resolver_type=resolver)
        loaded.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise ModelError(f"LiteRT cannot load the model: {first_line(error)}") from error
    return loaded


def predict(model: bytes, images: NDArray[np.uint8], threads: int = 1) -> NDArray[np.float32]:
    """Raw uint8 images (n, h, w, c) -> class probabilities (n, classes), one image at a time."""
    loaded = interpreter(model, threads)
    given, taken = loaded.get_input_details()[0], loaded.get_output_details()[0]
    if tuple(given["shape"][1:]) != images.shape[1:]:
        raise ModelError(
            f"the model takes {tuple(given['shape'][1:])}, the images are {images.shape[1:]}; "
            "give images of the model's size."
        )
    scale, zero_point = taken["quantization"]
    results = np.empty((len(images), int(taken["shape"][-1])), np.float32)
    images = np.asarray(images)  # a row of a mapped file's own type takes as long to make as a network to run
    step = rows_at_once(images)
    for start in range(0, len(images), step):
        block = _as_input(given, images[start : start + step])
        for row, image in zip(results[start : start + step], block, strict=True):
            loaded.set_tensor(given["index"], image[None])
            loaded.invoke()
            row[:] = loaded.get_tensor(taken["index"])[0]
    return (results - zero_point) * scale if scale else results


def accuracy(model: bytes, data: Split, threads: int = 1) -> float:
    """Score of the artifact on a split by its goal, 0..1; top-1 accuracy where none was set."""
    return data.goal.score(predict(model, data.inputs, threads), data)


def _as_input(details: dict[str, Any], images: NDArray[np.uint8]) -> NDArray[Any]:
    """Raw bytes in the model's input type; quantised inputs use the scale the model states."""
    kind = np.dtype(details["dtype"])
    scale, zero_point = details["quantization"]
    if kind == np.float32:
        return images.astype(np.float32)
    if scale == 1.0 and zero_point == np.iinfo(kind).min:
        return images.astype(kind) if kind == np.uint8 else (images.astype(np.int16) - 128).astype(kind)
    limits = np.iinfo(kind)
    quantised = np.round(images.astype(np.float32) / (scale or 1.0)) + zero_point
    result: NDArray[Any] = np.clip(quantised, limits.min, limits.max).astype(kind)
    return result
