"""Distances and tail exponents of samples against scipy and samples whose law is known."""

import math

import pytest
import torch
from scipy import stats

from beyond_kernel.checks import BadParameter
from beyond_kernel.foundations.inputs import radii as ra
from beyond_kernel.random_streams import generator_for


def test_the_distance_is_that_of_scipy():
    for power in (0.8, 1.2):  # too large, then too small: the gap lies on either side
        levels = torch.rand(501, generator=generator_for(0), dtype=torch.float64) ** power
        assert ra.ks_distance(levels) == pytest.approx(stats.kstest(levels.numpy(), "uniform").statistic, abs=1e-15)
    assert ra.ks_distance(torch.tensor([0.2])) == pytest.approx(0.8)
    assert ra.ks_distance(torch.tensor([0.9])) == pytest.approx(0.9)
    assert ra.ks_limit(1) == pytest.approx(1.9495, abs=1e-3)  # the 99.9 % point of tables
    assert ra.ks_limit(10, 0.01) == pytest.approx(ra.ks_limit(1, 0.001), rel=1e-12)


def test_hill_finds_the_exponent_of_a_pareto_sample():
    levels = torch.rand(40_000, generator=generator_for(1, "pareto"), dtype=torch.float64)
    for exponent in (0.5, 3.0):
        found = ra.hill_exponent(levels ** (-1 / exponent), 2000)
        assert found == pytest.approx(exponent, rel=5 / math.sqrt(2000))
    assert ra.hill_exponent(torch.tensor([math.e**2, 1.0, math.e, 0.1]), 2) == pytest.approx(1 / 1.5)


def test_bad_arguments_are_refused():
    with pytest.raises(BadParameter, match="law"):
        ra.sampled_radii("sphere", 4, 100, 0)
    with pytest.raises(BadParameter, match="chance"):
        ra.ks_limit(3, 1.0)
    with pytest.raises(BadParameter, match="count"):
        ra.hill_exponent(torch.ones(4), 4)
