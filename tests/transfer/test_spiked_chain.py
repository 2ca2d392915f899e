"""The chain of two numbers against online SGD in d dimensions, written with autograd, and against the chain of one."""

import math

import pytest
import torch
from scipy.stats import ks_2samp

from beyond_kernel.checks import BadParameter
from beyond_kernel.feature_learning.overlap_chain import overlap_paths, square_rule
from beyond_kernel.random_streams import generator_for
from beyond_kernel.transfer.spiked_chain import spiked_hits, spiked_samples, spiked_sgd
from beyond_kernel.transfer.spiked_neuron import spiked_neuron

F64 = torch.float64
CHANCE = 1e-3  # a Kolmogorov-Smirnov test at this level is red in one of a thousand seeds, and the seeds are fixed


def full(replicas, value):
    return torch.full((replicas,), value, dtype=F64)


def simulated(link, d, strength, cosine, rate, steps, start, noise, seed):
    """Return overlaps with u and mu after some steps in d dimensions, from one start for each replica."""
    rng = torch.Generator().manual_seed(seed)
    v, e = torch.eye(d, dtype=F64)[:2]
    u = cosine * v + math.sqrt(1 - cosine**2) * e
    W = start.clone()
    for _ in range(steps):
        X = torch.randn(len(W), d, generator=rng, dtype=F64)
        X = X + (math.sqrt(1 + strength) - 1) * (X @ v)[:, None] * v
        y = link(X @ u) + noise * torch.randn(len(W), generator=rng, dtype=F64)
        moving = W.clone().requires_grad_()
        gradient = torch.autograd.grad(((link((X * moving).sum(1)) - y) ** 2 / 2).sum(), moving)[0]
        W = W - rate * (gradient - (gradient * W).sum(1, keepdim=True) * W)
        W = W / W.norm(dim=1, keepdim=True)
    return (W @ u).numpy(), (W @ v).numpy()


@pytest.mark.parametrize(
    ("text", "d", "strength", "cosine", "rate", "noise", "steps"),
    [
        ("h3(z1)", 10, 1.0, 0.45, 0.004, 0.0, 120),
        ("h2(z1) + z1", 5, 3.0, 0.8, 0.03, 0.3, 40),  # two degrees of freedom beside: a wrong count shows
        ("h4(z1)", 8, 0.5, 0.6, 0.002, 0.5, 60),
    ],
)
def test_the_chain_has_the_law_of_the_simulation(text, d, strength, cosine, rate, noise, steps):
    replicas = 2000
    task = spiked_neuron(text, d, strength, cosine, noise)
    start = torch.zeros(replicas, d, dtype=F64)
    start[:, :3] = torch.tensor([0.7, 0.1, math.sqrt(0.5)], dtype=F64)
    u, v = simulated(task.link, d, strength, cosine, rate, steps, start, noise, 3)
    run = spiked_sgd(task, start[:, :2], full(replicas, rate), [steps], generator_for(3, text))
    assert ks_2samp(u, run.overlaps[0].numpy()).pvalue > CHANCE
    assert ks_2samp(v, run.states[0, :, 0].numpy()).pvalue > CHANCE
    assert u.std() > 0.02  # there is something to compare


def test_without_a_spike_the_chain_is_that_of_one_number():
    d, rate, steps, replicas = 20, 0.01, 200, 2000
    starts = torch.zeros(replicas, 2, dtype=F64)
    starts[:, 1] = 0.4  # along u where the cosine is 0
    rates = full(replicas, rate)
    two = spiked_sgd(spiked_neuron("he2", d, 0.0, 0.0), starts, rates, [steps], generator_for(4, "two"))
    rule = square_rule("he2", rates)
    one = overlap_paths("he2", rule, starts[:, 1], [d] * replicas, [steps], generator_for(4, "one"))
    assert ks_2samp(one[0].numpy(), two.overlaps[0].numpy()).pvalue > CHANCE


def test_a_sample_has_the_moments_of_an_input():
    """E|x|^2 = d + theta with variance 2 (d - 1) + 2 (1 + theta)^2, and E y = 0 for an odd link; errors at 5 sigma."""
    d, theta, n = 12, 2.0, 100_000
    x, squares, y = spiked_samples(spiked_neuron("he3", d, theta, 0.6, 0.5), n, 1, generator_for(0))
    spread = 2 * (d - 1) + 2 * (1 + theta) ** 2
    assert abs(squares.mean() - d - theta) < 5 * math.sqrt(spread / n)
    assert squares.var() == pytest.approx(spread, rel=0.05)
    assert x[0].var() == pytest.approx(1 + theta, rel=0.03) and x[1:].var() == pytest.approx(1, rel=0.03)
    assert (squares >= (x**2).sum(0)).all() and abs(y.mean()) < 5 * y.std() / math.sqrt(n)


