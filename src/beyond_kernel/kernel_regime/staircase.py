"""The eigenvalues of a Gram matrix on the sphere: a step for each degree, and what a finite sample makes of it."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from beyond_kernel.checks import BadParameter, one_of, whole_number
from beyond_kernel.kernel_regime.activations import AnyActivation
from beyond_kernel.kernel_regime.spectrum import SphereSpectrum, multiplicity, sphere_spectrum
from beyond_kernel.kernel_regime.tangent_kernel import KERNELS, kernel_profile, random_feature_kernel, tangent_kernel

SAMPLES_A_STEP = 4
"""A step is called resolved if n is at least this many times the number of eigenvalues up to its end."""
_GRID = 3000

Gram = Callable[..., torch.Tensor]


def first_layer_kernel(
    X: torch.Tensor, Z: torch.Tensor | None = None, bias: float = 0.0, activation: AnyActivation = "relu"
) -> torch.Tensor:
    """Return the part of the tangent kernel that comes from the first layer, x . z E sigma' sigma'.

    Args:
        X: of shape (n, d).
        Z: of shape (k, d); X itself when left out.
        bias: standard deviation of the biases.
        activation: a name or an elementwise torch function.

    Raises:
        BadParameter: as ``tangent_kernel``.

    Source: the kernel of Nichani, Bai, Lee 2022, who train the first layer alone. Chapter: tangent_kernel.
    """
    return tangent_kernel(X, Z, bias, activation) - random_feature_kernel(X, Z, bias, activation)


DUALS: dict[str, Gram] = {**KERNELS, "first layer": first_layer_kernel}


def dual_profile(
    kernel: str, d: int, activation: AnyActivation, bias: float = 0.0
) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return a kernel on the sphere of radius sqrt(d) as a function of the cosine between its arguments.

    Args:
        kernel: "random features", "tangent" or "first layer".
        d: dimension, at least 1.
        activation: a name or an elementwise torch function.
        bias: standard deviation of the biases.

    Raises:
        BadParameter: if an argument is out of range.

    Chapter: tangent_kernel.
    """
    one_of("kernel", kernel, tuple(DUALS))
    if kernel != "first layer":
        return kernel_profile(kernel, d, bias, activation)
    whole, head = (kernel_profile(name, d, bias, activation) for name in ("tangent", "random features"))
    return lambda cosines: whole(cosines) - head(cosines)


def dual_spectrum(kernel: str, d: int, n: int, activation: AnyActivation, bias: float = 0.0) -> SphereSpectrum:
    """Return the eigenvalues of a kernel on the sphere of radius sqrt(d), for enough degrees to describe n samples.

    Degrees are taken in until together they hold at least 20 n harmonics, or degree 60 is reached; the rest of the
    trace is the tail.

    Args:
        kernel: "random features", "tangent" or "first layer".
        d: dimension, at least 3.
        n: number of samples.
        activation: a name or an elementwise torch function.
        bias: standard deviation of the biases.

    Raises:
        BadParameter: if an argument is out of range.

    Chapter: tangent_kernel.
    """
    whole_number("d", d, least=3)
    max_degree = 2
    while sum(multiplicity(d, k) for k in range(max_degree + 1)) < 20 * whole_number("n", n) and max_degree < 60:
        max_degree += 1
    return sphere_spectrum(dual_profile(kernel, d, activation, bias), d, max_degree)


@dataclass(frozen=True)
class Step:
    """The eigenvalues that one degree contributes to a Gram matrix.

    Attributes:
        degree: k.
        ranks: the ranks of its eigenvalues, the largest of the matrix being rank 0.
        eigenvalue: that of the kernel on the sphere.
        resolved: whether n is at least four times the number of eigenvalues up to the end of the step.
    """

    degree: int
    ranks: range
    eigenvalue: float
    resolved: bool


def steps_of(spectrum: SphereSpectrum, n: int) -> list[Step]:
    """Return the steps of the Gram matrix of n samples, the largest eigenvalue first; degrees without any are left out.

    Args:
        spectrum: of the kernel.
        n: number of samples.

    Chapter: tangent_kernel.
    """
    steps, start = [], 0
    for k in spectrum.eigenvalues.argsort(descending=True).tolist():
        value, count = float(spectrum.eigenvalues[k]), int(spectrum.multiplicities[k])
        if value > 0 and start < n:
            steps.append(Step(k, range(start, min(start + count, n)), value, n >= SAMPLES_A_STEP * (start + count)))
            start += count
    return steps


