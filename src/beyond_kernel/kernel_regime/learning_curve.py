"""The risk of kernel ridge regression on the sphere, predicted from the eigenvalues alone by one scalar equation."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import brentq

from beyond_kernel.checks import BadParameter, real_number, vector
from beyond_kernel.foundations.inputs.harmonics import sphere_energies
from beyond_kernel.foundations.learning.ridge import LEVELS
from beyond_kernel.foundations.targets.target import Target
from beyond_kernel.kernel_regime.spectrum import SphereSpectrum, kernel_spectrum

NO_ENERGY = 1e-12
"""Share of the energy that rounding leaves in a degree that a target does not have."""


@dataclass(frozen=True)
class Prediction:
    """What the theory predicts at one number of samples and one penalty.

    Attributes:
        risk: E (f - f*)^2, in the squared units of the target.
        learnt: share of each degree that is learnt, of shape (max_degree + 1,).
        resolution: eigenvalue of which half is learnt.
        penalty: the penalty.
    """

    risk: float
    learnt: torch.Tensor
    resolution: float
    penalty: float


def predict(
    spectrum: SphereSpectrum, energies: torch.Tensor, n: float, penalty: float, noise: float = 0.0
) -> Prediction:
    """Predict E (f - f*)^2 of kernel ridge regression, (K + n penalty I) c = y, with n samples on the sphere.

    With eigenvalues lambda_k of multiplicity B_k the resolution kappa solves

        sum_k B_k lambda_k / (lambda_k + kappa) + n penalty / kappa = n.

    Degree k is learnt to the share L_k = lambda_k / (lambda_k + kappa), and the risk on noisy labels is
    (sum_k (1 - L_k)^2 E_k + noise^2) / (1 - sum_k B_k L_k^2 / n). Degrees above the highest of the spectrum, whose
    eigenvalues lie far below kappa, count as tail / kappa in the first sum.

    Args:
        spectrum: of the kernel.
        energies: E_k of the target on the sphere, of shape (degree + 1,).
        n: number of samples, above 0.
        penalty: at least 0, in the kernel's units.
        noise: standard deviation of the label noise.

    Raises:
        BadParameter: if a number is out of range, the target has a degree above the spectrum, or n samples without a
            penalty are at least as many as the harmonics that the kernel holds, with no tail above them.

    Source: Bordelon, Canatar, Pehlevan 2020; Canatar, Bordelon, Pehlevan 2021; Simon et al. 2023 (whose kappa it is).
    Chapter: degree_by_degree.
    """
    real_number("n", n, above=0)
    real_number("penalty", penalty, least=0)
    real_number("noise", noise, least=0)
    target = _padded(energies, spectrum)
    resolution = _resolution(spectrum, n, penalty)
    learnt = _shares(spectrum, resolution)
    # 1 - sum B L^2 / n by the scalar equation: all terms are positive, so none cancel where n is near the capacity
    room = float(spectrum.multiplicities @ (learnt * (1 - learnt))) + (spectrum.tail + n * penalty) / resolution
    inflated = (float((1 - learnt).square() @ target) + noise**2) / (room / n)
    return Prediction(inflated - noise**2, learnt, resolution, penalty)


def predict_best(
    spectrum: SphereSpectrum,
    energies: torch.Tensor,
    n: float,
    noise: float = 0.0,
    levels: tuple[float, ...] = LEVELS,
) -> Prediction:
    """Return the prediction of least risk over a path of penalties, the one on which the measurements choose.

    Args:
        spectrum: of the kernel.
        energies: of the target on the sphere.
        n: number of samples, above 0.
        noise: standard deviation of the label noise.
        levels: penalties relative to K(x, x).

    Raises:
        BadParameter: as ``predict``.

    Chapter: degree_by_degree.
    """
    found = [predict(spectrum, energies, n, level * spectrum.trace, noise) for level in levels]
    return min(found, key=lambda prediction: prediction.risk)


def best_predictions(
    target: Target, sizes: Sequence[int], kernel: str, noise: float = 0.0, bias: float = 1.0
) -> list[Prediction]:
    """Return the prediction of least risk at each number of samples; its risk is in the squared units of the target.

    Args:
        target, sizes, kernel, noise, bias: as in ``predicted_risks``.

    Raises:
        BadParameter: if a parameter is out of range.

    Chapter: degree_by_degree.
    """
    spectrum, energies = kernel_spectrum(kernel, target.dim, bias), sphere_energies(target)
    return [predict_best(spectrum, energies, n, noise) for n in sizes]


def sphere_variance(target: Target) -> float:
    """Return Var f* on the sphere of radius sqrt(d), the unit of a risk there: the energies of degrees one and more.

    Args:
        target: polynomial target.

    Raises:
        BadParameter: if the target is constant on the sphere.

    Chapters: degree_by_degree, sparse_bias.

    >>> from beyond_kernel.foundations.targets.target import parse_target
    >>> round(sphere_variance(parse_target("3 + z1*z2", 10)), 4)  # d / (d + 2)
    0.8333
    """
    variance = float(sphere_energies(target)[1:].sum())
    if not variance > NO_ENERGY * target.second_moment:
        raise BadParameter(f"target {target.text!r} is constant on the sphere: no risk can be given in its variance.")
    return variance


def predicted_risks(
    target: Target, sizes: Sequence[int], kernel: str, noise: float = 0.0, bias: float = 1.0
) -> np.ndarray:
    """Predict the risk E(f - f*)^2 / Var f* of ridge regression with an exact ReLU kernel, the best penalty at each n.

    It assumes that inputs are uniform on the sphere of radius sqrt(d), under which energies and Var f* are taken, and
    that harmonics behave like independent Gaussians; nothing is fitted. The lengths of Gaussian inputs vary and carry
    what no kernel on the sphere has to learn: there the risk lies above this, the more so the larger n.

    Args:
        target: f*, whose dimension is d; at least 3.
        sizes: numbers of training samples, each above 0.
        kernel: "random features" or "tangent".
        noise: standard deviation of the label noise, in the units of the target.
        bias: standard deviation of the neurons' biases.

    Returns:
        Risks, of shape (len(sizes),).

    Raises:
        BadParameter: if a parameter is out of range, or the target is constant on the sphere.

    Source: ``predict``. Chapters: degree_by_degree, one_step.

    >>> from beyond_kernel.foundations.targets.target import parse_target
    >>> predicted_risks(parse_target("z1*z2", 1000), [1000, 10**6], "tangent").round(2).tolist()
    [1.0, 0.26]
    """
    found = best_predictions(target, sizes, kernel, noise, bias)
    return np.array([prediction.risk for prediction in found]) / sphere_variance(target)


def predicted_samples(spectrum: SphereSpectrum, degree: int, share: float = 0.5) -> float:
    """Return the number of samples from which on a share of a degree is learnt, without noise and penalty.

    Where L_k = share, the resolution is lambda_k (1 - share) / share, and the scalar equation gives n at once.

    Args:
        spectrum: of the kernel.
        degree: k.
        share: between 0 and 1, both excluded.

    Returns:
        The number of samples; infinite where the spectrum holds nothing of this degree, absent or lost in rounding.

    Raises:
        BadParameter: if the degree is not in the spectrum, or the share is out of range.

    Source: the scalar equation of ``predict``. Chapter: degree_by_degree.
    """
    if not 0 <= degree < len(spectrum.eigenvalues):
        raise BadParameter(f"degree = {degree} is not in the spectrum: it holds 0 to {len(spectrum.eigenvalues) - 1}.")
    if not 0 < real_number("share", share) < 1:
        raise BadParameter(f"share = {share} is out of range: it must lie between 0 and 1, both excluded.")
    if spectrum.eigenvalues[degree] <= 0:
        return math.inf
    return _used(spectrum)(float(spectrum.eigenvalues[degree]) * (1 - share) / share)


def samples_for_risk(spectrum: SphereSpectrum, energies: torch.Tensor, risk: float, noise: float = 0.0) -> float:
    """Return the least number of samples with which the best penalty is predicted to reach a risk.

    For each resolution kappa the shares L_k are known. There the risk is reached from

        n = sum_k B_k L_k^2 / (1 - (sum_k (1 - L_k)^2 E_k + noise^2) / (risk + noise^2))

    on, or from the n that gives this kappa without a penalty, if that is more; the least over all kappa is returned.
    No equation has to be solved, so that d = 1,000 costs what d = 10 costs.

    Args:
        spectrum: of the kernel.
        energies: E_k of the target on the sphere, of shape (degree + 1,).
        risk: E (f - f*)^2 to be reached, above 0, in the units of the energies.
        noise: standard deviation of the label noise.

    Returns:
        The number of samples; infinite where a part of which the spectrum holds nothing (absent, or lost in rounding)
        has more energy than ``risk``.

    Raises:
        BadParameter: if a number is out of range, or the target has a degree above the spectrum.

    Source: derived here from the equations of ``predict``. Chapter: degree_by_degree.
    """
    real_number("risk", risk, above=0)
    real_number("noise", noise, least=0)
    target = _padded(energies, spectrum)
    held = spectrum.eigenvalues[spectrum.eigenvalues > 0]
    lowest = min(-8.0, 0.5 * math.log(risk / max(float(target.sum()), risk)) - 2)  # 1 - L falls like kappa / lambda
    low, high = math.log(float(held.min())) + lowest, math.log(spectrum.trace) + 2
    for _ in range(4):  # a grid, then three times a finer one around its best point
        grid = torch.linspace(low, high, 1001, dtype=target.dtype, device=target.device)
        needed = _samples_at(spectrum, target, grid.exp(), risk, noise)
        best = int(needed.argmin())
        low, high = float(grid[max(best - 1, 0)]), float(grid[min(best + 1, 1000)])
    return float(needed[best])


def _samples_at(
    spectrum: SphereSpectrum, target: torch.Tensor, resolutions: torch.Tensor, risk: float, noise: float
) -> torch.Tensor:
    """Return for each resolution the least n that reaches the risk with it, infinite where none does."""
    learnt = _shares(spectrum, resolutions[:, None])
    room = 1 - ((1 - learnt).square() @ target + noise**2) / (risk + noise**2)
    needed = learnt.square() @ spectrum.multiplicities / room
    without_penalty = learnt @ spectrum.multiplicities + max(spectrum.tail, 0.0) / resolutions
    return torch.maximum(needed, without_penalty).where(room > 1e-12, torch.full_like(room, math.inf))


def _shares(spectrum: SphereSpectrum, resolution: float | torch.Tensor) -> torch.Tensor:
    """Return L_k for each degree; zero for one that the kernel does not hold."""
    values = spectrum.eigenvalues.clamp(min=0)
    return values / (values + resolution)


def _used(spectrum: SphereSpectrum) -> Callable[[float], float]:
    """Return the function kappa -> sum_k B_k L_k + tail / kappa."""
    values, counts = spectrum.eigenvalues.clamp(min=0).numpy(), spectrum.multiplicities.numpy()
    tail = max(spectrum.tail, 0.0)
    return lambda resolution: float(counts @ (values / (values + resolution))) + tail / resolution


def _resolution(spectrum: SphereSpectrum, n: float, penalty: float) -> float:
    """Return the root of the scalar equation; its left side falls from infinity to 0 in the resolution."""
    held = spectrum.eigenvalues > 0
    smallest = min(spectrum.eigenvalues[held].tolist(), default=0.0)
    most = float(spectrum.multiplicities[held].sum())
    if n >= most and penalty == 0 and spectrum.tail <= 0:  # counted, so that no rounding of the left side decides
        raise BadParameter(
            f"n = {n:g} is out of range: without a penalty it must be below {most:g}, the number of harmonics that the "
            "spectrum holds; give a higher max_degree or a penalty above 0."
        )
    used = _used(spectrum)

    def excess(log_resolution: float) -> float:
        resolution = math.exp(log_resolution)
        return math.log(used(resolution) / n + penalty / resolution)

    # Below each of the three bounds one term alone makes the left side at least n.
    least = max(penalty, spectrum.tail / n, smallest * (most / n - 1))
    low, high = math.log(least / 2), math.log(2 * (spectrum.trace / n + penalty))
    return math.exp(brentq(excess, low, high, xtol=1e-13))


def _padded(energies: torch.Tensor, spectrum: SphereSpectrum) -> torch.Tensor:
    vector("energies", energies)
    missing = len(spectrum.eigenvalues) - len(energies)
    if missing < 0:
        raise BadParameter(f"energies has degree {len(energies) - 1}: the spectrum ends at {len(spectrum.shares) - 1}.")
    return torch.cat([energies.to(spectrum.eigenvalues), spectrum.eigenvalues.new_zeros(missing)])
