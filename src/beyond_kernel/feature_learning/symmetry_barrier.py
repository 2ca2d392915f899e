"""How well a random neuron, and its average over a group, agree with parities and with their sums over orbits."""

import math
from collections.abc import Callable

import torch

from beyond_kernel.checks import BadParameter, one_of, real_number, vector, whole_number
from beyond_kernel.feature_learning.orbits import orbit_counts, orbit_sums
from beyond_kernel.foundations.targets.walsh_hadamard import cube_bits, cube_corners, walsh_hadamard

ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "relu": torch.relu,
    "tanh": torch.tanh,
    "sine": torch.sin,
    "softplus": torch.nn.functional.softplus,
}
"""The activations of the random neurons by name."""


def random_neuron(
    activation: str, bias: float, d: int, generator: torch.Generator, device: torch.device | str | None = None
) -> torch.Tensor:
    """Return sigma(<w, x> + b) at all corners of the cube for one draw of w ~ N(0, I_d / d).

    Args:
        activation: a key of ``ACTIVATIONS``.
        bias: b.
        d: dimension, at most 16.
        generator: source of w.
        device: where the values are to lie; the generator's own where it is left out.

    Returns:
        Values, float64, shape (2^d,), in the order of ``cube_corners``.

    Raises:
        BadParameter: if the activation is not known, or a number is out of range.

    Chapter: symmetry_barrier.
    """
    sigma, here = ACTIVATIONS[one_of("activation", activation, list(ACTIVATIONS))], generator.device
    corners = cube_corners(d, device=device or here)
    w = torch.randn(d, generator=generator, dtype=torch.float64, device=here) / math.sqrt(d)
    return sigma(corners @ w.to(corners) + real_number("bias", bias))


def orbit_correlations(values: torch.Tensor, labels: torch.LongTensor) -> torch.Tensor:
    """Return E h psi_O for every orbit O, with psi_O = |O|^(-1/2) times the sum of the parities of the sets in O.

    The psi_O are orthonormal and span the functions that the group leaves as they are.

    Args:
        values: h at all corners, shape (2^d,).
        labels: numbers of the orbits, shape (2^d,), as from ``orbit_labels``.

    Returns:
        Correlations by number of the orbit, dtype and device of the values.

    Raises:
        BadParameter, TypeError: as ``walsh_hadamard`` and ``orbit_sums``.

    Source: derived here. Chapter: symmetry_barrier.
    """
    sums = orbit_sums(walsh_hadamard(values), labels)
    return sums / orbit_sums(torch.ones_like(values), labels).sqrt()


def mean_squares_by_size(correlations: torch.Tensor, labels: torch.LongTensor) -> torch.Tensor:
    """Return for k = 0, ..., d the mean of the squared correlations over all orbits of sets of k coordinates.

    Args:
        correlations: one for each orbit, as from ``orbit_correlations``.
        labels: numbers of the orbits, shape (2^d,).

    Returns:
        Means, shape (d + 1,), dtype and device of the correlations.

    Raises:
        BadParameter: if there is not one correlation for each orbit, or labels are not accepted by ``orbit_counts``.
        TypeError: if correlations are no floating-point tensor, or labels no tensor of whole numbers.

    Chapter: symmetry_barrier.
    """
    counts = orbit_counts(labels)
    vector("correlations", correlations, int(counts.sum()))
    sizes = cube_bits(len(counts) - 1, labels.device).sum(1)
    by_orbit = sizes.new_zeros(len(correlations)).scatter(0, labels, sizes)
    sums = correlations.new_zeros(len(counts)).index_add(0, by_orbit, correlations.square())
    return sums / counts


