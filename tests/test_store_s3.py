"""A store in a bucket, against moto's server: `pip install s3fs 'moto[server]'` to run it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from edgeml.errors import StorageError
from edgeml.search.cluster import store as stores
from edgeml.search.cluster.store import DamagedError, Store
from tests.loopback_sshd import free_port


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    pytest.importorskip("s3fs", reason="needs s3fs, which is not installed")
    moto = pytest.importorskip("moto.server", reason="needs moto's server, which is not installed")
    import s3fs

    port = free_port()
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=port)
    server.start()
    for name, value in (
        ("AWS_ACCESS_KEY_ID", "testing"),
        ("AWS_SECRET_ACCESS_KEY", "hush"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
        ("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}"),
    ):
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(stores, "PAUSES_S", ())
    s3fs.S3FileSystem.clear_instance_cache()
    s3fs.S3FileSystem().makedirs("bucket", exist_ok=True)
    yield "s3://bucket/edgeml"
    server.stop()


def test_files_go_through_a_bucket(bucket: str, tmp_path: Path) -> None:
    here, there = Store(bucket), Store(bucket)
    (tmp_path / "big").write_bytes(b"x" * 9_000_000)
    small, big = here.put(b"weights", "runs/a"), here.put_file(tmp_path / "big", "data")
    assert there.read(small, "runs/a") == b"weights"
    there.fetch(big, "data", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == (tmp_path / "big").read_bytes()
    here._files.pipe_file(here._place(small, "runs/a"), b"wEIghts")
    with pytest.raises(DamagedError):
        there.read(small, "runs/a")
    assert here.put_file(tmp_path / "big", "data") == big
    here.clear("runs/a")
    here.clear("runs/never")
    assert here._files.find("bucket") == [f"bucket/edgeml/data/{big.sha256}"]


def test_a_bucket_that_is_not_there_is_one_sentence(bucket: str) -> None:
    with pytest.raises(StorageError) as caught:
        Store("s3://nobody/x").put(b"weights", "runs/a")
    message = str(caught.value)
    assert "The specified bucket does not exist" in message and "\n" not in message and "hush" not in message
