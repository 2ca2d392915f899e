"""A quadratic network against autograd, means over many samples, the logistic curve and a matrix Riccati equation."""

import math

import pytest
import torch
from scipy.integrate import solve_ivp

from beyond_kernel.checks import BadParameter
from beyond_kernel.feature_learning.quadratic_student import (
    expected_push,
    fit_many_passes,
    sampled_push,
    small_start,
    train_expected,
    train_sampled,
)
from beyond_kernel.foundations.learning.held_out import split_fifth
from beyond_kernel.foundations.learning.samples import draw_problem
from beyond_kernel.foundations.targets.target import parse_target
from beyond_kernel.random_streams import generator_for

F64 = torch.float64
D, P = 6, 3
A_P = torch.tensor([1.0, 0.5, 0.25], dtype=F64)


def frame(d=D, tasks=P):
    return torch.linalg.qr(torch.randn(d, tasks, generator=generator_for(3, "frame"), dtype=F64))[0]


def network(W, X):
    """The network as the sum of its neurons, |w|^2 h_2(<w, x> / |w|)."""
    lengths = W.norm(dim=1)
    z = X @ (W / lengths[:, None]).T
    return ((z**2 - 1) / math.sqrt(2)) @ lengths**2


def target(X, U):
    return (((X @ U) ** 2 - 1) / math.sqrt(2)) @ A_P


def test_the_push_is_minus_the_gradient_by_autograd():
    W = torch.randn(4, D, generator=generator_for(0, "W"), dtype=F64).requires_grad_()
    X, y = torch.randn(9, D, generator=generator_for(0, "X"), dtype=F64), torch.linspace(-1, 2, 9, dtype=F64)
    (gradient,) = torch.autograd.grad((network(W, X) - y).square().mean() / 2, W)
    torch.testing.assert_close(sampled_push(W.detach(), X, y), -gradient)


def test_the_expected_push_is_the_mean_over_many_samples():
    U, W = frame(), torch.randn(4, D, generator=generator_for(1, "W"), dtype=F64) / 2
    X = torch.randn(400_000, D, generator=generator_for(1, "X"), dtype=F64)
    gap = sampled_push(W, X, target(X, U)) - expected_push(W, U, A_P)
    assert float(gap.abs().max()) < 0.05 < float(expected_push(W, U, A_P).abs().max())


def test_losses_and_shares_are_those_of_the_network_on_test_points():
    U, W = frame(), torch.randn(4, D, generator=generator_for(2, "W"), dtype=F64) / 2
    found = train_expected(W, U, A_P, 1e-12, [1])
    X = torch.randn(400_000, D, generator=generator_for(2, "X"), dtype=F64)
    risk = (network(W, X) - target(X, U)).square().mean() / A_P.square().sum()
    shares = (network(W, X)[:, None] * ((X @ U) ** 2 - 1) / math.sqrt(2)).mean(0) / A_P
    assert float(found.losses[0]) == pytest.approx(float(risk), rel=0.02)
    torch.testing.assert_close(found.shares[0], shares, rtol=0.02, atol=0.02)


def test_a_single_neuron_on_its_task_follows_the_logistic_curve():
    """b = |w|^2 obeys b' = 4 b (a - b), here with a = 1/2: b = a / (1 + (a / b0 - 1) e^(-4 a t))."""
    U, a, rate = torch.eye(D, dtype=F64)[:, :1], torch.tensor([0.5], dtype=F64), 1e-3
    at = [500, 1500, 3000]
    found = train_expected(0.1 * U.T, U, a, rate, at).shares[:, 0]
    expected = [1 / (1 + (0.5 / 0.01 - 1) * math.exp(-4 * 0.5 * rate * steps)) for steps in at]
    assert found.tolist() == pytest.approx(expected, rel=0.01)


def test_the_whole_network_follows_the_riccati_equation():
    """B' = 2 (A B + B A) - 4 B^2 for B = W^T W, solved by scipy from the same start."""
    U, W = frame(), small_start(5, D, 0.3, generator_for(4, "W"))
    A = (U * A_P) @ U.T

    def change(t, b):
        B = torch.from_numpy(b.reshape(D, D))
        return (2 * (A @ B + B @ A) - 4 * B @ B).numpy().ravel()

    end = solve_ivp(change, (0, 3.0), (W.T @ W).numpy().ravel(), rtol=1e-9, atol=1e-12).y[:, -1].reshape(D, D)
    B = torch.from_numpy(end)  # steps of finite size are not quite the flow
    found = train_expected(W, U, A_P, 1e-3, [3000])
    assert float(found.losses[0]) == pytest.approx(
        float((A - B).square().sum() / A.square().sum()), rel=0.02
    )  # steps, not flow
    torch.testing.assert_close(found.shares[0], (U * (B @ U)).sum(0) / A_P, rtol=0.01, atol=1e-4)


def test_small_steps_on_samples_follow_the_mean():
    U, W = frame(), small_start(4, D, 0.3, generator_for(5, "W"))
    at = [200, 600]
    sampled = train_sampled(W, U, A_P, 0.004, 64, at, generator_for(5, "X"))
    expected = train_expected(W, U, A_P, 0.004, at)
    torch.testing.assert_close(sampled.losses, expected.losses, rtol=0.15, atol=0.01)


