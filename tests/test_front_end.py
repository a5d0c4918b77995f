"""The audio front end: near a floating-point one, the same bytes in C99 and Python, and its names."""

from __future__ import annotations

import runpy
import shutil
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.fft import dct

from edgeml.data.audio.front_end import FrontEnd
from edgeml.data.audio.front_steps import log2_q10
from edgeml.data.audio.wav import read_header, read_samples
from edgeml.data.audio.wave_steps import to_int16
from edgeml.data.dataset import load
from edgeml.data.kinds import read_source
from edgeml.data.options import ReadOptions
from edgeml.errors import ConfigError
from edgeml.export.front_end import audio_files, front_end_files
from tests.audio_samples import container, tone, wav

needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
NAMES = ["logmel-30-20-32", "logmel-25-10-40", "mfcc-30-20-13", "mfcc-40-40-10", "logmel-5-4-8"]
STRICT = ("-std=c99", "-Wall", "-Wextra", "-pedantic", "-Werror", "-O2")
SANITIZERS = ("-g", "-fsanitize=undefined,address", "-fno-sanitize-recover=all")
MAIN = """
#include <stdio.h>
#include "front_end.h"
static int16_t clip[FRONT_END_SAMPLES];
static uint8_t features[FRONT_END_FRAMES * FRONT_END_BINS];
int main(void)
{
    while (fread(clip, sizeof clip, 1, stdin) == 1) {
        front_end_clip(clip, features);
        fwrite(features, sizeof features, 1, stdout);
    }
    return 0;
}
"""


def clips(samples, rate_hz, seed=0):
    """Tones, chirps, noise from silent to clipped, and the corners of int16."""
    rng = np.random.default_rng(seed)
    t = np.arange(samples) / rate_hz
    found = [np.zeros(samples), np.full(samples, 32767), np.full(samples, -32768)]
    found.append(np.where(np.arange(samples) % 2, 32767, -32768))
    found.append(np.where((t * 250).astype(int) % 2, 32767, -32768))
    found += [
        level * np.sin(2 * np.pi * (hz + 800 * t) * t) for level, hz in ((1, 300), (900, 440), (32767, 100))
    ]
    found += [rng.normal(0, level, samples) for level in (0.4, 3, 300, 9000, 60000)]
    found += [rng.integers(-32768, 32768, samples) for _ in range(4)]
    return np.clip(np.rint(found), -32768, 32767).astype(np.int16)


