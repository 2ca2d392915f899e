"""Ridge regression for a path of penalties, on features or on a Gram matrix, with the choice on a hold-out.

With n samples the objective is the same in both forms,

    (1/n) |y - F a|^2 + penalty |a|^2        and, with K = F F^T and a = F^T c,   (K + n penalty I) c = y,

so a penalty means the same thing whether features or a kernel are given.
"""

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass

import torch
from scipy.linalg import get_blas_funcs

from beyond_kernel.checks import BadParameter, matrix, real_number, vector, whole_number

LEVELS = tuple(10.0 ** (exponent / 2) for exponent in range(-16, 3))
"""Default penalties, from 1e-8 to 10 in half decades, relative to the mean squared norm of a row of features."""
TILE = 256
"""Rows and columns of a Gram matrix that are looked at together, so that they stay in cache."""


@dataclass(frozen=True)
class RidgeFit:
    """A fit whose penalty was chosen on a hold-out.

    Attributes:
        coefficients: of shape (m,) for features, (n,) (dual) for a Gram matrix.
        penalty: the chosen penalty.
        penalties: the whole path, of shape (k,).
        validation_losses: mean squared error on the hold-out along the path, of shape (k,).
    """

    coefficients: torch.Tensor
    penalty: float
    penalties: torch.Tensor
    validation_losses: torch.Tensor

    @property
    def at_edge(self) -> bool:
        """Whether the chosen penalty is the first or the last of the path, so that a better one may lie outside."""
        best = int(self.validation_losses.argmin())
        return best in (0, len(self.penalties) - 1)


def ridge_path(features: torch.Tensor, y: torch.Tensor, penalties: torch.Tensor) -> torch.Tensor:
    """Minimise (1/n) |y - F a|^2 + penalty |a|^2 for every penalty, with one eigendecomposition.

    Args:
        features: F, of shape (n, m).
        y: labels, of shape (n,).
        penalties: positive, of shape (k,).

    Returns:
        The minimisers, of shape (k, m).

    Raises:
        BadParameter: if shapes do not fit, an entry is not finite or a penalty is not positive.

    >>> features, y = torch.tensor([[1.0], [1.0]]), torch.tensor([2.0, 4.0])
    >>> ridge_path(features, y, torch.tensor([1.0])).tolist()  # mean of the labels over 1 + penalty
    [[1.5]]
    """
    n, m = matrix("features", features).shape
    vector("y", y, n)
    penalties = _positive(penalties, features)
    if n < m:
        return _spectral_path(features @ features.T / n, y / n, penalties) @ features
    return _spectral_path(features.T @ features / n, features.T @ y / n, penalties)


def kernel_ridge_path(
    gram: torch.Tensor, y: torch.Tensor, penalties: torch.Tensor, tolerance: float = 1e-8, max_steps: int = 400
) -> torch.Tensor:
    """Solve (K + n penalty I) c = y for every penalty from one Lanczos basis, by Cholesky where that has not converged.

    Lanczos started at y with full re-orthogonalisation gives an orthonormal Q and a tridiagonal T with K Q = Q T up to
    its last column; for each shift, c = |y| Q (T + n penalty I)^{-1} e_1, and its residual is known at every step
    without another product. At the end the true residuals are computed. Steps grow as penalties shrink: their number
    is set by the smallest penalty, and by how slowly the eigenvalues fall.

    Args:
        gram: K, symmetric positive semi-definite, of shape (n, n).
        y: labels, of shape (n,).
        penalties: positive, of shape (k,).
        tolerance: largest accepted residual, relative to |y|; where rounding alone leaves more, that is accepted.
        max_steps: Lanczos steps, each one product with K, before the rest of the path is solved by Cholesky.

    Returns:
        Dual coefficients, of shape (k, n).

    Raises:
        BadParameter: if K is not square, not symmetric or, at a penalty, not positive definite; if shapes do not fit,
            an entry is not finite, a penalty is not positive, tolerance is negative or max_steps no whole number.

    Source: derived here; Frommer and Maass 1999 for one Krylov space for all shifts.
    """
    n = len(_symmetric(gram))
    vector("y", y, n)
    penalties = _positive(penalties, gram)
    real_number("tolerance", tolerance, least=0)
    whole_number("max_steps", max_steps, least=0)
    y = y.to(gram)
    if not y.any():
        return torch.zeros(len(penalties), n, dtype=gram.dtype, device=gram.device)
    shifts = n * penalties
    coefficients, largest = _lanczos_path(gram, y, shifts, tolerance, min(max_steps, n))
    residuals = (torch.addcmul(coefficients @ gram, coefficients, shifts[:, None]) - y).norm(dim=1) / y.norm()
    rounding = 10 * torch.finfo(gram.dtype).eps * (largest + shifts) * coefficients.norm(dim=1) / y.norm()
    open_ones = ~(residuals <= rounding.clamp(min=tolerance))  # also those that are not a number
    for index in open_ones.nonzero().flatten().tolist():
        coefficients[index] = _cholesky_solution(gram, y, float(shifts[index]))
    return coefficients


