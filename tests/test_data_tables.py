"""Tables: which column is what, what becomes of it, and what is refused."""

import numpy as np
import pytest
from sensor_samples import write_csv

from edgeml.data.dataset import load
from edgeml.data.kinds import KINDS, read_source
from edgeml.data.options import ReadOptions
from edgeml.data.tables.features import feature_names, fit_number, map_number, to_features
from edgeml.data.tables.table import Column, read_table
from edgeml.errors import DataError, MissingToolError
from tests.data_samples import npz, refused

HEADER = ["id", "size", "colour", "made", "same", "note", "label"]


def mixed_rows(n=120):
    """Numbers, a category, an id, dates, a constant and notes; label by size."""
    rng = np.random.default_rng(0)
    rows = []
    for i in range(n):
        size = round(float(rng.normal()), 3)
        colour = ["red", "green", "blue"][i % 3]
        day = f"2026-01-{i % 28 + 1:02d}"
        rows.append(
            [i, "" if i % 10 == 3 else size, colour, day, 7, f"note {i}", "big" if size > 0 else "small"]
        )
    return rows


def test_infinite_cells_in_a_row_are_missing_and_said_once(tmp_path):
    rows = [[i, i * i % 7, i % 2] for i in range(60)]
    for i in (10, 11, 12):
        rows[i][0] = "inf"
    said = " ".join(load(str(write_csv(tmp_path / "t.csv", ["x", "y", "label"], rows))).warnings)
    assert "infinite values of 'x' count as missing" in said
    path = write_csv(tmp_path / "s" / "a" / "1.csv", ["index", "x"], [row[:2] for row in rows])
    write_csv(tmp_path / "s" / "b" / "1.csv", ["index", "x"], [row[:2] for row in rows])
    about = read_source(str(path.parent.parent), ReadOptions(window=8)).preprocessing
    assert about["channels"] == ["x"]


def test_columns_become_features(tmp_path):
    path = write_csv(tmp_path / "parts.csv", HEADER, mixed_rows())
    data = load(str(path))
    columns = data.preprocessing["columns"]
    names = feature_names(columns)
    assert sorted(names) == ["colour = blue", "colour = green", "colour = red", "size", "size is missing"]
    assert data.input_shape == (1, 1, 5) and data.classes == ("big", "small")
    said = " ".join(data.warnings)
    for words in (
        "'id': numbers the rows",
        "'made': holds dates",
        "'same': is always 7",
        "'note': holds a text of its own",
    ):
        assert words in said, said
    features = np.concatenate([split.inputs[:, 0, 0] for split in (data.train, data.val, data.test)])
    assert (features[:, 2:].sum(1) == 255).all() and (features[:, 1] == 255).sum() == 12
    table = read_table(path)
    again = to_features(columns, table.columns)
    assert sorted(map(tuple, again)) == sorted(map(tuple, features))


def test_unknown_categories_and_missing_values_of_another_table():
    numbers = Column("x", numbers=np.r_[np.linspace(0, 10, 99), np.nan, np.nan])
    spec = fit_number(numbers, np.arange(101))
    assert spec["missing"] and spec["fill"] == 5.0
    category = {"name": "c", "kind": "category", "categories": ["a", "b"], "other": True}
    texts = Column("c", codes=np.array([0, 1, 2, 3], np.int32), texts=["b", "new", "", "a"])
    found = to_features(
        [spec, category], {"x": Column("x", numbers=np.array([-9, 99, np.inf, np.nan])), "c": texts}
    )
    assert found.tolist() == [
        [0, 0, 0, 255, 0],
        [255, 0, 0, 0, 255],
        [127, 255, 0, 0, 0],
        [127, 255, 255, 0, 0],
    ]


@pytest.mark.parametrize("quantiles", [False, True, None])
def test_maps_rise_and_use_the_whole_range(quantiles):
    values = np.random.default_rng(0).lognormal(0, 2, 500)
    spec = fit_number(Column("x", numbers=values), np.arange(500), quantiles)
    mapped = map_number(spec, np.sort(values).astype(np.float32)).astype(int)
    assert (np.diff(mapped) >= 0).all() and mapped[0] == 0 and mapped[-1] == 255
    assert (len(np.unique(mapped)) > 150) == (quantiles is not False)  # heavy tails get the quantile map


@pytest.mark.parametrize(
    ("values", "task"),
    [
        (np.arange(100) % 5, "classification"),
        (np.arange(100) % 5 * 0.5, "regression"),
        (np.arange(100), "regression"),
        (np.array(["1", "x"])[np.arange(100) % 2], "classification"),
        (np.arange(100) % 30, "regression"),
    ],
)
def test_classes_or_numbers_are_guessed(tmp_path, values, task):
    rows = [[float(np.sin(i * i)), float(np.cos(i)), value] for i, value in enumerate(values.tolist())]
    path = write_csv(tmp_path / "t.csv", ["a", "b", "y"], rows)
    data = load(str(path))
    assert data.task == task
    assert data.train.labels.dtype == (np.float32 if task == "regression" else np.int64)
    if task == "regression":
        assert set(data.train.labels) <= set(values.astype(np.float32))


