"""Ridge paths against one linear solve per penalty, against the other form, and against the choice on the hold-out."""

import pytest
import torch

from beyond_kernel.foundations.ridge import (
    LEVELS,
    fit_kernel_ridge,
    fit_ridge,
    kernel_ridge_path,
    ridge_path,
)
from beyond_kernel.kernel_regime.tangent_kernel import tangent_kernel
from beyond_kernel.parameters import BadParameter

PENALTIES = torch.logspace(-6, 1, 8, dtype=torch.float64)


def data(n: int, m: int, seed: int = 0, dtype: torch.dtype = torch.float64):
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(n, m, generator=generator, dtype=dtype)
    return features, features[:, 0] + 0.3 * torch.randn(n, generator=generator, dtype=dtype)


@pytest.mark.parametrize(("n", "m"), [(60, 25), (25, 60), (30, 30)])
def test_ridge_path_solves_the_normal_equations(n, m):
    """The objective is (1/n) |y - F a|^2 + penalty |a|^2: a stray factor n moves the solution by a factor."""
    features, y = data(n, m)
    path = ridge_path(features, y, PENALTIES)
    for a, penalty in zip(path, PENALTIES, strict=True):
        normal = features.T @ features / n + penalty * torch.eye(m, dtype=y.dtype)
        expected = torch.linalg.solve(normal, features.T @ y / n)
        # both sides lose digits with the condition number, at most 1e8 here
        assert torch.allclose(a, expected, rtol=1e-6, atol=1e-8)


def test_ridge_path_minimises_its_objective():
    features, y = data(40, 12)

    def objective(a, penalty):
        return (y - features @ a).square().mean() + penalty * a.square().sum()

    generator = torch.Generator().manual_seed(1)
    for a, penalty in zip(ridge_path(features, y, PENALTIES), PENALTIES, strict=True):
        for _ in range(20):
            other = a + 1e-3 * torch.randn(12, generator=generator, dtype=y.dtype)
            assert objective(a, penalty) < objective(other, penalty)


def test_kernel_path_agrees_with_one_solve_per_penalty():
    generator = torch.Generator().manual_seed(2)
    X = torch.randn(300, 12, generator=generator, dtype=torch.float64)
    y = X[:, 0] ** 2 - 1 + 0.1 * torch.randn(300, generator=generator, dtype=torch.float64)
    gram = tangent_kernel(X)
    path = kernel_ridge_path(gram, y, PENALTIES)
    for c, penalty in zip(path, PENALTIES, strict=True):
        expected = torch.linalg.solve(gram + 300 * penalty * torch.eye(300, dtype=y.dtype), y)
        # residual below 1e-9 |y|, times the condition number of at most 1e4 relative to the trace
        assert (c - expected).norm() < 1e-5 * expected.norm()


def test_kernel_path_agrees_with_the_features_behind_the_kernel():
    features, y = data(50, 20, seed=3)
    dual = kernel_ridge_path(features @ features.T, y, PENALTIES)
    assert torch.allclose(dual @ features, ridge_path(features, y, PENALTIES), atol=1e-7)


def test_kernel_path_falls_back_to_cholesky_when_lanczos_is_cut_short():
    features, y = data(80, 200, seed=4)
    gram = features @ features.T
    cut = kernel_ridge_path(gram, y, PENALTIES, max_steps=2)
    full = kernel_ridge_path(gram, y, PENALTIES)
    assert torch.allclose(cut, full, atol=1e-9)


def test_kernel_path_of_an_eigenvector_stops_at_the_invariant_subspace():
    """With y an eigenvector the Krylov space is one-dimensional: c = y / (value + n penalty)."""
    gram = torch.diag(torch.arange(1.0, 41.0, dtype=torch.float64))
    y = torch.zeros(40, dtype=torch.float64)
    y[9] = 2.0
    path = kernel_ridge_path(gram, y, PENALTIES)
    assert torch.allclose(path[:, 9], 2 / (10 + 40 * PENALTIES), rtol=1e-12)
    assert path[:, :9].abs().max() < 1e-12
    assert not kernel_ridge_path(gram, torch.zeros_like(y), PENALTIES).any()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_dtype_follows_the_input(dtype):
    features, y = data(30, 10, dtype=dtype)
    assert ridge_path(features, y, PENALTIES).dtype == dtype
    assert kernel_ridge_path(features @ features.T, y, PENALTIES, tolerance=1e-4).dtype == dtype


def test_the_penalty_is_the_best_on_the_hold_out():
    features, y = data(60, 40, seed=5)
    held_out, y_held_out = data(500, 40, seed=6)
    fit = fit_ridge(features, y, held_out, y_held_out)
    losses = [(held_out @ a - y_held_out).square().mean() for a in ridge_path(features, y, fit.penalties)]
    best = min(range(len(LEVELS)), key=lambda index: losses[index])
    assert fit.penalty == fit.penalties[best]
    assert torch.allclose(fit.validation_losses, torch.stack(losses))
    assert 0 < best < len(LEVELS) - 1 and not fit.at_edge  # noise 0.3 with 40 features wants a penalty in between
    kernel_fit = fit_kernel_ridge(features @ features.T, y, held_out @ features.T, y_held_out)
    assert kernel_fit.penalty == pytest.approx(fit.penalty)
    assert torch.allclose(features.T @ kernel_fit.coefficients, fit.coefficients, atol=1e-6)


def test_an_optimum_at_the_end_of_the_path_is_told():
    features, y = data(60, 40, seed=5)
    held_out, _ = data(500, 40, seed=6)
    fit = fit_ridge(features, y, held_out, -held_out[:, 0])
    assert fit.at_edge  # the hold-out says the opposite of the sample: the largest penalty wins


def test_bad_input_is_refused_with_a_sentence():
    features, y = data(20, 5)
    gram = features @ features.T
    with pytest.raises(BadParameter, match="every penalty must be above 0"):
        ridge_path(features, y, torch.tensor([-1.0]))
    with pytest.raises(BadParameter, match="must be square"):
        kernel_ridge_path(gram[:, :7], y, PENALTIES)
    with pytest.raises(BadParameter, match="not symmetric"):
        kernel_ridge_path(gram + torch.triu(torch.ones_like(gram), 1), y, PENALTIES)
    with pytest.raises(BadParameter, match=r"y has shape \(19,\)"):
        ridge_path(features, y[:-1], PENALTIES)
    with pytest.raises(BadParameter, match="not finite"):
        ridge_path(features / 0, y, PENALTIES)
    with pytest.raises(BadParameter, match="features_validation"):
        fit_ridge(features, y, features[:, :3], y)