def fit_ridge(
    features: torch.Tensor,
    y: torch.Tensor,
    features_validation: torch.Tensor,
    y_validation: torch.Tensor,
    levels: tuple[float, ...] = LEVELS,
) -> RidgeFit:
    """Ridge regression on features, with the penalty of least squared error on a hold-out.

    Args:
        features: of shape (n, m).
        y: of shape (n,).
        features_validation: of shape (n_validation, m).
        y_validation: of shape (n_validation,).
        levels: penalties relative to the mean squared norm of a row of ``features``.

    Raises:
        BadParameter: as ``ridge_path``.
    """
    matrix("features_validation", features_validation, matrix("features", features).shape[1])
    vector("y_validation", y_validation, len(features_validation))
    penalties = features.new_tensor(levels) * float(features.square().sum(1).mean())
    path = ridge_path(features, y, penalties)
    return _best(path, penalties, features_validation @ path.T - y_validation[:, None])


def fit_kernel_ridge(
    gram: torch.Tensor,
    y: torch.Tensor,
    gram_validation: torch.Tensor,
    y_validation: torch.Tensor,
    levels: tuple[float, ...] = LEVELS,
) -> RidgeFit:
    """Kernel ridge regression, with the penalty of least squared error on a hold-out.

    Args:
        gram: kernel between training points, of shape (n, n).
        y: of shape (n,).
        gram_validation: kernel between hold-out and training points, of shape (n_validation, n).
        y_validation: of shape (n_validation,).
        levels: penalties relative to the mean diagonal entry of ``gram``.

    Raises:
        BadParameter: as ``kernel_ridge_path``.
    """
    matrix("gram_validation", gram_validation, len(matrix("gram", gram)))
    vector("y_validation", y_validation, len(gram_validation))
    penalties = gram.new_tensor(levels) * float(gram.diagonal().mean())
    path = kernel_ridge_path(gram, y, penalties)
    return _best(path, penalties, gram_validation @ path.T - y_validation[:, None])


def _best(path: torch.Tensor, penalties: torch.Tensor, errors: torch.Tensor) -> RidgeFit:
    losses = errors.square().mean(0)
    best = int(losses.argmin())
    return RidgeFit(path[best], float(penalties[best]), penalties, losses)


def _spectral_path(symmetric: torch.Tensor, right: torch.Tensor, penalties: torch.Tensor) -> torch.Tensor:
    values, vectors = torch.linalg.eigh(symmetric)
    weights = (vectors.T @ right) / (values.clamp(min=0) + penalties[:, None])
    return weights @ vectors.T


