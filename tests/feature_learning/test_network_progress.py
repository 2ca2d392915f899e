"""Coefficients of a network against quadrature and sums over the cube, and how far its weights moved, by hand."""

import itertools
import math

import pytest
import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.feature_learning.network_progress import (
    displacement_ratio,
    expected_gradients,
    hermite_coefficients,
    monomial_values,
    support_points,
    target_coefficients,
)
from beyond_kernel.foundations.inputs.targets_and_inputs import on_axes
from beyond_kernel.foundations.learning.networks import TwoLayerNetwork
from beyond_kernel.foundations.targets.hermite import hermite
from beyond_kernel.foundations.targets.target import parse_target
from beyond_kernel.random_streams import generator_for


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=generator_for(seed, "drawn", *shape), dtype=torch.float64)


def network(width: int, d: int) -> TwoLayerNetwork:
    return TwoLayerNetwork(drawn(width, d), drawn(width, seed=1), drawn(width, seed=2))


def turned(degrees: float) -> torch.Tensor:
    angle = math.radians(degrees)
    cos, sin = math.cos(angle), math.sin(angle)
    return torch.tensor([[cos, sin], [sin, -cos]], dtype=torch.float64)


def test_every_sign_pattern_meets_every_rest():
    points = support_points(3, 5, 4, generator_for(0), torch.float64)
    assert points.shape == (32, 5) and set(points.unique().tolist()) == {-1.0, 1.0}
    patterns = [tuple(row) for row in points[:, :3].tolist()]
    assert {pattern: patterns.count(pattern) for pattern in patterns} == dict.fromkeys(
        itertools.product([-1.0, 1.0], repeat=3), 4
    )
    for rows in points[:, 3:].view(8, 4, 2):
        assert torch.equal(rows, points[:4, 3:])


def test_monomials_do_not_mix_on_these_points():
    points = support_points(3, 6, 5, generator_for(1), torch.float64)
    supports = [s for k in (1, 2, 3) for s in itertools.combinations((1, 2, 3), k)]
    values = monomial_values(points, supports)
    torch.testing.assert_close(values.T @ values / len(points), torch.eye(7, dtype=torch.float64))
    by_hand = points[:, 0] * points[:, 2]
    assert torch.equal(values[:, supports.index((1, 3))], by_hand)


@pytest.mark.parametrize("degrees", [0.0, 30.0])
def test_hermite_coefficients_of_a_network_are_its_integrals(degrees):
    """Midpoint sums over a fine grid of the plane have an error below 1e-5 at the kinks of so few neurons."""
    f, frame = network(4, 2), turned(degrees)
    axis = torch.arange(-8, 8, 0.01, dtype=torch.float64) + 0.005
    X = torch.cartesian_prod(axis, axis)
    mass = torch.exp(-X.square().sum(1) / 2) / (2 * math.pi) * 0.01**2
    values, U = f(X) * mass, X @ frame
    orders = [(1, 0), (0, 1), (2, 0), (1, 1), (0, 2), (2, 1), (4, 0), (3, 2)]
    expected = torch.stack([(values * hermite(i, U[:, 0]) * hermite(j, U[:, 1])).sum() for i, j in orders])
    torch.testing.assert_close(hermite_coefficients(f, orders, frame), expected, rtol=0, atol=1e-5)


def test_hermite_coefficients_know_nothing_of_the_axes():
    """A network turned with its directions has the coefficients that it had."""
    f, orders = network(5, 4), [(1, 0), (1, 1), (2, 1)]
    Q = torch.linalg.qr(drawn(4, 4, seed=3))[0]
    frame = torch.eye(4, dtype=torch.float64)[:, :2]
    torch.testing.assert_close(
        hermite_coefficients(TwoLayerNetwork(f.W @ Q.T, f.a, f.b), orders, Q @ frame),
        hermite_coefficients(f, orders, frame),
    )


def test_coefficients_follow_the_precision_of_the_network():
    f, frame = network(5, 4), torch.eye(4, dtype=torch.float64)[:, :2]
    single = hermite_coefficients(f.to(f.W.float()), [(1, 0), (2, 1)], frame)
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), hermite_coefficients(f, [(1, 0), (2, 1)], frame), rtol=1e-4, atol=1e-5)


