"""Groups of permutations of the coordinates, the orbits of sets under them, and two ways to count these."""

import math
from collections.abc import Sequence

import torch

from beyond_kernel.checks import BadParameter, list_of, one_of, vector, whole_number
from beyond_kernel.foundations.targets.walsh_hadamard import MOST_CUBE, cube_bits

GROUPS = {
    "trivial": (1, "nothing is moved"),
    "pairs": (2, "swaps within the pairs (1, 2), (3, 4), ..."),
    "cyclic": (1, "all shifts"),
    "dihedral": (1, "all shifts and reflections"),
    "halves": (2, "shifts of each half by itself"),
    "symmetric": (1, "all permutations"),
}
"""Of each group by name, the number that d must be a multiple of, and what it does."""
MOST_ELEMENTS = 4096
"""Largest number of group elements that are listed one by one."""

Permutation = tuple[int, ...]


def group_generators(group: str, d: int) -> list[Permutation]:
    """Return permutations that generate a group; p moves coordinate i to place p[i], places counted from 0.

    Args:
        group: a key of ``GROUPS``.
        d: number of coordinates, at least 2; even for pairs and halves.

    Raises:
        BadParameter: if the group is not known or d does not fit.

    Chapter: symmetry_barrier.

    >>> group_generators("dihedral", 3)
    [(1, 2, 0), (2, 1, 0)]
    """
    multiple = GROUPS[one_of("group", group, list(GROUPS))][0]
    if whole_number("d", d, least=2) % multiple:
        raise BadParameter(f"d = {d} is odd: the group {group!r} must have an even number of coordinates.")
    shift = tuple((i + 1) % d for i in range(d))
    swap = (1, 0, *range(2, d))
    half = d // 2
    first = (*((i + 1) % half for i in range(half)), *range(half, d))
    second = (*range(half), *(half + (i + 1) % half for i in range(half)))
    return {
        "trivial": [],
        "pairs": [(*range(i), i + 1, i, *range(i + 2, d)) for i in range(0, d - 1, 2)],
        "cyclic": [shift],
        "dihedral": [shift, tuple(reversed(range(d)))],
        "halves": [first, second],
        "symmetric": [shift, swap],
    }[group]


