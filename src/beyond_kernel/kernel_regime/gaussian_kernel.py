"""The Gaussian kernel with a metric: the distance of two inputs as a symmetric matrix M measures it."""

import torch

from beyond_kernel.checks import BadParameter, matrix, real_number


def gaussian_kernel(
    X: torch.Tensor, Z: torch.Tensor | None = None, length: float = 1.0, metric: torch.Tensor | None = None
) -> torch.Tensor:
    """Return exp(-(x - z)' M (x - z) / (2 length^2)).

    With M = I it is rotation-invariant and fixed beforehand; a metric that was learnt from labels makes it neither.

    Args:
        X: of shape (n, d).
        Z: of shape (k, d); X itself when left out, and then the kernel is symmetric to the last bit, its diagonal 1.
        length: above 0, in units of the inputs; inputs of dimension d are sqrt(2 d) apart.
        metric: M, symmetric positive semi-definite, of shape (d, d); the identity when left out.

    Returns:
        The kernel, of shape (n, k), dtype and device of X.

    Raises:
        BadParameter: if shapes do not fit, an entry is not finite, length is not above 0 or the metric not symmetric.

    Chapter: one_step.

    >>> X = torch.tensor([[0.0, 0.0], [2.0, 1.0]])
    >>> round(float(gaussian_kernel(X, length=2.0)[0, 1]), 6)  # exp(-5/8)
    0.535261
    >>> round(float(gaussian_kernel(X, length=2.0, metric=torch.diag(torch.tensor([0.0, 2.0])))[0, 1]), 6)  # exp(-2/8)
    0.778801
    """
    d = matrix("X", X).shape[1]
    real_number("length", length, above=0)
    M = None if metric is None else _symmetric(metric, d).to(X)
    others = X if Z is None else matrix("Z", Z, d).to(X)
    left, right = (A if M is None else A @ M for A in (X, others))
    squares, other_squares = (left * X).sum(1), (right * others).sum(1)
    kernel = torch.addmm(squares[:, None] + other_squares, left, others.T, alpha=-2)  # (x - z)' M (x - z)
    if Z is None:
        kernel = (kernel + kernel.T).mul_(0.5).fill_diagonal_(0.0)
    return kernel.clamp_(min=0).div_(-2 * length**2).exp_()


def _symmetric(metric: torch.Tensor, d: int) -> torch.Tensor:
    if matrix("metric", metric, d).shape[0] != d:
        raise BadParameter(f"metric has shape {tuple(metric.shape)}: it must be square, ({d}, {d}).")
    gap = float((metric - metric.T).abs().max() / metric.abs().max().clamp(min=torch.finfo(metric.dtype).tiny))
    if gap > 1e3 * torch.finfo(metric.dtype).eps:
        raise BadParameter(f"metric is not symmetric: entries differ from its transpose by {gap:.1e} of the largest.")
    return metric
