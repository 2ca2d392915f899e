"""Certificates: against polar quadrature, differences, symmetries and the end of a descent."""

import math

import numpy as np
import pytest
import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.feature_learning.absolute_teacher import angles_to, drawn_teacher, plane_teacher
from beyond_kernel.feature_learning.dual_certificate import (
    circle,
    first_order,
    inequality,
    peak,
    pre_certificate,
    steepness,
)
from beyond_kernel.feature_learning.local_recovery import balanced, descend, total_mass
from beyond_kernel.feature_learning.population_kernel import masses, population_loss
from beyond_kernel.random_streams import generator_for

TEACHER = plane_teacher([20, 80, 140], [1.0, -1.5, 1.0])
ETA = pre_certificate(TEACHER.V, TEACHER.b.sign())
TURNS = torch.arange(40_000, dtype=torch.float64) * (2 * math.pi / 40_000)
RING = torch.stack((TURNS.cos(), TURNS.sin()), 1)


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=generator_for(seed, "test", *shape), dtype=torch.float64)


def mean_product(f, g):
    """E f g for functions of the plane that are |x| times a function of the angle, less their means: E |x|^2 = 2."""
    f, g = f(RING), g(RING)
    return float(2 * (f * g).mean() - math.pi / 2 * f.mean() * g.mean())


def p_of(x):
    """The function behind the certificate: neurons, and their derivatives <beta, x> sgn <v, x>."""
    across = x @ ETA.V.T
    return across.abs() @ ETA.alpha + (across.sign() * (x @ ETA.beta.T)).sum(1)


def student(seed):
    return drawn(8, 2, seed=seed), drawn(8, seed=seed + 1)


def test_the_certificate_is_the_inner_product_with_its_function():
    for u in circle(7, TEACHER.V):
        value = mean_product(p_of, lambda x, u=u: (x @ u).abs())
        assert float(ETA(u[None])) == pytest.approx(value, abs=1e-3)  # p jumps, at a few of the points
    assert ETA.square == pytest.approx(mean_product(p_of, p_of), rel=1e-3)


@pytest.mark.parametrize("weights, d", [([1, -1, 1], 2), ([1, -2, 1, -1], 6), ([1, 1, 1, -1, 1], 4), ([3], 3)])
def test_it_is_the_sign_at_the_teacher_with_slope_zero(weights, d):
    teacher = drawn_teacher(weights, d, 25.0, seed=1)
    eta = pre_certificate(teacher.V, teacher.b.sign())
    np.testing.assert_allclose(eta(teacher.V), teacher.b.sign(), atol=1e-9)
    small = 1e-5
    for move in drawn(4, d):
        ends = [eta(torch.nn.functional.normalize(teacher.V + sign * small * move, dim=1)) for sign in (1, -1)]
        np.testing.assert_allclose((ends[0] - ends[1]) / (2 * small), 0, atol=1e-3)


def test_known_certificates():
    """One neuron: alpha = 1 / (1 - 2/pi). Evenly spaced neurons of one sign: no derivatives, by reflection."""
    one = pre_certificate(torch.eye(3, dtype=torch.float64)[:1], torch.ones(1, dtype=torch.float64))
    assert one.square == pytest.approx(1 / (1 - 2 / math.pi))
    assert float(one.beta.abs().max()) == 0
    even = plane_teacher([0, 60, 120], [1, 1, 1])
    assert float(pre_certificate(even.V, even.b).beta.abs().max()) < 1e-12


def test_more_dimensions_change_nothing():
    wide = plane_teacher([20, 80, 140], [1.0, -1.5, 1.0], d=6)
    eta = pre_certificate(wide.V, wide.b.sign())
    assert eta.square == pytest.approx(ETA.square)
    np.testing.assert_allclose(eta.alpha, ETA.alpha, atol=1e-6)
    np.testing.assert_allclose(eta.beta.norm(dim=1), ETA.beta.norm(dim=1), atol=1e-6)  # arcsin near 1


def test_it_stays_below_one_away_from_a_well_separated_teacher():
    grid = circle(721, TEACHER.V)
    assert 0 < steepness(ETA, grid, TEACHER.V) < 1
    assert float(ETA(grid).abs().max()) <= 1 + 1e-6


def test_the_peak_is_that_of_a_fine_search():
    """In a plane the circle is all there is; in more dimensions a large draw of unit vectors finds no more."""
    between = circle(72_000, TEACHER.V)
    away = angles_to(between, TEACHER.V).amin(-1) > math.radians(3)
    found = peak(ETA, 3.0, generator_for(0, "peak"))
    assert found == pytest.approx(float(ETA(between[away]).abs().max()), abs=1e-5)
    one = pre_certificate(torch.eye(4, dtype=torch.float64)[:1], torch.ones(1, dtype=torch.float64))
    tilted = float(one(torch.tensor([[math.cos(math.radians(10)), 0, math.sin(math.radians(10)), 0]]).double()))
    assert peak(one, 10.0, generator_for(1, "peak")) == pytest.approx(tilted, abs=1e-4)
    many = drawn_teacher([1.0, -1.0] * 3, 7, 40.0, seed=2)
    eta = pre_certificate(many.V, many.b.sign())
    U = torch.nn.functional.normalize(drawn(200_000, 7), dim=1)
    far = angles_to(U, many.V).amin(-1) > math.radians(3)
    assert peak(eta, 3.0, generator_for(2, "peak")) > float(eta(U[far]).abs().max())


