"""Logistic regression against scipy, brute force over penalties, and labels that must not matter."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from beyond_kernel.checks import BadParameter
from beyond_kernel.escaping_the_kernel.clipped_neuron import draw_erf_features
from beyond_kernel.escaping_the_kernel.depth_separation import fit_clipped_head, fit_linear_head
from beyond_kernel.escaping_the_kernel.logistic_head import LogisticHead, fit_logistic_head, logistic_regression
from beyond_kernel.foundations.inputs.balls import BallIndicator
from beyond_kernel.foundations.learning.held_out import split_fifth
from beyond_kernel.foundations.learning.learners import label_of
from beyond_kernel.foundations.learning.samples import Problem, Sample, draw_problem
from beyond_kernel.random_streams import generator_for

LEVELS = (1e-2, 1e-4, 1e-6)


def problem(n: int = 400, d: int = 4, dtype: torch.dtype = torch.float64) -> Problem:
    return draw_problem(BallIndicator(d, 2**0.5, "two spheres"), n, 0.0, 0, n_test=1000, dtype=dtype)


def by_scipy(F: np.ndarray, y: np.ndarray, penalty: float) -> np.ndarray:
    def loss(w):
        z = F @ w
        value = np.mean(np.logaddexp(0, z) - y * z) + penalty / 2 * w @ w
        return value, F.T @ (1 / (1 + np.exp(-z)) - y) / len(y) + penalty * w

    return minimize(loss, np.zeros(F.shape[1]), jac=True, options={"gtol": 1e-10, "maxiter": 2000}).x


@pytest.mark.parametrize("penalty", [1.0, 1e-2, 1e-4])
def test_the_minimiser_is_that_of_scipy(penalty):
    F = torch.randn(60, 5, generator=generator_for(0, "features"), dtype=torch.float64)
    noise = torch.randn(60, generator=generator_for(1, "noise"), dtype=torch.float64)
    y = (F[:, 0] + noise > 0).double()
    found = logistic_regression(F, y, penalty, torch.zeros(5, dtype=torch.float64))
    assert np.allclose(found, by_scipy(F.numpy(), y.numpy(), penalty), rtol=1e-3, atol=1e-4)
    far = logistic_regression(F, y, penalty, torch.full((5,), 30.0, dtype=torch.float64))  # steps must be halved
    assert torch.allclose(far, found, rtol=1e-3, atol=1e-4)


def test_the_penalty_is_that_of_least_squared_error_on_the_fifth_and_all_samples_are_fitted_with_it():
    given, generator = problem(), generator_for(0, "n")
    phi = draw_erf_features(30, 4, generator)
    kept, held = split_fifth(given.train, generator)
    F, start = phi(kept.X), torch.zeros(31, dtype=torch.float64)
    unit, errors = float(F.square().sum(1).mean()), {}
    for level in LEVELS:
        w = by_scipy(F.numpy(), kept.y.numpy(), level * unit)
        errors[level] = float(((phi(held.X) @ torch.tensor(w)).sigmoid() - held.y).square().mean())
    best = min(errors, key=errors.get)
    found = fit_logistic_head(given, generator_for(0, "n"), width=30, levels=LEVELS)
    assert found.penalty == pytest.approx(best * unit)
    assert max(errors.values()) > 1.2 * min(errors.values())
    everything = logistic_regression(phi(given.train.X), given.train.y, best * unit, start)
    assert torch.allclose(found.w, everything, rtol=1e-2, atol=1e-2)
    again = fit_logistic_head(given, generator_for(0, "n"), width=30, levels=LEVELS[::-1])
    assert torch.equal(again.w, found.w)  # the order of the candidates does not matter


def test_features_are_those_of_the_other_heads_and_the_output_is_a_share():
    given = problem()
    heads = [fit(given, generator_for(0, "n"), width=20) for fit in (fit_logistic_head, fit_linear_head)]
    assert torch.equal(heads[0].features.U, heads[1].features.U) and heads[0].w.shape == (21,)
    by_hand = 1 / (1 + torch.exp(-heads[0].features(given.test.X) @ heads[0].w))
    torch.testing.assert_close(heads[0](given.test.X), by_hand)
    assert fit_logistic_head(given, generator_for(0, "n"), width=20, constant=False).w.shape == (20,)
    assert label_of(fit_logistic_head) == "logistic head"


def test_no_label_outside_of_the_training_sample_is_seen():
    given = problem(100)
    blind = Problem(given.train, Sample(given.test.X, torch.full_like(given.test.y, torch.nan)))
    heads = [fit_logistic_head(one, generator_for(0, "n"), width=20) for one in (given, blind)]
    assert torch.equal(heads[0].w, heads[1].w)


def test_it_ends_below_the_clipped_head():
    """At d = 4 and 1,000 labels; in trials with 1,600 and 300 features 0.6 to 0.8 times."""
    given = problem(1000)
    errors = [
        float((fit(given, generator_for(1, "n"), width=150)(given.test.X) - given.test.y).square().mean())
        for fit in (fit_logistic_head, fit_clipped_head)
    ]
    assert errors[0] < errors[1] < 0.06


def test_both_precisions_tell_the_same():
    heads = [fit_logistic_head(problem(300, dtype=dtype), generator_for(0, "n"), 20, levels=LEVELS[:2])
             for dtype in (torch.float32, torch.float64)]  # fmt: skip
    X = problem(300).test.X
    assert heads[0](X.float()).dtype == heads[0].w.dtype == torch.float32
    assert torch.allclose(heads[0](X.float()).double(), heads[1](X), atol=1e-3)


def test_bad_input_is_a_sentence():
    F, y, w = torch.ones(3, 2), torch.tensor([0.0, 1.0, 1.0]), torch.zeros(2)
    with pytest.raises(BadParameter, match="y has values from 0 to 2: labels must be from 0 to 1"):
        logistic_regression(F, 2 * y, 0.1, w)
    with pytest.raises(BadParameter, match="penalty = 0"):
        logistic_regression(F, y, 0.0, w)
    with pytest.raises(BadParameter, match=r"levels\[0\] = -1"):
        fit_logistic_head(problem(20), generator_for(0), width=4, levels=[-1.0])
    with pytest.raises(BadParameter, match="the sample has 4 points"):
        fit_logistic_head(problem(4), generator_for(0), width=4)
    assert isinstance(fit_logistic_head(problem(20), generator_for(0), width=4), LogisticHead)
