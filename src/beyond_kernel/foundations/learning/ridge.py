"""Ridge regression for a path of penalties, on features or on a Gram matrix, the penalty chosen without further labels.

With n samples the objective is the same in both forms,

    (1/n) |y - F a|^2 + penalty |a|^2        and, with K = F F^T and a = F^T c,   (K + n penalty I) c = y,

so a penalty means the same thing whether features or a kernel are given. Left-out errors have a closed form: without
sample i the fit misses y_i by c_i / (A^{-1})_ii with A = K + n penalty I, which is (y - F a)_i / (1 - h_i) with the
leverage h_i. Generalised cross-validation replaces (A^{-1})_ii by its mean over i.
"""

from dataclasses import dataclass

import torch

from beyond_kernel.checks import BadParameter, matrix, real_number, vector, whole_number
from beyond_kernel.foundations.learning.krylov import shifted_solutions
from beyond_kernel.random_streams import generator_for

LEVELS = tuple(10.0 ** (exponent / 2) for exponent in range(-16, 3))
"""Default penalties, from 1e-8 to 10 in half decades, relative to the mean squared norm of a row of features."""
MOST_LEFT_OUT = 1000
"""Samples up to which a kernel's penalty is chosen by leave-one-out; above, where the eigenvectors that this needs cost
more than the whole path of fits, by generalised cross-validation. In trials the two led to the same risk."""
TILE = 256
"""Rows and columns of a Gram matrix that are looked at together, so that they stay in cache."""


@dataclass(frozen=True)
class RidgeFit:
    """A fit whose penalty was chosen by leave-one-out, or by generalised cross-validation.

    Attributes:
        coefficients: of shape (m,) for features, (n,) (dual) for a Gram matrix.
        penalty: the chosen penalty.
        penalties: the whole path, of shape (k,).
        losses: mean squared left-out error along the path, of shape (k,). Its least value is there to choose by, not to
            be reported: features that have seen the labels make it too small.
    """

    coefficients: torch.Tensor
    penalty: float
    penalties: torch.Tensor
    losses: torch.Tensor

    @property
    def loss(self) -> float:
        """Least left-out error along the path."""
        return float(self.losses.min())

    @property
    def at_edge(self) -> bool:
        """Whether the chosen penalty is the first or the last of the path, so that a better one may lie outside."""
        return int(self.losses.argmin()) in (0, len(self.penalties) - 1)


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
    return _feature_path(*_labelled(features, y), _positive(penalties, features))[0]


def kernel_ridge_path(
    gram: torch.Tensor, y: torch.Tensor, penalties: torch.Tensor, tolerance: float = 1e-8, max_steps: int = 400
) -> torch.Tensor:
    """Solve (K + n penalty I) c = y for every penalty from one Lanczos basis, by Cholesky where that has not converged.

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
    """
    n = len(_symmetric(gram))
    vector("y", y, n)
    penalties = _positive(penalties, gram)
    real_number("tolerance", tolerance, least=0)
    whole_number("max_steps", max_steps, least=0)
    return shifted_solutions(gram, y.to(gram), n * penalties, tolerance, max_steps)


def fit_ridge(features: torch.Tensor, y: torch.Tensor, levels: tuple[float, ...] = LEVELS) -> RidgeFit:
    """Ridge regression on features, with the penalty of least leave-one-out error.

    Args:
        features: of shape (n, m).
        y: of shape (n,).
        levels: penalties relative to the mean squared norm of a row of ``features``.

    Raises:
        BadParameter: as ``ridge_path``.

    Source: Allen 1974 for the closed form of the left-out errors.

    >>> features, y = torch.ones(3, 1, dtype=torch.float64), torch.tensor([1.0, 2.0, 6.0], dtype=torch.float64)
    >>> round(fit_ridge(features, y, (1e-12,)).loss, 6)  # each label less the mean of the other two
    10.5
    """
    features, y = _labelled(features, y)
    penalties = features.new_tensor(levels) * float(features.square().sum(1).mean())
    return _best(*_feature_path(features, y, _positive(penalties, features)), penalties)


