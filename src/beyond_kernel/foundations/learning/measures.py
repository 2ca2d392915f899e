"""What is measured on weights and predictions: overlap with a subspace, angles, energies, risks with their errors."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from beyond_kernel.checks import BadParameter, matrix, real_number, vector, whole_number


@dataclass(frozen=True)
class Estimate:
    """A mean over test points and its standard error."""

    value: float
    standard_error: float


def risk(prediction: torch.Tensor, truth: torch.Tensor, variance: float) -> Estimate:
    """Estimate the risk E (f(x) - f*(x))^2 / Var f* from noise-free values at fresh points, with its standard error.

    It is 0 for f = f* and 1 for the best constant, whatever the units of the labels.

    Args:
        prediction: f at the test points, of shape (n,).
        truth: f* at the same points, without label noise, of shape (n,).
        variance: Var f*, above 0, exact where it is known.

    Raises:
        BadParameter: if shapes differ, fewer than two points are given, or the variance is not above 0.

    >>> risk(torch.tensor([1.0, 2.0]), torch.tensor([0.0, 2.0]), variance=2.0).value
    0.25
    """
    squares = (prediction - vector("truth", truth, len(vector("prediction", prediction)))).square()
    if len(squares) < 2:
        raise BadParameter("prediction has 1 entry: a standard error needs at least two test points.")
    squares = squares / real_number("variance", variance, above=0)
    return Estimate(float(squares.mean()), float(squares.std() / len(squares) ** 0.5))


def subspace_overlap(W: torch.Tensor, directions: torch.Tensor) -> torch.Tensor:
    """Return for each neuron the share |U^T w|^2 / |w|^2 of its squared norm that lies in the span of U.

    Args:
        W: neurons, of shape (m, d); a zero row has overlap 0.
        directions: U, orthonormal columns, of shape (d, r).

    Returns:
        Overlaps between 0 and 1, of shape (m,). A direction drawn at random has r / d on average.

    Raises:
        BadParameter: if shapes do not fit or the columns are not orthonormal.

    >>> round(float(subspace_overlap(torch.tensor([[3.0, 4.0]]), torch.tensor([[1.0], [0.0]]))), 6)
    0.36
    """
    return _energies(W, directions).sum(1)


def energy_per_direction(W: torch.Tensor, directions: torch.Tensor) -> torch.Tensor:
    """Return the mean over neurons of <u_i, w>^2 / |w|^2 for each direction u_i, of shape (r,).

    A high total overlap can sit on one direction only; these energies show it.

    Raises:
        BadParameter: as ``subspace_overlap``.
    """
    return _energies(W, directions).mean(0)


def principal_angles(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Return the principal angles between two subspaces, in radians, ascending, of shape (min(r, s),).

    Args:
        first: orthonormal columns, of shape (d, r).
        second: orthonormal columns, of shape (d, s).

    Raises:
        BadParameter: if dimensions differ or columns are not orthonormal.
    """
    _orthonormal("first", first)
    _orthonormal("second", second, len(first))
    # the cosine is blind below 1e-8, so small angles are read from the sine
    cosines = torch.linalg.svdvals(first.T @ second).clamp(max=1)
    wide, narrow = (first, second) if first.shape[1] >= second.shape[1] else (second, first)
    sines = torch.linalg.svdvals(narrow - wide @ (wide.T @ narrow)).clamp(max=1).flip(0)
    return torch.where(cosines**2 > 0.5, torch.asin(sines), torch.acos(cosines))


def leading_subspace(W: torch.Tensor, rank: int) -> torch.Tensor:
    """Return the top right singular vectors of W, an orthonormal basis (d, rank) of where most of its energy lies.

    Raises:
        BadParameter: if rank is not between 1 and min(m, d).
    """
    whole_number("rank", rank, most=min(matrix("W", W).shape))
    return torch.linalg.svd(W, full_matrices=False).Vh[:rank].T


def learnt_fractions(prediction: torch.Tensor, parts: torch.Tensor) -> torch.Tensor:
    """Return how much of each part of the target a prediction has learnt: 0 for nothing, 1 for all of it.

    The prediction is regressed on the parts (least squares over the test points); the coefficient of a part is the
    factor with which the prediction contains it. Parts of different degree are nearly orthogonal, exactly so in the
    population for Gaussian inputs; the joint regression removes what is left of their correlation.

    Args:
        prediction: of shape (n,).
        parts: values of the parts at the same points, one a column, of shape (n, k), linearly independent.

    Returns:
        Fractions, of shape (k,).

    Raises:
        BadParameter: if shapes do not fit or the parts are linearly dependent.

    Chapter: degree_by_degree.
    """
    vector("prediction", prediction, len(matrix("parts", parts)))
    if torch.linalg.matrix_rank(parts) < parts.shape[1]:
        raise BadParameter(f"parts has {parts.shape[1]} columns that are linearly dependent: drop the vanishing ones.")
    return torch.linalg.solve(parts.T @ parts, parts.T @ prediction)  # lstsq differs in the last bit from call to call


def samples_to_reach(sizes: Sequence[float], risks: Sequence[float], threshold: float) -> float:
    """Return the sample size from which on the risk stays at or below ``threshold``, interpolated in log n.

    Args:
        sizes: sample sizes, ascending, above 0.
        risks: risks at these sizes; NaN where nothing was run.
        threshold: risk to be reached.

    Returns:
        The size; NaN if the last measured risk is still above the threshold; the smallest size if none is above.

    Raises:
        BadParameter: if the lengths differ or sizes do not ascend.

    Chapters: degree_by_degree, frozen_representation.

    >>> round(samples_to_reach([10, 100, 1000], [0.9, 0.5, 0.1], threshold=0.5), 6)
    100.0
    """
    real_number("threshold", threshold)
    sizes, risks = np.asarray(sizes, dtype=float), np.asarray(risks, dtype=float)
    if sizes.shape != risks.shape or (np.diff(sizes) <= 0).any():
        raise BadParameter(f"sizes = {sizes.tolist()} must ascend and be as many as risks ({risks.size}).")
    sizes, risks = sizes[np.isfinite(risks)], risks[np.isfinite(risks)]
    above = np.flatnonzero(risks > threshold)
    if not len(risks) or (len(above) and above[-1] == len(risks) - 1):
        return float("nan")
    if not len(above):
        return float(sizes[0])
    pair = slice(above[-1], above[-1] + 2)
    return float(np.exp(np.interp(-threshold, -risks[pair], np.log(sizes[pair]))))


def _energies(W: torch.Tensor, directions: torch.Tensor) -> torch.Tensor:
    matrix("W", W, len(_orthonormal("directions", directions)))
    norms = W.square().sum(1, keepdim=True)
    return (W @ directions.to(W)).square() / norms.where(norms > 0, torch.ones_like(norms))


def _orthonormal(name: str, columns: torch.Tensor, dim: int | None = None) -> torch.Tensor:
    gram = matrix(name, columns).T @ columns
    if dim is not None and len(columns) != dim:
        raise BadParameter(f"{name} has {len(columns)} rows: it must have {dim}.")
    gap = float((gram - torch.eye(len(gram), dtype=gram.dtype, device=gram.device)).abs().max())
    if gap > 1e2 * torch.finfo(columns.dtype).eps ** 0.75:
        raise BadParameter(f"{name} must have orthonormal columns: its Gram matrix is off the identity by {gap:.1e}.")
    return columns
