"""The chain of the overlap against the simulation in d dimensions, closed forms and limits."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import ks_2samp, kstest

from beyond_kernel.checks import BadParameter
from beyond_kernel.feature_learning.online_sgd import (
    correlation_pull,
    draw_weights,
    online_sgd,
    simulated_hitting_steps,
    square_pull,
)
from beyond_kernel.feature_learning.overlap_chain import (
    correlation_rule,
    hitting_steps,
    overlap_paths,
    square_rule,
    start_overlaps,
)
from beyond_kernel.random_streams import generator_for

F64 = torch.float64
LOSSES = {"square": (square_rule, square_pull), "correlation": (correlation_rule, correlation_pull)}


def equal_dims(d, replicas):
    return torch.full((replicas,), d)


def full(replicas, value):
    return torch.full((replicas,), value, dtype=F64)


@pytest.mark.parametrize(
    ("link", "activation", "loss", "d", "rate", "noise", "steps"),
    [
        ("he1", "he1", "square", 3, 0.3, 0.0, 5),  # Q has one degree of freedom besides z2: a wrong count shows
        ("he2", "he2", "square", 6, 0.1, 0.5, 12),
        ("he3", "he3", "correlation", 16, 0.02, 0.0, 60),
        ("tanh", "relu", "square", 8, 0.2, 0.3, 12),
    ],
)
def test_the_chain_has_the_law_of_the_simulation(link, activation, loss, d, rate, noise, steps):
    """Two-sample test of the overlaps after some steps, in d dimensions and by the chain; small d, large steps."""
    rule, pull = LOSSES[loss]
    chain, simulated = 8000, 4000
    generator = generator_for(0, link, d)
    dims = equal_dims(d, chain)
    rates = full(chain, rate)
    m = overlap_paths(
        link, rule(activation, rates), start_overlaps(dims, generator), dims, [steps], generator, noise=noise
    )[0]
    u = torch.nn.functional.normalize(torch.arange(1.0, d + 1, dtype=F64), dim=0)
    W = draw_weights(simulated, d, generator)
    walk = online_sgd(link, pull(activation), W, u, full(simulated, rate), generator, noise=noise)
    for _ in range(steps + 1):
        W = next(walk)
    assert ks_2samp(m.numpy(), (W @ u).numpy()).pvalue > 1e-3


@pytest.mark.parametrize(("k", "d", "rate"), [(1, 20, 0.05), (2, 12, 0.03), (3, 10, 0.02)])
def test_the_chain_reaches_the_level_when_the_simulation_does(k, d, rate):
    link, replicas, budget = f"he{k}", 600, 3000
    generator = generator_for(1, link)
    dims = equal_dims(d, 4 * replicas)
    starts, rates = start_overlaps(dims, generator), full(4 * replicas, rate)
    chain = hitting_steps(link, correlation_rule(link, rates), starts, dims, budget, generator)
    u = torch.eye(d, dtype=F64)[1]
    walk = online_sgd(
        link, correlation_pull(link), draw_weights(replicas, d, generator), u, full(replicas, rate), generator
    )
    simulated = simulated_hitting_steps(walk, u, budget, 0.5)
    capped = (times.clamp(max=budget + 1).numpy() for times in (chain, simulated))
    assert ks_2samp(*capped).pvalue > 1e-3
    assert simulated.isfinite().double().mean() > 0.9


def test_starts_are_uniform_on_the_sphere():
    """In d = 3 the overlap of a uniform vector is uniform on (-1, 1) (Archimedes); in d = 50 it has variance 1/50."""
    generator = generator_for(0, "starts")
    flat = start_overlaps(equal_dims(3, 4000), generator)
    assert kstest(flat.numpy(), "uniform", (-1, 2)).pvalue > 1e-3
    assert float(start_overlaps(equal_dims(50, 20000), generator).var()) * 50 == pytest.approx(1, abs=0.06)  # six sd


def test_large_dimension_follows_the_differential_equation():
    """At d = 10^6 the linear neuron reaches one half after d times an integral, up to one per cent.

    For the loss -y z: dm/dt = delta (1 - m^2) - delta^2 m / 2, as E[y s z2] = s^2 and E y^2 = 1.
    """
    delta, d, replicas = 8.0, 100_000, 16
    dims, generator = equal_dims(d, replicas), generator_for(0, "ode")
    rule = correlation_rule("he1", full(replicas, delta / d))
    level = 0.1
    steps = hitting_steps("he1", rule, full(replicas, 0.0), dims, 10_000, generator, level=level)
    expected = d * quad(lambda m: 1 / (delta * (1 - m**2) - delta**2 * m / 2), 0, level)[0]
    assert float(steps.median()) == pytest.approx(expected, rel=0.05)


def test_replicas_of_several_dimensions_do_not_touch_each_other():
    """Hitting times of two dimensions in one vector have the laws that each has alone."""
    generator = generator_for(0, "mixed")
    mixed = torch.tensor([10, 200]).repeat(500)
    rates = 0.5 / mixed.double()
    together = hitting_steps(
        "he1", square_rule("he1", rates), start_overlaps(mixed, generator), mixed, 10**5, generator
    )
    for d in (10, 200):
        dims = equal_dims(d, 500)
        rule = square_rule("he1", full(500, 0.5 / d))
        alone = hitting_steps("he1", rule, start_overlaps(dims, generator), dims, 10**5, generator)
        assert ks_2samp(together[mixed == d].numpy(), alone.numpy()).pvalue > 1e-3


def test_hitting_steps_agree_with_paths_across_blocks():
    """With one replica, and whole blocks of 1024 steps, the same draws lie behind both."""
    dims, starts = equal_dims(5000, 1), full(1, 0.0)
    rule = square_rule("he1", full(1, 0.4 / 5000))
    steps = int(hitting_steps("he1", rule, starts, dims, 10**5, generator_for(0, "one")))
    path = overlap_paths(
        "he1", rule, starts, dims, [steps - 1, steps, 1024 * (steps // 1024 + 1)], generator_for(0, "one")
    )
    assert steps > 2000 and abs(path[0, 0]) < 0.5 <= abs(path[1, 0])


def test_the_budget_ends_the_run_and_a_start_counts_as_step_zero():
    dims, generator = equal_dims(100, 3), generator_for(0, "budget")
    starts = torch.tensor([0.0, -0.7, 0.0], dtype=F64)
    budget = torch.tensor([5, 5, 2000])
    steps = hitting_steps("he1", square_rule("he1", full(3, 0.01)), starts, dims, budget, generator)
    assert steps[0] == math.inf and steps[1] == 0 and 50 < steps[2] < 2000


def test_overlaps_stay_in_range_at_steps_that_are_far_too_large():
    dims, generator = equal_dims(4, 200), generator_for(0, "large")
    paths = overlap_paths("he3", square_rule("he3", full(200, 50.0)), full(200, 1.0), dims, range(0, 300), generator)
    assert float(paths.abs().max()) <= 1 + 1e-12 and np.isfinite(paths.numpy()).all()


def test_wrong_input_ends_in_one_sentence():
    dims, generator = equal_dims(10, 2), generator_for(0, "wrong")
    rule = square_rule("he1", full(2, 0.1))
    with pytest.raises(BadParameter, match="of at least 3"):
        start_overlaps(torch.tensor([2]), generator)
    with pytest.raises(TypeError, match="whole numbers"):
        start_overlaps(torch.tensor([10.0]), generator)
    with pytest.raises(BadParameter, match="from -1 to 1"):
        hitting_steps("he1", rule, full(2, 1.5), dims, 10, generator)
    with pytest.raises(BadParameter, match="must have shape"):
        hitting_steps("he1", rule, full(3, 0.0), dims, 10, generator)
    with pytest.raises(BadParameter, match="ascending"):
        overlap_paths("he1", rule, full(2, 0.0), dims, [3, 3], generator)
    with pytest.raises(BadParameter, match="above 0"):
        square_rule("he1", full(2, 0.0))
    with pytest.raises(BadParameter, match="no gradient"):
        square_rule("sign", full(2, 0.1))
    with pytest.raises(BadParameter, match="constant"):
        hitting_steps(lambda z: 0 * z, rule, full(2, 0.0), dims, 10, generator)