def test_it_may_exceed_one_where_there_are_many_neurons():
    """By another search of the ball: 0.0044 above for these six neurons, below one for three."""
    six, three = (drawn_teacher(weights, 12, 40.0, seed=0) for weights in ([1.0, -1.0] * 3, [1.0, -1.0, 1.0]))
    above, below = (peak(pre_certificate(t.V, t.b.sign()), 3.0, generator_for(3, "peak")) for t in (six, three))
    assert above == pytest.approx(1.0044, abs=3e-4) and below < 1


def test_both_sides_of_the_inequality():
    """The excess is mass less mass of the teacher less <p, R>, here by quadrature; the other two lie above it."""
    for seed in range(20):
        W, a = student(seed)
        sides = inequality(W, a, TEACHER, ETA, 0.05)
        f = lambda x, W=W, a=a: (x @ W.T).abs() @ a - (x @ TEACHER.V.T).abs() @ TEACHER.b  # noqa: E731
        identity = float(masses(W, a).abs().sum()) - TEACHER.mass - mean_product(p_of, f)
        assert float(sides.excess) == pytest.approx(identity, abs=1e-3)
        assert float(sides.excess) <= float(sides.bound) + 1e-12 <= float(sides.simple) + 2e-12
        value = population_loss(W, a, TEACHER.V, TEACHER.b) + 0.05 * (total_mass(W, a) - TEACHER.mass)
        assert float(sides.gap) == pytest.approx(float(value))
    exact = inequality(*balanced(TEACHER.V, TEACHER.b), TEACHER, ETA, 0.05)
    assert float(exact.excess) == pytest.approx(0, abs=1e-9)
    assert float(exact.gap) == pytest.approx(0, abs=1e-9)


def test_the_bound_is_reached_where_the_residual_points_along_the_certificate():
    """With R = -t p the bound holds with equality; p is not a network, but differences of near neurons come close."""
    small, t = 1e-4, 0.02
    U = torch.nn.functional.normalize(torch.cat((ETA.V, ETA.V + small * ETA.beta, ETA.V - small * ETA.beta)), dim=1)
    c = torch.cat((TEACHER.b - t * ETA.alpha, *(s * t / (2 * small) * torch.ones_like(ETA.alpha) for s in (-1, 1))))
    sides = inequality(*balanced(U, c), TEACHER, ETA, 0.05)
    room = math.sqrt(2 * ETA.square * float(population_loss(*balanced(U, c), TEACHER.V, TEACHER.b)))  # |p| |R|
    assert room == pytest.approx(t * ETA.square, rel=0.02)
    assert float(sides.excess) == pytest.approx(float(sides.bound), abs=0.02 * room)


def test_first_order_is_where_descent_ends():
    """Descent from the teacher itself, at a small decay; the next order is a few per cent."""
    decay = 1e-3
    path = descend(
        *balanced(TEACHER.V, TEACHER.b),
        TEACHER.V,
        TEACHER.b,
        torch.tensor([decay], dtype=torch.float64),
        3000,
        0.25,
        [3000],
    )
    W, a, theory = path.W[0], path.a[0], first_order(TEACHER, decay)
    assert float(population_loss(W, a, TEACHER.V, TEACHER.b)) == pytest.approx(theory.loss, rel=0.03)
    assert TEACHER.mass - float(total_mass(W, a)) == pytest.approx(TEACHER.mass - theory.mass, rel=0.03)
    turned = torch.rad2deg(torch.acos((W * TEACHER.V).sum(1) / W.norm(dim=1))) @ masses(W, a).abs() / total_mass(W, a)
    assert float(turned) == pytest.approx(theory.angle, rel=0.05)


def test_results_follow_the_dtype():
    single = pre_certificate(TEACHER.V.float(), TEACHER.b.sign().float())
    assert single(TEACHER.V.float()).dtype == torch.float32 == circle(3, TEACHER.V.float()).dtype
    np.testing.assert_allclose(single.alpha, ETA.alpha, rtol=1e-3)


def test_bad_input_is_a_sentence():
    W, a = student(0)
    with pytest.raises(BadParameter, match=r"signs has shape \(2,\): it must have shape \(3,\)"):
        pre_certificate(TEACHER.V, TEACHER.b[:2])
    with pytest.raises(BadParameter, match="decay = 0"):
        inequality(W, a, TEACHER, ETA, 0.0)
    with pytest.raises(BadParameter, match="decay = -1"):
        first_order(TEACHER, -1.0)
