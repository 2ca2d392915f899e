"""Ridge paths against one linear solve per penalty and against the other form; left-out errors against n refits."""

import numpy as np
import pytest
import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.foundations.learning import krylov
from beyond_kernel.foundations.learning.ridge import (
    MOST_LEFT_OUT,
    fit_kernel_ridge,
    fit_ridge,
    kernel_ridge_path,
    ridge_path,
)
from beyond_kernel.kernel_regime.tangent_kernel import tangent_kernel

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


@pytest.mark.parametrize(("n", "d", "lowest"), [(700, 30, -8), (700, 3, -8), (500, 3, -10), (300, 60, -3)])
def test_predictions_are_those_of_one_cholesky_per_penalty(n, d, lowest):
    """Errors at other points within 1e-6, also with small penalties and slow eigenvalues: most steps are needed."""
    generator = torch.Generator().manual_seed(7)
    X, Z = (torch.randn(size, d, generator=generator, dtype=torch.float64) for size in (n, 200))
    y, others = (P[:, 0] ** 2 - 1 + P[:, 1] + 0.3 * torch.randn(len(P), generator=generator) for P in (X, Z))
    gram, cross = tangent_kernel(X), tangent_kernel(Z, X)
    penalties = torch.logspace(lowest, 1, 20, dtype=torch.float64) * gram.diagonal().mean()
    for penalty, found in zip(penalties, kernel_ridge_path(gram, y, penalties), strict=True):
        factor = torch.linalg.cholesky(gram + n * penalty * torch.eye(n, dtype=y.dtype))
        c = torch.cholesky_solve(y[:, None], factor)[:, 0]
        expected = (cross @ c - others).square().mean()
        assert float((cross @ found - others).square().mean()) == pytest.approx(float(expected), rel=1e-6)


@pytest.mark.parametrize("max_steps", [0, 1, 5, 17, 400])
def test_every_residual_is_small_wherever_lanczos_stops(max_steps, monkeypatch):
    """The true residuals decide: what is not solved goes to Cholesky, and nothing that is solved does."""
    generator = torch.Generator().manual_seed(8)
    X = torch.randn(200, 5, generator=generator, dtype=torch.float64)
    y, gram = torch.sin(3 * X[:, 0]), tangent_kernel(X)
    by_cholesky = []
    plain = krylov._cholesky_solution
    monkeypatch.setattr(krylov, "_cholesky_solution", lambda *args: by_cholesky.append(args) or plain(*args))
    path = kernel_ridge_path(gram, y, PENALTIES, max_steps=max_steps)
    residuals = (path @ gram + 200 * PENALTIES[:, None] * path - y).norm(dim=1) / y.norm()
    assert float(residuals.max()) < 2e-8
    assert {0: 8, 1: 8, 400: 0}.get(max_steps, len(by_cholesky)) == len(by_cholesky)
    assert max_steps != 17 or 0 < len(by_cholesky) < 8  # the large penalties are done by then, the small ones not


def test_a_basis_that_lies_is_found_out(monkeypatch):
    """Products with another matrix: all that Lanczos knows of its residuals is wrong, the true ones are not."""
    features, y = data(60, 90, seed=9)
    gram = features @ features.T
    expected = kernel_ridge_path(gram, y, PENALTIES)
    monkeypatch.setattr(krylov, "_product_with", lambda K: lambda v: K @ v * 1.001)
    assert torch.allclose(kernel_ridge_path(gram, y, PENALTIES), expected, atol=1e-9)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_kernel_path_reads_the_layouts_that_torch_has(dtype):
    """One half of K is read in the order of columns: a transposed or strided K must give the same."""
    features, y = data(40, 70, seed=10, dtype=dtype)
    gram = features @ features.T
    gram = (gram + gram.T) / 2
    wide = torch.zeros(40, 80, dtype=dtype)
    wide[:, ::2] = gram
    expected = kernel_ridge_path(gram, y, PENALTIES[3:])
    for other in (gram.T, wide[:, ::2]):
        assert torch.allclose(kernel_ridge_path(other, y, PENALTIES[3:]), expected, rtol=1e-4)


