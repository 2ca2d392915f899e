"""Ridge regression with a kernel and one output a class, and the one rule by which kernel and penalty are chosen."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from beyond_kernel.checks import BadParameter, matrix, real_number, whole_number
from beyond_kernel.foundations.learning.held_out import split_fifth
from beyond_kernel.foundations.learning.samples import Sample
from beyond_kernel.kernel_regime.gaussian_kernel import gaussian_kernel

Kernel = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
Family = Callable[[Sample], Sequence[Kernel]]
"""From the sample that is fitted to the candidates, which may depend on its inputs and labels."""

SCALES = (0.25, 0.5, 1.0, 2.0)
"""Candidates for a length, or for the size of biases, in units of what is typical of the inputs."""
PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1)
"""Candidates for the ridge penalty, in units of the mean diagonal entry of the kernel."""
GRADIENT_POINTS = 500
"""Most points at which gradients are averaged."""


@dataclass(frozen=True)
class Machine:
    """Ridge regression with a kernel, fitted to several outputs less their means.

    Attributes:
        kernel: a ``functools.partial`` with its options, ``root`` or ``W`` among them where inputs go through one.
        X: training inputs, of shape (n, d).
        dual: coefficients, of shape (n, k).
        offset: means of the outputs, of shape (k,).
    """

    kernel: Kernel
    X: torch.Tensor
    dual: torch.Tensor
    offset: torch.Tensor

    def __call__(self, X: torch.Tensor) -> torch.Tensor:
        """Return the outputs at the rows of X, of shape (len(X), k)."""
        return self.offset + self.kernel(X, self.X) @ self.dual


@dataclass(frozen=True)
class Choice:
    """What was chosen on held-out rows: the place of a kernel among its candidates, a penalty, and the error there."""

    place: int
    penalty: float
    loss: float


def fit_machine(train: Sample, kernel: Kernel, penalty: float) -> Machine:
    """Fit ridge regression to several outputs: (K + penalty mean(diag K) I) dual = Y - mean.

    Args:
        train: inputs (n, d), and labels (n, k).
        kernel: of two matrices of inputs.
        penalty: above 0, in units of the mean diagonal entry of the kernel.

    Raises:
        BadParameter: if the penalty is not above 0, or there are not as many rows of labels as of inputs.

    Source: kernel ridge regression. Chapter: real_digits.
    """
    real_number("penalty", penalty, above=0)
    if len(matrix("train.y", train.y)) != len(train.X):
        raise BadParameter(f"train.y has {len(train.y)} rows: it must have {len(train.X)}, one for each input.")
    return _solved(train, kernel, kernel(train.X, train.X), penalty)


def choose(kept: Sample, held: Sample, kernels: Sequence[Kernel], penalties: Sequence[float] = PENALTIES) -> Choice:
    """Return the kernel and the penalty of least squared error on held-out rows after a fit to the others.

    Args:
        kept: rows that are fitted.
        held: rows on which is chosen.
        kernels: candidates.
        penalties: candidates.

    Chapter: real_digits.
    """
    found = []
    for place, kernel in enumerate(kernels):
        gram, cross = kernel(kept.X, kept.X), kernel(held.X, kept.X)
        for penalty in penalties:
            machine = _solved(kept, kernel, gram, penalty)
            misses = machine.offset + cross @ machine.dual - held.y
            found.append(Choice(place, penalty, float(misses.square().sum(1).mean())))
    return min(found, key=lambda choice: choice.loss)


def choose_by_leave_one_out(train: Sample, kernels: Sequence[Kernel], penalties: Sequence[float] = PENALTIES) -> Choice:
    """Return the kernel and the penalty of least leave-one-out error: for samples too small to hold a fifth out.

    With A = (K + penalty mean(diag K) I)^(-1) the error at row i is (A (Y - mean))_i / A_ii. The means of the labels
    are those of all rows.

    Args:
        train: rows that are fitted, each left out in turn.
        kernels: candidates.
        penalties: candidates.

    Source: the formula of leave-one-out errors for ridge regression. Chapter: real_digits.
    """
    found = []
    for place, kernel in enumerate(kernels):
        gram = kernel(train.X, train.X)
        for penalty in penalties:
            inverse = torch.cholesky_inverse(_factor(gram, penalty))
            dual = inverse @ (train.y - train.y.mean(0)).to(inverse)
            misses = dual / inverse.diagonal()[:, None]
            found.append(Choice(place, penalty, float(misses.square().sum(1).mean())))
    return min(found, key=lambda choice: choice.loss)


def tuned_machine(
    train: Sample, family: Family, generator: torch.Generator, penalties: Sequence[float] = PENALTIES
) -> Machine:
    """Choose among candidates on a random fifth of the sample, then fit the choice to all of it.

    Args:
        train: labelled rows, all of whose labels count.
        family: makes the candidates, once for the rows that are kept and once for all.
        generator: source of the fifth.
        penalties: candidates.

    Raises:
        BadParameter: if there are fewer than five rows.

    Chapter: real_digits.
    """
    kept, held = split_fifth(train, generator)
    choice = choose(kept, held, family(kept), penalties)
    return fit_machine(train, family(train)[choice.place], choice.penalty)


def rooted_kernel(X: torch.Tensor, Z: torch.Tensor, *, length: float, root: torch.Tensor) -> torch.Tensor:
    """Return exp(-|R'(x - z)|^2 / (2 length^2)), the Gaussian kernel of the metric R R'.

    Args:
        X: of shape (n, d).
        Z: of shape (k, d).
        length: above 0.
        root: R, of shape (d, p).

    Raises:
        BadParameter: if shapes do not fit or the length is not above 0.

    Chapter: real_digits.
    """
    R = matrix("root", root)
    if len(R) != matrix("X", X).shape[1]:
        raise BadParameter(f"root has {len(R)} rows: it must have {X.shape[1]}, one for each coordinate of the inputs.")
    return gaussian_kernel(X @ R, matrix("Z", Z, X.shape[1]) @ R, length)


def gaussian_family(train: Sample, root: torch.Tensor | None = None) -> list[Kernel]:
    """Return Gaussian kernels at ``SCALES`` times the median distance of two training inputs.

    Args:
        train: its inputs, of shape (n, d), at least two.
        root: R, of shape (d, p), through which inputs are seen; left out, as they are.

    Raises:
        BadParameter: as ``rooted_kernel``, or if most inputs are the same.

    Chapter: real_digits.
    """
    if root is not None and len(matrix("root", root)) != train.X.shape[1]:
        raise BadParameter(f"root has {len(root)} rows: it must have {train.X.shape[1]}, one for each coordinate.")
    seen = train.X if root is None else train.X @ root
    squares = seen.square().sum(1)
    distances = squares[:, None] + squares - 2 * seen @ seen.T
    rows, columns = torch.triu_indices(len(seen), len(seen), 1, device=seen.device)
    middle = float(distances[rows, columns].median().clamp(min=0).sqrt())
    if not middle > 0:
        raise BadParameter("train.X must have inputs that differ: their median distance is 0.")
    if root is None:
        return [functools.partial(gaussian_kernel, length=scale * middle) for scale in SCALES]
    return [functools.partial(rooted_kernel, length=scale * middle, root=root) for scale in SCALES]


def gradient_outer_product(
    X: torch.Tensor, dual: torch.Tensor, length: float, points: int = GRADIENT_POINTS
) -> torch.Tensor:
    """Return the mean over points of the sum over outputs of grad f grad f', for a Gaussian kernel of this length.

    Args:
        X: training inputs, of shape (n, d); gradients are taken at the first of them.
        dual: coefficients, of shape (n, k).
        length: above 0.
        points: most of them.

    Returns:
        The average, of shape (d, d).

    Raises:
        BadParameter: if shapes do not fit or a number is out of range.

    Source: Radhakrishnan, Beaglehole, Pandit, Belkin 2024. Chapter: real_digits.
    """
    if len(matrix("dual", dual)) != len(matrix("X", X)):
        raise BadParameter(f"dual has {len(dual)} rows: it must have {len(X)}, one for each input.")
    at = X[: whole_number("points", points)]
    kernel = gaussian_kernel(at, X, length)
    total = X.new_zeros(X.shape[1], X.shape[1])
    for column in dual.T:
        gradients = (kernel @ (column[:, None] * X) - (kernel @ column)[:, None] * at) / length**2
        total += gradients.T @ gradients
    return total / len(at)


def _solved(train: Sample, kernel: Kernel, gram: torch.Tensor, penalty: float) -> Machine:
    offset = train.y.mean(0)
    dual = torch.cholesky_solve((train.y - offset).double(), _factor(gram, penalty))
    return Machine(kernel, train.X, dual.to(train.X), offset)


def _factor(gram: torch.Tensor, penalty: float) -> torch.Tensor:
    """Return the Cholesky factor in double precision, which a penalty of 1e-4 needs."""
    shifted = gram.double().clone()
    shifted.diagonal().add_(penalty * float(gram.diagonal().mean()))
    return torch.linalg.cholesky(shifted)