def predicted_eigenvalues(spectrum: SphereSpectrum, n: int) -> np.ndarray:
    """Predict all n eigenvalues of Gram matrix / n, the largest first, from the eigenvalues of the kernel.

    If the n feature vectors had independent entries of variances lambda_k, B_k times each, the Stieltjes transform m(x)
    of the eigenvalues would solve

        x = -1 / m + (1/n) sum_k B_k lambda_k / (1 + lambda_k m) + tail / n,

    Marchenko and Pastur's law for unequal variances; degrees far above all others act as the constant tail / n on the
    diagonal. Im m / pi is the density, and the eigenvalue of rank i is its quantile at (i + 1/2) / n. Harmonics are
    not independent entries; that the law holds all the same is measured here.

    Args:
        spectrum: of the kernel.
        n: number of samples.

    Returns:
        Array of shape (n,).

    Source: Marchenko and Pastur 1967. Chapter: tangent_kernel.
    """
    whole_number("n", n)
    kept = spectrum.eigenvalues > 0
    values, counts = (part[kept].cpu().numpy() for part in (spectrum.eigenvalues, spectrum.multiplicities))
    shift = max(spectrum.tail, 0.0) / n
    widest = float((values * (1 + np.sqrt(counts / n)) ** 2).max()) + 2 * shift
    above = np.geomspace(1e-3 * (shift + float((values * counts).min()) / n), widest, _GRID)
    density = _density_of_log(shift + above, above, values, counts / n)
    pieces = (density[1:] + density[:-1]) / 2 * np.diff(np.log(shift + above))
    mass = np.concatenate([[0.0], np.cumsum(pieces)]) / pieces.sum()
    share = min(1.0, counts.sum() / n)  # fewer harmonics than samples: the other eigenvalues are all tail / n
    quantiles = 1 - (np.arange(n) + 0.5) / (n * share)
    return np.where(quantiles > 0, np.interp(quantiles, mass, shift + above), shift)


def median_gaps(eigenvalues: np.ndarray, predicted: np.ndarray, steps: list[Step]) -> np.ndarray:
    """Return, for each step, the median of its eigenvalues over the median of its predicted ones, minus one.

    Args:
        eigenvalues: of Gram matrix / n, the largest first, of shape (n,).
        predicted: of shape (n,).
        steps: which ranks belong together.

    Raises:
        BadParameter: if there is no step, or a step leaves the arrays.

    Chapter: tangent_kernel.
    """
    if not steps or steps[-1].ranks.stop > min(len(eigenvalues), len(predicted)):
        raise BadParameter("steps must hold at least one step, within the eigenvalues that are given.")
    cuts = [slice(step.ranks.start, step.ranks.stop) for step in steps]
    return np.array([np.median(eigenvalues[cut]) / np.median(predicted[cut]) - 1 for cut in cuts])


def _density_of_log(x: np.ndarray, above: np.ndarray, values: np.ndarray, ratios: np.ndarray) -> np.ndarray:
    """Return x times the density at x: the imaginary part of u = x m, which solves a polynomial for each x.

    With l = lambda / x and P = prod (1 + l u) the equation times u P reads (above / x) u P - u Q + P = 0,
    Q = sum_k ratio_k l_k prod_{j != k} (1 + l_j u).
    """
    scaled = values / x[:, None]
    product, others = np.ones((len(x), 1)), np.zeros((len(x), 1))
    for k in range(len(values)):  # coefficients by ascending power, one row for each x
        others = _times(others, scaled[:, k]) + np.pad(product * (ratios[k] * scaled[:, k, None]), ((0, 0), (0, 1)))
        product = _times(product, scaled[:, k])
    shifted = (above / x)[:, None] * product - np.pad(others[:, :-1], ((0, 0), (0, 1)))
    equation = np.pad(shifted, ((0, 0), (1, 0))) + np.pad(product, ((0, 0), (0, 1)))
    companion = np.zeros((len(x), len(values) + 1, len(values) + 1))
    companion[:, range(1, len(values) + 1), range(len(values))] = 1
    companion[:, :, -1] = -equation[:, :-1] / equation[:, -1:]
    return np.linalg.eigvals(companion).imag.max(1).clip(min=0) / math.pi


def _times(polynomial: np.ndarray, slope: np.ndarray) -> np.ndarray:
    """Return the coefficients of polynomial (1 + slope u)."""
    longer = np.pad(polynomial, ((0, 0), (0, 1)))
    longer[:, 1:] += polynomial * slope[:, None]
    return longer
