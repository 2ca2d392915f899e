"""TODO: one sentence that says what is doubted here (now: the estimate has the truth as mean, and its known error)."""

import math

import pytest
import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.feature_learning.information_exponent import hessian_estimate
from beyond_kernel.random_streams import generator_for


def sample(n: int, d: int, seed: int) -> torch.Tensor:
    return torch.randn(n, d, generator=generator_for(seed, "test"), dtype=torch.float64)


def test_the_hessian_of_a_product_is_found():
    """f = x1 x2 has the Hessian e1 e2^T + e2 e1^T; the entry (1, 2) of the estimate has variance 8 / n."""
    X = sample(200_000, 3, seed=0)
    estimate = hessian_estimate(X, X[:, 0] * X[:, 1])
    by_hand = torch.tensor([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]], dtype=torch.float64)
    assert float((estimate - by_hand).abs().max()) < 5 * math.sqrt(8 / len(X))


def test_pure_noise_has_the_error_that_was_worked_out():
    """With labels +1 or -1 that know nothing of x, E|estimate|^2 = d (d + 1) / n."""
    n, d = 50, 4
    signs = sample(n, 400, seed=1).sign().T
    squares = torch.stack([hessian_estimate(sample(n, d, k), signs[k]).square().sum() for k in range(400)])
    assert abs(float(squares.mean()) - d * (d + 1) / n) < 4 * float(squares.std()) / math.sqrt(len(squares))


def test_the_result_follows_the_input():
    X = sample(10, 2, seed=2)
    assert hessian_estimate(X.float(), X[:, 0].float()).dtype == torch.float32
    assert hessian_estimate(X, X[:, 0]).device == X.device


def test_bad_input_is_a_sentence():
    X = sample(10, 2, seed=3)
    with pytest.raises(BadParameter, match=r"y has shape \(9,\): it must have shape"):
        hessian_estimate(X, X[:9, 0])
    with pytest.raises(TypeError, match="X"):
        hessian_estimate(X.int(), X[:, 0])
