"""Leaky networks on high-dimensional data: their values and gradient, descent in the span of the data, stable rank.

The network is f(x) = (1 / sqrt(m)) sum_j a_j phi(<w_j, x>) with phi(z) = max(z, leak z) and a fixed head: a_j = 1 on
the first half of the neurons and -1 on the second. Its loss is the mean of log(1 + exp(-y f(x))), labels being -1 or 1.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch

from beyond_kernel.checks import BadParameter, list_of, matrix, real_number, vector, whole_number


class Training(NamedTuple):
    """A network after given numbers of steps.

    Attributes:
        weights: first layers, shape (T, m, d).
        values: f at the training inputs, shape (T, n).
    """

    weights: torch.Tensor
    values: torch.Tensor


def network_values(W: torch.Tensor, X: torch.Tensor, leak: float) -> torch.Tensor:
    """Return f at the rows of X, shape (n,).

    Args:
        W: neurons, an even number m of them, shape (m, d).
        X: inputs, shape (n, d).
        leak: slope of phi below zero, from 0 to 1.

    Raises:
        BadParameter: if a shape is wrong, m is odd or the leak out of range.
        TypeError: if W or X is no floating-point tensor.

    Source: Frei, Vardi, Bartlett, Srebro and Hu 2023, Section 1, with balanced heads. Chapter: implicit_low_rank.
    """
    inner = matrix("X", X, _neurons(W).shape[1]) @ W.T
    return _slopes(inner, _leak(leak)).mul_(inner) @ _head(W)


def loss_gradient(W: torch.Tensor, X: torch.Tensor, y: torch.Tensor, leak: float) -> torch.Tensor:
    """Return the gradient of the logistic loss in W: rows -(a_j / (n sqrt m)) sum_i y_i s(-y_i f_i) phi'_ij x_i.

    Here s is the logistic function and phi'_ij is 1 where <w_j, x_i> is above zero, else the leak.

    Args:
        W, X, leak: as in ``network_values``.
        y: labels of -1 and 1, shape (n,).

    Returns:
        Tensor of shape (m, d), dtype and device of W.

    Raises:
        BadParameter: as ``network_values``, or if a label is neither -1 nor 1.
        TypeError: if an argument is no floating-point tensor.

    Source: the chain rule. Chapter: implicit_low_rank.
    """
    inner = matrix("X", X, _neurons(W).shape[1]) @ W.T
    slopes = _slopes(inner, _leak(leak))
    pull = _pull((slopes * inner) @ _head(W), label_signs(y, len(X)))
    return -(slopes.T @ (pull[:, None] * X)) * _head(W)[:, None]


def train_in_span(
    W: torch.Tensor, X: torch.Tensor, y: torch.Tensor, leak: float, rate: float, at: Sequence[int]
) -> Training:
    """Train W by gradient descent on all samples; a step costs n^2 m and not n m d.

    All that descent adds to a neuron is a combination of the samples, so it is enough to keep the coefficients C of
    W + C X and the inner products X W^T + K C^T, with K = X X^T. The size of a step is rate n / |K|, with the largest
    eigenvalue |K|: for nearly orthogonal inputs about rate n / |x|^2.

    Args:
        W: neurons at the start, an even number m of them, shape (m, d).
        X: inputs, shape (n, d).
        y: labels of -1 and 1, shape (n,).
        leak: slope below zero, from 0 to 1.
        rate: step size in units of n / |K|, above 0.
        at: ascending numbers of steps after which the network is kept, from 0 on.

    Raises:
        BadParameter: if a shape or a value is out of range, or ``at`` does not ascend.
        TypeError: if W, X or y is no floating-point tensor.

    Source: Frei, Vardi, Bartlett, Srebro and Hu 2023, Section 1; the form in the span is ours.
    Chapter: implicit_low_rank.
    """
    matrix("X", X, _neurons(W).shape[1])
    label_signs(y, len(X))
    wanted = _ascending(at)
    K, head, leak = X @ X.T, _head(W), _leak(leak)
    step = step_size(X, rate)
    C, inner = torch.zeros(len(X), len(W), dtype=X.dtype, device=X.device), X @ W.T
    weights, values = [], []
    for count in range(wanted[-1] + 1):
        slopes = _slopes(inner, leak)
        f = (slopes * inner) @ head
        if count in wanted:
            weights.append(W + C.T @ X)
            values.append(f)
        change = slopes.mul_((step * _pull(f, y))[:, None]).mul_(head)
        C += change
        inner = torch.addmm(inner, K, change)
    return Training(torch.stack(weights), torch.stack(values))


def step_size(X: torch.Tensor, rate: float) -> float:
    """Return rate n / |X X^T|, with the largest eigenvalue as norm.

    Args:
        X: inputs, shape (n, d).
        rate: above 0; the second derivative of the loss in the values f is at most 1 / 4.

    Raises:
        BadParameter: if X is no matrix, is zero, or the rate is not above 0.
        TypeError: if X is no floating-point tensor.

    Source: derived here. Chapter: implicit_low_rank.
    """
    top = float(torch.linalg.matrix_norm(matrix("X", X), 2)) ** 2
    return real_number("rate", rate, above=0) * len(X) / real_number("|X|^2", top, above=0)


def stable_rank(W: torch.Tensor) -> float:
    """Return |W|_F^2 / |W|_2^2: the sum of the squared singular values over the largest of them.

    Args:
        W: a matrix other than zero, shape (m, d).

    Raises:
        BadParameter: if W is no matrix or is zero.
        TypeError: if W is no floating-point tensor.

    Source: Frei, Vardi, Bartlett, Srebro and Hu 2023. Chapter: implicit_low_rank.

    >>> stable_rank(torch.tensor([[2.0, 0.0], [0.0, 1.0]]))
    1.25
    """
    short = W if len(matrix("W", W)) <= W.shape[1] else W.T
    squares = torch.linalg.eigvalsh(short @ short.T)  # many times faster than a decomposition of W
    return float(squares.sum()) / real_number("|W|^2", float(squares[-1]), above=0)


def third_over_first(W: torch.Tensor) -> float:
    """Return the third singular value of W over its first.

    Args:
        W: matrix with at least three rows and columns, shape (m, d).

    Raises:
        BadParameter: if W is smaller, or zero.
        TypeError: if W is no floating-point tensor.

    Chapter: implicit_low_rank.
    """
    values = torch.linalg.svdvals(matrix("W", W))
    if len(values) < 3:
        raise BadParameter(f"W has {len(values)} singular values: it must have at least 3.")
    return float(values[2]) / real_number("|W|", float(values[0]), above=0)


def orthogonality(X: torch.Tensor) -> float:
    """Return p = least |x_i|^4 / (largest |x_i|^2 n max |<x_i, x_k>|), the largest p for which X is p-orthogonal.

    Args:
        X: inputs, at least two, shape (n, d).

    Raises:
        BadParameter: if X is no matrix or has one row only.
        TypeError: if X is no floating-point tensor.

    Source: Frei, Vardi, Bartlett and Srebro 2023, Definition 1. Chapter: implicit_low_rank.
    """
    if len(matrix("X", X)) < 2:
        raise BadParameter("X has 1 row: it must have at least 2.")
    K = X @ X.T
    squares = K.diagonal().clone()
    largest = float((K - torch.diag(squares)).abs().max())
    return float(squares.min() ** 2 / squares.max()) / (len(X) * largest) if largest else float("inf")


def boundary_normal(W: torch.Tensor) -> torch.Tensor:
    """Return the sum of the neurons of head 1 minus that of head -1: the normal of the boundary of two directions.

    If all neurons of one head are c v and all of the other c' u, then f(x) > 0 if and only if <c v - c' u, x> > 0,
    because phi grows and phi(c z) = c phi(z).

    Args:
        W: neurons, an even number m of them, shape (m, d).

    Returns:
        Normal vector of shape (d,), dtype and device of W.

    Raises:
        BadParameter: if W is no matrix or m is odd.
        TypeError: if W is no floating-point tensor.

    Source: derived here. Chapter: implicit_low_rank.
    """
    return _head(_neurons(W)) @ W * len(W) ** 0.5


def label_signs(y: torch.Tensor, n: int) -> torch.Tensor:
    """Return ``y`` if it is a vector of n labels, each of them -1 or 1.

    Args:
        y: labels, shape (n,).
        n: their number.

    Raises:
        BadParameter: otherwise.
        TypeError: if y is no floating-point tensor.

    Chapter: implicit_low_rank.
    """
    if not bool((vector("y", y, n).abs() == 1).all()):
        raise BadParameter("y holds other values than -1 and 1: each label must be one of the two.")
    return y


def _neurons(W: torch.Tensor) -> torch.Tensor:
    width = len(matrix("W", W))
    if width % 2:
        raise BadParameter(f"W has {width} rows: their number must be even, one half for each head.")
    return W


def _leak(leak: float) -> float:
    return real_number("leak", leak, least=0, most=1)


def _head(W: torch.Tensor) -> torch.Tensor:
    signs = torch.ones(len(W), dtype=W.dtype, device=W.device)
    signs[len(W) // 2 :] = -1
    return signs / len(W) ** 0.5


def _slopes(inner: torch.Tensor, leak: float) -> torch.Tensor:
    return (inner > 0).to(inner).mul_(1 - leak).add_(leak)


def _pull(f: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Return minus the derivative of the mean loss in each value of f."""
    return y * torch.sigmoid(-y * f) / len(y)


def _ascending(at: Sequence[int]) -> list[int]:
    steps = list_of("at", at, lambda name, value: whole_number(name, value, least=0))
    if any(later <= earlier for earlier, later in zip(steps, steps[1:], strict=False)):
        raise BadParameter(f"at = {steps} must ascend.")
    return steps
