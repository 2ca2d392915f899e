"""Means of products f(u) f(v) over Gaussian pairs (u, v), for any f, by quadrature."""

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.foundations.targets.hermite import gaussian_panels, hermite_table

MAX_DEGREE = 400
"""Longest Hermite series; where it has not settled, pairs are integrated in two dimensions one by one."""
MOST_PAIRS = 20_000
_SETTLED = 1e-7
_LOOKED_AT = 8  # pairs of a chunk on which the quadrature is tried with twice the nodes
_REACH = 16.0  # h_k times the normal density is below its square root, 1e-28 there, whatever k is
_ROWS = 512


@dataclass(frozen=True)
class HermiteSeries:
    """The functions u -> f(s u) of a standard normal u in normalised Hermite polynomials, one row for each s.

    Attributes:
        function: f.
        cuts: kinks and jumps of f.
        deviations: the s, of shape (n,).
        coefficients: E f(s u) h_k(u), of shape (n, MAX_DEGREE + 1), or (1, MAX_DEGREE + 1) where all s agree.
        energies: E f(s u)^2, of shape (n,) or (1,).
        tails: largest share of the energy above each degree, of shape (MAX_DEGREE + 1,); by Parseval's identity.

    Chapter: tangent_kernel.
    """

    function: Callable[[torch.Tensor], torch.Tensor]
    cuts: tuple[float, ...]
    deviations: torch.Tensor
    coefficients: torch.Tensor
    energies: torch.Tensor
    tails: torch.Tensor


def hermite_series(
    function: Callable[[torch.Tensor], torch.Tensor], deviations: torch.Tensor, cuts: Sequence[float] = ()
) -> HermiteSeries:
    """Return the Hermite coefficients of u -> f(s u) for each standard deviation s.

    Args:
        function: f, elementwise.
        deviations: the s, at least 0, of shape (n,).
        cuts: points where f or one of its first derivatives jumps; quadrature goes from one to the next.

    Raises:
        BadParameter: if E f(s u)^2 changes by more than 1e-7 when half of the quadrature nodes are taken.

    Chapter: tangent_kernel.
    """
    s = deviations.detach().to("cpu", torch.float64)
    equal = 1e-13 if deviations.dtype == torch.float64 else 1e-6  # what rounding leaves of equal lengths
    if float(s.max() - s.min()) <= equal * float(s.max()):
        s = s.mean()[None]
    _require_settled(function, s, cuts)
    parts = [_projected(function, rows, cuts) for rows in s.split(_ROWS)]
    coefficients, energies = torch.cat([c for c, _ in parts]), torch.cat([e for _, e in parts])
    left = energies[:, None] - coefficients.square().cumsum(1)
    tails = (left / energies.clamp(min=1e-300)[:, None]).clamp(min=0).amax(0)
    return HermiteSeries(function, tuple(cuts), deviations, coefficients, energies, tails)


def mean_of_products(
    first: HermiteSeries,
    second: HermiteSeries,
    rows: slice,
    columns: slice,
    correlation: torch.Tensor,
    skip: torch.Tensor | None = None,
) -> torch.Tensor:
    """Return E f(s u) f(t v), u and v standard normal with correlation rho: sum_k c_k(s) c_k(t) rho^k (Mehler).

    By Cauchy-Schwarz the terms above degree N are at most |rho|^(N + 1) times the root of both tails. N is chosen so
    that this is below rounding for all pairs; a pair for which no N will do is integrated in two dimensions.

    Args:
        first: the series of the rows.
        second: the series of the columns, of the same f.
        rows: which of the s the rows of the result belong to.
        columns: which of the t its columns belong to.
        correlation: rho, of shape (rows, columns); the result has its dtype.
        skip: pairs that need no value, as a mask of that shape; or None.

    Raises:
        BadParameter: if more than 20,000 pairs need two dimensions, or these do not settle.

    Source: Mehler's formula; Daniely, Frostig, Singer 2016 (dual activation). Chapter: tangent_kernel.
    """
    tolerance = 1e-13 if correlation.dtype == torch.float64 else 1e-8
    reach = correlation.abs() if skip is None else correlation.abs().masked_fill(skip, 0)
    tails = (first.tails * second.tails).sqrt()
    powers = torch.arange(1, MAX_DEGREE + 2, dtype=tails.dtype, device=tails.device)
    enough = tails * float(reach.max()) ** powers <= tolerance
    degree = int(enough.int().argmax()) if bool(enough.any()) else MAX_DEGREE
    a = _rows_of(first.coefficients, rows)[:, : degree + 1].to(correlation)
    b = _rows_of(second.coefficients, columns)[:, : degree + 1].to(correlation)
    total = torch.zeros_like(correlation)
    for k in range(degree, -1, -1):
        total.mul_(correlation).add_(a[:, k, None] * b[:, k])
    if not bool(enough.any()):
        close = reach ** (MAX_DEGREE + 1) * float(tails[-1]) > tolerance
        i, j = close.nonzero(as_tuple=True)
        s, t = first.deviations[rows][i], second.deviations[columns][j]
        total[i, j] = product_mean(first.function, s, t, correlation[i, j], first.cuts).to(total)
    return total


