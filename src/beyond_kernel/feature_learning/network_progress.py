"""What shows of a network's progress, and what does not: its coefficients on monomials, and how far weights moved."""

import math
from collections.abc import Sequence

import numpy as np
import torch

from beyond_kernel.checks import BadParameter, matrix, whole_number
from beyond_kernel.feature_learning.staircases import MOST_VARIABLES, Support, check_supports
from beyond_kernel.foundations.inputs.targets_and_inputs import MOST_CUBE
from beyond_kernel.foundations.learning.networks import TwoLayerNetwork
from beyond_kernel.foundations.learning.tasks import Task
from beyond_kernel.foundations.targets.hermite import hermite_table

NODES = 10
"""Nodes of a quadrature in each direction; it is exact up to degree 19."""


def support_points(q: int, d: int, rests: int, generator: torch.Generator, dtype: torch.dtype) -> torch.Tensor:
    """Return points of {-1, 1}^d: each of 2^q sign patterns of the first q coordinates with each of ``rests`` rests.

    The mean of f times a monomial of the first q coordinates over these points is exact in them: monomials do not
    mix, and only the other coordinates are sampled.

    Args:
        q: number of first coordinates, at most 6.
        d: dimension, at least q.
        rests: sampled settings of the other coordinates.
        generator: their source; the points lie on its device.
        dtype: a floating-point dtype.

    Returns:
        Points of shape (2^q rests, d).

    Raises:
        BadParameter: if a number is out of range.

    Chapter: staircases.
    """
    whole_number("q", q, most=MOST_VARIABLES)
    whole_number("d", d, least=q)
    here = generator.device
    bits = (torch.arange(2**q, device=here)[:, None] >> torch.arange(q, device=here)) & 1
    rest = torch.randint(2, (whole_number("rests", rests), d - q), generator=generator, device=here)
    both = torch.cat([bits.repeat_interleave(rests, 0), rest.repeat(2**q, 1)], dim=1)
    return (1 - 2 * both).to(dtype)


def monomial_values(X: torch.Tensor, supports: Sequence[Support]) -> torch.Tensor:
    """Return the product of the named coordinates at each point, one column for each monomial, of shape (n, k).

    Args:
        X: points, shape (n, d).
        supports: numbers of coordinates, from 1 to d.

    Raises:
        BadParameter: if X is no matrix, or a support is empty or names what is not there.

    Chapter: staircases.
    """
    d = matrix("X", X).shape[1]
    check_supports(supports)
    if (highest := max(max(support) for support in supports)) > d:
        raise BadParameter(f"supports name coordinate {highest}: X has {d} columns.")
    return torch.stack([X[:, [v - 1 for v in support]].prod(dim=1) for support in supports], dim=1)


def hermite_coefficients(
    network: TwoLayerNetwork, orders: Sequence[Sequence[int]], directions: torch.Tensor
) -> torch.Tensor:
    """Return E[f(x) prod_i h_{k_i}(<u_i, x>)] of a ReLU network for standard Gaussian x, in closed form.

    By Stein's identity E[sigma(s) prod_i He_{k_i}(<u_i, x>)] = prod_i <u_i, w>^{k_i} E[sigma^(k)(s)], where
    s = <w, x> + b is normal of mean b and variance |w|^2, and k = sum k_i. For the ReLU, with t = b / |w|, E sigma' is
    Phi(t), and E sigma^(k) = He_{k-2}(-t) phi(t) / |w|^(k-1) from k = 2 on.

    Args:
        network: of any width, no neuron zero.
        orders: for each coefficient its degrees k_1, ..., k_r, not all zero.
        directions: orthonormal u_i as columns, of shape (d, r).

    Returns:
        Coefficients in products of normalised Hermite polynomials, of shape (number of orders,).

    Raises:
        BadParameter: if shapes do not fit, or an order is constant.

    Source: derived here. Chapter: staircases.
    """
    rank = matrix("directions", directions).shape[1]
    if directions.shape[0] != network.W.shape[1]:
        raise BadParameter(f"directions has {directions.shape[0]} rows: it must have {network.W.shape[1]}.")
    if any(len(degrees) != rank or sum(degrees) < 1 or min(degrees) < 0 for degrees in orders) or not orders:
        raise BadParameter(f"orders = {orders!r} is not accepted: each must hold {rank} degrees, not all zero.")
    norms = network.W.norm(dim=1)
    t, along = network.b / norms, network.W @ directions.to(network.W)
    slopes = {1: torch.special.ndtr(t)}
    highest = max(sum(degrees) for degrees in orders)
    table = hermite_table(max(highest - 2, 0), -t) * torch.exp(-t.square() / 2) / math.sqrt(2 * math.pi)
    slopes |= {k: math.sqrt(math.factorial(k - 2)) * table[k - 2] / norms ** (k - 1) for k in range(2, highest + 1)}
    return torch.stack([_one_coefficient(network.a, along, slopes, degrees) for degrees in orders])