def mean_variance(energies: torch.Tensor, counts: torch.LongTensor) -> torch.Tensor:
    """Return the mean variance of a neuron that is averaged over a group, over all signs and orders of its weights.

    By signs, coefficients of different sets are uncorrelated; by order, those of all sets of k coordinates have the
    same mean square e_k. Averaging over the group leaves e_k of each of the orbits: the sum over k of (orbits) e_k.

    Args:
        energies: E h_k^2 of the neuron, or its mean over neurons, for k = 0, ..., d, as from ``energies_by_size``.
        counts: numbers of orbits of sets of k coordinates, shape (d + 1,), as from ``orbit_counts``.

    Returns:
        The variance, shape (), dtype and device of the energies.

    Raises:
        BadParameter: if the shapes do not fit.
        TypeError: if energies are no floating-point tensor.

    Source: derived here. Chapter: symmetry_barrier.
    """
    return (_mean_squares(energies) * _as_numbers(counts, energies))[1:].sum()


def mean_cosines(energies: torch.Tensor, counts: torch.LongTensor) -> torch.Tensor:
    """Return for k = 0, ..., d the mean of (E h psi_O)^2 over the mean variance of h, a neuron averaged over a group.

    Means are over all signs and orders of the weights, and so the same for each orbit O of sets of k coordinates. The
    numerator is e_k, whatever the group. With one orbit for each set this is about plain neurons and parities.

    Args:
        energies, counts: as in ``mean_variance``.

    Returns:
        Mean squared cosines, shape (d + 1,), dtype and device of the energies; the entry k = 0 is about the constant.

    Raises:
        BadParameter, TypeError: as ``mean_variance``.

    Source: derived here. Chapter: symmetry_barrier.
    """
    return _mean_squares(energies) / mean_variance(energies, counts)


def remembering_risk(values: torch.Tensor, labels: torch.LongTensor, n: int) -> float:
    """Return the mean risk of a learner that remembers the values on all orbits among n samples, and says 0 elsewhere.

    It is the mean over the corners of f^2 times the chance (1 - |O| / 2^d)^n that the orbit O was not seen, over E f^2.

    Args:
        values: f at all corners, a function that the group leaves as it is, not zero, shape (2^d,).
        labels: numbers of the orbits, shape (2^d,).
        n: number of samples, at least 0.

    Raises:
        BadParameter, TypeError: as ``orbit_sums``; if n is no whole number of at least 0.

    Source: derived here. Chapter: symmetry_barrier.
    """
    squares = vector("values", values).square()
    chances = orbit_sums(torch.ones_like(values), labels) / len(values)
    unseen = (1 - chances).pow(whole_number("n", n, least=0))
    return float((orbit_sums(squares, labels) * unseen).sum() / squares.sum())


def queries_needed(targets: int, tolerance: float) -> float:
    """Return how many correlations, each known up to a tolerance, are needed to find one of several targets.

    Each query h with E h^2 = 1 has squared correlation above tolerance^2 with at most 1 / tolerance^2 of orthonormal
    targets. Answer 0 otherwise: all but this many stay possible after each query.

    Args:
        targets: number of orthonormal targets, at least 1.
        tolerance: error of a correlation, above 0.

    Raises:
        BadParameter: if targets is no whole number of at least 1, or the tolerance is not above 0.

    Source: the classical counting argument for correlational queries, worked out in the chapter.
    Chapter: symmetry_barrier.

    >>> queries_needed(1001, 0.5)
    250.0
    """
    return (whole_number("targets", targets) - 1) * real_number("tolerance", tolerance, above=0) ** 2


def _mean_squares(energies: torch.Tensor) -> torch.Tensor:
    """Return e_k, the energy of degree k over the number of sets of k coordinates."""
    d = len(vector("energies", energies)) - 1
    sets = [math.comb(d, k) for k in range(d + 1)]
    return energies / torch.tensor(sets, dtype=energies.dtype, device=energies.device)


def _as_numbers(counts: torch.LongTensor, energies: torch.Tensor) -> torch.Tensor:
    if not isinstance(counts, torch.Tensor) or counts.dtype != torch.int64:
        kind = counts.dtype if isinstance(counts, torch.Tensor) else type(counts).__name__
        raise TypeError(f"counts is of type {kind}: it must be a torch tensor of whole numbers, as of orbit_counts.")
    if counts.shape != energies.shape:
        raise BadParameter(f"counts has shape {tuple(counts.shape)}: it must have shape {tuple(energies.shape)}.")
    return counts.to(energies)
