"""Doubts the first gradient, its mean, and the model that stays at the base, against autograd and large samples."""

import math

import numpy as np
import pytest
import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.foundations.learning.samples import draw_problem
from beyond_kernel.random_streams import generator_for
from beyond_kernel.transfer.first_gradient import (
    adapter,
    expected_gradient,
    first_gradient,
    fit_around_base,
    lazy_floor,
    step_unit,
)
from beyond_kernel.transfer.rank_one_task import HEADS, drift_at_start, rank_one_task


def drawn(n, d, seed=0):
    return torch.randn(n, d, generator=generator_for(seed, "inputs"), dtype=torch.float64)


@pytest.mark.parametrize("unit_rows", [True, False])
@pytest.mark.parametrize("angle", [0.0, 30.0])
def test_first_gradient_is_that_of_autograd(unit_rows, angle):
    task = rank_one_task("(h2(z1)+h3(z1))/sqrt(2)", 13, 4, 0.8, angle=angle)
    X = drawn(500, 13)
    y = task(X)
    W = torch.zeros(4, 13, dtype=torch.float64)
    W[:, : task.coordinates] = task.unit_base * (1 if unit_rows else 1 / math.sqrt(1.64))
    moving = W.clone().requires_grad_()
    f = sum(power * (X @ moving.T) ** degree for degree, power in enumerate(task.link.powers)) @ task.head
    gradient = -torch.autograd.grad((f - y).square().mean() / 2, moving)[0]
    plain = first_gradient(task, X, y, tangent=False, unit_rows=unit_rows)
    assert torch.allclose(plain, gradient)
    found = first_gradient(task, X, y, unit_rows=unit_rows)
    assert float((found * W).sum(1).abs().max()) < 1e-12
    outside = W / W.norm(dim=1, keepdim=True)
    assert torch.allclose(found, gradient - (gradient * outside).sum(1, keepdim=True) * outside)


@pytest.mark.parametrize("heads", HEADS)
@pytest.mark.parametrize("link", ["he3", "(h2(z1)+h3(z1))/sqrt(2)"])
def test_the_mean_of_the_first_gradient_is_of_rank_one(link, heads):
    """The mean over 400,000 samples; the standard error of an entry is below 0.02 of the squared length."""
    task = rank_one_task(link, 13, 4, 1.0, heads=heads)
    X = drawn(400_000, 13, seed=1)
    found, mean = first_gradient(task, X, task(X)), expected_gradient(task)
    assert float((found - mean).abs().max()) < 0.04
    left, right = adapter(mean)
    assert torch.allclose(left, torch.full((4,), 0.5, dtype=torch.float64)) and float(right[4]) == pytest.approx(1)
    assert float(adapter(found)[1][4]) > 0.99


def test_the_size_of_the_mean_was_worked_out():
    """For h_3 and s = 1: g'(c) = 3 c^2 = 3/2, c s = 1/sqrt(2), over k = 4 neurons."""
    row = expected_gradient(rank_one_task("he3", 13, 4, 1.0))[0]
    assert float(row[4]) == pytest.approx(1.5 / math.sqrt(2) / 4) and int((row != 0).sum()) == 1


def test_a_linear_part_of_the_link_is_refused():
    with pytest.raises(BadParameter, match="linear part"):
        expected_gradient(rank_one_task("h1(z1) + h3(z1)", 13, 4))
    with pytest.raises(BadParameter, match="orthonormal"):
        expected_gradient(rank_one_task("he3", 13, 4, rescaled=False))


def test_adapter_is_the_first_pair_of_singular_vectors():
    gradient = drawn(5, 9, seed=2)
    left, right = adapter(gradient)
    values = np.linalg.eigvalsh((gradient @ gradient.T).numpy())
    assert float(left @ gradient @ right) == pytest.approx(values[-1] ** 0.5) and float(left.sum()) > 0
    assert torch.allclose(adapter(-gradient)[1], -right) and torch.allclose(adapter(-gradient)[0], left)
    assert adapter(gradient.float())[1].dtype == torch.float32


