"""One first layer for many tasks: each task's head takes the first step, then all tasks move the neurons together."""

import math
from collections.abc import Sequence

import torch

from beyond_kernel.checks import BadParameter, matrix, real_number, vector, whole_number
from beyond_kernel.feature_learning.one_step import correlations
from beyond_kernel.foundations.learning.measures import leading_subspace
from beyond_kernel.foundations.learning.networks import BLOCK
from beyond_kernel.foundations.learning.samples import Sample
from beyond_kernel.transfer.sign_tasks import linear_strength

SMALLEST = 1e-5
"""Singular values below this share of the largest are rounding, and their directions count as not found."""


def first_heads(W: torch.Tensor, X: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Return where the head of one task is after a step from zero: a_j = (1/n) sum_i y_i relu(<w_j, x_i>).

    Args:
        W: neurons, of shape (m, d).
        X: inputs of the task, of shape (n, d).
        y: its labels, of shape (n,); their mean is taken off.

    Returns:
        The head, of shape (m,), for a step of size one on half of the mean squared error.

    Raises:
        BadParameter: if shapes do not fit.

    Chapter: many_tasks.
    """
    matrix("X", X, matrix("W", W).shape[1])
    y = vector("y", y, len(X)) - y.mean()
    blocks = zip(X.split(BLOCK), y.split(BLOCK), strict=True)
    return sum((inputs @ W.T).clamp(min=0).T @ labels for inputs, labels in blocks) / len(y)


def many_task_gradient(W: torch.Tensor, samples: Sequence[Sample]) -> torch.Tensor:
    """Return where all tasks together move each neuron, after the head of each has taken a step of its own.

    Task t moves neuron j along a_tj (1/n) sum_i y_i x_i 1{<w_j, x_i> >= 0}, and tasks are averaged. This is minus the
    gradient of half of the mean squared error to first order in the step of the heads, whose size is left out: what the
    network says after it is taken as 0 beside y. Turning the sign of its labels turns both factors, so the product asks
    only which points a task puts on the same side.

    Args:
        W: neurons, of shape (m, d).
        samples: one labelled sample a task.

    Returns:
        Directions, of shape (m, d), dtype and device of W.

    Raises:
        BadParameter: if there is no sample or shapes do not fit.

    Source: after Collins et al. 2024 (abstract), simplified to one step each. Chapter: many_tasks.
    """
    if not samples:
        raise BadParameter("samples is empty: it must hold the sample of at least one task.")
    moved = torch.zeros_like(matrix("W", W))
    for sample in samples:
        heads = first_heads(W, sample.X, sample.y)
        moved += heads[:, None] * correlations(W, sample.X, sample.y - sample.y.mean())
    return moved / len(samples)


def linear_part(X: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Return b = (1/n) sum_i y_i x_i, labels less their mean: all that a straight line tells of a task.

    Args:
        X: standard Gaussian inputs, of shape (n, d).
        y: labels, of shape (n,).

    Raises:
        BadParameter: if shapes do not fit.

    Chapter: many_tasks.
    """
    matrix("X", X)
    return X.T @ (vector("y", y, len(X)) - y.mean()) / len(y)


def quadratic_part(X: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Return Q = (1/2n) sum_i y_i (x_i x_i^T - I), labels less their mean: the quadratic form x^T Q x in a task.

    Args:
        X: standard Gaussian inputs, of shape (n, d).
        y: labels, of shape (n,).

    Returns:
        Symmetric matrix, of shape (d, d), half of the estimated mean Hessian; I drops out with the mean of y.

    Raises:
        BadParameter: if shapes do not fit.

    Source: Stein's identity. Chapter: many_tasks.
    """
    matrix("X", X)
    return (X.T * (vector("y", y, len(X)) - y.mean())) @ X / (2 * len(y))


def recovery(W: torch.Tensor, directions: torch.Tensor) -> float:
    """Return the mean squared cosine between the hidden subspace and the top r right singular vectors of W.

    Args:
        W: neurons, or any matrix whose rows should lie in the subspace, of shape (m, d), m and d at least r.
        directions: U, orthonormal columns, of shape (d, r).

    Returns:
        From 0 to 1, about r / d for a subspace drawn at random; where W has fewer directions than r, those that are
        missing count as not found.

    Raises:
        BadParameter: if shapes do not fit.

    Chapter: many_tasks.
    """
    r = matrix("directions", directions).shape[1]
    W = matrix("W", W, len(directions)).double()
    top = leading_subspace(W, r)
    lengths = (W @ top).norm(dim=0)
    found = top[:, lengths > SMALLEST * lengths[0]]
    return float((found.T @ directions.to(W)).square().sum() / r)


def predicted_recovery(family: str, d: int, r: int, tasks: float, n: int, noise: float = 0.0) -> float:
    """Return the recovery that linear parts of T tasks should reach: (1 - c/t^2) / (1 + c/t), at least 0.

    Here c = d/T, and t = n tau^2 / (1 + noise^2) is the square of a linear part along a hidden direction in units of
    its noise. With t large and c/t small this is about 1 - d (1 + noise^2) / (T n tau^2), so that only the number T n
    of all labels counts; with t of order 1 or below it is less, and few labels of many tasks find less than that.

    Args:
        family: of tasks, a key of ``sign_tasks.FAMILIES``.
        d: input dimension.
        r: hidden directions.
        tasks: T, several times r.
        n: labels of each task.
        noise: standard deviation of the label noise.

    Raises:
        BadParameter: if a number is out of range or the family is unknown.

    Source: Paul 2007 for the formula, a limit for Gaussian samples; tau^2 is derived here. Chapter: many_tasks.

    >>> round(predicted_recovery("balanced", 100, 3, 64, 1000), 3)
    0.983
    """
    c = whole_number("d", d) / real_number("tasks", tasks, above=0)
    t = whole_number("n", n) * linear_strength(family, r) / (1 + real_number("noise", noise, least=0) ** 2)
    return max(0.0, (1 - c / t**2) / (1 + c / t)) if t else 0.0


def expected_pull(family: str, r: int, n: int, noise: float = 0.0) -> float:
    """Return the factor k of ``many_task_gradient``: on average it is k w_j inside the hidden subspace, to first order.

    With overlaps U^T w_j small, a head is <b, w_j> / 2 and what it multiplies is b / 2, for the linear part b of its
    task; E b b^T = tau^2 U U^T over tasks. Both are taken on the same n samples, which adds v (1/2 - 1/2pi) w_j / n for
    a neuron of length one, inside the subspace and outside, with v = 1 + noise^2 the variance of the labels and
    1/2 - 1/2pi the covariance of relu(z) and z 1{z > 0}. So k = tau^2 / 4 + v (1/2 - 1/2pi) / n.

    Args:
        family: of tasks, one of ``sign_tasks.FAMILIES``.
        r: hidden directions.
        n: labels of each task.
        noise: standard deviation of the label noise.

    Raises:
        BadParameter: if a number is out of range or the family is unknown.

    Source: derived here. Chapter: many_tasks.
    """
    own = (1 + real_number("noise", noise, least=0) ** 2) * (0.5 - 0.5 / math.pi) / whole_number("n", n)
    return linear_strength(family, r) / 4 + own


def measured_pull(G: torch.Tensor, W: torch.Tensor, directions: torch.Tensor) -> float:
    """Return the factor k that fits G = k W best inside a subspace, by least squares.

    Args:
        G: where the neurons are moved, of shape (m, d).
        W: the neurons, of shape (m, d).
        directions: U, orthonormal columns, of shape (d, r).

    Raises:
        BadParameter: if shapes do not fit.

    Chapter: many_tasks.
    """
    d = len(matrix("directions", directions))
    before, after = matrix("W", W, d) @ directions.to(W), matrix("G", G, d) @ directions.to(W)
    if len(before) != len(after):
        raise BadParameter(f"G has shape {tuple(G.shape)}: it must have the shape of W, {tuple(W.shape)}.")
    return float((before * after).sum() / before.square().sum())


def accuracy(prediction: torch.Tensor, labels: torch.Tensor) -> float:
    """Return the share of predictions with the sign of the label; a prediction of 0 counts as wrong.

    Args:
        prediction: of shape (n,).
        labels: -1 or 1, of shape (n,).

    Raises:
        BadParameter: if shapes do not fit.

    Chapter: many_tasks.

    >>> round(accuracy(torch.tensor([0.3, -2.0, 0.0]), torch.tensor([1.0, 1.0, 1.0])), 3)
    0.333
    """
    return float((vector("prediction", prediction) * vector("labels", labels, len(prediction)) > 0).double().mean())
