"""The kernel with the metric of one step: its metric, its mean, two moments, and what the narrow head had cost."""

import functools
import math

import numpy as np
import pytest
import torch
from numpy.polynomial.hermite_e import hermegauss

from beyond_kernel.checks import BadParameter
from beyond_kernel.escaping_the_kernel.recursive_features import fit_recursive_features
from beyond_kernel.feature_learning.metric_kernel import (
    fit_metric_kernel,
    fit_two_moments,
    mean_outer_product,
    two_moments,
)
from beyond_kernel.feature_learning.one_step import fit_one_step, moment_linear_part, one_step_features
from beyond_kernel.foundations.learning.learners import risk_of
from beyond_kernel.foundations.learning.samples import Problem, Sample, draw_problem
from beyond_kernel.foundations.targets.target import parse_target
from beyond_kernel.kernel_regime.kernel_learners import fit_gaussian_kernel, fit_random_feature_kernel
from beyond_kernel.random_streams import generator_for

TWO = "(h2(z1) - h2(z2) + h2(z1)*h2(z2) + h3(z1))/2"
CUBIC = "(z1*z2 + z2*z3 + z1*z3)/2 + z1*z2*z3"


@functools.cache
def log_risk(text, fit, *width):
    """Return the mean over three seeds of the logarithm of the risk at d = 12, n = 4 d^2."""
    logs = []
    for seed in range(3):
        problem = draw_problem(parse_target(text, 12, seed).normalised(), 576, 0.1, seed)
        learner = functools.partial(fit, width=width[0]) if width else fit
        logs.append(math.log(risk_of(learner, problem, generator_for(seed, "bottleneck")).value))
    return sum(logs) / 3


def ratio(text, first, second):
    return math.exp(log_risk(text, *first) - log_risk(text, *second))


STEP, METRIC = (fit_one_step, 800), (fit_metric_kernel, 800)


def test_one_step_beats_fixed_kernels_above_degree_three_and_not_below():
    """Groups of three seeds: 1.6 to 2.5 on the first target, 0.37 and 0.38 on the cubic one."""
    for fixed in (fit_gaussian_kernel, fit_random_feature_kernel):
        assert ratio(TWO, (fixed,), STEP) > 1.2
    assert ratio(CUBIC, (fit_gaussian_kernel,), STEP) < 0.8


def test_the_narrow_head_is_what_one_step_loses_by():
    """Groups of three seeds: 2.8 to 3.3 and 5."""
    assert ratio(TWO, STEP, METRIC) > 1.3 and ratio(CUBIC, STEP, METRIC) > 1.3


def test_recursive_features_leave_less_than_one_step():
    """Groups of three seeds: 18 to 29."""
    assert ratio(TWO, STEP, (fit_recursive_features,)) > 4 and ratio(CUBIC, STEP, (fit_recursive_features,)) > 4


def test_the_metric_is_that_of_the_neurons():
    problem = draw_problem(parse_target(TWO, 8, 0), 300, 0.1, 0, n_test=10)
    metric = fit_metric_kernel(problem, generator_for(0), width=60).kernel.keywords["metric"]
    W = one_step_features(problem.train, 60, generator_for(0))[1].W
    expected = sum(torch.outer(w, w) for w in W)
    assert torch.allclose(metric, 8 * expected / expected.diagonal().sum())


def test_labels_are_taken_as_they_are():
    """A linear target has no expected Hessian; the kernel learns it all the same, from the labels themselves."""
    problem = draw_problem(parse_target("z1", 6, 0), 400, 0.0, 0, n_test=1000)
    model = fit_metric_kernel(problem, generator_for(0), width=60)
    assert float((model(problem.test.X) - problem.test.truth).square().mean()) < 0.01


def test_dtype_follows_the_sample():
    train = draw_problem(parse_target(TWO, 6, 0), 100, 0.1, 0, n_test=10).train
    model = fit_metric_kernel(Problem(Sample(train.X.float(), train.y.float()), None), generator_for(0), width=20)
    assert model(train.X.float()).dtype == torch.float32


def test_bad_width_is_refused_with_a_sentence():
    problem = draw_problem(parse_target(TWO, 6, 0), 100, 0.1, 0, n_test=10)
    with pytest.raises(BadParameter, match="width = 7 is odd"):
        fit_metric_kernel(problem, generator_for(0), width=7)


def drawn(n, d, seed=0):
    """Return inputs and labels that have a linear, a quadratic and a cubic part, none of them removed."""
    source = np.random.default_rng(seed)
    X = source.normal(size=(n, d))
    return X, X[:, 0] + X[:, 0] ** 2 - 1 + X[:, 1] ** 3 + 0.3 * source.normal(size=n)


def test_the_mean_outer_product_is_the_mean_over_neurons_by_quadrature():
    """In two dimensions over 100,000 directions of w on the circle, evenly spread."""
    X, y = drawn(7, 2)
    angle = (np.arange(100_000) + 0.5) * 2 * np.pi / 100_000
    active = np.stack([np.cos(angle), np.sin(angle)], 1) @ X.T >= 0
    g = active @ (y[:, None] * X) / 7
    found = mean_outer_product(torch.from_numpy(X), torch.from_numpy(y))
    assert np.allclose(found, g.T @ g / len(g), atol=1e-3 * np.abs(found.numpy()).max())


