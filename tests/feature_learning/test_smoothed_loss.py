"""The smoothed neuron against quadrature, finite differences and the average in d dimensions."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad

from beyond_kernel.checks import BadParameter
from beyond_kernel.feature_learning.overlap_chain import Block, correlation_rule
from beyond_kernel.feature_learning.overlap_equation import overlap_equation
from beyond_kernel.feature_learning.scaled_link import scaled_link
from beyond_kernel.feature_learning.smoothed_loss import (
    _sphere_rule,
    smoothed_rule,
    smoothed_slope,
    two_stage_rule,
    two_stages,
)

F64 = torch.float64


def smoothed_value(link, a, square, d, radius):
    """Return g_lambda by scipy: one coordinate of the sphere in d - 1 dimensions has density (1 - t^2)^((d-4)/2)."""
    g, length = scaled_link(link), math.sqrt(1 + radius**2)

    def value(t):
        return float(g(torch.tensor([(a + radius * math.sqrt(square - a * a) * t) / length], dtype=F64)))

    density = quad(lambda t: (1 - t * t) ** ((d - 4) / 2), -1, 1)[0]
    return quad(lambda t: value(t) * (1 - t * t) ** ((d - 4) / 2), -1, 1)[0] / density


@pytest.mark.parametrize("link", ["he3", "h3(z1) + h4(z1)/2", "he5", "tanh"])
@pytest.mark.parametrize(("d", "radius"), [(5, 0.7), (30, 2.5)])
def test_the_slope_is_the_difference_quotient_at_fixed_length(link, d, radius):
    a, Q, h = 0.8, d - 1.5, 1e-4
    square = Q + a * a
    quotient = (smoothed_value(link, a + h, square, d, radius) - smoothed_value(link, a - h, square, d, radius)) / (
        2 * h
    )
    slope = float(smoothed_slope(link, torch.tensor([a], dtype=F64), torch.tensor([Q], dtype=F64), d, radius))
    assert slope == pytest.approx(quotient, rel=1e-4 if link == "tanh" else 1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, F64])
def test_the_third_polynomial_has_its_closed_form(dtype):
    """sqrt(6) g = (a^3 + 3 a lambda^2 Q / (d - 1)) / L^3 - 3 a / L with Q = |x|^2 - a^2."""
    generator = torch.Generator().manual_seed(0)
    a, Q, d, lam = (
        torch.randn(50, generator=generator, dtype=F64),
        3 + 20 * torch.rand(50, generator=generator),
        17,
        1.7,
    )
    Q, length = Q.double(), math.sqrt(1 + lam**2)
    exact = (3 * a**2 + 3 * lam**2 * (Q - 2 * a**2) / (d - 1)) / length**3 - 3 / length
    slope = smoothed_slope("he3", a.to(dtype), Q.to(dtype), d, lam)
    assert slope.dtype == dtype
    torch.testing.assert_close(
        slope.double(), exact / math.sqrt(6), rtol=1e-4 if dtype == torch.float32 else 1e-10, atol=1e-5
    )


def test_the_gradient_of_the_average_in_d_dimensions_is_the_slope_times_the_projected_input():
    """Autograd of the mean over 200,000 points of the sphere orthogonal to w; error bars from ten parts of them."""
    d, radius, link = 6, 1.3, scaled_link("h3(z1) + h4(z1)/2")
    generator = torch.Generator().manual_seed(1)
    w = torch.nn.functional.normalize(torch.randn(d, generator=generator, dtype=F64), dim=0)
    x = torch.randn(d, generator=generator, dtype=F64)
    gradients = []
    for _ in range(10):
        drawn, moved = torch.randn(20_000, d, generator=generator, dtype=F64), w.clone().requires_grad_()
        unit = moved / moved.norm()
        v = torch.nn.functional.normalize(drawn - (drawn @ unit)[:, None] * unit, dim=1)
        smooth = link.powers
        points = ((unit + radius * v) / math.sqrt(1 + radius**2)) @ x
        sum(coefficient * points**k for k, coefficient in enumerate(smooth)).mean().backward()
        gradients.append(moved.grad)
    found = torch.stack(gradients)
    a = x @ w
    Q = x @ x - a * a
    exact = smoothed_slope(link, a[None], Q[None], d, radius) * (x - a * w)
    assert bool(((found.mean(0) - exact).abs() <= 5 * found.std(0) / math.sqrt(10) + 1e-9).all())
    assert exact.norm() > 20 * (found.std(0) / math.sqrt(10)).norm()  # so that a factor shows


@pytest.mark.parametrize("m", [0.0, 0.05, 0.4])
def test_the_drift_is_the_gradient_of_the_smoothed_power_of_the_overlap(m):
    """E h_3(<u, x>) h_3 smoothed is E (m + lambda s t)^3 / L^3 = (m^3 + 3 m lambda^2 (1 - m^2) / (d - 1)) / L^3."""
    d, lam = 40, 1.9
    rule = smoothed_rule("he3", torch.tensor([0.2], dtype=F64), torch.tensor([d]), torch.tensor([lam], dtype=F64))
    drift, _ = overlap_equation("he3", rule, d).drift_and_noise(m)
    slope = (3 * m**2 + 3 * lam**2 * (1 - 3 * m**2) / (d - 1)) / (1 + lam**2) ** 1.5
    assert drift == pytest.approx(0.2 * (1 - m**2) * slope, rel=1e-9)


@pytest.mark.parametrize("d", [3, 4, 5, 50, 100_000])
def test_the_nodes_have_the_moments_of_the_sphere(d):
    """E t^(2j) = (2j - 1)!! / (D (D + 2) ... (D + 2j - 2)) with D = d - 1."""
    t, weights = _sphere_rule(d, 5)
    exact = 1.0
    for power in range(0, 10, 2):
        assert float(weights @ t**power) == pytest.approx(exact, rel=1e-9)
        assert abs(float(weights @ t ** (power + 1))) < 1e-12
        exact *= (power + 1) / (d - 1 + power)


def test_without_a_radius_the_slope_is_that_of_the_link():
    z, Q = torch.linspace(-2, 2, 9, dtype=F64), torch.full((9,), 7.0, dtype=F64)
    torch.testing.assert_close(smoothed_slope("he3", z, Q, 9, 0.0), scaled_link("he3").derivative(z))


def test_a_replica_changes_to_the_plain_loss_after_its_own_switch():
    dims = torch.tensor([64, 100])
    stages = two_stages("he3", "he3", dims)._replace(switch=torch.tensor([5, 7]))
    z1, Q, y = np.full((4, 2), 0.6), np.full((4, 2), 50.0), np.array([1.0, 2.0])
    smooth = smoothed_rule("he3", stages.first_rates, dims, stages.radii)
    plain = correlation_rule("he3", stages.second_rates)
    rule = two_stage_rule("he3", dims, stages)
    for first in (0, 4, 20):
        block = Block(first, z1, Q, np.array([0, 1]))
        early, late, both = smooth(block), plain(block), rule(block)
        for row in range(4):
            expected = [
                (early if first + row < switch else late)(row, y)[i] for i, switch in enumerate(stages.switch.tolist())
            ]
            np.testing.assert_allclose(both(row, y), expected)


def test_the_first_stage_has_half_the_step_at_which_it_stalls():
    d = 256
    stages = two_stages("he3", "he3", torch.tensor([d]))
    assert float(stages.radii) == pytest.approx(4.0)  # 256^(1/4)
    steps = []
    for factor in (1.0, 1.9, 2.1):
        rule = smoothed_rule("he3", factor * stages.first_rates, torch.tensor([d]), stages.radii)
        steps.append(overlap_equation("he3", rule, d).steps_to(d**-0.25, d**-0.5))
    assert steps[0] == pytest.approx(float(stages.switch), abs=1.0) and steps[1] < math.inf == steps[2]


@pytest.mark.parametrize(
    ("link", "d", "handover", "sentence"),
    [
        ("he3", 64, 5.0, "handover = 5 is out of range at d = 64"),
        ("he3", 64, 0.1, "must be above 0.12"),
        ("he3", 64, -1.0, "handover = -1"),
        ("step", 64, 1.0, "derivative that is zero"),
    ],
)
def test_a_bad_schedule_ends_in_one_sentence(link, d, handover, sentence):
    with pytest.raises(BadParameter, match=sentence):
        two_stages(link, link, torch.tensor([d]), handover=handover)


def test_bad_lengths_and_sizes_are_named():
    z = torch.ones(3, dtype=F64)
    with pytest.raises(BadParameter, match="Q holds 0"):
        smoothed_slope("he3", z, 0 * z, 9, 1.0)
    with pytest.raises(BadParameter, match="rates holds -1"):
        smoothed_rule("he3", -z, [5, 5, 5], z)
    with pytest.raises(BadParameter, match="radii holds -1"):
        smoothed_rule("he3", z, [5, 5, 5], -z)
    with pytest.raises(BadParameter, match="rates has shape"):
        smoothed_rule("he3", z, [5, 5], z)
