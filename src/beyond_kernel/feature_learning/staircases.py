"""TODO: one sentence that says what this module computes (now: the mean Hessian of a target, from a sample of it)."""

import torch

from beyond_kernel.checks import matrix, vector


def hessian_estimate(X: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Return the mean of y (x x^T - I) over a sample, an unbiased estimate of E[grad^2 f(x)] by Stein's identity.

    Args:
        X: standard Gaussian inputs, shape (n, d).
        y: labels, shape (n,); their noise has mean zero.

    Returns:
        Symmetric matrix of shape (d, d), dtype and device of X.

    Raises:
        BadParameter: if the shape of X or y is wrong or an entry is not finite.
        TypeError: if X or y is no floating-point tensor.

    Source: Damian, Lee and Soltanolkotabi (2022), appendix A.1. Chapter: staircases.
    """
    n, d = matrix("X", X).shape
    y = vector("y", y, n)
    return (X.T * y) @ X / n - y.mean() * torch.eye(d, dtype=X.dtype, device=X.device)
