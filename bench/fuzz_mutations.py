"""Valid bytes, text and plain values -> damaged ones, for endurance_fuzz.py; all chance is `rng`'s."""

from __future__ import annotations

import json
import random
import struct
import zlib
from collections.abc import Callable
from typing import Any

WORDS = (
    *("", " ", "nan", "inf", "-inf", "1e999", "-1", "0", "-0", "99999999999999999999999", "1e-320", "true"),
    *("null", "~", "[]", "{}", "'", '"', '"""', ",", ";", "\t", "|", "\\", "%s", "{0}", "${HOME}", "../../x"),
    *(
        "/etc/passwd",
        "\u202eevil",
        "e\u0301",
        "\U0001f600",
        "\x1b[31mred",
        "a\x00b",
        "<script>",
        "0x10",
        "1_000",
    ),
    *("9" * 400, "x" * 5000, "2026-13-45", "12:61", "!!python/object:os.system", "&a", "*a", "<<", "? [a]"),
)
NUMBERS = (
    0,
    1,
    -1,
    2,
    7,
    255,
    256,
    65535,
    1 << 31,
    (1 << 31) - 1,
    -(1 << 31),
    1 << 40,
    1 << 63,
    10**30,
    10**400,
)
REALS = (0.5, -0.5, 1e-300, 1e300, float("nan"), float("inf"), float("-inf"), 1e19)
RAW = (
    b"\xff",
    b"\xfe\xff",
    b"\xed\xa0\x80",
    b"\xc3(",
    b"\0",
    b"\r",
    b"\n\n",
    b"\x1a",
    b"\xef\xbb\xbf",
    b"\x85",
)
BYTES = (0, 1, 0x7F, 0x80, 0xFF, 0x20)


def damaged(rng: random.Random, data: bytes, other: bytes = b"") -> bytes:
    """One to four mutations of bytes, each of any kind."""
    for _ in range(rng.choice((1, 1, 2, 4))):
        data = rng.choice(_BYTE_WAYS)(rng, data, other)
    return data


def damaged_head(rng: random.Random, data: bytes, head: int) -> bytes:
    """Mutations of the first bytes only, where formats keep their sizes."""
    return damaged(rng, data[:head]) + data[head:] if rng.random() < 0.3 else _numbers(rng, data, head)


def _flip(rng: random.Random, data: bytes, _: bytes) -> bytes:
    found = bytearray(data)
    for _ in range(rng.choice((1, 1, 3, 20))):
        if found:
            found[rng.randrange(len(found))] ^= 1 << rng.randrange(8)
    return bytes(found)


def _set(rng: random.Random, data: bytes, _: bytes) -> bytes:
    found = bytearray(data)
    if found:
        found[rng.randrange(len(found))] = rng.choice(BYTES)
    return bytes(found)


def _cut(rng: random.Random, data: bytes, _: bytes) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def _zero(rng: random.Random, data: bytes, _: bytes) -> bytes:
    start = rng.randrange(len(data) + 1)
    stop = min(len(data), start + rng.choice((4, 64, 1024)))
    return data[:start] + bytes(stop - start) + data[stop:]


def _drop(rng: random.Random, data: bytes, _: bytes) -> bytes:
    start = rng.randrange(len(data) + 1)
    return data[:start] + data[start + rng.choice((1, 2, 7, 64, 512)) :]


def _again(rng: random.Random, data: bytes, _: bytes) -> bytes:
    start = rng.randrange(len(data) + 1)
    piece = data[start : start + rng.choice((1, 8, 100, 1000))]
    return data[:start] + piece * rng.choice((2, 3, 50)) + data[start:]


def _insert(rng: random.Random, data: bytes, _: bytes) -> bytes:
    start = rng.randrange(len(data) + 1)
    piece = rng.choice((rng.choice(RAW), rng.choice(WORDS).encode(), rng.randbytes(rng.choice((1, 8, 64)))))
    return data[:start] + piece + data[start:]


def _splice(rng: random.Random, data: bytes, other: bytes) -> bytes:
    other = other or data
    start, stop = rng.randrange(len(data) + 1), rng.randrange(len(other) + 1)
    return data[:start] + other[stop:]


def _number(rng: random.Random, data: bytes, _: bytes) -> bytes:
    return _numbers(rng, data, len(data))


def _numbers(rng: random.Random, data: bytes, before: int) -> bytes:
    """A field of 2, 4 or 8 bytes of a size or an offset gets another value."""
    size, form = rng.choice(((2, "H"), (4, "I"), (4, "I"), (8, "Q")))
    end = min(before, len(data)) - size
    if end < 0:
        return data
    place = rng.randrange(end + 1)
    place -= place % size if rng.random() < 0.7 else 0
    order = rng.choice("<>")
    old = struct.unpack_from(order + form, data, place)[0]
    new = rng.choice((*NUMBERS[:14], old + 1, old - 1, old * 2, ~old, len(data), len(data) - place))
    return data[:place] + struct.pack(order + form, new % (1 << 8 * size)) + data[place + size :]


_BYTE_WAYS: tuple[Callable[[random.Random, bytes, bytes], bytes], ...]
_BYTE_WAYS = (_flip, _flip, _set, _cut, _zero, _drop, _again, _insert, _splice, _number, _number)


