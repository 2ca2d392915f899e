"""Samples outside the sizes that were run: what a claim may conclude from them, by cases worked out by hand."""

import math

import numpy as np
import pytest
import xarray

from beyond_kernel.checks import BadParameter
from beyond_kernel.transfer.sample_bounds import Bounds, known, known_growth


def test_what_was_not_reached_is_at_least_the_largest_size():
    samples = xarray.DataArray([[20.0, math.nan], [math.nan, 50.0]], {"learner": ["a", "b"], "seed": [0, 1]})
    found = known(samples, xarray.DataArray([100.0, 400.0], {"learner": ["a", "b"]}), 8.0)
    assert found.low.values.tolist() == [[20, 100], [400, 50]]
    assert found.high.values.tolist() == [[20, math.inf], [math.inf, 50]]


def test_what_the_smallest_size_reaches_is_between_one_sample_and_that_size():
    samples = xarray.DataArray([[20.0, 32.0], [8.0, math.nan]], {"learner": ["a", "b"], "seed": [0, 1]})
    found = known(samples, 100.0, xarray.DataArray([32.0, 8.0], {"learner": ["a", "b"]}).where([False, True], 20.0))
    assert found.low.values.tolist() == [[1, 32], [1, 100]]
    assert found.high.values.tolist() == [[20, 32], [8, math.inf]]


def test_ratios_take_the_far_end_of_each():
    """Over 10 and at least 40 samples the ratio to 20 and 20 has the geometric mean sqrt(10 40 / 400) = 1 at least."""
    first, second = (known(xarray.DataArray(row, dims="seed"), 40.0, 5.0) for row in ([10.0, math.nan], [20.0, 20.0]))

    def mean(bounds):
        return bounds.through(lambda ends: np.exp(ends.mean()))

    logs = first.through(np.log), second.through(np.log)
    over, under = mean(logs[0] - logs[1]), mean(logs[1] - logs[0])
    assert (float(over.low), float(over.high)) == (pytest.approx(1), math.inf)
    assert (float(under.low), float(under.high)) == (0, pytest.approx(1))


def test_two_sizes_at_the_lower_end_leave_their_ratio_open():
    """At most 8 samples each, so that the ratio lies between 1/8 and 8: no claim about it holds or fails."""
    both = known(xarray.DataArray([8.0, 8.0], dims="seed"), 40.0, 8.0).through(np.log)
    ratio = (both - both).through(lambda ends: float(np.exp(ends.mean())))
    assert (ratio.low, ratio.high) == (pytest.approx(1 / 8), pytest.approx(8))
    assert math.isnan(ratio.deciding(at_most=1)) and math.isnan(ratio.deciding(at_most=3))


def test_a_median_is_known_where_fewer_than_half_are_missing():
    found = known(xarray.DataArray([30.0, math.nan, 90.0], dims="seed"), 100.0, 8.0).through(lambda ends: ends.median())
    assert (float(found.low), float(found.high)) == (90, 90)


def test_a_target_that_is_not_reached_in_the_largest_dimension_is_evidence_against_a_flat_line():
    """From 50 samples at d = 10 to more than 800 at d = 40 is a slope of log 16 / log 4 = 2 at least."""
    samples = xarray.DataArray([[50.0, math.nan], [60.0, 60.0]], {"seed": [0, 1], "d": [10.0, 40.0]})
    found = known_growth(samples, 800.0, 8.0)
    assert found.low.values == pytest.approx(np.array([2.0, 0.0]))
    assert found.high.values.tolist() == [math.inf, pytest.approx(0.0)]
    assert found.through(lambda ends: float(ends.mean())).deciding(at_most=0.25) == pytest.approx(1.0)
    short = known_growth(samples, 70.0, 8.0).through(lambda ends: float(ends.mean()))  # log 1.4 / log 4 / 2 = .12
    assert math.isnan(short.deciding(at_most=0.25)) and short.deciding(at_most=0.1) == pytest.approx(0.1214, abs=1e-4)


