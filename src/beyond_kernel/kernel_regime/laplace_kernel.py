"""The Laplace kernel, and ridge regression with it: of the fixed kernels with one length the least smooth one here."""

import functools
from collections.abc import Sequence

import torch

from beyond_kernel.checks import BadParameter, matrix, real_number
from beyond_kernel.foundations.learning.heads import SCALES
from beyond_kernel.foundations.learning.kernel_ridge import KernelPredictor, tuned_kernel_ridge
from beyond_kernel.foundations.learning.learners import labelled
from beyond_kernel.foundations.learning.samples import Problem

MOST_PAIRED = 500
"""Inputs whose distances give the unit of length."""


def laplace_kernel(X: torch.Tensor, Z: torch.Tensor | None = None, length: float = 1.0) -> torch.Tensor:
    """Return exp(-|x - z| / length).

    Args:
        X: of shape (n, d).
        Z: of shape (k, d); X itself when left out, and then the kernel is symmetric to the last bit, its diagonal 1.
        length: above 0, in units of the inputs.

    Returns:
        The kernel, of shape (n, k), dtype and device of X.

    Raises:
        BadParameter: if shapes do not fit, an entry is not finite or length is not above 0.
        TypeError: if an array is no floating-point tensor.

    Source: classical; in high dimension used by Radhakrishnan, Beaglehole, Pandit, Belkin 2024.
    Chapter: depth_separation.

    >>> X = torch.tensor([[0.0, 0.0], [3.0, 4.0]])
    >>> round(float(laplace_kernel(X, length=5.0)[0, 1]), 6)  # exp(-1)
    0.367879
    """
    return _distances(X, Z).div_(-real_number("length", length, above=0)).exp_()


def typical_distance(X: torch.Tensor) -> float:
    """Return the median distance between two different ones of the first ``MOST_PAIRED`` inputs: a unit of length.

    Args:
        X: inputs, at least two, of shape (n, d).

    Raises:
        BadParameter: if there is one input only, or half of the pairs coincide.

    Source: the median rule, which looks at no label. Chapter: depth_separation.
    """
    rows = matrix("X", X)[:MOST_PAIRED]
    above = torch.ones(len(rows), len(rows), dtype=torch.bool, device=X.device).triu(1)
    found = float(_distances(rows, None)[above].median()) if len(rows) > 1 else 0.0
    if not found > 0:
        raise BadParameter(f"X has {len(X)} rows of typical distance {found:g}: it must be above 0.")
    return found


@labelled("Laplace kernel")
def fit_laplace_kernel(
    problem: Problem, generator: torch.Generator, scales: Sequence[float] = SCALES
) -> KernelPredictor:
    """Fit ridge regression with the kernel exp(-|x - z| / L), length and penalty by left-out errors.

    Args:
        problem: its training sample.
        generator: not used; nothing is drawn.
        scales: candidates for the length L in units of ``typical_distance``, so that laws of inputs of any size do.

    Raises:
        BadParameter: as ``tuned_kernel_ridge``.

    Chapter: depth_separation.
    """
    unit = typical_distance(problem.train.X)
    kernels = [functools.partial(laplace_kernel, length=scale * unit) for scale in scales]
    return tuned_kernel_ridge(problem.train, kernels)


def _distances(X: torch.Tensor, Z: torch.Tensor | None) -> torch.Tensor:
    """Return |x - z|; through inner products, as direct differences would take d times the memory traffic."""
    d = matrix("X", X).shape[1]
    others = X if Z is None else matrix("Z", Z, d).to(X)
    squares = torch.addmm(X.square().sum(1)[:, None] + others.square().sum(1), X, others.T, alpha=-2)
    if Z is None:
        squares = (squares + squares.T).mul_(0.5).fill_diagonal_(0.0)
    return squares.clamp_(min=0).sqrt_()
