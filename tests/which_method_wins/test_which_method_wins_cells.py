"""The searches that know the link: the chains of their own chapter, with what has no room left out."""

import math

import numpy as np
import pytest

from beyond_kernel.checks import BadParameter
from beyond_kernel.feature_learning.information_exponent_cells import hitting_cell
from beyond_kernel.feature_learning.search_cells import spectral_cell
from beyond_kernel.which_method_wins.measure_searches import ESTIMATES, SEARCHES, samples_of_search
from beyond_kernel.which_method_wins.which_method_wins_cells import known_link_cell

LINK = "(h2(z1) + h3(z1))/sqrt(2)"


def test_online_samples_are_those_of_the_chain():
    found = known_link_cell(LINK, 32, seed=3)
    chain = hitting_cell(LINK, [32], 1, SEARCHES, 0.1, seed=3)
    assert found["online_SGD"] == chain["median"][0]
    assert set(found) == {"online_SGD", "smoothed_SGD", "reused_batch", "spectral_method"}
    assert all(value > 0 for value in found.values())


def test_the_spectral_number_is_where_the_median_overlap_is_one_half():
    n = samples_of_search(LINK, "spectral method", 64, seed=5)
    at = [[spectral_cell(LINK, 64, size / 64, "bell", seed=5 + k)["overlap"] for k in range(ESTIMATES)]
          for size in (n / 2, 2 * n)]  # fmt: skip
    low, high = (float(np.median(overlaps)) for overlaps in at)
    assert low < 0.5 < high


def test_a_method_without_room_is_left_out_and_the_others_stay():
    """Below d = 16 smoothing would hand over at an overlap above one half; its cell refuses, and says so."""
    found = known_link_cell(LINK, 8, seed=0)
    assert math.isnan(found["smoothed_SGD"])
    assert found["online_SGD"] > 0


@pytest.mark.parametrize("target", ["z1*z2", "relu"])
def test_other_targets_are_refused(target):
    with pytest.raises(BadParameter, match="one direction"):
        known_link_cell(target, 16, seed=0)


def test_an_unknown_search_is_refused():
    with pytest.raises(BadParameter, match="learner = 'magic'"):
        samples_of_search(LINK, "magic", 16)
