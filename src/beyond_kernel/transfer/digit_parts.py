"""Two kernels on the parts of an input, a sum over them and one part alone, and how the parts are found without labels.

Entries of one image go together and entries of two do not, so the covariance of the inputs tells which entries belong
to one tile. It does not tell which tile the label is about. A sum that counts every tile alike need not know; held-out
labels can choose.
"""

import functools

import numpy as np
import torch
from scipy.linalg import qr
from scipy.optimize import linear_sum_assignment

from beyond_kernel.checks import BadParameter, matrix, real_number, whole_number
from beyond_kernel.foundations.learning.samples import Sample
from beyond_kernel.kernel_regime.gaussian_kernel import gaussian_kernel
from beyond_kernel.transfer.digit_machines import Kernel, Machine, gaussian_family, tuned_machine
from beyond_kernel.transfer.real_digits import ClassProblem

STILL = 0.15
"""Entries that vary by less than this share of what all do are put to a part once the others have made it."""


def found_parts(X: torch.Tensor, count: int) -> list[torch.Tensor]:
    """Return the entries that go together, told from squared correlations of unlabelled inputs by spectral clustering.

    Rows of the leading eigenvectors of the normalised squared correlations point, for entries of independent parts,
    along one axis a part, up to a common rotation; it is read off by a factorisation with pivots.

    Args:
        X: inputs, of shape (n, d), at least two that differ.
        count: number c of parts, at most d.

    Returns:
        The places of the entries of each part, c vectors whose lengths add up to d; none of them empty.

    Raises:
        BadParameter: if the inputs do not vary in c entries, or a part would be empty.

    Source: spectral clustering; pivots after Damle, Minden, Ying 2017 (abstract). Chapter: real_digits.
    """
    d = matrix("X", X).shape[1]
    if whole_number("count", count, most=d) == 1:
        return [torch.arange(d, device=X.device)]
    centred = (X - X.mean(0)).double().cpu().numpy()
    sizes = np.sqrt(np.mean(centred**2, axis=0))
    moving = sizes > STILL * np.sqrt(np.mean(sizes**2))
    if moving.sum() < count:
        raise BadParameter(f"X must vary in {count} entries at least: it varies in {moving.sum()}.")
    unit = np.divide(centred, sizes, out=np.zeros_like(centred), where=sizes > 0)
    alike = np.square(unit.T @ unit[:, moving] / len(X))  # squared correlations of all entries with those that move
    own = _clusters(alike[moving], count)
    closeness = np.stack([alike[:, own == part].mean(1) for part in range(count)], 1)
    labels = closeness.argmax(1)
    labels[moving] = own
    return [torch.as_tensor(np.flatnonzero(labels == part), device=X.device) for part in range(count)]


def share_in_tiles(X: torch.Tensor, parts: list[torch.Tensor], tiles: int) -> float:
    """Return how much of the variance of the inputs lies in the part that is matched with its tile, 1 for all of it.

    Args:
        X: inputs of equal tiles, of shape (n, d).
        parts: places of the entries of each, as many as tiles.
        tiles: their number c, which divides d.

    Raises:
        BadParameter: if d is no multiple of c, there are not c parts, or no entry varies.

    Chapter: real_digits.
    """
    d = matrix("X", X).shape[1]
    if d % whole_number("tiles", tiles) or len(parts) != tiles:
        raise BadParameter(f"tiles = {tiles} is not accepted: it must divide {d} and be the number of parts.")
    variances = (X - X.mean(0)).square().mean(0).double().cpu()
    if not variances.any():
        raise BadParameter("X must hold an entry that varies.")
    homes = torch.arange(d, device="cpu") // (d // tiles)
    shared = [[float(variances[part][homes[part] == tile].sum()) for tile in range(tiles)] for part in parts]
    matched = linear_sum_assignment(shared, maximize=True)
    return float(np.array(shared)[matched].sum() / variances.sum())


