"""The closed forms of chapter hermite_calculus: coefficients, correlated moments, power series, energies, curves."""

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
import xarray
from scipy.special import roots_legendre

from beyond_kernel.checks import real_number, whole_number
from beyond_kernel.foundations.exponents.exponents import generative_exponent
from beyond_kernel.foundations.exponents.label_transformations import (
    LabelTransformation,
    label_transformation,
)
from beyond_kernel.foundations.exponents.links import Link, as_link, mean_and_variance
from beyond_kernel.foundations.targets.hermite import hermite, hermite_coefficients, hermite_table

RAMPS = {"step": 0, "relu": 1, "relu squared / 2": 2}
"""Powers p of the ramps max(0, z)^p / p!."""


def link_coefficients(link: str, max_degree: int) -> torch.Tensor:
    """Return E[f(z) h_k(z)], k = 0, ..., max_degree, of a link, by quadrature.

    Args:
        link: whatever ``as_link`` takes, of one variable.
        max_degree: the highest degree, from 0 to 120.

    Returns:
        float64 tensor of shape (max_degree + 1,).

    Raises:
        BadParameter: if the link is not accepted or the quadrature does not settle.

    Chapter: hermite_calculus.
    """
    whole_number("max_degree", max_degree, least=0, most=120)
    given = as_link(link)
    return hermite_coefficients(given, max_degree, given.breakpoints, nodes=max(200, 4 * max_degree))


def ramp_coefficients(power: int, max_degree: int) -> torch.Tensor:
    """Return E[s(z) h_k(z)] for the ramp s(z) = max(0, z)^power / power!, in closed form.

    Stein's identity for h_k reads E[s h_k] = E[s' h_{k-1}] / sqrt(k), and the derivative of a ramp is the ramp of one
    power less: power 0 is the step, power -1 the point mass at 0 with coefficients h_k(0) / sqrt(2 pi).

    Args:
        power: from -1 to 6; 1 is ReLU.
        max_degree: the highest degree, at least 0.

    Returns:
        float64 tensor of shape (max_degree + 1,).

    Raises:
        BadParameter: if ``power`` or ``max_degree`` is out of range.

    Source: derived here. Chapter: hermite_calculus.
    """
    whole_number("power", power, least=-1, most=6)
    whole_number("max_degree", max_degree, least=0)
    if power == -1:
        return hermite_table(max_degree, torch.zeros((), dtype=torch.float64, device="cpu")) / math.sqrt(2 * math.pi)
    mean = 2 ** (power / 2 - 1) * math.gamma((power + 1) / 2) / (math.sqrt(math.pi) * math.factorial(power))
    first = torch.tensor([mean], dtype=torch.float64, device="cpu")
    if max_degree == 0:
        return first
    roots = torch.arange(1, max_degree + 1, dtype=torch.float64, device="cpu").sqrt()
    return torch.cat([first, ramp_coefficients(power - 1, max_degree - 1) / roots])


def correlated_moments(max_degree: int, correlation: float) -> torch.Tensor:
    """Return the matrix E[h_j(u) h_k(v)], j, k = 0, ..., max_degree, of two normal variables with this correlation.

    Computed as an integral over u and an independent w with v = rho u + sqrt(1 - rho^2) w, by a quadrature that is
    exact for polynomials of these degrees.

    Args:
        max_degree: the highest degree, from 0 to 30.
        correlation: rho, from -1 to 1.

    Returns:
        float64 tensor of shape (max_degree + 1, max_degree + 1).

    Raises:
        BadParameter: if an argument is out of range.

    Chapter: hermite_calculus.
    """
    whole_number("max_degree", max_degree, least=0, most=30)
    rho = real_number("correlation", correlation, least=-1, most=1)
    nodes, weights = (
        torch.as_tensor(part, device="cpu") for part in np.polynomial.hermite_e.hermegauss(max_degree + 1)
    )
    weights = weights / weights.sum()
    v = rho * nodes[:, None] + math.sqrt(1 - rho**2) * nodes
    inner = hermite_table(max_degree, v) @ weights  # E[h_k(v) | u] at the nodes of u
    return (hermite_table(max_degree, nodes) * weights) @ inner.T


def expected_overlap(link: str, d: int, n: int) -> float:
    """Return what ``direction_cell`` is expected to give for a transformed label where the generative exponent is 1.

    The mean of T(y) x is energy u plus noise of variance energy / n in each of the d - 1 other directions, with
    energy = E T(y)^2 = E T(y) z; hence 1 / (1 + (d - 1) / (n energy)).

    Args:
        link: whatever ``as_link`` takes.
        d: dimension.
        n: number of samples.

    Source: derived here. Chapter: hermite_calculus.
    """
    energy = transformation_of(link, 1).energy
    return 1 / (1 + (whole_number("d", d) - 1) / (whole_number("n", n) * energy))


