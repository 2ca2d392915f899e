"""Starts, parametrisations and measures with which chapter local_recovery asks what weight decay is needed for."""

import math

import torch

from beyond_kernel.checks import BadParameter, matrix, real_number, whole_number
from beyond_kernel.feature_learning.absolute_teacher import AbsoluteTeacher, angles_to
from beyond_kernel.feature_learning.local_recovery import RATE, first_step, fit_head
from beyond_kernel.feature_learning.population_kernel import masses, pull, residual


def mirrored_start(
    width: int, scale: float, like: torch.Tensor, generator: torch.Generator
) -> tuple[torch.Tensor, ...]:
    """Draw pairs of neurons (a, w) and (-a, w) with |a| = |w| = scale, so that the function is 0.

    Args:
        width: m, even, at least 2.
        scale: s, above 0; the mass at the start is m s^2.
        like: a matrix with d columns whose dtype and device the neurons take.
        generator: source of the directions.

    Returns:
        (W, a) of shapes (m, d) and (m,).

    Raises:
        BadParameter: if an argument is out of range.
        TypeError: if like is no floating-point tensor.

    Chapter: local_recovery.
    """
    if whole_number("width", width, least=2) % 2:
        raise BadParameter(f"width = {width} is not accepted: it must be an even number, since neurons come in pairs.")
    size = (width // 2, matrix("like", like).shape[1])
    drawn = torch.randn(*size, generator=generator, dtype=torch.float64, device=generator.device)
    W = real_number("scale", scale, above=0) * torch.nn.functional.normalize(drawn, dim=1).to(like)
    a = torch.full_like(W[:, 0], scale)
    return torch.cat((W, W)), torch.cat((a, -a))


def early_stages(
    teacher: AbsoluteTeacher, width: int, generator: torch.Generator, penalty: float = 1e-2
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return a student after one gradient step from random directions and a ridge regression of its head.

    Args:
        teacher: f*.
        width: m, at least 1.
        generator: source of the directions.
        penalty: of the regression, above 0.

    Returns:
        (W, a) of shapes (m, d) and (m,), in balanced form.

    Raises:
        BadParameter: if an argument is out of range.

    Chapter: local_recovery.
    """
    size = (whole_number("width", width), teacher.V.shape[1])
    drawn = torch.randn(*size, generator=generator, dtype=torch.float64, device=generator.device)
    return fit_head(first_step(drawn.to(teacher.V), teacher.V, teacher.b), teacher.V, teacher.b, penalty)


def lazy_rate(teacher: AbsoluteTeacher, width: int, scale: float) -> float:
    """Return a step size below the stability limit at a mirrored start of any scale.

    There the largest curvature is about (2 / pi) m s^2 / d, that of the quadratic |x|^2; near a student that fits it
    is about the mass of the teacher.

    Args:
        teacher: f*.
        width: m.
        scale: s, above 0.

    Raises:
        BadParameter: if an argument is out of range.

    Source: derived here. Chapter: local_recovery.
    """
    mass = whole_number("width", width) * real_number("scale", scale, above=0) ** 2
    return RATE / max(teacher.mass, mass / teacher.V.shape[1])


def rotations(before: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
    """Return the angle in degrees by which each neuron has turned, exact for small angles too.

    Args:
        before: neurons at the start, shape (m, d).
        after: the same neurons later, shape (m, d).

    Returns:
        Tensor of shape (m,), from 0 to 180; a neuron that has vanished counts as 90.

    Raises:
        BadParameter: if the shapes do not fit.
        TypeError: if an argument is no floating-point tensor.

    Source: Kahan's form of the angle between two vectors. Chapter: local_recovery.
    """
    if matrix("after", after).shape != matrix("before", before).shape:
        raise BadParameter(f"after has shape {tuple(after.shape)}: it must have that of before, {tuple(before.shape)}.")
    first, second = (torch.nn.functional.normalize(neurons, dim=-1, eps=1e-30) for neurons in (before, after))
    angles = 2 * torch.atan2((first - second).norm(dim=-1), (first + second).norm(dim=-1))
    return torch.rad2deg(angles)


def descend_nonnegative(
    W: torch.Tensor, V: torch.Tensor, b: torch.Tensor, steps: int, rate: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the student sum_j |w_j| phi(w_j) after gradient descent on the plain loss, without weight decay.

    Its head is tied to the length of the neurons, so no mass can be negative. With e_j as ``pull`` gives it the
    gradient is |w_j| e_j + <w_j, e_j> w_j / |w_j|.

    Args:
        W: neurons at the start, none of length zero, shape (m, d).
        V: unit neurons of the teacher, shape (r, d).
        b: their weights, shape (r,).
        steps: at least 1.
        rate: step size, above 0.

    Returns:
        (W, a) with a_j = |w_j|, of shapes (m, d) and (m,).

    Raises:
        BadParameter: if shapes do not fit, an argument is out of range, or the descent diverges.
        TypeError: if an argument is no floating-point tensor.

    Source: Zhou, Ge and Jin 2021 for the parametrisation. Chapter: local_recovery.
    """
    residual(matrix("W", W), W[:, 0], matrix("V", V, W.shape[1]), b)
    whole_number("steps", steps), real_number("rate", rate, above=0)
    now, neurons, weights = (tensor.detach().cpu().numpy() for tensor in (W.clone(), V, b))
    for _ in range(steps):
        size = (now * now).sum(1, keepdims=True) ** 0.5
        e = pull(now, size[:, 0], neurons, weights)
        now = now - rate * (size * e + (now * e).sum(1, keepdims=True) * now / size.clip(min=1e-30))
    moved = torch.from_numpy(now).to(W)
    if not torch.isfinite(moved).all():
        raise BadParameter(f"rate = {rate:g} is too large: the descent diverged; it must be smaller.")
    return moved, moved.norm(dim=1)


def weight_found(W: torch.Tensor, a: torch.Tensor, V: torch.Tensor, degrees: float) -> torch.Tensor:
    """Return for each neuron of the teacher the sum of the signed masses within an angle of it.

    Args:
        W: neurons, shape (m, d).
        a: their head, shape (m,).
        V: unit neurons of the teacher, shape (r, d).
        degrees: the angle, up to sign, from 0 to 90; to count no mass twice, below half the least angle of the teacher.

    Returns:
        Tensor of shape (r,); the weights of the teacher where all is recovered.

    Raises:
        BadParameter: if the shapes do not fit or the angle is out of range.
        TypeError: if an argument is no floating-point tensor.

    Chapter: local_recovery.
    """
    limit = math.radians(real_number("degrees", degrees, least=0, most=90))
    near = angles_to(matrix("W", W), matrix("V", V, W.shape[1])) <= limit
    return masses(W, a) @ near.to(W)


def lone_angle(degrees: float, angle: float) -> float:
    """Return the angle within which mass belongs to one neuron of a pair, a quarter of theirs at most.

    Args:
        degrees: above 0.
        angle: between the two, above 0.

    Raises:
        BadParameter: if an argument is out of range.

    Chapter: local_recovery.
    """
    return min(real_number("degrees", degrees, above=0, most=90), real_number("angle", angle, above=0, most=90) / 4)
