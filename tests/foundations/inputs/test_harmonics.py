"""Energies of the harmonic parts by hand, by an exact quadrature in three dimensions, and by their sum."""

import math

import numpy as np
import pytest
import torch
from scipy.special import eval_legendre

from beyond_kernel.foundations.inputs.harmonics import sphere_energies
from beyond_kernel.foundations.inputs.laws import sphere
from beyond_kernel.foundations.targets.target import parse_target
from beyond_kernel.random_streams import generator_for


@pytest.mark.parametrize("d", [3, 10, 250])
def test_the_cubic_hermite_polynomial_keeps_a_linear_part(d):
    """z^3 - 3z projected on z: 3d/(d+2) - 3 = -6/(d+2); E z^6 = 15 d^2/((d+2)(d+4)), E z^4 = 3d/(d+2)."""
    linear = 36 / (d + 2) ** 2
    total = 15 * d**2 / ((d + 2) * (d + 4)) - 6 * 3 * d / (d + 2) + 9
    energies = sphere_energies(parse_target("He3(z1)", d)).tolist()
    assert energies == pytest.approx([0, linear, 0, total - linear], abs=1e-9)


def test_products_of_distinct_variables_are_harmonic():
    d = 9
    energies = sphere_energies(parse_target("2 + z1 + z1*z2 + 3*z1*z2*z3", d))
    shrink = [math.prod(d / (d + 2 * i) for i in range(k)) for k in range(4)]
    assert energies.tolist() == pytest.approx([4, 1, shrink[2], 9 * shrink[3]])


def test_against_an_exact_quadrature_in_three_dimensions():
    """E f_k^2 = (2k + 1) E f(x) f(x') P_k(<x, x'> / 3), a Gauss-Legendre rule in height times equal longitudes."""
    height, weights = np.polynomial.legendre.leggauss(12)
    longitude = np.arange(24) * 2 * math.pi / 24
    radius = np.sqrt(1 - height**2)
    points = np.stack(
        [np.outer(radius, np.cos(longitude)), np.outer(radius, np.sin(longitude)), np.outer(height, np.ones(24))], -1
    ).reshape(-1, 3)
    share = np.repeat(weights / 2, 24) / 24
    target = parse_target("z1^2*z2 + h4(z1)/2 + z3*z1*z2 - 2 + h2(z2)", 3, seed=4)
    f = target(torch.from_numpy(points * math.sqrt(3))).numpy() * share
    expected = [(2 * k + 1) * f @ eval_legendre(k, (points @ points.T).clip(-1, 1)) @ f for k in range(5)]
    assert sphere_energies(target).tolist() == pytest.approx(expected, abs=1e-10)


def test_the_energies_add_up_to_the_mean_square():
    target = parse_target("h4(z1) - h3(z2)*z1 + z1^2*z2^2/3", 8, seed=1).normalised()
    squares = target(sphere(400_000, 8, generator_for(0, "x"))).square()
    error = float(squares.std()) / len(squares) ** 0.5
    assert float(sphere_energies(target).sum()) == pytest.approx(float(squares.mean()), abs=4 * error)


def test_rotation_does_not_matter_and_scale_does():
    first, second = (sphere_energies(parse_target("h3(z1) + z2", 6, seed=s)) for s in (0, 1))
    assert torch.allclose(first, second)
    doubled = sphere_energies(parse_target("2*(h3(z1) + z2)", 6))
    assert torch.allclose(doubled, 4 * first)


def test_high_degrees_in_high_dimension_tend_to_the_gaussian_energies():
    target = parse_target("h4(z1) + h2(z1)*h2(z2)", 5000)
    assert torch.allclose(sphere_energies(target), target.energy_by_degree(), atol=0.02)
