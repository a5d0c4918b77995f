"""A cluster that encrypts, with the certificates and settings of docs/scale.md."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from edgeml.errors import ClusterError
from edgeml.search.cluster import dask_client
from edgeml.search.cluster.cluster import Cluster
from edgeml.search.evaluate import Job
from edgeml.search.run_dir import RunDir
from edgeml.search.workers.compute import Compute
from edgeml.target.targets import Targets
from tests.dask_cluster import dask, documented, store_one

pytestmark = pytest.mark.slow
TLS = "distributed.comm.tls"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the documented commands make: an authority, a certificate, Dask's configuration."""
    if not shutil.which("openssl"):
        pytest.skip("needs openssl")
    folder = tmp_path_factory.mktemp("tls")
    commands = documented("openssl req -x509")
    subprocess.run(["bash", "-ec", commands], cwd=folder, check=True, capture_output=True)
    (folder / "own").mkdir()
    for path in folder.glob("*.pem"):
        path.rename(folder / "own" / path.name)
    subprocess.run(["bash", "-ec", commands], cwd=folder, check=True, capture_output=True)  # a stranger's
    (folder / "config").mkdir()
    text = documented("# ~/.config/dask/tls.yaml").replace("/etc/edgeml", str(folder / "own"))
    (folder / "config" / "tls.yaml").write_text(text)
    return folder


def test_a_cluster_that_encrypts(files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import dask as library

    run = RunDir(tmp_path / "run")
    run.create()
    run.data.mkdir()
    job = Job(str(run.path), Targets.load(["null"]), {})
    monkeypatch.setattr(dask_client, "CONNECT_S", 5.0)

    def refused(address: str, **settings: str) -> str:
        changed = {f"{TLS}.{name}": value for name, value in settings.items()}
        with library.config.set(changed), pytest.raises(ClusterError) as caught:
            Cluster(Compute(scheduler=address), run)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    with dask(tmp_path, 1, "tls", DASK_CONFIG=str(files / "config")) as encrypted:
        library.config.refresh(paths=[str(files / "config")])
        try:
            cluster = Cluster(Compute(scheduler=encrypted.address), run)
            assert cluster.submit(store_one, job, "aaa").result(120) != job.run
            cluster.close()
            assert [one.key for one in run.load_candidates()] == ["aaa"]
            plain = encrypted.address.replace("tls", "tcp")
            assert "encryption required" in refused(plain) and "tls://host:8786" in refused(plain)
            missing = refused(encrypted.address, **{"ca-file": "/not/there.pem"})
            assert "setting distributed.comm.tls.ca-file is /not/there.pem, which is no file" in missing
            assert "set DASK_DISTRIBUTED__COMM__TLS__CA_FILE to a PEM file" in missing
            theirs = {f"client.{name}": str(files / f"{name}.pem") for name in ("cert", "key")}
            assert "takes the certificate in distributed.comm.tls.client.cert" in refused(
                encrypted.address, **theirs
            )
            other = refused(encrypted.address, **{"ca-file": str(files / "ca.pem")})
            assert "expected a scheduler whose certificate is of the authority" in other
        finally:
            library.config.refresh()
        assert "ca-file is not set" in refused(encrypted.address)
    assert oct((files / "own" / "key.pem").stat().st_mode)[-3:] == "600"
