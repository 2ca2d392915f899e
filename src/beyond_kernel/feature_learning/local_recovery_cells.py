"""The experiments of chapter local_recovery: three stages, and a plane where all can be drawn."""

from collections.abc import Sequence

import numpy as np
import torch

from beyond_kernel.checks import BadParameter, whole_number
from beyond_kernel.feature_learning.absolute_teacher import AbsoluteTeacher, angles_to, drawn_teacher, plane_teacher
from beyond_kernel.feature_learning.dual_certificate import (
    circle,
    first_order,
    inequality,
    peak,
    pre_certificate,
    residual_certificate,
    steepness,
)
from beyond_kernel.feature_learning.grid_lasso import grid_lasso, lower_bound
from beyond_kernel.feature_learning.local_recovery import (
    DECAYS,
    RATE,
    Path,
    balanced,
    descend,
    first_step,
    fit_head,
    mean_angle,
    recovered_mass,
    total_mass,
)
from beyond_kernel.feature_learning.population_kernel import masses, population_loss
from beyond_kernel.feature_learning.recovery_limits import weight_found
from beyond_kernel.random_streams import generator_for

PENALTY = 1e-2
"""Ridge penalty of stage 2."""
TINY = 1e-9
"""Ridge penalty with which the least loss on frozen neurons is measured; smaller ones are lost in rounding."""
GRID = 360
"""Directions of the half circle on which certificates are drawn, half a degree apart."""
FAR = 3.0
"""Degrees from the teacher's neurons beyond which a certificate is looked at for its peak."""
FITTED = slice(1, 4)
"""Levels between which slopes are fitted, of decay 1e-2 to 1e-3; first order holds and the angles have settled."""


def stages_cell(
    weights: Sequence[float], d: int, least_angle: float, width: int, steps: int, *, device: str = "cpu", seed: int
) -> dict[str, np.ndarray | float]:
    """Run the three stages on a drawn teacher, the third with decreasing decay and without decay, side by side.

    Args:
        weights: of the neurons of the teacher.
        d: dimension.
        least_angle: between two neurons of the teacher, in degrees.
        width: number of students.
        steps: of each level of decay.
        device: where tensors lie.
        seed: of the teacher and the start.

    Returns:
        ``null``: loss of the zero function; ``subspace``: mean length of the student's unit neurons in the span of the
        teacher's after stage 1, ``before`` at the start; ``random`` and ``frozen``: least loss of a head on the
        neurons of the start and on those of stage 1, ``frozen_wide`` with ten times as many; ``ridge``: loss after
        stage 2, ``ridge_angle`` its mean angle, ``ridge_mass`` its mass over the teacher's, ``ridge_found`` as below.
        ``peak``: largest absolute certificate more than 3 degrees from the teacher. With decay first, without second:
        ``recovered`` (2, T) after the steps ``at``, ``risk`` (2, T), and at the end ``share``, ``mass``, ``end`` and
        ``found`` (2,): the mass over the teacher's, the loss, and the least share of its weight that a neuron of the
        teacher has within 5 degrees. At the end of each level of decay ``angle``, ``loss`` and, to first order,
        ``angle_predicted``, ``loss_predicted``; fitted ``angle_slope``, ``loss_slope``; ``angle_ratio``,
        ``loss_ratio`` of measured and predicted at decay 1e-3.

    Raises:
        BadParameter: if a parameter is out of range.

    Chapter: local_recovery.
    """
    teacher = drawn_teacher(weights, d, least_angle, seed, device)
    V, b = teacher.V, teacher.b
    U, wide = _start(width, teacher, seed), _start(10 * width, teacher, seed)
    U1 = first_step(U, V, b)
    W, a = fit_head(U1, V, b, PENALTY)
    last = steps * len(DECAYS)
    at = sorted({0, *_spread(last, 40), *(steps * (k + 1) for k in range(len(DECAYS)))})
    path = _both(W, a, teacher, steps, at)
    loss, angle = population_loss(path.W, path.a, V, b), mean_angle(path.W, path.a, V)
    recovered = recovered_mass(path.W, path.a, V)
    found = {
        "null": teacher.variance / 2,
        "before": _length_in_span(U, V),
        "subspace": _length_in_span(U1, V),
        "random": _least(U, teacher),
        "frozen": _least(U1, teacher),
        "frozen_wide": _least(first_step(wide, V, b), teacher),
        "ridge": float(loss[0, 0]),
        "ridge_angle": float(angle[0, 0]),
        "at": np.array(at),
        "recovered": recovered.T.cpu().numpy(),
        "risk": (2 * loss / teacher.variance).T.cpu().numpy(),
        "share": recovered[-1].cpu().numpy(),
        "end": loss[-1].cpu().numpy(),
    }
    ends = [at.index(steps * (k + 1)) for k in range(len(DECAYS))]
    found |= _masses_of(path, teacher)
    found["peak"] = peak(pre_certificate(V, b.sign()), FAR, generator_for(seed, "peak", len(b)))
    return found | _against_decay(teacher, angle[ends, 0].cpu().numpy(), loss[ends, 0].cpu().numpy())


