"""Predicted ranks are held against wide networks of autograd, orthogonal inputs by hand, and a general solver."""

import math

import numpy as np
import pytest
import torch
from leaky_network import by_torch, drawn, gradient_by_torch
from scipy.optimize import minimize

from beyond_kernel.checks import BadParameter
from beyond_kernel.feature_learning.implicit_low_rank import stable_rank, train_in_span
from beyond_kernel.feature_learning.low_rank_theory import (
    limit_point,
    orthogonal_rank,
    rank_after_one_step,
    rank_on_the_way,
    step_correlations,
)


def one_step(X, y, width, size, leak, rate, seed):
    """Take one step of plain descent with autograd."""
    W = size / math.sqrt(X.shape[1]) * drawn(width, X.shape[1], seed=seed)
    step = rate * len(X) / np.linalg.norm(X.numpy(), 2) ** 2
    return W - step * gradient_by_torch(W, X, y, leak)


@pytest.mark.parametrize(
    ("n", "d", "size", "leak"), [(6, 30, 1e-4, 0.1), (30, 6, 1e-4, 0.3), (8, 8, 3e-3, 0.0), (5, 40, 2e-3, 0.6)]
)
def test_one_step_of_a_wide_network_has_the_predicted_rank(n, d, size, leak):
    """20,000 neurons: the rank is an average over them, with an error of about 1 / sqrt(20,000), below 1 %."""
    X, y = drawn(n, d), drawn(n).sign()
    found = stable_rank(one_step(X, y, 20_000, size, leak, 1.0, seed=3))
    assert found == pytest.approx(rank_after_one_step(X, y, 20_000, size, leak, 1.0), rel=0.02)


def test_the_correction_for_a_narrow_network():
    """Mean rank of 300 networks of 12 neurons: within 4 standard errors and 2 %; without correction it is 15 % off."""
    X, y = drawn(20, 60), drawn(20).sign()
    ranks = np.array([stable_rank(one_step(X, y, 12, 1e-4, 0.1, 1.0, seed=s)) for s in range(300)])
    corrected, wide = (rank_after_one_step(X, y, width, 1e-4, 0.1, 1.0) for width in (12, 10**6))
    assert abs(ranks.mean() - corrected) < 4 * ranks.std() / math.sqrt(300) + 0.02 * corrected
    assert wide > 1.05 * ranks.mean()


def test_one_step_on_orthogonal_inputs_by_hand():
    """A = mean^2 y y^T + dev^2 I: eigenvalues n mean^2 + dev^2 once and dev^2 otherwise."""
    n, leak = 50, 0.2
    X, y = 3 * torch.eye(n, dtype=torch.float64), drawn(n).sign()
    mean, dev = 0.6, 0.4
    by_hand = n * (mean**2 + dev**2) / (n * mean**2 + dev**2)
    assert rank_after_one_step(X, y, 10**8, 0.0, leak, 1.0) == pytest.approx(by_hand, rel=1e-6)


@pytest.mark.parametrize("positive", [1, 3, 6, 11])
@pytest.mark.parametrize("leak", [0.0, 0.2, 0.7, 1.0])
def test_limit_on_orthogonal_inputs_by_hand(positive, leak):
    """The directions are S_+ - leak S_- and its mirror image, with all multipliers 2 / ((1 + leak^2) |x|^2)."""
    n, length = 12, 2.5
    X = length * torch.linalg.qr(drawn(20, n))[0].T
    y = torch.cat([torch.ones(positive), -torch.ones(n - positive)]).double()
    plus, minus = X[:positive].sum(0), X[positive:].sum(0)
    by_hand = torch.stack([plus - leak * minus, minus - leak * plus])
    assert orthogonal_rank(leak, positive / n) == pytest.approx(stable_rank(by_hand), rel=1e-9)
    found = limit_point(X, y, leak)
    if leak < 1:
        torch.testing.assert_close(found.weights, torch.full_like(y, 2 / ((1 + leak**2) * length**2)))
        torch.testing.assert_close(found.directions, by_hand * 2 / ((1 + leak**2) * length**2), rtol=1e-7, atol=1e-9)
    assert stable_rank(found.directions) == pytest.approx(orthogonal_rank(leak, positive / n), rel=1e-7)
    assert found.consistent == (leak > 0)


