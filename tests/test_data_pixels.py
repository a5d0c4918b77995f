"""Image files: sizes, colour modes, damage."""

import io
import os

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from edgeml.data.dataset import load
from edgeml.data.images.pixels import read_pixels
from edgeml.data.options import ReadOptions
from tests.data_samples import every_image, image_folder, picture, refused, said
from tests.speed import assert_within


@pytest.mark.parametrize(
    ("size", "image_size", "shape"),
    [
        ((12, 10), None, (10, 12, 3)),
        ((96, 40), None, (40, 96, 3)),
        ((12, 10), 24, (24, 24, 3)),
        ((97, 40), None, (72, 72, 3)),
        ((200, 300), None, (96, 96, 3)),
        ((1, 1), None, (1, 1, 3)),
    ],
)
def test_one_size(tmp_path, size, image_size, shape):
    data = load(str(image_folder(tmp_path, size=size)), ReadOptions(image_size=image_size))
    assert data.input_shape == shape
    assert bool(data.warnings) == (shape[:2] != size[::-1])


@pytest.mark.parametrize(
    ("sides", "expected"), [((20, 21), 24), ((4, 6), 16), ((300, 400), 96), ((30, 31), 32)]
)
def test_mixed_sizes_take_the_median_side(tmp_path, sides, expected):
    for name, side in zip(("cat", "dog"), sides, strict=True):
        image_folder(tmp_path, (name,), size=(side, side))
    data = load(str(tmp_path))
    assert data.input_shape == (expected, expected, 3)
    said(data, "2 sizes")


def test_jpeg_draft_decoding_is_near_the_full_one(tmp_path):
    ramp = np.add.outer(np.arange(400), np.arange(400)) * 255 // 798
    Image.fromarray(np.stack([ramp, ramp[::-1], ramp.T], 2).astype(np.uint8)).save(
        tmp_path / "a.jpg", quality=95
    )
    with Image.open(tmp_path / "a.jpg") as image:
        full = np.asarray(image.resize((40, 40), Image.Resampling.BILINEAR), np.int64)
    assert np.abs(read_pixels(tmp_path / "a.jpg", 40, 40, False) - full).max() <= 4


@pytest.mark.parametrize(
    ("mode", "suffix", "channels"),
    [
        ("RGB", "png", 3),
        ("RGB", "jpg", 3),
        ("RGB", "bmp", 3),
        ("RGB", "ppm", 3),
        ("RGB", "tif", 3),
        ("RGB", "webp", 3),
        ("RGBA", "png", 3),
        ("P", "png", 3),
        ("P", "gif", 3),
        ("CMYK", "jpg", 3),
        ("YCbCr", "jpg", 3),
        ("L", "png", 1),
        ("L", "jpg", 1),
        ("LA", "png", 1),
        ("1", "png", 1),
        ("I;16", "png", 1),
        ("I", "tif", 1),
        ("F", "tif", 1),
    ],
)
def test_every_mode(tmp_path, mode, suffix, channels):
    if mode == "I;16":
        image_folder(tmp_path, mode="L")
        for path in sorted(tmp_path.rglob("*.png")):
            with Image.open(path) as grey:
                wide = np.asarray(grey, np.uint16) * 257
            Image.fromarray(wide).save(path)
        expected = np.asarray(picture(0, mode="L"))
    else:
        image_folder(tmp_path, mode=mode, suffix=suffix)
        expected = np.asarray(picture(0, mode="L")) if mode in ("L", "F", "LA") and suffix != "jpg" else None
    data = load(str(tmp_path))
    assert data.input_shape == (10, 12, channels)
    assert data.provenance["skipped"]["count"] == 0
    if expected is not None:
        assert any((image[..., 0] == expected).all() for image in every_image(data))
    if "A" in mode:
        said(data, "8 images are transparent", "black")


def test_grey_pixels_in_colour_files_are_one_channel(tmp_path):
    for path in sorted(image_folder(tmp_path).rglob("*.png")):
        with Image.open(path) as image:
            grey = image.convert("L")
        grey.convert("RGB").save(path)
    assert load(str(tmp_path)).input_shape == (10, 12, 1)


def test_mixed_modes_become_colour(tmp_path):
    image_folder(tmp_path, ("cat",), mode="L")
    image_folder(tmp_path, ("dog",), mode="RGBA")
    data = load(str(tmp_path))
    assert data.input_shape == (10, 12, 3)
    said(data, "2 colour modes", "4 L", "4 RGBA")


