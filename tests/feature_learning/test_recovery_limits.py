"""What the limits of recovery are measured with: against autograd, torch's own optimiser, hand counts."""

import math

import numpy as np
import pytest
import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.feature_learning.absolute_teacher import drawn_teacher, plane_teacher
from beyond_kernel.feature_learning.local_recovery import RATE, first_step
from beyond_kernel.feature_learning.population_kernel import absolute_kernel, population_loss, potential, residual
from beyond_kernel.feature_learning.recovery_limits import (
    descend_nonnegative,
    early_stages,
    lazy_rate,
    lone_angle,
    mirrored_start,
    rotations,
    weight_found,
)
from beyond_kernel.random_streams import generator_for

TEACHER = drawn_teacher([1.0, 2.0, 1.0], 5, 30.0, seed=3)


def drawn(*shape, label="x"):
    return torch.randn(*shape, generator=generator_for(0, label, *shape), dtype=torch.float64)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
def test_the_mirrored_start_is_the_function_zero_with_layers_of_one_size(dtype):
    W, a = mirrored_start(10, 0.3, drawn(2, 4).to(dtype), generator_for(0))
    assert W.shape == (10, 4) and W.dtype == a.dtype == dtype
    torch.testing.assert_close(W.norm(dim=1), torch.full_like(a, 0.3))
    torch.testing.assert_close(a.abs(), torch.full_like(a, 0.3))
    values = (drawn(50, 4).to(dtype) @ W.T).abs() @ a
    assert values.abs().max() < 1e-6
    assert np.linalg.matrix_rank(W.numpy()) == 4  # five directions, not one


def test_rotations_are_right_for_hand_made_turns_large_and_tiny():
    turns = torch.tensor([0.0, 1e-7, 1e-3, 30.0, 90.0, 179.9, 180.0], dtype=torch.float64)
    radians = torch.deg2rad(turns)
    before = torch.tensor([[2.0, 0.0]], dtype=torch.float64).expand(7, 2)
    after = 5 * torch.stack((radians.cos(), radians.sin()), 1)
    torch.testing.assert_close(rotations(before, after), turns, rtol=1e-6, atol=1e-12)
    assert float(rotations(before[:1], 0 * before[:1])) == pytest.approx(90)


def test_early_stages_are_a_step_and_a_ridge_regression():
    """At the ridge solution the derivative of the loss in each mass is minus the penalty times the mass."""
    W, a = early_stages(TEACHER, 8, generator_for(0, "u"), penalty=0.05)
    units, c = torch.nn.functional.normalize(W, dim=1), a * W.norm(dim=1)
    start = torch.randn(8, 5, generator=generator_for(0, "u"), dtype=torch.float64)
    stepped = first_step(start, TEACHER.V, TEACHER.b)
    torch.testing.assert_close((units * stepped).sum(1), torch.ones_like(a))
    torch.testing.assert_close(potential(units, *residual(W, a, TEACHER.V, TEACHER.b)), -0.05 * c)


def test_the_lazy_rate_of_a_large_start_goes_with_d_over_its_mass():
    """The largest curvature is (2 / pi) m s^2 / d, by the arc-cosine kernel of degree two."""
    for d, width, scale in ((5, 100, 1.0), (20, 400, 1.0), (40, 800, 2.0)):
        teacher = drawn_teacher([1.0, -1.0], d, 30.0, seed=0)
        curvature = 2 / math.pi * width * scale**2 / d
        assert lazy_rate(teacher, width, scale) * curvature == pytest.approx(2 / math.pi)


