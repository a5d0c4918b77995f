"""The place that weights and models go through on their way to and from a cluster: any fsspec URL.

STORE/data/SHA256          files of data sets, there once whatever runs use them
STORE/runs/RUN/SHA256      weights, models and banks of one run; removed when its session ends

A file is named by its content, so that two workers may write the same one at once, what a dead worker wrote
is not mistaken for anything else, and a half-written one is found out: whoever reads checks size and hash.
"""

from __future__ import annotations

import errno
import hashlib
import platform
import re
import shutil
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from edgeml.errors import StorageError
from edgeml.search.cluster.store_url import opened, said
from edgeml.search.workers.compute import shown

Found = TypeVar("Found")

WHOLE = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oci", "memory"})
"""Protocols where a file appears as a whole; elsewhere it is written beside its place and moved."""
PAUSES_S = (0.5, 2.0)
"""Before each further attempt where a store does not answer."""
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True)
class Blob:
    """A file by its content."""

    sha256: str
    size: int

    @staticmethod
    def of(content: bytes) -> Blob:
        """Of bytes in memory."""
        return Blob(hashlib.sha256(content).hexdigest(), len(content))

    @staticmethod
    def of_file(path: Path) -> Blob:
        """Of a file."""
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256")
            return Blob(digest.hexdigest(), file.tell())


class DamagedError(StorageError):
    """A file of a store is not what its name says, or was removed for that; it is to be sent again."""


class DiskError(StorageError):
    """This computer's own disk does not take what came from a store or is to go there."""


