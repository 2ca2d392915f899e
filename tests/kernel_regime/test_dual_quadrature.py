"""Means over Gaussian pairs against Gauss-Hermite products, moments worked by hand and closed forms."""

import math

import numpy as np
import pytest
import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.kernel_regime.dual_quadrature import hermite_series, mean_of_products, product_mean

ROWS, COLUMNS = slice(0, 3), slice(0, 4)
S = torch.tensor([0.5, 1.0, 1.7], dtype=torch.float64)
T = torch.tensor([0.3, 1.0, 1.2, 2.0], dtype=torch.float64)
RHO = torch.tensor([[-1.0, -0.9, 0.0, 0.3], [0.999, 0.5, -0.2, 1.0], [0.1, -0.9999, -0.6, 0.95]], dtype=torch.float64)


def by_gauss_hermite(function, s, t, rho, nodes=150):
    """Independent: a tensor product of Gauss-Hermite rules after a Cholesky factorisation."""
    z, w = np.polynomial.hermite_e.hermegauss(nodes)
    w = w / w.sum()
    u, other = np.meshgrid(z, z, indexing="ij")
    v = rho * u + math.sqrt(max(0.0, 1 - rho**2)) * other
    f = [function(torch.from_numpy(scale * part)).numpy() for scale, part in ((s, u), (t, v))]
    return float(np.einsum("i,j,ij->", w, w, f[0] * f[1]))


@pytest.mark.parametrize("function", [torch.tanh, torch.sigmoid, lambda z: torch.sigmoid(z - 1), torch.sin])
def test_series_equals_a_product_of_gauss_hermite_rules(function):
    first, second = hermite_series(function, S), hermite_series(function, T)
    found = mean_of_products(first, second, ROWS, COLUMNS, RHO)
    rows = zip(S.tolist(), RHO.tolist(), strict=True)
    expected = [[by_gauss_hermite(function, s, t, r) for t, r in zip(T.tolist(), row, strict=True)] for s, row in rows]
    # tanh(2 z) has poles at distance 0.8: there 150 nodes are good to 1e-7 only
    assert np.allclose(found.numpy(), expected, atol=2e-7)


def test_powers_have_the_moments_of_a_gaussian_pair():
    """E u^2 v^2 = s^2 t^2 (1 + 2 rho^2) and E u^3 v^3 = s^3 t^3 (9 rho + 6 rho^3), by Wick's rule."""
    for power, moment in ((2, 1 + 2 * RHO**2), (3, 9 * RHO + 6 * RHO**3)):
        series = [hermite_series(lambda z, p=power: z**p, scales) for scales in (S, T)]
        found = mean_of_products(*series, ROWS, COLUMNS, RHO)
        assert torch.allclose(found, (S[:, None] * T) ** power * moment, rtol=1e-11, atol=1e-12)


def test_parseval_says_how_much_each_degree_leaves():
    """z^2 = 1 + sqrt(2) h_2 for s = 1: energy 3, of which 1 is in degree 0 and 2 in degree 2."""
    series = hermite_series(lambda z: z**2, torch.ones(3, dtype=torch.float64))
    assert series.energies.tolist() == pytest.approx([3.0])
    assert series.coefficients[0, :4].tolist() == pytest.approx([1, 0, math.sqrt(2), 0], abs=1e-12)
    assert series.tails[:4].tolist() == pytest.approx([2 / 3, 2 / 3, 0, 0], abs=1e-12)


def of_absolute_values(rho):
    return (2 / math.pi) * ((1 - rho**2).sqrt() + rho * rho.asin())


def of_ramps(rho):
    return ((1 - rho**2).sqrt() + rho * (math.pi - rho.acos())) / (2 * math.pi)


@pytest.mark.parametrize(("function", "closed_form"), [(torch.abs, of_absolute_values), (torch.relu, of_ramps)])
def test_kinks_are_integrated_exactly_up_to_equal_and_opposite_inputs(function, closed_form):
    """E |u||v| and E relu(u) relu(v) are known; their series never settle at rho = 1 or -1."""
    expected = closed_form(RHO) * S[:, None] * T
    series = [hermite_series(function, scales, (0.0,)) for scales in (S, T)]
    assert torch.allclose(mean_of_products(*series, ROWS, COLUMNS, RHO), expected, atol=1e-10)
    pairs = product_mean(function, S[:, None].expand(3, 4).flatten(), T.repeat(3), RHO.flatten(), (0.0,))
    assert torch.allclose(pairs, expected.flatten(), atol=1e-10)


def test_a_jump_away_from_zero_is_integrated_exactly():
    """P(s u > 1) for equal inputs, and its square for independent ones."""
    above = lambda z: (z > 1).to(z.dtype)  # noqa: E731
    s = torch.tensor([1.0, 2.0], dtype=torch.float64)
    tail = torch.special.ndtr(-1 / s)
    same, apart = torch.ones(2, dtype=torch.float64), torch.zeros(2, dtype=torch.float64)
    assert torch.allclose(product_mean(above, s, s, same, (1.0,)), tail, atol=1e-10)
    assert torch.allclose(product_mean(above, s, s, apart, (1.0,)), tail**2, atol=1e-10)
    assert torch.allclose(hermite_series(above, s, (1.0,)).energies, tail, atol=1e-10)


def test_equal_lengths_share_one_row_of_coefficients():
    nearly = torch.ones(50, dtype=torch.float64) + 1e-15 * torch.arange(50)
    assert hermite_series(torch.tanh, nearly).coefficients.shape == (1, 401)
    assert hermite_series(torch.tanh, S).coefficients.shape == (3, 401)


def test_skipped_pairs_do_not_make_the_series_longer():
    ones = torch.ones(3, dtype=torch.float64)
    series = hermite_series(lambda z: (z > 0).to(z.dtype), ones, (0.0,))
    near = torch.full((3, 3), 0.5, dtype=torch.float64).fill_diagonal_(1.0)
    found = mean_of_products(series, series, ROWS, slice(0, 3), near, torch.eye(3, dtype=torch.bool))
    assert float(found[0, 1]) == pytest.approx(0.25 + math.asin(0.5) / (2 * math.pi), abs=1e-12)


def test_what_does_not_settle_is_refused():
    with pytest.raises(BadParameter, match="has not settled"):
        hermite_series(lambda z: torch.sin(3000 * z), S)
    with pytest.raises(BadParameter, match="has not settled"):
        hermite_series(lambda z: z.abs().rsqrt(), S)  # E 1 / |z| does not exist
    many = torch.full((20_001,), 0.9999, dtype=torch.float64)
    with pytest.raises(BadParameter, match="at most 20000"):
        product_mean(torch.abs, many, many, many, (0.0,))


def test_a_pair_that_has_not_settled_hides_behind_no_longer_one():
    """The product of sin(2 s u) and sin(2 t v) oscillates with s + t: the longest input is not in the hardest pair."""
    s, t = torch.tensor([10.0, 9.9]), torch.tensor([0.01, 9.9])
    with pytest.raises(BadParameter):
        product_mean(lambda z: torch.sin(2 * z), s, t, torch.tensor([0.0, 0.9999]))