def test_training_takes_the_steps_that_are_shown():
    """A step in its short form is the push of the formula on the same batch, the last one of those drawn at once."""
    U, W = frame(), small_start(4, D, 0.5, generator_for(5, "W"))
    drawn = torch.randn(2**16 // (7 * D), 7, D, generator=generator_for(5, "X"), dtype=F64)
    after = W
    for X in drawn[-3:].flip(0):
        after = after + 0.1 * sampled_push(after, X, target(X, U))
    found = train_sampled(W, U, A_P, 0.1, 7, [3], generator_for(5, "X"))
    torch.testing.assert_close(found.shares[0], (after @ U).square().sum(0) / A_P)
    mean = W + 0.1 * expected_push(W, U, A_P)
    torch.testing.assert_close(train_expected(W, U, A_P, 0.1, [1]).shares[0], (mean @ U).square().sum(0) / A_P)


def test_a_turn_of_the_axes_changes_nothing():
    turn = torch.linalg.qr(torch.randn(D, D, generator=generator_for(6, "turn"), dtype=F64))[0]
    U, W = frame(), small_start(4, D, 0.3, generator_for(6, "W"))
    one = train_expected(W, U, A_P, 0.01, [100])
    two = train_expected(W @ turn.T, turn @ U, A_P, 0.01, [100])
    torch.testing.assert_close(one.losses, two.losses)


def test_fewer_neurons_than_tasks_leave_the_rest():
    """By Eckart and Young the best W^T W of rank one leaves the squares of all strengths but the first."""
    U, W = frame(), small_start(1, D, 0.3, generator_for(7, "W"))
    found = train_expected(W, U, A_P, 0.05, [1000])
    rest = float(A_P[1:].square().sum() / A_P.square().sum())
    assert float(found.losses[0]) == pytest.approx(rest, rel=1e-6)


def test_the_start_has_its_size_and_the_result_follows_it():
    W = small_start(2000, 50, 0.2, generator_for(8, "W"))
    assert float(W.square().sum(1).mean()) == pytest.approx(0.04, rel=0.02)
    U = frame()
    found = train_sampled(W[:4, :D].float(), U.float(), A_P.float(), 0.01, 2, [3], generator_for(8, "X"))
    double = train_sampled(W[:4, :D], U, A_P, 0.01, 2, [3], generator_for(8, "X"))
    assert found.losses.dtype == torch.float32
    torch.testing.assert_close(found.losses.double(), double.losses, rtol=1e-4, atol=1e-5)


def test_many_passes_find_a_target_of_few_directions_and_follow_the_input():
    """A sum of two squares in ten dimensions from 200 labels without noise, and its own output by the formula."""
    truth = parse_target("h2(z1) + h2(z2)/2", 10, seed=1).normalised()
    problem = draw_problem(truth, 200, 0.0, 1, n_test=2000)
    predictor = fit_many_passes(problem, generator_for(0, "many"))
    assert float((predictor(problem.test.X) - problem.test.truth).square().mean()) < 0.02
    few = fit_many_passes(problem, generator_for(0, "many"), steps=1, size=0.5)
    W = small_start(10, 10, 0.5, after_the_split(problem, generator_for(0, "many")))
    # the start in single precision, in which all passes are made
    torch.testing.assert_close(few(problem.test.X), network(W.float().double(), problem.test.X))
    single = draw_problem(truth, 50, 0.0, 1, n_test=20, dtype=torch.float32)
    assert fit_many_passes(single, generator_for(0, "many"), steps=40)(single.test.X).dtype == torch.float32


def after_the_split(problem, generator):
    split_fifth(problem.train, generator)
    return generator


def test_early_stopping_looks_at_the_held_out_fifth():
    """With labels of pure noise nothing is better than the start, which predicts next to nothing."""
    truth = parse_target("z1", 8, seed=1).normalised()
    problem = draw_problem(truth, 60, 0.0, 1, n_test=500)
    predictor = fit_many_passes(problem, generator_for(0, "noise"), steps=400)
    assert float(predictor(problem.test.X).square().mean()) < 0.3


def test_bad_input_is_a_sentence():
    U, W = frame(), small_start(4, D, 0.3, generator_for(9, "W"))
    with pytest.raises(BadParameter, match="rate = 30 makes training diverge within 40 steps: it must be smaller"):
        train_sampled(W, U, A_P, 30.0, 2, [40], generator_for(9, "X"))
    with pytest.raises(BadParameter, match="it must be ascending"):
        train_expected(W, U, A_P, 0.1, [5, 5])
    with pytest.raises(BadParameter, match="weights holds -1: a strength must be above 0"):
        expected_push(W, U, -torch.ones(P, dtype=F64))
    with pytest.raises(BadParameter, match=r"W has shape \(4, 5\): it must have shape \(m, 6\)"):
        expected_push(W[:, :5], U, A_P)
