"""How the samples that a risk takes grow with the dimension: fitted powers, what a kernel needs, a paper's curves."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
import xarray
from scipy import stats

from beyond_kernel.checks import BadParameter, one_of, real_number, vector, whole_number
from beyond_kernel.foundations.inputs.harmonics import sphere_energies
from beyond_kernel.foundations.learning.heads import SCALES
from beyond_kernel.foundations.targets.target import Target, parse_target
from beyond_kernel.kernel_regime.learning_curve import samples_for_risk, sphere_variance
from beyond_kernel.kernel_regime.spectrum import kernel_spectrum

KERNELS = {"random-feature kernel": "random features", "tangent kernel": "tangent"}
"""The kernels whose spectrum is known, by the label of their learner."""
PAPER = {"target": "He2(z1)/2 + He4(z1)/sqrt(48)", "d": 10, "noise": 1.0}
"""The problem of the paper's Figure 1, f* = He_2/2 + He_4/(4 sqrt 3), of mean square one, and its labels."""
PUBLISHED = {
    100: {
        "one step": (0.988, 0.903, 0.547, 0.253, 0.089, 0.050, 0.016),
        "random features": (0.999, 0.989, 0.854, 0.808, 0.780, 0.773, 0.769),
        "tangent model": (1.006, 0.933, 0.812, 0.706, 0.616, 0.568, 0.544),
    },
    1000: {
        "one step": (0.982, 0.879, 0.465, 0.190, 0.064),
        "random features": (0.994, 0.914, 0.718, 0.632, 0.538),
        "tangent model": (0.999, 0.853, 0.714, 0.583, 0.477),
    },
}
"""Excess risks of Figure 1 by width and method, means of ten seeds at n = d^2, d^2.5, d^3 and so on, d = 10. They are
the vertices of the curves in the figure's vector graphics; below d^2 all lie within 0.01 of one. What we call the
tangent model is the authors' linearised network of the same width."""
PUBLISHED_POWERS = (2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0)
"""Powers of d at which ``PUBLISHED`` holds risks, as many of them as a curve has."""


