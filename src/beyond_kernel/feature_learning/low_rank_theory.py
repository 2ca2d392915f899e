"""What low rank is to be expected of a leaky network: after one step from a small start, and in the limit.

Network, head and loss are those of ``implicit_low_rank``.
"""

import math
from typing import NamedTuple

import torch
from scipy.optimize import nnls

from beyond_kernel.checks import BadParameter, matrix, real_number
from beyond_kernel.feature_learning.implicit_low_rank import label_signs, step_size
from beyond_kernel.foundations.learning.networks import even_width


class LimitPoint(NamedTuple):
    """The smallest weights of margin 1, supposed that each neuron is active where its head has the sign of the label.

    Attributes:
        directions: sqrt(m) times a neuron of head 1, and of head -1, whatever the even width m, shape (2, d).
        weights: multipliers of the samples, at least 0 and 0 where a margin is above 1, shape (n,).
        consistent: whether the two neurons have the signs that were supposed, so that this is a KKT point.
    """

    directions: torch.Tensor
    weights: torch.Tensor
    consistent: bool


def step_correlations(X: torch.Tensor, y: torch.Tensor, leak: float) -> torch.Tensor:
    """Return A with A_ik = y_i y_k E[phi'(<w, x_i>) phi'(<w, x_k>)] for a Gaussian neuron w, by the arcsine law.

    A slope of phi has the mean (1 + leak) / 2 and the deviation (1 - leak) / 2.

    Args:
        X, y: training sample, as in ``train_in_span``.
        leak: slope below zero, from 0 to 1.

    Returns:
        Tensor of shape (n, n), dtype and device of X.

    Raises:
        BadParameter: if a value is out of range.
        TypeError: if X or y is no floating-point tensor.

    Source: derived here from the arcsine law. Chapter: implicit_low_rank.
    """
    signs = torch.outer(label_signs(y, len(matrix("X", X))), y)
    mean, dev = (1 + _leak(leak)) / 2, (1 - leak) / 2
    lengths = X.norm(dim=1)
    cosines = (X @ X.T / lengths / lengths[:, None]).clamp(-1, 1)
    return signs * (mean**2 + dev**2 * (2 / math.pi) * torch.arcsin(cosines))


def rank_after_one_step(X: torch.Tensor, y: torch.Tensor, width: int, size: float, leak: float, rate: float) -> float:
    """Return the stable rank that one step from a small start has, up to terms of second order in 1 / m.

    For f near 0 the neurons after the step are independent, with second moment, on average over the two heads,
    (size^2 / d) I + (step / 2n)^2 X^T A X / m and A = ``step_correlations``. Of m such neurons the sum of squares is m
    times its trace, and the largest squared singular value m times its largest eigenvalue, times
    1 + (1 / m) sum_k moment_k / (top - moment_k).

    Args:
        X, y: training sample, as in ``train_in_span``.
        width: m.
        size: root mean square length of a neuron at the start, w_j ~ N(0, size^2 I_d / d).
        leak, rate: as in ``train_in_span``.

    Raises:
        BadParameter: if a value is out of range.
        TypeError: if X or y is no floating-point tensor.

    Source: derived here from the arcsine law. Chapter: implicit_low_rank.
    """
    n, d = matrix("X", X).shape
    A, m = step_correlations(X, y, leak), even_width("width", width)
    values, basis = torch.linalg.eigh(X @ X.T)
    root = basis * values.clamp(min=0).sqrt()
    moved = torch.linalg.eigvalsh(root.T @ A @ root).flip(0).clamp(min=0)[:d]
    start = real_number("size", size, least=0) ** 2 / d
    moments = moved * (step_size(X, rate) / (2 * n)) ** 2 / m + start
    silent = d - len(moments)  # directions in which nothing moved
    total, top = float(moments.sum()) + silent * start, float(moments[0])
    gap = torch.finfo(X.dtype).eps * top  # where nothing stands out, the correction is no correction
    others = float((moments[1:] / (top - moments[1:]).clamp(min=gap)).sum()) + silent * start / max(top - start, gap)
    return total / (top * (1 + others / m))


