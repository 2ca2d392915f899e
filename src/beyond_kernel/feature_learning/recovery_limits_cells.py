"""The experiments of chapter local_recovery on its limits: pure functions of one cell's parameters."""

from collections.abc import Sequence

import numpy as np
import torch

from beyond_kernel.checks import list_of, one_of, real_number, whole_number
from beyond_kernel.feature_learning.absolute_teacher import AbsoluteTeacher, drawn_teacher, plane_teacher
from beyond_kernel.feature_learning.local_recovery import (
    DECAYS,
    RATE,
    Path,
    descend,
    mean_angle,
    recovered_mass,
    total_mass,
)
from beyond_kernel.feature_learning.population_kernel import population_loss
from beyond_kernel.feature_learning.recovery_limits import (
    descend_nonnegative,
    early_stages,
    lazy_rate,
    lone_angle,
    mirrored_start,
    rotations,
    weight_found,
)
from beyond_kernel.random_streams import generator_for

SIGNS = {"same": (1.0, 1.0), "opposite": (1.0, -1.0)}
"""Weights of the two neurons of a close pair."""
PRECISION = torch.float32
"""Of the descents; in trials double precision changed no share of the mass and no loss in the third digit."""
LOOKS = 60
"""Steps between two looks at whether the mass is where it should be."""


def lazy_recovery_cell(
    weights: Sequence[float],
    d: int,
    width: int,
    scale: float,
    *,
    least_angle: float = 40.0,
    degrees: float = 5.0,
    steps: int = 2000,
    device: str = "cpu",
    seed: int,
) -> dict[str, float]:
    """Train both layers without weight decay from pairs of neurons of size ``scale`` whose function is 0.

    Args:
        weights: of the teacher's neurons.
        d: dimension.
        width: neurons of the student, an even number.
        scale: length of each neuron and size of its head at the start.
        least_angle: between two neurons of the teacher, in degrees.
        degrees: angle up to which mass counts as recovered.
        steps: of gradient descent.
        device: where everything lies.
        seed: of teacher and start.

    Returns:
        ``rotation``, the median over neurons of the angle by which each has turned, and ``farthest``, the largest, in
        degrees; ``recovered``, the share of the mass near the teacher's neurons; ``loss`` in units of Var f* / 2.

    Raises:
        BadParameter: if a parameter is out of range.
    """
    teacher = drawn_teacher(weights, d, least_angle, seed, device)
    W, a = mirrored_start(width, scale, teacher.V, generator_for(seed, "lazy recovery", d, width))
    path = _run(teacher, W, a, torch.zeros_like(a[:1]), steps, lazy_rate(teacher, width, scale))
    turned = rotations(W, path.W[-1].to(W))
    return {
        "rotation": float(turned.median()),
        "farthest": float(turned.max()),
        "recovered": float(recovered_mass(path.W[-1], path.a[-1], teacher.V.to(path.W), degrees)),
        "loss": float(_losses(teacher, path)),
    }


def constant_decays_cell(
    weights: Sequence[float],
    d: int,
    width: int,
    decays: Sequence[float],
    *,
    least_angle: float = 40.0,
    degrees: float = 5.0,
    steps: int = 600,
    device: str = "cpu",
    seed: int,
) -> dict[str, np.ndarray]:
    """Run the third stage with decreasing and with constant weight decays, from one start and with as many steps.

    Args:
        weights, d, width, least_angle, degrees, device, seed: as in ``lazy_recovery_cell``.
        decays: constant ones, at least 0.
        steps: of one level of the decreasing schedule ``DECAYS``; a constant one has them all.

    Returns:
        Arrays (first the decreasing schedule, then the constant ones) under the names ``recovered``;
        ``loss`` in units of Var f* / 2; ``angle``, the mean one in degrees; ``mass`` in units of the teacher's;
        ``arrived``, the steps from which on 0.99 of the mass is near the teacher's neurons, NaN where it never is.

    Raises:
        BadParameter: if a parameter is out of range.
    """
    constant = list_of("decays", decays, lambda name, value: real_number(name, value, least=0))
    teacher = drawn_teacher(weights, d, least_angle, seed, device)
    W, a = early_stages(teacher, width, generator_for(seed, "schedules", d, width))
    columns = [W.new_tensor(DECAYS), *(W.new_full((len(DECAYS),), decay) for decay in constant)]
    path = _run(teacher, *_copies(W, a, len(columns)), torch.stack(columns, 1), steps, RATE / teacher.mass, LOOKS)
    near = recovered_mass(path.W, path.a, teacher.V.to(path.W), degrees)
    return {
        "recovered": near[-1].cpu().numpy(),
        "loss": _losses(teacher, path).cpu().numpy(),
        "angle": mean_angle(path.W[-1], path.a[-1], teacher.V.to(path.W)).cpu().numpy(),
        "mass": total_mass(path.W[-1], path.a[-1]).cpu().numpy() / teacher.mass,
        "arrived": _arrived(near >= 0.99, path.at),
    }