def test_the_user_decides(tmp_path):
    rows = [[i % 4, float(np.sin(i)), f"p{i % 12}", i % 3] for i in range(120)]
    path = write_csv(tmp_path / "t.csv", ["kind", "a", "patient", "last"], rows)
    data = load(str(path), ReadOptions(label="kind", group="patient"))
    assert data.classes == ("0", "1", "2", "3") and data.input_shape[2] == 2
    assert "'last', was taken" in " ".join(load(str(path)).warnings)
    assert load(str(path), ReadOptions(label="a", task="tabular-regression")).task == "regression"
    assert len(np.unique(read_source(str(path), ReadOptions()).groups["train"])) == 12
    refused(path, "'colour'", "'kind', 'a', 'patient', 'last'", label="colour")
    refused(path, "'a' has 120 different values", label="a", task="tabular-classification")


def test_parts_of_a_folder(tmp_path):
    rows = mixed_rows()
    write_csv(tmp_path / "train.csv", HEADER, rows[:80])
    write_csv(tmp_path / "test.csv", HEADER, rows[80:])
    data = load(str(tmp_path))
    assert len(data.test) == 40 and len(data.train) + len(data.val) == 80
    write_csv(tmp_path / "test.csv", HEADER[:-1], [row[:-1] for row in rows[80:]])
    assert "was left out" in " ".join(load(str(tmp_path)).warnings)


def test_matrices(tmp_path):
    x = np.random.default_rng(0).normal(size=(90, 7))
    names = np.array([f"f{i}" for i in range(7)])
    data = load(str(npz(tmp_path, x=x, y=np.arange(90) % 3, feature_names=names)))
    assert data.input_shape == (1, 1, 7) and data.preprocessing["columns"][0]["name"] == "f0"
    assert load(str(npz(tmp_path, x=x, y=x[:, 0] * 2))).task == "regression"
    assert load(str(npz(tmp_path, x=x, y=np.array(["a", "b", "c"])[np.arange(90) % 3]))).classes == (
        "a",
        "b",
        "c",
    )
    refused(
        npz(tmp_path, x_train=x, y_train=np.arange(90) % 3, x_test=x[:, :3], y_test=np.arange(90) % 3),
        "(90, 3)",
    )


def test_parquet(tmp_path, monkeypatch):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    rows = mixed_rows()
    columns = {name: [None if row[i] == "" else row[i] for row in rows]
               for i, name in enumerate(HEADER)}  # fmt: skip
    parquet.write_table(pyarrow.table(columns), tmp_path / "t.parquet")
    data, same = load(str(tmp_path / "t.parquet")), load(str(write_csv(tmp_path / "t.csv", HEADER, rows)))
    assert data.hash == same.hash
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 no more")
    refused(tmp_path / "bad.parquet", "not a readable Parquet")
    import sys

    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingToolError, match="needs pyarrow"):
        load(str(tmp_path / "t.parquet"))


@pytest.mark.parametrize(
    ("header", "rows", "words"),
    [
        (["a", "label"], [], ("header only",)),
        (["a", "label"], [[i * 1.5, "x"] for i in range(50)], ("one class only",)),
        (["a", "label"], [[i * 1.5, "x" if i else "y"] for i in range(50)], ("too few samples", "'y'")),
        (["a", "label"], [[i * 1.5, ""] for i in range(50)], ("no row has a label",)),
        (["a", "label"], [["", i % 2] for i in range(50)], ("holds no value",)),
        (
            ["a", "label"],
            [[i * 1.5 if i != 6 else "six", i % 2] for i in range(50)],
            ("'six' in row 7", "1 of 50"),
        ),
        (
            ["a", "b", "label"],
            [[i * 1.5, i % 7, i % 2] if i != 9 else [1, 2] for i in range(50)],
            ("row 11", "2 cells"),
        ),
        (["label"], [[i % 2] for i in range(50)], ("one column only",)),
        (["a", "label"], [[i % 7, 1e300 * i] for i in range(50)], ("texts or infinite numbers",)),
        (["a", "label"], [[i * 1.5, 3.5] for i in range(50)], ("is 3.5", "differ")),
    ],
)
def test_a_table_that_cannot_be_used(tmp_path, header, rows, words):
    refused(write_csv(tmp_path / "t.csv", header, rows), *words)


def test_kinds_are_described():
    assert {"sensors", "table"} <= set(KINDS)
    with pytest.raises(DataError, match="does not exist"):
        load("nothing.csv")
