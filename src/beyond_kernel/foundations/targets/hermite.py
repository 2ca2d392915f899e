"""Normalised probabilists' Hermite polynomials: the orthonormal language in which every target is written."""

import math
from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
import torch
from scipy.special import roots_hermitenorm, roots_legendre

from beyond_kernel.checks import BadParameter, floating, real_number, whole_number

_SETTLED = 1e-6
_MOST_RELU_DEGREE = 300  # beyond it the unnormalised coefficients leave the range of a double


def hermite(degree: int, x: torch.Tensor) -> torch.Tensor:
    """Return the normalised Hermite polynomial of the given degree at every entry of ``x``.

    With z standard normal, E[h_j(z) h_k(z)] = 1 if j = k and 0 otherwise; h_k = He_k / sqrt(k!), with He_k
    the probabilists' polynomial with leading coefficient one (He_2(x) = x^2 - 1).

    Args:
        degree: the degree k, at least 0.
        x: floating-point tensor of any shape.

    Returns:
        Tensor of the shape, dtype and device of ``x``.

    Raises:
        BadParameter: if ``degree`` is no whole number of at least 0.
        TypeError: if ``x`` is no floating-point tensor.
    """
    return hermite_table(degree, x)[-1]


def hermite_table(max_degree: int, x: torch.Tensor) -> torch.Tensor:
    """Return h_0, ..., h_max_degree at every entry of ``x``, stacked along a new first dimension.

    The three-term recurrence is run on the normalised polynomials, sqrt(k+1) h_{k+1} = x h_k - sqrt(k)
    h_{k-1}, so that no factorial ever appears.

    Args:
        max_degree: the highest degree, at least 0.
        x: floating-point tensor of any shape.

    Returns:
        Tensor of shape (max_degree + 1, *x.shape), dtype and device of ``x``.

    Raises:
        BadParameter: if ``max_degree`` is no whole number of at least 0.
        TypeError: if ``x`` is no floating-point tensor.

    >>> import torch
    >>> [round(float(value), 4) for value in hermite_table(2, torch.tensor([2.0]))]  # 1, z, (z^2 - 1) / sqrt(2)
    [1.0, 2.0, 2.1213]
    """
    whole_number("max_degree", max_degree, least=0)
    floating("x", x)
    table = [torch.ones_like(x)]
    if max_degree >= 1:
        table.append(x)
    for k in range(1, max_degree):
        table.append((x * table[k] - math.sqrt(k) * table[k - 1]) / math.sqrt(k + 1))
    return torch.stack(table)


def hermite_coefficients(
    function: Callable[[torch.Tensor], torch.Tensor],
    max_degree: int,
    breakpoints: Sequence[float] = (),
    nodes: int = 200,
) -> torch.Tensor:
    """Return the coefficients E[f(z) h_k(z)], z standard normal, of a function of one variable.

    Smooth functions are integrated by Gauss-Hermite quadrature. A function with kinks or jumps needs its
    ``breakpoints`` (0 for ReLU): it is then integrated piece by piece with Gauss-Legendre nodes. Every result
    is compared with the one of twice as many nodes.

    Args:
        function: takes a float64 tensor of shape (n,) and returns one of the same shape.
        max_degree: the highest degree, at least 0.
        breakpoints: the points at which ``function`` or one of its derivatives jumps.
        nodes: number of quadrature nodes, for each piece where there are breakpoints; at least 8, at most
            1000.

    Returns:
        float64 tensor of shape (max_degree + 1,).

    Raises:
        BadParameter: if an argument is out of range, the function returns a wrong shape or values that are
            not finite, or the quadrature has not settled (differences above 1e-6 times sqrt(E f^2)).
        TypeError: if the function returns no floating-point tensor.
    """
    whole_number("max_degree", max_degree, least=0)
    whole_number("nodes", nodes, least=8, most=1000)
    cuts = sorted({real_number("breakpoints", point) for point in breakpoints})
    coarse, _ = _projected(function, max_degree, cuts, nodes)
    fine, norm = _projected(function, max_degree, cuts, 2 * nodes)
    error, worst = (fine - coarse).abs().max(dim=0)
    if not error <= _SETTLED * norm:
        raise BadParameter(
            f"the coefficient of degree {int(worst)} has not settled with {2 * nodes} nodes and "
            f"breakpoints = {cuts} (it moved by {float(error):.1e}): "
            f"breakpoints must list every kink or jump, or nodes must be larger."
        )
    return fine


