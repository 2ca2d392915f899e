"""Transformations of the label against pre-images with their Jacobians, quadrature, Monte Carlo and invariances."""

import math

import numpy as np
import pytest
import torch
from scipy import integrate

from beyond_kernel.checks import BadParameter
from beyond_kernel.foundations.exponents.label_transformations import (
    _above_levels,
    label_energies,
    label_transformation,
    threshold_correlations,
)
from beyond_kernel.foundations.exponents.links import as_link
from beyond_kernel.foundations.inputs.laws import gaussian
from beyond_kernel.foundations.targets.hermite import hermite, hermite_coefficients, hermite_table
from beyond_kernel.random_streams import generator_for


def conditional_mean(k, labels):
    """E[h_k(z) | z^3 - 3 z = y] by the pre-images z_i with weights phi(z_i) / |f'(z_i)|, Cardano's formula."""
    y = np.atleast_1d(np.asarray(labels, dtype=float))
    turns = np.array([0, 2, -2]) * np.pi / 3
    three = 2 * np.cos((np.arccos(np.clip(y / 2, -1, 1)) / 3)[:, None] + turns)
    one = np.sign(y) * 2 * np.cosh(np.arccosh(np.maximum(abs(y) / 2, 1)) / 3)
    z = np.where((abs(y) < 2)[:, None], three, one[:, None])
    weights = np.exp(-(z**2) / 2) / abs(3 * z**2 - 3)
    return (weights * hermite(k, torch.from_numpy(z)).numpy()).sum(1) / weights.sum(1)


@pytest.mark.parametrize("k", [1, 2, 3, 5])
@pytest.mark.parametrize("label", [-4.0, -1.3, 0.1, 1.7, 6.0])
def test_the_transformation_of_he3_is_the_mean_over_its_pre_images(k, label):
    transformation = label_transformation("he3", k)
    place = int(torch.bucketize(label, transformation.edges))
    across = conditional_mean(k, np.linspace(*transformation.edges[place - 1 : place + 1].tolist(), 50))
    found = float(transformation(torch.tensor([label], dtype=torch.float64)))
    assert across.min() - 1e-9 <= found <= across.max() + 1e-9  # an average over the cell; rounding
    assert np.ptp(across) <= 0.1 * (1 + abs(label)) ** 2  # the cell is small enough for this to say something


@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_the_energy_of_he3_is_the_mean_square_over_pre_images(k):
    z = np.linspace(-9, 9, 90_001) + 3e-5
    squares = conditional_mean(k, z**3 - 3 * z) ** 2
    exact = integrate.trapezoid(squares * np.exp(-(z**2) / 2), z) / math.sqrt(2 * math.pi)
    # Cells lose the variation inside them: below the exact value, by less than 0.01 for these degrees.
    assert exact - 0.01 <= float(label_energies("he3", k)[-1]) <= exact + 1e-4


