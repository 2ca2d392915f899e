"""Eigenvalues of the Gaussian kernel under Gaussian inputs, level by level, and how a polynomial lies across them."""

import math

import torch

from beyond_kernel.checks import BadParameter, real_number, whole_number
from beyond_kernel.foundations.inputs.harmonics import laplacians
from beyond_kernel.foundations.targets.algebra import index_factorial, order
from beyond_kernel.foundations.targets.target import Target
from beyond_kernel.kernel_regime.learning_curve import samples_for_risk
from beyond_kernel.kernel_regime.spectrum import SphereSpectrum

MAX_LEVEL = 40
"""Levels that are kept; with lengths of half the length of an input or more, those above hold less than 1e-9."""


def gaussian_spectrum(d: int, length: float, max_level: int = MAX_LEVEL) -> SphereSpectrum:
    """Return the eigenvalues of exp(-|x - z|^2 / (2 L^2)) for x ~ N(0, I_d), one a level.

    In one dimension, with beta^2 = sqrt(1 + 4 / L^2), the eigenfunctions are
    sqrt(beta) exp(-(beta^2 - 1) x^2 / 4) h_k(beta x), and their eigenvalues fall like a geometric series of ratio
    B = 1 / (1 + L^2 (1 + beta^2) / 2). In d dimensions products of them with k_1 + ... + k_d = k make level k, with
    (1 - B)^d B^k and the multiplicity binomial(d + k - 1, k).

    Args:
        d: dimension of the inputs.
        length: L, above 0, in units of the inputs.
        max_level: highest level k.

    Raises:
        BadParameter: if an argument is out of range.

    Source: Mehler's formula; derived here. Chapter: which_method_wins.

    >>> found = gaussian_spectrum(3, 2.0)
    >>> round(float(found.eigenvalues @ found.multiplicities), 9)  # K(x, x)
    1.0
    """
    whole_number("d", d)
    whole_number("max_level", max_level, least=0)
    square = real_number("length", length, above=0) ** 2
    ratio = 1 / (1 + square * (1 + math.sqrt(1 + 4 / square)) / 2)
    k = torch.arange(max_level + 1, dtype=torch.float64, device="cpu")
    eigenvalues = (d * math.log1p(-ratio) + k * math.log(ratio)).exp()
    counts = k.new_tensor([float(math.comb(d + j - 1, j)) for j in range(max_level + 1)])
    return SphereSpectrum(d, eigenvalues, counts, 1.0)


def level_energies(target: Target, length: float, max_level: int = MAX_LEVEL) -> torch.Tensor:
    """Return the energy of a polynomial target on each level of the Gaussian kernel, under Gaussian inputs.

    Level k of the kernel is not degree k of the Hermite polynomials: its functions carry the factor of the spectrum,
    and a polynomial has energy on higher levels too, because |x| varies. With
    t = (beta^2 - 1) / (beta^2 + 1) and the operator sum_k s^k P_k, P_k the projection on level k, the energies are the
    coefficients of s^k in

        (1 - t^2)^{d/2} (1 - t^2 s^2)^{-d/2} sum_m r(s)^m |F_m(s)|^2,    F_m = sum_j p(s)^j Laplacian^j f_{m+2j} / j!,

    with r = (1 - t^2) s / (1 - t^2 s^2), p = -t (1 - s^2) / (2 (1 - t^2 s^2)), f_k the terms of degree k, He_k read as
    powers, and |F|^2 = sum_alpha alpha! F_alpha^2. The work is linear in the number of terms.

    Args:
        target: f*, whose dimension is d.
        length: L, above 0.
        max_level: highest level.

    Returns:
        Energies, float64, of shape (max_level + 1,); they add up to E f^2 but for what lies above ``max_level``.

    Raises:
        BadParameter: if an argument is out of range, or ``max_level`` is below the degree.

    Source: derived here from Mehler's formula. Chapter: which_method_wins.
    """
    square = real_number("length", length, above=0) ** 2
    if whole_number("max_level", max_level, least=0) < target.degree:
        raise BadParameter(f"max_level = {max_level} is out of range: it must be at least the degree, {target.degree}.")
    beta_squared = math.sqrt(1 + 4 / square)
    t = (beta_squared - 1) / (beta_squared + 1)
    energies = torch.zeros(max_level + 1, dtype=torch.float64, device="cpu")
    for (m, power), gram in _traces(target).items():
        shares = _series(t, target.dim / 2 + m, power, (max_level - m) // 2)
        energies[m::2] += gram * shares
    return energies.clamp(min=0)


def gaussian_kernel_samples(target: Target, threshold: float, noise: float, scales: tuple[float, ...]) -> float:
    """Return the samples with which a Gaussian kernel is predicted to reach a risk, under Gaussian inputs.

    Args:
        target: f*, not constant.
        threshold: risk to be reached, in units of Var f*.
        noise: standard deviation of the label noise, in the units of the target.
        scales: candidates for the length in units of sqrt(d), of which the best is taken.

    Returns:
        The number of samples; infinite where no scale gets there.

    Raises:
        BadParameter: if an argument is out of range.

    Source: ``samples_for_risk``, with the levels of this module. Chapter: which_method_wins.
    """
    lengths = [scale * math.sqrt(target.dim) for scale in scales]
    pairs = [(gaussian_spectrum(target.dim, length), level_energies(target, length)) for length in lengths]
    return min(samples_for_risk(levels, parts, threshold * target.variance, noise) for levels, parts in pairs)


def _traces(target: Target) -> dict[tuple[int, int], float]:
    """Return by (m, i + j) the sums of <Laplacian^j f_{m+2j}, Laplacian^i f_{m+2i}> / (i! j!)."""
    terms: dict[int, dict] = {}
    for index, value in target.coefficients.items():
        terms.setdefault(order(index), {})[index] = target.scale * float(value)
    images = {k: laplacians(part) for k, part in terms.items()}
    found: dict[tuple[int, int], float] = {}
    for m in range(target.degree + 1):
        steps = [j for j in range((target.degree - m) // 2 + 1) if j < len(images.get(m + 2 * j, []))]
        for j in steps:
            for i in steps:
                product = _inner(images[m + 2 * j][j], images[m + 2 * i][i])
                found[m, j + i] = found.get((m, j + i), 0.0) + product / (math.factorial(j) * math.factorial(i))
    return found


def _inner(first: dict, second: dict) -> float:
    """Return sum_alpha alpha! a_alpha b_alpha of two polynomials in powers."""
    return sum(value * second.get(index, 0.0) * index_factorial(index) for index, value in first.items())


def _series(t: float, a: float, power: int, last: int) -> torch.Tensor:
    """Return the coefficients of x^0, ..., x^last in (1 - t^2)^a (-t (1 - x) / 2)^power (1 - t^2 x)^{-a - power}."""
    i = torch.arange(last + 1, dtype=torch.float64, device="cpu")
    logs = torch.lgamma(a + power + i) - math.lgamma(a + power) - torch.lgamma(i + 1) + 2 * i * math.log(t)
    series = (logs + a * math.log1p(-t * t)).exp()
    for _ in range(power):
        series = series - torch.cat([series.new_zeros(1), series[:-1]])
    return (-t / 2) ** power * series
