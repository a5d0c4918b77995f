"""Random changes of training inputs, against what they say they do."""

import numpy as np
import pytest

from edgeml.arch.recipe import Recipe
from edgeml.train.augment import Augment

RNG = np.random.default_rng(0)


def images(count=64, shape=(9, 12, 3)):
    return RNG.integers(0, 256, (count, *shape)).astype(np.uint8)


def moved(image, dy, dx, mirror):
    """What a sample should be: mirrored, then moved, edges repeated, pixel by pixel."""
    height, width, _ = image.shape
    found = np.empty_like(image)
    for y in range(height):
        for x in range(width):
            column = min(max(x + dx, 0), width - 1)
            column = width - 1 - column if mirror else column
            found[y, x] = image[min(max(y + dy, 0), height - 1), column]
    return found


@pytest.mark.parametrize("across", [True, False])
@pytest.mark.parametrize("flip", [True, False])
def test_samples_are_mirrored_and_moved_by_whole_pixels(flip, across):
    given = images()
    before = given.copy()
    found = Augment(Recipe(flip=flip, shift=0.25, shift_across=across), 3)(given)
    assert (given == before).all() and found.dtype == np.uint8 and found.shape == given.shape
    reach = 3 if across else 0
    ways = [(y, x, m) for y in (-2, -1, 0, 1, 2) for x in range(-reach, reach + 1) for m in {False, flip}]
    seen = {
        next(w for w in ways if (moved(one, *w) == new).all()) for one, new in zip(given, found, strict=True)
    }
    assert {y for y, _, _ in seen} == {-2, -1, 0, 1, 2} and len({x for _, x, _ in seen}) == 2 * reach + 1
    assert {m for _, _, m in seen} == {False, flip}


def test_nothing_moves_that_is_too_short_or_switched_off():
    still = images(16, (2, 2, 1))
    assert (Augment(Recipe(shift=0.1), 0)(still) == still).all()
    changed = Recipe(shift=0.3, flip=True, speed=0.1, gain=0.2, noise=0.1, augmentation=0.0)
    assert (Augment(changed, 0)(still) == still).all()


def test_a_stretch_is_linear_between_rows_and_keeps_the_middle():
    ramp = np.broadcast_to(np.arange(21.0)[:, None, None], (50, 21, 1, 2)).astype(np.uint8)
    found = Augment(Recipe(shift=0.0, speed=0.2), 1)(ramp)
    assert found.dtype == np.float32
    slopes = (found[:, 12] - found[:, 8]) / 4
    assert slopes.min() >= 0.8 - 1e-5 and slopes.max() <= 1.2 + 1e-5 and np.ptp(slopes) > 0.2
    np.testing.assert_allclose(found[:, 10], 10, atol=1e-5)
    for one, slope in zip(found[:, :, 0, 0], slopes[:, 0, 0], strict=True):
        np.testing.assert_allclose(one, np.clip(10 + slope * (np.arange(21) - 10), 0, 20), atol=1e-4)
    table = images(8, (1, 1, 4))
    np.testing.assert_array_equal(Augment(Recipe(shift=0.0, speed=0.2), 1)(table), table)


def test_gain_and_noise_are_as_large_as_they_say_and_within_what_is_seen():
    flat = np.full((400, 4, 4, 1), 227.5, np.float32)
    loud = Augment(Recipe(shift=0.0, gain=0.1), 2)(flat)
    assert np.ptp(loud, (1, 2, 3)).max() == 0 and (217.4, 237.6) < (loud.min(), loud.max()) < (218.5, 237.6)
    noisy = Augment(Recipe(shift=0.0, noise=0.02), 2)(np.full((400, 4, 4, 1), 100, np.uint8))
    assert noisy.mean() == pytest.approx(100, abs=0.3) and noisy.std() == pytest.approx(5.1, rel=0.05)
    assert Augment(Recipe(shift=0.0, noise=0.5), 2)(flat).max() == 255.0


def test_how_samples_are_batched_does_not_matter():
    given = images(40, (8, 8, 1))
    recipe = Recipe(flip=True, shift=0.2, speed=0.1, gain=0.2, noise=0.1)
    whole, parts, other = Augment(recipe, 5), Augment(recipe, 5), Augment(recipe, 6)
    found = whole(given)
    np.testing.assert_array_equal(found, np.concatenate([parts(given[:7]), parts(given[7:])]))
    assert (found != other(given)).any() and (found != whole(given)).any()