def plane_cell(
    angles: Sequence[float], weights: Sequence[float], width: int, steps: int, *, frames: int = 60, device: str = "cpu",
    seed: int,
) -> dict[str, np.ndarray | float]:  # fmt: skip
    """Run the three stages in a plane and keep what an animation needs: neurons, certificates, both sides of the bound.

    Args:
        angles: of the teacher's neurons in degrees.
        weights: of the teacher's neurons.
        width: number of students.
        steps: of each level of decay.
        frames: about how many steps are kept, at least 2.
        device: where tensors lie.
        seed: of the start.

    Returns:
        ``at`` (T,): steps kept, ``decay`` (T,): the decay that led there, ``last`` (levels,): where each level ends.
        With decay first, without second: ``turns`` (2, T, m): angle of each neuron in degrees, from 0 to 180;
        ``masses`` (2, T, m); ``share`` and ``mass`` (2,) at the end. With decay: ``excess``, ``bound``, ``simple`` and
        ``moved``, the sum of mass times squared angle (T,); ``above`` (levels,): objective over its lower bound, minus
        1, at the end of each level; ``lasso_above``: the same of the convex problem on the grid; ``lasso`` (levels,
        GRID): its masses. ``grid`` (GRID,): degrees; ``certificate`` (GRID,) and ``residual`` (levels, GRID): the
        pre-certificate and the residual over minus the decay; ``before`` (GRID,): that of the start over the first
        decay; ``touch``: the residual over minus the decay at the teacher, times its signs, at the last level, largest
        distance from 1; ``peak``: largest absolute certificate more than 3 degrees from the teacher;
        ``steep``: least (1 - |certificate|) / angle^2; ``square``: the squared norm of p.

    Raises:
        BadParameter: if a parameter is out of range.

    Chapter: local_recovery.
    """
    teacher = plane_teacher(angles, weights, device=device)
    W, a = fit_head(first_step(_start(width, teacher, seed), teacher.V, teacher.b), teacher.V, teacher.b, PENALTY)
    last = [steps * (k + 1) for k in range(len(DECAYS))]
    at = sorted({0, *_spread(last[-1], whole_number("frames", frames, least=2)), *last})
    path = _both(W, a, teacher, steps, at)
    decay = np.array([DECAYS[max(0, step - 1) // steps] for step in at])
    ends = [at.index(step) for step in last]
    turns = torch.rad2deg(torch.atan2(path.W[..., 1], path.W[..., 0])) % 180
    found = {
        "at": np.array(at),
        "decay": decay,
        "last": np.array(ends),
        "turns": turns.movedim(1, 0).cpu().numpy(),
        "masses": masses(path.W, path.a).movedim(1, 0).cpu().numpy(),
        "share": recovered_mass(path.W[-1], path.a[-1], teacher.V).cpu().numpy(),
        "mass": (total_mass(path.W[-1], path.a[-1]) / teacher.mass).cpu().numpy(),
    }
    W, a = path.W[:, 0], path.a[:, 0]
    found["before"] = _residual(circle(GRID, teacher.V), W[0], a[0], teacher, DECAYS[0])
    return found | _sides(teacher, W, a, decay) | _certificates(teacher, W[ends], a[ends])


def _sides(teacher: AbsoluteTeacher, W: torch.Tensor, a: torch.Tensor, decay: np.ndarray) -> dict[str, np.ndarray]:
    """Return both sides of the inequality at every kept step, and what it is about."""
    eta = pre_certificate(teacher.V, teacher.b.sign())
    sides = [inequality(W[k], a[k], teacher, eta, float(lam)) for k, lam in enumerate(decay)]
    spread = masses(W, a).abs() * _nearest(W, teacher).square()
    return {
        name: np.array([float(getattr(side, name)) for side in sides]) for name in ("excess", "bound", "simple")
    } | {
        "moved": spread.sum(-1).cpu().numpy(),
        "square": eta.square,
    }


def _certificates(teacher: AbsoluteTeacher, W: torch.Tensor, a: torch.Tensor) -> dict[str, np.ndarray | float]:
    """Return the certificates on the half circle at the end of each level, and the convex problem on it."""
    V, b = teacher.V, teacher.b
    eta, grid = pre_certificate(V, b.sign()), circle(GRID, V)
    between = _turned(grid, 0.25)  # off the teacher's directions, where they stand on the grid
    far = _nearest(between, teacher) > np.deg2rad(FAR)
    lasso = torch.stack([grid_lasso(grid, V, b, lam) for lam in DECAYS])
    return {
        "grid": np.arange(GRID) * (180 / GRID),
        "certificate": eta(grid).cpu().numpy(),
        "residual": np.stack([_residual(grid, W[k], a[k], teacher, lam) for k, lam in enumerate(DECAYS)]),
        "lasso": lasso.cpu().numpy(),
        "above": np.array([_above(W[k], a[k], teacher, lam) for k, lam in enumerate(DECAYS)]),
        "lasso_above": np.array([_above(*balanced(grid, lasso[k]), teacher, lam) for k, lam in enumerate(DECAYS)]),
        "touch": float(np.abs(_residual(V, W[-1], a[-1], teacher, DECAYS[-1]) * b.sign().cpu().numpy() - 1).max()),
        "peak": float(eta(between).abs()[far].max()),
        "steep": steepness(eta, between, V),
    }


def _both(W: torch.Tensor, a: torch.Tensor, teacher: AbsoluteTeacher, steps: int, at: list[int]) -> Path:
    """Return the paths from one start with decreasing decay and without decay, as a batch of two."""
    decays = torch.tensor(DECAYS, dtype=W.dtype, device=W.device)
    both = torch.stack((decays, torch.zeros_like(decays)), 1)
    return descend(torch.stack((W, W)), torch.stack((a, a)), teacher.V, teacher.b, both, steps, RATE / teacher.mass, at)


def _masses_of(path: Path, teacher: AbsoluteTeacher) -> dict[str, np.ndarray | float]:
    """Return total mass over the teacher's, and the least share found of a neuron's weight, at both ends of a path."""
    mass = (total_mass(path.W[[0, -1]], path.a[[0, -1]]) / teacher.mass).cpu().numpy()
    found = np.array(
        [
            [float((weight_found(path.W[k, j], path.a[k, j], teacher.V, 5.0) / teacher.b).min()) for j in (0, 1)]
            for k in (0, -1)
        ]
    )
    return {"ridge_mass": mass[0, 0], "ridge_found": found[0, 0], "mass": mass[1], "found": found[1]}


def _against_decay(teacher: AbsoluteTeacher, angle: np.ndarray, loss: np.ndarray) -> dict[str, np.ndarray | float]:
    theory = [first_order(teacher, lam) for lam in DECAYS]
    angle_0, loss_0 = np.array([order.angle for order in theory]), np.array([order.loss for order in theory])
    here = DECAYS.index(1e-3)
    return {
        "decays": np.array(DECAYS),
        "angle": angle,
        "loss": loss,
        "angle_predicted": angle_0,
        "loss_predicted": loss_0,
        "angle_slope": _slope(angle),
        "loss_slope": _slope(loss),
        "angle_ratio": float(angle[here] / angle_0[here]) if angle_0[here] > 1e-9 else float("nan"),
        "loss_ratio": float(loss[here] / loss_0[here]),
    }


def _slope(values: np.ndarray) -> float:
    return float(np.polyfit(np.log(DECAYS[FITTED]), np.log(values[FITTED]), 1)[0])


def _start(width: int, teacher: AbsoluteTeacher, seed: int) -> torch.Tensor:
    """Return Gaussian rows, drawn on the processor, where the teacher lies."""
    if whole_number("width", width) < len(teacher.b):
        raise BadParameter(f"width = {width} is out of range: it must be at least {len(teacher.b)}, as in the teacher.")
    generator = generator_for(seed, "students", width, teacher.V.shape[1])
    return torch.randn(width, teacher.V.shape[1], generator=generator, dtype=torch.float64, device="cpu").to(teacher.V)


def _spread(last: int, count: int) -> list[int]:
    return np.unique(np.rint(np.geomspace(10, last, count)).astype(int)).tolist()


def _length_in_span(U: torch.Tensor, V: torch.Tensor) -> float:
    span = torch.linalg.svd(V, full_matrices=False)[2]
    return float((torch.nn.functional.normalize(U, dim=-1) @ span.T).norm(dim=-1).mean())


def _least(U: torch.Tensor, teacher: AbsoluteTeacher) -> float:
    """Return the least loss of a head on given neurons."""
    W, a = fit_head(torch.nn.functional.normalize(U, dim=-1), teacher.V, teacher.b, TINY)
    return float(population_loss(W, a, teacher.V, teacher.b))


def _nearest(W: torch.Tensor, teacher: AbsoluteTeacher) -> torch.Tensor:
    return angles_to(W, teacher.V).amin(-1)


def _turned(U: torch.Tensor, degrees: float) -> torch.Tensor:
    turn = torch.deg2rad(torch.tensor(degrees, dtype=U.dtype, device=U.device))
    x, y = U.unbind(1)
    return torch.stack((x * turn.cos() - y * turn.sin(), x * turn.sin() + y * turn.cos()), 1)


def _residual(U: torch.Tensor, W: torch.Tensor, a: torch.Tensor, teacher: AbsoluteTeacher, decay: float) -> np.ndarray:
    return residual_certificate(U, W, a, teacher.V, teacher.b, decay).cpu().numpy()


def _above(W: torch.Tensor, a: torch.Tensor, teacher: AbsoluteTeacher, decay: float) -> float:
    """Return by which share the regularised loss lies above a lower bound of all measures on the circle."""
    value = population_loss(W, a, teacher.V, teacher.b) + decay * total_mass(W, a)
    low = lower_bound(circle(4 * GRID, teacher.V), W, a, teacher, decay)
    return float(value / low) - 1
