"""A CSV file of timed models: read as written, and one clear sentence for everything that can be wrong."""

from __future__ import annotations

import pytest
from make_tflite import ModelSpec, make

from edgeml.errors import DataError
from edgeml.target.calibrate.csv_file import read_csv


def model(filters: int) -> bytes:
    spec = ModelSpec()
    spec.conv(spec.tensor(1, 8, 8, 4), filters)
    return make(spec)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    (folder / "m").mkdir()
    for i in range(12):
        (folder / "m" / f"{i}.tflite").write_bytes(model(i + 1))
    (folder / "m" / "copy.tflite").write_bytes(model(1))
    (folder / "m" / "cut.tflite").write_bytes(model(3)[:120])
    (folder / "m" / "text.tflite").write_text("not a model")
    return folder


def rows(count: int = 12) -> list[str]:
    return [f"m/{i}.tflite,{1 + i / 10}" for i in range(count)]


def write(folder, lines, name="times.csv"):
    path = folder / name
    path.write_bytes("\n".join(lines).encode() if isinstance(lines, list) else lines)
    return path


def test_reads_models_relative_to_the_file(models):
    samples = read_csv(write(models, ["model,latency_ms", *rows()]))
    assert [sample.name for sample in samples[:2]] == ["m/0.tflite", "m/1.tflite"]
    assert samples[3].latency_ms == 1.3 and samples[3].model.macs == 64 * 4 * 4


def test_other_columns_a_byte_order_mark_and_empty_lines_do_not_matter(models):
    lines = ["latency_ms, note ,model", *(f"2.5,x,m/{i}.tflite" for i in range(10)), "", ""]
    text = "\ufeff" + "\r\n".join(lines)
    assert len(read_csv(write(models, text.encode()))) == 10


@pytest.mark.parametrize(
    ("lines", "line", "words"),
    [
        (["model,latency_ms", *rows(3)], 4, "3 rows of measurements, expected at least 10"),
        (["model,latency_ms", *rows(1)], 2, "1 row of measurements, expected"),
        (["model,latency_ms"], 1, "0 rows of measurements, expected at least 10"),
        ([""], 1, "lacks column 'model'; found nothing"),
        (["name,latency_ms", *rows()], 1, "lacks column 'model'; found name, latency_ms"),
        (["model,latency", *rows()], 1, "lacks column 'latency_ms'"),
        (["model;latency_ms", *rows()], 1, "lacks column 'model'; found model;latency_ms"),
        (["model,latency_ms,model", *rows()], 1, "more than one column 'model'"),
        (["model,latency_ms", "m/0.tflite,fast"], 2, "found 'fast', expected milliseconds"),
        (["model,latency_ms", "m/0.tflite,-3"], 2, "found '-3', expected milliseconds"),
        (["model,latency_ms", "m/0.tflite,0"], 2, "found '0', expected milliseconds"),
        (["model,latency_ms", "m/0.tflite,nan"], 2, "found 'nan'"),
        (["model,latency_ms", "m/0.tflite,inf"], 2, "found 'inf'"),
        (["model,latency_ms", "m/0.tflite"], 2, "found '', expected milliseconds"),
        (["model,latency_ms", ",3"], 2, "model: found nothing"),
        (["model,latency_ms", "m/absent.tflite,3"], 2, "absent.tflite: cannot be read (No such file"),
        (["model,latency_ms", "m,3"], 2, "cannot be read (Is a directory)"),
        (["model,latency_ms", "m/text.tflite,3"], 2, "not a TFLite model"),
        (["model,latency_ms", "m/cut.tflite,3"], 2, "damaged TFLite file"),
        (["model,latency_ms", *rows(4), "m/2.tflite,9"], 6, "is the one of line 4"),
        (["model,latency_ms", *rows(4), "m/copy.tflite,9"], 6, "is the one of line 2"),
    ],
)
def test_what_can_be_wrong_is_said_with_file_and_line(models, lines, line, words):
    path = write(models, lines)
    with pytest.raises(DataError) as caught:
        read_csv(path)
    message = str(caught.value)
    assert message.startswith(f"{path}:{line}: ") and words in message and "\n" not in message


def test_files_that_are_no_csv(models):
    with pytest.raises(DataError, match=r"absent\.csv: cannot be read \(No such file"):
        read_csv(models / "absent.csv")
    with pytest.raises(DataError, match="cannot be read"):
        read_csv(models / "m")
    with pytest.raises(DataError, match="not a CSV file in UTF-8"):
        read_csv(write(models, b"model,latency_ms\n\xff\xfe,3\n"))
    with pytest.raises(DataError, match="not a CSV file"):
        read_csv(write(models, b'model,latency_ms\n"m/0.tflite,3\n'))
