"""What `--compress` and `--max-drop` mean, and what they refuse."""

from __future__ import annotations

import pytest

from edgeml.errors import ConfigError, MissingToolError, UnknownNameError
from edgeml.search.finishing import compression
from edgeml.search.finishing.compression import plan, points


def test_words_and_the_keys_they_make():
    words = ["qat", "prune", "prune:0.7", "prune:2:4", "cluster", "cluster:32", "ptq"]
    found = [plan(word).suffix for word in words]
    assert found == ["qat", "prune", "prune70", "prune2of4", "cluster", "cluster32", "ptq"]
    assert (
        plan("prune:0.7").sparsity == 0.7 and plan("prune:2:4").pattern and plan("cluster:32").clusters == 32
    )
    assert plan().method == "auto" and plan().max_drop == 0.5


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("prune:0", "from 0.05 to 0.95 or 2:4"),
        ("prune:nan", "from 0.05 to 0.95 or 2:4"),
        ("prune:", "from 0.05 to 0.95 or 2:4"),
        ("prune:1:4", "from 0.05 to 0.95 or 2:4"),
        ("cluster:1", "from 2 to 128"),
        ("cluster:many", "from 2 to 128"),
        ("qat:8", "takes no setting"),
        ("none:1", "takes no setting"),
    ],
)
def test_settings_out_of_range(word, said):
    with pytest.raises(ConfigError, match=said):
        plan(word)


@pytest.mark.parametrize("drop", [-0.1, 100.5, float("nan"), float("inf")])
def test_a_drop_out_of_range(drop):
    with pytest.raises(ConfigError, match="--max-drop"):
        plan("auto", drop)


def test_an_unknown_word_lists_the_known_ones(cli):
    with pytest.raises(UnknownNameError, match="Did you mean 'prune'"):
        plan("prone")
    code, _, err = cli("search", "--data", "digits", "--target", "null", "--compress", "smaller")
    assert code == 2 and "auto, cluster, none, prune, ptq, qat" in err
    code, _, err = cli("search", "--data", "digits", "--target", "null", "--max-drop", "-1")
    assert code == 2 and "--max-drop -1" in err


def test_methods_that_train_need_the_toolkit_at_once(monkeypatch):
    monkeypatch.setattr(compression, "TOOLKIT", "no_such_module_here")
    assert plan("auto").method == "auto" and plan("ptq").method == "ptq"
    for word in ("qat", "prune:0.5", "cluster"):
        with pytest.raises(MissingToolError, match="tensorflow-model-optimization"):
            plan(word)


def test_the_drop_is_in_points_and_its_limit_is_allowed():
    assert points(0.975, 0.97) == pytest.approx(0.5)
    assert not plan("auto", 0.5).too_much(0.975, 0.970)
    assert plan("auto", 0.5).too_much(0.975, 0.9699)
    assert not plan("auto", 0.0).too_much(0.9, 0.95)
