"""What local_recovery owes to its first stage, to decay during training, and to a price on mass after it."""

from collections.abc import Sequence

import numpy as np
import torch

from beyond_kernel.checks import whole_number
from beyond_kernel.feature_learning.absolute_teacher import AbsoluteTeacher, drawn_teacher, plane_teacher
from beyond_kernel.feature_learning.grid_lasso import grid_lasso
from beyond_kernel.feature_learning.local_recovery import (
    DECAYS,
    RATE,
    balanced,
    descend,
    first_step,
    fit_head,
    recovered_mass,
    total_mass,
)
from beyond_kernel.feature_learning.population_kernel import population_loss
from beyond_kernel.feature_learning.recovery_limits import weight_found
from beyond_kernel.random_streams import generator_for

STUDENTS = (
    "stage 1, decay",
    "stage 1, no decay",
    "random directions, decay",
    "random directions, no decay",
    "stage 1, no decay, then lasso of the masses",
    "random directions, no decay, then lasso of the masses",
)
"""The students of ``starts_cell``, in this order."""
PENALTY = 1e-2
"""Ridge penalty of the head at the start."""


def starts_cell(
    weights: Sequence[float],
    d: int,
    width: int,
    *,
    angles: Sequence[float] | None = None,
    least_angle: float = 40.0,
    degrees: float = 5.0,
    steps: int = 600,
    device: str = "cpu",
    seed: int,
) -> dict[str, np.ndarray]:
    """Run stages 2 and 3 from the directions of stage 1 and from those before it, with decreasing decay and without.

    To the students that were trained without decay a price on mass comes afterwards too: on their frozen directions the
    lasso of the masses, at the last decay of the schedule.

    Args:
        weights: of the teacher's neurons.
        d: dimension.
        width: neurons of the student.
        angles: of the teacher's neurons in a plane, in degrees; None for directions drawn in R^d.
        least_angle: between two drawn directions, in degrees.
        degrees: angle to a neuron of the teacher up to which mass counts as recovered.
        steps: of each level of ``DECAYS``.
        device: where everything lies.
        seed: of teacher and start.

    Returns:
        For each of ``STUDENTS``: ``share`` of its mass near the teacher; ``mass`` over the teacher's; ``left``, the
        share of the variance that is left; ``found``, the least share of its weight that a neuron of the teacher has
        near it.

    Raises:
        BadParameter: if a parameter is out of range.

    Chapter: local_recovery.
    """
    if angles is None:
        teacher = drawn_teacher(weights, d, least_angle, seed, device)
    else:
        teacher = plane_teacher(angles, weights, d, seed, device)
    V, b = teacher.V, teacher.b
    size, generator = (whole_number("width", width), V.shape[1]), generator_for(seed, "starts", d, width)
    U = torch.randn(*size, generator=generator, dtype=torch.float64, device=generator.device).to(V)
    starts = [fit_head(rows, V, b, PENALTY) for rows in (first_step(U, V, b), torch.nn.functional.normalize(U, dim=1))]
    W, a = (torch.stack([part for part in parts for _ in range(2)]).float() for parts in zip(*starts, strict=True))
    decays = torch.tensor(DECAYS, dtype=W.dtype, device=W.device)
    schedules = torch.stack((decays, torch.zeros_like(decays)), 1).repeat(1, 2)
    last = len(DECAYS) * whole_number("steps", steps)
    path = descend(W, a, V.float(), b.float(), schedules, steps, RATE / teacher.mass, [last])
    students = [(path.W[0, k].double(), path.a[0, k].double()) for k in range(4)]
    for k in (1, 3):
        rows = torch.nn.functional.normalize(students[k][0], dim=1, eps=1e-30)
        students.append(balanced(rows, grid_lasso(rows, V, b, DECAYS[-1])))
    rows = [_measured(W, a, teacher, degrees) for W, a in students]
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def _measured(W: torch.Tensor, a: torch.Tensor, teacher: AbsoluteTeacher, degrees: float) -> dict[str, float]:
    V, b = teacher.V, teacher.b
    return {
        "share": float(recovered_mass(W, a, V, degrees)),
        "mass": float(total_mass(W, a)) / teacher.mass,
        "left": float(2 * population_loss(W, a, V, b)) / teacher.variance,
        "found": float((weight_found(W, a, V, degrees) / b).min()),
    }