def _lanczos_path(
    gram: torch.Tensor, y: torch.Tensor, shifts: torch.Tensor, tolerance: float, steps: int
) -> tuple[torch.Tensor, float]:
    """Return the solutions in the Krylov space where all residuals are small, or after ``steps``; and |K| there.

    The residual at a shift is off-diagonal entry times last entry of x = (T + shift I)^{-1} e_1, and that entry is a
    quotient of the off-diagonal entries and the pivots of T + shift I: one number for each shift and step.
    """
    product, basis = _product_with(gram), y.new_empty(steps + 1, len(y))
    basis[0] = y / y.norm()
    diagonal, off_diagonal = [], []
    small = shifts.to("cpu", torch.float64)
    pivots, last_entries = torch.full_like(small, math.inf), torch.ones_like(small)
    for j in range(steps):
        image, known = product(basis[j]), basis[: j + 1]
        diagonal.append(float(basis[j] @ image))
        for _ in range(2):  # twice is enough for orthogonality to working precision
            image.addmv_(known.T, known @ image, alpha=-1)
        before = off_diagonal[-1] if off_diagonal else 1.0
        off_diagonal.append(float(image.norm()))
        pivots = diagonal[j] + small - before**2 / pivots
        last_entries = last_entries * before / pivots
        if not bool((pivots > 0).all()) or bool((off_diagonal[j] * last_entries.abs() <= tolerance).all()):
            break  # not positive definite, or done
        torch.mul(image, 1 / max(off_diagonal[j], sys.float_info.min), out=basis[j + 1])
    if not diagonal:
        return gram.new_full((len(shifts), len(y)), math.nan), 0.0
    solutions, largest = _tridiagonal_solutions(diagonal, off_diagonal[:-1], small)
    return (y.norm() * solutions.to(y)) @ basis[: len(diagonal)], largest


def _tridiagonal_solutions(
    diagonal: list[float], off_diagonal: list[float], shifts: torch.Tensor
) -> tuple[torch.Tensor, float]:
    tridiagonal = torch.diag(shifts.new_tensor(diagonal))
    tridiagonal.diagonal(-1).copy_(shifts.new_tensor(off_diagonal))  # the other half is not read
    values, vectors = torch.linalg.eigh(tridiagonal)
    return (vectors[0] / (values + shifts[:, None])) @ vectors.T, float(values.abs().max())


def _product_with(gram: torch.Tensor) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return v -> K v; on the CPU from one half of K, since reading K is what the product costs."""
    if gram.device.type != "cpu":
        return lambda v: gram @ v
    array = gram.detach().contiguous().numpy().T  # a view in the order of columns, as symv wants it
    (symv,) = get_blas_funcs(("symv",), (array,))
    return lambda v: torch.as_tensor(symv(1.0, array, v.numpy()), device="cpu")


def _cholesky_solution(gram: torch.Tensor, y: torch.Tensor, shift: float) -> torch.Tensor:
    shifted = gram.clone()
    shifted.diagonal().add_(shift)
    factor, failed = torch.linalg.cholesky_ex(shifted)
    if failed:
        raise BadParameter(
            f"gram with {shift / len(y):.3g} n on its diagonal is not positive definite: it is no kernel, or the "
            f"penalty {shift / len(y):.3g} is too small for {str(gram.dtype).removeprefix('torch.')}."
        )
    return torch.cholesky_solve(y[:, None], factor)[:, 0]


def _symmetric(gram: torch.Tensor) -> torch.Tensor:
    if matrix("gram", gram).shape[0] != gram.shape[1]:
        raise BadParameter(f"gram has shape {tuple(gram.shape)}: a Gram matrix must be square.")
    gap = _asymmetry(gram)
    if gap > 1e3 * torch.finfo(gram.dtype).eps:
        raise BadParameter(f"gram is not symmetric: entries differ from its transpose by {gap:.1e} of the largest.")
    return gram


def _asymmetry(gram: torch.Tensor) -> float:
    """Return max |K - K^T| / max |K|, tile by tile: as whole arrays this costs as much as half of a ridge path."""
    gap, largest = [], []
    for i in range(0, len(gram), TILE):
        for j in range(i, len(gram), TILE):
            upper, lower = gram[i : i + TILE, j : j + TILE], gram[j : j + TILE, i : i + TILE].T
            gap.append((upper - lower).abs_().max())
            largest.append(upper.abs().max())
    return float(torch.stack(gap).max() / torch.stack(largest).max().clamp(min=torch.finfo(gram.dtype).tiny))


def _positive(penalties: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    vector("penalties", penalties)
    if bool((penalties <= 0).any()):
        raise BadParameter(f"penalties holds {float(penalties.min()):g}: every penalty must be above 0.")
    return penalties.to(like)