def group_order(group: str, d: int) -> int:
    """Return the number of permutations in a group.

    Args:
        group, d: as in ``group_generators``.

    Raises:
        BadParameter: as ``group_generators``.

    Chapter: symmetry_barrier.

    >>> group_order("dihedral", 8), group_order("pairs", 8), group_order("halves", 8)
    (16, 16, 16)
    """
    group_generators(group, d)
    orders = {
        "trivial": 1,
        "pairs": 2 ** (d // 2),
        "cyclic": d,
        "halves": (d // 2) ** 2,
        "symmetric": math.factorial(d),
    }
    return orders[group] if group in orders else (2 if d == 2 else 2 * d)


def group_elements(generators: Sequence[Permutation], d: int) -> list[Permutation]:
    """Return all permutations that are products of the given ones, the identity first.

    Args:
        generators: permutations of 0, ..., d - 1, none where only the identity is wanted.
        d: number of coordinates.

    Raises:
        BadParameter: if one is no permutation, or there are more than 4096 products.

    Chapter: symmetry_barrier.

    >>> len(group_elements([(1, 2, 0)], 3))
    3
    """
    moves = _permutations(generators, d)
    found = {tuple(range(d)): None}
    fresh = list(found)
    while fresh:
        products = {tuple(move[i] for i in element): None for element in fresh for move in moves}
        fresh = [element for element in products if element not in found]
        found |= dict.fromkeys(fresh)
        if len(found) > MOST_ELEMENTS:
            raise BadParameter(f"generators make more than {MOST_ELEMENTS} permutations: the group must be smaller.")
    return list(found)


def orbit_labels(generators: Sequence[Permutation], d: int, device: torch.device | str = "cpu") -> torch.Tensor:
    """Return for each set of coordinates, and so for each corner of the cube, the number of its orbit.

    Each set takes the smallest label among those that the generators move it to, until nothing changes. Sets and
    corners are numbered as in ``walsh_hadamard``.

    Args:
        generators: permutations of 0, ..., d - 1.
        d: dimension, at most 16.
        device: where the labels are to lie.

    Returns:
        Whole numbers from 0 to the number of orbits - 1, of shape (2^d,).

    Raises:
        BadParameter: if d is out of range or a generator is no permutation.

    Chapter: symmetry_barrier.
    """
    bits = cube_bits(d, device)
    moved = [(bits << torch.tensor(move, device=device)).sum(1) for move in _permutations(generators, d)]
    labels = torch.arange(2**d, device=device)
    while True:
        lower = labels
        for image in moved:
            lower = torch.minimum(lower, lower[image])
            lower = lower.scatter_reduce(0, image, lower, "amin")
        lower = lower[lower]  # labels are themselves numbers of sets of the same orbit
        if torch.equal(lower, labels):
            return torch.unique(labels, return_inverse=True)[1]
        labels = lower


def orbit_sums(values: torch.Tensor, labels: torch.LongTensor) -> torch.Tensor:
    """Return the sum of the values over each orbit.

    Args:
        values: one for each set or corner, shape (2^d,).
        labels: numbers of their orbits, shape (2^d,), as from ``orbit_labels``.

    Returns:
        Sums by number of the orbit, dtype and device of the values.

    Raises:
        BadParameter: if the shapes do not fit or labels are negative.
        TypeError: if values are no floating-point tensor, or labels no tensor of whole numbers.

    Chapter: symmetry_barrier.
    """
    _numbers_of_orbits(labels, len(vector("values", values)))
    return values.new_zeros(int(labels.max()) + 1).index_add(0, labels, values)


def orbit_mean(values: torch.Tensor, labels: torch.LongTensor) -> torch.Tensor:
    """Return at each corner the mean over its orbit: the average of a function over the group.

    The orbit of a corner is run through equally often by the elements of the group, so this is the mean over all of
    them of f(g x). Applied to coefficients it does to the spectrum what it does to the function.

    Args:
        values: f at all corners, or its coefficients, shape (2^d,).
        labels: as from ``orbit_labels``, shape (2^d,).

    Returns:
        The average, shape (2^d,), dtype and device of the values.

    Raises:
        BadParameter, TypeError: as ``orbit_sums``.

    Source: the Reynolds operator of invariant theory. Chapter: symmetry_barrier.
    """
    sums = orbit_sums(values, labels)
    return (sums / orbit_sums(torch.ones_like(values), labels))[labels]


def orbit_counts(labels: torch.LongTensor) -> torch.Tensor:
    """Return for k = 0, ..., d the number of orbits of sets of k coordinates, by looking at all sets.

    Args:
        labels: as from ``orbit_labels``, shape (2^d,).

    Returns:
        Whole numbers, shape (d + 1,), on the device of the labels.

    Raises:
        BadParameter: if the number of labels is no power of two from 2 to 2^16, or labels are negative.
        TypeError: if they are no tensor of whole numbers.

    Chapter: symmetry_barrier.

    >>> orbit_counts(orbit_labels(group_generators("cyclic", 4), 4)).tolist()
    [1, 1, 2, 1, 1]
    """
    size = _numbers_of_orbits(labels)
    if size & (size - 1) or not 2 <= size <= 2**MOST_CUBE:
        raise BadParameter(f"labels has {size} entries: it must have 2^d of them, d from 1 to {MOST_CUBE}.")
    d = size.bit_length() - 1
    sizes = cube_bits(d, labels.device).sum(1)
    by_orbit = sizes.new_zeros(int(labels.max()) + 1).scatter(0, labels, sizes)
    return torch.bincount(by_orbit, minlength=d + 1)


def burnside_counts(elements: Sequence[Permutation], d: int) -> list[int]:
    """Return for k = 0, ..., d the number of orbits of sets of k coordinates, by Burnside's lemma.

    It is the mean over the group of the number of sets that an element leaves where they are. These are unions of its
    cycles, so they are counted by the coefficient of t^k in the product over its cycles of 1 + t^length. No set is
    looked at, so d may be large.

    Args:
        elements: all permutations of the group, at least the identity.
        d: number of coordinates.

    Raises:
        BadParameter: if there are no elements, or one is no permutation.

    Source: Burnside's lemma. Chapter: symmetry_barrier.

    >>> burnside_counts([(0, 1, 2), (1, 2, 0), (2, 0, 1)], 3)
    [1, 1, 1, 1]
    """
    if not elements:
        raise BadParameter("elements is empty: a group must have at least the identity.")
    total = [0] * (d + 1)
    for element in _permutations(elements, d):
        fixed = [1] + [0] * d
        for length in _cycle_lengths(element):
            fixed = [fixed[k] + (fixed[k - length] if k >= length else 0) for k in range(d + 1)]
        total = [so_far + more for so_far, more in zip(total, fixed, strict=True)]
    return [count // len(elements) for count in total]


def _permutations(given: Sequence[Permutation], d: int) -> list[Permutation]:
    def one(name: str, value: Permutation) -> Permutation:
        if not isinstance(value, list | tuple) or sorted(value) != list(range(whole_number("d", d))):
            raise BadParameter(f"{name} = {value!r} is not accepted: it must be a permutation of 0, ..., {d - 1}.")
        return tuple(value)

    return list_of("permutations", list(given), one, 0)


def _cycle_lengths(permutation: Permutation) -> list[int]:
    left, lengths = set(range(len(permutation))), []
    while left:
        place, length = left.pop(), 1
        while (place := permutation[place]) in left:
            left.remove(place)
            length += 1
        lengths.append(length)
    return lengths


def _numbers_of_orbits(labels: torch.LongTensor, length: int | None = None) -> int:
    """Return the number of labels after a check that they are whole numbers from 0 on."""
    if not isinstance(labels, torch.Tensor) or labels.dtype != torch.int64:
        kind = labels.dtype if isinstance(labels, torch.Tensor) else type(labels).__name__
        raise TypeError(f"labels is of type {kind}: it must be a torch tensor of whole numbers, as of orbit_labels.")
    if labels.ndim != 1 or len(labels) == 0 or (length is not None and len(labels) != length):
        wanted = "(2^d,)" if length is None else f"({length},)"
        raise BadParameter(f"labels has shape {tuple(labels.shape)}: it must have shape {wanted}.")
    if int(labels.min()) < 0:
        raise BadParameter(f"labels holds {int(labels.min())}: it must hold numbers of orbits from 0 on.")
    return len(labels)
