"""The leaky network is held against autograd and plain descent, its stable rank against an explicit decomposition."""

import math

import numpy as np
import pytest
import torch
from leaky_network import by_torch, drawn, gradient_by_torch
from torch.nn.functional import softplus

from beyond_kernel.checks import BadParameter
from beyond_kernel.feature_learning.implicit_low_rank import (
    boundary_normal,
    label_signs,
    loss_gradient,
    network_values,
    orthogonality,
    stable_rank,
    step_size,
    train_in_span,
)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize("leak", [0.0, 0.2, 1.0])
def test_values_and_gradient_are_those_of_autograd(leak, dtype):
    W, X, y = drawn(8, 5, dtype=dtype), drawn(7, 5, dtype=dtype), drawn(7, dtype=dtype).sign()
    tolerance = {"rtol": 1e-10, "atol": 1e-12} if dtype == torch.float64 else {"rtol": 1e-4, "atol": 1e-5}
    torch.testing.assert_close(network_values(W, X, leak), by_torch(W, X, leak), **tolerance)
    torch.testing.assert_close(loss_gradient(W, X, y, leak), gradient_by_torch(W, X, y, leak), **tolerance)


@pytest.mark.parametrize(("n", "d"), [(6, 40), (20, 4)])
def test_descent_in_the_span_is_plain_descent(n, d):
    """The step is rate n / |K|, worked out here with numpy; every fifth network is the one of autograd."""
    W, X, y = 0.1 * drawn(6, d), drawn(n, d), drawn(n).sign()
    found = train_in_span(W, X, y, leak=0.2, rate=0.7, at=[0, 5, 15])
    step = 0.7 * n / np.linalg.norm(X.numpy() @ X.numpy().T, 2)
    expected = [W]
    for _ in range(15):
        W = W - step * gradient_by_torch(W, X, y, 0.2)
        expected.append(W)
    for place, count in enumerate((0, 5, 15)):
        torch.testing.assert_close(found.weights[place], expected[count], rtol=1e-9, atol=1e-11)
        torch.testing.assert_close(found.values[place], by_torch(expected[count], X, 0.2), rtol=1e-9, atol=1e-11)


def test_single_precision_stays_single_and_agrees():
    W, X, y = 0.1 * drawn(6, 40), drawn(8, 40), drawn(8).sign()
    single = train_in_span(W.float(), X.float(), y.float(), 0.5, 1.0, [20])
    assert single.weights.dtype == torch.float32
    torch.testing.assert_close(
        single.weights.double(), train_in_span(W, X, y, 0.5, 1.0, [20]).weights, rtol=1e-3, atol=1e-4
    )


def test_the_loss_falls_at_every_step_of_a_linear_network():
    """With leak 1 the loss is convex, and rate 1 is far below the 8 up to which descent on it goes down."""
    W, X, y = 0.1 * drawn(4, 30), drawn(10, 30), drawn(10).sign()
    values = train_in_span(W, X, y, 1.0, 1.0, list(range(30))).values
    losses = softplus(-y * values).mean(1)
    assert bool((losses.diff() < 0).all())


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
def test_stable_rank_is_that_of_an_explicit_decomposition(dtype):
    W = drawn(6, 9, dtype=dtype)
    squares = np.linalg.svd(W.double().numpy())[1] ** 2
    assert stable_rank(W) == pytest.approx(squares.sum() / squares.max(), rel=1e-5)
    assert stable_rank(-3 * W.T) == pytest.approx(stable_rank(W), rel=1e-5)


def test_stable_rank_of_known_matrices():
    assert stable_rank(torch.eye(5)) == pytest.approx(5)
    assert stable_rank(torch.outer(drawn(4), drawn(6))) == pytest.approx(1)


def test_step_size_is_in_units_of_the_largest_eigenvalue():
    """Three orthogonal inputs of squared lengths 4, 1, 1: the largest eigenvalue is 4."""
    X = torch.diag(torch.tensor([2.0, 1.0, 1.0], dtype=torch.float64))
    assert step_size(X, 0.5) == pytest.approx(0.5 * 3 / 4)


def test_orthogonality_by_hand():
    """Squared lengths 4 and 9, inner product 1: p = 4^2 / (9 * 2 * 1)."""
    X = torch.tensor([[2.0, 0.0], [0.5, math.sqrt(8.75)]], dtype=torch.float64)
    assert orthogonality(X) == pytest.approx(16 / 18)
    assert orthogonality(torch.eye(3)) == math.inf


def test_two_directions_have_a_linear_boundary():
    """Neurons are positive multiples of one vector for each head; the sign of f is that of the normal."""
    first, second, X = drawn(7, seed=1), drawn(7, seed=2), drawn(500, 7)
    sizes = drawn(10).abs()
    W = torch.cat([sizes[:5, None] * first, sizes[5:, None] * second])
    normal = boundary_normal(W)
    torch.testing.assert_close(normal, sizes[:5].sum() * first - sizes[5:].sum() * second)
    assert bool((by_torch(W, X, 0.3).sign() == (X @ normal).sign()).all())


def test_bad_input_is_a_sentence():
    W, X, y = drawn(4, 3), drawn(5, 3), drawn(5).sign()
    with pytest.raises(BadParameter, match=r"W has 3 rows: their number must be even"):
        network_values(W[:3], X, 0.1)
    with pytest.raises(BadParameter, match="leak = 1.5 is out of range"):
        loss_gradient(W, X, y, 1.5)
    with pytest.raises(BadParameter, match="y holds other values than -1 and 1"):
        train_in_span(W, X, 0.5 * y, 0.1, 1.0, [1])
    with pytest.raises(BadParameter, match=r"at = \[2, 2\] must ascend"):
        train_in_span(W, X, y, 0.1, 1.0, [2, 2])
    with pytest.raises(BadParameter, match="rate = 0"):
        step_size(X, 0)
    with pytest.raises(BadParameter, match=r"\|W\|\^2 = 0.0 is out of range"):
        stable_rank(torch.zeros(2, 2))
    with pytest.raises(BadParameter, match="X has 1 row"):
        orthogonality(X[:1])
    with pytest.raises(TypeError, match="y is of type"):
        label_signs(y.int(), 5)
