"""How commands end: Ctrl-C, limits that nothing can hold, models that refuse what they are fed."""

import os
import signal
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from edgeml.api import exports
from edgeml.cli import data, devices, runs
from edgeml.errors import ConfigError
from edgeml.target.host_timing import random_input
from edgeml.target.targets import Targets
from tests.make_tflite import ModelSpec, make
from tests.test_cli import one_sentence


@pytest.mark.parametrize(
    ("command", "where"),
    [
        (("check", "x.tflite"), (devices.check, "callback")),
        (("measure", "x.tflite"), (devices.measure, "callback")),
        (("data", "digits"), (data.data, "callback")),
        (("search", "--data", "digits"), (runs.search, "callback")),
    ],
)
def test_ctrl_c_is_130_in_every_command(cli, monkeypatch, command, where):
    def pressed(**_):
        raise KeyboardInterrupt

    monkeypatch.setattr(*where, pressed)
    code, out, err = cli(*command)
    assert (code, out, err.strip()) == (130, "", "ended by Ctrl-C.")


@pytest.mark.parametrize(
    ("targets", "limit", "holds"),
    [
        (["null"], "latency_ms", False),
        (["null"], "macs", True),
        (["cpu"], "flash_bytes", False),
        (["cpu"], "latency_ms", True),
        (["mcu-m4"], "flash_bytes", True),
        (["cpu", "mcu-m4"], "flash_bytes", True),
        (["cpu", "mcu-m4"], "flash_bytes@cpu", False),
        (["cpu"], "host_ops", False),
        (["coral"], "host_ops", True),
    ],
)
def test_a_limit_on_what_nothing_measures_is_refused(targets, limit, holds):
    found = Targets.load(targets)
    if holds:
        assert limit in found.limits({limit: 5.0}) or f"{limit}@mcu-m4" in found.limits({limit: 5.0})
    else:
        with pytest.raises(ConfigError, match=f"--limit {limit}: nothing gives this figure"):
            found.limits({limit: 5.0})


def test_the_limit_is_refused_in_a_sentence(cli):
    options = ("--data", "digits", "--target", "cpu", "--limit", "flash_kb=100", "--trials", 1)
    one_sentence(cli("search", *options), "--limit flash_bytes", "size_bytes")


def test_random_inputs_are_places_in_a_table_where_they_may_be():
    rng = np.random.default_rng(0)
    for kind in (np.int32, np.int64, np.uint32, np.bool_):
        values = random_input(rng, (100,), np.dtype(kind))
        assert values.dtype == kind and set(values.tolist()) == {0, 1}
    for kind in (np.int8, np.uint8, np.int16):
        values = random_input(rng, (4000,), np.dtype(kind))
        assert values.min() < np.iinfo(kind).min + 200 and values.max() > np.iinfo(kind).max - 200


def test_a_model_that_looks_up_is_timed(cli, tmp_path):
    spec = ModelSpec()
    table = spec.constant(np.arange(6, dtype=np.float32).reshape(3, 2), "FLOAT32")
    spec.op("GATHER", [table, spec.tensor(1, 4, dtype="INT32")], (1, 4, 2))
    (tmp_path / "m.tflite").write_bytes(make(spec))
    code, out, err = cli("measure", tmp_path / "m.tflite", "--target", "cpu")
    assert code == 0 and "latency" in out, err


def test_a_run_is_checked_with_its_own_copy_of_a_profile(cli, finished_run, tmp_path):
    import json
    import shutil

    run = shutil.copytree(finished_run, tmp_path / "run")
    path = run / "run.json"
    value = json.loads(path.read_text())
    value["settings"]["targets"] = ["elsewhere/mine.yaml"]
    path.write_text(json.dumps(value))
    (run / "files" / "targets").mkdir(parents=True, exist_ok=True)
    (run / "files" / "targets" / "mine.yaml").write_text(
        "description: mine\nobjectives: [macs]\nmeters: []\nlimits: {size_bytes: 1000000000}\n"
    )
    code, out, err = cli("check", run)
    assert code == 0 and "mine" in out, (out, err)


def leave_files(told):
    with tempfile.TemporaryDirectory(prefix="data-of-the-user-") as folder:
        Path(told).write_text(folder)
        time.sleep(60)


def test_ctrl_c_leaves_nothing_in_the_temporary_folder(tmp_path, monkeypatch):
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setattr(tempfile, "tempdir", None)

    def press():
        while not (tmp_path / "told").exists():
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=press, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        exports._in_worker(leave_files, str(tmp_path / "told"))
    assert (tmp_path / "told").read_text().startswith(str(tmp_path / "tmp"))
    assert list((tmp_path / "tmp").iterdir()) == []
