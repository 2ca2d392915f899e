"""Doubts the chain of a rank-one update, and training of all rows, against autograd in d dimensions."""

import math

import pytest
import torch
from scipy.stats import ks_2samp

from beyond_kernel.checks import BadParameter
from beyond_kernel.random_streams import generator_for
from beyond_kernel.transfer.low_rank_finetuning import (
    BLOCK,
    median_samples,
    rank_one_risk,
    samples_needed,
    start_vectors,
    train_all_rows,
    train_rank_one,
)
from beyond_kernel.transfer.rank_one_task import network_risk, rank_one_task


def padded(rows, d):
    return torch.nn.functional.pad(rows, (0, d - rows.shape[1]))


def simulate(task, V, rates, steps, noise, generator):
    """Move vectors V (R, d) by autograd on the squared loss of the student as it is written in the chapter."""
    teacher, base = padded(task.teacher, task.dim), task.shrink * padded(task.unit_base, task.dim)
    deviation = noise * math.sqrt(task.variance)
    for _ in range(steps):
        X = torch.randn(V.shape, generator=generator, dtype=torch.float64)
        y = task.link(X @ teacher.T) @ task.head
        y = y + deviation * torch.randn(len(X), generator=generator, dtype=torch.float64)
        moving = V.clone().requires_grad_()
        rows = base + task.shrink * task.size * moving[:, None]
        powers = task.link.powers
        z = torch.einsum("rkd,rd->rk", rows, X)
        f = sum(power * z**degree for degree, power in enumerate(powers)) @ task.head
        (gradient,) = torch.autograd.grad(((f - y) ** 2 / 2).sum(), moving)
        V = V - rates[:, None] * (gradient - (gradient * V).sum(1, keepdim=True) * V)
        V = V / V.norm(dim=1, keepdim=True)
    return V


STEPS = 128
CASES = [
    ("he3", 0.006, {}),
    ("he3", 0.006, {"angle": 30.0}),
    ("(h2(z1)+h3(z1))/sqrt(2)", 0.008, {"coherence": 0.4, "heads": "equal"}),
    ("h2(z1)", 0.01, {"rescaled": False}),
]


@pytest.mark.parametrize(("link", "rate", "options"), CASES, ids=str)
def test_chain_has_the_law_of_the_simulation(link, rate, options):
    """Kolmogorov-Smirnov at three coordinates; twenty other seeds were above the level too."""
    task, replicas, noise = rank_one_task(link, 12, 3, 1.2, **options), 1000, 0.5
    D = task.coordinates
    V = torch.zeros(replicas, task.dim, dtype=torch.float64)
    V[:, 0], V[:, D - 1], V[:, D] = 0.3, 0.4, math.sqrt(1 - 0.25)
    rates = torch.full((replicas,), rate, dtype=torch.float64)
    rates[::2] *= 0.5
    run = train_rank_one(task, V[:, :D].T, rates, STEPS, generator_for(1, "chain"), noise=noise)
    there = simulate(task, V, rates, STEPS, noise, generator_for(1, "simulation"))
    for half in (slice(0, None, 2), slice(1, None, 2)):
        for coordinate in (0, 2, D - 1):
            assert ks_2samp(there[half, coordinate].numpy(), run.weights[coordinate, half].numpy()).pvalue > 1e-3
    rows = task.shrink * (padded(task.unit_base, task.dim) + task.size * there[:, None])
    assert ks_2samp(network_risk(task, rows).numpy(), run.risks[-1].numpy()).pvalue > 1e-3


def test_the_law_depends_on_the_dimension_through_the_length_of_x():
    """In higher dimension the same step shortens v more; a chain that forgot d would not."""
    ends = []
    for d in (12, 60):
        task = rank_one_task("he3", d, 3)
        state = torch.zeros(4, 400, dtype=torch.float64)
        state[-1] = 0.5
        rates = torch.full((400,), 0.01, dtype=torch.float64)
        ends.append(train_rank_one(task, state, rates, STEPS, generator_for(3)).weights[-1])
    V = torch.zeros(400, 60, dtype=torch.float64)
    V[:, 3], V[:, 4] = 0.5, math.sqrt(0.75)
    there = simulate(rank_one_task("he3", 60, 3), V, torch.full((400,), 0.01), STEPS, 0.0, generator_for(4))
    assert ks_2samp(there[:, 3].numpy(), ends[1].numpy()).pvalue > 1e-3
    assert ks_2samp(ends[0].numpy(), ends[1].numpy()).pvalue < 1e-6


@pytest.mark.parametrize("rescaled", [True, False])
def test_training_all_rows_takes_the_steps_of_autograd(rescaled):
    task = rank_one_task("(h2(z1)+h3(z1))/sqrt(2)", 11, 3, 1.0, rescaled=rescaled)
    length = 1.0 if rescaled else math.sqrt(2)
    W = torch.randn(2, 3, 11, generator=generator_for(2), dtype=torch.float64)
    rates = torch.tensor([0.01, 0.003], dtype=torch.float64)
    run = train_all_rows(task, W, rates, BLOCK, generator_for(3, "rows"), noise=0.3)
    generator = generator_for(3, "rows")
    X = torch.randn((BLOCK, 2, 11), generator=generator, dtype=torch.float64)
    errors = torch.randn((BLOCK, 2), generator=generator, dtype=torch.float64)
    W = length * W / W.norm(dim=-1, keepdim=True)
    for x, e in zip(X, errors, strict=True):
        y = task(x) + 0.3 * math.sqrt(task.variance) * e
        moving = W.clone().requires_grad_()
        f = sum(p * (moving * x[:, None]).sum(-1) ** j for j, p in enumerate(task.link.powers)) @ task.head
        (gradient,) = torch.autograd.grad(((f - y) ** 2 / 2).sum(), moving)
        along = (gradient * W).sum(-1, keepdim=True) / length**2
        W = W - rates[:, None, None] * (gradient - along * W)
        W = length * W / W.norm(dim=-1, keepdim=True)
    assert torch.allclose(run.weights, W, atol=1e-9)
    assert torch.allclose(run.risks[-1], network_risk(task, W))