@pytest.mark.parametrize("name", ["sin", "relu", "sign", "bump", "he4"])
def test_moments_above_a_level_are_sums_over_a_fine_grid(name):
    link = as_link(name)
    levels, chances, moments = _above_levels(link, 5)
    z = (torch.arange(200_000, dtype=torch.float64) + 0.5) / 10_000 - 10
    weights = torch.exp(-(z**2) / 2) / math.sqrt(2 * math.pi) / 10_000
    table = hermite_table(5, z) * weights
    for place in (0, len(levels) // 3, len(levels) - 1):
        sums = table[:, link(z) > levels[place]].sum(1)
        found = torch.cat([chances[place, None], moments[:, place]])
        # A cell of 1e-4 that holds an end counts wholly or not: at most 5e-5 |h_k| phi each, eight ends at most.
        torch.testing.assert_close(found, sums, rtol=0, atol=1.5e-4)


@pytest.mark.parametrize("name", ["he3", "relu", "bump", "cos", "z1^4 + z1^3"])
def test_a_transformation_has_mean_zero_and_correlates_with_its_degree_by_its_energy(name):
    link, z = as_link(name), gaussian(60_000, 1, generator_for(5, name)).ravel()
    for k in (1, 2, 4):
        transformation = label_transformation(name, k)
        T, target = transformation(link(z)), hermite(k, z)
        assert abs(float(T.mean())) <= 5 * float(T.std()) / 60_000**0.5 + 1e-12
        for statistic, expected in ((T * target, transformation.energy), (T * T, transformation.energy)):
            error = float(statistic.std()) / 60_000**0.5
            assert float(statistic.mean()) == pytest.approx(expected, abs=5 * error + 1e-9)  # five standard errors


@pytest.mark.parametrize("name", ["sign", "step"])
def test_a_label_of_two_values_knows_its_coefficients_and_no_more(name):
    link = as_link(name)
    coefficients = hermite_coefficients(link, 9, link.breakpoints)
    variance = 1.0 if name == "sign" else 0.25
    torch.testing.assert_close(label_energies(name, 9), coefficients[1:] ** 2 / variance, rtol=0, atol=1e-10)
    largest = threshold_correlations(name, 9)
    torch.testing.assert_close(largest, coefficients[1:].abs() / variance**0.5, rtol=0, atol=1e-10)  # rounding


@pytest.mark.parametrize("name", ["tanh", "exp", "softplus", "he1"])
def test_an_invertible_link_hides_nothing(name):
    energies = label_energies(name, 6)
    assert (energies <= 1 + 1e-12).all()
    assert (energies >= 0.98).all()  # what 400 cells lose of h_6, mostly in the tails


@pytest.mark.parametrize("name", ["abs", "cos", "he4", "bump"])
def test_an_even_link_knows_no_odd_degree(name):
    assert float(label_energies(name, 9)[::2].max()) <= 1e-20  # rounding, squared
    assert float(threshold_correlations(name, 9)[::2].max()) <= 1e-10


def test_only_the_level_sets_of_a_link_matter():
    for monotone in (torch.atan, torch.exp, lambda y: -(y**3) - y):
        other = label_energies(lambda z, g=monotone: g(torch.sin(2 * z) + z / 2), 5)
        # The levels are quantiles in both cases; where f falls they close the cells at the other end.
        torch.testing.assert_close(other, label_energies(lambda z: torch.sin(2 * z) + z / 2, 5), rtol=0.01, atol=1e-4)


def test_the_bump_balances_degree_two_level_by_level():
    found = threshold_correlations("bump", 4)
    assert float(found[1]) <= 1e-10 < 0.3 < float(found[3])


@pytest.mark.parametrize("rate", [7.0, 25.0])
def test_no_level_has_ends_that_hide_between_two_points(rate):
    # Maxima of equal height, of which the grid of the package holds the one at 0 alone.
    levels, chances, _ = _above_levels(as_link(lambda z: torch.cos(rate * z)), 1)
    assert len(levels) > 200
    half = torch.acos(levels)
    turns = 2 * math.pi * torch.arange(-80, 81, dtype=torch.float64)[:, None]
    exact = (torch.special.ndtr((turns + half) / rate) - torch.special.ndtr((turns - half) / rate)).sum(0)
    torch.testing.assert_close(chances, exact, rtol=1e-9, atol=1e-12)  # rounding, larger near an extremum


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_labels_keep_their_kind(dtype):
    transformation = label_transformation("he3", 1)
    y = torch.tensor([-3.0, 0.0, 5.0], dtype=dtype)
    assert transformation(y).dtype == dtype and transformation(y).shape == (3,)
    torch.testing.assert_close(transformation(y), transformation(y.double()).to(dtype))


def test_values_on_a_cell_belong_to_its_upper_end():
    transformation = label_transformation("sign", 1)
    root = math.sqrt(2 / math.pi)  # E|z|
    found = transformation(torch.tensor([-1.0, 1.0], dtype=torch.float64))
    torch.testing.assert_close(found, torch.tensor([-root, root], dtype=torch.float64), rtol=0, atol=1e-10)


@pytest.mark.parametrize("k", [0, 41, 1.5])
def test_degrees_out_of_range_are_refused(k):
    for call in (lambda: label_transformation("he3", k), lambda: label_energies("he3", k)):
        with pytest.raises(BadParameter, match="must be a whole number"):
            call()