def close_pair_cell(
    angle: float,
    signs: str,
    d: int,
    width: int,
    *,
    degrees: float = 5.0,
    steps: int = 600,
    device: str = "cpu",
    seed: int,
) -> dict[str, float]:
    """Run the three stages on a teacher of two neurons some degrees apart, with decreasing decay and without.

    Mass is recovered within ``degrees``, or within a quarter of the angle where that is less.

    Args:
        angle: between the two neurons, in degrees, from 0.1 to 90.
        signs: of their weights, "same" or "opposite".
        d, width, degrees, device, seed: as in ``lazy_recovery_cell``.
        steps: of each level of ``DECAYS``.

    Returns:
        ``recovered``; ``mass`` in units of the teacher's; ``loss`` in units of Var f* / 2; ``recovered_without``,
        ``mass_without`` decay; ``found`` and ``found_without``, the least share of its weight that a neuron of the
        pair has near it.

    Raises:
        BadParameter: if a parameter is out of range.
    """
    pair = SIGNS[one_of("signs", signs, list(SIGNS))]
    near = lone_angle(degrees, angle)
    teacher = plane_teacher([0.0, angle], pair, d, seed, device)
    W, a = early_stages(teacher, width, generator_for(seed, "close pair", d, width))
    decays = W.new_tensor(DECAYS)
    schedules = torch.stack((decays, torch.zeros_like(decays)), 1)
    path = _run(teacher, *_copies(W, a, 2), schedules, steps, RATE / teacher.mass)
    recovered = recovered_mass(path.W[-1], path.a[-1], teacher.V.to(path.W), near)
    return {
        "recovered": float(recovered[0]),
        "recovered_without": float(recovered[1]),
        "mass": float(total_mass(path.W[-1, 0], path.a[-1, 0])) / teacher.mass,
        "mass_without": float(total_mass(path.W[-1, 1], path.a[-1, 1])) / teacher.mass,
        "loss": float(_losses(teacher, path)[0]),
        "found": _least_found(teacher, path, 0, near),
        "found_without": _least_found(teacher, path, 1, near),
    }


def width_recovery_cell(
    weights: Sequence[float],
    d: int,
    width: int,
    *,
    least_angle: float = 40.0,
    degrees: float = 5.0,
    steps: int = 600,
    device: str = "cpu",
    seed: int,
) -> dict[str, float]:
    """Run the three stages with any number of students, down to that of the teacher's neurons and below.

    Args:
        weights, d, width, least_angle, degrees, device, seed: as in ``lazy_recovery_cell``; any width will do.
        steps: of each level of ``DECAYS``.

    Returns:
        ``recovered``; ``loss`` and ``start_loss``, before the third stage, in units of Var f* / 2; ``mass`` in units of
        the teacher's; ``found``, the share of the teacher's neurons with a quarter of their weight within the angle.

    Raises:
        BadParameter: if a parameter is out of range.
    """
    teacher = drawn_teacher(weights, d, least_angle, seed, device)
    W, a = early_stages(teacher, width, generator_for(seed, "few students", d, width))
    path = _run(teacher, W, a, W.new_tensor(DECAYS), steps, RATE / teacher.mass)
    last, head, V = path.W[-1].to(W), path.a[-1].to(W), teacher.V
    return {
        "recovered": float(recovered_mass(last, head, V, degrees)),
        "start_loss": float(2 * population_loss(W, a, V, teacher.b)) / teacher.variance,
        "loss": float(_losses(teacher, path)),
        "mass": float(total_mass(last, head)) / teacher.mass,
        "found": float((weight_found(last, head, V, degrees) / teacher.b >= 0.25).double().mean()),
    }


