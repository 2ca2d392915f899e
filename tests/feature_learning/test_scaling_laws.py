"""The laws of many tasks against sums and integrals, a straight line in logarithms, and chains run one by one."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad, solve_ivp

from beyond_kernel.checks import BadParameter
from beyond_kernel.feature_learning.overlap_chain import correlation_rule, overlap_paths, square_rule
from beyond_kernel.feature_learning.scaling_laws import (
    fitted_law,
    learning_times,
    learnt_share,
    left_out,
    predicted_slope,
    remaining_loss,
    strengths,
    task_overlaps,
    wait_and_rise,
)
from beyond_kernel.random_streams import generator_for

F64 = torch.float64


@pytest.mark.parametrize("curve", [lambda s: math.exp(-s), lambda s: 1 / (1 + s**4), lambda s: float(s < 1)])
@pytest.mark.parametrize(("beta", "power"), [(0.75, 1.0), (1.0, 1.0), (1.5, 1.0), (1.0, 2.0)])
def test_the_slope_of_the_sum_does_not_depend_on_the_curve(curve, beta, power):
    """A sum over 100,000 tasks that all follow one curve, at two times that are far apart."""
    places = np.arange(1, 10**5 + 1, dtype=float)

    def loss(t):
        arguments = t * places ** (-beta * power)
        return (places ** (-2 * beta) * np.vectorize(curve)(arguments)).sum() + float(
            left_out(10**5, beta) * (places ** (-2 * beta)).sum()
        )

    early, late = 64.0**beta, 1024.0**beta  # tasks 64 and 1024 where the power is one
    measured = math.log(loss(late) / loss(early)) / math.log(late / early)
    assert measured == pytest.approx(predicted_slope(beta, power), abs=0.03)


def test_the_tasks_left_out_are_the_rest_of_the_series():
    """Over all p the squares of 1/p sum to pi^2 / 6; for beta = 3/4 the rest is the integral with its half term."""
    first = sum(p**-2.0 for p in range(1, 13))
    assert left_out(12, 1.0) == pytest.approx((math.pi**2 / 6 - first) / first, rel=1e-12)
    rest = quad(lambda p: p**-1.5, 1000.5, math.inf)[0]  # midpoint rule: error of order P^-2.5
    assert left_out(1000, 0.75) * sum(p**-1.5 for p in range(1, 1001)) == pytest.approx(rest, rel=1e-6)


def test_strengths_fall_as_a_power():
    a = strengths(50, 0.7)
    assert a.dtype == F64 and a.shape == (50,)
    assert np.polyfit(np.log(np.arange(1, 51)), np.log(a.numpy()), 1) == pytest.approx([-0.7, 0.0], abs=1e-12)


@pytest.mark.parametrize("d", [10, 100, 10**6])
def test_wait_and_rise_are_those_of_the_differential_equation(d):
    """dm/dt = (1 - m^2) d/dm of E f f, which is m^2 for h_2, solved numerically; loss 1 - m^4."""

    def at(left):
        event = lambda t, m: 1 - m[0] ** 4 - left  # noqa: E731
        event.terminal = True
        start = [d**-0.5]
        return solve_ivp(lambda t, m: (1 - m**2) * 2 * m, (0, 50), start, events=event, rtol=1e-9).t_events[0][0]

    wait, rise = wait_and_rise(d)
    assert wait == pytest.approx(at(0.9), rel=1e-5)
    assert rise == pytest.approx(at(0.1) - at(0.9), rel=1e-5)


@pytest.mark.parametrize("link", ["he2", "h2(z1) + h4(z1)/2", "tanh"])
def test_the_share_learnt_is_the_correlation_of_two_neurons(link):
    """E f(z) f(m z + s z') by Gauss-Hermite quadrature in both variables."""
    from beyond_kernel.feature_learning.scaled_link import scaled_link

    f = scaled_link(link)
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    weights = weights / weights.sum()
    for m in (0.0, 0.3, 0.8, 1.0):
        other = f.values(m * nodes[:, None] + math.sqrt(1 - m * m) * nodes[None, :])
        expected = weights @ (f.values(nodes)[:, None] * other) @ weights
        found = learnt_share(link, torch.tensor([m], dtype=F64))
        assert float(found) == pytest.approx(expected, abs=2e-4)
    assert learnt_share(link, torch.tensor([0.3], dtype=torch.float32)).dtype == torch.float32


def test_what_remains_is_the_risk_of_the_best_output_weights():
    """Two tasks of strengths 2 and 1, by least squares on a large sample with neurons that overlap their tasks."""
    X = torch.randn(400_000, 4, generator=generator_for(0, "test"), dtype=F64)
    h2 = lambda z: (z**2 - 1) / math.sqrt(2)  # noqa: E731
    truth = 2 * h2(X[:, 0]) + h2(X[:, 1])
    m = torch.tensor([0.9, 0.6], dtype=F64)
    neurons = torch.stack([h2(m[i] * X[:, i] + (1 - m[i] ** 2).sqrt() * X[:, 2 + i]) for i in range(2)], 1)
    fit = torch.linalg.lstsq(neurons, truth[:, None]).solution[:, 0]
    risk = float((truth - neurons @ fit).square().mean() / 5)
    weights = torch.tensor([2.0, 1.0], dtype=F64)
    found = remaining_loss(learnt_share("he2", m), weights)
    assert float(found) == pytest.approx(risk, abs=0.01)
    assert remaining_loss(torch.zeros(3, 5, 2, dtype=F64), weights).tolist() == [[1.0] * 5] * 3


def test_chains_in_pieces_are_the_chains_in_one_go_in_law():
    """Mean and spread of 4,000 overlaps after 60 and 200 steps, with two step sizes, against one call a step size."""
    at, half, d = [20, 60, 130, 200], 2000, 20
    rates = torch.cat([torch.full((half,), 0.02, dtype=F64), torch.full((half,), 0.005, dtype=F64)])
    starts = torch.full((2 * half,), 0.3, dtype=F64)
    found = task_overlaps("he2", square_rule, rates, starts, d, at, generator_for(0, "pieces"), settled=1e-6)
    for part in (slice(0, half), slice(half, 2 * half)):
        dims = torch.full((half,), d)
        rule = square_rule("he2", rates[part])
        alone = overlap_paths("he2", rule, starts[part], dims, at, generator_for(1, "alone"))
        gap = (found[:, part].mean(1) - alone.mean(1)).abs()
        error = (found[:, part].var(1) / half + alone.var(1) / half).sqrt()
        assert bool((gap < 4 * error).all())
        torch.testing.assert_close(found[:, part].std(1), alone.std(1), rtol=0.1, atol=1e-3)


def test_a_chain_that_has_arrived_stays_and_one_that_has_not_goes_on():
    starts = torch.tensor([1.0 - 1e-9, 0.2], dtype=F64)
    rates = torch.tensor([1e-9, 0.01], dtype=F64)
    path = task_overlaps("he2", square_rule, rates, starts, 10, range(1, 40), generator_for(0, "stay"), settled=1e-6)
    assert bool((path[2:, 0] == path[2, 0]).all()) and len(set(path[:, 1].tolist())) == 39
    assert float(path[10:, 1].std()) > 1e-4  # it keeps its own step size, which is not the first one's
    rates = torch.full((2,), 0.01, dtype=F64)
    noisy = task_overlaps("he2", correlation_rule, rates, starts, 10, range(1, 40), generator_for(0, "stay"))
    assert float(noisy[-1, 0]) < 1 - 1e-6  # the correlation loss has noise at the solution


def test_learning_times_are_the_first_that_reach_the_level():
    shares = torch.tensor([[0.1, 0.0], [0.6, 0.1], [0.4, 0.2], [0.9, 0.3]], dtype=F64)
    assert learning_times([2, 5, 9, 20], shares).tolist() == [5.0, math.inf]
    assert learning_times([2, 5, 9, 20], shares, level=0.3).tolist() == [5.0, 20.0]


def test_a_law_that_was_put_in_is_found_again():
    """Tasks learnt at once at 10 p^1.2, and the losses that go with it, beside a faster and a slower run."""
    beta, n_tasks = 1.2, 400
    places = np.arange(1, n_tasks + 1)
    times = np.stack([scale * places**beta for scale in (7.0, 10.0, 14.0)])
    at = np.unique(np.geomspace(3, 20_000, 500).astype(int))
    energy = places ** (-2 * beta)
    losses = np.stack([(energy * (run > at[:, None])).sum(1) / energy.sum() for run in times], 1)
    law = fitted_law(at, losses, times, beta)
    assert law.clock == pytest.approx(beta) and law.first == 10.0 and law.learnt == 1.0
    assert law.runs == pytest.approx([predicted_slope(beta)] * 3, abs=0.08)
    assert law.slope == pytest.approx(law.runs[1]) and law.without < law.slope
    times[:, 5:] = math.inf
    assert fitted_law(at, losses, times, beta).learnt == pytest.approx(5 / n_tasks)
    assert math.isnan(fitted_law(at, losses, np.full_like(times, math.inf), beta).slope)


def test_the_window_ends_where_the_task_at_a_quarter_of_them_is_learnt():
    """Task P/4 is learnt at T_1 (P/4)^(power beta); a loss of slope -1 up to there and flat behind has slope -1."""
    beta, power, n_tasks, first = 2.0, 1.5, 16, 10.0
    end = first * 4.0 ** (power * beta)
    at = np.unique(np.geomspace(5, 40 * end, 200).round())
    total = np.maximum(1 / at, 1 / end)
    times = first * np.arange(1, n_tasks + 1, dtype=float)[None] ** (power * beta)
    law = fitted_law(at, (total - left_out(n_tasks, beta))[:, None], times, beta, power)
    assert law.slope == pytest.approx(-1, abs=1e-9)
    bent = np.where(at > 0.5 * end, 0.5 * end / at**2, 1 / at)  # steeper in the last part of the window alone
    law = fitted_law(at, (bent - left_out(n_tasks, beta))[:, None], times, beta, power)
    assert law.slope < -1.02


def test_bad_input_is_a_sentence():
    with pytest.raises(BadParameter, match=r"beta = 0.5 is out of range: it must be a finite number above 0.5"):
        predicted_slope(0.5)
    with pytest.raises(BadParameter, match="d = 3"):
        wait_and_rise(3)
    with pytest.raises(BadParameter, match=r"shares has shape \(2, 3\): its last size must be 2"):
        remaining_loss(torch.zeros(2, 3), torch.ones(2))
    with pytest.raises(BadParameter, match="its first size must be 4"):
        learning_times([1, 2, 3, 4], torch.zeros(3, 2))
    with pytest.raises(TypeError, match="overlaps"):
        learnt_share("he2", torch.ones(2, dtype=torch.int64))


def test_the_noise_of_a_step_slows_the_strong_tasks():
    """E h_2'^2 = 2 and E h_2^2 h_2'^2 = 10 (93 for h_3), so one step makes m grow by 2 r (1 - 3 r d), r its size."""
    from beyond_kernel.feature_learning.scaled_link import scaled_link

    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    weights = weights / weights.sum()
    for link, square, product in (("he2", 2, 10), ("he3", 3, 93)):
        f = scaled_link(link)
        assert weights @ f.slopes(nodes) ** 2 == pytest.approx(square)
        assert weights @ (f.values(nodes) * f.slopes(nodes)) ** 2 == pytest.approx(product)
    d, rate, chains = 100, 0.1, 8000
    rates, starts = torch.full((chains,), rate / d, dtype=F64), torch.full((chains,), 0.05, dtype=F64)
    path = task_overlaps("he2", square_rule, rates, starts, d, [500], generator_for(0, "slowed"))
    growth = float(path.mean()) / 0.05  # standard error 0.03 of 2.0; without the noise it would be 2.7
    assert growth == pytest.approx(math.exp(2 * rate / d * 500 * (1 - 3 * rate)), rel=0.07)
