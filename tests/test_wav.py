"""WAV files of every kind become samples; everything wrong is one sentence that names the file."""

from __future__ import annotations

import os
import wave

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeml.data.audio.wav import read_header, read_samples
from edgeml.data.audio.wave_steps import resampled, to_int16
from edgeml.errors import DataError
from tests.audio_samples import container, tone, wav

SOUND = tone(440)


def samples(tmp_path, content: bytes):
    path = tmp_path / "a.wav"
    path.write_bytes(content)
    return to_int16(read_samples(read_header(path)))


@pytest.mark.parametrize(
    ("bits", "tag", "error"),
    [(8, 1, 128), (16, 1, 0), (24, 1, 0.51), (32, 1, 0.51), (32, 3, 0.51), (64, 3, 0.51)],
)
@pytest.mark.parametrize("extensible", [False, True])
def test_every_width_gives_the_same_sound(bits, tag, error, extensible, tmp_path):
    found = samples(tmp_path, wav(SOUND, bits=bits, tag=tag, extensible=extensible))
    wanted = np.rint(SOUND * 32768)
    assert found.dtype == np.int16 and np.abs(found - wanted).max() <= max(error, 0.5) + 0.5 * (bits > 16)


def test_what_python_writes_is_read(tmp_path):
    wanted = np.arange(-300, 300, dtype=np.int16)
    with wave.open(str(tmp_path / "b.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(11025)
        file.writeframes(wanted.tobytes())
    header = read_header(tmp_path / "b.wav")
    assert (header.rate_hz, header.channels, header.frames, header.cut_off) == (11025, 1, 600, False)
    np.testing.assert_array_equal(to_int16(read_samples(header)), wanted)
    np.testing.assert_array_equal(to_int16(read_samples(header, 100, 7)), wanted[100:107])
    assert len(read_samples(header, 590, 100)) == 10 and len(read_samples(header, 700, 5)) == 0


def test_channels_are_averaged(tmp_path):
    left_right = np.stack([np.full(50, 0.5), np.full(50, -0.25)], 1)
    assert set(samples(tmp_path, wav(left_right))) == {4096}


@pytest.mark.parametrize(("tag", "name"), [(7, "mulaw"), (6, "alaw")])
def test_telephone_codes_are_those_of_g711(tag, name, tmp_path):
    """Codes in order of their value: rising, odd in the sign, with the largest of the standard."""
    found = samples(tmp_path, container(bytes(range(256)), 8000, 8, tag)).astype(int)
    assert found.max() == -found.min() == {"mulaw": 32124, "alaw": 32256}[name]
    sizes = sorted(set(np.abs(found)))
    assert len(sizes) == 128 and np.all(np.diff(np.diff(sizes)) >= 0)
    assert sizes[:2] == {"mulaw": [0, 8], "alaw": [8, 24]}[name]
    silence = {"mulaw": 0xFF, "alaw": 0xD5}[name]
    assert abs(found[silence]) <= 8


def test_odd_chunks_and_wrong_sizes_are_survived(tmp_path):
    odd = b"LIST" + (5).to_bytes(4, "little") + b"INFOx\0"
    np.testing.assert_array_equal(samples(tmp_path, wav(SOUND, extra=odd)), samples(tmp_path, wav(SOUND)))
    for size, cut in ((0, False), (0xFFFFFFFF, False), (10**6, True)):
        path = tmp_path / "c.wav"
        path.write_bytes(wav(SOUND, size=size))
        assert (read_header(path).frames, read_header(path).cut_off) == (len(SOUND), cut)
    path.write_bytes(wav(SOUND)[: 44 + 101])
    header = read_header(path)
    assert header.cut_off and len(read_samples(header)) == 50


BAD = {
    "empty": (b"", "it is empty"),
    "text": (b"hello, this is no sound", "it is no WAV file"),
    "mp3": (b"ID3\x04" + bytes(500), "it is an MP3 file"),
    "mp3_frames": (b"\xff\xfb\x90\x00" + bytes(500), "it is an MP3 file"),
    "zip": (b"PK\x03\x04" + bytes(500), "it is a zip archive"),
    "avi": (b"RIFF" + bytes(4) + b"AVI " + bytes(50), "it is a RIFF file of another kind"),
    "header_only": (wav([0.0] * 4)[:30], "it ends before its samples"),
    "no_format": (b"RIFF" + bytes(4) + b"WAVE" + b"data" + bytes(20), "does not say its format"),
    "no_samples": (wav([]), "it has no samples"),
    "adpcm": (container(bytes(100), bits=4, tag=2), "it holds format 2 in 4 bits"),
    "no_channels": (container(bytes(100), channels=0), "it says 0 channels at 16000 Hz"),
    "no_rate": (container(bytes(100), rate=0), "at 0 Hz"),
    "nan": (wav([0.1, np.nan, 0.2], bits=32, tag=3), "1 of its samples are NaN or infinite"),
    "infinite": (wav([0.1, np.inf, -np.inf], bits=64, tag=3), "2 of its samples are NaN or infinite"),
    "scale": (wav([100.0, -20000.0], bits=32, tag=3), "it holds floats up to 20000, not -1 to 1"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_one_sentence_with_its_name(name, tmp_path):
    content, said = BAD[name]
    with pytest.raises(DataError, match=said) as caught:
        samples(tmp_path, content)
    assert str(caught.value).startswith(f"{tmp_path}/a.wav: ") and "\n" not in str(caught.value)


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "p.wav")
    with pytest.raises(DataError, match="it is no regular file"):
        read_header(tmp_path / "p.wav")


@settings(max_examples=300, deadline=None)
@given(cut=st.integers(0, 200), at=st.integers(0, 60), byte=st.integers(0, 255))
def test_damaged_bytes_give_samples_or_a_data_error(cut, at, byte, tmp_path_factory):
    content = bytearray(wav(SOUND[:80], extensible=at % 2 == 0))
    content[min(at, len(content) - 1)] = byte
    path = tmp_path_factory.getbasetemp() / "damaged.wav"
    path.write_bytes(bytes(content[: len(content) - cut]))
    try:
        found = read_samples(read_header(path))
    except DataError as error:
        assert "damaged.wav" in str(error)
    else:
        assert np.isfinite(found).all() and len(found) <= 400


@pytest.mark.parametrize(
    ("from_hz", "to_hz"), [(44100, 16000), (48000, 16000), (22050, 8000), (44056, 16000)]
)
def test_resampling_keeps_a_tone_and_removes_what_the_rate_cannot_hold(from_hz, to_hz):
    t, u = np.arange(from_hz) / from_hz, np.arange(to_hz) / to_hz
    found = resampled(1000 * np.sin(2 * np.pi * 500 * t), from_hz, to_hz)
    assert abs(len(found) - to_hz) <= 1
    inner = slice(to_hz // 4, to_hz // 2)
    assert np.abs(found[inner] - 1000 * np.sin(2 * np.pi * 500 * u)[inner]).max() < 10
    above = resampled(1000 * np.sin(2 * np.pi * (to_hz / 2 + 1500) * t), from_hz, to_hz)
    assert np.abs(above[inner]).max() < 10
