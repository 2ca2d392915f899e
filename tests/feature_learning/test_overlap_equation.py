"""The differential equation of the overlap against closed forms, integrals and the chain."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.optimize import brentq

from beyond_kernel.checks import BadParameter
from beyond_kernel.feature_learning.overlap_chain import correlation_rule, overlap_paths, square_rule
from beyond_kernel.feature_learning.overlap_equation import _lengths, half_stalling, overlap_equation
from beyond_kernel.random_streams import generator_for


def one(value):
    return torch.tensor([value], dtype=torch.float64)


def test_the_first_hermite_polynomial_with_the_square_loss_is_an_exponential():
    """With c = (m z1 + s z2 - z1) / d: dm/dt = (1 - m^2) - m (1 - m) = 1 - m."""
    times = [0.0, 0.3, 1.0, 4.0]
    path = overlap_equation("he1", square_rule("he1", one(1 / 300)), 300).path(0.0, times)
    np.testing.assert_allclose(path, 1 - np.exp(-np.array(times)), atol=1e-7)  # rtol of the solver: 1e-8


def test_steps_to_a_level_are_the_integral_of_the_closed_form():
    """With steps of .5 / d: dm/dt = (1 - m)(2 + m) / 4."""
    d, start, level = 1000, 0.01, 0.6
    exact = d * quad(lambda m: 4 / ((1 - m) * (2 + m)), start, level)[0]
    steps = overlap_equation("he1", square_rule("he1", one(0.5 / d)), d).steps_to(level, start)
    assert steps == pytest.approx(exact, rel=2e-3)  # midpoints of 48 intervals


def test_the_correlation_loss_ends_on_a_plateau_and_stalls_above_it():
    """dm/dt = (1 - m^2) - m / 2 is zero at .781."""
    equation = overlap_equation("he1", correlation_rule("he1", one(1 / 50)), 50)
    plateau = brentq(lambda m: 1 - m**2 - m / 2, 0, 1)
    assert float(equation.path(0.0, [0.0, 30.0])[1]) == pytest.approx(plateau, abs=1e-6)
    assert equation.steps_to(0.9, 0.1) == math.inf and equation.steps_to(0.7, 0.1) < math.inf


@pytest.mark.parametrize("k", [1, 2, 3, 4])
@pytest.mark.parametrize("m", [-0.4, 0.0, 0.1, 0.7])
def test_the_drift_is_the_gradient_of_the_power_of_the_overlap(k, m):
    """E[h_k(<u, x>) h_k(<w, x>)] = m^k, whose gradient along the sphere is k m^(k-1) (1 - m^2)."""
    drift, _ = overlap_equation(f"he{k}", correlation_rule(f"he{k}", one(0.3)), 20).drift_and_noise(m)
    assert drift == pytest.approx(0.3 * k * m ** (k - 1) * (1 - m**2), abs=1e-10)


@pytest.mark.parametrize("noise", [0.0, 0.7])
def test_the_noise_of_the_second_polynomial_has_its_closed_form(noise):
    """E[(h_2(v) + e)^2 2 z^2] = E (v^2 - 1)^2 z^2 + 2 noise^2 = 2 + 8 m^2 + 2 noise^2 for correlation m of v and z."""
    drift, size = overlap_equation("he2", correlation_rule("he2", one(0.5)), 9, noise).drift_and_noise(0.3)
    assert size == pytest.approx(0.25 * (2 + 8 * 0.09 + 2 * noise**2), rel=1e-10)
    assert drift == pytest.approx(0.5 * 2 * 0.3 * (1 - 0.09), rel=1e-10)


def test_links_with_a_kink_agree_with_random_points():
    equation = overlap_equation("relu", square_rule("relu", one(1.0)), 30)
    z = torch.randn(2, 4_000_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    m, link = 0.4, equation.link
    v = m * z[0] + (1 - m * m) ** 0.5 * z[1]
    c = (link(v) - link(z[0])) * link.derivative(z[0])
    drift, noise = equation.drift_and_noise(m)
    assert drift == pytest.approx(float((c * (v - m * z[0])).mean()), rel=0.01)  # Gauss-Hermite at a kink or jump
    assert noise == pytest.approx(float((c * c).mean()), rel=0.01)


@pytest.mark.parametrize("d", [3, 4, 20, 10_000])
def test_the_lengths_have_the_moments_of_chi_squared(d):
    nodes, weights = map(np.array, zip(*_lengths(d), strict=True))
    exact = 1.0
    assert (nodes > 0).all() and weights.sum() == pytest.approx(1)
    for power in range(1, 6):
        exact *= d - 2 + 2 * (power - 1)
        assert weights @ nodes**power == pytest.approx(exact, rel=1e-9)


def test_the_mean_of_the_chain_follows_the_equation():
    d, replicas = 1000, 1000
    rule = correlation_rule("he1", torch.full((replicas,), 1 / d, dtype=torch.float64))
    dims, at = torch.full((replicas,), d), [0, 500, 1500, 3000]
    paths = overlap_paths("he1", rule, torch.zeros(replicas, dtype=torch.float64), dims, at, generator_for(1, "mean"))
    equation = overlap_equation("he1", rule, d).path(0.0, [step / d for step in at])
    errors = 5 * paths.std(1) / replicas**0.5 + 3 / d  # the bias is of order 1 / d
    assert bool(((paths.mean(1) - equation).abs() <= errors).all())


def test_half_the_stalling_step_is_where_the_closed_form_says():
    """With unit steps and h_1 drift and noise balance at the factor 2 (1 - m^2) / (d m), least at the level."""
    d, level = 100, 0.5
    half = half_stalling(overlap_equation("he1", correlation_rule("he1", one(1.0)), d), 0.1, level)
    assert half == pytest.approx((1 - level**2) / (d * level), rel=0.04)  # the last midpoint is 1.7 % below the level
    rates = {factor: correlation_rule("he1", one(factor * half)) for factor in (1.9, 2.1)}
    steps = {factor: overlap_equation("he1", rule, d).steps_to(level, 0.1) for factor, rule in rates.items()}
    assert steps[1.9] < math.inf and steps[2.1] == math.inf


def test_a_step_without_drift_is_refused_in_one_sentence():
    equation = overlap_equation("he3", correlation_rule("he2", one(1.0)), 50)
    with pytest.raises(BadParameter, match="is not learnt by this step.*zero or points away"):
        half_stalling(equation, 0.1, 0.5)


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (lambda e: e.path(2.0, [0.0, 1.0]), "start = 2.0 is out of range"),
        (lambda e: e.path(0.0, [1.0, 0.5]), "times must be ascending"),
        (lambda e: e.steps_to(0.1, 0.2), "must be below level"),
        (lambda e: e.drift_and_noise(1.5), "overlap = 1.5"),
        (lambda e: overlap_equation("he1", square_rule("he1", one(0.1)), 2), "d = 2"),
        (lambda e: overlap_equation("he1", square_rule("he1", one(0.1)), 5, -1.0), "noise = -1"),
    ],
)
def test_what_is_out_of_range_ends_in_one_sentence(fault, sentence):
    with pytest.raises(BadParameter, match=sentence):
        fault(overlap_equation("he1", square_rule("he1", one(0.1)), 5))
