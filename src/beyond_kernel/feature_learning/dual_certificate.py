"""Why weight decay finds the neurons of a teacher: certificates, and an inequality.

Weight decay on both layers of f = sum_j a_j phi(w_j) amounts to the least total mass, so a student is compared with the
minimum over measures mu of E (f_mu - f*)^2 / 2 + decay |mu|. A function p with <p, phi(v_i)> = sign b_i at the teacher
and |<p, phi(u)>| < 1 elsewhere certifies that the teacher has the least mass of all measures that represent f*.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from beyond_kernel.checks import floating, matrix, real_number, vector, whole_number
from beyond_kernel.feature_learning.absolute_teacher import AbsoluteTeacher, angles_to
from beyond_kernel.feature_learning.population_kernel import (
    absolute_kernel,
    check_rows,
    kernel_slope,
    masses,
    population_loss,
    potential,
    residual,
)


@dataclass(frozen=True, eq=False)
class Certificate:
    """The function p = sum_j alpha_j phi(v_j) + <beta_j, grad phi(v_j)> and its inner products with neurons.

    Attributes:
        V: unit directions of the teacher, of shape (r, d).
        signs: those of the teacher's weights, of shape (r,).
        alpha: weights of the neurons in p, of shape (r,).
        beta: weights of their derivatives, each orthogonal to its direction, of shape (r, d).
    """

    V: torch.Tensor
    signs: torch.Tensor
    alpha: torch.Tensor
    beta: torch.Tensor

    def __call__(self, U: torch.Tensor) -> torch.Tensor:
        """Return eta(u) = <p, phi(u)> at unit rows U of shape (..., M, d), of shape (..., M)."""
        cosines = U @ self.V.T
        return absolute_kernel(cosines) @ self.alpha + (kernel_slope(cosines) * (U @ self.beta.T)).sum(-1)

    @property
    def square(self) -> float:
        """The squared norm E p^2."""
        return float(self.signs @ self.alpha)


class Inequality(NamedTuple):
    """Both sides of the inequality of the chapter, for a student or for each of several.

    Attributes:
        excess: sum_j |c_j| (1 - sign(c_j) eta(w_j)), the mass off the teacher's directions, weighed by the certificate.
        bound: (gap + decay |p| |R| - |R|^2 / 2) / decay.
        simple: gap / decay + decay |p|^2 / 2, which is no smaller.
        gap: loss + decay (mass - mass of the teacher), at most the distance to the minimum.
    """

    excess: torch.Tensor
    bound: torch.Tensor
    simple: torch.Tensor
    gap: torch.Tensor


class FirstOrder(NamedTuple):
    """What the minimum with a small weight decay looks like, to first order in it.

    Attributes:
        loss: decay^2 |p|^2 / 2.
        mass: that of the teacher less decay |p|^2.
        angle: mean angle of the neurons to the teacher's, in degrees, each counted with its mass.
    """

    loss: float
    mass: float
    angle: float


def pre_certificate(V: torch.Tensor, signs: torch.Tensor) -> Certificate:
    """Return the p of least norm with eta(v_i) = sign_i and with zero slope there.

    Whether |eta| < 1 elsewhere has to be looked at; if so, p certifies the teacher.

    Args:
        V: unit rows, no two on one line, shape (r, d).
        signs: 1 or -1, shape (r,).

    Returns:
        The certificate, dtype and device of V.

    Raises:
        BadParameter: if a shape is wrong or an entry is not finite.
        TypeError: if an argument is no floating-point tensor.

    Source: Duval and Peyre 2015, for their vanishing derivatives pre-certificate; this kernel is worked out here.
    Chapter: local_recovery.
    """
    r, _ = matrix("V", V).shape
    vector("signs", signs, r)
    tangents = _tangents(V)
    gram = _gram(V, tangents)
    right = torch.cat((signs, signs.new_zeros(len(gram) - r)))
    solution = torch.linalg.solve(gram, right)
    beta = (solution[r:].reshape(r, -1, 1) * tangents).sum(1)
    return Certificate(V, signs, solution[:r], beta)


def residual_certificate(
    U: torch.Tensor, W: torch.Tensor, a: torch.Tensor, V: torch.Tensor, b: torch.Tensor, decay: float
) -> torch.Tensor:
    """Return eta(u) = -<f - f*, phi(u)> / decay: what is left over is itself a certificate when training is done.

    Args:
        U: unit rows, shape (M, d) or (..., M, d).
        W: neurons of the student, shape (..., m, d).
        a: their head, shape (..., m).
        V: unit neurons of the teacher, shape (r, d).
        b: their weights, shape (r,).
        decay: above 0.

    Returns:
        Tensor of shape (..., M); at a stationary point it is sign(a_j) at each neuron that is not zero.

    Raises:
        BadParameter: if the shapes do not fit or the decay is out of range.
        TypeError: if an argument is no floating-point tensor.

    Source: derived here, from the optimality conditions. Chapter: local_recovery.
    """
    lam = real_number("decay", decay, above=0)
    return -potential(U, *residual(W, a, V, b)) / lam


def inequality(
    W: torch.Tensor, a: torch.Tensor, teacher: AbsoluteTeacher, eta: Certificate, decay: float
) -> Inequality:
    """Return both sides of the bound on the mass off the teacher's directions.

    Since the teacher itself has <p, f*> = |mu*|, the excess is |mu| - |mu*| - <p, R> with R = f - f*.

    Args:
        W: neurons of the student, shape (..., m, d).
        a: their head, shape (..., m).
        teacher: whose directions and signs the certificate has.
        eta: the certificate.
        decay: above 0.

    Returns:
        Tensors of shape (...).

    Raises:
        BadParameter: if the shapes do not fit or the decay is out of range.
        TypeError: if an argument is no floating-point tensor.

    Source: derived here. Chapter: local_recovery.
    """
    lam, c = real_number("decay", decay, above=0), masses(W, a)
    loss = population_loss(W, a, teacher.V, teacher.b).clamp(min=0)
    U = torch.nn.functional.normalize(W, dim=-1, eps=1e-30)
    excess = (c.abs() - c * eta(U)).sum(-1)
    gap = loss + lam * (c.abs().sum(-1) - teacher.mass)
    bound = (gap + lam * (2 * eta.square * loss).sqrt() - loss) / lam
    return Inequality(excess, bound, gap / lam + lam * eta.square / 2, gap)


def first_order(teacher: AbsoluteTeacher, decay: float) -> FirstOrder:
    """Return loss, mass and mean angle at the minimum with a small weight decay, as the pre-certificate predicts them.

    If one neuron stays near each of the teacher's, of mass b_i + x_i and moved by y_i, the residual is
    sum_i x_i phi(v_i) + b_i <y_i, grad phi(v_i)> to first order, and the minimum has x = -decay alpha, b_i y_i =
    -decay beta_i.

    Args:
        teacher: the teacher.
        decay: at least 0.

    Raises:
        BadParameter: if the decay is out of range.

    Source: derived here. Chapter: local_recovery.
    """
    lam, p = real_number("decay", decay, least=0), pre_certificate(teacher.V, teacher.b.sign())
    turned = lam * float(p.beta.norm(dim=1).sum()) / teacher.mass
    return FirstOrder(lam**2 * p.square / 2, teacher.mass - lam * p.square, float(np.rad2deg(turned)))


def steepness(eta: Callable[[torch.Tensor], torch.Tensor], U: torch.Tensor, V: torch.Tensor) -> float:
    """Return the least (1 - |eta(u)|) / angle^2 over given directions, the angle that to the teacher's nearest neuron.

    Args:
        eta: a certificate.
        U: unit rows, none of them on a row of V, shape (M, d).
        V: unit rows, shape (r, d).

    Returns:
        A number; negative where |eta| is above 1 somewhere.

    Raises:
        BadParameter: if the shapes do not fit.
        TypeError: if an argument is no floating-point tensor.

    Chapter: local_recovery.
    """
    check_rows("U", U)
    return float(((1 - eta(U).abs()) / angles_to(U, V).amin(-1).square()).min())


def peak(eta: Certificate, degrees: float, generator: torch.Generator, count: int = 20_000) -> float:
    """Return the largest |eta(u)| found more than so many degrees from the teacher, in all of R^d.

    eta depends on the projection of u on the span of the teacher alone, a point of a ball of as many dimensions. Many
    points of it are drawn, and the best hundred improved by random moves; a maximum may be missed, from below.

    Args:
        eta: the certificate.
        degrees: angle to the teacher's neurons up to which points do not count, above 0.
        generator: source of the points.
        count: of points, at least 100.

    Raises:
        BadParameter: if a number is out of range.

    Chapter: local_recovery.
    """
    onto = _span(eta.V)
    (q, d), near = onto.shape, np.cos(np.deg2rad(real_number("degrees", degrees, above=0, most=90)))
    whole_number("count", count, least=100)

    def drawn(*size: int) -> torch.Tensor:
        numbers = torch.randn(*size, generator=generator, dtype=torch.float64, device=generator.device)
        return numbers.to(eta.V)

    def value(points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        length = points.norm(dim=-1, keepdim=True)
        points = points / (length if q == d else length.clamp(min=1))  # in all of R^d only the sphere is there
        U = points @ onto
        return torch.where((U @ eta.V.T).abs().amax(-1) < near, eta(U).abs(), -torch.inf), points

    values, points = value(1.2 * torch.nn.functional.normalize(drawn(count, q), dim=1) * drawn(count, 1).abs())
    best = values.topk(100).indices
    values, points = values[best], points[best]
    for size in (0.3, 0.1, 0.03, 0.01, 0.003, 0.001):
        for _ in range(60):
            tried, moved = value(points + size * drawn(*points.shape))
            better = tried > values
            values, points = torch.where(better, tried, values), torch.where(better[:, None], moved, points)
    return float(values.max())


def circle(count: int, like: torch.Tensor) -> torch.Tensor:
    """Return unit vectors of the plane at evenly spaced angles from 0 to 180 degrees, without the end.

    Args:
        count: their number, at least 1.
        like: a tensor whose dtype and device they take.

    Returns:
        Tensor of shape (count, 2).

    Raises:
        BadParameter: if the number is out of range.
        TypeError: if like is no floating-point tensor.

    Chapter: local_recovery.
    """
    dtype, device = floating("like", like).dtype, like.device
    turns = torch.arange(whole_number("count", count), dtype=dtype, device=device) * (torch.pi / count)
    return torch.stack((turns.cos(), turns.sin()), 1)


def _span(V: torch.Tensor) -> torch.Tensor:
    """Return orthonormal rows that span those of V, shape (q, d)."""
    _, values, right = torch.linalg.svd(V, full_matrices=False)
    return right[values > max(V.shape) * torch.finfo(V.dtype).eps * values[0]]


def _tangents(V: torch.Tensor) -> torch.Tensor:
    """Return for each row of V an orthonormal basis of what is orthogonal to it in the span of all, (r, q - 1, d)."""
    span = _span(V)
    across = torch.linalg.svd((V @ span.T)[:, None])[2][:, 1:]  # (r, q - 1, q)
    return across @ span


def _gram(V: torch.Tensor, tangents: torch.Tensor) -> torch.Tensor:
    """Return the inner products of all phi(v_i) and all derivatives of phi at v_i along the tangents."""
    r, steps, d = tangents.shape
    rho, flat = V @ V.T, tangents.reshape(-1, d)
    owner = torch.arange(r, device=V.device).repeat_interleave(steps)
    slope, onto = kernel_slope(rho), V @ flat.T  # onto[i, (j, t)] = <v_i, t>
    mixed = slope[:, owner] * onto
    bend = (1 - rho.square()).clamp(min=torch.finfo(V.dtype).eps).rsqrt() * (2 / torch.pi)
    bend = bend.fill_diagonal_(0)[owner][:, owner]  # <t, v_j> <v_i, s> is zero there
    both = bend * onto[owner].T * onto[owner] + slope[owner][:, owner] * (flat @ flat.T)
    return torch.cat((torch.cat((absolute_kernel(rho), mixed), 1), torch.cat((mixed.T, both), 1)))