def test_single_precision_path_is_as_good_as_single_precision_allows():
    """At penalties above rounding the float32 path predicts as the float64 one; the labels may have another dtype."""
    generator = torch.Generator().manual_seed(11)
    X = torch.randn(300, 10, generator=generator, dtype=torch.float64)
    y, gram = X[:, 0] * X[:, 1], tangent_kernel(X)
    penalties = torch.logspace(-3, 1, 5, dtype=torch.float64)
    fits, exact = (gram @ kernel_ridge_path(K, y, penalties).double().T for K in (gram.float(), gram))
    assert (fits - exact).norm() < 1e-4 * exact.norm()  # condition number up to 1e3, times float32's 6e-8


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


def refitted_losses(features, y, penalties):
    """Leave each sample out in turn, refit on the others at the same n times penalty, and predict it."""
    n = len(y)
    losses = []
    for penalty in penalties:
        errors = []
        for i in range(n):
            kept = [k for k in range(n) if k != i]
            F, z = features[kept].numpy(), y[kept].numpy()
            a = np.linalg.solve(F.T @ F + n * float(penalty) * np.eye(F.shape[1]), F.T @ z)
            errors.append(float(y[i]) - features[i].numpy() @ a)
        losses.append(np.mean(np.square(errors)))
    return np.array(losses)


@pytest.mark.parametrize(("n", "m"), [(30, 12), (12, 30), (20, 20)])
def test_left_out_errors_are_those_of_n_refits(n, m):
    """Few samples for many features, many for few, and as many: three forms of one closed expression."""
    features, y = data(n, m, seed=12)
    levels = (1e-4, 1e-2, 1.0)
    fit = fit_ridge(features, y, levels)
    expected = refitted_losses(features, y, fit.penalties)
    np.testing.assert_allclose(fit.losses.numpy(), expected, rtol=1e-6)
    assert fit.penalty == fit.penalties[int(expected.argmin())] and fit.loss == float(fit.losses.min())
    kernel_fit = fit_kernel_ridge(features @ features.T, y, levels)
    np.testing.assert_allclose(kernel_fit.losses.numpy(), expected, rtol=1e-5)
    assert torch.allclose(features.T @ kernel_fit.coefficients, fit.coefficients, atol=1e-6)


@pytest.mark.parametrize(("samples", "features"), [(60, 40), (25, 60)])
def test_the_penalty_is_the_best_of_its_path_for_new_points_within_a_step_or_two(samples, features):
    """What is left out stands for what is new: over 20 draws the risk is within a fifth of the best of the path."""
    ratios = []
    for seed in range(20):
        F, y = data(samples, features, seed=seed)
        G, z = data(2000, features, seed=100 + seed)
        fit = fit_ridge(F, y)
        risks = [(G @ a - z).square().mean() for a in ridge_path(F, y, fit.penalties)]
        ratios.append(float((G @ fit.coefficients - z).square().mean() / min(risks)))
    assert np.mean(ratios) < 1.2


def test_an_optimum_at_the_end_of_the_path_is_told():
    features, y = data(60, 40, seed=5)
    assert not fit_ridge(features, y).at_edge  # noise 0.3 with 40 features wants a penalty in between
    generator = torch.Generator().manual_seed(6)
    noise = torch.randn(60, generator=generator, dtype=torch.float64)
    assert fit_ridge(features, noise, levels=(1e-8, 1e-4)).at_edge  # nothing to learn: the largest penalty wins


def test_above_its_limit_a_kernel_is_tuned_by_generalised_cross_validation():
    """Against its definition with the exact trace, which one probe of n signs knows up to its standard deviation."""
    n = MOST_LEFT_OUT + 100
    generator = torch.Generator().manual_seed(13)
    X = torch.randn(n, 10, generator=generator, dtype=torch.float64)
    y = X[:, 0] ** 2 - 1 + X[:, 1] + 0.5 * torch.randn(n, generator=generator, dtype=torch.float64)
    gram = tangent_kernel(X)
    levels = (1e-4, 1e-2, 1.0)
    fit = fit_kernel_ridge(gram, y, levels)
    assert fit_kernel_ridge(gram, y, levels).losses.tolist() == fit.losses.tolist()  # the probe is always the same
    for penalty, loss in zip(fit.penalties, fit.losses, strict=True):
        inverse = np.linalg.inv(gram.numpy() + n * float(penalty) * np.eye(n))
        expected = np.mean((inverse @ y.numpy()) ** 2) / (np.trace(inverse) / n) ** 2
        off_diagonal = np.sum(inverse**2) - np.sum(np.diag(inverse) ** 2)
        deviation = np.sqrt(2 * off_diagonal) / np.trace(inverse)  # of v' A^-1 v, relative to the trace
        assert deviation < 0.05
        assert float(loss) == pytest.approx(expected, rel=2 * 4 * deviation)  # the trace is squared; four deviations


