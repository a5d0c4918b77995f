"""A teacher's logits: those of the network, in the order of the split, whatever the split's length."""

from __future__ import annotations

import numpy as np
import pytest

from edgeml.data.dataset import Split
from edgeml.train.distil import BATCH, logits
from tests.test_bank import network


@pytest.fixture(scope="module")
def trained():
    from edgeml.train.build import build

    return build(network("sep_conv_3x3"), 3)


@pytest.fixture(scope="module")
def split() -> Split:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (BATCH + 37, 8, 8, 1), np.uint8)
    return Split(images, rng.integers(0, 3, len(images)))


def test_logits_are_the_networks_in_the_order_of_the_split(trained, split) -> None:
    found = logits(trained, split)
    assert found.dtype == np.float32
    assert found.shape == (BATCH + 37, 3)
    expected = trained(split.inputs.astype(np.float32)).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert np.ptp(found, axis=0).min() > 0
