"""Laws of inputs that no rotation changes and whose radius is the message: samplers, and the law of the radius."""

from collections.abc import Callable

import numpy as np
import torch
from scipy.special import betaincc, gammaincc, gammaln, jv, sici

from beyond_kernel.checks import BadParameter, matrix, one_of, real_number, whole_number
from beyond_kernel.foundations.inputs.laws import gaussian, sphere


def small_gaussian(n: int, d: int, generator: torch.Generator, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    """Return n independent draws from N(0, I_d / d), shape (n, d): normal vectors of length near 1.

    Chapter: targets_and_inputs.

    Args:
        n: number of draws, at least 1.
        d: dimension, at least 1.
        generator: source of the randomness; the result lies on its device.
        dtype: a floating-point dtype; both precisions see the same sample.

    Raises:
        BadParameter: if ``n`` or ``d`` is out of range.
        TypeError: if ``generator`` or ``dtype`` is of another kind.
    """
    _no_other_kind(generator, dtype)
    return (gaussian(n, d, generator) / d**0.5).to(dtype)


def two_spheres(n: int, d: int, generator: torch.Generator, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    """Return n independent sums x_1 + x_2 of two independent uniform points of the unit sphere, shape (n, d).

    |x|^2 = 2 + 2 <x_1, x_2>, so the ball of radius sqrt(2) is the half where the two points make an acute angle.
    Arguments and errors as in ``small_gaussian``.

    Source: Safran and Lee (2022), equation (5). Chapter: targets_and_inputs.
    """
    _no_other_kind(generator, dtype)
    return ((sphere(n, d, generator) + sphere(n, d, generator)) / d**0.5).to(dtype)


def heavy_tailed(
    n: int, d: int, generator: torch.Generator, dtype: torch.dtype = torch.float64, alpha: float = 1.0
) -> torch.Tensor:
    """Return n independent draws from the density (R_d / |x|)^d J_{d/2}^2(2 pi alpha sqrt(d) R_d |x|), shape (n, d).

    The radius comes from ``heavy_tailed_radii``, the direction is uniform. The square root of the density is the
    Fourier transform of a ball, up to scale. No moment of order 1 or more exists.

    Args:
        n: number of draws, at least 1.
        d: dimension, at least 2.
        generator: source of the randomness; the result lies on its device.
        dtype: a floating-point dtype; both precisions see the same sample.
        alpha: above 0; the radius is that of alpha = 1 divided by alpha.

    Raises:
        BadParameter: if ``n``, ``d`` or ``alpha`` is out of range.
        TypeError: if ``generator`` or ``dtype`` is of another kind.

    Source: Eldan and Shamir (2016); in this form Safran and Lee (2022), equation (3). Chapter: targets_and_inputs.
    """
    _no_other_kind(generator, dtype)
    directions = sphere(n, whole_number("d", d, least=2), generator) / d**0.5
    return (heavy_tailed_radii(n, d, generator, alpha)[:, None] * directions).to(dtype)


def half_heavy_tailed(
    n: int, d: int, generator: torch.Generator, dtype: torch.dtype = torch.float64, alpha: float = 1.0
) -> torch.Tensor:
    """Return n independent draws, each with chance one half from ``heavy_tailed`` and else from ``small_gaussian``.

    The Gaussian half keeps the density of the radius near 1 away from zero, where the Bessel function vanishes.
    Arguments and errors as in ``heavy_tailed``.

    Source: Safran and Lee (2022), equation (4): its density is that of N(0, I_d / d), the words beside it say
    I_d / sqrt(d). Chapter: targets_and_inputs.
    """
    _no_other_kind(generator, dtype)
    heavy = heavy_tailed(n, d, generator, alpha=alpha)
    light = small_gaussian(n, d, generator)
    heads = torch.rand(n, 1, generator=generator, dtype=torch.float64, device=generator.device) < 0.5
    return torch.where(heads, heavy, light).to(dtype)


RADIAL_LAWS: dict[str, Callable[..., torch.Tensor]] = {
    "small Gaussian": small_gaussian,
    "two spheres": two_spheres,
    "heavy-tailed": heavy_tailed,
    "half heavy-tailed": half_heavy_tailed,
}
"""Sampler by name. Their covariance is not the identity, or does not exist, and ``draw_problem`` does not take them."""


def wave_number(d: int, alpha: float = 1.0) -> float:
    """Return k = 2 pi alpha sqrt(d) R_d, with R_d the radius of the ball of volume 1 in dimension d.

    Args:
        d: dimension, at least 1.
        alpha: above 0.

    Raises:
        BadParameter: if an argument is out of range.

    Source: Safran and Lee (2022), equation (3). Chapter: targets_and_inputs.
    """
    whole_number("d", d)
    real_number("alpha", alpha, above=0)
    return 2 * float(alpha) * np.pi**0.5 * d**0.5 * float(np.exp(gammaln(d / 2 + 1) / d))


def heavy_tailed_radii(n: int, d: int, generator: torch.Generator, alpha: float = 1.0) -> torch.Tensor:
    """Return n independent draws of a radius with density (d / r) J_{d/2}^2(k r), float64 (n,), by rejection: exact.

    With nu = d/2 and t = k r two bounds hold: on (0, nu] the density is at most its value at nu, because it grows
    there; beyond, J_nu^2(t) < 2 / (pi sqrt(t^2 - nu^2)), which is the law of nu / cos(pi U / 2) with mass 2. A
    proposal comes from one of the two and is kept with the share of the bound that the density fills.

    Args:
        n: number of draws, at least 1.
        d: dimension, at least 2.
        generator: source of the randomness; the result lies on its device.
        alpha: above 0.

    Raises:
        BadParameter: if an argument is out of range.

    Source: the second bound is Watson's, from Nicholson's integral for J^2 + Y^2; the sampler is derived here.
    Chapter: targets_and_inputs.
    """
    whole_number("n", n)
    nu, k = whole_number("d", d, least=2) / 2, wave_number(d, alpha)
    at_nu = float(jv(nu, nu)) ** 2
    total = 2 + d * at_nu  # masses of the two bounds: beyond nu, and up to nu
    kept, found = [], 0
    while found < n:
        size = int(1.1 * total * (n - found)) + 16
        draws = torch.rand(3, size, generator=generator, dtype=torch.float64, device=generator.device)
        which, place, height = 1 - draws.cpu().numpy()  # in (0, 1], so that t is never zero
        beyond = which * total <= 2
        angle = np.pi / 2 * (1 - place)
        t = np.where(beyond, nu / np.cos(angle), nu * place)
        bound = np.where(beyond, 2 / (np.pi * nu * np.maximum(np.tan(angle), 1e-300)), at_nu * t / nu)
        kept.append(t[height * bound <= jv(nu, t) ** 2])
        found += len(kept[-1])
    return torch.as_tensor(np.concatenate(kept)[:n] / k, device=generator.device)


def radius_above(law: str, radius: torch.Tensor, d: int, alpha: float = 1.0) -> torch.Tensor:
    """Return P(|x| > r) under a radial law in closed form, shape and dtype of ``radius``.

    Small Gaussian: d |x|^2 is chi-square with d degrees of freedom. Two spheres: |x|^2 / 4 has the law
    Beta((d-1)/2, (d-1)/2). Heavy-tailed, with t = k r: for even d

        J_0^2 + 2 (J_1^2 + ... + J_{d/2-1}^2) + J_{d/2}^2      at t,

    which in the plane is the light outside the rings of an Airy disk; for odd d
    1 - (2/pi) (Si(2t) - sin^2(t) / t) + sum of J_j^2 + J_{j+1}^2 over j = 1/2, 3/2, ..., d/2 - 1. For large r it is
    d / (pi k r), up to oscillations.

    Args:
        law: a key of ``RADIAL_LAWS``.
        radius: radii r of at least 0, any shape, floating point.
        d: dimension, at least 2.
        alpha: of the heavy-tailed part, above 0.

    Raises:
        BadParameter: if the law is not known, or an argument is out of range.

    Source: Beta law classical; Bessel sums from the derivative of J_j^2 + J_{j+1}^2, derived here.
    Chapter: targets_and_inputs.

    >>> round(float(radius_above("two spheres", torch.tensor(2**0.5, dtype=torch.float64), d=8)), 6)
    0.5
    """
    one_of("law", law, list(RADIAL_LAWS))
    whole_number("d", d, least=2)
    r = radius.detach().to("cpu", torch.float64).numpy()
    if not (r >= 0).all():
        raise BadParameter("radius holds values that are no numbers of at least 0.")
    values = 0.0
    if law in ("small Gaussian", "half heavy-tailed"):
        values = gammaincc(d / 2, d * r**2 / 2)
    if law == "two spheres":
        values = betaincc((d - 1) / 2, (d - 1) / 2, np.minimum(r**2 / 4, 1.0))
    if law in ("heavy-tailed", "half heavy-tailed"):
        outside = _bessel_above(d, wave_number(d, alpha) * r.ravel()).reshape(r.shape)
        values = outside if law == "heavy-tailed" else (values + outside) / 2
    return torch.as_tensor(values, device="cpu").to(radius)


def ball_indicator(X: torch.Tensor, radius: float) -> torch.Tensor:
    """Return 1 for the rows of X in the closed ball of this radius around 0 and 0 for the others, shape (n,).

    Args:
        X: inputs, shape (n, d).
        radius: lambda, above 0.

    Raises:
        BadParameter: if X or ``radius`` is out of range.
        TypeError: if X is no floating-point tensor.

    Source: the target of Safran and Lee (2022). Chapter: targets_and_inputs.
    """
    matrix("X", X)
    return (X.norm(dim=1) <= real_number("radius", radius, above=0)).to(X)


def _bessel_above(d: int, t: np.ndarray) -> np.ndarray:
    """Return d times the integral of J_{d/2}^2(s) / s from t to infinity.

    The recurrence J_{j+1} = (2j / t) J_j - J_{j-1} is stable while j < t; below d/2 every order is evaluated.
    """
    floor = np.maximum(t, 1e-300)
    first = 0.0 if d % 2 == 0 else 0.5
    total = np.zeros_like(t) if d % 2 == 0 else 1 - 2 / np.pi * (sici(2 * t)[0] - np.sin(t) ** 2 / floor)
    near = t < d / 2
    below, here = jv(first, t), jv(first + 1, t)
    for j in range(d // 2):
        total = total + below**2 + here**2
        order = first + j + 1
        with np.errstate(over="ignore", invalid="ignore"):  # at tiny t, where the values are replaced
            below, here = here, 2 * order / floor * here - below
        here[near] = jv(order + 1, t[near])
    return total


def _no_other_kind(generator: torch.Generator, dtype: torch.dtype) -> None:
    if not isinstance(generator, torch.Generator):
        raise TypeError(f"generator = {generator!r} is not accepted: it must be a torch.Generator.")
    if not isinstance(dtype, torch.dtype) or not dtype.is_floating_point:
        raise TypeError(f"dtype = {dtype!r} is not accepted: it must be a floating-point torch dtype.")
