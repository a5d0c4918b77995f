"""A bounds-checked reader of FlatBuffers tables: bytes -> fields, with nothing trusted.

Layout: https://flatbuffers.dev/internals. Every offset is checked before it is followed, and one budget
bounds how many values are decoded in all, so that a damaged file gives `Damaged`, never another error, and
never keeps the reader busy.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

SIZES = {"b": 1, "B": 1, "?": 1, "h": 2, "H": 2, "i": 4, "I": 4, "f": 4, "q": 8, "Q": 8}
MAX_VALUES = 20_000_000
"""More numbers than the largest model we know holds outside its buffers; decoding them takes seconds."""


class Damaged(Exception):  # noqa: N818 - a state of the bytes; callers turn it into an error of theirs
    """The bytes do not hold what their offsets say."""


class Bytes:
    """The whole file as a read-only view, and what is left of the budget of decoded values."""

    def __init__(self, data: bytes) -> None:
        self.view = memoryview(data)
        self.left = min(2 * len(data) + 10_000, MAX_VALUES)

    def read(self, form: str, place: int) -> int:
        """One little-endian integer of struct format `form` at byte `place`."""
        if not 0 <= place <= len(self.view) - SIZES[form]:
            raise Damaged(f"offset {place} is outside the file")
        value: int = struct.unpack_from("<" + form, self.view, place)[0]
        return value

    def spend(self, count: int) -> None:
        """Take `count` values from the budget."""
        self.left -= count
        if self.left < 0:
            raise Damaged("it holds more values than its size allows")

    def slice(self, place: int, size: int) -> memoryview:
        """`size` bytes from `place`, not copied."""
        if place < 0 or size < 0 or place + size > len(self.view):
            raise Damaged(f"{size} bytes at offset {place} reach past the end of the file")
        return self.view[place : place + size]


@dataclass(frozen=True)
class Table:
    """A table at byte `place`; fields are numbered as in the schema, from 0."""

    data: Bytes
    place: int

    @staticmethod
    def root(data: Bytes) -> Table:
        """The table that the first four bytes point at."""
        return Table(data, data.read("I", 0))

    def _field(self, number: int) -> int:
        """Place of a field, or 0 where it is absent."""
        vtable = self.place - self.data.read("i", self.place)
        entry = 4 + 2 * number
        if entry + 2 > self.data.read("H", vtable):
            return 0
        offset = self.data.read("H", vtable + entry)
        return self.place + offset if offset else 0

    def _follow(self, number: int) -> int:
        """Place that an offset field points at, or 0 where it is absent."""
        place = self._field(number)
        return place + self.data.read("I", place) if place else 0

    def integer(self, number: int, form: str, default: int = 0) -> int:
        """An integer or boolean field."""
        place = self._field(number)
        return self.data.read(form, place) if place else default

    def real(self, number: int) -> float:
        """A float32 field; 0.0 where it is absent."""
        place = self._field(number)
        return float(struct.unpack("<f", self.data.slice(place, 4))[0]) if place else 0.0

    def table(self, number: int) -> Table | None:
        """A table field."""
        place = self._follow(number)
        return Table(self.data, place) if place else None

    def _vector(self, number: int, size: int) -> tuple[int, int]:
        """First byte and length of a vector whose elements take `size` bytes."""
        place = self._follow(number)
        if not place:
            return 0, 0
        count = self.data.read("I", place)
        self.data.slice(place + 4, count * size)
        return place + 4, count

    def length(self, number: int) -> int:
        """Number of elements of a vector of tables."""
        return self._vector(number, 4)[1]

    def numbers(self, number: int, form: str) -> tuple[int, ...]:
        """A vector of integers."""
        place, count = self._vector(number, SIZES[form])
        self.data.spend(count)
        return struct.unpack_from(f"<{count}{form}", self.data.view, place) if count else ()

    def reals(self, number: int) -> tuple[float, ...]:
        """A vector of float32."""
        place, count = self._vector(number, 4)
        self.data.spend(count)
        return struct.unpack_from(f"<{count}f", self.data.view, place) if count else ()

    def blob(self, number: int) -> memoryview:
        """A vector of bytes, not copied; empty where it is absent."""
        place, count = self._vector(number, 1)
        return self.data.slice(place, count)

    def text(self, number: int) -> str:
        """A string; bytes that are not UTF-8 become U+FFFD."""
        raw = self.blob(number)
        self.data.spend(len(raw))
        return bytes(raw).decode("utf-8", "replace")

    def tables(self, number: int) -> Iterator[Table]:
        """A vector of tables."""
        place, count = self._vector(number, 4)
        self.data.spend(8 * count)
        for entry in range(place, place + 4 * count, 4):
            yield Table(self.data, entry + self.data.read("I", entry))