def test_reached_is_the_first_step_and_records_agree():
    task = spiked_neuron("z1", 10, 0.0, 1.0)
    starts = torch.tensor([[0.95, 0.0], [0.1, 0.0]], dtype=F64)
    run = spiked_sgd(task, starts, full(2, 0.05), list(range(150)), generator_for(7), level=0.8)
    assert run.reached[0] == 0
    assert run.reached[1] == int((run.overlaps[:, 1] >= 0.8).nonzero()[0])
    torch.testing.assert_close(run.states[..., 0], run.overlaps)  # u is the spike


def test_hits_are_those_of_the_full_run_on_the_same_draws():
    task, rates = spiked_neuron("z1", 10, 0.0, 1.0), full(5, 0.05)
    starts = torch.tensor([[0.95, 0.0], [0.1, 0.0], [0.3, 0.1], [-0.2, 0.0], [0.7, 0.0]], dtype=F64)
    run = spiked_sgd(task, starts[1:], rates[1:], [150], generator_for(7), level=0.8)
    hits = spiked_hits(task, starts, rates, 150, generator_for(7), level=0.8)
    assert hits.tolist() == [0.0, *run.reached.tolist()]


@pytest.mark.parametrize("text", ["h3(z1)", "h2(z1)"])
def test_hits_have_the_law_of_the_full_run(text):
    task = spiked_neuron(text, 12, 1.0, 0.8)
    starts = torch.tensor([[-0.7, 0.0] if text == "h2(z1)" else [0.7, 0.0]], dtype=F64).repeat(400, 1)
    rates, budget = full(400, 0.003), 800
    full_run = spiked_sgd(task, starts, rates, [budget], generator_for(8, "run"), level=0.85).reached
    hits = spiked_hits(task, starts, rates, budget, generator_for(8, "hits"), level=0.85)
    late = budget + 1.0
    assert ks_2samp(full_run.clamp(max=late).numpy(), hits.clamp(max=late).numpy()).pvalue > CHANCE
    assert 0.3 < float(hits.isfinite().double().mean()) <= 1 and float(hits.min()) >= 1


def test_each_replica_has_its_own_step():
    task = spiked_neuron("z1", 50, 0.0, 1.0)
    rates = torch.tensor([1e-9, 0.01], dtype=F64)
    run = spiked_sgd(task, torch.full((2, 2), 0.1, dtype=F64), rates, [300], generator_for(9))
    assert float(run.overlaps[0, 0]) == pytest.approx(0.1, abs=1e-4) and float(run.overlaps[0, 1]) > 0.8


def test_single_precision_is_taken():
    task = spiked_neuron("he3", 20, 1.0, 0.45)
    found = [
        spiked_sgd(
            task, torch.full((3, 2), 0.25, dtype=dtype), torch.full((3,), 2**-8, dtype=dtype), [50], generator_for(1)
        )
        for dtype in (torch.float32, F64)
    ]
    torch.testing.assert_close(found[0].overlaps, found[1].overlaps)


STATES, RATES = torch.zeros(2, 2), torch.full((2,), 0.1)


@pytest.mark.parametrize(
    ("states", "rates", "at", "named"),
    [
        (torch.ones(2, 2), RATES, [5], "at most 1"),
        (torch.zeros(2, 3), RATES, [5], "starts has shape"),
        (STATES, RATES[:1], [5], "rates has shape"),
        (STATES, 0 * RATES, [5], "above 0"),
        (STATES, RATES, [5, 2], "ascending"),
        (STATES, RATES, [-1], r"at\[0\] = -1"),
    ],
)
def test_bad_values_end_in_one_sentence(states, rates, at, named):
    with pytest.raises(BadParameter, match=named):
        spiked_sgd(spiked_neuron("z1", 10, 1.0, 0.4), states, rates, at, generator_for(0))


def test_a_bad_budget_or_level_is_refused():
    task = spiked_neuron("z1", 10, 1.0, 0.4)
    with pytest.raises(BadParameter, match="budget = 0"):
        spiked_hits(task, STATES, RATES, 0, generator_for(0))
    with pytest.raises(BadParameter, match="level = 1"):
        spiked_hits(task, STATES, RATES, 5, generator_for(0), level=1.0)
