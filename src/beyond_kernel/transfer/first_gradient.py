"""What the base itself says about the update: its first full gradient, and the linear model that stays at the base."""

import math

import torch

from beyond_kernel.checks import BadParameter, matrix, real_number, vector
from beyond_kernel.foundations.learning.learners import Predictor
from beyond_kernel.foundations.learning.ridge import fit_ridge
from beyond_kernel.random_streams import generator_for
from beyond_kernel.transfer.link_correlations import correlation_slope
from beyond_kernel.transfer.rank_one_task import RankOneTask, drift_at_start

_DRAWS = 50_000  # for the unit of step sizes, which is wanted to some tens of per cent


def first_gradient(
    task: RankOneTask, X: torch.Tensor, y: torch.Tensor, *, tangent: bool = True, unit_rows: bool = True
) -> torch.Tensor:
    """Return minus the gradient of the mean squared error over two of the base in its rows, over a sample.

    Args:
        task: the base, whose coordinates are the first of d.
        X: inputs, shape (n, d).
        y: labels, shape (n,).
        tangent: whether each row of the gradient is projected off that row of the base.
        unit_rows: whether the base has rows of length one, or those that it has inside of the student.

    Returns:
        Matrix of shape (k, d), dtype and device of X.

    Raises:
        BadParameter: if the shape of X or y is wrong or an entry is not finite.
        TypeError: if X or y is no floating-point tensor.

    Source: Zhang, Liu and Chen (2025), abstract, for its use. Chapter: low_rank_finetuning.
    """
    matrix("X", X, task.dim)
    y = vector("y", y, len(X)).to(X)
    unit = torch.nn.functional.pad(task.unit_base.to(X), (0, task.dim - task.coordinates))
    z = X @ (unit if unit_rows else task.shrink * unit).T
    head = task.head.to(X)
    error = y - task.link(z) @ head
    gradient = (error[:, None] * task.link.derivative(z) * head).T @ X / len(y)
    return gradient - (gradient * unit).sum(1, keepdim=True) * unit if tangent else gradient


def expected_gradient(task: RankOneTask) -> torch.Tensor:
    """Return the mean of the first gradient on the tangents of unit rows, for a link without a linear part.

    Each row is g'(c) c s / k times v*, with c = 1 / sqrt(1 + s^2): the matrix has rank one, and its right singular
    vector is the update. Of the teacher's neurons only the i-th is seen by the i-th row of an orthonormal base.

    Args:
        task: with rescaled rows, angle 0 and coherence 0.

    Returns:
        float64 tensor of shape (k, d), on the processor.

    Raises:
        BadParameter: if the task is another one, or its link has a linear part.

    Source: derived here, by Stein's identity. Chapter: low_rank_finetuning.
    """
    drift_at_start(task)  # refuses other tasks
    if correlation_slope(task.link, 0.0) > 1e-12:
        raise BadParameter(f"link = {task.link.link.name!r} has a linear part: the mean has more than one direction.")
    mean = torch.zeros(task.neurons, task.dim, dtype=torch.float64, device="cpu")
    mean[:, task.coordinates - 1] = correlation_slope(task.link, task.shrink) * task.shrink * task.size / task.neurons
    return mean