class Store:
    """Files by content below an fsspec URL.

    Args:
        url: of a folder; a path without a scheme is one of this computer.

    Raises:
        ConfigError: no such scheme.
        MissingToolError: fsspec or what it needs for this scheme is not installed.
    """

    def __init__(self, url: str) -> None:
        self.url = url if "://" in url or "::" in url else Path(url).resolve().as_uri()
        self.shown = str(shown(self.url))
        self._files, self._root = opened(self.url, self.shown)
        protocols = self._files.protocol
        names = {protocols} if isinstance(protocols, str) else set(protocols)
        self._whole = bool(names & WHOLE)
        self._folders = not names & WHOLE or "memory" in names
        self._there: set[str] = set()
        self._lock = threading.Lock()

    def put_file(self, path: Path, group: str) -> Blob:
        """Have a file in the store.

        Args:
            path: of this computer.
            group: "data" or "runs/RUN".

        Raises:
            StorageError: the store cannot be written.
        """
        blob = Blob.of_file(path)
        if not self._has(blob, group):
            self._write(blob, group, lambda to: self._files.put_file(str(path), to))
        return blob

    def put(self, content: bytes, group: str) -> Blob:
        """Have bytes in the store; otherwise as `put_file`."""
        blob = Blob.of(content)
        if not self._has(blob, group):
            self._write(blob, group, lambda to: self._files.pipe_file(to, content))
        return blob

    def read(self, blob: Blob, group: str) -> bytes:
        """The content of a file.

        Raises:
            StorageError: it cannot be read.
            DamagedError: it is not what its name says, or another reader has removed it for that.
        """
        content: bytes = self._found(lambda: self._files.cat_file(self._place(blob, group)), blob, group)
        self._check(Blob.of(content), blob, group)
        return content

    def fetch(self, blob: Blob, group: str, to: Path) -> None:
        """The content of a file -> a file of this computer, which appears whole; otherwise as `read`.

        Raises:
            DiskError: it cannot be written here.
        """
        temporary = to.with_name(f".{to.name}.{uuid.uuid4().hex}.part")

        def get() -> None:
            try:
                self._files.get_file(self._place(blob, group), str(temporary))
            except OSError as error:
                if error.errno in FULL and shutil.disk_usage(to.parent).free < blob.size:
                    raise unwritable(to, error) from error
                raise

        try:
            self._found(get, blob, group)
            self._check(Blob.of_file(temporary), blob, group)
            temporary.replace(to)
        except OSError as error:
            raise unwritable(to, error) from error
        finally:
            temporary.unlink(missing_ok=True)

    def forget(self) -> None:
        """Look anew for what is in the store: somebody else has removed a file."""
        with self._lock:
            self._there.clear()

    def clear(self, group: str) -> None:
        """Remove all files of a group, where there are any."""
        place = f"{self._root}/{group}"

        def remove() -> None:
            self._files.invalidate_cache()
            if self._files.exists(place):
                self._files.rm(place, recursive=True)

        with self._lock:
            self._there = {one for one in self._there if not one.startswith(f"{group}/")}
        self._tried("removed", remove)

    def _place(self, blob: Blob, group: str) -> str:
        if not re.fullmatch(r"[0-9a-f]{64}", blob.sha256):
            raise StorageError(f"{self.shown}: {blob.sha256!r} is no name of a file in a store.")
        return f"{self._root}/{group}/{blob.sha256}"

    def _has(self, blob: Blob, group: str) -> bool:
        """Whether the file is there in its full length."""
        name = f"{group}/{blob.sha256}"
        if name in self._there:
            return True

        def size() -> int:
            self._files.invalidate_cache()
            try:
                return int(self._files.info(self._place(blob, group))["size"])
            except FileNotFoundError:
                return -1

        if found := self._tried("read", size) == blob.size:
            self._there.add(name)
        return found

    def _write(self, blob: Blob, group: str, write: Callable[[str], None]) -> None:
        place = self._place(blob, group)

        def whole() -> None:
            if self._folders:
                self._files.makedirs(f"{self._root}/{group}", exist_ok=True)
            if self._whole:
                write(place)
                return
            beside = f"{place}.{uuid.uuid4().hex}.part"
            try:
                write(beside)
                self._files.mv(beside, place)
            except BaseException:
                if self._files.exists(beside):
                    self._files.rm_file(beside)
                raise

        self._tried("written", whole)
        self._there.add(f"{group}/{blob.sha256}")

    def _found(self, read: Callable[[], Found], blob: Blob, group: str) -> Found:
        """What is read; a file that is missing among others was removed because it was damaged."""
        try:
            return self._tried("read", read)
        except StorageError as error:
            if not isinstance(error.__cause__, FileNotFoundError) or not self._tried("read", self._used):
                raise
            self._there.discard(f"{group}/{blob.sha256}")
            raise DamagedError(
                f"{self.shown}/{group}/{blob.sha256} is not there; whoever found it damaged has removed it, "
                "and it is sent again with the next attempt."
            ) from error

    def _used(self) -> bool:
        """Whether anything is in the store: elsewhere it may be another folder, or not be mounted."""
        self._files.invalidate_cache()
        try:
            return bool(self._files.ls(self._root, detail=False))
        except FileNotFoundError:
            return False

    def _check(self, found: Blob, wanted: Blob, group: str) -> None:
        if found == wanted:
            return
        self._there.discard(f"{group}/{wanted.sha256}")

        def remove() -> None:
            with suppress(FileNotFoundError):  # another reader was faster
                self._files.rm_file(self._place(wanted, group))

        self._tried("removed", remove)
        raise DamagedError(
            f"{self.shown}/{group}/{wanted.sha256}: found {found.size:,} bytes with another hash, expected "
            f"{wanted.size:,} bytes of that one; it was removed and is sent again with the next attempt."
        )

    def _tried(self, done: str, action: Callable[[], Found]) -> Found:
        """Do it, again after a pause where the store does not answer; its error becomes one sentence."""
        for pause in (*PAUSES_S, None):
            try:
                return action()
            except DiskError:
                raise
            except (FileNotFoundError, PermissionError, ImportError) as error:
                raise self._sentence(done, error) from error
            except Exception as error:  # every store has errors of its own
                if pause is None:
                    raise self._sentence(done, error) from error
                time.sleep(pause)
        raise AssertionError

    def _sentence(self, done: str, error: Exception) -> StorageError:
        return StorageError(
            f"the store {self.shown} cannot be {done} from {platform.node()} ({said(error, self.url)}); see "
            "that it exists and may be used from there, then go on with --resume (nothing finished is lost)."
        )


def unwritable(place: Path, error: OSError) -> DiskError:
    """What to say where this computer's own disk does not take a file."""
    return DiskError(f"{place}: cannot be written ({error.strerror or error}); make room and start it again")
