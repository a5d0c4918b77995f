"""Folders of WAV files become waveforms of one rate and length; bad folders are one sentence."""

from __future__ import annotations

import os
import shutil
from itertools import pairwise

import numpy as np
import pytest

from edgeml.data.audio.clips import Recording, clip_seconds, take
from edgeml.data.audio.wave_steps import fitted, loudest
from edgeml.data.dataset import load
from edgeml.data.kinds import read_source
from edgeml.data.options import ReadOptions
from edgeml.errors import DataError
from tests.audio_samples import folder, tone, wav

OPTIONS = ReadOptions()


def read(path, **options):
    return read_source(str(path), ReadOptions(**options))


def test_a_folder_of_tones(tmp_path):
    data = load(str(folder(tmp_path / "d", each=10)))
    assert data.classes == ("high", "low") and data.task == "classification"
    assert data.preprocessing == {"kind": "audio", "rate_hz": 16000, "samples": 6400, "crop_below": 32000}
    assert data.input_shape == (6400, 1, 1) and data.train.inputs.dtype == np.int16
    assert data.warnings == ("read as audio: 20 clips of 6400 samples (0.4 s at 16000 Hz).",)
    fronted = data.fronted("logmel-30-20-32")
    assert fronted.input_shape == (19, 32, 1) and fronted.train.inputs.dtype == np.uint8
    spoken = fronted.train.inputs.mean((1, 3))
    low = spoken[data.train.labels == 1].mean(0)
    high = spoken[data.train.labels == 0].mean(0)
    assert low.argmax() < high.argmax()


def test_given_parts_are_kept(tmp_path):
    folder(tmp_path / "d" / "train", each=8)
    folder(tmp_path / "d" / "Testing", each=3)
    found = read(tmp_path / "d")
    assert {part: len(split) for part, split in found.parts.items()} == {"train": 16, "test": 6}
    assert len(found.names["test"]) == 6 and found.names["test"][0] == "Testing/high/0.wav"


def test_a_train_part_that_cannot_be_read_is_refused(tmp_path):
    folder(tmp_path / "test", each=3)
    for bad in (folder(tmp_path / "train", each=3)).rglob("*.wav"):
        bad.write_bytes(b"no sound")
    with pytest.raises(DataError, match=r"no recording to learn from can be read; .*train/high/0\.wav"):
        read(tmp_path)


def test_mixed_rates_become_the_lowest_with_a_warning_and_a_finding(tmp_path):
    folder(tmp_path / "d", each=4)
    (tmp_path / "d" / "low" / "slow.wav").write_bytes(wav(tone(300, 0.4, 8000), 8000))
    (tmp_path / "d" / "low" / "fast.wav").write_bytes(wav(tone(300, 0.4, 48000), 48000))
    found = read(tmp_path / "d")
    assert found.preprocessing["rate_hz"] == 8000
    assert any("1 at 8000 Hz, 8 at 16000 Hz, 1 at 48000 Hz" in said for said in found.warnings)
    (finding,) = found.findings
    assert finding.code == "mixed-sample-rates" and finding.count == 2


def test_high_rates_become_16_khz(tmp_path):
    found = read(folder(tmp_path / "d", each=3, rate=44100))
    assert found.preprocessing == {"kind": "audio", "rate_hz": 16000, "samples": 6400, "crop_below": 32000}
    assert any("resampled from 44100 to 16000 Hz" in said for said in found.warnings)


def test_a_ten_minute_recording_among_words_is_cut_and_stays_together(tmp_path):
    folder(tmp_path / "d", each=12)
    noise = np.random.default_rng(0).normal(0, 0.05, 600 * 8000)
    for number in range(3):
        (tmp_path / "d" / "low" / f"long{number}.wav").write_bytes(wav(noise[number * 40000 :], 8000))
    found = read(tmp_path / "d")
    assert found.preprocessing["samples"] == 3200  # 0.4 s: the long ones do not count
    assert len(found.parts["train"]) == 24 + 3 * 60
    assert any("3 recordings are far longer" in said for said in found.warnings)
    assert any("at most 60 of each" in said for said in found.warnings)
    data = load(str(tmp_path / "d"))
    long = [n for n, name in enumerate(found.names["train"]) if "long1.wav" in name]
    assert len({found.groups["train"][n] for n in long}) == 1
    assert len(data.train) + len(data.val) + len(data.test) == 24 + 180


def test_a_class_of_one_recording_is_divided_in_time(tmp_path):
    for name, hz in (("hum", 100), ("whine", 2000)):
        (tmp_path / "d" / name).mkdir(parents=True)
        (tmp_path / "d" / name / "all.wav").write_bytes(wav(tone(hz, 30, 8000), 8000))
    data = load(str(tmp_path / "d"), ReadOptions(stride=4000))
    assert data.preprocessing["samples"] == 8000
    for split in (data.train, data.val, data.test):
        assert set(split.labels) == {0, 1}


