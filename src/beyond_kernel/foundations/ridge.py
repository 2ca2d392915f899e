"""Ridge regression for a path of penalties, on features or on a Gram matrix, with the choice on a hold-out.

With n samples the objective is the same in both forms,

    (1/n) |y - F a|^2 + penalty |a|^2        and, with K = F F^T and a = F^T c,   (K + n penalty I) c = y,

so a penalty means the same thing whether features or a kernel are given.
"""

from dataclasses import dataclass

import torch

from beyond_kernel.parameters import BadParameter, matrix, vector

LEVELS = tuple(10.0 ** (exponent / 2) for exponent in range(-16, 3))
"""Default penalties, from 1e-8 to 10 in half decades, relative to the mean squared norm of a row of features."""


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
    """
    n, m = matrix("features", features).shape
    vector("y", y, n)
    penalties = _positive(penalties, features)
    if n < m:
        return _spectral_path(features @ features.T / n, y / n, penalties) @ features
    return _spectral_path(features.T @ features / n, features.T @ y / n, penalties)


def kernel_ridge_path(
    gram: torch.Tensor, y: torch.Tensor, penalties: torch.Tensor, tolerance: float = 1e-9, max_steps: int = 400
) -> torch.Tensor:
    """Solve (K + n penalty I) c = y for every penalty from one Lanczos basis, by Cholesky where that has not converged.

    Lanczos started at y with full re-orthogonalisation gives an orthonormal Q and a tridiagonal T with K Q = Q T up to
    its last column; for each shift, c = |y| Q (T + n penalty I)^{-1} e_1, and the true residual is known without
    another product.

    Args:
        gram: K, symmetric positive semi-definite, of shape (n, n).
        y: labels, of shape (n,).
        penalties: positive, of shape (k,).
        tolerance: largest accepted residual, relative to |y|.
        max_steps: Lanczos steps before the rest of the path is solved by Cholesky.

    Returns:
        Dual coefficients, of shape (k, n).

    Raises:
        BadParameter: if K is not square or not symmetric, shapes do not fit, or a penalty is not positive.
    """
    n = len(_symmetric(gram))
    vector("y", y, n)
    penalties = _positive(penalties, gram)
    if not y.any():
        return torch.zeros(len(penalties), n, dtype=gram.dtype, device=gram.device)
    coefficients, residuals = _lanczos_path(gram, y, n * penalties, tolerance, min(max_steps, n))
    for index in (residuals > tolerance).nonzero().flatten().tolist():
        shifted = gram + n * penalties[index] * torch.eye(n, dtype=gram.dtype, device=gram.device)
        coefficients[index] = torch.cholesky_solve(y[:, None], torch.linalg.cholesky(shifted))[:, 0]
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
    penalties = torch.as_tensor(levels, dtype=features.dtype) * float(features.square().sum(1).mean())
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
    penalties = torch.as_tensor(levels, dtype=gram.dtype) * float(gram.diagonal().mean())
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
) -> tuple[torch.Tensor, torch.Tensor]:
    basis = torch.zeros(steps, len(y), dtype=gram.dtype, device=gram.device)
    diagonal, off_diagonal = [], []
    norm = y.norm()
    basis[0] = y / norm
    for j in range(steps):
        image = gram @ basis[j]
        diagonal.append(basis[j] @ image)
        for _ in range(2):  # twice is enough for orthogonality to working precision
            image = image - (basis[: j + 1] @ image) @ basis[: j + 1]
        off_diagonal.append(image.norm())
        last = j + 1 == steps or off_diagonal[-1] <= 1e-14 * diagonal[0].abs()
        if last or j % 10 == 9:
            solutions, residuals = _tridiagonal_solutions(diagonal, off_diagonal, shifts)
            if last or bool((residuals <= tolerance).all()):
                return norm * solutions @ basis[: j + 1], residuals
        basis[j + 1] = image / off_diagonal[-1]
    raise AssertionError("the last step returns")


def _tridiagonal_solutions(
    diagonal: list[torch.Tensor], off_diagonal: list[torch.Tensor], shifts: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    inner = torch.stack(off_diagonal[:-1]) if len(diagonal) > 1 else shifts.new_zeros(0)
    tridiagonal = torch.diag(torch.stack(diagonal)) + torch.diag(inner, 1) + torch.diag(inner, -1)
    values, vectors = torch.linalg.eigh(tridiagonal)
    solutions = (vectors[0] / (values + shifts[:, None])) @ vectors.T
    return solutions, off_diagonal[-1] * solutions[:, -1].abs()


def _symmetric(gram: torch.Tensor) -> torch.Tensor:
    if matrix("gram", gram).shape[0] != gram.shape[1]:
        raise BadParameter(f"gram has shape {tuple(gram.shape)}: a Gram matrix must be square.")
    gap = float((gram - gram.T).abs().max() / gram.abs().max().clamp(min=torch.finfo(gram.dtype).tiny))
    if gap > 1e3 * torch.finfo(gram.dtype).eps:
        raise BadParameter(f"gram is not symmetric: entries differ from its transpose by {gap:.1e} of the largest.")
    return gram


def _positive(penalties: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    vector("penalties", penalties)
    if bool((penalties <= 0).any()):
        raise BadParameter(f"penalties holds {float(penalties.min()):g}: every penalty must be above 0.")
    return penalties.to(like)