def orthogonal_rank(leak: float, share: float = 0.5) -> float:
    """Return the stable rank at the end for orthogonal inputs of one length: 2 / (1 + sqrt(1 - 4 p q r^2)).

    Here r = (1 - leak^2) / (1 + leak^2), and p and q are the shares of the two labels. The neurons of largest margin
    are S_+ - leak S_- and S_- - leak S_+, with the sums S of the inputs of each label. For equal shares this is
    1 + ((1 - leak) / (1 + leak))^2, what one step has at any shares, on many samples.

    Args:
        leak: slope below zero, from 0 to 1.
        share: p, from 0 to 1.

    Raises:
        BadParameter: if an argument is out of range.

    Source: derived here. Chapter: implicit_low_rank.

    >>> round(orthogonal_rank(0.2), 6), orthogonal_rank(1.0), orthogonal_rank(0.0)
    (1.444444, 1.0, 2.0)
    """
    ratio = (1 - _leak(leak) ** 2) / (1 + leak**2)
    p = real_number("share", share, least=0, most=1)
    return 2 / (1 + math.sqrt(max(1 - 4 * p * (1 - p) * ratio**2, 0)))


def rank_on_the_way(leak: float, time: float) -> float:
    """Return the stable rank at a time, for orthogonal inputs of one length, equal shares and many samples.

    The time T counts steps in units of the first: later ones are shorter, as the loss has fallen. A neuron of head a
    gets a slope 1 or leak at random in the first step, and afterwards the slope of a y_i. With mean and dev as in
    ``step_correlations`` it is a mean T sum_i y_i x_i + dev (T - 1) sum_i x_i, plus dev times a sum of the samples with
    random signs. So the rank is 1 + (dev / mean)^2 ((T - 1)^2 + 1) / T^2, which is least at T = 2.

    Args:
        leak: slope below zero, from 0 to 1.
        time: T, at least 1.

    Raises:
        BadParameter: if an argument is out of range.

    Source: derived here. Chapter: implicit_low_rank.

    >>> [round(rank_on_the_way(0.2, time), 4) for time in (1, 2, 1000)]
    [1.4444, 1.2222, 1.4436]
    """
    T = real_number("time", time, least=1)
    return 1 + ((1 - _leak(leak)) / (1 + leak)) ** 2 * ((T - 1) ** 2 + 1) / T**2


def limit_point(X: torch.Tensor, y: torch.Tensor, leak: float) -> LimitPoint:
    """Return the least weights of margin 1, supposed that each neuron is active where its head has the label's sign.

    Then y_i f(x_i) is linear in W, with the Gram matrix H_ik = y_i y_k K_ik times (1 + leak^2) / 2 for equal labels and
    leak for different ones, and the multipliers minimise z^T H z / 2 - sum z over z >= 0: least squares with signs.

    Args:
        X, y: training sample of linearly independent inputs.
        leak: slope below zero, from 0 to 1; at 1 this is the linear classifier of largest margin.

    Raises:
        BadParameter: if a value is out of range, or the inputs are linearly dependent.
        TypeError: if X or y is no floating-point tensor.

    Source: derived here; Lawson and Hanson's least squares, by scipy. Chapter: implicit_low_rank.
    """
    y = label_signs(y, len(matrix("X", X)))
    same = torch.outer(y, y)
    H = (X @ X.T) * same * torch.where(same > 0, (1 + _leak(leak) ** 2) / 2, torch.full_like(same, leak))
    if len(X) > X.shape[1]:
        raise BadParameter(f"X has {len(X)} rows and {X.shape[1]} columns: its rows must be linearly independent.")
    factor, failed = torch.linalg.cholesky_ex(H.double())
    if int(failed):
        raise BadParameter("X has linearly dependent rows: they must be independent.")
    ones = torch.linalg.solve_triangular(factor, torch.ones_like(factor[:, :1]), upper=False)
    found, _ = nnls(factor.T.cpu().numpy(), ones[:, 0].cpu().numpy(), maxiter=30 * len(X))
    weights = torch.as_tensor(found, device="cpu").to(X)
    # a neuron of head +1 is active on the label +1, one of head -1 on the label -1
    slopes = torch.stack([torch.where(head * y > 0, 1.0, torch.full_like(y, leak)) for head in (1, -1)])
    heads = torch.tensor([[1.0], [-1.0]], dtype=X.dtype, device=X.device)
    directions = heads * ((slopes * (weights * y)) @ X)
    consistent = bool((directions @ X.T * heads * y > 0).all())
    return LimitPoint(directions, weights, consistent)


def _leak(leak: float) -> float:
    return real_number("leak", leak, least=0, most=1)