def test_in_the_smallest_dimension_it_bounds_the_slope_from_above_and_in_the_middle_not_at_all():
    """d = 1, 4, 16: weights -1, 0 and 1 over 2 log 4. From more than 64 to 16 is a slope of -1/2 at most."""
    rows = [[math.nan, 20.0, 16.0], [4.0, math.nan, 16.0], [math.nan, 20.0, math.nan]]
    found = known_growth(xarray.DataArray(rows, {"seed": [0, 1, 2], "d": [1.0, 4.0, 16.0]}), 64.0, 1.0)
    assert found.low.values.tolist() == [-math.inf, pytest.approx(0.5), -math.inf]
    assert found.high.values.tolist() == [pytest.approx(-0.5), pytest.approx(0.5), math.inf]


def test_the_middle_dimension_has_no_weight_whatever_the_rounding():
    for d in range(2, 60):
        dims = [float(d), 2.0 * d, 4.0 * d]
        found = known_growth(xarray.DataArray([[4.0, math.nan, 16.0]], {"seed": [0], "d": dims}), 64.0, 1.0)
        assert found.low.item() == pytest.approx(1.0) and found.high.item() == pytest.approx(1.0)


def test_every_unknown_size_drawn_anew_stays_within_the_bounds_and_comes_near_to_them():
    """Against brute force: what was not reached is any number above the largest size, or from 1 to the smallest."""
    draws = np.random.default_rng(0)
    samples = xarray.DataArray(np.exp(draws.uniform(2, 6, (40, 4))), {"seed": range(40), "d": [10.0, 16, 24, 60]})
    cut = xarray.DataArray(draws.random((40, 4)), samples.coords)
    hidden = samples.where(cut > 0.2).where(cut < 0.8, math.exp(2))
    bounds, x = known_growth(hidden, math.exp(6), math.exp(2)), np.log(samples.d.values)
    seen = []
    for _ in range(400):
        above, below = draws.choice([6.0, 7.5, 9.0], (40, 4)), draws.choice([0.0, 1.0, 2.0], (40, 4))
        logs = np.where(np.isnan(hidden), above, np.where(cut >= 0.8, below, np.log(hidden)))
        seen.append(np.polyfit(x, logs.T, 1)[0])
        assert (seen[-1] >= bounds.low.values - 1e-9).all() and (seen[-1] <= bounds.high.values + 1e-9).all()
    finite = np.isfinite(bounds.low.values), np.isfinite(bounds.high.values)
    assert (finite[0] & (bounds.low != bounds.high).values).sum() > 5
    assert np.allclose(np.min(seen, 0)[finite[0]], bounds.low.values[finite[0]], atol=0.3)
    assert np.allclose(np.max(seen, 0)[finite[1]], bounds.high.values[finite[1]], atol=0.3)
    complete = ((cut > 0.2) & (cut < 0.8)).all("d").values
    assert 0 < complete.sum() < 40 and (bounds.low == bounds.high).values[complete].all()


def test_a_claim_is_decided_only_where_both_ends_agree():
    assert Bounds(2.0, 2.0).deciding(at_most=3) == 2 and Bounds(4.0, 4.0).deciding(at_most=3) == 4
    assert Bounds(2.0, math.inf).deciding(at_least=1.5) == 2 and Bounds(0.0, 1.2).deciding(at_least=1.5) == 1.2
    assert Bounds(-math.inf, -0.4).deciding(at_most=-0.3) == -0.4
    assert math.isnan(Bounds(2.0, math.inf).deciding(at_most=3)) and math.isnan(Bounds(0.0, 2.0).deciding(at_least=1))
    with pytest.raises(BadParameter, match="exactly one"):
        Bounds(1.0, 2.0).deciding()


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (2.0, 2.0, "2.00"),
        (0.25, math.inf, "at least 0.25"),
        (0.0, 3.0, "at most 3.00"),
        (0.5, 3.0, "between 0.50 and 3.00"),
        (0.0, math.inf, "an unknown number of"),
    ],
)
def test_only_what_is_known_is_said(low, high, words):
    assert Bounds(low, high).in_words() == words
