"""Constants in front of powers of d, from rows made by hand."""

import math

import numpy as np
import pytest

from beyond_kernel.checks import BadParameter
from beyond_kernel.which_method_wins.order_constants import Measured, order_constant

TWO = [
    Measured("a", 8, 3.0 * 64),
    Measured("a", 16, 3.0 * 256),
    Measured("b", 8, 12.0 * 64),
    Measured("b", 32, 6.0 * 1024),
]


def test_a_constant_of_a_given_power():
    """a has 3 twice; b has 12 and 6, of geometric mean sqrt(72); the middle is the median of two."""
    found = order_constant(TWO, 2.0)
    assert found.middle == pytest.approx((3 + math.sqrt(72)) / 2)
    assert (found.low, found.high, found.error) == (3.0, 12.0, 0.0)
    assert found.targets == ("a", "b") and found.centre == pytest.approx((8 * 16 * 8 * 32) ** 0.25)
    assert found.samples(100) == pytest.approx((found.middle * 1e4, 3e4, 12e4))


def test_the_median_of_three_targets_is_no_mean():
    rows = [Measured(name, 10, value * 10.0) for name, value in (("a", 1), ("b", 2), ("c", 90))]
    assert order_constant(rows, 1.0).middle == pytest.approx(2)


def test_a_target_of_the_sweep_has_a_constant_of_its_own():
    found = order_constant(TWO, 2.0, own=["b"])
    assert (found.middle, found.low, found.high) == pytest.approx((math.sqrt(72), 6, 12))
    assert found.targets == ("b",)


def test_a_common_slope_against_least_squares_with_a_level_a_target():
    generator = np.random.default_rng(0)
    rows = [
        Measured(name, d, float(np.exp(level + 1.4 * np.log(d) + 0.1 * generator.standard_normal())))
        for name, level in (("a", 0.0), ("b", 2.0), ("c", -1.0))
        for d in (8, 12, 16, 24)
    ]
    design = np.array([[row.target == name for name in "abc"] + [np.log(row.d)] for row in rows], dtype=float)
    values = np.log([row.n for row in rows])
    solved, left, _, _ = np.linalg.lstsq(design, values)
    error = math.sqrt(left[0] / (12 - 4) * np.linalg.inv(design.T @ design)[3, 3])
    found = order_constant(rows, None)
    assert (found.exponent, found.error) == pytest.approx((solved[3], error))
    n, low, high = found.samples(200)
    assert low < n < high and low < found.low * 200**found.exponent


def test_the_range_is_widened_on_both_sides_of_the_centre():
    rows = [Measured("a", 10, 10.0), Measured("a", 100, 90.0), Measured("a", 1000, 1100.0)]
    found = order_constant(rows, None)
    for d in (5, 5000):
        _, low, high = found.samples(d)
        away = max(d / 100, 100 / d) ** (2 * found.error)
        assert low == pytest.approx(found.low * d**found.exponent / away)
        assert high == pytest.approx(found.high * d**found.exponent * away)


def test_what_did_not_get_there_is_left_out():
    rows = [*TWO, Measured("b", 64, math.inf), Measured("c", 8, math.nan)]
    assert order_constant(rows, 2.0) == order_constant(TWO, 2.0)
    assert order_constant([Measured("a", 8, math.inf)], 2.0) is None
    assert order_constant([], None) is None


def test_one_dimension_gives_no_slope():
    assert order_constant([Measured("a", 8, 10.0), Measured("b", 8, 20.0)], None) is None
    assert order_constant([Measured("a", 8, 10.0)], 1.0).middle == pytest.approx(1.25)


def test_bad_rows():
    with pytest.raises(BadParameter, match="must be above 0"):
        order_constant([Measured("a", 0, 1.0)], 1.0)
    with pytest.raises(BadParameter, match="must be above 0"):
        order_constant([Measured("a", 8, -1.0)], 1.0)