def gaussian_panels(edges: Sequence[float], nodes: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return Gauss-Legendre points between neighbouring edges, and weights that hold the standard normal density.

    Args:
        edges: ascending; none of them is a point itself, so that a function may jump there.
        nodes: points between two edges.

    Returns:
        Points and weights, float64, each of shape ((len(edges) - 1) * nodes,).
    """
    edges, (unit, unit_weights) = np.asarray(edges, dtype=float), _gauss_legendre(nodes)
    half, centre = np.diff(edges)[:, None] / 2, (edges[1:] + edges[:-1])[:, None] / 2
    z = (centre + half * unit).ravel()
    weights = (half * unit_weights).ravel() * np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    return torch.as_tensor(z, device="cpu"), torch.as_tensor(weights, device="cpu")


def relu_coefficients(max_degree: int) -> torch.Tensor:
    """Return c_k = E[relu(z) He_k(z)], z standard normal, in closed form, with *unnormalised* He_k.

    relu(z) = sum_k c_k He_k(z) / k!, the convention of Damian, Lee and Soltanolkotabi (2022), appendix A.1.
    Two integrations by parts turn relu into a point mass at 0, so that c_k = He_{k-2}(0) / sqrt(2 pi) for k
    >= 2, and He_{m}(0) = -(m - 1) He_{m-2}(0). All odd coefficients from c_3 on vanish.

    Chapter: one_step

    Args:
        max_degree: the highest degree, from 0 to 300.

    Returns:
        float64 tensor of shape (max_degree + 1,).

    Raises:
        BadParameter: if ``max_degree`` is no whole number in this range.
    """
    whole_number("max_degree", max_degree, least=0, most=_MOST_RELU_DEGREE)
    at_zero = [1, 0]
    for m in range(2, max_degree):
        at_zero.append(-(m - 1) * at_zero[m - 2])
    density = 1 / math.sqrt(2 * math.pi)
    coefficients = [density, 0.5] + [density * value for value in at_zero]
    return torch.tensor(coefficients[: max_degree + 1], dtype=torch.float64, device="cpu")


def _projected(function: Callable, max_degree: int, cuts: list[float], nodes: int) -> tuple[torch.Tensor, float]:
    """Return the coefficients and sqrt(E f^2) by one quadrature rule."""
    z, weights = _rule(cuts, nodes, max_degree)
    values = _values(function, z)
    norm = math.sqrt(float(weights @ values**2))
    return hermite_table(max_degree, z) @ (weights * values), norm


def _rule(cuts: list[float], nodes: int, max_degree: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return nodes and weights of a quadrature for the standard normal law."""
    if not cuts:
        z, weights = _gauss_hermite(nodes)
        return torch.tensor(z, device="cpu"), torch.as_tensor(weights / weights.sum(), device="cpu")
    # h_k oscillates up to 2 sqrt(k), then grows like a power; 12 deviations further the normal tail is 1e-32.
    reach = 12 + 2 * math.sqrt(max_degree)
    return gaussian_panels([-reach, *(cut for cut in cuts if abs(cut) < reach), reach], nodes)


@lru_cache(maxsize=8)  # a sweep over links asks for the same nodes again and again
def _gauss_hermite(nodes: int) -> tuple[np.ndarray, np.ndarray]:
    return roots_hermitenorm(nodes)


@lru_cache(maxsize=8)
def _gauss_legendre(nodes: int) -> tuple[np.ndarray, np.ndarray]:
    return roots_legendre(nodes)


def _values(function: Callable, z: torch.Tensor) -> torch.Tensor:
    values = function(z)
    if not isinstance(values, torch.Tensor) or not values.is_floating_point():
        kind = values.dtype if isinstance(values, torch.Tensor) else type(values).__name__
        raise TypeError(f"function returned {kind}: it must return a floating-point torch tensor.")
    if values.shape != z.shape:
        raise BadParameter(f"function returned shape {tuple(values.shape)} for input of shape {tuple(z.shape)}.")
    if not torch.isfinite(values).all():
        bad = float(z[~torch.isfinite(values)][0])
        raise BadParameter(f"function returned a value that is not finite at z = {bad:.4g}.")
    return values.detach().to(torch.float64)