@pytest.mark.parametrize(("leak", "steps"), [(0.2, 2), (0.2, 6), (0.5, 3)])
def test_rank_on_the_way_of_plain_descent(leak, steps):
    """200 neurons, 60 orthogonal inputs: the time is a sum of the pulls of autograd; noise of rank n adds a little."""
    X = torch.eye(60, dtype=torch.float64)
    y = torch.ones(60, dtype=torch.float64)
    y[::2] = -1
    W, time = 1e-6 * drawn(200, 60), 0.0
    for _ in range(steps):
        time += 2 * float(torch.sigmoid(-y * by_torch(W, X, leak)).mean())
        W = W - 30 * gradient_by_torch(W, X, y, leak)
    assert steps - 1 < time < steps
    assert stable_rank(W) == pytest.approx(rank_on_the_way(leak, time), rel=0.04)


def test_correlations_of_slopes_are_those_of_many_neurons():
    """The mean product of slopes of 200,000 Gaussian neurons, with an error below 1 / sqrt(200,000)."""
    X, y = drawn(4, 3), drawn(4).sign()
    slopes = torch.where(X @ drawn(3, 200_000) > 0, 1.0, 0.3)
    torch.testing.assert_close(
        step_correlations(X, y, 0.3), torch.outer(y, y) * (slopes @ slopes.T) / 200_000, rtol=0, atol=5e-3
    )


def correlated(n: int, d: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    y = drawn(n, seed=seed).sign()
    return drawn(n, d, seed=seed) + y[:, None] * 1.5, y


@pytest.mark.parametrize("leak", [0.3, 1.0])
def test_limit_is_what_a_general_solver_finds(leak):
    """Least |v|^2 + |u|^2 with y_i (v . s_i x_i - u . s'_i x_i) / 2 >= 1, by sequential quadratic programming."""
    X, y = correlated(7, 9, seed=4)
    found = limit_point(X, y, leak)
    assert bool((found.weights == 0).any()), "the case has no sample beyond the margin"
    up, down = (torch.where(sign * y > 0, 1.0, leak)[:, None] * X for sign in (1, -1))
    rows = (0.5 * y[:, None] * torch.cat([up, -down], 1)).numpy()
    solved = minimize(
        lambda w: w @ w, np.ones(18), jac=lambda w: 2 * w, method="SLSQP", options={"maxiter": 500, "ftol": 1e-14},
        constraints={"type": "ineq", "fun": lambda w: rows @ w - 1, "jac": lambda w: rows},
    )  # fmt: skip
    np.testing.assert_allclose(found.directions.reshape(-1).numpy(), solved.x, rtol=1e-4, atol=1e-5)


def test_limit_is_a_point_of_karush_kuhn_and_tucker():
    """By autograd: W is the sum of multipliers times the gradients of margins, margins are 1 where these are not 0."""
    X, y = drawn(6, 300, seed=5), drawn(6, seed=5).sign()
    found = limit_point(X, y, 0.4)
    W = (found.directions.repeat_interleave(4, dim=0) / math.sqrt(8)).requires_grad_()
    margins = y * by_torch(W, X, 0.4)
    (pull,) = torch.autograd.grad((found.weights * margins).sum(), W)
    assert found.consistent
    torch.testing.assert_close(pull, W.detach(), rtol=1e-8, atol=1e-10)
    torch.testing.assert_close(margins.detach(), torch.ones(6, dtype=torch.float64))


def test_long_training_arrives_at_the_limit():
    X, y = drawn(6, 600, seed=6), drawn(6, seed=6).sign()
    W = train_in_span(1e-5 * drawn(10, 600), X, y, 0.4, 1.0, [20_000]).weights[0]
    full = limit_point(X, y, 0.4).directions.repeat_interleave(5, dim=0)
    assert float((full * W).sum() / full.norm() / W.norm()) > 0.999
    assert stable_rank(W) == pytest.approx(stable_rank(full), rel=0.02)


def test_single_precision_and_device_follow_the_input():
    X, y = drawn(5, 30).float(), drawn(5).sign().float()
    found = limit_point(X, y, 0.2)
    assert found.directions.dtype == found.weights.dtype == torch.float32
    assert rank_after_one_step(X, y, 50, 1e-3, 0.2, 1.0) == pytest.approx(
        rank_after_one_step(X.double(), y.double(), 50, 1e-3, 0.2, 1.0), rel=1e-3
    )


def test_bad_input_is_a_sentence():
    X, y = drawn(5, 3), drawn(5).sign()
    with pytest.raises(BadParameter, match="X has 5 rows and 3 columns: its rows must be linearly independent"):
        limit_point(X, y, 0.2)
    with pytest.raises(BadParameter, match="X has linearly dependent rows"):
        limit_point(torch.ones(2, 3, dtype=torch.float64), y[:2].abs(), 0.2)
    with pytest.raises(BadParameter, match="share = 2"):
        orthogonal_rank(0.1, 2)
    with pytest.raises(BadParameter, match="width = 3 is odd"):
        rank_after_one_step(X, y, 3, 0.1, 0.2, 1.0)
