"""Online SGD on a loss that is averaged over a large neighbourhood of the weight.

The loss -y g(<w, x>) is averaged over (w + lambda v) / sqrt(1 + lambda^2), v uniform on the unit sphere orthogonal
to w. The component of x orthogonal to w has length sqrt(Q), and its inner product with v is sqrt(Q) t, where t is one
coordinate of a uniform point of the unit sphere in d - 1 dimensions. So the neuron g becomes

    g_lambda(z1) = E_t g((z1 + lambda sqrt(Q) t) / sqrt(1 + lambda^2)),        Q = |x|^2 - z1^2.

It depends on w through z1 = <w, x> alone, |x| being fixed: the spherical step is the one of ``overlap_chain`` with
c = rate * y * g_lambda'(z1). The mean over t is a Gauss rule, exact if g is a polynomial.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from beyond_kernel.checks import BadParameter, list_of, real_number, vector, whole_number
from beyond_kernel.feature_learning.overlap_chain import Block, Coefficients, Rule, correlation_rule
from beyond_kernel.feature_learning.overlap_equation import half_stalling, overlap_equation
from beyond_kernel.feature_learning.scaled_link import ScaledLink, learning_link, scaled_link
from beyond_kernel.foundations.exponents.links import AnyLink

_NODES = 16  # for an activation that is no polynomial: five digits for tanh at d = 30


class Schedule(NamedTuple):
    """Two stages of smoothed online SGD, one entry a replica.

    Attributes:
        radii: lambda of the first stage; the second is not smoothed.
        first_rates: step size of the first stage.
        switch: number of steps of the first stage.
        second_rates: step size of the second stage.
        predicted: steps to the level by the differential equations of both stages.
    """

    radii: torch.Tensor
    first_rates: torch.Tensor
    switch: torch.Tensor
    second_rates: torch.Tensor
    predicted: torch.Tensor


def two_stages(
    link: AnyLink | ScaledLink,
    activation: AnyLink | ScaledLink,
    dims: Sequence[int] | torch.Tensor,
    level: float = 0.5,
    handover: float = 1.0,
) -> Schedule:
    """Return a schedule in two stages whose step sizes come from the differential equation, not from trials.

    The first stage has lambda = d^(1/4) and runs from the overlap d^(-1/2), where a random start is, to handover *
    d^(-1/4); the second has the plain loss and runs from there to the level. The step size of each is half the one at
    which its equation stalls, the length of the first what its equation says.

    Args:
        link: f of the labels, scaled to mean zero and variance one.
        activation: g of the neuron, scaled likewise.
        dims: dimension d of each replica, whole numbers of at least 3, shape (R,).
        level: overlap to be reached, below 1.
        handover: overlap at which the stages meet, in units of d^(-1/4), above d^(-1/4) for each d.

    Raises:
        BadParameter: if an argument is out of range, the overlap at which the stages meet is not below the level, or
            a stage has no drift towards the direction.

    Source: Damian, Nichani, Ge and Lee (2023) for the two stages and lambda; the step sizes are derived here. Chapter:
    information_exponent.
    """
    f, g, sizes = scaled_link(link), learning_link(activation), _sizes(dims)
    plans = {d: _plan(f, g, d, level, handover) for d in set(sizes)}
    columns = torch.tensor([plans[d] for d in sizes], dtype=torch.float64, device="cpu").T
    radii, first, switch, second, predicted = columns
    return Schedule(radii, first, switch.ceil().long(), second, predicted)


def _plan(link: ScaledLink, activation: ScaledLink, d: int, level: float, handover: float) -> tuple[float, ...]:
    """Return lambda, rate and length of the first stage, rate of the second, and predicted steps, at one dimension."""
    start, meet, radius = d**-0.5, real_number("handover", handover, above=0) * d**-0.25, d**0.25
    if not start < meet < level:
        raise BadParameter(
            f"handover = {handover:g} is out of range at d = {d}: the stages meet at an overlap of {meet:.2f}, which "
            f"must be above {start:.2f}, a random start, and below {level:g}."
        )
    at, wide, unit = (torch.tensor([value], device="cpu") for value in (d, radius, 1.0))
    wide, unit = wide.double(), unit.double()
    first = half_stalling(overlap_equation(link, smoothed_rule(activation, unit, at, wide), d), start, meet)
    length = overlap_equation(link, smoothed_rule(activation, first * unit, at, wide), d).steps_to(meet, start)
    second = half_stalling(overlap_equation(link, correlation_rule(activation, unit), d), meet, level)
    rest = overlap_equation(link, correlation_rule(activation, second * unit), d).steps_to(level, meet)
    return radius, first, length, second, length + rest


def two_stage_rule(activation: AnyLink | ScaledLink, dims: Sequence[int] | torch.Tensor, schedule: Schedule) -> Rule:
    """Return the step on the smoothed loss up to the switch of each replica, and on the plain loss after it.

    Args:
        activation: g, scaled to mean zero and variance one.
        dims: dimension of each replica, shape (R,).
        schedule: as ``two_stages`` makes it.

    Raises:
        BadParameter: if the activation has no derivative, or lengths differ.

    Source: Damian, Nichani, Ge and Lee (2023). Chapter: information_exponent.
    """
    smooth = smoothed_rule(activation, schedule.first_rates, dims, schedule.radii)
    plain = correlation_rule(activation, schedule.second_rates)
    switch = schedule.switch.cpu().numpy()

    def rule(block: Block) -> Coefficients:
        ends = switch[block.alive] - block.first  # rows from here on are of the second stage
        if (ends <= 0).all():
            return plain(block)
        early, late = smooth(block), plain(block)
        return lambda row, y: np.where(row < ends, early(row, y), late(row, y))

    return rule


def smoothed_rule(
    activation: AnyLink | ScaledLink,
    rates: torch.Tensor,
    dims: Sequence[int] | torch.Tensor,
    radii: torch.Tensor,
) -> Rule:
    """Return the step on the smoothed correlation loss: c = rate y g_lambda'(z1).

    Args:
        activation: g, scaled to mean zero and variance one.
        rates: step size of each replica, shape (R,), above 0.
        dims: dimension d of each replica, whole numbers of at least 3, shape (R,).
        radii: lambda of each replica, shape (R,), at least 0.

    Raises:
        BadParameter: if an argument is out of range, or the activation has no derivative.
        TypeError: if rates or radii is no floating-point tensor.

    Source: Damian, Nichani, Ge and Lee (2023). Chapter: information_exponent.
    """
    g, sizes = learning_link(activation), _sizes(dims)
    if float(vector("rates", rates, len(sizes)).min()) <= 0:
        raise BadParameter(f"rates holds {float(rates.min()):g}: a step size must be above 0.")
    if float(vector("radii", radii, len(sizes)).min()) < 0:
        raise BadParameter(f"radii holds {float(radii.min()):g}: a radius must be at least 0.")
    rules = {d: _sphere_rule(d, _count(g)) for d in set(sizes)}
    nodes, weights = (torch.stack(part) for part in zip(*(rules[d] for d in sizes), strict=True))
    eta = rates.detach().cpu().double().numpy()
    wide = radii.detach().cpu().double()

    def rule(block: Block) -> Coefficients:
        z1, Q, alive = (torch.as_tensor(part, device="cpu") for part in (block.z1, block.Q, block.alive))
        slopes = _mean_slope(g, z1, Q, wide[alive], nodes[alive], weights[alive])
        factors = eta[block.alive] * slopes.numpy()
        return lambda row, y: y * factors[row]

    return rule


def smoothed_slope(
    activation: AnyLink | ScaledLink, z1: torch.Tensor, Q: torch.Tensor, d: int, radius: float
) -> torch.Tensor:
    """Return the derivative of the smoothed neuron g_lambda by z1 at fixed |x|.

    Args:
        activation: g, scaled to mean zero and variance one.
        z1: <w, x>, shape (n,).
        Q: |x|^2 - z1^2, shape (n,), above 0.
        d: dimension, at least 3.
        radius: lambda, at least 0.

    Returns:
        Tensor of shape (n,), dtype and device of z1.

    Raises:
        BadParameter: if an argument is out of range.
        TypeError: if z1 or Q is no floating-point tensor.

    Source: Damian, Nichani, Ge and Lee (2023) for the loss; the derivative is derived here. Chapter:
    information_exponent.
    """
    g = learning_link(activation)
    a, rest = vector("z1", z1), vector("Q", Q, len(vector("z1", z1))).to(z1)
    if float(rest.min()) <= 0:
        raise BadParameter(f"Q holds {float(rest.min()):g}: a squared length must be above 0.")
    nodes, weights = (part.to(a) for part in _sphere_rule(whole_number("d", d, least=3), _count(g)))
    return _mean_slope(g, a, rest, torch.full_like(a, real_number("radius", radius, least=0)), nodes, weights)


def _mean_slope(
    g: ScaledLink, z1: torch.Tensor, Q: torch.Tensor, radii: torch.Tensor, nodes: torch.Tensor, weights: torch.Tensor
) -> torch.Tensor:
    """Return E_t g'((z1 + lambda r t) / L) (1 - lambda t z1 / r) / L, with r = sqrt(Q) and L = sqrt(1 + lambda^2).

    The second factor is the derivative of the argument by z1, along which Q changes by -2 z1.
    """
    lengths, r = (1 + radii**2).sqrt(), Q.sqrt()
    total = torch.zeros_like(z1)
    for t, weight in zip(nodes.unbind(-1), weights.unbind(-1), strict=True):
        total += weight * g.derivative((z1 + radii * r * t) / lengths) * (1 - radii * t * z1 / r)
    return total / lengths


def _sizes(dims: Sequence[int] | torch.Tensor) -> list[int]:
    given = dims.tolist() if isinstance(dims, torch.Tensor) else dims
    return list_of("dims", given, lambda name, value: whole_number(name, value, least=3))


def _count(g: ScaledLink) -> int:
    """Return how many nodes the mean over t needs: k nodes are exact for polynomials of degree 2k - 1."""
    return _NODES if g.powers is None else len(g.powers) // 2 + 1


def _sphere_rule(d: int, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return nodes and weights for one coordinate t of a uniform point of the sphere in d - 1 dimensions, d >= 3.

    The density is (1 - t^2)^((d - 4) / 2), and its orthogonal polynomials obey p_{k+1} = t p_k - b_k p_{k-1} with
    b_k = k (k + d - 4) / ((2k + d - 3) (2k + d - 5)): nodes are eigenvalues of the matrix with sqrt(b_k) beside its
    diagonal, weights squared first entries of its eigenvectors.
    """
    k = torch.arange(1, count, dtype=torch.float64, device="cpu")
    b = k * (k + d - 4) / ((2 * k + d - 3) * (2 * k + d - 5))
    if d == 3 and count > 1:
        b[0] = 0.5  # where the formula is 0 / 0
    values, vectors = torch.linalg.eigh(torch.diag(b.sqrt(), 1) + torch.diag(b.sqrt(), -1))
    return values, vectors[0] ** 2
