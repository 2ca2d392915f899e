"""Theory lines of fixed kernels: the samples for a risk at one dimension, with nothing fitted, and their range."""

import functools
import math
from collections.abc import Callable

from beyond_kernel.foundations.inputs.harmonics import sphere_energies
from beyond_kernel.foundations.learning.heads import SCALES
from beyond_kernel.foundations.targets.target import Target
from beyond_kernel.kernel_regime.gaussian_spectrum import gaussian_kernel_samples
from beyond_kernel.kernel_regime.learning_curve import samples_for_risk, sphere_variance
from beyond_kernel.kernel_regime.spectrum import kernel_spectrum

Line = Callable[[Target, float, float], float]
"""The samples that a target takes for a risk at a noise."""
RISK_SPREAD = 1.25
"""A range of a theory line goes from what it says for a risk a quarter above to what it says for one a quarter below.

Where the threshold is the energy of a degree the risk hardly falls for long, and a small error in it moves n by a
multiple."""
SAMPLE_SPREAD = (0.75, 1.3)
"""Factors at both ends on top of that, which the Gaussian kernel of the stored sweep needs."""


def line_with_range(line: Line, target: Target, threshold: float, noise: float) -> tuple[float, float, float]:
    """Return what a theory line says for a risk, and the ends of its range, from a larger and a smaller risk.

    Args:
        line: samples for a risk.
        target: f*, not constant.
        threshold: risk to be reached, in units of Var f*.
        noise: standard deviation of the label noise, in the units of the target.

    Chapter: which_method_wins.
    """
    n, least, most = (
        line(target, risk, noise) for risk in (threshold, threshold * RISK_SPREAD, threshold / RISK_SPREAD)
    )
    return n, SAMPLE_SPREAD[0] * least, SAMPLE_SPREAD[1] * most


def degree_for_risk(target: Target, threshold: float) -> int:
    """Return the degree that a kernel has to learn for a risk, the smallest above which less than the risk is left.

    Args:
        target: f*, not constant.
        threshold: risk to be reached, in units of Var f*.

    Chapter: which_method_wins.

    >>> from beyond_kernel.foundations.targets.target import parse_target
    >>> [degree_for_risk(parse_target("z1 + h3(z1)", 4), risk) for risk in (0.25, 0.6)]
    [3, 1]
    """
    left = _left_above(target)
    return next(p for p, rest in enumerate(left) if rest < threshold and not math.isclose(rest, threshold))


def plateau(target: Target, threshold: float) -> str:
    """Return in words whether a risk is about what lies above a degree, where a line is flat; empty where it is not.

    Args:
        target, threshold: as in ``degree_for_risk``.

    Chapter: which_method_wins.
    """
    left = _left_above(target)
    near = [p for p, rest in enumerate(left[:-1]) if threshold / RISK_SPREAD <= rest <= threshold * RISK_SPREAD]
    return f"on a plateau: above degree {near[0]} about as much is left as is asked for" if near else ""


def _left_above(target: Target) -> list[float]:
    """Return for p = 0 up to the degree the share of the variance above degree p."""
    energies = target.energy_by_degree().tolist()
    return [math.fsum(energies[p + 1 :]) / math.fsum(energies[1:]) for p in range(len(energies))]


def gaussian_line(target: Target, threshold: float, noise: float) -> float:
    """Return the samples of the tuned Gaussian kernel under Gaussian inputs.

    Args:
        target, threshold, noise: as in ``line_with_range``.

    Chapter: which_method_wins.
    """
    return gaussian_kernel_samples(target, threshold, noise, SCALES)


def relu_line(kernel: str) -> Line:
    """Return the theory line of a ReLU kernel on the sphere.

    Args:
        kernel: "random features" or "tangent".

    Chapter: which_method_wins.
    """
    return functools.partial(relu_kernel_samples, kernel=kernel)


def relu_kernel_samples(target: Target, threshold: float, noise: float, kernel: str) -> float:
    """Return the samples with which a ReLU kernel is predicted to reach a risk on the sphere, the best of its biases.

    Args:
        target: f*, not constant on the sphere, of dimension three at least.
        threshold: risk to be reached, in units of Var f* on the sphere.
        noise: standard deviation of the label noise, in the units of the target.
        kernel: "random features" or "tangent".

    Returns:
        The number of samples; infinite where a degree of the target is lost in the kernel's rounding.

    Raises:
        BadParameter: as ``samples_for_risk`` and ``kernel_spectrum``.

    Chapter: which_method_wins.
    """
    energies, level = sphere_energies(target), threshold * sphere_variance(target)
    spectra = (kernel_spectrum(kernel, target.dim, 1 / scale) for scale in SCALES)
    return min(
        samples_for_risk(found, energies, level, noise) for found in spectra if len(found.shares) > target.degree
    )
