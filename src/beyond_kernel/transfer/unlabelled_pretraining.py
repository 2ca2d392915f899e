"""A start that needs no label: the first principal component of inputs with a spike, drawn exactly without the inputs.

A sample matrix of n inputs, written in an orthonormal basis that begins with the spike mu and bidiagonalised by
Householder reflections that start at its first column, has independent chi variables as entries: sqrt(1 + theta) chi_n,
chi_{n-1}, ... on the diagonal and chi_{d-1}, chi_{d-2}, ... above it. The reflections leave the first basis vector
alone, so the first entry of the leading eigenvector of B^T B has the law of <mu^, mu>, in d dimensions of which none
is drawn. Beside mu the component points anywhere: that part is uniform on the sphere of the other d - 1 dimensions.

States (a, b) are those of ``spiked_chain``.
"""

import math

import numpy as np
import torch
from scipy.linalg import eigh_tridiagonal

from beyond_kernel.checks import matrix, real_number, whole_number
from beyond_kernel.transfer.spiked_chain import pre_activations, spiked_samples
from beyond_kernel.transfer.spiked_neuron import SpikedNeuron


def bidiagonal_sample(
    d: int, unlabelled: int, strength: float, generator: torch.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draw diagonal and upper diagonal of the bidiagonal form of a sample matrix, begun at the spike.

    Args:
        d: dimension, at least 4.
        unlabelled: number n of inputs, at least 2.
        strength: theta, at least 0.
        generator: source of the sample, on the processor.

    Returns:
        Arrays of min(n, d) and of min(n, d - 1) entries; a wide matrix, n < d, has a column more than rows.

    Raises:
        BadParameter: if an argument is out of range.

    Source: the bidiagonal form of Dumitriu and Edelman (2002), begun at the spike. Chapter: unlabelled_pretraining.
    """
    whole_number("d", d, least=4), whole_number("unlabelled", unlabelled, least=2)
    rows = min(unlabelled, d)
    diagonal = _chi(unlabelled - np.arange(rows), generator)
    diagonal[0] *= math.sqrt(1 + real_number("strength", strength, least=0))
    return diagonal, _chi(d - 1 - np.arange(min(rows, d - 1)), generator)


def component_overlaps(
    d: int, unlabelled: int, strength: float, replicas: int, generator: torch.Generator
) -> torch.Tensor:
    """Draw |<mu^, mu>| for the first principal component mu^ of that many inputs, exactly in law, without the inputs.

    Args:
        d: dimension, at least 4.
        unlabelled: number n of inputs, at least 2.
        strength: theta, at least 0.
        replicas: R, how many independent samples.
        generator: source of the samples, on the processor.

    Returns:
        float64 tensor of shape (R,) on the processor, from 0 to 1.

    Raises:
        BadParameter: if an argument is out of range.

    Source: derived here from the bidiagonal form of Dumitriu and Edelman (2002). Chapter: unlabelled_pretraining.
    """
    found = []
    for _ in range(whole_number("replicas", replicas)):
        diagonal, upper = bidiagonal_sample(d, unlabelled, strength, generator)
        size = max(len(diagonal), len(upper) + 1)
        squares = np.zeros(size)
        squares[: len(diagonal)] = diagonal**2
        squares[1:] += upper[: size - 1] ** 2
        beside = diagonal[: size - 1] * upper[: size - 1]
        leading = eigh_tridiagonal(squares, beside, select="i", select_range=(size - 1, size - 1))[1]
        found.append(abs(float(leading[0, 0])))
    return torch.tensor(found, dtype=torch.float64, device="cpu")


def component_starts(task: SpikedNeuron, unlabelled: int, replicas: int, generator: torch.Generator) -> torch.Tensor:
    """Draw the states (a, b) of neurons that start at a first principal component, whose sign is a coin.

    Args:
        task: the inputs.
        unlabelled: number of inputs that the component is taken of, at least 2.
        replicas: R, each with inputs of its own.
        generator: source of the samples, on the processor.

    Returns:
        float64 tensor of shape (R, 2) on the processor.

    Raises:
        BadParameter: if a number is out of range.

    Source: Jones-McCormick, Jagannath and Sen (2025) for the start. Chapter: unlabelled_pretraining.
    """
    along = component_overlaps(task.dim, unlabelled, task.strength, replicas, generator)
    beside = (1 - along**2).clamp(min=0).sqrt() * _first_coordinates(task.dim - 1, replicas, 1, generator)[:, 0]
    heads = torch.randint(2, (replicas, 1), generator=generator, device="cpu")
    return torch.stack([along, beside], 1) * (2.0 * heads - 1)


def random_starts(task: SpikedNeuron, replicas: int, generator: torch.Generator) -> torch.Tensor:
    """Draw the states (a, b) of neurons of uniform direction.

    Args:
        task: the inputs.
        replicas: R.
        generator: source of the weights, on the processor.

    Returns:
        float64 tensor of shape (R, 2) on the processor.

    Raises:
        BadParameter: if replicas is below 1.

    Chapter: unlabelled_pretraining.
    """
    return _first_coordinates(task.dim, whole_number("replicas", replicas), 2, generator)


def signed_by_labels(task: SpikedNeuron, starts: torch.Tensor, labels: int, generator: torch.Generator) -> torch.Tensor:
    """Return the starts, each with the sign under which fresh labels correlate with f(<w, x>) the more.

    An input tells a direction and no sign. The labels that choose it count like any other.

    Args:
        task: inputs and link.
        starts: states (a, b), of shape (R, 2).
        labels: number of samples for each replica, at least 1.
        generator: source of the samples, on the processor.

    Returns:
        Tensor of the shape, dtype and device of ``starts``.

    Raises:
        BadParameter: if an argument is out of range.
        TypeError: if ``starts`` is no floating-point tensor.

    Source: the choice of sign is ours. Chapter: unlabelled_pretraining.
    """
    state = matrix("starts", starts, 2).detach().cpu().double().numpy().T
    x, _, y = spiked_samples(task, whole_number("labels", labels), len(starts), generator)
    z = pre_activations(x, state)
    gain = (y * (task.link.values(z) - task.link.values(-z))).sum(0)
    turned = torch.as_tensor(gain < 0, device="cpu").to(starts.device)
    return torch.where(turned[:, None], -starts, starts)


def _first_coordinates(d: int, replicas: int, coordinates: int, generator: torch.Generator) -> torch.Tensor:
    """Draw the first coordinates of uniform unit vectors in d dimensions, of shape (replicas, coordinates)."""
    z = torch.randn(replicas, coordinates, generator=generator, dtype=torch.float64, device="cpu")
    rest = torch.as_tensor(_chi(np.full(replicas, d - coordinates), generator), device="cpu")
    return z / (z.square().sum(1) + rest**2).sqrt()[:, None]


def _chi(freedom: np.ndarray, generator: torch.Generator) -> np.ndarray:
    halves = torch.as_tensor(freedom / 2, dtype=torch.float64, device="cpu")
    return np.sqrt(2 * torch._standard_gamma(halves, generator=generator).numpy())