def target_coefficients(task: Task, orders: Sequence[Sequence[int]], directions: torch.Tensor) -> torch.Tensor:
    """Return E[f*(x) prod_i h_{k_i}(<u_i, x>)] for standard Gaussian x, by quadrature that is exact for polynomials.

    Args:
        task: a polynomial in <u_1, x>, ..., <u_r, x> alone, of degree at most 9 in each.
        orders: for each coefficient its degrees k_1, ..., k_r, of at most 9.
        directions: orthonormal u_i as columns, of shape (d, r), r at most 4.

    Returns:
        Coefficients in products of normalised Hermite polynomials, of shape (number of orders,), dtype and device of
        ``directions``.

    Raises:
        BadParameter: if r is above 4, or a coefficient is zero, so that nothing would climb.

    Source: Gauss-Hermite quadrature. Chapter: staircases.
    """
    rank = whole_number("r", matrix("directions", directions).shape[1], most=4)
    nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
    grid = np.stack(np.meshgrid(*[nodes] * rank, indexing="ij"), axis=-1).reshape(-1, rank)
    mass = np.stack(np.meshgrid(*[weights / weights.sum()] * rank, indexing="ij"), axis=-1).reshape(-1, rank).prod(1)
    points, mass = (torch.from_numpy(array).to(directions) for array in (grid, mass))
    values, table = task(points @ directions.T) * mass, hermite_table(NODES - 1, points)
    found = torch.stack([values @ math.prod(table[k, :, i] for i, k in enumerate(order)) for order in orders])
    if float(found.abs().min()) < 1e-4:  # far above rounding in single precision
        raise BadParameter(f"orders = {orders!r} name a coefficient that the target does not have: {found.tolist()}.")
    return found


def displacement_ratio(start: TwoLayerNetwork, now: TwoLayerNetwork, support: Support) -> float:
    """Return how much more the weights have moved on some coordinates than on the others: 1 for no preference.

    It is the root mean square change of w over neurons and these coordinates, over that of the other coordinates.

    Args:
        start, now: a network before and after training, of one shape.
        support: numbers of coordinates, some but not all of 1 to d.

    Raises:
        BadParameter: if shapes differ, the support is empty, holds all, or names what is not there; if no weight moved.

    Source: measured here, after the hidden progress of Barak et al. 2022. Chapter: staircases.
    """
    if start.W.shape != now.W.shape:
        raise BadParameter(f"the networks have shapes {tuple(start.W.shape)} and {tuple(now.W.shape)}: give one shape.")
    d = start.W.shape[1]
    check_supports([support])
    if max(support) > d or len(set(support)) >= d:
        raise BadParameter(f"support = {support!r} is not accepted: it must hold some of 1 to {d}, not all.")
    squares = (now.W - start.W).square().mean(dim=0)
    inside = torch.zeros(d, dtype=torch.bool, device=squares.device)
    inside[[v - 1 for v in support]] = True
    if not squares[~inside].any():
        raise BadParameter("the networks agree on the other coordinates: no weight has moved there.")
    return float((squares[inside].mean() / squares[~inside].mean()).sqrt())


def expected_gradients(network: TwoLayerNetwork, degree: int) -> tuple[float, float]:
    """Return how large the expected gradient of a parity is on its coordinates, and how large on the others.

    The gradient E chi(x) 1[<w, x> + b > 0] x_i, chi = x_1 ... x_k, is summed over all corners of the hypercube.

    Args:
        network: its neurons' w and b are used, in dimension d from 2 to 16.
        degree: k, below d.

    Returns:
        Root mean squares over neurons and coordinates, on the parity's and on the other coordinates.

    Raises:
        BadParameter: if d or the degree is out of range.

    Source: the Fourier gap of Barak et al. 2022. Chapter: staircases.
    """
    d = whole_number("d", network.W.shape[1], least=2, most=MOST_CUBE)
    k = whole_number("degree", degree, most=d - 1)
    bits = (torch.arange(2**d, device=network.W.device)[:, None] >> torch.arange(d, device=network.W.device)) & 1
    corners = (1 - 2 * bits).to(network.W)
    gates = (corners @ network.W.T + network.b > 0).to(corners)
    squares = ((gates * corners[:, :k].prod(dim=1, keepdim=True)).T @ corners / len(corners)).square()
    return float(squares[:, :k].mean().sqrt()), float(squares[:, k:].mean().sqrt())


def _one_coefficient(
    a: torch.Tensor, along: torch.Tensor, slopes: dict[int, torch.Tensor], degrees: Sequence[int]
) -> torch.Tensor:
    powers = math.prod(along[:, i] ** k for i, k in enumerate(degrees) if k)
    return (a * powers * slopes[sum(degrees)]).sum() / math.sqrt(math.prod(map(math.factorial, degrees)))