def fit_kernel_ridge(
    gram: torch.Tensor, y: torch.Tensor, levels: tuple[float, ...] = LEVELS, most_left_out: int | None = None
) -> RidgeFit:
    """Kernel ridge regression, with the penalty of least left-out error; see ``MOST_LEFT_OUT`` for how that is found.

    Args:
        gram: kernel between training points, of shape (n, n).
        y: of shape (n,).
        levels: penalties relative to the mean diagonal entry of ``gram``.
        most_left_out: samples up to which the choice is by leave-one-out; ``MOST_LEFT_OUT`` when left out.

    Raises:
        BadParameter: as ``kernel_ridge_path``.

    Source: Golub, Heath, Wahba 1979 for generalised cross-validation; Girard 1989 for a random probe of the trace.
    """
    n = len(_symmetric(gram))
    y = vector("y", y, n).to(gram)
    penalties = _positive(gram.new_tensor(levels) * float(gram.diagonal().mean()), gram)
    if n <= (MOST_LEFT_OUT if most_left_out is None else most_left_out):
        return _best(*_left_out_path(gram, y, penalties), penalties)
    path = kernel_ridge_path(gram, y, penalties)
    return _best(path, path.square().mean(1) / _mean_inverses(gram, penalties).square(), penalties)


def _labelled(features: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    vector("y", y, len(matrix("features", features)))
    return features, y.to(features)


def _feature_path(
    features: torch.Tensor, y: torch.Tensor, penalties: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return minimisers (k, m) and mean squared left-out errors (k,)."""
    n, m = features.shape
    if n < m:
        dual, losses = _left_out_path(features @ features.T, y, penalties)
        return dual @ features, losses
    values, vectors = torch.linalg.eigh(features.T @ features / n)
    inverses, rotated = 1 / (values.clamp(min=0) + penalties[:, None]), features @ vectors
    weights = (rotated.T @ y / n) * inverses
    kept = 1 - rotated.square() @ inverses.T / n  # one less the leverage of each sample
    misses = y[:, None] - rotated @ weights.T
    return weights @ vectors.T, (misses / kept.clamp(min=torch.finfo(kept.dtype).eps)).square().mean(0)


def _left_out_path(gram: torch.Tensor, y: torch.Tensor, penalties: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return dual coefficients (k, n) and mean squared left-out errors (k,), with one eigendecomposition."""
    values, vectors = torch.linalg.eigh(gram)
    rounding = 1e2 * len(gram) * torch.finfo(gram.dtype).eps * float(values.abs().max())
    if float(values.min()) < -rounding:
        raise BadParameter(
            f"gram has the eigenvalue {float(values.min()):.3g}: it is not positive definite, no kernel."
        )
    inverses = 1 / (values.clamp(min=0) + len(gram) * penalties[:, None])
    dual = (inverses * (vectors.T @ y)) @ vectors.T
    return dual, (dual / (inverses @ vectors.square().T)).square().mean(1)


def _mean_inverses(gram: torch.Tensor, penalties: torch.Tensor) -> torch.Tensor:
    """Estimate the mean diagonal entry of (K + n penalty I)^{-1} for every penalty from one probe of random signs."""
    n = len(gram)
    generator = generator_for(0, "probe of a trace", n)  # the same for every learner: ties are broken alike
    signs = 2 * torch.randint(0, 2, (n,), generator=generator, device=generator.device) - 1
    probe = signs.to(gram)
    return shifted_solutions(gram, probe, n * penalties, tolerance=1e-4, max_steps=400) @ probe / n


def _best(path: torch.Tensor, losses: torch.Tensor, penalties: torch.Tensor) -> RidgeFit:
    best = int(losses.argmin())
    return RidgeFit(path[best], float(penalties[best]), penalties, losses)


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