def test_generalised_and_left_out_errors_choose_alike(monkeypatch):
    """On Gaussian inputs leverages are even: the two rules end within half a decade and within 2 % in risk."""
    generator = torch.Generator().manual_seed(14)
    X, Z = (torch.randn(size, 15, generator=generator, dtype=torch.float64) for size in (600, 2000))
    y, truth = X[:, 0] * X[:, 1] + X[:, 2], Z[:, 0] * Z[:, 1] + Z[:, 2]
    y = y + 0.3 * torch.randn(600, generator=generator, dtype=torch.float64)
    gram, cross = tangent_kernel(X, bias=1.0), tangent_kernel(Z, X, bias=1.0)
    left_out = fit_kernel_ridge(gram, y)
    monkeypatch.setattr("beyond_kernel.foundations.learning.ridge.MOST_LEFT_OUT", 100)
    generalised = fit_kernel_ridge(gram, y)
    assert abs(np.log10(generalised.penalty / left_out.penalty)) < 0.51
    risks = [float((cross @ fit.coefficients - truth).square().mean()) for fit in (generalised, left_out)]
    assert risks[0] == pytest.approx(risks[1], rel=0.02)


def test_an_asymmetry_is_found_wherever_it_is():
    """The check goes tile by tile: within a tile, across tiles, in the last, incomplete one."""
    gram = torch.eye(600, dtype=torch.float64)
    for i, j in ((3, 100), (599, 2), (300, 590), (598, 599)):
        bent = gram.clone()
        bent[i, j] += 1e-6
        with pytest.raises(BadParameter, match="differ from its transpose by 1.0e-06"):
            kernel_ridge_path(bent, torch.ones(600, dtype=torch.float64), PENALTIES)


def test_a_matrix_that_is_no_kernel_is_refused_with_a_sentence():
    indefinite = torch.diag(torch.linspace(-1, 1, 30, dtype=torch.float64))
    with pytest.raises(BadParameter, match="not positive definite: it is no kernel"):
        kernel_ridge_path(indefinite, torch.ones(30, dtype=torch.float64), torch.tensor([1e-3]))
    lucky = kernel_ridge_path(indefinite, torch.ones(30, dtype=torch.float64), torch.tensor([1.0]))
    assert torch.isfinite(lucky).all()  # the penalty outweighs the negative eigenvalues


def test_bad_input_is_refused_with_a_sentence():
    features, y = data(20, 5)
    gram = features @ features.T
    holed = gram.clone()
    holed[2, 3] = torch.nan
    with pytest.raises(BadParameter, match=r"gram has shape \(0, 0\)"):
        kernel_ridge_path(gram[:0, :0], y[:0], PENALTIES)
    with pytest.raises(BadParameter, match=r"features has shape \(0, 5\)"):
        ridge_path(features[:0], y[:0], PENALTIES)
    with pytest.raises(BadParameter, match="gram holds 1 entries that are not finite"):
        kernel_ridge_path(holed, y, PENALTIES)
    with pytest.raises(BadParameter, match="y holds 20 entries that are not finite"):
        kernel_ridge_path(gram, y * torch.inf, PENALTIES)
    with pytest.raises(BadParameter, match="penalties holds 1 entries that are not finite"):
        kernel_ridge_path(gram, y, torch.tensor([1.0, torch.nan]))
    with pytest.raises(BadParameter, match="holds -0.5: every penalty must be above 0"):
        kernel_ridge_path(gram, y, torch.tensor([1.0, -0.5]))
    with pytest.raises(BadParameter, match="every penalty must be above 0"):
        fit_kernel_ridge(gram, y, levels=(0.0, 1.0))
    with pytest.raises(BadParameter, match="not positive definite, no kernel"):
        fit_kernel_ridge(torch.diag(torch.linspace(-1, 1, 20, dtype=torch.float64) + 0.5), y)
    with pytest.raises(BadParameter, match="tolerance"):
        kernel_ridge_path(gram, y, PENALTIES, tolerance=-1.0)
    with pytest.raises(BadParameter, match="max_steps"):
        kernel_ridge_path(gram, y, PENALTIES, max_steps=2.5)
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
    with pytest.raises(BadParameter, match=r"y has shape \(19,\)"):
        fit_ridge(features, y[:-1])
