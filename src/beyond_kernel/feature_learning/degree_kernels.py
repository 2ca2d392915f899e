"""Kernels that are told the degree of the target, the rivals of whoever has to find out more than a degree.

They are fixed beforehand and rotation-invariant. One holds all polynomials up to a degree, the other all quadratic
forms of mean zero, which is what a network with quadratic neurons can be.
"""

import functools
from collections.abc import Sequence

import torch

from beyond_kernel.checks import matrix, whole_number
from beyond_kernel.escaping_the_kernel.learnt_metrics import polynomial_kernel
from beyond_kernel.foundations.learning.heads import SCALES
from beyond_kernel.foundations.learning.kernel_ridge import KernelPredictor, kernel_ridge, tuned_kernel_ridge
from beyond_kernel.foundations.learning.learners import labelled
from beyond_kernel.foundations.learning.samples import Problem


@labelled("polynomial kernel")
def fit_polynomial_kernel(
    problem: Problem, generator: torch.Generator, degree: int, scales: Sequence[float] = SCALES
) -> KernelPredictor:
    """Fit ridge regression with the kernel (scale + <x, z> / d)^degree.

    Args:
        problem: its training sample.
        generator: not used; nothing is drawn.
        degree: p, at least 1; the degree of the target, which nobody knows in practice.
        scales: candidates for what is added to the inner product, as many as any learner has for its length.

    Raises:
        BadParameter: if the degree is below 1; as ``tuned_kernel_ridge`` and ``polynomial_kernel``.

    Source: ridge regression with a kernel of given degree. Chapter: sample_complexity.
    """
    whole_number("degree", degree)
    X = problem.train.X
    whole = torch.eye(X.shape[1], dtype=X.dtype, device=X.device)
    kernels = [functools.partial(polynomial_kernel, metric=whole, offset=scale, degree=degree) for scale in scales]
    return tuned_kernel_ridge(problem.train, kernels)


def centred_quadratic_kernel(X: torch.Tensor, Z: torch.Tensor | None = None) -> torch.Tensor:
    """Return sum_{i,j} (x_i x_j - 1{i = j}) (z_i z_j - 1{i = j}) / 2 = (<x, z>^2 - |x|^2 - |z|^2 + d) / 2.

    Its features are all h_2(x_i) and all x_i x_j with i < j: orthonormal under standard Gaussian inputs, of mean zero.

    Args:
        X: of shape (n, d).
        Z: of shape (k, d); X itself when left out, and then the kernel is symmetric to the last bit.

    Returns:
        The kernel, of shape (n, k), dtype and device of X.

    Raises:
        BadParameter: if shapes do not fit or an entry is not finite.
        TypeError: if an argument is no floating-point tensor.

    Source: derived here. Chapter: scaling_laws.

    >>> X = torch.tensor([[2.0, 1.0]])
    >>> float(centred_quadratic_kernel(X))  # ((4 - 1)^2 + (1 - 1)^2) / 2 + (2 * 1)^2
    8.5
    """
    d = matrix("X", X).shape[1]
    others = X if Z is None else matrix("Z", Z, d).to(X)
    inner = X @ others.T
    if Z is None:
        inner = (inner + inner.T) / 2
    lengths, other_lengths = X.square().sum(1), others.square().sum(1)
    return (inner.square() - (lengths[:, None] + other_lengths) + d) / 2


@labelled("quadratic ridge")
def fit_quadratic_ridge(problem: Problem, generator: torch.Generator) -> KernelPredictor:
    """Fit ridge regression on all quadratic forms of mean zero, d (d + 1) / 2 of them, by their kernel.

    A length would only scale the kernel, which changes nothing, so the penalty is all that there is to choose.

    Args:
        problem: its training sample.
        generator: not used; nothing is drawn.

    Raises:
        BadParameter: as ``kernel_ridge``.

    Source: ridge regression on the features of ``centred_quadratic_kernel``. Chapter: scaling_laws.
    """
    return kernel_ridge(problem.train, centred_quadratic_kernel)
