"""Kernels that are told the degree: their features by hand, exact fits by counting, and what a kernel cannot hold."""

import itertools

import numpy as np
import pytest
import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.feature_learning.degree_kernels import (
    centred_quadratic_kernel,
    fit_polynomial_kernel,
    fit_quadratic_ridge,
)
from beyond_kernel.foundations.learning.kernel_ridge import kernel_ridge
from beyond_kernel.foundations.learning.learners import label_of, risk_of
from beyond_kernel.foundations.learning.samples import draw_problem
from beyond_kernel.foundations.targets.target import parse_target
from beyond_kernel.random_streams import generator_for


def problem_of(target, d, n, noise=0.0, seed=0):
    return draw_problem(parse_target(target, d, seed).normalised(), n, noise, seed, n_test=2000)


def risk_on(problem, learner, **options):
    return risk_of(lambda *given: learner(*given, **options), problem, generator_for(0)).value


def features(X):
    """All h_2(x_i), then all x_i x_j with i < j, one by one."""
    d = X.shape[1]
    squares = [(X[:, i] ** 2 - 1) / np.sqrt(2) for i in range(d)]
    return np.stack([*squares, *(X[:, i] * X[:, j] for i, j in itertools.combinations(range(d), 2))], 1)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
def test_the_quadratic_kernel_is_the_sum_over_its_features(dtype):
    X, Z = (torch.randn(size, 4, generator=generator_for(0), dtype=torch.float64) for size in (7, 5))
    tolerance = 1e-12 if dtype == torch.float64 else 1e-4
    found = centred_quadratic_kernel(X.to(dtype), Z.to(dtype))
    assert found.dtype == dtype
    np.testing.assert_allclose(found.numpy(), features(X.numpy()) @ features(Z.numpy()).T, rtol=0, atol=tolerance)
    alone = centred_quadratic_kernel(X.to(dtype))
    assert torch.equal(alone, alone.T)
    np.testing.assert_allclose(alone.numpy(), features(X.numpy()) @ features(X.numpy()).T, rtol=0, atol=tolerance)


def test_ridge_on_quadratic_forms_is_exact_from_their_number_on():
    """In d = 6 there are 21 forms: 21 noise-free samples determine one, and 20 do not."""
    assert risk_on(problem_of("h2(z1) - z2*z3", 6, 22), fit_quadratic_ridge) < 1e-6
    assert risk_on(problem_of("h2(z1) - z2*z3", 6, 18), fit_quadratic_ridge) > 1e-3
    assert risk_on(problem_of("z1", 6, 300), fit_quadratic_ridge) > 0.9  # an odd target: at least 1, on many points


def test_ridge_on_quadratic_forms_is_ridge_on_the_features():
    problem = problem_of("h2(z1) + z1*z2", 5, 40, noise=0.3)
    model = fit_quadratic_ridge(problem, generator_for(0))
    F, G = features(problem.train.X.numpy()), features(problem.test.X.numpy())
    weights = np.linalg.solve(F.T @ F + 40 * model.fit.penalty * np.eye(15), F.T @ problem.train.y.numpy())
    np.testing.assert_allclose(model(problem.test.X).numpy(), G @ weights, rtol=0, atol=1e-8)


def test_a_polynomial_kernel_holds_its_degree_and_none_above():
    """In d = 4 there are 35 monomials up to degree three, and 70 up to four."""
    quartic, cubic = problem_of("h4(z1) + z2", 4, 90), problem_of("h3(z1) + z1*z2 + 1", 4, 90)
    assert risk_on(cubic, fit_polynomial_kernel, degree=3) < 1e-4
    assert risk_on(quartic, fit_polynomial_kernel, degree=4) < 1e-4
    assert risk_on(quartic, fit_polynomial_kernel, degree=3) > 0.3


def test_a_polynomial_kernel_chooses_the_offset_of_least_left_out_error():
    problem = problem_of("h2(z1) + z2", 8, 60, noise=0.5)
    chosen = fit_polynomial_kernel(problem, generator_for(0), degree=2)
    singles = [fit_polynomial_kernel(problem, generator_for(0), degree=2, scales=(s,)) for s in (0.5, 1.0, 2.0)]
    assert chosen.fit.loss == min(single.fit.loss for single in singles)
    X = problem.train.X
    by_hand = kernel_ridge(problem.train, lambda A, B=None: (2.0 + A @ (A if B is None else B).T / 8) ** 2)
    assert torch.allclose(singles[2](X), by_hand(X), atol=1e-6)


def test_labels_and_bad_input():
    assert label_of(fit_polynomial_kernel) == "polynomial kernel" and label_of(fit_quadratic_ridge) == "quadratic ridge"
    with pytest.raises(BadParameter, match="degree = 0"):
        fit_polynomial_kernel(problem_of("z1", 3, 10), generator_for(0), degree=0)
    with pytest.raises(BadParameter, match="Z has shape"):
        centred_quadratic_kernel(torch.ones(2, 3), torch.ones(2, 4))
