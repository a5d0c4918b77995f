"""Decoded images in the cache: shared, redone when they change, whole or not at all."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from test_guardrails import photos

from edgeml.data.dataset import load
from edgeml.data.images import image_cache, image_files
from edgeml.data.kinds import read_source
from edgeml.data.options import ReadOptions
from edgeml.data.reading import telling
from edgeml.errors import DataError, StorageError


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A folder of 24 pictures, and a cache of its own that takes even the smallest sets."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(image_cache, "SMALLEST", 1)
    return photos(tmp_path / "set", count=12)


def entries(root):
    return sorted(path for path in (root.parent / "cache/edgeml/images").iterdir() if path.is_dir())


def pixels(root, **options):
    return read_source(str(root), ReadOptions(**options)).parts["train"].inputs


def test_the_cache_gives_what_memory_gives(root, monkeypatch):
    cached = load(str(root))
    monkeypatch.setattr(image_cache, "SMALLEST", 1 << 40)
    entry = entries(root)[0]
    entry.rename(entry.with_name("elsewhere"))
    held = load(str(root))
    assert held.hash == cached.hash and held.warnings == cached.warnings
    assert not isinstance(pixels(root), np.memmap)


def test_images_are_decoded_once(root, monkeypatch):
    told = []
    with telling(lambda *said: told.append(said)):
        first = pixels(root)
    assert isinstance(first, np.memmap) and not first.flags.writeable
    assert told == [("looking at images", 24, 24), ("decoding images", 24, 24)]
    for name in ("read_header", "read_pixels"):
        monkeypatch.setattr(image_files, name, None)
    assert (pixels(root) == first).all() and len(entries(root)) == 1


def test_a_changed_file_or_size_is_decoded_again(root):
    first = np.array(pixels(root))
    (root / "cat/cat00.png").rename(root / "cat/spare")
    (root / "cat/cat00.png").write_bytes((root / "dog/dog00.png").read_bytes())
    second = pixels(root)
    assert (second[0] != first[0]).any() and (second[1:] == first[1:]).all()
    assert pixels(root, image_size=16).shape[1:] == (16, 16, 3) and len(entries(root)) == 3


def test_what_a_kill_or_damage_leaves_is_written_over(root):
    first = np.array(pixels(root))
    (entry,) = entries(root)
    with (entry / image_cache.PIXELS).open("r+b") as file:
        file.truncate(1000)
    partial = entry.with_name(entry.name + ".partial")
    partial.mkdir()
    (partial / image_cache.PIXELS).write_bytes(b"half")
    assert (pixels(root) == first).all() and entries(root) == [entry]
    (entry / image_cache.ABOUT).write_text("{")
    assert (pixels(root) == first).all()


def test_grey_pictures_saved_as_colour_have_one_channel(root):
    from PIL import Image

    for path in root.rglob("*.png"):
        Image.open(path).convert("L").convert("RGB").save(path)
    first = pixels(root)
    assert first.shape == (24, 32, 32, 1) and isinstance(first, np.memmap)
    assert (first[0, ..., 0] == np.asarray(Image.open(root / "cat/cat00.png"))[..., 0]).all()


def test_unreadable_files_are_remembered(root):
    (root / "cat/cat03.png").write_bytes(b"no image")
    whole = (root / "dog/dog05.png").read_bytes()
    (root / "dog/dog05.png").write_bytes(whole[: len(whole) // 2])
    for _ in range(2):
        source = read_source(str(root), ReadOptions())
        assert len(source.skipped) == 2 and len(source.parts["train"]) == 22
        assert "cat/cat03.png" not in source.names["train"]
        with pytest.raises(DataError, match=r"cannot be read as an image \(not an image\)"):
            read_source(str(root), ReadOptions(strict=True))


def test_a_full_or_forbidden_disk_is_one_sentence(root, monkeypatch):
    def full(descriptor, size):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(image_cache, "reserve", full)
    with pytest.raises(StorageError, match=r"no disk space left .* 73,728 bytes .* XDG_CACHE_HOME") as caught:
        pixels(root)
    assert len(str(caught.value).splitlines()) == 1 and entries(root) == []
    (root.parent / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(root.parent / "file"))
    with pytest.raises(StorageError, match="cannot be written"):
        pixels(root)


def test_two_runs_at_once_decode_once(root):
    script = (
        "import sys; from edgeml.data.images import image_cache; image_cache.SMALLEST = 1\n"
        "from edgeml.data.kinds import read_source; from edgeml.data.options import ReadOptions\n"
        "print(int(read_source(sys.argv[1], ReadOptions()).parts['train'].inputs.sum()))"
    )
    both = [
        subprocess.Popen([sys.executable, "-c", script, str(root)], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [process.communicate(timeout=120)[0] for process in both]
    assert said[0] == said[1] == f"{int(pixels(root).sum())}\n" and len(entries(root)) == 1


def test_entries_that_nobody_used_go(root):
    pixels(root)
    (old,) = entries(root)
    os.utime(old, (1, 1))
    pixels(root, image_size=16)
    assert old not in entries(root) and len(entries(root)) == 1


def test_no_home_and_relative_cache_folders(monkeypatch):
    from edgeml.data.scratch import cache_folder

    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache_folder("images") == Path.home() / ".cache/edgeml/images"
