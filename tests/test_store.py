"""The store that weights and data take to and from a cluster: whole files by content, or a sentence."""

from __future__ import annotations

import os
import time
import uuid
from pathlib import Path
from types import SimpleNamespace

import pytest

from edgeml.errors import ConfigError, MissingToolError, StorageError
from edgeml.search.cluster import store as stores
from edgeml.search.cluster import worker_data
from edgeml.search.cluster.store import Blob, DamagedError, DiskError, Store
from edgeml.search.cluster.store_url import said


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    monkeypatch.setattr(stores, "PAUSES_S", (0.0,))


@pytest.fixture(params=["memory", "file"])
def url(request, tmp_path):
    return f"memory://{uuid.uuid4().hex}/deep" if request.param == "memory" else (tmp_path / "s").as_uri()


def inside(store: Store, blob: Blob, group: str) -> str:
    return store._place(blob, group)


def test_what_is_put_is_read_by_another(url, tmp_path):
    (tmp_path / "big").write_bytes(b"x" * 3_000_000)
    here, there = Store(url), Store(url)
    small, big = here.put(b"weights", "runs/a"), here.put_file(tmp_path / "big", "data")
    assert small == Blob.of(b"weights") and big.size == 3_000_000
    assert there.read(small, "runs/a") == b"weights"
    there.fetch(big, "data", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == (tmp_path / "big").read_bytes()
    here.clear("runs/a")
    there.fetch(big, "data", tmp_path / "again")
    with pytest.raises(StorageError, match="is not there"):
        there.read(small, "runs/a")
    assert here.put(b"weights", "runs/a") == small and there.read(small, "runs/a") == b"weights"
    Store(url).clear("runs/never")


@pytest.mark.parametrize("torn", [b"wei", b"wEIghts", b""])
def test_a_torn_file_is_never_taken_and_is_sent_again(url, torn, tmp_path):
    store = Store(url)
    blob = store.put(b"weights", "runs/a")
    store._files.pipe_file(inside(store, blob, "runs/a"), torn)
    for read in (lambda: store.read(blob, "runs/a"), lambda: store.fetch(blob, "runs/a", tmp_path / "f")):
        with pytest.raises(StorageError):
            read()
        assert not (tmp_path / "f").exists()
    store.forget()
    assert store.put(b"weights", "runs/a") == blob
    assert store.read(blob, "runs/a") == b"weights"


def test_two_who_find_the_same_damage_both_call_it_that(url, monkeypatch):
    store = Store(url)
    blob = store.put(b"weights", "runs/a")
    store._files.pipe_file(inside(store, blob, "runs/a"), b"w")
    cat = store._files.cat_file

    def read_then_removed_by_the_other(place):
        content = cat(place)
        store._files.rm_file(place)
        return content

    monkeypatch.setattr(store._files, "cat_file", read_then_removed_by_the_other)
    with pytest.raises(DamagedError):
        store.read(blob, "runs/a")


def test_what_another_reader_has_removed_is_sent_again_and_another_place_is_not_the_store(url, tmp_path):
    store = Store(url)
    blob, _ = store.put(b"weights", "runs/a"), store.put(b"other", "runs/a")
    for read in (lambda: store.read(blob, "runs/a"), lambda: store.fetch(blob, "runs/a", tmp_path / "f")):
        store._files.rm_file(inside(store, blob, "runs/a"))
        with pytest.raises(DamagedError, match="is not there"):
            read()
        assert store.put(b"weights", "runs/a") == blob and store.read(blob, "runs/a") == b"weights"
    elsewhere = Store(f"{url}-not-mounted")
    with pytest.raises(StorageError, match="cannot be read from") as found:
        elsewhere.read(blob, "runs/a")
    assert not isinstance(found.value, DamagedError)


def test_a_damaged_file_is_told_by_its_hash(url):
    store = Store(url)
    blob = store.put(b"weights", "runs/a")
    store._files.pipe_file(inside(store, blob, "runs/a"), b"wEIghts")
    with pytest.raises(DamagedError, match="found 7 bytes with another hash, expected 7 bytes"):
        store.read(blob, "runs/a")


def test_a_half_written_one_of_an_earlier_session_is_written_again(url):
    first = Store(url)
    blob = first.put(b"weights", "runs/a")
    first._files.pipe_file(inside(first, blob, "runs/a"), b"we")
    second = Store(url)
    second.put(b"weights", "runs/a")
    assert second.read(blob, "runs/a") == b"weights"


def test_writing_that_fails_half_way_leaves_nothing_under_the_name(tmp_path, monkeypatch):
    store = Store(str(tmp_path / "s"))

    def half(path, content):
        Path(path).write_bytes(content[:3])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store._files, "pipe_file", half)
    with pytest.raises(StorageError, match="No space left on device"):
        store.put(b"weights", "runs/a")
    assert list((tmp_path / "s" / "runs" / "a").iterdir()) == []
    monkeypatch.undo()
    assert store.read(store.put(b"weights", "runs/a"), "runs/a") == b"weights"


