"""The lasso over fixed directions: its optimality conditions, brute force, and duality."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from beyond_kernel.checks import BadParameter
from beyond_kernel.feature_learning.absolute_teacher import plane_teacher
from beyond_kernel.feature_learning.dual_certificate import circle, residual_certificate
from beyond_kernel.feature_learning.grid_lasso import grid_lasso, lower_bound
from beyond_kernel.feature_learning.local_recovery import balanced, total_mass
from beyond_kernel.feature_learning.population_kernel import population_loss
from beyond_kernel.random_streams import generator_for

TEACHER = plane_teacher([20, 80, 140], [1.0, -1.5, 1.0])


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=generator_for(seed, "test", *shape), dtype=torch.float64)


def objective(W, a, decay):
    return float(population_loss(W, a, TEACHER.V, TEACHER.b) + decay * total_mass(W, a))


def test_another_solver_finds_the_same_minimum():
    """Six directions, where Nelder and Mead from the solution find nothing lower, and from zero come to it."""
    grid = circle(6, TEACHER.V)
    c = grid_lasso(grid, TEACHER.V, TEACHER.b, 0.05)
    best = objective(*balanced(grid, c), 0.05)
    options = {"maxiter": 50_000, "maxfev": 50_000, "xatol": 1e-9, "fatol": 1e-13, "adaptive": True}
    for start in (c.numpy(), np.zeros(6)):
        found = minimize(
            lambda x: objective(*balanced(grid, torch.from_numpy(x)), 0.05),
            start,
            method="Nelder-Mead",
            options=options,
        )
        assert best - 1e-9 <= found.fun <= best + 1e-3


def test_the_grid_lasso_meets_the_conditions_of_its_optimum():
    grid = circle(90, TEACHER.V)
    for decay in (0.1, 0.01):
        c = grid_lasso(grid, TEACHER.V, TEACHER.b, decay)
        eta = residual_certificate(grid, *balanced(grid, c), TEACHER.V, TEACHER.b, decay)
        assert float(eta.abs().max()) <= 1 + 1e-6
        np.testing.assert_allclose(eta[c != 0], c[c != 0].sign(), atol=1e-6)


def test_duality_bounds_every_student_and_is_tight_at_the_lasso():
    grid = circle(90, TEACHER.V)
    W, a = balanced(grid, grid_lasso(grid, TEACHER.V, TEACHER.b, 0.05))

    best = objective(W, a, 0.05)
    assert float(lower_bound(grid, W, a, TEACHER, 0.05)) == pytest.approx(best, rel=1e-6)
    for seed in range(20):
        assert float(lower_bound(grid, drawn(8, 2, seed=seed), drawn(8, seed=seed + 1), TEACHER, 0.05)) <= best + 1e-12
        assert best <= objective(*balanced(grid, drawn(90, seed=seed) / 30), 0.05)


def test_bad_input_is_a_sentence():
    with pytest.raises(BadParameter, match=r"U has shape \(2,\)"):
        grid_lasso(TEACHER.V[0], TEACHER.V, TEACHER.b, 0.1)
    with pytest.raises(BadParameter, match="decay = 0"):
        grid_lasso(TEACHER.V, TEACHER.V, TEACHER.b, 0.0)
