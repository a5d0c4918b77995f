"""Arrays and tf.data.Datasets as data in Python."""

import numpy as np
import pytest

import edgeml
from edgeml.data.dataset import load
from edgeml.data.given import as_path
from edgeml.errors import DataError

RNG = np.random.default_rng(0)
X, Y = RNG.integers(0, 256, (60, 9, 8, 3)).astype(np.uint8), np.arange(60) % 3


def test_arrays_are_kept_once_and_read_as_they_are(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    path = as_path((X, Y))
    assert as_path((X.copy(), list(Y))) == path and len(list((tmp_path / "edgeml/arrays").iterdir())) == 1
    data = load(path)
    assert data.input_shape == (9, 8, 3) and len(data.train) == 42 and data.classes == ("0", "1", "2")
    assert sorted(
        image.tobytes() for part in (data.train, data.val, data.test) for image in part.inputs
    ) == sorted(image.tobytes() for image in X)
    given = load(as_path({"train": (X[:40], Y[:40]), "test": (X[40:], Y[40:])}))
    assert given.hash == load(as_path(((X[:40], Y[:40]), (X[40:], Y[40:])))).hash
    assert (given.test.inputs.shape[0], len(given.train) + len(given.val)) == (20, 40)


def test_tf_data_batched_or_not_is_the_same():
    import tensorflow as tf

    flat = tf.data.Dataset.from_tensor_slices((X, Y))
    expected = as_path((X, Y))
    assert as_path(flat) == expected and as_path(flat.batch(7)) == expected
    named = tf.data.Dataset.from_tensor_slices((X, np.array(["a", "b", "c"])[Y])).batch(16)
    assert load(as_path(named)).classes == ("a", "b", "c")
    assert as_path({"train": flat.take(40), "test": flat.skip(40).batch(5)}) == as_path(
        {"train": (X[:40], Y[:40]), "test": (X[40:], Y[40:])}
    )


def test_what_is_no_data_is_one_sentence():
    import tensorflow as tf

    flat = tf.data.Dataset.from_tensor_slices((X, Y))
    ragged = tf.data.Dataset.from_generator(
        lambda: ((X[i, : 4 + i % 2], Y[i]) for i in range(10)),
        output_signature=(tf.TensorSpec((None, 8, 3), tf.uint8), tf.TensorSpec((), tf.int64)),
    )
    for bad, word in (
        (flat.repeat(), "endless"),
        (flat.take(0), "empty"),
        (flat.map(lambda image, label: image), "of \\(image, label\\)"),
        (ragged, "2 shapes"),
        (3, "found int"),
        ({"training": (X, Y)}, "'training'"),
        ((np.array([None, 2]), Y), "Python objects"),
    ):
        with pytest.raises(DataError, match=word) as caught:
            as_path(bad)
        assert len(str(caught.value).splitlines()) == 1


def test_inspect_takes_arrays():
    found = edgeml.inspect((np.concatenate([X, X[:5]]), np.concatenate([Y, Y[:5]])))
    assert [finding.code for finding in found.findings] == ["duplicates"] and found.ok
