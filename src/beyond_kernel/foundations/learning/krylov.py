"""Symmetric positive systems (K + shift I) x = right for many shifts at once, from one Krylov space.

Lanczos started at the right-hand side with full re-orthogonalisation gives an orthonormal Q and a tridiagonal T with
K Q = Q T up to its last column; for each shift x = |right| Q (T + shift I)^{-1} e_1, and its residual is known at every
step without another product. At the end the true residuals are computed; a shift that is still open is solved by
Cholesky. Steps grow as shifts shrink, and with the slowness of the fall of the eigenvalues.

Source: derived here; Frommer and Maass 1999 for one Krylov space for all shifts.
"""

import math
import sys
from collections.abc import Callable

import torch
from scipy.linalg import get_blas_funcs

from beyond_kernel.checks import BadParameter


def shifted_solutions(
    gram: torch.Tensor, right: torch.Tensor, shifts: torch.Tensor, tolerance: float, max_steps: int
) -> torch.Tensor:
    """Solve (K + shift I) x = right for every shift.

    Args:
        gram: K, symmetric, of shape (n, n); not checked here.
        right: of shape (n,), dtype and device of K.
        shifts: positive, of shape (k,).
        tolerance: largest accepted residual, relative to |right|; where rounding alone leaves more, that is accepted.
        max_steps: Lanczos steps, each one product with K, before the rest is solved by Cholesky.

    Returns:
        Solutions, of shape (k, n).

    Raises:
        BadParameter: if K + shift I is not positive definite.
    """
    if not right.any():
        return torch.zeros(len(shifts), len(gram), dtype=gram.dtype, device=gram.device)
    solutions, largest = _lanczos_path(gram, right, shifts, tolerance, min(max_steps, len(gram)))
    size = right.norm()
    residuals = (torch.addcmul(solutions @ gram, solutions, shifts[:, None]) - right).norm(dim=1) / size
    rounding = 10 * torch.finfo(gram.dtype).eps * (largest + shifts) * solutions.norm(dim=1) / size
    open_ones = ~(residuals <= rounding.clamp(min=tolerance))  # also those that are not a number
    for index in open_ones.nonzero().flatten().tolist():
        solutions[index] = _cholesky_solution(gram, right, float(shifts[index]))
    return solutions


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