def product_mean(
    function: Callable[[torch.Tensor], torch.Tensor],
    s: torch.Tensor,
    t: torch.Tensor,
    correlation: torch.Tensor,
    cuts: Sequence[float] = (),
) -> torch.Tensor:
    """Return E f(s u) f(t v) for pairs (u, v) of standard normals with given correlations, in two dimensions.

    With u = alpha p + beta q and v = +-(alpha p - beta q), p and q independent, +- the sign of rho,
    alpha^2 = (1 + |rho|) / 2 and beta^2 = (1 - |rho|) / 2, the kinks of f are lines that are not steep in q.
    Gauss-Legendre panels end on them: in p for each q, and in q where two of them cross.

    Args:
        function: f, elementwise.
        s: standard deviations of the first entries, of shape (k,).
        t: standard deviations of the second entries, of shape (k,).
        correlation: rho, of shape (k,).
        cuts: points where f or one of its first derivatives jumps.

    Raises:
        BadParameter: if there are more than 20,000 pairs, or twice as many nodes change one of the eight
            hardest values by more than 1e-7.

    Source: derived here. Chapter: tangent_kernel.
    """
    if len(correlation) > MOST_PAIRS:
        raise BadParameter(
            f"{len(correlation)} pairs of inputs are so close or so long that each needs a quadrature in two "
            f"dimensions: at most {MOST_PAIRS}; take a smoother activation or shorter inputs."
        )
    s, t, rho = (value.detach().to("cpu", torch.float64) for value in (s, t, correlation))
    if not len(rho):
        return rho
    frequency = (s + t) * ((1 + rho.abs()) / 2).sqrt()  # the product oscillates fastest in p, times that of f
    worst = frequency.topk(min(_LOOKED_AT, len(rho))).indices
    coarse, fine = (_two_dimensional(function, s[worst], t[worst], rho[worst], cuts, nodes) for nodes in (24, 48))
    if not bool(((coarse - fine).abs() <= _SETTLED * (1 + fine.abs())).all()):
        raise _not_settled(float(torch.maximum(s, t).max()))
    chunks = zip(s.split(32), t.split(32), rho.split(32), strict=True)
    return torch.cat([_two_dimensional(function, *chunk, cuts, 24) for chunk in chunks])


def _two_dimensional(
    function: Callable, s: torch.Tensor, t: torch.Tensor, rho: torch.Tensor, cuts: Sequence[float], nodes: int
) -> torch.Tensor:
    t = torch.where(rho < 0, -t, t)
    alpha, beta = ((1 + rho.abs()) / 2).sqrt(), ((1 - rho.abs()).clamp(min=0) / 2).sqrt()
    crossings = [(x / s - z / t) / (2 * beta) for x in cuts for z in cuts]
    q, q_weights = _panels(crossings, rho, nodes)
    lines = [(x / s[:, None] - beta[:, None] * q) / alpha[:, None] for x in cuts]
    lines += [(x / t[:, None] + beta[:, None] * q) / alpha[:, None] for x in cuts]
    p, p_weights = _panels(lines, q, nodes)
    along, across = alpha[:, None, None] * p, (beta[:, None] * q)[:, :, None]
    products = function(s[:, None, None] * (along + across)) * function(t[:, None, None] * (along - across))
    return ((products * p_weights).sum(-1) * q_weights).sum(-1)