def test_starts_have_the_law_of_unit_vectors():
    task = rank_one_task("he3", 100, 2)
    state = start_vectors(task, 4000, generator_for(5))
    assert state.shape == (3, 4000)
    assert abs(float((state[-1] > 0).double().mean()) - 0.5) < 0.03  # nobody tells the sign
    vectors = torch.randn(4000, 100, generator=generator_for(6), dtype=torch.float64)
    vectors = vectors / vectors.norm(dim=1, keepdim=True)
    assert ks_2samp(state[-1].numpy(), vectors[:, 0].numpy()).pvalue > 1e-3
    assert abs(float(state[:2].square().mean()) - 0.01) < 0.001


def test_a_perfect_vector_has_no_risk_and_stays():
    task = rank_one_task("he3", 40, 4)
    state = torch.zeros(5, 3, dtype=torch.float64)
    state[-1] = 1
    assert float(rank_one_risk(task, state).abs().max()) < 1e-12
    rates = torch.full((3,), 0.002, dtype=torch.float64)
    run = train_rank_one(task, state, rates, 6 * BLOCK, generator_for(7))
    assert float(run.risks[-1].max()) < 1e-9 and run.risks.shape == (7, 3)


def test_the_first_time_at_a_level_counts():
    """Between 0.5 and 0.09 the line is at 0.1 after 40 parts of 41; a level that is met at once takes no sample."""
    risks = torch.tensor([[1.0, 0.05, 1.0], [0.5, 0.2, 1.0], [0.09, 0.2, 1.0], [0.3, 0.0, 0.11]], dtype=torch.float64)
    found = samples_needed(risks, 0.1).tolist()
    assert found[0] == pytest.approx((1 + 40 / 41) * BLOCK) and found[1:] == [0, math.inf]
    assert samples_needed(risks.float(), 0.1).dtype == torch.float32


def test_the_median_of_an_even_number_is_the_larger_of_two():
    times = torch.tensor([[4.0, 1.0], [2.0, math.inf], [1.0, math.inf], [3.0, 2.0]])
    assert median_samples(times).tolist() == [3.0, math.inf]


def test_training_stops_when_all_have_arrived():
    task, rates = rank_one_task("he3", 40, 4), torch.full((6,), 0.004, dtype=torch.float64)
    start = start_vectors(task, 6, generator_for(8))
    run = train_rank_one(task, start, rates, 100 * BLOCK, generator_for(9), level=0.5)
    whole = train_rank_one(task, start, rates, 100 * BLOCK, generator_for(9))
    assert len(whole.risks) == 101 and 1 < len(run.risks) < 101
    assert torch.equal(run.risks, whole.risks[: len(run.risks)])
    times = samples_needed(run.risks, 0.5)
    assert (
        bool(times.isfinite().all()) and float(times.max()) <= BLOCK * (len(run.risks) - 1) < float(times.max()) + BLOCK
    )


def test_results_follow_the_precision_of_the_start():
    task, rates = rank_one_task("he3", 40, 2), torch.full((2,), 0.004)
    run = train_rank_one(task, start_vectors(task, 2, generator_for(1)).float(), rates, 10, generator_for(2))
    assert run.risks.dtype == run.weights.dtype == torch.float32 and run.risks.shape == (2, 2)
    rows = torch.randn(2, 2, 40, generator=generator_for(3))
    assert train_all_rows(task, rows, rates, 10, generator_for(4)).risks.dtype == torch.float32


def test_bad_input_ends_in_one_sentence():
    task = rank_one_task("he3", 40, 2)
    state, rates = start_vectors(task, 2, generator_for(1)), torch.full((2,), 0.004, dtype=torch.float64)
    rows = torch.zeros(2, 3, 40, dtype=torch.float64)
    for call, named in (
        (lambda: train_rank_one(task, state[:2], rates, 10, generator_for(0)), "state has shape"),
        (lambda: train_rank_one(task, state, -rates, 10, generator_for(0)), "rates holds"),
        (lambda: train_rank_one(task, state, rates, 0, generator_for(0)), "steps = 0"),
        (lambda: train_rank_one(task, state, rates, 10, generator_for(0), noise=-1.0), "noise = -1.0"),
        (lambda: train_rank_one(task, state, torch.full_like(rates, 1.7e308), 10, generator_for(0)), "not finite"),
        (lambda: train_all_rows(task, rows, rates, 10, generator_for(0)), "rows has shape"),
        (lambda: samples_needed(torch.zeros(3), 0.1), "risks has shape"),
        (lambda: samples_needed(torch.zeros(3, 2), 0.0), "level = 0.0"),
        (lambda: start_vectors(task, 0, generator_for(0)), "replicas = 0"),
    ):
        with pytest.raises(BadParameter, match=named):
            call()