def test_a_store_that_does_not_answer_once_is_asked_again(monkeypatch):
    store = Store(f"memory://{uuid.uuid4().hex}")
    real, failures = store._files.cat_file, [OSError("503 slow down")]

    def cat(path):
        if failures:
            raise failures.pop()
        return real(path)

    blob = store.put(b"weights", "data")
    monkeypatch.setattr(store._files, "cat_file", cat)
    assert store.read(blob, "data") == b"weights"


def test_a_name_that_is_no_hash_reads_nothing():
    store = Store(f"memory://{uuid.uuid4().hex}")
    with pytest.raises(StorageError, match="no name of a file"):
        store.read(Blob("../../secret", 3), "data")


@pytest.mark.parametrize(
    ("url", "kind", "words"),
    [
        ("what://bucket/prefix", ConfigError, "expected a URL such as file:///shared/edgeml"),
        ("ftp://user:hush@127.0.0.1:1/x", StorageError, "cannot be reached from"),
    ],
)
def test_a_wrong_url_is_one_sentence_without_secrets(url, kind, words):
    with pytest.raises(kind) as caught:
        Store(url)
    message = str(caught.value)
    assert words in message and "\n" not in message and "hush" not in message


def test_a_missing_package_is_named(monkeypatch):
    import fsspec

    def missing(url):
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr(fsspec, "url_to_fs", missing)
    with pytest.raises(MissingToolError, match="pip install s3fs"):
        Store("s3://bucket/prefix")


def test_errors_keep_the_secrets_of_a_url():
    url = "sftp://me:p%40ss@host/x?token=abc"
    assert "p%40ss" not in said(OSError(f"{url} p@ss abc token=abc"), url)
    told = said(OSError("login with p@ss refused"), url)
    assert told == "OSError: login with *** refused"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("s3://", "found no bucket, expected s3://BUCKET"),
        ("s3://me:hush@bucket/x", "found credentials in the"),
    ],
)
def test_a_bucket_is_named_and_its_keys_are_not_in_the_url(url, words):
    with pytest.raises(ConfigError) as caught:
        Store(url)
    assert words in str(caught.value) and "hush" not in str(caught.value) and "\n" not in str(caught.value)


def test_an_error_that_ends_with_a_colon_is_told_with_what_follows():
    assert said(ValueError("Validation failed:\n  Invalid bucket name"), "s3://a").endswith(
        "Validation failed: Invalid bucket name"
    )


def test_a_disk_without_room_here_is_not_the_stores_fault(tmp_path, monkeypatch):
    store = Store(str(tmp_path / "s"))
    blob = store.put(b"weights", "data")

    def full(source, to):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store._files, "get_file", full)
    monkeypatch.setattr(stores.shutil, "disk_usage", lambda _: SimpleNamespace(free=3))
    with pytest.raises(DiskError, match=r"f: cannot be written \(No space left on device\); make room"):
        store.fetch(blob, "data", tmp_path / "f")
    monkeypatch.setattr(stores.shutil, "disk_usage", lambda _: SimpleNamespace(free=300))
    with pytest.raises(StorageError, match=r"the store file://.* cannot be read"):
        store.fetch(blob, "data", tmp_path / "f")


def test_the_oldest_data_set_on_a_worker_makes_room_for_another(tmp_path, monkeypatch):
    ages = {"new": 10, "hours": 7200, "days": 86_400, "weeks": 8 * 86_400}
    for name, age in ages.items():
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (time.time() - age,) * 2)

    def usage(_):
        return SimpleNamespace(free=100 - 20 * sum((tmp_path / name).exists() for name in ages))

    monkeypatch.setattr(worker_data.shutil, "disk_usage", usage)
    worker_data._make_room(tmp_path, 10)
    assert {path.name for path in tmp_path.iterdir()} == {"new", "hours", "days"}
    worker_data._make_room(tmp_path, 50)
    assert {path.name for path in tmp_path.iterdir()} == {"new", "hours"}
    worker_data._make_room(tmp_path, 500)
    assert {path.name for path in tmp_path.iterdir()} == {"new"}, "what is being read stays"