def test_the_linear_model_finds_what_is_linear_around_the_base():
    """Labels that are a step of the base along one direction: all rows move alike, and values are kept."""
    task = rank_one_task("he3", 14, 3)
    X, fresh = drawn(600, 14, seed=3), drawn(500, 14, seed=4)

    def moved(points):
        z = points[:, :3]
        return ((z**3 - 3 * z) + (3 * z**2 - 3) * points[:, 5:6]) @ task.head / math.sqrt(6) + 0.7

    error = fit_around_base(task, X, moved(X))(fresh) - moved(fresh)
    assert float(error.square().mean()) < 1e-6


@pytest.mark.parametrize(("neurons", "heads"), [(4, "alternating"), (3, "alternating"), (3, "equal")])
def test_the_linear_model_ends_at_the_floor(neurons, heads):
    """From 40,000 samples; the excess of some 80 coefficients is below two per cent of the floor."""
    task = rank_one_task("he3", 14, neurons, 1.0, heads=heads)
    problem = draw_problem(task, 40_000, 0.0, 0, n_test=100_000)
    predictor = fit_around_base(task, problem.train.X, problem.train.y)
    error = predictor(problem.test.X) - problem.test.truth
    assert float(error.square().mean()) / task.variance == pytest.approx(lazy_floor(task), rel=0.08)


def test_the_floor_of_the_default_is_three_sevenths():
    assert lazy_floor(rank_one_task("he3", 24, 8, 1.0)) == pytest.approx(3 / 7)
    with pytest.raises(BadParameter, match="h_3 alone"):
        lazy_floor(rank_one_task("h2(z1) + h3(z1)", 24, 8, 1.0))


@pytest.mark.parametrize("noise", [0.5, 2.0])
@pytest.mark.parametrize("options", [{}, {"angle": 30.0}, {"rescaled": False, "coherence": 0.3}], ids=str)
def test_the_unit_of_steps_is_drift_over_kick(options, noise):
    """Of the gradient in v at a v orthogonal to all, by autograd: it is c x, with drift E c <x, v*> and kick E c^2."""
    task = rank_one_task("h2(z1)", 16, 3, 0.8, **options)
    D = task.coordinates
    X = drawn(200_000, 16, seed=5)
    y = task(X) + noise * math.sqrt(task.variance) * drawn(200_000, 1, seed=6)[:, 0]
    v = torch.zeros(200_000, 16, dtype=torch.float64)
    v[:, D] = 1
    v.requires_grad_()
    base = torch.nn.functional.pad(task.unit_base, (0, 16 - D))
    z = task.shrink * (X @ base.T + task.size * (X * v).sum(1, keepdim=True))
    f = ((z**2 - 1) / math.sqrt(2)) @ task.head
    gradient = -torch.autograd.grad((f - y).square().sum() / 2, v)[0]
    kick = gradient[:, D + 1] / X[:, D + 1]
    expected = float(gradient[:, D - 1].mean() / kick.square().mean())
    assert step_unit(task, noise) == pytest.approx(expected, rel=0.1)
    if not options:
        assert float(gradient[:, D - 1].mean()) == pytest.approx(drift_at_start(task), rel=0.05)


def test_bad_input_ends_in_one_sentence():
    task, X = rank_one_task("he3", 14, 3), drawn(20, 14)
    for call, named in (
        (lambda: first_gradient(task, X[:, :5], X[:, 0]), "X has shape"),
        (lambda: first_gradient(task, X, X[:5, 0]), "y has shape"),
        (lambda: fit_around_base(task, X, X[:5, 0]), "y has shape"),
        (lambda: adapter(X[0]), "gradient has shape"),
        (lambda: step_unit(task, -1.0), "noise = -1.0"),
    ):
        with pytest.raises(BadParameter, match=named):
            call()