@pytest.mark.parametrize(("d", "width", "scale"), [(2, 60, 1.0), (4, 60, 2.0), (5, 100, 1.0), (5, 20, 0.1)])
def test_the_lazy_rate_is_below_the_limit_of_stability(d, width, scale):
    """Gradient descent on a quadratic of curvature h is stable below 2 / h; the curvature is that of the network's
    derivatives at 20,000 points, less what is affine in x."""
    teacher = drawn_teacher([1.0, -1.0], d, 30.0, seed=0)
    W, a = mirrored_start(width, scale, teacher.V, generator_for(1))
    X = drawn(20_000, d)
    ones = torch.cat((torch.ones_like(X[:, :1]), X), 1)
    features = torch.cat([(X @ W.T).abs(), *((X @ W.T).sign()[:, :, None] * a[:, None] * X[:, None]).unbind(2)], 1)
    features = features - ones @ torch.linalg.lstsq(ones, features).solution
    curvature = float(torch.linalg.matrix_norm(features, 2)) ** 2 / len(X)
    assert lazy_rate(teacher, width, scale) * curvature < 2
    assert lazy_rate(teacher, width, scale) <= RATE / teacher.mass
    if scale >= 1:
        assert lazy_rate(teacher, width, scale) * curvature > 0.3  # and not wastefully small


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
def test_the_nonnegative_descent_is_that_of_torch_on_the_tied_network(dtype):
    """sqrt(1 - rho^2) of a neuron with itself is the root of rounding, so tolerances are about sqrt(eps)."""
    V, b, W = TEACHER.V.to(dtype), TEACHER.b.to(dtype), drawn(6, 5).to(dtype)
    found, head = descend_nonnegative(W, V, b, 7, 0.05)
    weights = W.clone().requires_grad_()
    optimiser = torch.optim.SGD([weights], lr=0.05)
    for _ in range(7):
        optimiser.zero_grad()
        units = torch.cat((torch.nn.functional.normalize(weights, dim=1), V))
        c = torch.cat((weights.square().sum(1), -b))
        off_diagonal = ~torch.eye(len(c), dtype=torch.bool)
        cosines = torch.where(off_diagonal, units @ units.T, torch.zeros(()).to(W))  # k(1) is a number: no gradient
        gram = torch.where(off_diagonal, absolute_kernel(cosines), torch.full((), 1 - 2 / math.pi).to(W))
        (c @ gram @ c / 2).backward()
        optimiser.step()
    tolerance = {"rtol": 1e-3, "atol": 1e-4} if dtype == torch.float32 else {"rtol": 1e-6, "atol": 1e-7}
    torch.testing.assert_close(found, weights.detach(), **tolerance)
    torch.testing.assert_close(head, found.norm(dim=1))
    assert found.dtype == dtype


def test_the_nonnegative_descent_lowers_the_loss_and_leaves_its_start():
    W = drawn(12, 5) / 4
    kept = W.clone()
    found, head = descend_nonnegative(W, TEACHER.V, TEACHER.b, 300, 0.05)
    assert torch.equal(W, kept)
    assert population_loss(found, head, TEACHER.V, TEACHER.b) < 0.01 * TEACHER.variance


def test_the_weight_found_is_a_count_by_hand():
    teacher = plane_teacher([0, 90], [1, -1])
    degrees = torch.deg2rad(torch.tensor([1.0, -4.0, 179.0, 50.0, 92.0], dtype=torch.float64))
    W = torch.tensor([1.0, 2.0, 1.0, 1.0, 3.0], dtype=torch.float64)[:, None] * torch.stack(
        (degrees.cos(), degrees.sin()), 1
    )
    a = torch.tensor([1.0, 0.5, -0.25, 5.0, -1.0], dtype=torch.float64)
    found = weight_found(W, a, teacher.V, 5.0)
    torch.testing.assert_close(found, torch.tensor([1 + 1 - 0.25, -3.0], dtype=torch.float64))
    assert weight_found(W, a, teacher.V, 3.0)[0] == pytest.approx(0.75)


def test_a_neuron_of_a_close_pair_gets_a_quarter_of_their_angle():
    assert [lone_angle(5.0, angle) for angle in (8.0, 20.0, 60.0)] == [2.0, 5.0, 5.0]


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: mirrored_start(5, 1.0, TEACHER.V, generator_for(0)), "width = 5"),
        (lambda: mirrored_start(4, 0.0, TEACHER.V, generator_for(0)), "scale = 0"),
        (lambda: mirrored_start(4, 1.0, TEACHER.b, generator_for(0)), "like has shape"),
        (lambda: early_stages(TEACHER, 0, generator_for(0)), "width = 0"),
        (lambda: lazy_rate(TEACHER, 4, -1.0), "scale = -1"),
        (lambda: descend_nonnegative(drawn(3, 4), TEACHER.V, TEACHER.b, 1, 0.1), "V has shape"),
        (lambda: descend_nonnegative(drawn(3, 5), TEACHER.V, TEACHER.b, 1, -0.1), "rate = -0.1"),
        (lambda: descend_nonnegative(drawn(3, 5), TEACHER.V, TEACHER.b, 200, 50.0), "the descent diverged"),
        (lambda: lone_angle(5.0, 0.0), "angle = 0"),
        (lambda: weight_found(drawn(3, 5), drawn(3), TEACHER.V, 91.0), "degrees = 91"),
    ],
)
def test_bad_input_ends_in_one_sentence(call, sentence):
    with pytest.raises(BadParameter) as caught, np.errstate(all="ignore"):
        call()
    assert sentence in str(caught.value) and str(caught.value).endswith(".")