class Slope(NamedTuple):
    """A fitted power and the ends of its 95 % interval, all NaN where a run did not reach the risk."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.2f} [{self.low:.2f}, {self.high:.2f}]" if self.value == self.value else "not measured"


def growth_power(needed: xarray.DataArray) -> Slope:
    """Return the least-squares slope of log n* on log d over all seeds, with its 95 % interval.

    The interval is Student's, with the variance of log n* between seeds of one dimension, pooled over the D dimensions:
    D (S - 1) degrees of freedom for S seeds. Problems of different dimensions are independent. A bootstrap over three
    seeds would be too narrow by a factor of sqrt(3/2) and more. A run that did not reach the risk makes the slope
    unmeasured: to drop it would leave the lucky ones and flatten the slope.

    Args:
        needed: n* with the dimensions ``d`` and ``seed``; NaN where a run did not get there.

    Returns:
        Slope and the ends of its interval; with one seed the ends are NaN, with one dimension all three.

    Raises:
        BadParameter: if a dimension is missing or left over, or a size is not above 0.

    Chapter: sample_complexity.

    >>> needed = xarray.DataArray([[64.0], [256.0]], {"d": [8, 16], "seed": [0]}, ("d", "seed"))
    >>> growth_power(needed).value
    2.0
    """
    if set(needed.dims) != {"d", "seed"}:
        raise BadParameter(f"needed has the dimensions {', '.join(map(str, needed.dims))}: d and seed are wanted.")
    values = np.asarray(needed.transpose("d", "seed"), dtype=float)
    if (values <= 0).any():
        raise BadParameter(f"needed holds {np.nanmin(values):g}: numbers of samples must be above 0.")
    nothing = float("nan")
    if np.isnan(values).any() or len(values) < 2:
        return Slope(nothing, nothing, nothing)
    x, logs, count = np.log(np.asarray(needed.d, dtype=float)), np.log(values), values.shape[1]
    weights = (x - x.mean()) / np.square(x - x.mean()).sum()
    slope = float(weights @ logs.mean(1))
    if count < 2:
        return Slope(slope, nothing, nothing)
    variance = float(logs.var(axis=1, ddof=1).mean())
    half = stats.t.ppf(0.975, len(x) * (count - 1)) * float(np.sqrt(variance / count * np.square(weights).sum()))
    return Slope(slope, slope - half, slope + half)


def degree_to_learn(energies: torch.Tensor, threshold: float) -> int:
    """Return the least degree that a learner of whole degrees must know for a risk below a threshold.

    It is the least k for which the degrees above k hold less than the share ``threshold`` of the variance. A kernel
    that learns degree after degree needs samples of order d^k for it.

    Args:
        energies: of the target by degree, from degree 0 on, of shape (degree + 1,).
        threshold: risk to be reached, above 0.

    Raises:
        BadParameter: if the target is constant or the threshold is not above 0.

    Source: derived here; that kernels learn degree after degree is in Ghorbani et al. 2021. Chapter: sample_complexity.

    >>> [degree_to_learn(torch.tensor([0.0, 0.0, 0.6, 0.0, 0.4]), risk) for risk in (1.5, 0.5, 0.4)]
    [0, 2, 4]
    """
    parts = vector("energies", energies)[1:].tolist()
    level = real_number("threshold", threshold, above=0) * sum(parts)
    if not level > 0:
        raise BadParameter("energies holds nothing above degree 0: a constant target has no risk to reach.")
    slack = 100 * torch.finfo(energies.dtype).eps * sum(parts)  # energies are rounded: equal shares count as equal
    return next(k for k in range(len(parts) + 1) if sum(parts[k:]) < level - slack)


def published_risk(width: int, learner: str, power: float) -> float:
    """Return the risk that the paper's Figure 1 has at n = d^power, NaN where its curve has no point.

    Args:
        width: m, one of those of ``PUBLISHED``.
        learner: label of the method, one of those of ``PUBLISHED``.
        power: of d.

    Raises:
        BadParameter: if the figure has no such curve.

    Source: Damian, Lee, Soltanolkotabi 2022, Figure 1. Chapter: sample_complexity.

    >>> published_risk(1000, "one step", 4.0), published_risk(100, "random features", 5.0)
    (0.064, 0.769)
    """
    if width not in PUBLISHED:
        raise BadParameter(f"width = {width!r} is not accepted: it must be one of {', '.join(map(str, PUBLISHED))}.")
    curve = PUBLISHED[width][one_of("learner", learner, tuple(PUBLISHED[width]))]
    return dict(zip(PUBLISHED_POWERS, curve, strict=False)).get(real_number("power", power), float("nan"))


def kernel_samples(
    target: str, dims: Sequence[int], threshold: float, noise: float, kernel: str = "tangent kernel"
) -> np.ndarray:
    """Predict the samples with which a kernel reaches a risk on the sphere, at the best penalty and the best bias.

    The choice among the biases 1/scale of ``SCALES`` is made in hindsight, in favour of the kernel.

    Args:
        target: text of the target, scaled to mean square one under Gaussian inputs.
        dims: dimensions d, each at least 3.
        threshold: risk to be reached, in units of the variance on the sphere.
        noise: standard deviation of the label noise.
        kernel: label of the kernel, one of ``KERNELS``.

    Returns:
        Numbers of samples, of shape (len(dims),).

    Raises:
        BadParameter: if a parameter is out of range, or the target is constant on the sphere.

    Source: ``learning_curve.samples_for_risk``. Chapter: sample_complexity.

    >>> kernel_samples("z1*z2", [10, 100], 0.5, 0.1).round(-1).tolist()
    [60.0, 4200.0]
    """
    name = KERNELS[one_of("kernel", kernel, tuple(KERNELS))]
    found = []
    for d in dims:
        truth = parse_target(target, whole_number("d", d, least=3)).normalised()
        level = real_number("threshold", threshold, above=0) * sphere_variance(truth)
        found.append(min(_samples(truth, name, 1 / scale, level, noise) for scale in SCALES))
    return np.array(found)


def _samples(truth: Target, kernel: str, bias: float, level: float, noise: float) -> float:
    return samples_for_risk(kernel_spectrum(kernel, truth.dim, bias), sphere_energies(truth), level, noise)
