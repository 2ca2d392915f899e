"""Scaled links against sampling, closed forms and autograd."""

import math

import numpy as np
import pytest
import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.feature_learning.scaled_link import learning_link, scaled_link
from beyond_kernel.foundations.targets.hermite import hermite

LINKS = ["he1", "he2", "he3", "h2(z1)/2 - h3(z1) + 2", "relu", "tanh", "abs", "softplus", torch.atan]
GRID = torch.linspace(-4, 4, 81, dtype=torch.float64)


@pytest.mark.parametrize("link", LINKS)
def test_mean_zero_and_variance_one(link):
    """Against 10^6 normal draws: five standard errors of a function whose fourth moment is at most 100."""
    values = scaled_link(link)(torch.randn(1_000_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64))
    assert abs(float(values.mean())) < 0.005 and abs(float(values.var()) - 1) < 0.05


@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_hermite_polynomials_stay_what_they_are(k):
    torch.testing.assert_close(scaled_link(f"he{k}")(GRID), hermite(k, GRID), rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(
        scaled_link(f"he{k}").derivative(GRID), math.sqrt(k) * hermite(k - 1, GRID), rtol=1e-10, atol=1e-10
    )


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_derivatives_are_those_of_finite_differences(link, dtype):
    f, step = scaled_link(link), 1e-6
    points = GRID[GRID.abs() > 0.01]  # off the kinks
    slope = (f(points + step) - f(points - step)) / (2 * step)
    found = f.derivative(points.to(dtype))
    assert found.dtype == dtype
    torch.testing.assert_close(found.double(), slope, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("link", LINKS)
def test_arrays_and_tensors_agree(link):
    f, grid = scaled_link(link), GRID.view(9, 9)
    assert np.allclose(f.values(grid.numpy()), f(grid).numpy(), rtol=1e-12)
    assert np.allclose(f.slopes(grid.numpy()), f.derivative(grid).numpy(), rtol=1e-12)
    assert scaled_link(f) is f


@pytest.mark.parametrize(
    ("link", "fault"), [("sign", "no gradient"), ("z1*z2", "single direction"), ("cos(", "not known|position|cos")]
)
def test_wrong_links_end_in_one_sentence(link, fault):
    with pytest.raises(BadParameter, match=fault):
        learning_link(link)
    with pytest.raises(BadParameter, match="constant"):
        learning_link(lambda z: 0 * z)
