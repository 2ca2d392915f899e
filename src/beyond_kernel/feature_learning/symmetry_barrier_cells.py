"""The exact experiments on symmetry, each a pure function of one cell's parameters: correlations and counts."""

import math
from collections.abc import Sequence

import numpy as np
import torch

from beyond_kernel.checks import list_of, whole_number
from beyond_kernel.feature_learning.orbits import (
    burnside_counts,
    group_elements,
    group_generators,
    orbit_counts,
    orbit_labels,
    orbit_mean,
)
from beyond_kernel.feature_learning.symmetry_barrier import (
    mean_cosines,
    mean_squares_by_size,
    mean_variance,
    orbit_correlations,
    random_neuron,
    remembering_risk,
)
from beyond_kernel.foundations.targets.walsh_hadamard import MOST_CUBE, energies_by_size, walsh_hadamard
from beyond_kernel.random_streams import generator_for


def correlation_cell(
    d: int, group: str, sizes: Sequence[int], activation: str, neurons: int, *, device: str = "cpu", seed: int
) -> dict[str, np.ndarray | float]:
    """Measure how well random neurons, plain and averaged over a group, agree with parities and with orbit sums.

    Args:
        d: dimension, at most 16.
        group: a key of ``GROUPS``.
        sizes: numbers k of coordinates, each from 1 to d.
        activation: a key of ``ACTIVATIONS``.
        neurons: number of random neurons over which squares are averaged; their biases are those of any other d.

    Returns:
        By entry of sizes. ``plain`` and ``invariant``: ``mean_cosines`` of plain neurons with parities and of averaged
        neurons with orbit sums, exact means over the signs and the order of the weights; ``signal``: the squared
        correlations of averaged neurons with orbit sums over those of plain ones with parities, as drawn; ``gain``: the
        squared correlations of averaged neurons with orbit sums over theirs with parities, as drawn; ``expected``: what
        the last must be, the number of sets over the number of orbits. And ``factor``, the variance of plain over that
        of averaged neurons, an exact mean like the first two, and ``drawn``, the same as drawn.

    Raises:
        BadParameter: if a parameter is out of range.

    Chapter: symmetry_barrier.
    """
    whole_number("d", d, least=2, most=MOST_CUBE)
    wanted = list_of("sizes", list(sizes), lambda name, value: whole_number(name, value, most=d))
    labels = orbit_labels(group_generators(group, d), d, device)
    single, rows, energies = torch.arange(2**d, device=device), [], []
    generator, biases = generator_for(seed, "neurons", d), generator_for(seed, "biases")
    for b in torch.randn(whole_number("neurons", neurons), generator=biases, dtype=torch.float64, device="cpu"):
        h = random_neuron(activation, float(b), d, generator, device)
        averaged = orbit_mean(h, labels)
        squares = [
            mean_squares_by_size(orbit_correlations(values, by), by)[wanted]
            for values, by in ((h, single), (averaged, single), (h, labels))
        ]
        rows.append(torch.cat([*squares, torch.stack([h.var(correction=0), averaged.var(correction=0)])]))
        energies.append(energies_by_size(walsh_hadamard(h)))
    means = torch.stack(rows).mean(0).cpu().numpy()
    sets, of_shared, of_orbits = means[:-2].reshape(3, -1)
    counts, energy = orbit_counts(labels), torch.stack(energies).mean(0)
    plain, invariant = mean_cosines(energy, orbit_counts(single)), mean_cosines(energy, counts)
    return {
        "plain": plain[wanted].cpu().numpy(),
        "invariant": invariant[wanted].cpu().numpy(),
        "signal": of_orbits / sets,
        "gain": of_orbits / of_shared,
        "expected": np.array([math.comb(d, k) for k in wanted]) / counts[wanted].cpu().numpy(),
        "factor": float(mean_variance(energy, orbit_counts(single)) / mean_variance(energy, counts)),
        "drawn": float(means[-2] / means[-1]),
    }


def counting_cell(d: int, group: str, sizes: Sequence[int], *, device: str = "cpu", seed: int) -> dict:
    """Count the orbits of sets of k coordinates by looking at all of them, and by Burnside's lemma.

    Args:
        d: dimension, at most 16.
        group: a key of ``GROUPS`` with at most 4096 elements at this d.
        sizes: numbers k of coordinates.
        seed: not used, as nothing is drawn.

    Returns:
        ``orbits`` and ``burnside``, by entry of sizes; ``order``, the number of elements.

    Raises:
        BadParameter: if a parameter is out of range.

    Chapter: symmetry_barrier.
    """
    generators = group_generators(group, d)
    wanted = list_of("sizes", list(sizes), lambda name, value: whole_number(name, value, most=d))
    elements = group_elements(generators, d)
    found = orbit_counts(orbit_labels(generators, d, device)).cpu().numpy()
    return {
        "orbits": found[wanted],
        "burnside": np.array(burnside_counts(elements, d))[wanted],
        "order": float(len(elements)),
    }


def remembering_cell(d: int, group: str, k: int, *, device: str = "cpu", seed: int) -> dict[str, float]:
    """Find how many samples a learner needs that knows the group and remembers the label of each orbit it has seen.

    The target is the orbit sum of the parity of k neighbours; on an orbit that is not seen the learner says 0.

    Args:
        d: dimension, at most 16.
        group: a key of ``GROUPS``.
        k: number of coordinates, at most d.
        seed: not used, as the mean over samples is exact.

    Returns:
        ``samples``: the smallest number of which the mean risk is at most one half; ``orbits``, of corners.

    Raises:
        BadParameter: if a parameter is out of range.

    Chapter: symmetry_barrier.
    """
    labels = orbit_labels(group_generators(group, d), d, device)
    coefficients = torch.zeros(2**d, dtype=torch.float64, device=device)
    coefficients[labels == labels[2 ** whole_number("k", k, most=d) - 1]] = 1
    values = walsh_hadamard(coefficients) * 2**d
    low, high = 0, 1
    while remembering_risk(values, labels, high) > 0.5:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if remembering_risk(values, labels, middle) <= 0.5 else (middle, high)
    return {"samples": float(high), "orbits": float(labels.max() + 1)}