def test_alpha_is_laid_on_black(tmp_path):
    Image.new("RGBA", (2, 1), (200, 100, 50, 0)).save(tmp_path / "a.png")
    Image.new("LA", (2, 1), (200, 128)).save(tmp_path / "b.png")
    palette = Image.new("P", (2, 1), 0)
    palette.putpalette([9, 8, 7] * 256)
    palette.save(tmp_path / "c.png", transparency=0)
    assert not read_pixels(tmp_path / "a.png", 1, 2, False).any()
    assert abs(int(read_pixels(tmp_path / "b.png", 1, 2, True)[0, 0, 0]) - 100) <= 1
    assert not read_pixels(tmp_path / "c.png", 1, 2, False).any()


@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_exif_orientation_turns_the_image(tmp_path, suffix):
    exif = Image.Exif()
    exif[0x0112] = 6
    for path in sorted(image_folder(tmp_path, size=(16, 8), suffix=suffix).rglob("*.*")):
        with Image.open(path) as image:
            image.load()
            copy = image.copy()
        copy.save(path, exif=exif)
    data = load(str(tmp_path))
    assert data.input_shape == (16, 8, 3)
    if suffix == "png":
        turned = np.rot90(np.asarray(picture(0, (16, 8))), -1)
        assert any((image == turned).all() for image in every_image(data))


def spoil(root):
    """Four files that cannot be read."""
    whole = (root / "cat" / "0.png").read_bytes()
    (root / "cat" / "truncated.png").write_bytes(whole[: len(whole) // 2])
    (root / "cat" / "empty.png").write_bytes(b"")
    (root / "cat" / "page.jpg").write_text("<html>404</html>")
    (root / "dog" / "script.png").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
    return root


def test_unreadable_files_are_skipped_and_named(tmp_path):
    clean = load(str(image_folder(tmp_path)))
    data = load(str(spoil(tmp_path)))
    assert data.hash == clean.hash
    assert data.provenance["skipped"]["count"] == 4
    assert any("truncated.png" in name for name in data.provenance["skipped"]["first"])
    said(data, "4 images could not be read", "page.jpg", "not an image")


def test_strict_names_the_first_unreadable_file(tmp_path):
    refused(spoil(image_folder(tmp_path)), "empty.png", "strict", strict=True)


def test_strict_names_a_truncated_file(tmp_path):
    image_folder(tmp_path)
    path = tmp_path / "dog" / "3.png"
    path.write_bytes(path.read_bytes()[:200])
    refused(tmp_path, str(path), "truncated", strict=True)


def test_a_class_left_without_readable_images_is_named(tmp_path):
    for path in (image_folder(tmp_path) / "dog").iterdir():
        path.write_bytes(b"x")
    refused(tmp_path, "0 of class 'dog'")


def test_no_readable_image_at_all(tmp_path):
    for path in image_folder(tmp_path).rglob("*.png"):
        path.write_bytes(b"x")
    refused(tmp_path, "none of its 8 image files", "not an image")


def test_decompression_bomb_is_an_unreadable_file(tmp_path, monkeypatch):
    image_folder(tmp_path)
    picture(5, (60, 60)).save(tmp_path / "cat" / "bomb.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 2000)  # 60 x 60 is above it and below twice of it
    said(load(str(tmp_path)), "bomb.png", "decompression bomb")


def test_a_file_without_permission_is_skipped(tmp_path):
    if os.geteuid() == 0:
        pytest.skip("root may read every file")
    (image_folder(tmp_path) / "cat" / "0.png").chmod(0)
    said(load(str(tmp_path)), "0.png", "Permission denied")


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(
        [("png", "RGB"), ("png", "P"), ("jpg", "RGB"), ("gif", "P"), ("bmp", "RGB"), ("tif", "L")]
    ),
    st.one_of(st.just(0), st.integers(0, 2000)),
    st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=4),
)
def test_damaged_images_are_skipped_or_read(tmp_path, kind, cut, changes):
    suffix, mode = kind
    root = tmp_path / "set"
    if not root.exists():
        image_folder(root)
    stream = io.BytesIO()
    picture(9, mode=mode).save(stream, {"jpg": "jpeg", "tif": "tiff"}.get(suffix, suffix))
    data = bytearray(stream.getvalue())
    for place, value in changes:
        data[place % len(data)] = value
    path = root / "cat" / "fuzzed.png"
    path.write_bytes(data[: len(data) - cut % len(data)])
    loaded = load(str(root))
    assert len(every_image(loaded)) + loaded.provenance["skipped"]["count"] == 9


def test_jpegs_load_in_reasonable_time(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        picture(1, (128, 128)).save(tmp_path / name / "0.jpg", quality=80)
        for index in range(1, 300):
            os.link(tmp_path / name / "0.jpg", tmp_path / name / f"{index}.jpg")
    found = []
    # 600 of them; 10 ms each is ten times what it takes
    assert_within(6, lambda: found.append(load(str(tmp_path), ReadOptions(image_size=64))))
    assert found[0].input_shape == (64, 64, 3)
