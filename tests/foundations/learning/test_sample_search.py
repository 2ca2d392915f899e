"""The search for a number of samples, held against risks that are known in closed form."""

import math

import pytest

from beyond_kernel.checks import BadParameter
from beyond_kernel.foundations.learning.sample_search import SampleSearch, search_samples


def known(power: float = 1.0, factor: float = 40.0, asked: list | None = None):
    """Return a risk of (factor / n)^power, which is t at n = factor / t^(1/power)."""

    def risk_at(n: int) -> float:
        if asked is not None:
            asked.append(n)
        return (factor / n) ** power

    return risk_at


@pytest.mark.parametrize("start", [5.0, 40.0, 150.0, 1000.0])
@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_the_size_is_found_from_below_and_from_above(start, power):
    """A power is a straight line in log risk against log n, but the rule interpolates in the risk itself.

    Between n and sqrt(2) n with risks r and r 2^(-power/2) that is off by less than one part in twenty-five.
    """
    found = search_samples(known(power), [0.5, 0.25], start, n_max=100_000)
    for threshold in (0.5, 0.25):
        assert found.needed(threshold) == pytest.approx(40 / threshold ** (1 / power), rel=0.04)


def test_no_size_is_tried_without_need():
    asked = []
    search_samples(known(asked=asked), [0.5, 0.25], 40.0, growth=2.0)
    assert asked == [40, 80, 160]  # from a risk of one to the lower of the two
    asked.clear()
    search_samples(known(asked=asked), [0.5, 0.25], 160.0, growth=2.0)
    assert asked == [160, 80, 40]  # down to the first that is above the higher one


def test_what_is_not_reached_is_not_a_number():
    found = search_samples(known(), [0.5, 0.25], 40.0, growth=2.0, n_max=100)
    assert found.sizes == (40, 80) and found.needed(0.5) == pytest.approx(80)
    assert math.isnan(found.needed(0.25))
    nothing = search_samples(known(), [0.5], 40.0, n_max=39)
    assert nothing.sizes == () and math.isnan(nothing.needed(0.5))


def test_the_smallest_size_ends_the_way_down():
    found = search_samples(lambda n: 0.0, [0.5], 64.0, growth=2.0, n_min=8)
    assert found.sizes == (8, 16, 32, 64) and found.needed(0.5) == 8
    assert search_samples(known(), [0.5], 0.1, growth=2.0, n_min=10).sizes[0] == 10


def test_a_curve_that_comes_back_counts_from_its_last_crossing():
    assert SampleSearch((10, 20, 40, 80), (0.9, 0.3, 0.7, 0.1)).needed(0.5) == pytest.approx(40 * 2 ** (1 / 3))


@pytest.mark.parametrize(
    ("wrong", "named"),
    [({"growth": 1.0}, "growth = 1"), ({"thresholds": []}, "thresholds"), ({"thresholds": [0.0]}, "thresholds"),
     ({"start": 0.0}, "start"), ({"n_max": 1.5}, "n_max"), ({"n_min": 0}, "n_min")],
)  # fmt: skip
def test_a_bad_argument_is_named_before_anything_runs(wrong, named):
    asked = []
    with pytest.raises(BadParameter, match=named):
        search_samples(known(asked=asked), **{"thresholds": [0.5], "start": 10.0} | wrong)
    assert not asked
