"""One image file -> a uint8 array of the wanted size and channels."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgeml.data import scratch

if TYPE_CHECKING:
    from PIL import Image

# What Pillow may decode: not EPS, which starts Ghostscript, nor the rarely tested scientific formats.
FORMATS = ("BMP", "DIB", "GIF", "JPEG", "JPEG2000", "PCX", "PNG", "PPM", "TGA", "TIFF", "WEBP")
SUFFIXES = frozenset((".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".bmp", ".dib", ".gif", ".webp"))
SUFFIXES |= {".tif", ".tiff", ".pbm", ".pgm", ".ppm", ".pnm", ".pcx", ".tga", ".jp2"}
_GREY_MODES = frozenset(("1", "L", "LA", "La", "I", "F", "I;16", "I;16L", "I;16B", "I;16N"))
_ALPHA_MODES = frozenset(("RGBA", "RGBa", "LA", "La", "PA"))
_ORIENTATION = 0x0112  # EXIF tag; 5 to 8 swap width and height


@dataclass(frozen=True)
class Header:
    """What an image file says before its pixels are decoded; sizes in px, as it is to be seen."""

    height: int
    width: int
    grey: bool
    alpha: bool
    mode: str
    format: str = ""


def _open(path: Path) -> Image.Image:
    from PIL import Image

    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError("not a regular file")  # a pipe named .png would be waited for
    Image.init()  # open() knows only some formats before, and a Pillow build may lack others
    return Image.open(path, formats=[name for name in FORMATS if name in Image.OPEN])


def read_header(path: Path) -> Header:
    """Image file -> Header.

    Raises:
        Exception: whatever Pillow raises on a file it cannot read.
    """
    with _open(path) as image:
        # PNG decodes all its pixels to look for EXIF behind them; in front of them it is in info.
        turned = image.format != "PNG" or "exif" in image.info
        turned = turned and image.getexif().get(_ORIENTATION, 1) in (5, 6, 7, 8)
        width, height = image.size[::-1] if turned else image.size
        alpha = image.mode in _ALPHA_MODES or "transparency" in image.info
        return Header(height, width, image.mode in _GREY_MODES, alpha, image.mode, str(image.format))


def disguised(path: Path, format: str) -> bool:
    """Whether a file's name says another format than it holds."""
    return format not in _HOLDS.get(path.suffix.lower().lstrip("."), (format,))


_JPEG, _NETPBM = ("JPEG", "MPO"), ("PPM",)
_HOLDS = {
    **dict.fromkeys(("jpg", "jpeg", "jpe", "jfif"), _JPEG),
    **dict.fromkeys(("pbm", "pgm", "ppm", "pnm"), _NETPBM),
    **dict.fromkeys(("tif", "tiff"), ("TIFF",)),
    **{name: (name.upper(),) for name in ("gif", "webp", "pcx", "tga")},
    **dict.fromkeys(("png", "apng"), ("PNG",)),
    **dict.fromkeys(("bmp", "dib"), ("BMP", "DIB")),
    "jp2": ("JPEG2000",),
}


def read_pixels(path: Path, height: int, width: int, grey: bool) -> NDArray[np.uint8]:
    """Image file -> (height, width, 1 or 3): turned upright, alpha on black, converted, resized.

    Raises:
        Exception: whatever Pillow raises on a file it cannot decode.
    """
    from PIL import ImageOps

    with _open(path) as image:
        image.draft(None, (max(height, width), max(height, width)))  # JPEG decodes at 1/2, 1/4, 1/8
        upright = ImageOps.exif_transpose(image)
        plain = _flatten(upright, "L" if grey else "RGB")
        return resize(plain, height, width).reshape(height, width, 1 if grey else 3)


def _flatten(image: Image.Image, mode: str) -> Image.Image:
    """Any mode -> L or RGB."""
    from PIL import Image

    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return Image.fromarray(_narrowed(np.asarray(image), image.mode)).convert(mode)
    if image.mode in _ALPHA_MODES or "transparency" in image.info:
        black = Image.new("RGBA", image.size, (0, 0, 0, 255))
        black.alpha_composite(image.convert("RGBA"))
        image = black
    return image.convert(mode)


def _narrowed(values: NDArray[Any], mode: str) -> NDArray[np.uint8]:
    """16-bit (and Pillow's 32-bit container of it) and float greys -> uint8; convert("L") would clip them."""
    wide = np.nan_to_num(values.astype(np.float64))
    gain = 1 / 257 if mode != "F" else 255.0 if wide.max(initial=0.0) <= 1 else 1.0
    return np.clip(np.rint(wide * gain), 0, 255).astype(np.uint8)


def resize(image: Image.Image, height: int, width: int) -> NDArray[np.uint8]:
    """Bilinear; Pillow widens the filter when it shrinks, so that every source pixel counts."""
    from PIL import Image

    if image.size != (width, height):
        image = image.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(image, np.uint8)


def resize_all(images: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """(n, h, w, c) -> (n, height, width, c)."""
    from PIL import Image

    count, _, _, channels = images.shape
    out = scratch.empty((count, height, width, channels), np.uint8)
    for index in range(count):
        pixels = np.ascontiguousarray(images[index, ..., 0] if channels == 1 else images[index])
        out[index] = resize(Image.fromarray(pixels), height, width).reshape(height, width, channels)
    return out
