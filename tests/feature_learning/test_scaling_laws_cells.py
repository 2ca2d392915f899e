"""The experiments on scaling laws: what a run returns fits together, and the known cases come out."""

import functools
import math

import numpy as np
import pytest
import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.feature_learning.scaling_laws_cells import chains_cell, shares_cell, student_cell, sum_of_tasks
from beyond_kernel.foundations.learning.learners import labelled
from beyond_kernel.kernel_regime.kernel_learners import fit_gaussian_kernel


@pytest.fixture(scope="module")
def chains():
    return functools.cache(lambda **options: chains_cell("he2", 1.0, 12, 20, 0.05, 8, seed=0, **options))


def test_the_clock_goes_with_the_strength_and_its_power(chains):
    """T_p = T_1 p^power for beta = 1; the noise of the first tasks bends it by a few per cent."""
    once, twice = chains(), chains_cell("he2", 1.0, 8, 16, 0.08, 8, power=2.0, seed=0)
    assert once["clock"] == pytest.approx(1.0, abs=0.12)
    assert twice["clock"] == pytest.approx(2.0, abs=0.2)
    assert once["learnt"] == 1.0


def test_losses_single_losses_and_times_fit_together(chains):
    run = chains()
    energy = np.arange(1, 13) ** -2.0
    np.testing.assert_allclose(run["single"] @ energy / energy.sum(), run["losses"].mean(1), rtol=1e-12)
    assert run["losses"].shape == (160, 8) and run["times"].shape == (8, 12)
    assert (np.diff(run["at"]) > 0).all() and run["losses"][0].max() <= 1.0
    # before its learning time less than a half of the share is there, so more than 3/4 of the loss
    early = run["at"] < run["times"][:, 0].min()
    assert (run["single"][early, 0] > 0.75).all()


def test_the_correlation_loss_keeps_a_floor_and_the_square_loss_does_not(chains):
    """Near m = 1 the drift 2 r a (1 - m^2) meets the noise (d / 2) r^2 a^2 E[h_2^2 h_2'^2], and that mean is 10.

    With r = rate / d this leaves 1 - m^2 = 2.5 rate a, so a loss near 5 rate a of the task: an estimate for small
    steps, here at rate a = .05 to .004.
    """
    floor = chains(loss="correlation")["losses"][-40:].mean()
    a = 1 / np.arange(1, 13)
    assert floor == pytest.approx(5 * 0.05 * (a**3).sum() / (a**2).sum(), rel=0.25)
    assert chains()["losses"][-1].max() < 1e-2 * floor


def test_random_starts_differ_from_run_to_run(chains):
    assert chains(start="random")["runs"].std() > chains()["runs"].std()


def test_a_cubic_link_waits_for_the_luck_of_its_start():
    """The wait of He3 is that of the start d^-1/2 over |N(0, 1)|, and 1.5 times the time of task P is given.

    For task p it is too long with probability P(|N| < p / (1.5 P)), on average over p about .26; noise helps some.
    """
    same, random = (chains_cell("he3", 1.0, 8, 16, 0.005, 12, start=start, seed=0) for start in ("same", "random"))
    assert same["learnt"] > 0.97
    assert 0.65 < random["learnt"] < 0.95


@pytest.fixture(scope="module")
def student():
    return student_cell(1.0, 12, 16, 12, 0.05, 32, seed=0)


def test_the_network_learns_all_tasks_in_their_order(student):
    assert student["learnt"] == 1.0 and student["losses"][-1] < 1e-3
    assert student["clock"] == pytest.approx(1.0, abs=0.2)
    assert (student["at"] % 32 == 0).all()  # samples, not steps
    gap = np.abs(np.log(student["times"][:6] / (student["times"][0] * np.arange(1, 7))))
    assert gap.max() < 0.5


def test_the_mean_gradient_is_the_limit_of_large_batches():
    run = student_cell(1.0, 8, 8, 8, 0.05, 1024, seed=1)
    inside = run["expected"] > 0.02
    np.testing.assert_allclose(run["losses"][inside], run["expected"][inside], rtol=0.2)


