"""Means of products of ReLU neurons against geometry, quadrature over the plane, scipy's normal law and sampling."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import multivariate_normal

from beyond_kernel.foundations.learning.arc_cosine import relu_means

ONE = torch.tensor(1.0, dtype=torch.float64)


def means(angle, order, x_variance=1.0, z_variance=1.0):
    """Return the mean of unit neurons at an angle, or of longer ones."""
    variances = [torch.tensor(value, dtype=torch.float64) for value in (x_variance, z_variance)]
    covariance = math.cos(angle) * (variances[0] * variances[1]).sqrt()
    return float(relu_means(covariance, *variances, order))


@pytest.mark.parametrize(("angle", "product", "both"), [(0, 1 / 2, 1 / 2), (90, 1 / (2 * math.pi), 1 / 4), (180, 0, 0)])
def test_by_hand_at_zero_a_right_angle_and_opposite(angle, product, both):
    """Half a second moment; (E relu)^2 = 1 / (2 pi), independent; never both active."""
    assert means(math.radians(angle), 0) == pytest.approx(product, abs=1e-12)
    assert means(math.radians(angle), 1) == pytest.approx(both, abs=1e-7)  # acos near -1 has half the digits


@pytest.mark.parametrize("angle", [0.1, 0.7, 1.4, 2.0, 3.0])
def test_function_is_the_integral_over_the_plane(angle):
    """E relu(u) relu(v) in polar coordinates: E r^2 = 2 times the mean over the circle of both positive cosines."""

    def on_circle(phi):
        return max(math.cos(phi), 0.0) * max(math.cos(phi - angle), 0.0) / (2 * math.pi)

    corners = [angle - math.pi / 2, math.pi / 2]
    assert means(angle, 0) == pytest.approx(2 * quad(on_circle, -math.pi, math.pi, points=corners)[0], rel=1e-8)


@pytest.mark.parametrize("correlation", [-0.99, -0.4, 0.0, 0.3, 0.95])
def test_derivative_is_the_chance_that_both_are_positive(correlation):
    by_scipy = multivariate_normal([0, 0], [[1, correlation], [correlation, 1]]).cdf([0, 0])  # symmetric about 0
    assert means(math.acos(correlation), 1) == pytest.approx(by_scipy, abs=1e-7)  # scipy integrates to 1e-8


def test_variances_scale_the_function_and_not_the_chance_as_samples_have_it():
    covariance = np.array([[4.0, -1.5], [-1.5, 2.25]])
    u, v = np.random.default_rng(0).multivariate_normal([0, 0], covariance, 200_000).T
    products, both = np.maximum(u, 0) * np.maximum(v, 0), (u > 0) & (v > 0)
    angle = math.acos(-1.5 / 3)
    for order, draws in ((0, products), (1, both)):
        error = draws.std() / len(draws) ** 0.5
        assert abs(means(angle, order, 4.0, 2.25) - draws.mean()) < 4 * error


@pytest.mark.parametrize("order", [0, 1])
def test_shapes_broadcast_and_dtype_follows(order):
    generator = torch.Generator().manual_seed(0)
    X, Z = (torch.randn(n, 3, generator=generator, dtype=torch.float64) for n in (4, 5))
    table = relu_means(X @ Z.T, X.square().sum(1)[:, None], Z.square().sum(1), order)
    assert table.shape == (4, 5)
    entry = relu_means(X[2] @ Z[3], X[2] @ X[2], Z[3] @ Z[3], order)
    assert float(table[2, 3]) == pytest.approx(float(entry))
    single = relu_means((X @ Z.T).float(), X.square().sum(1)[:, None].float(), Z.square().sum(1).float(), order)
    assert single.dtype == torch.float32 and torch.allclose(single.double(), table, atol=1e-5)


def test_rounding_beyond_a_correlation_of_one_and_a_variance_of_zero_give_numbers():
    assert float(relu_means(ONE * (1 + 1e-15), ONE, ONE, 0)) == pytest.approx(0.5)
    assert float(relu_means(0 * ONE, 0 * ONE, ONE, 0)) == 0
