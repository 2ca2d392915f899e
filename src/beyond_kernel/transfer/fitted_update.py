"""A rank-one update of a base fitted by least squares to one sample, which is looked at as often as wanted.

The student is that of chapter low_rank_finetuning, with rows shrink (w_i + s v): base, s and head are known, v is a
unit vector. What differs from online SGD is that labels are used again.
"""

import torch

from beyond_kernel.checks import BadParameter, matrix, vector, whole_number
from beyond_kernel.foundations.learning.ridge import fit_ridge
from beyond_kernel.transfer.rank_one_task import RankOneTask

MOST_ROUNDS = 30
"""Rounds of Gauss-Newton after which a fit ends in any case."""
_MOST_DAMPING = 1e8


def linear_update(task: RankOneTask, X: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Return the direction of the best update that is linear in v, with the penalty of least leave-one-out error.

    It is ridge regression of the labels on the d features sum_i lambda_i f_0'(<w_i, x>) x and the value of the base.

    Args:
        task: the base, whose coordinates are the first of d.
        X: inputs, shape (n, d).
        y: labels, shape (n,).

    Returns:
        Unit vector of shape (d,), dtype and device of X.

    Raises:
        BadParameter: if a shape is wrong, an entry is not finite or the fit is zero.
        TypeError: if X or y is no floating-point tensor.

    Source: ours. Chapter: low_rank_finetuning.
    """
    y = vector("y", y, len(matrix("X", X, task.dim))).to(X)
    z = X[:, : task.coordinates] @ task.unit_base.T.to(X)
    head = task.head.to(X)
    slopes, values = task.link.derivative(z) @ head, task.link(z) @ head
    found = fit_ridge(torch.cat([slopes[:, None] * X, values[:, None]], 1), y).coefficients[:-1]
    if not float(found.norm()) > 0:
        raise BadParameter("y holds nothing that an update could explain: the linear fit is zero.")
    return found / found.norm()


def fit_update(
    task: RankOneTask, X: torch.Tensor, y: torch.Tensor, start: torch.Tensor, rounds: int = MOST_ROUNDS
) -> torch.Tensor:
    """Return the unit vector v of least squared error on a sample, as damped Gauss-Newton steps find it from a start.

    The damping (Levenberg and Marquardt) is raised fourfold until a step lowers the error, and lowered after it.

    Args:
        task: teacher's base, size and head; of the teacher itself nothing is used.
        X: inputs, shape (n, d).
        y: labels, shape (n,).
        start: v at first, shape (d,).
        rounds: the most steps.

    Returns:
        Vector of shape (d,), dtype and device of X.

    Raises:
        BadParameter: if a shape is wrong, an entry is not finite, start is zero or rounds is no whole number.
        TypeError: if X, y or start is no floating-point tensor.

    Source: ours; the method is textbook least squares. Chapter: low_rank_finetuning.
    """
    y = vector("y", y, len(matrix("X", X, task.dim))).to(X)
    v = vector("start", start, task.dim).to(X)
    if not float(v.norm()) > 0:
        raise BadParameter("start is the zero vector: it must have a direction.")
    slope, head = task.shrink * task.size, task.head.to(X)
    given = X[:, : task.coordinates] @ (task.shrink * task.unit_base.T.to(X))

    def left(v: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        inner = given + slope * (X @ v)[:, None]
        return y - task.link(inner) @ head, inner

    v, damping = v / v.norm(), 1.0
    error, inner = left(v)
    for _ in range(whole_number("rounds", rounds)):
        jacobian = slope * (task.link.derivative(inner) @ head)[:, None] * X
        jacobian = jacobian - (jacobian @ v)[:, None] * v  # moves along the sphere
        gram, pull, loss = jacobian.T @ jacobian, jacobian.T @ error, float(error.square().sum())
        while damping < _MOST_DAMPING:
            ridge = damping * len(y) * torch.eye(task.dim, dtype=X.dtype, device=X.device)
            moved = v + torch.linalg.solve(gram + ridge, pull)
            moved = moved / moved.norm()
            tried, places = left(moved)
            if float(tried.square().sum()) < loss:
                break
            damping *= 4
        else:
            return v
        v, error, inner, damping = moved, tried, places, damping / 4
        if loss - float(error.square().sum()) < 1e-9 * loss:
            break
    return v
