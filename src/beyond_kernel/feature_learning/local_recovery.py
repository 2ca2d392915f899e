"""Three stages in which gradient descent recovers a teacher: one step, a head, and weight decay that decreases.

All on the exact population loss of ``population_kernel``. After Zhou and Ge (2024), whose abstract says what is shown
there; stages and schedule here are this book's own form of them.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from beyond_kernel.checks import BadParameter, real_number, vector, whole_number
from beyond_kernel.feature_learning.absolute_teacher import angles_to
from beyond_kernel.feature_learning.population_kernel import (
    absolute_kernel,
    check_neurons,
    check_rows,
    masses,
    pull,
    residual,
)

DECAYS = (3e-2, 1e-2, 3e-3, 1e-3, 3e-4, 1e-4)
"""The weight decay of one level after another, for teachers whose weights are about one."""
RATE = 1.0
"""Step size times the total mass of the teacher, on which the curvature of the loss depends."""


class Path(NamedTuple):
    """A student at some steps of its descent; as tensors, so that ``torch.save(path._asdict(), ...)`` keeps it.

    Attributes:
        at: numbers of steps, of shape (T,).
        W: neurons, of shape (T, ..., m, d).
        a: their head, of shape (T, ..., m).
    """

    at: torch.Tensor
    W: torch.Tensor
    a: torch.Tensor


def first_step(U: torch.Tensor, V: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Return the directions of neurons after one gradient step from f = 0 that leaves nothing of the start.

    The gradient in w_j is -a_j sum_i b_i grad_w k(w_j, v_i): up to sign it depends on the direction of w_j alone. Of a
    symmetric start, with pairs (a, w) and (-a, w), it makes pairs on the same line, of which one is kept.

    Args:
        U: neurons at the start, rows of any length, shape (..., m, d).
        V: unit neurons of the teacher, shape (..., r, d).
        b: their weights, shape (..., r).

    Returns:
        Unit rows of shape (..., m, d).

    Raises:
        BadParameter: if the shapes do not fit.
        TypeError: if an argument is no floating-point tensor.

    Source: the first step of Damian, Lee and Soltanolkotabi 2022, here on the population loss. Chapter: local_recovery.
    """
    silent = torch.zeros_like(check_rows("U", U)[..., 0])
    residual(U, silent, V, b)
    moved = pull(_array(U), _array(silent), _array(V), _array(b))
    return torch.nn.functional.normalize(torch.from_numpy(moved).to(U), dim=-1)


