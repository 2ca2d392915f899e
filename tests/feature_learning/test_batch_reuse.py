"""The step with an inner step on the same sample against the simulation in d dimensions and a series in its size."""

import numpy as np
import pytest
import torch
from scipy.stats import ks_2samp

from beyond_kernel.checks import BadParameter
from beyond_kernel.feature_learning.batch_reuse import outer_factor, reuse_rule
from beyond_kernel.feature_learning.overlap_chain import Block, correlation_rule, overlap_paths, start_overlaps
from beyond_kernel.feature_learning.overlap_equation import overlap_equation
from beyond_kernel.feature_learning.scaled_link import scaled_link
from beyond_kernel.random_streams import generator_for

F64 = torch.float64


def full(replicas, value):
    return torch.full((replicas,), value, dtype=F64)


def simulated(link, d, rate, inner, reach, steps, replicas, generator):
    """Return overlaps in d dimensions, gradients taken by autograd: a plain inner step, then a spherical outer one."""
    f, g = scaled_link(link), scaled_link("he3")

    def neuron(z):  # the cubic, continued as a straight line
        inside = z.clamp(-reach, reach)
        return g(inside) + g.derivative(inside).detach() * (z - inside)

    W = torch.nn.functional.normalize(torch.randn(replicas, d, generator=generator, dtype=F64), dim=1)
    for _ in range(steps):
        X = torch.randn(replicas, d, generator=generator, dtype=F64)
        y = f(X[:, 0])
        moved = W
        for size in (inner, rate):
            at = moved.clone().requires_grad_()
            gradient = torch.autograd.grad((y * neuron((at * X).sum(1))).sum(), at)[0]
            moved = W + size * gradient
        along = gradient - (gradient * W).sum(1, keepdim=True) * W
        W = torch.nn.functional.normalize(W + rate * along, dim=1)
    return W[:, 0]


@pytest.mark.parametrize(
    ("link", "d", "rate", "inner", "steps"),
    [("he3", 5, 0.05, 0.1, 6), ("he3", 20, 0.01, 0.03, 40), ("h3(z1) + h4(z1)/2", 12, 0.02, 0.05, 30)],
)
def test_the_chain_has_the_law_of_the_simulation(link, d, rate, inner, steps):
    generator = generator_for(0, link, d)
    chain, replicas = 8000, 4000
    dims = torch.full((chain,), d)
    rule = reuse_rule("he3", full(chain, rate), full(chain, inner), reach=2.0)
    m = overlap_paths(link, rule, start_overlaps(dims, generator), dims, [steps], generator)[0]
    other = simulated(link, d, rate, inner, 2.0, steps, replicas, generator)
    assert ks_2samp(m.numpy(), other.numpy()).pvalue > 0.001  # the smallest of three tests


def test_the_step_is_the_gradient_at_the_weight_that_the_inner_step_reaches():
    """With vectors in three dimensions; the inner step is along x itself, not along its part orthogonal to w."""
    rate, inner, y = 0.3, 0.05, 1.7
    w, x = np.array([0.6, 0.0, 0.8]), np.array([0.9, -0.4, 0.5])
    a = w @ x
    moved = w + inner * y * np.sqrt(1.5) * (a**2 - 1) * x
    exact = rate * y * np.sqrt(1.5) * ((moved @ x) ** 2 - 1)  # h_3' = sqrt(3) h_2
    block = Block(0, np.array([[a]]), np.array([[x @ x - a**2]]), np.arange(1))
    found = reuse_rule("he3", full(1, rate), full(1, inner))(block)(0, np.array([y]))
    np.testing.assert_allclose(found, exact, rtol=1e-12)


def test_without_an_inner_step_it_is_the_plain_step():
    z1, Q, y = np.linspace(-2.9, 2.9, 5)[None], np.full((1, 5), 9.0), np.linspace(-1, 2, 5)
    block = Block(0, z1, Q, np.arange(5))
    plain, reuse = correlation_rule("he3", full(5, 0.2)), reuse_rule("he3", full(5, 0.2), full(5, 0.0))
    np.testing.assert_allclose(reuse(block)(0, y), plain(block)(0, y), rtol=1e-12)


def test_beyond_the_reach_the_activation_is_a_straight_line():
    block = Block(0, np.array([[1.5, 4.0, -9.0]]), np.full((1, 3), 9.0), np.arange(3))
    c = reuse_rule("he3", full(3, 1.0), full(3, 0.0), reach=1.5)(block)(0, np.ones(3))
    np.testing.assert_allclose(c, np.sqrt(1.5) * (1.5**2 - 1))  # h_3' = sqrt(3) h_2


def test_a_small_inner_step_adds_the_drift_of_the_square_of_the_label():
    """To first order in r the drift gains r d E[z (g' g'')(z)] E[(v^2 - 1) h_3(v)^2] m = r d * 6 * 6 m for he3.

    g' g'' = 3 z (z^2 - 1), so E[3 z^2 (z^2 - 1)] = 6; E[He_2 He_3^2] = 3! 3! 2! / (2! 1! 1!) = 36; h_3^2 = He_3^2 / 6.
    """
    d, m, inner = 10**6, 0.01, 1e-5
    drifts = [
        overlap_equation("he3", reuse_rule("he3", full(1, 1.0), full(1, r / d), reach=50.0), d).drift_and_noise(m)[0]
        for r in (0.0, inner)
    ]
    assert drifts[0] == pytest.approx(3 * m**2 * (1 - m**2), rel=1e-9)
    assert drifts[1] - drifts[0] == pytest.approx(36 * inner * m, rel=5e-3)  # the next order is 2e-3 of it


def test_the_outer_factor_is_half_of_what_stalls():
    """The equation is run at a dimension of its own: the factor belongs to large d."""
    factor, d = outer_factor("he3", "he3", 0.5), 10**5
    assert 0.03 < factor < 0.15  # twice it must stall, and .2 was found to stall in trials
    for times, arrives in ((1.0, True), (1.9, True), (2.1, False)):
        rule = reuse_rule("he3", full(1, times * factor / d), full(1, 0.5 / d))
        assert np.isfinite(overlap_equation("he3", rule, d).steps_to(0.5, d**-0.5)) == arrives


def test_an_activation_that_turns_away_is_refused_in_one_sentence():
    with pytest.raises(BadParameter, match="is not learnt by this step"):
        outer_factor("he3", "tanh", 0.1)


@pytest.mark.parametrize(
    ("rates", "inner", "reach", "sentence"),
    [
        (full(2, 0.0), full(2, 0.1), 3.0, "rates holds 0: a step size must be above 0"),
        (full(2, 0.1), full(2, -0.1), 3.0, "inner_rates holds -0.1: a step size must be at least 0"),
        (full(2, 0.1), full(3, 0.1), 3.0, "inner_rates has shape"),
        (full(2, 0.1), full(2, 0.1), 0.0, "reach = 0"),
    ],
)
def test_bad_sizes_are_named(rates, inner, reach, sentence):
    with pytest.raises(BadParameter, match=sentence):
        reuse_rule("he3", rates, inner, reach)
