"""What the law of the inputs does to a target: energies by degree, spikes, and what labels say of directions."""

import math

import torch

from beyond_kernel.checks import BadParameter, matrix, real_number, vector, whole_number
from beyond_kernel.foundations.inputs.harmonics import sphere_energies
from beyond_kernel.foundations.targets.target import Target, parse_target
from beyond_kernel.foundations.targets.walsh_hadamard import (
    MOST_CUBE,
    cube_corners,
    energies_by_size,
    walsh_hadamard,
)


def hypercube_energies(target: Target, device: torch.device | str = "cpu") -> torch.Tensor:
    """Return E f_k^2 for k = 0, ..., degree, f_k the multilinear part of degree k of f on the corners of {-1, 1}^d.

    All 2^d values go through a Walsh-Hadamard transform; a coefficient's degree is the number of its coordinates.

    Args:
        target: polynomial target in dimension d of at most 16.
        device: where the corners are visited.

    Returns:
        Energies, float64, of shape (degree + 1,), on this device; they add up to E f^2 on the hypercube.

    Raises:
        BadParameter: if d is above 16.

    Source: Fourier analysis on the hypercube. Chapter: targets_and_inputs.
    """
    d = whole_number("d", target.dim, most=MOST_CUBE)
    energies = energies_by_size(walsh_hadamard(target(cube_corners(d, device=device))))
    return torch.cat([energies, energies.new_zeros(max(0, target.degree - d))])[: target.degree + 1]


def on_axes(text: str, d: int) -> Target:
    """Return the target whose hidden directions are the first coordinate axes.

    Args:
        text: a polynomial in z1, z2, ...
        d: dimension.

    Raises:
        BadParameter: as ``parse_target``.

    Chapter: targets_and_inputs.
    """
    return parse_target(text, d, directions=torch.eye(whole_number("d", d), dtype=torch.float64, device="cpu"))


def energies_by_law(text: str, d: int, seed: int) -> dict[str, torch.Tensor]:
    """Return E f_k^2 for k = 0, ..., degree under four laws: Gaussian, sphere, hypercube drawn and hypercube on axes.

    Args:
        text: a polynomial in z1, z2, ...
        d: dimension, at most 16.
        seed: seed of the hidden directions; on the axes they are not drawn.

    Raises:
        BadParameter: as ``parse_target`` and ``hypercube_energies``.

    Chapter: targets_and_inputs.
    """
    drawn = parse_target(text, d, seed)
    return {
        "Gaussian": drawn.energy_by_degree(),
        "sphere": sphere_energies(drawn),
        "hypercube, drawn": hypercube_energies(drawn),
        "hypercube, axes": hypercube_energies(on_axes(text, d)),
    }


def energy_gap(target: Target, energies: torch.Tensor) -> float:
    """Return half the sum over the degrees of |E f_k^2 - its Gaussian value|, over the Gaussian E f^2.

    Args:
        target: polynomial target.
        energies: E f_k^2 by degree under another law, shape (degree + 1,).

    Raises:
        BadParameter: if the shape does not fit.

    Chapter: targets_and_inputs.
    """
    gaps = vector("energies", energies, target.degree + 1) - target.energy_by_degree().to(energies.device)
    return float(gaps.abs().sum()) / (2 * target.second_moment)


def direction_signal(X: torch.Tensor, y: torch.Tensor) -> tuple[float, float]:
    """Return |E y u| sqrt(d) and the norm of d E y u u^T with u = x / |x| and labels of mean zero and variance one.

    These are what a label says about directions in the first and in the second degree. Radial labels on radial inputs
    say nothing: both are then noise of order sqrt(d / n).

    Args:
        X: inputs, shape (n, d), none of them zero.
        y: labels, shape (n,), not all equal.

    Raises:
        BadParameter: if shapes do not fit or all labels are equal.

    Source: derived here. Chapter: targets_and_inputs.
    """
    n, d = matrix("X", X).shape
    centred = vector("y", y, n) - y.mean()
    if not centred.any():
        raise BadParameter("y holds one value only: such labels say nothing at all.")
    labels = centred / centred.square().mean().sqrt()
    U = X / X.norm(dim=1, keepdim=True)
    second = torch.linalg.eigvalsh(d * (U.T * labels) @ U / n).abs().max()
    return float((labels @ U / n).norm()) * math.sqrt(d), float(second)


def predicted_spike_overlap(strength: float, ratio: float) -> float:
    """Return the limit of that squared cosine for n = ratio * d: (1 - g / t^2) / (1 + g / t), g = 1 / ratio, t = theta.

    Below t^2 = g the first principal component knows nothing of the spike, and the limit is 0.

    Args:
        strength: theta, at least 0.
        ratio: n / d, above 0.

    Raises:
        BadParameter: if an argument is out of range.

    Source: Baik, Ben Arous and Peche (2005) for the transition; Paul (2007) for the overlap.
    Chapter: targets_and_inputs.
    """
    t, g = real_number("strength", strength, least=0), 1 / real_number("ratio", ratio, above=0)
    return (1 - g / t**2) / (1 + g / t) if t * t > g else 0.0


def leading_degree(energies: torch.Tensor) -> int | None:
    """Return the smallest k >= 1 with more than 1e-12 of the energy, or None where there is no such degree.

    Args:
        energies: E f_k^2 by degree, shape (degree + 1,).

    Chapter: targets_and_inputs.
    """
    values = vector("energies", energies)
    found = (values[1:] > 1e-12 * values.sum()).nonzero()
    return int(found[0]) + 1 if len(found) else None
