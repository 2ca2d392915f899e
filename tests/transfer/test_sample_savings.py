"""Samples that learners need: curves whose answer is known, and what is left out where a learner did not get there."""

import math

import numpy as np
import pytest
import xarray

from beyond_kernel.transfer.sample_savings import growth, needed_samples, tasks_to_repay


def test_needed_samples_inverts_a_known_curve():
    sizes = 2.0 ** np.arange(4, 14)
    risks = xarray.DataArray([20 / sizes, 90 / sizes, 9000 / sizes], {"learner": ["a", "b", "c"], "n": sizes})
    found = needed_samples(risks, threshold=0.25)
    assert found.dims == ("learner",)
    assert 64 <= float(found[0]) <= 128 and 256 <= float(found[1]) <= 512  # 80 and 360, between neighbouring sizes
    assert math.isnan(float(found[2]))


def test_growth_finds_the_exponent_of_a_power_for_each_seed():
    dims = np.array([10.0, 20.0, 40.0])
    samples = xarray.DataArray(
        [[3 * dims**1.5, 60 * dims**0.0], [7 * dims**2, 5 * dims]],
        {"seed": [0, 1], "learner": ["scratch", "transferred"], "d": dims},
    )
    assert growth(samples).values == pytest.approx(np.array([[1.5, 0.0], [2.0, 1.0]]), abs=1e-9)


def test_growth_leaves_out_a_dimension_that_was_not_reached():
    samples = xarray.DataArray([[10.0, 20.0, math.nan], [10.0, math.nan, math.nan]], {"seed": [0, 1], "d": [1, 2, 4]})
    slopes = growth(samples)
    assert float(slopes[0]) == pytest.approx(1) and math.isnan(float(slopes[1]))


def test_a_source_is_paid_for_by_what_each_task_saves():
    assert tasks_to_repay(1000, scratch=150, transferred=50) == 10
    assert math.isinf(tasks_to_repay(1000, scratch=50, transferred=50))
    assert math.isnan(tasks_to_repay(1000, scratch=math.nan, transferred=50))
