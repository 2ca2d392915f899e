"""Kernel ridge regression with any kernel, the penalty chosen on the validation sample."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from beyond_kernel.foundations.learning.ridge import RidgeFit, fit_kernel_ridge
from beyond_kernel.foundations.learning.samples import Problem

Kernel = Callable[..., torch.Tensor]
"""A function of X (n, d) and, if given, Z (k, d) that returns the kernel (n, k), or (n, n) of X with itself."""


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
        return self.kernel(X, self.X) @ self.fit.coefficients


def kernel_ridge(problem: Problem, kernel: Kernel) -> KernelPredictor:
    """Fit kernel ridge regression on the training sample, the penalty of least squared error on the validation sample.

    Args:
        problem: train and validation samples.
        kernel: K; options are set with ``functools.partial``.

    Returns:
        The predictor; its ``fit`` says which penalty was chosen.

    Raises:
        BadParameter: as ``fit_kernel_ridge``.

    Chapters: degree_by_degree, sparse_bias, one_step.

    >>> from beyond_kernel.foundations.learning.samples import draw_problem
    >>> from beyond_kernel.foundations.targets.target import parse_target
    >>> problem = draw_problem(parse_target("z1", 5), n=50, noise=0.0, seed=0)
    >>> linear = kernel_ridge(problem, lambda X, Z=None: X @ (X if Z is None else Z).T)
    >>> bool((linear(problem.test.X) - problem.test.truth).abs().max() < 1e-3)
    True
    """
    train, validation = problem.train, problem.validation
    fit = fit_kernel_ridge(kernel(train.X), train.y, kernel(validation.X, train.X), validation.y)
    return KernelPredictor(kernel, train.X, fit)