def nonnegative_cell(
    weights: Sequence[float],
    d: int,
    width: int,
    *,
    least_angle: float = 40.0,
    degrees: float = 5.0,
    steps: int = 3600,
    device: str = "cpu",
    seed: int,
) -> dict[str, float]:
    """Train students without weight decay: masses that cannot be negative, that start positive, that start mixed.

    All start from the same directions, those after the first step, each neuron with the same share of the teacher's
    mass. Those of the first kind have their head tied to the length of the neurons; the other two have a head of their
    own, which starts positive, or with signs that alternate.

    Args:
        weights: of the teacher's neurons, all above 0.
        d, width, least_angle, degrees, device, seed: as in ``lazy_recovery_cell``; any width will do.
        steps: of gradient descent.

    Returns:
        ``recovered``; ``loss`` in units of Var f* / 2; ``mass`` in units of the teacher's; the same ``..._free`` and
        ``..._mixed`` of the second and the third kind.

    Raises:
        BadParameter: if a parameter is out of range.
    """
    positive = list_of("weights", weights, lambda name, value: real_number(name, value, above=0))
    teacher = drawn_teacher(positive, d, least_angle, seed, device)
    W, _ = early_stages(teacher, width, generator_for(seed, "nonnegative", d, width))
    W = torch.nn.functional.normalize(W, dim=1) * (teacher.mass / width) ** 0.5
    rate, V, b = 0.5 * RATE / teacher.mass, teacher.V.to(PRECISION), teacher.b.to(PRECISION)
    tied = [part[None] for part in descend_nonnegative(W.to(PRECISION), V, b, steps, rate)]
    heads = W.norm(dim=1) * W.new_ones(2, width)
    heads[1, 1::2] *= -1
    free = _run(teacher, W.expand(2, -1, -1).clone(), heads, torch.zeros_like(W[:1, 0]), steps, rate)
    found: dict[str, float] = {}
    students = {"": tied, "_free": (free.W[:, 0], free.a[:, 0]), "_mixed": (free.W[:, 1], free.a[:, 1])}
    for name, (neurons, head) in students.items():
        path = Path(free.at, neurons, head)
        found[f"recovered{name}"] = float(recovered_mass(path.W[-1], path.a[-1], V, degrees))
        found[f"loss{name}"] = float(_losses(teacher, path))
        found[f"mass{name}"] = float(total_mass(path.W[-1], path.a[-1])) / teacher.mass
    return found


def _run(
    teacher: AbsoluteTeacher,
    W: torch.Tensor,
    a: torch.Tensor,
    decays: torch.Tensor,
    steps: int,
    rate: float,
    looks: int | None = None,
) -> Path:
    """Return the descent in ``PRECISION``, with its end kept, and the students every so many steps."""
    last = len(decays) * whole_number("steps", steps)
    at = sorted({*range(0, last, looks or last), last})
    tensors = [tensor.to(PRECISION) for tensor in (W, a, teacher.V, teacher.b, decays)]
    return descend(*tensors, steps, rate, at)


def _losses(teacher: AbsoluteTeacher, path: Path) -> torch.Tensor:
    """Return the loss at the end in units of Var f* / 2, in double precision, where it does not drown in rounding."""
    W, a = path.W[-1].double(), path.a[-1].double()
    return 2 * population_loss(W, a, teacher.V, teacher.b) / teacher.variance


def _least_found(teacher: AbsoluteTeacher, path: Path, which: int, degrees: float) -> float:
    W, a = path.W[-1, which].to(teacher.V), path.a[-1, which].to(teacher.b)
    return float((weight_found(W, a, teacher.V, degrees) / teacher.b).min())


def _copies(W: torch.Tensor, a: torch.Tensor, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    return W.expand(count, -1, -1).clone(), a.expand(count, -1).clone()


def _arrived(there: torch.Tensor, at: torch.Tensor) -> np.ndarray:
    """Return for each column the step from which on it is true to the end, NaN where it is not true at the end."""
    for_good = there.flip(0).long().cumprod(0).flip(0).sum(0)  # looks at the end in which it is true without a break
    steps = torch.cat((at, at[-1:])).cpu().double()[len(at) - for_good.cpu()]
    return torch.where(for_good.cpu() > 0, steps, torch.nan).numpy()
