"""The Walsh-Hadamard transform against direct sums, scipy's Hadamard matrix, Parseval and parities by hand."""

import itertools

import pytest
import torch
from scipy.linalg import hadamard

from beyond_kernel.checks import BadParameter
from beyond_kernel.foundations.targets.walsh_hadamard import (
    cube_bits,
    cube_corners,
    energies_by_size,
    walsh_hadamard,
)

# Sums of at most 2^10 terms of size one in double precision: rounding below 1e-13.
ROUNDING = 1e-13


def values(d: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(2**d, generator=torch.Generator().manual_seed(d), dtype=torch.float64).to(dtype)


@pytest.mark.parametrize("d", [1, 2, 5])
def test_each_coefficient_is_the_mean_of_the_function_times_a_parity(d):
    f, X, found = values(d), cube_corners(d), walsh_hadamard(values(d))
    for size in range(d + 1):
        for places in itertools.combinations(range(d), size):
            number = sum(2**i for i in places)
            expected = sum(f[c] * X[c, list(places)].prod() for c in range(2**d)) / 2**d
            assert abs(found[number] - expected) <= ROUNDING


@pytest.mark.parametrize("d", [1, 3, 8])
def test_the_transform_is_scipys_hadamard_matrix_over_its_size(d):
    expected = torch.from_numpy(hadamard(2**d)).double() @ values(d) / 2**d
    torch.testing.assert_close(walsh_hadamard(values(d)), expected, rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("d", [1, 4, 10])
def test_parseval_and_the_inverse(d):
    found = walsh_hadamard(values(d))
    torch.testing.assert_close(found.square().sum(), values(d).square().mean(), rtol=1e-13, atol=0)
    torch.testing.assert_close(walsh_hadamard(found) * 2**d, values(d), rtol=0, atol=1e-12)


def test_a_parity_has_one_coefficient_and_energy_in_one_size():
    X = cube_corners(4)
    found = walsh_hadamard(3 * X[:, 0] * X[:, 2] * X[:, 3] - 2 * X[:, 1] + 5)
    assert {int(s): float(found[s]) for s in found.nonzero()[:, 0]} == {0b1101: 3.0, 0b10: -2.0, 0: 5.0}
    assert energies_by_size(found).tolist() == [25.0, 4.0, 0.0, 9.0, 0.0]


def test_corners_and_sets_have_one_order():
    assert cube_bits(3)[6].tolist() == [0, 1, 1] and cube_corners(3)[6].tolist() == [1.0, -1.0, -1.0]
    assert len({tuple(row) for row in cube_corners(5).tolist()}) == 32


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_dtype_follows_the_input_and_the_input_stays_as_it_is(dtype):
    given = values(6, dtype)
    found = walsh_hadamard(given)
    assert found.dtype == dtype and energies_by_size(found).dtype == dtype
    assert torch.equal(given, values(6, dtype))
    torch.testing.assert_close(found.double(), walsh_hadamard(values(6)), rtol=0, atol=1e-6)


@pytest.mark.parametrize("size", [3, 12, 2**17])
def test_other_numbers_of_values_are_refused(size):
    with pytest.raises(BadParameter, match=rf"values has {size} entries"):
        walsh_hadamard(torch.ones(size))


@pytest.mark.parametrize("size", [1, 6, 2**17])
def test_other_numbers_of_coefficients_are_refused(size):
    with pytest.raises(BadParameter, match=rf"coefficients has {size} entries"):
        energies_by_size(torch.ones(size))


@pytest.mark.parametrize("d", [0, 17, 2.0])
def test_dimensions_out_of_range_are_refused(d):
    with pytest.raises(BadParameter, match="d = "):
        cube_bits(d)
