"""Metrics that learners find in their inputs: where their trace lies, how alike two are, gradients of any function."""

from collections.abc import Callable

import torch

from beyond_kernel.checks import BadParameter, matrix, real_number, whole_number
from beyond_kernel.foundations.learning.networks import TwoLayerNetwork
from beyond_kernel.foundations.targets.hermite_tensors import derivatives


def trace_share(metric: torch.Tensor, directions: torch.Tensor) -> float:
    """Return tr(U' M U) / tr M, the share of a metric's trace that lies in a subspace: r / d for the identity.

    Args:
        metric: M, symmetric positive semi-definite, not 0, of shape (d, d).
        directions: U, orthonormal columns, of shape (d, r).

    Raises:
        BadParameter: if shapes do not fit or the trace is not above 0.

    Source: derived here. Chapter: recursive_features.

    >>> round(trace_share(torch.diag(torch.tensor([3.0, 1.0])), torch.tensor([[1.0], [0.0]])), 6)
    0.75
    """
    _square("metric", metric, len(matrix("directions", directions)))
    trace = float(metric.trace())
    if not trace > 0:
        raise BadParameter(f"metric has the trace {trace:g}: it must be positive semi-definite and not 0.")
    U = directions.to(metric)
    return float((U * (metric @ U)).sum()) / trace


def metric_correlation(first: torch.Tensor, second: torch.Tensor) -> float:
    """Return the cosine of the angle between two metrics, each less its trace times I / d; 0 where one is like I.

    The identity sees all directions alike and says nothing about a target, so it is taken off: two metrics that have
    nothing in common but a large multiple of the identity are not alike. The value does not change when both are
    rotated, or either is multiplied by a positive number.

    Args:
        first: symmetric, of shape (d, d).
        second: symmetric, of shape (d, d).

    Raises:
        BadParameter: if a metric is not square or their shapes differ.

    Source: derived here. Chapter: recursive_features.

    >>> both = torch.diag(torch.tensor([2.0, 1.0, 1.0])), torch.diag(torch.tensor([5.0, 0.0, 0.0]))
    >>> round(metric_correlation(*both), 6), metric_correlation(torch.eye(3), both[0])
    (1.0, 0.0)
    """
    d = len(matrix("first", first))
    matrix("second", second)
    left, right = (
        _square(name, metric, d) - metric.trace() / d * torch.eye(d, dtype=metric.dtype, device=metric.device)
        for name, metric in (("first", first), ("second", second.to(first)))
    )
    sizes = float(left.norm() * right.norm())
    rounding = torch.finfo(left.dtype).eps * float(first.norm() * second.norm())
    return float((left * right).sum()) / sizes if sizes > rounding else 0.0


def outer_product_of_gradients(function: Callable[[torch.Tensor], torch.Tensor], X: torch.Tensor) -> torch.Tensor:
    """Return (1/n) sum_i grad f(x_i) grad f(x_i)' of any function that can be differentiated, by autograd.

    Args:
        function: f, from inputs (n, d) to values (n,), row by row: a network, a target, a kernel predictor.
        X: points, of shape (n, d).

    Raises:
        BadParameter: as ``derivatives``.

    Source: Radhakrishnan, Beaglehole, Pandit, Belkin 2024. Chapter: recursive_features.
    """
    gradients = derivatives(function, X, 1)
    return gradients.T @ gradients / len(X)


def first_layer_metric(network: TwoLayerNetwork) -> torch.Tensor:
    """Return W'W, the metric in which the first layer of a network sees its inputs, of shape (d, d).

    Args:
        network: its head and its biases do not matter.

    Source: Radhakrishnan, Beaglehole, Pandit, Belkin 2024. Chapter: recursive_features.
    """
    return network.W.T @ network.W


def polynomial_kernel(
    X: torch.Tensor, Z: torch.Tensor | None = None, *, metric: torch.Tensor, offset: float, degree: int
) -> torch.Tensor:
    """Return (offset + x' M z / d)^degree, a kernel that does not vanish far out.

    Args:
        X: of shape (n, d).
        Z: of shape (k, d); X itself when left out.
        metric: M, symmetric positive semi-definite, of shape (d, d).
        offset: at least 0.
        degree: at least 1.

    Raises:
        BadParameter: if shapes do not fit, the offset is negative or the degree below 1.

    Source: derived here. Chapter: recursive_features.

    >>> X = torch.tensor([[1.0, 2.0]])
    >>> float(polynomial_kernel(X, metric=torch.eye(2), offset=1.0, degree=2))  # (1 + 5/2)^2
    12.25
    """
    d = matrix("X", X).shape[1]
    M = _square("metric", metric, d).to(X)
    others = X if Z is None else matrix("Z", Z, d).to(X)
    inner = X @ M @ others.T / d
    if Z is None:
        inner = (inner + inner.T) / 2  # symmetric to the last bit
    return (real_number("offset", offset, least=0) + inner) ** whole_number("degree", degree)


def _square(name: str, metric: torch.Tensor, d: int) -> torch.Tensor:
    if matrix(name, metric, d).shape[0] != d:
        raise BadParameter(f"{name} has shape {tuple(metric.shape)}: it must be square, ({d}, {d}).")
    return metric
