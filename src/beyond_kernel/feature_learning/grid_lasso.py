"""The convex problem that a network with weight decay solves: the lasso over fixed directions, and its dual bound."""

import numpy as np
import torch

from beyond_kernel.checks import matrix, real_number
from beyond_kernel.feature_learning.absolute_teacher import AbsoluteTeacher
from beyond_kernel.feature_learning.dual_certificate import residual_certificate
from beyond_kernel.feature_learning.population_kernel import absolute_kernel, population_loss, residual


def grid_lasso(U: torch.Tensor, V: torch.Tensor, b: torch.Tensor, decay: float) -> torch.Tensor:
    """Return the masses on fixed directions that minimise E (f - f*)^2 / 2 + decay sum_j |c_j|, a convex problem.

    Solved exactly: positive and negative parts are variables of their own, and an active set of those that are not
    zero grows by the one with the steepest slope and loses what would become negative.

    Args:
        U: unit rows, shape (M, d).
        V: unit neurons of the teacher, shape (r, d).
        b: their weights, shape (r,).
        decay: above 0.

    Returns:
        Tensor of shape (M,).

    Raises:
        BadParameter: if the shapes do not fit or the decay is out of range.
        TypeError: if an argument is no floating-point tensor.

    Source: the lasso, on the population loss; the active set of Lawson and Hanson 1974. Chapter: local_recovery.
    """
    lam = real_number("decay", decay, above=0)
    residual(matrix("U", U), U[:, 0], V, b)
    K, k = (absolute_kernel(U.double() @ Z.double().T).cpu().numpy() for Z in (U, V))
    wanted, signs = k @ b.double().cpu().numpy(), np.repeat([1.0, -1.0], len(U))
    gram = np.tile(K, (2, 2)) * np.outer(signs, signs)
    parts = _nonnegative(gram, np.tile(wanted, 2) * signs - lam, 1e-9 * lam)
    return torch.from_numpy(parts[: len(U)] - parts[len(U) :]).to(U)


def lower_bound(
    U: torch.Tensor, W: torch.Tensor, a: torch.Tensor, teacher: AbsoluteTeacher, decay: float
) -> torch.Tensor:
    """Return a value that loss + decay * mass of no measure on directions U falls below.

    By duality decay <q, f*> - decay^2 |q|^2 / 2 is one for each q with |<q, phi(u)>| <= 1; q is the residual of the
    student over -decay, made smaller where it has to be.

    Args:
        U: unit rows, fine enough a grid to stand for all directions, shape (M, d).
        W: neurons of the student, shape (..., m, d).
        a: their head, shape (..., m).
        teacher: the teacher.
        decay: above 0.

    Returns:
        Tensor of shape (...).

    Raises:
        BadParameter: if the shapes do not fit or the decay is out of range.
        TypeError: if an argument is no floating-point tensor.

    Source: Fenchel duality, derived here. Chapter: local_recovery.
    """
    eta = residual_certificate(U, W, a, teacher.V, teacher.b, decay)
    at_teacher = residual_certificate(teacher.V, W, a, teacher.V, teacher.b, decay) @ teacher.b
    shrink = 1 / eta.abs().amax(-1).clamp(min=1)
    square = 2 * population_loss(W, a, teacher.V, teacher.b) / decay**2
    return decay * shrink * at_teacher - (decay * shrink) ** 2 * square / 2


def _nonnegative(gram: np.ndarray, right: np.ndarray, small: float) -> np.ndarray:
    """Return the x >= 0 that minimises x' gram x / 2 - right' x."""
    x, active = np.zeros(len(right)), np.zeros(len(right), dtype=bool)
    for _ in range(3 * len(right)):
        slope = np.where(active, -np.inf, right - gram @ x)
        if slope.max() <= small:
            break
        active[slope.argmax()] = True
        while True:
            best = np.zeros_like(x)
            best[active] = np.linalg.solve(gram[np.ix_(active, active)], right[active])
            falling = active & (best <= 0)
            if not falling.any():
                break
            step = (x[falling] / (x[falling] - best[falling])).min()
            x = np.maximum(x + step * (best - x), 0)
            active &= x > 1e-14
        x = best
    return x
