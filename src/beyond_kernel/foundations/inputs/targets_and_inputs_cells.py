"""The experiments of chapter targets_and_inputs that ask for no label: energies by law, and inputs with a spike."""

import math

import torch

from beyond_kernel.checks import whole_number
from beyond_kernel.foundations.inputs.harmonics import sphere_energies
from beyond_kernel.foundations.inputs.laws import spiked_gaussian
from beyond_kernel.foundations.inputs.targets_and_inputs import (
    MOST_CUBE,
    energy_gap,
    hypercube_energies,
    on_axes,
)
from beyond_kernel.foundations.targets.target import parse_target
from beyond_kernel.random_streams import generator_for


def energy_gap_cell(text: str, d: int, *, device: str = "cpu", seed: int) -> dict[str, float]:
    """Return how far the energies by degree lie from the Gaussian ones: half the sum of |difference| over E f^2.

    ``sphere`` and ``cube`` have the target's directions drawn from the seed, ``axes`` lays them along the axes of the
    hypercube. Beyond d = 16 the corners are not visited and the last two are NaN.

    Args:
        text: a polynomial in z1, z2, ...
        d: dimension.
        device: where the corners are visited.
        seed: seed of the hidden directions.

    Raises:
        BadParameter: as ``parse_target``.

    Chapter: targets_and_inputs.
    """
    target = parse_target(text, d, seed)
    small = d <= MOST_CUBE
    return {
        "sphere": energy_gap(target, sphere_energies(target)),
        "cube": energy_gap(target, hypercube_energies(target, device)) if small else math.nan,
        "axes": energy_gap(target, hypercube_energies(on_axes(text, d), device)) if small else math.nan,
    }


def spike_cell(d: int, n: int, strength: float, *, device: str = "cpu", seed: int) -> dict[str, float]:
    """Draw n spiked Gaussian inputs and return ``overlap``: the squared cosine of spike and first principal component.

    Args:
        d: dimension, at least 2.
        n: number of draws.
        strength: theta, above -1.
        device: where the principal component is computed.
        seed: seed of the spike and of the draws.

    Raises:
        BadParameter: if an argument is out of range.

    Chapter: targets_and_inputs.
    """
    mu = parse_target("z1", whole_number("d", d, least=2), seed).directions[:, 0]
    X = spiked_gaussian(n, d, generator_for(seed, "spiked", d, n), direction=mu, strength=strength).to(device)
    _, vectors = torch.linalg.eigh(X.T @ X / n)
    return {"overlap": float((vectors[:, -1] @ mu.to(X)).square())}
