"""Files of a folder <-> SHA256SUMS, in the form that `sha256sum -c` reads."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from edgeml.errors import ModelError

SUMS = "SHA256SUMS"


def digest(content: bytes) -> str:
    """SHA-256 as hex."""
    return hashlib.sha256(content).hexdigest()


def sums_file(files: Mapping[str, bytes]) -> bytes:
    """File name -> content, to the bytes of SHA256SUMS: one line a file, by name."""
    return "".join(f"{digest(files[name])}  {name}\n" for name in sorted(files)).encode()


def read_sums(folder: Path) -> dict[str, str]:
    """The checksums that a folder's SHA256SUMS lists, by file name; empty where it has none.

    Raises:
        ModelError: it is not such a file.
    """
    path = folder / SUMS
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ModelError(
            f"{path}: cannot be read ({type(error).__name__}); export the model again."
        ) from error
    found = [re.fullmatch(r"([0-9a-f]{64}) [ *](.+)", line) for line in lines]
    for number, (line, match) in enumerate(zip(lines, found, strict=True), start=1):
        if match is None:
            raise ModelError(
                f"{path}:{number}: found {line[:80]!r}, expected a checksum, two spaces and a file name; "
                "export the model again."
            )
        if ".." in (parts := PurePosixPath(match[2]).parts) or "\0" in match[2] or parts[0] == "/":
            raise ModelError(
                f"{path}:{number}: {match[2][:80]!r} leads out of the folder, expected a file in it; "
                "remove the line."
            )
    return {match[2]: match[1] for match in found if match}


def check_sums(folder: Path) -> dict[str, str]:
    """Compare the files of an exported folder with its SHA256SUMS; files that are missing are left out.

    Returns:
        The checksums listed.

    Raises:
        ModelError: a file is not the one that was exported.
    """
    sums = read_sums(folder)
    for name, wanted in sums.items():
        path = folder / name
        if path.is_file() and digest(path.read_bytes()) != wanted:
            raise ModelError(
                f"{path} is not the file that was exported (other checksum than in {SUMS}); export it again, "
                f"or correct its line in {SUMS} where the change is yours."
            )
    return sums
