"""Spiked inputs against their covariance, a singular value decomposition and scipy's matrix root."""

import numpy as np
import pytest
import scipy.linalg
import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.foundations.inputs.spiked_inputs import first_component, spike_strength, spiked_law, whitening
from beyond_kernel.random_streams import generator_for

KINDS = pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)


def sample(n: int, d: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    X = torch.randn(n, d, generator=generator_for(0, "spiked inputs"), dtype=torch.float64)
    return (X @ torch.diag(torch.linspace(0.5, 2, d, dtype=torch.float64))).to(dtype)


def test_strength_is_a_power_of_the_dimension():
    assert [spike_strength(beta, 16) for beta in (0, 0.25, 0.5, 1)] == pytest.approx([1, 2, 4, 16])


def test_draws_have_the_spiked_covariance():
    mu = torch.tensor([0.6, 0.0, 0.8], dtype=torch.float64)
    X = spiked_law(mu, 7.0)(40_000, 3, generator_for(1, "law"))
    expected = np.eye(3) + 7 * np.outer(mu, mu)
    # the standard error of an entry is at most sqrt(2) * 5.5 / 200
    np.testing.assert_allclose((X.T @ X / len(X)).numpy(), expected, atol=4 * 0.039)


@KINDS
def test_first_component_is_the_top_right_singular_vector(dtype):
    X = sample(40, 6, dtype)
    found = first_component(X)
    top = torch.linalg.svd(X.double()).Vh[0]
    assert found.dtype == dtype and abs(float(found.double() @ top)) == pytest.approx(1, abs=1e-5)


def test_first_component_is_that_of_the_second_moment_and_not_of_the_covariance():
    X = torch.tensor([[10.0, 1.0], [10.0, -1.0]], dtype=torch.float64)
    assert first_component(X).abs().tolist() == pytest.approx([1, 0])


@KINDS
def test_whitening_is_the_inverse_of_scipys_root(dtype):
    X = sample(50, 5, dtype)
    second = (X.double().T @ X.double() / 50).numpy()
    found = whitening(X)
    tolerance = 1e-10 if dtype == torch.float64 else 1e-4
    assert found.dtype == dtype
    np.testing.assert_allclose(found.numpy(), np.linalg.inv(scipy.linalg.sqrtm(second).real), atol=tolerance)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: spike_strength(1.5, 10), "beta = 1.5 is out of range"),
        (lambda: spike_strength(-0.1, 10), "beta = -0.1 is out of range"),
        (lambda: spike_strength(0.5, 1), "d = 1 is out of range"),
        (lambda: spiked_law(torch.ones(3), 1.0), "direction has length 1.73205"),
        (lambda: spiked_law(torch.tensor([1.0]), -1.0), "strength = -1.0 is out of range"),
        (lambda: whitening(torch.ones(2, 3)), "X has 2 rows and 3 columns"),
        (lambda: whitening(torch.ones(4, 3)), "it has no root"),
    ],
)
def test_bad_input_ends_in_one_sentence(call, message):
    with pytest.raises(BadParameter, match=message):
        call()