def expected_leak(link: str, d: int) -> float:
    """Return the share of a hidden direction u in the mean of y_i x_i for a centred label y = f(<u, x>) without signal.

    The noise of the mean has the variance E y^2 z^2 / n along u and E y^2 / n in each of the d - 1 directions across:
    the share is s / (s + d - 1) with s = E y^2 z^2 / E y^2, a quotient of means. The mean of the quotient is smaller.

    Args:
        link: whatever ``as_link`` takes.
        d: dimension.

    Source: derived here. Chapter: hermite_calculus.

    >>> round(expected_leak("he3", 100) * 106, 6)
    7.0
    """
    given = as_link(link)
    mean, variance = mean_and_variance(given)
    weighted, _ = mean_and_variance(Link(given.name, lambda z: ((given(z) - mean) * z) ** 2, given.breakpoints))
    quotient = weighted / variance
    return quotient / (quotient + whole_number("d", d) - 1)


def energy_within(reach: float, k: int) -> float:
    """Return E[h_k(z)^2 1{|z| < reach}], out of E h_k^2 = 1.

    Args:
        reach: above 0.
        k: the degree, at least 0.

    Chapter: hermite_calculus.
    """
    real_number("reach", reach, above=0)
    nodes, weights = roots_legendre(200 + 4 * whole_number("k", k, least=0))
    z, weights = (torch.as_tensor(part, device="cpu") for part in (reach * nodes, weights))
    density = torch.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    return float(reach * (weights * density) @ hermite(k, z) ** 2)


def seen_energy(n: int, k: int) -> float:
    """Return E[h_k(z)^2 1{|z| < a}], with a the median of the largest |z| of n draws: what a sample sees of E h_k^2.

    Args:
        n: number of draws.
        k: the degree, at least 0.

    Source: derived here. Chapter: hermite_calculus.
    """
    half = 0.5 ** (1 / whole_number("n", n))
    return energy_within(float(torch.special.ndtri(torch.tensor((1 + half) / 2, dtype=torch.float64, device="cpu"))), k)


def coefficient_decay(max_degree: int) -> xarray.DataArray:
    """Return |E f h_k| of step, ReLU, ReLU^2 / 2 and tanh against k = 2, 4, ..., the larger of k and k + 1.

    Every other coefficient of these functions is zero, so each pair holds one that is not.

    Args:
        max_degree: highest degree, from 6 to 120.

    Chapter: hermite_calculus.
    """
    whole_number("max_degree", max_degree, least=6, most=120)
    rows = {name: ramp_coefficients(power, max_degree) for name, power in RAMPS.items()}
    rows["tanh"] = link_coefficients("tanh", max_degree)
    starts = np.arange(2, max_degree, 2)
    pairs = [[float(row[k : k + 2].abs().max()) for k in starts] for row in rows.values()]
    return xarray.DataArray(pairs, dims=["link", "degree"], coords={"link": list(rows), "degree": starts})


def dual_series(link: str, correlations: Sequence[float], max_degree: int) -> np.ndarray:
    """Return sum_k c_k^2 rho^k / E f^2 over k up to max_degree at the given correlations rho.

    Args:
        link: whatever ``as_link`` takes, of one variable.
        correlations: each from -1 to 1.
        max_degree: highest degree, from 0 to 120.

    Chapter: hermite_calculus.
    """
    energies = link_coefficients(link, max_degree).numpy() ** 2
    return np.polyval(energies[::-1], np.asarray(correlations)) / second_moment(link)


def label_curves(links: Sequence[str], ranks: Sequence[float]) -> xarray.DataArray:
    """Return the best transformation of the label at the generative exponent of each link, against the label's rank.

    Args:
        links: whatever ``as_link`` takes, of one variable.
        ranks: ranks of the label, P(y' <= y), between 0 and 1.

    Chapter: hermite_calculus.
    """
    z = torch.special.ndtri(torch.linspace(1e-5, 1 - 1e-5, 40_001, dtype=torch.float64, device="cpu"))
    wanted = torch.tensor(ranks, dtype=torch.float64, device="cpu")
    rows = {}
    for link in links:
        transformation = transformation_of(link, exponent_of(link))
        rows[f"{link}, degree {transformation.k}"] = transformation(as_link(link)(z).quantile(wanted)).numpy()
    return xarray.DataArray(list(rows.values()), {"link": list(rows), "rank": ranks}, ["link", "rank"])


@lru_cache(maxsize=16)  # the same for all seeds of a sweep
def transformation_of(link: str, k: int) -> LabelTransformation:
    """Return ``label_transformation(link, k)``, kept for the next call.

    Args:
        link: a name or a text, as for ``as_link``.
        k: the degree, from 1 to 40.

    Chapter: hermite_calculus.
    """
    return label_transformation(link, k)


@lru_cache(maxsize=16)
def second_moment(link: str) -> float:
    """Return E f^2 of a link of one variable at a standard normal variable, kept for the next call.

    Args:
        link: a name or a text, as for ``as_link``.

    Chapter: hermite_calculus.
    """
    mean, variance = mean_and_variance(as_link(link))
    return mean**2 + variance


@lru_cache(maxsize=16)
def exponent_of(link: str) -> int:
    """Return the generative exponent of a link, kept for the next call.

    Args:
        link: a name or a text, as for ``generative_exponent``.

    Chapter: hermite_calculus.
    """
    return generative_exponent(link)