def parts_kernel(X: torch.Tensor, Z: torch.Tensor, *, length: float, parts: list[torch.Tensor]) -> torch.Tensor:
    """Return the mean over parts t of exp(-|x_t - z_t|^2 / (2 length^2)): an additive kernel that prefers none.

    Args:
        X: of shape (n, d).
        Z: of shape (k, d).
        length: above 0, the same for all parts.
        parts: places of the entries of each.

    Raises:
        BadParameter: if shapes do not fit, the length is not above 0, or there is no part.

    Source: an additive kernel, as of Duvenaud, Nickisch, Rasmussen 2011 (abstract). Chapter: real_digits.
    """
    matrix("Z", Z, matrix("X", X).shape[1])
    real_number("length", length, above=0)
    if not parts:
        raise BadParameter("parts must hold one part of the inputs at least.")
    return sum(gaussian_kernel(X[:, part], Z[:, part], length) for part in parts) / len(parts)


def parts_family(train: Sample, parts: list[torch.Tensor]) -> list[Kernel]:
    """Return sums over parts at the lengths of ``gaussian_family``, over the root of the number of parts.

    Args:
        train: its inputs, of shape (n, d), at least two.
        parts: places of the entries of each.

    Raises:
        BadParameter: as ``gaussian_family``.

    Chapter: real_digits.
    """
    lengths = [kernel.keywords["length"] / len(parts) ** 0.5 for kernel in gaussian_family(train)]
    return [functools.partial(parts_kernel, length=length, parts=parts) for length in lengths]


def fit_parts(problem: ClassProblem, generator: torch.Generator) -> Machine:
    """Fit a sum of Gaussian kernels over parts that are found in the inputs of the pool, labelled or not.

    It is told how many parts there are, neither which entries they have nor which of them is labelled.

    Args:
        problem: its training sample, the inputs without labels, and the number of tiles.
        generator: source of the fifth on which length and penalty are chosen.

    Chapter: real_digits.
    """
    parts = found_parts(problem.unlabelled, problem.tiles)
    return tuned_machine(problem.train, functools.partial(parts_family, parts=parts), generator)


def one_part_family(train: Sample, parts: list[torch.Tensor]) -> list[Kernel]:
    """Return Gaussian kernels that see one part and nothing else, those of ``gaussian_family`` for each part in turn.

    Args:
        train: its inputs, of shape (n, d), at least two.
        parts: places of the entries of each.

    Raises:
        BadParameter: as ``gaussian_family``, here for the inputs on each part.

    Chapter: real_digits.
    """
    identity = torch.eye(train.X.shape[1], dtype=train.X.dtype, device=train.X.device)
    return [kernel for part in parts for kernel in gaussian_family(train, identity[:, part])]


def fit_one_part(problem: ClassProblem, generator: torch.Generator) -> Machine:
    """Fit a Gaussian kernel on one of the parts that are found in the inputs of the pool, labelled or not.

    It is told how many parts there are, and that one of them matters. Which one is chosen by labels, as the length is.

    Args:
        problem: its training sample, the inputs without labels, and the number of tiles.
        generator: source of the fifth on which part, length and penalty are chosen.

    Chapter: real_digits.
    """
    parts = found_parts(problem.unlabelled, problem.tiles)
    return tuned_machine(problem.train, functools.partial(one_part_family, parts=parts), generator)


def _clusters(alike: np.ndarray, count: int) -> np.ndarray:
    """Return the number of the cluster of each entry, from how alike two of them are."""
    weights = alike.sum(1) ** -0.5
    vectors = np.linalg.eigh(weights[:, None] * alike * weights)[1][:, -count:]
    pivots = qr(vectors.T, mode="r", pivoting=True)[1][:count]
    left, _, right = np.linalg.svd(vectors[pivots].T)
    labels = np.abs(vectors @ (left @ right)).argmax(1)
    if len(np.unique(labels)) < count:
        raise BadParameter(f"X must have {count} parts: fewer of them can be told apart.")
    return labels