def reference(front, waveforms, rate_hz):
    """The same front end in float64: steps before they are rounded and clipped."""
    tables = front.tables(rate_hz)
    window, size = tables["window"], tables["fft"]
    strided = np.lib.stride_tricks.sliding_window_view(waveforms, window, axis=1)[:, :: tables["hop"]]
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    power = np.abs(np.fft.rfft(strided * hann, size) * 2**15 / size) ** 2 / 256
    mel = 2595 * np.log10(1 + np.array([60, rate_hz / 2]) / 700)
    count = len(tables["mel_start"])
    edges = 700 * (10 ** (np.linspace(*mel, count + 2) / 2595) - 1)
    hz = np.arange(size // 2 + 1) * rate_hz / size
    rise = (hz - edges[:-2, None]) / np.diff(edges)[:-1, None]
    fall = (edges[2:, None] - hz) / np.diff(edges)[1:, None]
    weights = 1024 * np.clip(np.minimum(rise, fall), 0, None)
    for row, middle in zip(weights, edges[1:-1], strict=True):
        if row.max() < 0.5:
            row[round(middle * size / rate_hz)] = 1024
    levels = np.maximum(np.log2(np.maximum(power @ weights.T, 1)) - 26, 0)
    if front.kind == "logmel":
        return 8.5 * levels
    found = dct(levels, axis=-1, norm="ortho")[..., : front.bins]
    scale = 4 * np.sqrt(np.arange(front.bins))
    scale[0] = 8.5 / np.sqrt(count)
    return found * scale + np.where(np.arange(front.bins) > 0, 128, 0)


@pytest.mark.parametrize("rate_hz", [8000, 16000])
@pytest.mark.parametrize("name", NAMES)
def test_integers_are_within_a_step_of_floating_point(name, rate_hz):
    front = FrontEnd.parse(name)
    rng = np.random.default_rng(1)
    speech = rng.normal(0, 1, (20, rate_hz)) * np.exp(rng.uniform(2, 9, (20, 1)))
    waveforms = np.clip(np.rint(speech), -32768, 32767).astype(np.int16)
    found = front.apply(waveforms, rate_hz)
    assert found.shape == (20, *front.shape(rate_hz, rate_hz))
    wanted = np.clip(reference(front, waveforms, rate_hz), 0, 255)
    error = np.abs(found[..., 0] - wanted)
    assert error.max() < (1 if front.kind == "logmel" else 1.5)
    assert error.mean() < 0.27  # 0.25 is that of rounding alone
    assert found.std() > 10


def compiled(files, folder, flags=(), source="front_end_main.c"):
    for name, content in files.items():
        (folder / name).write_bytes(content)
    program = folder / "program"
    command = ["gcc", *STRICT, *flags, "front_end.c", source, "-o", str(program)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return program


@needs_gcc
@pytest.mark.parametrize("rate_hz", [8000, 16000])
@pytest.mark.parametrize("name", NAMES)
def test_c99_gives_the_same_bytes(name, rate_hz, tmp_path):
    samples = rate_hz // 2 + 7
    files = {**front_end_files(name, samples, rate_hz), "front_end_main.c": MAIN.encode()}
    program = compiled(files, tmp_path, SANITIZERS)
    waveforms = clips(samples, rate_hz)
    done = subprocess.run([program], input=waveforms.tobytes(), capture_output=True, check=True)
    found = np.frombuffer(done.stdout, np.uint8)
    wanted = FrontEnd.parse(name).apply(waveforms, rate_hz)
    assert found.size == wanted.size and found.std() > 0
    np.testing.assert_array_equal(found.reshape(wanted.shape), wanted)


@needs_gcc
def test_c99_gives_the_same_bytes_for_recorded_speech(shared_data, tmp_path):
    with np.load(shared_data("fsdd") / "fsdd_8k.npz") as read:
        waveforms = read["audio"][: 200 * 4000].reshape(200, 4000)
    files = {**front_end_files(NAMES[0], 4000, 8000), "front_end_main.c": MAIN.encode()}
    program = compiled(files, tmp_path)
    done = subprocess.run([program], input=waveforms.tobytes(), capture_output=True, check=True)
    assert done.stdout == FrontEnd.parse(NAMES[0]).apply(waveforms, 8000).tobytes()


@pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="needs arm-none-eabi-gcc")
def test_it_compiles_for_a_cortex_m4_without_a_library(tmp_path):
    for name, content in front_end_files(NAMES[0], 16000, 16000).items():
        (tmp_path / name).write_bytes(content)
    command = [
        "arm-none-eabi-gcc",
        *STRICT,
        "-mcpu=cortex-m4",
        "-mthumb",
        "-ffreestanding",
        "-c",
        "front_end.c",
    ]
    subprocess.run(command, cwd=tmp_path, check=True)
    size = subprocess.run(
        ["arm-none-eabi-nm", "-u", "front_end.o"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert not [line for line in size.stdout.split() if line not in ("U", "__aeabi_lmul", "memset", "memcpy")]


def test_python_alone_gives_the_same_bytes(tmp_path):
    (tmp_path / "front_end.py").write_bytes(front_end_files("mfcc-30-20-13", 8000, 16000)["front_end.py"])
    waveforms = clips(8000, 16000)
    np.save(tmp_path / "clips.npy", waveforms)
    script = (
        "import sys, numpy as np, front_end as f\n"
        "np.save('found.npy', f.features(np.load('clips.npy'), f.TABLES))\n"
        "assert not any(name.partition('.')[0] in ('edgeml', 'scipy') for name in sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True)
    wanted = FrontEnd.parse("mfcc-30-20-13").apply(waveforms, 16000)
    np.testing.assert_array_equal(np.load(tmp_path / "found.npy"), wanted[..., 0])


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**62 - 1))
def test_log2_is_right_over_the_whole_range(value):
    found = log2_q10(np.array([[value]], np.int64), FrontEnd.parse(NAMES[0]).tables(8000))[0, 0]
    exact = value.bit_length() - 1 + np.log2(value / 2 ** (value.bit_length() - 1)) if value else 0.0
    assert abs(found / 1024 - exact) < 0.001


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("logmel", "expected logmel-WINDOW-HOP-BINS"),
        ("plp-30-20-32", "expected logmel-WINDOW-HOP-BINS"),
        ("logmel-30-20-3", "bins is 3, expected 4 to 128"),
        ("mfcc-900-20-13", "window is 900, expected 5 to 200"),
        ("logmel-30-1-32", "hop is 1, expected 2 to 200"),
        ("logmel-30-20-32\n", "expected logmel-WINDOW-HOP-BINS"),
    ],
)
def test_a_wrong_name_is_one_sentence(name, said):
    with pytest.raises(ConfigError, match=said):
        FrontEnd.parse(name)


def test_names_shapes_and_clips_that_are_too_short():
    front = FrontEnd.parse("logmel-30-20-32")
    assert front.name == "logmel-30-20-32"
    assert front.shape(16000, 16000) == (49, 32, 1)
    assert front.shape(480, 16000) == (1, 32, 1)
    with pytest.raises(ConfigError, match="a frame is 480 samples at 16000 Hz, the clips have 479"):
        front.shape(479, 16000)
    with pytest.raises(ConfigError, match="expected 8 to 4096"):
        FrontEnd.parse("logmel-200-20-32").tables(48000)