def test_small_batches_are_delayed_by_the_noise_of_the_other_tasks():
    """The delay at risk 1/4, over the mean gradient, of one sample a step with the same pace per sample."""

    def delay(run):
        return run["at"][(run["losses"] < 0.25).argmax()] / run["at"][(run["expected"] < 0.25).argmax()]

    large, small = ([student_cell(1.0, 16, 16, 16, 0.05, batch, seed=s) for s in range(5)] for batch in (64, 6))
    delays = [np.median([delay(run) for run in runs]) for runs in (large, small)]
    assert 0.8 < delays[0] < 1.2 < 1.4 < delays[1]


@labelled("half of it")
def fit_half(problem, generator):
    return lambda X: problem.task(X) / 2


@labelled("one task")
def fit_one_task(problem, generator):
    u = problem.task.frame[:, 2]
    a = (problem.task(u[None] * 10) - problem.task(u[None] * 0)) * math.sqrt(2) / 100  # its strength, from two values
    return lambda X: a.to(X) * ((X @ u.to(X)) ** 2 - 1) / math.sqrt(2)


def test_shares_are_those_of_predictors_that_are_known():
    half = shares_cell(fit_half, 1.0, 8, 10, 20, n_test=40_000, seed=0)
    assert half["risk"] == pytest.approx(0.25, rel=0.05)
    assert half["shares"][:4] == pytest.approx([0.5] * 4, abs=0.08)
    one = shares_cell(fit_one_task, 1.0, 8, 10, 20, n_test=40_000, seed=0)
    assert one["shares"][:4] == pytest.approx([0, 0, 1, 0], abs=0.15)
    assert one["risk"] == pytest.approx(1 - (1 / 9) / sum(p**-2.0 for p in range(1, 9)), rel=0.05)


def test_a_kernel_learns_all_tasks_alike():
    found = np.mean([shares_cell(fit_gaussian_kernel, 1.0, 8, 16, 160, seed=s)["shares"] for s in range(6)], 0)
    assert 0.3 < found[0] < 0.9
    assert found[3:].mean() == pytest.approx(found[0], abs=0.2)


def test_the_sum_of_tasks_has_its_strengths():
    truth = sum_of_tasks(1.5, 9, 12, seed=2)
    H = truth.expected_hessian()
    values = torch.linalg.eigvalsh(H).flip(0)[:9]
    a = np.arange(1, 10) ** -1.5
    np.testing.assert_allclose(values.numpy(), math.sqrt(2) * a / np.linalg.norm(a), rtol=1e-6)


def test_bad_input_and_repetition():
    with pytest.raises(BadParameter, match="n_tasks = 7"):
        chains_cell("he2", 1.0, 7, 20, 0.05, 2, seed=0)
    with pytest.raises(BadParameter, match="start = 'warm' is not known"):
        chains_cell("he2", 1.0, 8, 20, 0.05, 2, start="warm", seed=0)
    with pytest.raises(BadParameter, match="beta = 0.5"):
        student_cell(0.5, 8, 8, 8, 0.1, 4, seed=0)
    with pytest.raises(BadParameter, match=r"rate = 5 is too large for the link 'he3': task 1 stalls"):
        chains_cell("he3", 1.0, 8, 20, 5.0, 2, seed=0)
    with pytest.raises(BadParameter, match="the run would take .* steps"):
        chains_cell("he2", 1.0, 64, 100, 1e-4, 2, seed=0)
    with pytest.raises(BadParameter, match="n_tasks = 9 is out of range: it must be a whole number from 8 to 8"):
        shares_cell(fit_half, 1.0, 9, 8, 10, seed=0)
    one, two, other = (student_cell(1.0, 8, 8, 8, 0.05, 4, seed=s)["losses"] for s in (3, 3, 4))
    assert np.array_equal(one, two) and not np.array_equal(one, other)