def adapter(gradient: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the first left and right singular vectors of a gradient, with the sign that makes the left sum positive.

    Args:
        gradient: shape (k, d).

    Returns:
        Vectors of shape (k,) and (d,), dtype and device of the gradient.

    Raises:
        BadParameter: if it is no matrix or an entry is not finite.
        TypeError: if it is no floating-point tensor.

    Source: Zhang, Liu and Chen (2025), abstract. Chapter: low_rank_finetuning.
    """
    U, _, V = torch.linalg.svd(matrix("gradient", gradient), full_matrices=False)
    sign = 1.0 if float(U[:, 0].sum()) >= 0 else -1.0
    return sign * U[:, 0], sign * V[0]


def fit_around_base(task: RankOneTask, X: torch.Tensor, y: torch.Tensor) -> Predictor:
    """Return the model that is linear around the base: ridge on its values and gradients, neuron by neuron.

    The features are f_0(<w_i, x>) and f_0'(<w_i, x>) x_l for all i and l, and a constant, k (d + 1) + 1 in number; the
    penalty is chosen by leave-one-out.

    Args:
        task: the base, whose coordinates are the first of d.
        X: inputs, shape (n, d).
        y: labels, shape (n,).

    Raises:
        BadParameter: if a shape is wrong or an entry is not finite.
        TypeError: if X or y is no floating-point tensor.

    Chapter: low_rank_finetuning.
    """
    y = vector("y", y, len(matrix("X", X, task.dim))).to(X)
    coefficients = fit_ridge(_lazy_features(task, X), y).coefficients
    return lambda points: _lazy_features(task, points) @ coefficients.to(points)


def lazy_floor(task: RankOneTask) -> float:
    """Return the risk below which no such linear model comes, for the link h_3 and an orthonormal base.

    With c^2 = 1 / (1 + s^2) and t^2 = 1 - c^2 the teacher holds 3 c^2 t^4 of energy in h_1(<w_i, x>) h_2(<v*, x>) and
    t^6 (sum lambda)^2 in h_3(<v*, x>), both of which are orthogonal to all values and gradients of the base.

    Args:
        task: with the link h_3, rescaled rows, angle 0 and coherence 0.

    Raises:
        BadParameter: if the task is another one.

    Source: derived here. Chapter: low_rank_finetuning.
    """
    drift_at_start(task)  # refuses other tasks
    if len(task.link.powers) != 4 or abs(correlation_slope(task.link, 1.0) - 3) > 1e-9:  # sum of l c_l^2, l at most 3
        raise BadParameter(f"link = {task.link.link.name!r} is not accepted: the floor is known for h_3 alone.")
    c, t = task.shrink**2, 1 - task.shrink**2
    together = float(task.head.sum()) ** 2
    return (3 * c * t**2 + t**3 * together) / (1 + t**3 * (together - 1))


def step_unit(task: RankOneTask, noise: float = 0.0) -> float:
    """Return a step size in units of 1 / d: the drift along v* at the start over the mean square of a step's kick.

    The mean is estimated once from a fixed sample of standard normal variables. It sets a scale, no more.

    Args:
        task: teacher and base.
        noise: standard deviation of the label noise, in units of that of the teacher.

    Raises:
        BadParameter: if noise is negative.

    Source: derived here. Chapter: low_rank_finetuning.
    """
    real_number("noise", noise, least=0)
    plain = (task.angle, task.coherence, task.rescaled) == (0, 0, True)
    shape = (_DRAWS, task.coordinates + 1)
    x = torch.randn(shape, generator=generator_for(0, "unit of a step"), dtype=torch.float64, device="cpu")
    labels = task.link(x[:, :-1] @ task.teacher.T) @ task.head
    inner = task.shrink * (x[:, :-1] @ task.unit_base.T + task.size * x[:, -1:])
    error = labels - task.link(inner) @ task.head
    slope = task.shrink * task.size * (task.link.derivative(inner) @ task.head)
    kick = (error.square() + noise**2 * task.variance) * slope.square()
    drift = drift_at_start(task) if plain else abs(float((error * slope * x[:, -2]).mean()))
    return drift / float(kick.mean())


def _lazy_features(task: RankOneTask, X: torch.Tensor) -> torch.Tensor:
    z = X[:, : task.coordinates] @ task.unit_base.T.to(X)
    slopes = task.link.derivative(z)[:, :, None] * X[:, None]
    return torch.cat([torch.ones_like(z[:, :1]), task.link(z), slopes.reshape(len(X), -1) / math.sqrt(task.dim)], 1)
