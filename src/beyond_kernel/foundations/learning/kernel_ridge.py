"""Kernel ridge regression with any kernel; the penalty, and the kernel among several, chosen by left-out errors."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.foundations.learning.ridge import RidgeFit, fit_kernel_ridge
from beyond_kernel.foundations.learning.samples import Sample

Kernel = Callable[..., torch.Tensor]
"""A function of X (n, d) and, if given, Z (k, d) that returns the kernel (n, k), or (n, n) of X with itself."""
BLOCK = 4096
"""Inputs that are predicted together, so that their kernel with the training inputs stays small."""


@dataclass(frozen=True)
class KernelPredictor:
    """The function x -> sum_i c_i K(x, x_i).

    Attributes:
        kernel: K.
        X: training inputs, of shape (n, d).
        fit: dual coefficients and the ridge path behind them.
    """

    kernel: Kernel
    X: torch.Tensor
    fit: RidgeFit

    def __call__(self, X: torch.Tensor) -> torch.Tensor:
        """Return predictions of shape (n,)."""
        return torch.cat([self.kernel(rows, self.X) @ self.fit.coefficients for rows in X.split(BLOCK)])


def kernel_ridge(train: Sample, kernel: Kernel, most_left_out: int | None = None) -> KernelPredictor:
    """Fit kernel ridge regression, the penalty chosen by left-out errors.

    Args:
        train: labelled points.
        kernel: K; options are set with ``functools.partial``.
        most_left_out: as in ``fit_kernel_ridge``.

    Returns:
        The predictor; its ``fit`` says which penalty was chosen.

    Raises:
        BadParameter: as ``fit_kernel_ridge``.

    Chapters: degree_by_degree, sparse_bias, one_step.

    >>> from beyond_kernel.foundations.learning.samples import draw_problem
    >>> from beyond_kernel.foundations.targets.target import parse_target
    >>> problem = draw_problem(parse_target("z1", 5), n=50, noise=0.0, seed=0)
    >>> linear = kernel_ridge(problem.train, lambda X, Z=None: X @ (X if Z is None else Z).T)
    >>> bool((linear(problem.test.X) - problem.test.truth).abs().max() < 1e-3)
    True
    """
    fit = fit_kernel_ridge(kernel(train.X), train.y, most_left_out=most_left_out)
    return KernelPredictor(kernel, train.X, fit)


def tuned_kernel_ridge(train: Sample, kernels: Sequence[Kernel], most_left_out: int | None = None) -> KernelPredictor:
    """Fit kernel ridge regression with each of several kernels and keep the one of least left-out error.

    Args:
        train: labelled points.
        kernels: candidates, the same kernel at several scales, say.
        most_left_out: as in ``fit_kernel_ridge``.

    Raises:
        BadParameter: if there is no candidate; as ``fit_kernel_ridge``.

    Chapter: one_step.
    """
    if not kernels:
        raise BadParameter("kernels is empty: give one kernel at least.")
    fits = [kernel_ridge(train, kernel, most_left_out) for kernel in kernels]
    return min(fits, key=lambda predictor: predictor.fit.loss)