def test_a_sum_and_a_product_become_squares_at_45_degrees():
    """(z1 + z2)/sqrt(2) + z1 z2 = u + (u^2 - v^2)/2 = h1(u) + h2(u)/sqrt(2) - h2(v)/sqrt(2)."""
    target = on_axes("(z1 + z2)/sqrt(2) + z1*z2", 3)
    found = target_coefficients(target, [(1, 0), (2, 0), (0, 2)], target.frame @ turned(45))
    by_hand = torch.tensor([1, 1 / math.sqrt(2), -1 / math.sqrt(2)], dtype=torch.float64)
    torch.testing.assert_close(found, by_hand)


def test_target_coefficients_are_the_exact_ones_of_the_text():
    target = parse_target("2*z1 + 3*h2(z1)*z2 - h3(z3)", 6, seed=1)
    found = target_coefficients(target, [(1, 0, 0), (2, 1, 0), (0, 0, 3)], target.frame)
    torch.testing.assert_close(found, torch.tensor([2.0, 3.0, -1.0], dtype=torch.float64))


def test_the_ratio_of_displacements_by_hand():
    """Moves (3, 0, 1) and (3, 0, 1): root mean squares sqrt(9/2) on the first two, 1 on the third."""
    before = network(2, 3)
    after = TwoLayerNetwork(before.W + torch.tensor([3.0, 0, 1], dtype=torch.float64), before.a, before.b)
    assert displacement_ratio(before, after, (1, 2)) == pytest.approx(math.sqrt(4.5))
    assert displacement_ratio(before, after, (2,)) == 0
    assert displacement_ratio(before, after, (3,)) == pytest.approx(1 / math.sqrt(4.5))


def test_expected_gradients_of_one_half_space_by_hand():
    """1[x1 > 0] = (1 + x1)/2. With chi = x1 x2 the gradient in x2 is E x1 (1 + x1)/2 = 1/2, and elsewhere it is 0."""
    axis = TwoLayerNetwork(torch.tensor([[1.0, 0, 0]]), torch.ones(1), torch.zeros(1))
    assert expected_gradients(axis, 2) == pytest.approx((math.sqrt(1 / 8), 0))
    assert expected_gradients(axis, 1) == pytest.approx((1 / 2, 0))  # E x1 1[x1 > 0] x1 = 1/2


def test_expected_gradients_of_a_majority():
    """The majority of three bits is (x1 + x2 + x3 - x1 x2 x3)/2, and 1[majority] half of it and one half.

    For k = 2 the coefficient of degree one, 1/4, stands on the parity, that of degree three, 1/4 in size, beside it.
    """
    majority = TwoLayerNetwork(torch.ones(1, 3), torch.ones(1), torch.zeros(1))
    assert expected_gradients(majority, 2) == pytest.approx((1 / 4, 1 / 4))
    idle = TwoLayerNetwork(torch.tensor([[1.0, 1, 1, 0]]), torch.ones(1), torch.zeros(1))
    assert expected_gradients(idle, 2) == pytest.approx((1 / 4, math.sqrt(1 / 32)))  # nothing in the fourth coordinate
    assert expected_gradients(majority, 1) == pytest.approx((1 / 2, 0))


def test_bad_input_is_a_sentence():
    f, frame = network(3, 4), torch.eye(4, dtype=torch.float64)[:, :2]
    with pytest.raises(BadParameter, match="q = 7"):
        support_points(7, 8, 2, generator_for(0), torch.float64)
    with pytest.raises(BadParameter, match="coordinate 5: X has 4 columns"):
        monomial_values(f.W, [(5,)])
    with pytest.raises(BadParameter, match="each must hold variables"):
        monomial_values(f.W, [()])
    with pytest.raises(BadParameter, match="each must hold 2 degrees, not all zero"):
        hermite_coefficients(f, [(0, 0)], frame)
    with pytest.raises(BadParameter, match="directions has 3 rows: it must have 4"):
        hermite_coefficients(f, [(1, 0)], frame[:3])
    with pytest.raises(BadParameter, match="name a coefficient that the target does not have"):
        target_coefficients(on_axes("z1", 4), [(1, 0), (1, 1)], frame)
    with pytest.raises(BadParameter, match="not all"):
        displacement_ratio(f, f, (1, 2, 3, 4))
    with pytest.raises(BadParameter, match="no weight has moved"):
        displacement_ratio(f, f, (1,))
    with pytest.raises(BadParameter, match="degree = 4"):
        expected_gradients(f, 4)
    with pytest.raises(BadParameter, match="give one shape"):
        displacement_ratio(f, network(3, 5), (1,))