def _panels(cuts: list[torch.Tensor], like: torch.Tensor, nodes: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return Gauss-Legendre nodes and Gaussian weights on [-9, 9] along a new last axis, with panels ending at cuts."""
    fixed = torch.linspace(-9, 9, 7, dtype=like.dtype, device=like.device).expand(*like.shape, 7)
    own = [cut.nan_to_num(9.0).clamp(-9, 9)[..., None] for cut in cuts]
    edges = torch.cat([fixed, *own], -1).sort(-1).values
    unit, unit_weights = (torch.from_numpy(part).to(like) for part in _legendre(nodes))
    half, centre = edges.diff(dim=-1)[..., None] / 2, (edges[..., 1:] + edges[..., :-1])[..., None] / 2
    points = (centre + half * unit).flatten(-2)
    weights = (half * unit_weights).flatten(-2) * torch.exp(-points.square() / 2) / math.sqrt(2 * math.pi)
    return points, weights


def _projected(function: Callable, s: torch.Tensor, cuts: Sequence[float]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return coefficients (n, MAX_DEGREE + 1) and energies (n,); a cut away from 0 gives each s panels of its own."""
    if any(cuts) and len(s) > 1:
        parts = [_projected(function, one, cuts) for one in s.split(1)]
        return torch.cat([c for c, _ in parts]), torch.cat([e for _, e in parts])
    z, weights = _rule(s, cuts, 48)
    values = function(s[:, None] * z)
    table = hermite_table(MAX_DEGREE, z) if cuts else _uncut_table(len(z) // 48)
    return (values * weights) @ table.T, values.square() @ weights


def _require_settled(function: Callable, s: torch.Tensor, cuts: Sequence[float]) -> None:
    for one in (s.max()[None], s.min()[None]):
        energies = []
        for nodes in (24, 48):
            z, weights = _rule(one, cuts, nodes)
            energies.append(float(function(one * z).square() @ weights))
        if not abs(energies[0] - energies[1]) <= _SETTLED * energies[1]:
            raise _not_settled(float(one))


def _not_settled(s: float) -> BadParameter:
    return BadParameter(
        f"the quadrature over pre-activations of standard deviation {s:.3g} has not settled: the activation is too "
        "rough or the inputs are too long; no closed form is known for it here."
    )


def _rule(s: torch.Tensor, cuts: Sequence[float], nodes: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return nodes and Gaussian weights on [-16, 16]; f(s u) varies over 1 / s, so panels shrink where s is large."""
    count = int(32 * min(max(1.0, float(s.max()) / 4), 16))
    if not cuts or not float(s[0]) > 0:
        return _uncut_rule(count, nodes)
    own = np.array(cuts) / float(s[0])  # for several s the only cut is 0
    edges = np.linspace(-_REACH, _REACH, count + 1)
    return gaussian_panels(np.sort(np.concatenate([edges, own[np.abs(own) < _REACH]])), nodes)


@functools.lru_cache(maxsize=8)
def _uncut_rule(count: int, nodes: int) -> tuple[torch.Tensor, torch.Tensor]:
    return gaussian_panels(np.linspace(-_REACH, _REACH, count + 1), nodes)


@functools.lru_cache(maxsize=1)  # 5 MB, the same for all inputs that are not very long
def _uncut_table(count: int) -> torch.Tensor:
    return hermite_table(MAX_DEGREE, _uncut_rule(count, 48)[0])


@functools.lru_cache(maxsize=8)
def _legendre(nodes: int) -> tuple[np.ndarray, np.ndarray]:
    return np.polynomial.legendre.leggauss(nodes)


def _rows_of(coefficients: torch.Tensor, rows: slice) -> torch.Tensor:
    return coefficients if len(coefficients) == 1 else coefficients[rows]