def test_the_mean_outer_product_is_the_mean_over_random_neurons():
    """By Monte Carlo in nine dimensions, each entry within five standard errors of 200,000 neurons."""
    X, y = drawn(40, 9)
    w = np.random.default_rng(1).normal(size=(200_000, 9))
    g = (w @ X.T >= 0) @ (y[:, None] * X) / 40
    products = np.einsum("mi,mj->mij", g, g)
    error = products.std(0) / len(g) ** 0.5
    found = mean_outer_product(torch.from_numpy(X), torch.from_numpy(y)).numpy()
    assert (np.abs(found - products.mean(0)) < 5 * error).all()


def test_a_wide_step_has_the_metric_of_the_mean():
    problem = draw_problem(parse_target(TWO, 8, 0), 200, 0.1, 0, n_test=10)
    linear, network = one_step_features(problem.train, 200_000, generator_for(0))
    one, other = network.W.T @ network.W, mean_outer_product(problem.train.X, problem.train.y - linear(problem.train.X))
    assert torch.allclose(one / one.trace(), other / other.trace(), atol=3e-3)


def test_two_moments_are_exact_for_orthogonal_inputs():
    """Rows sqrt(d) e_i have the cosines 0 and 1 alone; what is left out is a quarter of v v' with v the mean of y x."""
    X, y = 5**0.5 * torch.eye(5, dtype=torch.float64), torch.tensor([1.0, -2.0, 0.5, 3.0, 1.5], dtype=torch.float64)
    v = X.T @ y / 5
    assert torch.allclose(two_moments(X, y), mean_outer_product(X, y) - torch.outer(v, v) / 4)


def test_two_moments_come_near_as_the_dimension_grows():
    """Labels less their linear part by least squares, n = 2 d; relative error, median over five samples.

    About 0.19, 0.11 and 0.05. With 1/4 in front of A / n, or without A, it stays at 0.6 and at 0.3.
    """
    middle = []
    for d in (10, 40, 160):
        off = []
        for seed in range(5):
            X, y = drawn(2 * d, d, seed)
            design = np.c_[np.ones(2 * d), X]
            y = y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
            X, y = torch.from_numpy(X), torch.from_numpy(y)
            exact = mean_outer_product(X, y)
            off.append(float((two_moments(X, y) - exact).norm() / exact.norm()))
        middle.append(np.median(off))
    assert middle[0] > middle[1] > middle[2] and middle[1] < 0.2 and middle[2] < 0.1


def test_a_linear_part_taken_by_moments_leaves_a_quarter_of_v_v():
    """As learners take it, d = 40, n = 320. Relative error of eight samples: to 0.09 with v v'/4, else 0.85 up."""
    for seed in range(4):
        source = np.random.default_rng(seed)
        X = source.normal(size=(320, 40))
        z = X[:, 0]
        y = (z + (z**3 - 3 * z) / 6**0.5) / 2**0.5 + 0.1 * source.normal(size=320)
        X, y = torch.from_numpy(X), torch.from_numpy(y)
        y = y - moment_linear_part(X, y)(X)
        v, exact, found = X.T @ y / 320, mean_outer_product(X, y), two_moments(X, y)
        alone, whole = (
            float((metric - exact).norm() / exact.norm()) for metric in (found, found + torch.outer(v, v) / 4)
        )
        assert whole < 0.2
        assert alone > 0.6


@pytest.mark.parametrize("k", [3, 4])
def test_squared_labels_show_a_direction_whose_hessian_vanishes(k):
    """With y = h_k(z1) the mean of y^2 x x' is 2k + 1 times as large along z1 as across; that of y x x' vanishes.

    By quadrature, and in a sample by what is left of two moments without H^2.
    """
    nodes, weights = hermegauss(40)
    h = np.polynomial.hermite_e.hermeval(nodes, [0] * k + [1]) / math.factorial(k) ** 0.5
    assert (weights * h**2 * nodes**2).sum() / weights.sum() == pytest.approx(2 * k + 1)
    X = np.random.default_rng(k).normal(size=(400_000, 3))
    y = np.polynomial.hermite_e.hermeval(X[:, 0], [0] * k + [1]) / math.factorial(k) ** 0.5
    X, y = torch.from_numpy(X), torch.from_numpy(y)
    M = X.T @ (y[:, None] * X) / len(y)
    found = two_moments(X, y) - M @ M / (6 * math.pi)
    assert float(M.abs().max()) < 0.1
    assert float(found[0, 0] / found[1, 1]) == pytest.approx(2 * k + 1, rel=0.15)


def test_the_metric_of_two_moments_is_that_of_labels_less_their_linear_part():
    """The linear part by moments, in numpy: alpha the mean of y, beta the mean of y x."""
    train = draw_problem(parse_target("z1 + h2(z2) + 2", 6, 0), 80, 0.1, 0, n_test=10).train
    model = fit_two_moments(Problem(train, None), generator_for(0))
    X, y = train.X.numpy(), train.y.numpy()
    rest = y - y.mean() - X @ (X.T @ y / 80)
    M, A = (sum(c * np.outer(x, x) for c, x in zip(label, X, strict=True)) / 80 for label in (rest, rest**2))
    expected = M @ M / (12 * np.pi) + (np.pi - 2) / (4 * np.pi) * A / 80
    assert np.allclose(model.kernel.keywords["metric"], 6 * expected / np.trace(expected))


def test_bad_shapes_of_moments_are_sentences():
    for function in (mean_outer_product, two_moments):
        with pytest.raises(BadParameter, match="y "):
            function(torch.eye(3), torch.ones(2))
