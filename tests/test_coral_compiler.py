"""edgetpu_compiler as a meter, against a scripted stand-in: the real one is closed and not here."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from edgeml.deploy.tflite import read_model
from edgeml.errors import ModelError
from edgeml.target.coral import compile as coral_compile
from edgeml.target.coral.compile import cache_folder
from edgeml.target.coral.log import apply, complaint, parse
from edgeml.target.coral.verdicts import check, verdicts
from edgeml.target.measure import figures_at_rest
from edgeml.target.meter import MeterUnavailableError, Subject
from edgeml.target.meters.coral_compiler import compiled, measure, missing
from edgeml.target.profile import Target, load_target
from tests.make_tflite import ModelSpec, make
from tests.scripted_edgetpu_compiler import LOG, SAYS, TABLE, calls, install, set_modes
from tests.speed import SOON_S

CORAL = load_target("coral")


@pytest.fixture
def bin_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on PATH, alone, with a cache of its own."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setattr(coral_compile, "FAILED", {})
    return folder


@pytest.fixture(scope="module")
def content() -> bytes:
    """Three convolutions, a LEAKY_RELU after the second, a softmax."""
    spec = ModelSpec()
    x = spec.conv(spec.conv(spec.tensor(1, 8, 8, 4), 8), 8)
    x = spec.op("LEAKY_RELU", [x], (1, 8, 8, 8), options=("LeakyRelu", {"alpha": 0.1}))
    x = spec.conv(x, 8, 8, 8)
    spec.op("SOFTMAX", [x], (1, 1, 1, 8), options=("Softmax", {"beta": 1.0}))
    return make(spec)


def with_timeout(seconds: int) -> Target:
    return CORAL.model_copy(update={"options": {"coral_compiler": {"timeout_s": seconds}}})


def test_memory_lines_and_table_become_figures(bin_folder: Path, content: bytes) -> None:
    install(bin_folder, "good")
    found = measure({"a": Subject.of(content)}, CORAL)["a"]
    assert {name: figure.value for name, figure in found.items()} == {
        "on_chip_bytes": 1.32 * 2**20,
        "streamed_bytes": 64.5 * 1024,
        "parameter_bytes": 1.32 * 2**20 + 64.5 * 1024,
        "host_ops": 3,
    }
    assert {figure.kind for figure in found.values()} == {"compiled"}
    assert {figure.tool for figure in found.values()} == {"edgetpu_compiler 16.0.384591198"}
    assert found["on_chip_bytes"].high - found["on_chip_bytes"].value == pytest.approx(0.005 * 2**20)
    assert calls(bin_folder)[0].startswith("-s -t 600 -o ")


def test_real_figures_replace_the_estimates(bin_folder: Path, content: bytes) -> None:
    install(bin_folder, "good")
    found = figures_at_rest(Subject.of(content), CORAL)
    assert found["on_chip_bytes"].kind == found["host_ops"].kind == "compiled"
    assert found["latency_ms"].kind == "estimated"


def test_verdicts_are_the_compilers(bin_folder: Path, content: bytes) -> None:
    install(bin_folder, "good")
    found = verdicts(read_model(content), content, CORAL)
    assert [(v.op, v.mapped) for v in found] == [
        ("CONV_2D", True),
        ("CONV_2D", True),
        ("LEAKY_RELU", False),
        ("CONV_2D", False),
        ("SOFTMAX", False),
    ]
    assert found[2].reason == "Operation not supported"
    assert all(verdict.instead for verdict in found if not verdict.mapped)
    set_modes(bin_folder, "internal")
    assert verdicts(read_model(content), content, CORAL) == found  # from the cache
    assert verdicts(read_model(content), None, CORAL) == check(read_model(content))


def test_a_model_is_compiled_once(bin_folder: Path, content: bytes) -> None:
    install(bin_folder, "good")
    first = compiled(Subject.of(content), CORAL)
    assert first.model == b"compiled " + content
    set_modes(bin_folder, "internal")
    assert compiled(Subject.of(content), CORAL) == first
    assert len(calls(bin_folder)) == 1
    several = CORAL.model_copy(update={"options": {"coral_estimate": {"several_subgraphs": True}}})
    with pytest.raises(ModelError):  # other flags, another entry
        compiled(Subject.of(content), several)
    assert calls(bin_folder)[1].split()[-2] == "-a"


def test_a_spoilt_cache_is_made_again(bin_folder: Path, content: bytes) -> None:
    install(bin_folder, "good")
    compiled(Subject.of(content), CORAL)
    (entry,) = cache_folder().iterdir()
    (entry / "compiler.log").write_text("half a l")
    compiled(Subject.of(content), CORAL)
    (entry / "model_edgetpu.tflite").unlink()
    assert compiled(Subject.of(content), CORAL).model
    assert len(calls(bin_folder)) == 3
    assert [path.name for path in cache_folder().iterdir()] == [entry.name]


def test_a_cache_that_cannot_be_written_is_none(
    bin_folder: Path, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(bin_folder, "good")
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null/here")
    assert compiled(Subject.of(content), CORAL).log.host_ops == 3
    assert compiled(Subject.of(content), CORAL).log.host_ops == 3
    assert len(calls(bin_folder)) == 2


def test_what_does_not_repeat_is_tried_again(bin_folder: Path, content: bytes) -> None:
    install(bin_folder, "internal", "crash", "good")
    assert compiled(Subject.of(content), CORAL).log.mapped == 2
    assert len(calls(bin_folder)) == 3


@pytest.mark.parametrize(
    ("mode", "tries", "words"),
    [
        ("internal", 3, "Internal compiler error. Aborting!"),
        ("large", 3, "large activation tensors"),
        ("crash", 3, "ended by signal 6"),
        ("garbage", 3, "no memory lines"),
        ("half", 3, "no memory lines"),
        ("float", 1, "Model not quantized"),
        ("version", 1, "Didn't find op for builtin opcode 'CONV_2D' version '6'"),
        ("flood", 1, "printed without end"),
    ],
)
def test_failures_are_one_sentence(
    bin_folder: Path, content: bytes, mode: str, tries: int, words: str
) -> None:
    install(bin_folder, mode)
    with pytest.raises(ModelError) as caught:
        compiled(Subject.of(content), CORAL)
    message = str(caught.value)
    assert message.startswith("edgetpu_compiler 16.0.384591198 does not compile the model")
    assert words in message
    assert message.isprintable()
    assert "Traceback" not in message
    assert len(calls(bin_folder)) == tries
    assert not cache_folder().exists()
    assert verdicts(read_model(content), content, CORAL) == check(read_model(content))
    assert len(calls(bin_folder)) == tries  # once a process


def test_a_compiler_that_hangs_is_ended_and_not_tried_again(
    bin_folder: Path, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(bin_folder, "hang")
    monkeypatch.setattr(coral_compile, "GRACE_S", 0.5)
    began = time.monotonic()
    with pytest.raises(ModelError, match="was still running after 2 s and was ended"):
        compiled(Subject.of(content), with_timeout(1))
    assert time.monotonic() - began < SOON_S
    assert len(calls(bin_folder)) == 1
    assert not list(bin_folder.parent.glob("edgeml-coral-*"))


def test_a_model_nothing_of_which_maps_is_refused(bin_folder: Path) -> None:
    install(bin_folder, "none")
    spec = ModelSpec()
    spec.conv(spec.conv(spec.conv(spec.tensor(1, 8, 8, 4), 8), 8), 8)
    with pytest.raises(
        ModelError, match=r"^nothing of the model runs on the Edge TPU: CONV_2D: Operation is working"
    ):
        measure({"a": Subject.of(make(spec))}, CORAL)


def test_without_a_compiler_the_next_meter_is_tried(bin_folder: Path, content: bytes) -> None:
    assert "not on PATH" in missing(CORAL)
    with pytest.raises(MeterUnavailableError, match="not on PATH"):
        measure({"a": Subject.of(content)}, CORAL)
    assert figures_at_rest(Subject.of(content), CORAL)["host_ops"].kind == "estimated"


def test_a_compiler_that_does_not_start_counts_as_missing(bin_folder: Path) -> None:
    file = install(bin_folder, "mute")
    assert "ended with status 127 without saying its version" in missing(CORAL)
    file.write_text("no program")
    assert "does not start" in missing(CORAL)
    install(bin_folder, "good")
    assert missing(CORAL) == ""


def test_logs_of_other_shapes_are_no_logs() -> None:
    good = LOG.format(mapped=2, host=3, table=TABLE)
    found = parse(good)
    assert found is not None
    assert (found.mapped, found.host_ops) == (2, 3)
    for line in ("On-chip memory used", "Off-chip memory used"):
        assert parse("\n".join(row for row in good.splitlines() if line not in row)) is None
    assert parse(good.partition("Operator")[0]) is None
    assert parse("") is None
    small = parse(good.replace("64.50KiB", "0.00B"))
    assert small is not None
    assert small.streamed_bytes == 0


def test_a_table_of_another_model_is_not_applied(content: bytes) -> None:
    found = parse(LOG.format(mapped=2, host=3, table=TABLE.replace("SOFTMAX", "RESHAPE")))
    assert found is not None
    assert apply(found.rows, check(read_model(content))) is None


def test_the_complaint_is_the_line_that_says_why() -> None:
    assert complaint(SAYS["version"]).startswith("Didn't find op")
    assert complaint(SAYS["large"]).endswith("large activation tensors in model")
    assert complaint("") == ""