@needs_gcc
def test_both_read_a_wav_file_as_training_did(tmp_path):
    """Through the reader of folders, the Python of an export, and its C program: the same features."""
    for name, lengths in (("low", (2100, 2200, 2300)), ("high", (2500, 2600, 9000))):  # one is cropped
        (tmp_path / "d" / name).mkdir(parents=True)
        for number, length in enumerate(lengths):
            sound = tone(300 + 50 * number, length / 8000, 8000, seed=number) * np.linspace(0, 1, length)
            (tmp_path / "d" / name / f"{number}.wav").write_bytes(wav(sound, 8000))
    data = load(str(tmp_path / "d"))
    files = audio_files("logmel-30-20-32", data.preprocessing)
    program = compiled(files, tmp_path)
    found = runpy.run_path(str(tmp_path / "front_end.py"))
    wanted = {
        image.tobytes()
        for split in ("train", "val", "test")
        for image in getattr(data.fronted(NAMES[0]), split).inputs
    }
    for path in sorted((tmp_path / "d").rglob("*.wav")):
        (image,) = found["read"](path)
        assert image.shape == data.fronted(NAMES[0]).input_shape and image.tobytes() in wanted
        done = subprocess.run([program], input=path.read_bytes(), capture_output=True, check=True)
        assert done.stdout == image.tobytes()
    assert len(wanted) == 6
    refused = subprocess.run([program], input=wav(tone(300), 16000), capture_output=True)
    assert refused.returncode == 2 and b"8000 Hz" in refused.stderr


@needs_gcc
@pytest.mark.parametrize("window", [None, 3200])
def test_what_is_cropped_and_what_is_cut_is_as_in_training(tmp_path, window):
    """With --window what has two clips is cut; else what has four, and 2 s."""
    lengths = (3200, 3100, 3000, 3200, 6399, 6400, 9600, 15999, 16000, 22400)
    for name in ("low", "high"):
        (tmp_path / "d" / name).mkdir(parents=True)
        for number, length in enumerate(lengths if name == "low" else [3200] * 70):
            sound = tone(300 + 10 * number, length / 8000, 8000, seed=number) * np.linspace(0.1, 1, length)
            (tmp_path / "d" / name / f"{number}.wav").write_bytes(wav(sound, 8000))
    source = read_source(str(tmp_path / "d"), ReadOptions(window=window))
    split = source.parts["train"]
    files = audio_files(NAMES[0], source.preprocessing)
    program = compiled(files, tmp_path)
    found = runpy.run_path(str(tmp_path / "front_end.py"))
    made = FrontEnd.parse(NAMES[0]).apply(split.inputs[:, :, 0, 0], 8000)
    for number in range(len(lengths)):
        path = tmp_path / "d" / "low" / f"{number}.wav"
        names = source.names["train"]
        own = [row for row, name in enumerate(names) if name.partition(" at ")[0] == f"low/{number}.wav"]
        np.testing.assert_array_equal(found["read"](path), made[own])
        done = subprocess.run([program], input=path.read_bytes(), capture_output=True, check=True)
        assert done.stdout == made[own[0]].tobytes()
    assert source.preprocessing["crop_below"] == (2 * 3200 if window else 16000)


def test_the_python_reads_every_kind_that_training_reads(tmp_path):
    (tmp_path / "front_end.py").write_bytes(front_end_files(NAMES[0], 3200, 8000)["front_end.py"])
    found = runpy.run_path(str(tmp_path / "front_end.py"))
    path, sound = tmp_path / "a.wav", tone(440, 0.4, 8000)
    kinds = [{"bits": bits, "channels": 2} for bits in (8, 16, 24, 32)]
    kinds += [{"bits": 32, "tag": 3}, {"bits": 64, "tag": 3}, {"extensible": True}]
    for kind in kinds:
        path.write_bytes(wav(sound, 8000, **kind))
        wanted = to_int16(read_samples(read_header(path)))
        np.testing.assert_array_equal(found["read"](path), found["to_input"](wanted))
    path.write_bytes(wav(tone(440, 0.4, 16000), 16000))
    assert found["read"](path).shape == (1, 19, 32, 1)
    path.write_bytes(wav(tone(440, 5.0, 8000), 8000))
    assert found["read"](path).shape == (12, 19, 32, 1)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "it is empty, expected a WAV file"),
        (b"ID3" + bytes(40), "it is an MP3 file, expected"),
        (container(bytes(64), tag=17, bits=4), "it holds format 17 in 4 bits"),
        (wav(np.full(3200, np.nan), 8000, bits=32, tag=3), "3200 of its samples are NaN"),
        (None, "cannot be read \\(No such file"),
    ],
)
def test_what_the_python_cannot_read_is_one_sentence(tmp_path, content, said):
    (tmp_path / "front_end.py").write_bytes(front_end_files(NAMES[0], 3200, 8000)["front_end.py"])
    found = runpy.run_path(str(tmp_path / "front_end.py"))
    if content is not None:
        (tmp_path / "a.wav").write_bytes(content)
    with pytest.raises(SystemExit, match=f"a.wav: {said}"):
        found["read"](tmp_path / "a.wav")