def fit_head(U: torch.Tensor, V: torch.Tensor, b: torch.Tensor, penalty: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the ridge regression on frozen unit neurons, in the balanced form |a_j| = |w_j|.

    The masses c minimise E (f - f*)^2 / 2 + penalty |c|^2 / 2, so (K + penalty) c = K_* b.

    Args:
        U: unit neurons, shape (..., m, d).
        V: unit neurons of the teacher, shape (..., r, d).
        b: their weights, shape (..., r).
        penalty: above 0.

    Returns:
        (W, a) with a_j w_j = c_j u_j, shapes (..., m, d) and (..., m).

    Raises:
        BadParameter: if the shapes do not fit or the penalty is out of range.
        TypeError: if an argument is no floating-point tensor.

    Source: derived here. Chapter: local_recovery.
    """
    residual(check_rows("U", U), U[..., 0], V, b)
    eye = real_number("penalty", penalty, above=0) * torch.eye(U.shape[-2], dtype=U.dtype, device=U.device)
    right = absolute_kernel(U @ V.mT) @ b[..., None]
    return balanced(U, torch.linalg.solve(absolute_kernel(U @ U.mT) + eye, right)[..., 0])


def balanced(U: torch.Tensor, c: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the neurons and the head with masses c in which both layers have the same size.

    Args:
        U: unit rows, shape (..., m, d).
        c: masses, shape (..., m).

    Returns:
        (sqrt|c| u, sign(c) sqrt|c|).

    Raises:
        BadParameter: if the shapes do not fit.
        TypeError: if an argument is no floating-point tensor.

    Chapter: local_recovery.
    """
    check_neurons(U, c, "U", "c")
    size = c.abs().sqrt()
    return size[..., None] * U, c.sign() * size


def descend(
    W: torch.Tensor,
    a: torch.Tensor,
    V: torch.Tensor,
    b: torch.Tensor,
    decays: torch.Tensor,
    steps: int,
    rate: float,
    at: Sequence[int],
) -> Path:
    """Return a path of gradient descent on loss + decay (|a|^2 + |W|^2) / 2, so many steps at each decay in turn.

    The loop runs in numpy on the processor, where small arrays cost least; several students side by side are one batch.

    Args:
        W: neurons at the start, shape (..., m, d).
        a: their head, shape (..., m).
        V: unit neurons of the teacher, shape (..., r, d).
        b: their weights, shape (..., r).
        decays: one a level, shape (levels,), or (levels, B) for a batch of B students with schedules of their own.
        steps: of each level, at least 1.
        rate: step size, above 0; about 1 over the total mass of the teacher.
        at: steps after which the student is kept, ascending, from 0 to levels * steps.

    Returns:
        The path, dtype and device of W.

    Raises:
        BadParameter: if shapes do not fit, an argument is out of range, or the descent diverges.
        TypeError: if an argument is no floating-point tensor.

    Source: gradient descent; schedule after Zhou and Ge 2024. Chapter: local_recovery.
    """
    residual(W, a, V, b)
    levels = _levels(decays, W)
    eta, last = real_number("rate", rate, above=0), len(levels) * whole_number("steps", steps)
    kept = _steps_to_keep(at, last)
    now, head = _array(W).copy(), _array(a).copy()
    teacher = _array(V.expand(*W.shape[:-2], -1, -1))
    weights = _array(b.expand(*W.shape[:-2], -1))
    neurons, heads = [], []
    with np.errstate(over="ignore", invalid="ignore"):  # a descent that diverges ends in a sentence below
        for step in range(kept[-1] + 1):
            if step == kept[len(heads)]:
                neurons.append(now.copy())
                heads.append(head.copy())
            if step < last:
                e, decay = pull(now, head, teacher, weights), levels[step // steps]
                slope = (now * e).sum(-1) + decay[..., 0] * head
                now -= eta * (head[..., None] * e + decay * now)
                head -= eta * slope
    if not (np.isfinite(now).all() and np.isfinite(head).all()):
        raise BadParameter(f"rate = {eta:g} is too large: the descent diverged; it must be smaller.")
    places = torch.tensor(kept, device=W.device)
    return Path(places, *(torch.from_numpy(np.stack(kept_)).to(W) for kept_ in (neurons, heads)))


def recovered_mass(W: torch.Tensor, a: torch.Tensor, V: torch.Tensor, degrees: float = 5.0) -> torch.Tensor:
    """Return the share of the mass sum_j |a_j| |w_j| whose neurons lie within an angle of one of the teacher's.

    Args:
        W: neurons of the student, shape (..., m, d).
        a: their head, shape (..., m).
        V: unit neurons of the teacher, shape (..., r, d).
        degrees: the angle, up to sign, from 0 to 90.

    Returns:
        Tensor of shape (...).

    Raises:
        BadParameter: if the shapes do not fit or the angle is out of range.
        TypeError: if an argument is no floating-point tensor.

    Chapter: local_recovery.
    """
    mass, nearest = _mass_and_angle(W, a, V)
    near = nearest <= np.deg2rad(real_number("degrees", degrees, least=0, most=90))
    return (mass * near).sum(-1) / mass.sum(-1)


def mean_angle(W: torch.Tensor, a: torch.Tensor, V: torch.Tensor) -> torch.Tensor:
    """Return the mean angle of neurons to the nearest of the teacher in degrees, each counted with its mass.

    Args:
        W: neurons of the student, shape (..., m, d).
        a: their head, shape (..., m).
        V: unit neurons of the teacher, shape (..., r, d).

    Returns:
        Tensor of shape (...).

    Raises:
        BadParameter: if the shapes do not fit.
        TypeError: if an argument is no floating-point tensor.

    Chapter: local_recovery.
    """
    mass, nearest = _mass_and_angle(W, a, V)
    return torch.rad2deg((mass * nearest).sum(-1) / mass.sum(-1))


def total_mass(W: torch.Tensor, a: torch.Tensor) -> torch.Tensor:
    """Return sum_j |a_j| |w_j|, the total variation of the student as a measure on directions.

    Args:
        W: neurons, shape (..., m, d).
        a: their head, shape (..., m).

    Returns:
        Tensor of shape (...).

    Raises:
        BadParameter: if the shapes do not fit.
        TypeError: if an argument is no floating-point tensor.

    Chapter: local_recovery.
    """
    return masses(W, a).abs().sum(-1)


def _mass_and_angle(W: torch.Tensor, a: torch.Tensor, V: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return masses(W, a).abs(), angles_to(W, V).amin(-1)


def _array(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().cpu().numpy()


def _levels(decays: torch.Tensor, W: torch.Tensor) -> np.ndarray:
    """Return the decays with two trailing sizes of 1, which stand for neurons and coordinates."""
    if not isinstance(decays, torch.Tensor) or decays.ndim != 2:
        vector("decays", decays)
    elif W.ndim != 3 or decays.shape[1] != len(W):
        raise BadParameter(f"decays has shape {tuple(decays.shape)}: it must fit W of shape {tuple(W.shape)}.")
    if not (torch.isfinite(decays).all() and (decays >= 0).all()):
        raise BadParameter("decays holds an entry that is not accepted: all must be finite numbers of at least 0.")
    return _array(decays.to(W.dtype))[..., None, None]


def _steps_to_keep(at: Sequence[int], last: int) -> list[int]:
    kept = [whole_number(f"at[{i}]", step, least=0, most=last) for i, step in enumerate(at)]
    if not kept or sorted(set(kept)) != kept:
        raise BadParameter(f"at = {list(at)!r} is not accepted: it must be ascending numbers of steps, at least one.")
    return kept