def test_window_and_stride_are_taken(tmp_path):
    folder(tmp_path / "d", each=3, seconds=3.0)
    found = read(tmp_path / "d", window=8000, stride=4000)
    assert found.parts["train"].inputs.shape == (6 * 11, 8000, 1, 1)
    assert found.names["train"][1].endswith(" at 0.25 s")


def test_clip_lengths_and_blocks():
    words = [Recording(0.3 + 0.01 * n, "train", "a") for n in range(40)]
    assert clip_seconds(words) == pytest.approx(0.68, abs=0.011)
    assert clip_seconds([*words, *[Recording(600.0, "train", "a")] * 5]) == clip_seconds(words)
    assert clip_seconds([Recording(9.0, "train", "a")] * 3) == 1.0
    taken = take([Recording(20.0, "train", "a")], 1.0, 0.5, True, 3)
    assert len({one.group for one in taken}) == 3
    for a, b in pairwise(taken):
        assert b.start_s - a.start_s >= (0.5 if a.group == b.group else 1.0) - 1e-9


def test_the_loudest_stretch_is_kept_and_the_short_is_centred():
    sound = np.r_[np.zeros(500), np.ones(100), np.zeros(300)]
    assert loudest(sound, 200).sum() == 100
    assert abs(int(np.flatnonzero(loudest(sound, 200)).mean()) - 100) <= 1
    np.testing.assert_array_equal(fitted(np.ones(3), 7), [0, 0, 1, 1, 1, 0, 0])


def test_unreadable_files_are_left_out_with_a_warning_or_refused(tmp_path):
    folder(tmp_path / "d", each=4)
    (tmp_path / "d" / "low" / "song.wav").write_bytes(b"ID3" + bytes(100))
    (tmp_path / "d" / "low" / "nan.wav").write_bytes(wav([0.0, np.nan] * 200, bits=32, tag=3))
    (tmp_path / "d" / "low" / "empty.wav").write_bytes(b"")
    found = read(tmp_path / "d")
    assert len(found.parts["train"]) == 8 and len(found.skipped) == 3
    assert any("3 recordings are unreadable and left out" in said for said in found.warnings)
    with pytest.raises(DataError, match=r"empty\.wav: it is empty"):
        read(tmp_path / "d", strict=True)


def test_cut_off_files_are_read_with_a_warning(tmp_path):
    folder(tmp_path / "d", each=3)
    path = tmp_path / "d" / "low" / "0.wav"
    path.write_bytes(path.read_bytes()[:5000])
    found = read(tmp_path / "d")
    assert any("1 recording is cut off" in said for said in found.warnings)
    assert [finding.code for finding in found.findings] == ["truncated-recordings"]


def test_names_that_are_not_utf8_and_symlink_loops(tmp_path):
    root = folder(tmp_path / "d", each=4)
    strange = os.fsencode(root / "high") + b"\xff"
    shutil.copytree(root / "high", os.fsdecode(strange))
    (root / "low" / "loop").symlink_to(root / "low")
    (root / "low" / "up").symlink_to(root)
    found = read(root)
    assert found.classes == ("high", "high\\xff", "low")
    assert sum(found.parts["train"].labels == 0) == 4


def bad(tmp_path, name):
    root = tmp_path / "d"
    if name == "empty":
        root.mkdir()
    elif name == "one_class":
        folder(root, classes=(("low", 300),))
    elif name == "one_sample":
        folder(root, each=1)
    elif name == "loose":
        root.mkdir()
        (root / "a.wav").write_bytes(wav(tone(300)))
    elif name == "mp3":
        (root / "a").mkdir(parents=True)
        (root / "a" / "song.mp3").write_bytes(b"ID3" + bytes(100))
    elif name == "all_bad":
        (root / "a").mkdir(parents=True)
        (root / "a" / "song.wav").write_bytes(b"ID3" + bytes(100))
    elif name == "alien":
        folder(root / "train", each=4)
        folder(root / "test", classes=(("middle", 500),))
    elif name == "zip":
        shutil.make_archive(str(root), "zip", folder(tmp_path / "z"))
        return tmp_path / "d.zip"
    return root


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("empty", "found no images"),
        ("loose", "found 1 WAV files outside of class folders"),
        ("one_class", "found one class only \\('low'\\)"),
        ("one_sample", "too few samples to split, found 1 of class 'high', 'low'"),
        ("mp3", "found recordings in .mp3 and no WAV files"),
        ("all_bad", "no recording to learn from can be read; .*song.wav: it is an MP3 file"),
        ("alien", "classes that train lacks \\('middle'\\)"),
        ("zip", "unpack it first"),
    ],
)
def test_a_bad_folder_is_one_sentence(name, said, tmp_path):
    with pytest.raises(DataError, match=said) as caught:
        load(str(bad(tmp_path, name)))
    assert "\n" not in str(caught.value)


def test_too_much_for_the_memory_is_said_before_it_is_allocated(tmp_path, monkeypatch):
    monkeypatch.setattr("edgeml.data.audio.audio.available_bytes", lambda: 1000)
    with pytest.raises(DataError, match="12 clips of 6400 samples need"):
        read(folder(tmp_path / "d"))
