"""The Android example, compiled by kotlinc (from apt) against stand-ins for Android and LiteRT, and run.

The stand-ins have the signatures that the example uses; no Android SDK, phone or LiteRT for the JVM is here.
"""

from __future__ import annotations

import re
import shutil
import struct
import subprocess

import numpy as np
import pytest
from PIL import Image

from edgeml.data.images.pixels import resize, resize_all
from edgeml.export.examples import LABELS_A_FUNCTION, examples
from edgeml.export.spec import DataSpec
from tests.test_export_literals import NASTY

STAND_INS = {
    "bitmap.kt": """
package android.graphics

class Bitmap(val width: Int, val height: Int, private val pixels: IntArray) {
    enum class Config { ARGB_8888, RGB_565 }
    val config = Config.ARGB_8888
    fun copy(config: Config, mutable: Boolean) = this
    fun getPixels(into: IntArray, offset: Int, stride: Int, x: Int, y: Int, width: Int, height: Int) {
        System.arraycopy(pixels, 0, into, 0, pixels.size)
    }
}
""",
    "context.kt": """
package android.content

class Assets { fun open(name: String) = name.byteInputStream() }
class Context { val assets = Assets() }
""",
    "litert.kt": """
package org.tensorflow.lite

import java.nio.ByteBuffer

class Quantization(val scale: Float, val zeroPoint: Int)
class Tensor { fun quantizationParams() = Quantization(1f / 256, 0) }
class Interpreter(model: ByteBuffer, options: Options) : AutoCloseable {
    class Options { fun setNumThreads(threads: Int) = this }
    fun run(input: Any, output: Any) {  // the last three classes get 1, 2 and 200
        val into = output as ByteBuffer
        for (index in 3 until into.capacity()) into.put(0)
        for (score in listOf(1, 2, 200)) into.put(score.toByte())
    }
    fun getOutputTensor(index: Int) = Tensor()
    override fun close() {}
}
""",
    "mp_image.kt": """
package com.google.mediapipe.framework.image

class MPImage
class BitmapImageBuilder(bitmap: android.graphics.Bitmap) { fun build() = MPImage() }
""",
    "mp_core.kt": """
package com.google.mediapipe.tasks.core

class BaseOptions(val path: String) {
    class Builder { fun setModelAssetPath(path: String) = this; fun build() = BaseOptions("") }
    companion object { fun builder() = Builder() }
}
""",
    "mp_mode.kt": """
package com.google.mediapipe.tasks.vision.core

enum class RunningMode { IMAGE, VIDEO, LIVE_STREAM }
""",
    "mp_classifier.kt": """
package com.google.mediapipe.tasks.vision.imageclassifier

import com.google.mediapipe.framework.image.MPImage
import com.google.mediapipe.tasks.core.BaseOptions
import com.google.mediapipe.tasks.vision.core.RunningMode

class Category { fun categoryName() = "cat"; fun score() = 0.5f }
class Classifications { fun categories() = listOf(Category()) }
class ClassificationResult { fun classifications() = listOf(Classifications()) }
class ImageClassifierResult { fun classificationResult() = ClassificationResult() }
class ImageClassifier : AutoCloseable {
    class ImageClassifierOptions {
        class Builder {
            fun setBaseOptions(options: BaseOptions) = this
            fun setRunningMode(mode: RunningMode) = this
            fun setMaxResults(most: Int) = this
            fun build() = ImageClassifierOptions()
        }
        companion object { fun builder() = Builder() }
    }
    fun classify(image: MPImage) = ImageClassifierResult()
    override fun close() {}
    companion object {
        fun createFromOptions(context: android.content.Context, options: ImageClassifierOptions) =
            ImageClassifier()
    }
}
""",
    "main.kt": """
import android.content.Context
import android.graphics.Bitmap
import java.io.DataInputStream
import java.io.File

fun main(arguments: Array<String>) {
    val input = DataInputStream(File(arguments[0]).inputStream().buffered())
    val height = input.readInt()
    val width = input.readInt()
    val bitmap = Bitmap(width, height, IntArray(width * height) { input.readInt() })
    println(com.example.edgeml.EdgemlClassifier.prepare(bitmap).joinToString(" "))
    println(com.example.grey.EdgemlClassifier.prepare(bitmap).joinToString(" "))
    for (label in com.example.edgeml.EdgemlClassifier.LABELS)
        println("=" + label.map { "%04x".format(it.toInt()) }.joinToString(""))
    com.example.edgeml.EdgemlClassifier(Context()).use {
        for (result in it.classify(bitmap)) println("${result.probability} ${result.label}")
    }
    com.example.edgeml.MediaPipeClassifier(Context()).use {
        for (result in it.classify(bitmap)) println("${result.probability} ${result.label}")
    }
}
""",
}
NAMES = [*NASTY, *(f"class {number}" for number in range(LABELS_A_FUNCTION))]


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """Two examples, RGB and grey, as one program; `program(file)` runs it."""
    if shutil.which("kotlinc") is None or shutil.which("java") is None:
        pytest.skip("needs kotlinc and java (apt install kotlin)")
    folder = tmp_path_factory.mktemp("kotlin")
    for name, text in STAND_INS.items():
        (folder / name).write_text(text)
    for package, shape, size in (("edgeml", (16, 20, 3), (32, 40)), ("grey", (12, 12, 1), (12, 12))):
        described = DataSpec(
            name="d", kind="npz", source="d", hash="0", classes=NAMES if package == "edgeml" else ["a", "b"],
            counts={}, input_shape=(*size, shape[2]),
        )  # fmt: skip
        made = examples({"tflite": ["model.tflite"]}, shape, described)
        for name in ("EdgemlClassifier.kt", "MediaPipeClassifier.kt"):  # the latter of RGB only
            source = made.get(name, b"").decode().replace("com.example.edgeml", f"com.example.{package}")
            (folder / f"{package}_{name}").write_text(source)
    sources = sorted(map(str, folder.glob("*.kt")))
    command = ["kotlinc", *sources, "-include-runtime", "-d", str(folder / "app.jar")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    complaints = [line for line in done.stderr.splitlines() if re.search("/(edgeml|grey)_", line)]
    assert done.returncode == 0 and not complaints, done.stderr

    def run(colours):
        height, width = colours.shape
        (folder / "in").write_bytes(struct.pack(">ii", height, width) + colours.astype(">u4").tobytes())
        jar = ["java", "-Dfile.encoding=UTF-8", "-cp", str(folder / "app.jar"), "MainKt", str(folder / "in")]
        return subprocess.run(jar, capture_output=True, check=True).stdout.decode().split("\n")

    return run


def argb(pixels, alpha=255):
    """(h, w, 3) uint8 -> Android's colour integers."""
    red, green, blue = (pixels[..., i].astype(np.uint32) for i in range(3))
    return (np.uint32(alpha) << 24) | (red << 16) | (green << 8) | blue


@pytest.mark.slow
@pytest.mark.parametrize("size", [(90, 61), (61, 90), (10, 7), (32, 40), (200, 180)])
def test_pixels_are_those_of_training(program, size):
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    lines = program(argb(pixels))
    image = Image.fromarray(pixels)
    colour = resize_all(resize(image, 32, 40)[None], 16, 20)[0]
    assert np.array_equal(np.array(lines[0].split(), int), colour.ravel())
    assert np.array_equal(np.array(lines[1].split(), int), resize(image.convert("L"), 12, 12).ravel())


@pytest.mark.slow
def test_transparent_pixels_lie_on_black(program):
    pixels = np.full((32, 40, 3), 200, np.uint8)
    lines = program(argb(pixels, alpha=128))
    assert set(lines[0].split()) <= {"100", "101"}
    assert set(program(argb(pixels, alpha=0))[1].split()) == {"0"}


@pytest.mark.slow
def test_class_names_survive(program):
    lines = program(argb(np.zeros((4, 4, 3), np.uint8)))
    told = [bytes.fromhex(line[1:]) for line in lines if line.startswith("=")]
    assert told == [name.encode("utf-16-be", "surrogatepass") for name in NAMES]
    best = [line for line in lines[2:] if line and not line.startswith("=")]
    assert best == [f"{200 / 256} {NAMES[-1]}", f"{2 / 256} {NAMES[-2]}", f"{1 / 256} {NAMES[-3]}", "0.5 cat"]