def damaged_text(rng: random.Random, text: str) -> bytes:
    """Lines and words of a text changed, repeated, moved or removed; now and then bytes of it."""
    if rng.random() < 0.15:
        return damaged(rng, text.encode())
    lines = text.split("\n")
    for _ in range(rng.choice((1, 1, 2, 5))):
        at = rng.randrange(len(lines))
        way = rng.randrange(7)
        if way == 0:
            lines.insert(at, lines[rng.randrange(len(lines))])
        elif way == 1 and len(lines) > 1:
            del lines[at]
        elif way == 2:
            lines[at] = rng.choice((" ", "\t", "  ", "- ")) + lines[at]
        elif way == 3:
            lines[at] += rng.choice(WORDS)
        else:
            cut = sorted(rng.randrange(len(lines[at]) + 1) for _ in range(2))
            lines[at] = lines[at][: cut[0]] + rng.choice(WORDS) + lines[at][cut[1] :]
    encoding = rng.choice(("utf-8",) * 20 + ("utf-16", "latin-1", "utf-8-sig"))
    return rng.choice(("\n",) * 8 + ("\r\n", "\r")).join(lines).encode(encoding, "replace")


def damaged_value(rng: random.Random, value: Any) -> Any:
    """A plain value (JSON, YAML) with one to three of its parts changed; the value itself stays as it is."""
    value = json.loads(json.dumps(value)) if isinstance(value, dict | list) else value
    for _ in range(rng.choice((1, 1, 2, 3))):
        value = _changed(rng, value)
    return value


def _changed(rng: random.Random, value: Any) -> Any:
    places = list(_places(value))
    if not places or rng.random() < 0.02:
        return _odd(rng, value)
    holder, key = rng.choice(places)
    way = rng.randrange(10)
    if way == 0:
        del holder[key]
    elif way == 1 and isinstance(holder, dict):
        holder[rng.choice((*WORDS, "value", "name"))] = holder.pop(key)
    elif way == 2:
        other, from_key = rng.choice(places)
        holder[key] = json.loads(json.dumps(other[from_key])) if from_key in _keys(other) else None
    elif way == 3:
        holder[key] = [holder[key]] * rng.choice((0, 1, 2, 40))
    elif way == 4 and isinstance(holder, list):
        holder.insert(key, _odd(rng, holder[key]))
    else:
        holder[key] = _odd(rng, holder[key])
    return value


def _keys(holder: Any) -> Any:
    return holder if isinstance(holder, dict) else range(len(holder))


def _places(value: Any) -> Any:
    for key in list(_keys(value)) if isinstance(value, dict | list) else ():
        yield value, key
        yield from _places(value[key])


def _odd(rng: random.Random, old: Any) -> Any:
    if isinstance(old, int | float) and not isinstance(old, bool) and rng.random() < 0.4:
        return rng.choice((old * -1, old + 1, old * 1000, old / 3, str(old), float(old), [old]))
    if isinstance(old, str) and rng.random() < 0.4:
        return rng.choice(
            (old[:1], old * 100, old.upper(), old + "\n", [old], {old: old}, old.encode().hex())
        )
    deep: Any = rng.choice(([], {}, None))
    for _ in range(rng.choice((1, 3, 100))):
        deep = [deep] if rng.random() < 0.5 else {"a": deep}
    scalars = rng.choice((NUMBERS, REALS, WORDS, (True, False, None), (None, [], {}, deep)))
    return rng.choice(scalars)


def as_json(rng: random.Random, value: Any) -> bytes:
    """JSON text, now and then damaged once more; ints that Python refuses to print become texts."""
    try:
        text = json.dumps(value, indent=rng.choice((None, 1)), ensure_ascii=rng.random() < 0.5)
    except ValueError:
        text = json.dumps(str(type(value)))
    text = text.encode("utf-8", "replace").decode()
    if rng.random() < 0.02:
        text = rng.choice(("[" * 100_000, '{"a":' * 50_000, "1" * 100_000, text[:-1], text + text, ""))
    return damaged_text(rng, text) if rng.random() < 0.15 else text.encode()


def png(rng: random.Random, data: bytes) -> bytes:
    """A PNG whose chunks say other things, with sums that are right."""
    place, chunks = 8, []
    while place + 8 <= len(data):
        size = struct.unpack_from(">I", data, place)[0]
        chunks.append((data[place + 4 : place + 8], data[place + 8 : place + 8 + size]))
        place += 12 + size
    for _ in range(rng.choice((1, 2))):
        at = rng.randrange(len(chunks))
        name, body = chunks[at]
        way = rng.randrange(5)
        if way == 0:
            sides = [rng.choice((0, 1, 3, 60_000, 2_000_000, 0x7FFFFFFF)) for _ in range(2)]
            chunks[0] = (b"IHDR", struct.pack(">II", *sides) + chunks[0][1][8:])
        elif way == 1:
            chunks.insert(
                at, (rng.choice((b"tEXt", b"zTXt", b"iTXt", b"eXIf", b"iCCP", b"acTL")), _bomb_text(rng))
            )
        elif way == 2:
            chunks[at] = (name, damaged(rng, body))
        elif way == 3:
            del chunks[at]
        else:
            chunks[at] = (name, rng.choice((b"", zlib.compress(bytes(1 << 24)))))
        if not chunks:
            break
    return data[:8] + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks
    )


def _bomb_text(rng: random.Random) -> bytes:
    return (
        b"a\0\0" + zlib.compress(bytes(rng.choice((10, 1 << 26))))
        if rng.random() < 0.7
        else rng.randbytes(40)
    )
