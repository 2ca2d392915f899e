"""The form of a learner: known by one label, judged on its predictions alone, and a reader's own is as good as any."""

import functools
import math
from dataclasses import replace

import pytest
import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.foundations.learning.learners import label_of, labelled, risk_of
from beyond_kernel.foundations.learning.samples import draw_problem
from beyond_kernel.foundations.learning.tasks import task_from_arrays
from beyond_kernel.foundations.targets.target import parse_target
from beyond_kernel.random_streams import generator_for

PROBLEM = draw_problem(parse_target("z1 + 1", 4, seed=0), 50, 0.2, seed=0, n_test=200)


@labelled("least squares")
def fit_line(problem, generator, ridge=0.0):
    design = torch.cat([problem.train.X, torch.ones_like(problem.train.y)[:, None]], 1)
    slope = torch.linalg.solve(design.T @ design + ridge * torch.eye(5, dtype=design.dtype), design.T @ problem.train.y)
    return lambda X: X @ slope[:-1] + slope[-1]


def fit_the_mean(problem, generator):
    return lambda X: problem.train.y.mean().expand(len(X))


class Guess:
    """A learner that is an object."""

    def __call__(self, problem, generator):
        return lambda X: torch.randn(len(X), generator=generator, dtype=X.dtype)


def test_labels_go_through_options_and_names_stand_in_for_them():
    assert label_of(fit_line) == "least squares"
    assert label_of(functools.partial(functools.partial(fit_line, ridge=1.0))) == "least squares"
    assert label_of(fit_the_mean) == label_of(functools.partial(fit_the_mean)) == "fit the mean"
    assert label_of(Guess()) == "Guess"
    with pytest.raises(TypeError, match="learner = 'one step' is not accepted: it must be a function of a problem"):
        label_of("one step")


def test_a_label_changes_nothing_else():
    def plain(problem, generator):
        return "predictor"

    assert labelled("a name")(plain) is plain and plain(None, None) == "predictor"


def test_risk_is_the_mean_square_over_the_test_points_with_its_error():
    estimate = risk_of(fit_the_mean, PROBLEM, generator_for(0))
    errors = (PROBLEM.test.truth - PROBLEM.train.y.mean()) ** 2  # Var f* is 1
    assert estimate.value == pytest.approx(float(errors.mean()))
    assert estimate.standard_error == pytest.approx(float(errors.std()) / math.sqrt(200))
    # the mean of z1 + 1 leaves E z1^2 = 1; least squares leaves 5 coefficients of variance 0.2^2 / 50 each
    assert estimate.value == pytest.approx(1, abs=5 * estimate.standard_error + 0.1)
    assert risk_of(fit_line, PROBLEM, generator_for(0)).value < 5 * 5 * 0.2**2 / 50
    assert risk_of(functools.partial(fit_line, ridge=1e9), PROBLEM, generator_for(0)).value > 1.5


def test_risk_has_no_units():
    """In units of Var f*: ten times the labels, ten times the predictions, the same risk; a constant is free."""
    large = draw_problem(parse_target("10*z1 + 70", 4, seed=0), 50, 2.0, seed=0, n_test=200)
    first, second = (risk_of(fit_line, problem, generator_for(0)).value for problem in (PROBLEM, large))
    assert first == pytest.approx(second, rel=1e-6)


def test_a_learner_draws_from_the_generator_that_it_is_given():
    first, same, other = (risk_of(Guess(), PROBLEM, generator_for(seed)) for seed in (0, 0, 1))
    assert first == same != other


def test_where_nobody_knows_the_truth_labels_are_the_reference():
    X = torch.arange(12.0)[:, None]
    problem = draw_problem(task_from_arrays(X, X[:, 0]), 4, 0.0, 0, n_test=4)
    expected = float(((problem.test.y - problem.train.y.mean()) ** 2).mean()) / float(X.var(correction=0))
    assert risk_of(fit_the_mean, problem, generator_for(0)).value == pytest.approx(expected)


@pytest.mark.parametrize(
    ("returned", "error", "told"),
    [
        (None, TypeError, "learner 'wrong' returned None: it must return a predictor"),
        (3.0, TypeError, "learner 'wrong' returned 3.0"),
        (lambda X: 0.0, TypeError, "the predictor of 'wrong' returned float: it must return a tensor"),
        (lambda X: X.numpy()[:, 0], TypeError, "returned ndarray"),
        (lambda X: X, BadParameter, r"returned shape \(200, 4\): it must return shape \(200,\)"),
        (lambda X: X[:, :1], BadParameter, r"returned shape \(200, 1\)"),
        (lambda X: X[:3, 0], BadParameter, r"returned shape \(3,\)"),
        (lambda X: torch.tensor(0.0), BadParameter, r"returned shape \(\)"),
        (lambda X: X[:, 0] / 0, BadParameter, "the predictor of 'wrong' returned entries that are not finite"),
        (lambda X: (X[:, 0] > 0).int(), TypeError, "prediction is of type torch.int32"),
    ],
)
def test_a_wrong_return_ends_in_a_sentence(returned, error, told):
    @labelled("wrong")
    def learner(problem, generator):
        return returned

    with pytest.raises(error, match=told):
        risk_of(learner, PROBLEM, generator_for(0))
    with pytest.raises(TypeError, match="learner = 7 is not accepted"):
        risk_of(7, PROBLEM, generator_for(0))


def test_the_test_labels_judge_and_the_noise_of_them_does_not():
    noisier = replace(PROBLEM, test=replace(PROBLEM.test, y=PROBLEM.test.y + 100))
    assert risk_of(fit_line, noisier, generator_for(0)) == risk_of(fit_line, PROBLEM, generator_for(0))
