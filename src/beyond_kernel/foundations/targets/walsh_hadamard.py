"""Fourier analysis on the hypercube: all corners, all parities, and the transform between values and coefficients.

Corner number c has x_i = -1 where bit i of c is set, and set number s holds the coordinates whose bit is set in s. A
permutation of the coordinates therefore moves corners and sets in one and the same way.
"""

import torch

from beyond_kernel.checks import BadParameter, vector, whole_number

MOST_CUBE = 16
"""Largest dimension in which all corners of the hypercube are visited."""


def cube_bits(d: int, device: torch.device | str = "cpu") -> torch.Tensor:
    """Return the bits of 0, ..., 2^d - 1: which coordinates are -1 at each corner, and which lie in each set.

    Args:
        d: dimension, at most 16.
        device: where they are to lie.

    Returns:
        Zeros and ones, whole numbers of shape (2^d, d).

    Raises:
        BadParameter: if d is out of range.

    Chapter: symmetry_barrier.

    >>> cube_bits(2).tolist()
    [[0, 0], [1, 0], [0, 1], [1, 1]]
    """
    whole_number("d", d, most=MOST_CUBE)
    return (torch.arange(2**d, device=device)[:, None] >> torch.arange(d, device=device)) & 1


def cube_corners(d: int, dtype: torch.dtype = torch.float64, device: torch.device | str = "cpu") -> torch.Tensor:
    """Return all corners of {-1, 1}^d, of shape (2^d, d), in the order of ``cube_bits``.

    Args:
        d: dimension, at most 16.
        dtype: a floating-point dtype.
        device: where they are to lie.

    Raises:
        BadParameter: if d is out of range.

    Chapter: symmetry_barrier.
    """
    return (1 - 2 * cube_bits(d, device)).to(dtype)


def walsh_hadamard(values: torch.Tensor) -> torch.Tensor:
    """Return the coefficients E f chi_S of a function on the hypercube, chi_S the product of the coordinates in S.

    The transform is its own inverse up to the factor 2^d, and sum_S (E f chi_S)^2 = E f^2. It takes d 2^d additions.

    Args:
        values: f at all corners in the order of ``cube_corners``, shape (2^d,).

    Returns:
        Coefficients by number of the set, shape (2^d,), dtype and device of the values.

    Raises:
        BadParameter: if the number of values is no power of two, or above 2^16.
        TypeError: if it is no floating-point tensor.

    Source: the fast Walsh-Hadamard transform. Chapter: symmetry_barrier.

    >>> walsh_hadamard(torch.tensor([3.0, 1.0])).tolist()
    [2.0, 1.0]
    """
    size = len(vector("values", values))
    if size & (size - 1) or size > 2**MOST_CUBE:
        raise BadParameter(f"values has {size} entries: it must have 2^d of them, d from 0 to {MOST_CUBE}.")
    for axis in range(size.bit_length() - 1):
        pairs = values.reshape(-1, 2, 2**axis)
        values = torch.stack([pairs[:, 0] + pairs[:, 1], pairs[:, 0] - pairs[:, 1]], dim=1).flatten() / 2
    return values


def energies_by_size(coefficients: torch.Tensor) -> torch.Tensor:
    """Return for k = 0, ..., d the sum of the squares of the coefficients of all sets of k coordinates.

    Args:
        coefficients: as from ``walsh_hadamard``, shape (2^d,).

    Returns:
        Energies, of shape (d + 1,), dtype and device of the coefficients.

    Raises:
        BadParameter: if the number of coefficients is no power of two from 2 to 2^16.
        TypeError: if it is no floating-point tensor.

    Chapter: symmetry_barrier.
    """
    size = len(vector("coefficients", coefficients))
    if size & (size - 1) or not 2 <= size <= 2**MOST_CUBE:
        raise BadParameter(f"coefficients has {size} entries: it must have 2^d of them, d from 1 to {MOST_CUBE}.")
    d = size.bit_length() - 1
    sizes = cube_bits(d, coefficients.device).sum(1)
    return coefficients.new_zeros(d + 1).index_add(0, sizes, coefficients.square())
