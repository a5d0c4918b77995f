"""Labels as people store them, right and wrong."""

import numpy as np
import pytest

from edgeml.data.dataset import load
from tests.data_samples import images, labels, npz, refused


@pytest.mark.parametrize(
    "given_labels",
    [
        labels().astype(np.float32),
        labels().astype(np.uint8),
        labels()[:, None],
        np.eye(3)[labels()],
        np.eye(3, dtype=bool)[labels()],
        np.array(["0", "1", "2"])[labels()],
        np.array([b"0", b"1", b"2"])[labels()],
    ],
)
def test_label_forms_mean_the_same(tmp_path, given_labels):
    plain = load(str(npz(tmp_path, x=images(), y=labels())))
    assert load(str(npz(tmp_path, x=images(), y=given_labels))).hash == plain.hash


def test_gaps_are_renumbered_with_a_warning(tmp_path):
    data = load(str(npz(tmp_path, x=images(), y=labels() * 5 + 1)))
    assert data.classes == ("1", "6", "11")
    assert set(data.train.labels) == {0, 1, 2}
    assert any("renumbered" in sentence for sentence in data.warnings)


def test_text_labels_follow_class_names(tmp_path):
    names = np.array(["zebra", "ant", "cat"])
    data = load(str(npz(tmp_path, x=images(), y=names[labels()], class_names=names)))
    assert data.classes == ("zebra", "ant", "cat")
    plain = load(str(npz(tmp_path, x=images(), y=labels(), class_names=names)))
    assert data.hash == plain.hash


@pytest.mark.parametrize(
    ("y", "extra", "words"),
    [
        (labels() - 1, {}, ("labels out of range", "-1 to 1")),
        (labels().astype(np.float64) + 0.5, {}, ("fraction 0.5",)),
        (np.where(labels() == 1, np.nan, 0.0), {}, ("y holds 10 NaN",)),
        (labels() + 2.0**60, {}, ("labels out of range",)),
        (labels().astype(np.uint64) + np.uint64(2**63), {}, ("labels out of range",)),
        (labels(), {"class_names": np.array(["a", "b"])}, ("labels out of range", "0 to 2", "0 to 1")),
        (labels(), {"class_names": np.array(["a", "b", "c", "d"])}, ("0 of class 'd'", "at least 3")),
        (labels(), {"class_names": np.array(["a", "b", "a"])}, ("'a'", "different names")),
        (labels(), {"class_names": np.array(3)}, ("class_names",)),
        (np.array(["a", "b", "x"])[labels()], {"class_names": np.array(["a", "b"])}, ("'x'",)),
        (np.ones((30, 3)), {}, ("one-hot",)),
        (np.zeros((30, 2, 2)), {}, ("(30, 2, 2)",)),
        (labels().astype("datetime64[s]"), {}, ("datetime64",)),
        (labels().astype(complex), {}, ("complex",)),
        (np.zeros(30, np.int64), {}, ("one class only",)),
        (np.array([0] * 28 + [1] * 2), {}, ("2 of class '1'", "at least 3")),
        (np.arange(30), {}, ("too few samples", "and 25 more")),
        (labels(29), {}, ("as many labels as images", "(29,)")),
        (np.array(3), {}, ("as many labels as images",)),
    ],
)
def test_bad_labels(tmp_path, y, extra, words):
    refused(npz(tmp_path, x=images(), y=y, **extra), *words)


def test_alien_test_label(tmp_path):
    path = npz(tmp_path, x_train=images(), y_train=labels(), x_test=images(3), y_test=np.array([0, 1, 7]))
    refused(path, "y_test", "'7'", "training never sees")


def test_text_and_number_labels_do_not_mix(tmp_path):
    refused(
        npz(tmp_path, x_train=images(), y_train=labels(), x_test=images(3), y_test=np.array(list("012"))),
        "text",
    )
