"""Orbits of sets against brute force over all elements of a group, their number against Burnside and closed forms."""

import itertools
import math

import pytest
import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.feature_learning.orbits import (
    GROUPS,
    burnside_counts,
    group_elements,
    group_generators,
    group_order,
    orbit_counts,
    orbit_labels,
    orbit_mean,
    orbit_sums,
)
from beyond_kernel.foundations.targets.walsh_hadamard import cube_corners, walsh_hadamard

CASES = [(group, d) for group in GROUPS for d in (2, 4, 5, 6) if not d % GROUPS[group][0]]


def values(d: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(2**d, generator=torch.Generator().manual_seed(d), dtype=torch.float64).to(dtype)


def orbits_by_hand(elements, d: int) -> set[frozenset[frozenset[int]]]:
    sets = [frozenset(s) for k in range(d + 1) for s in itertools.combinations(range(d), k)]
    return {frozenset(frozenset(p[i] for i in s) for p in elements) for s in sets}


@pytest.mark.parametrize(("group", "d"), CASES)
def test_labels_are_the_orbits_of_all_elements(group, d):
    generators = group_generators(group, d)
    labels = orbit_labels(generators, d)
    found = {}
    for number, label in enumerate(labels.tolist()):
        found.setdefault(label, set()).add(frozenset(i for i in range(d) if number >> i & 1))
    assert set(found) == set(range(int(labels.max()) + 1))
    assert {frozenset(sets) for sets in found.values()} == orbits_by_hand(group_elements(generators, d), d)


@pytest.mark.parametrize(("group", "d"), CASES)
def test_both_counts_agree_and_the_order_is_the_number_of_elements(group, d):
    generators = group_generators(group, d)
    elements = group_elements(generators, d)
    assert len(set(elements)) == len(elements) == group_order(group, d) and elements[0] == tuple(range(d))
    assert burnside_counts(elements, d) == orbit_counts(orbit_labels(generators, d)).tolist()


@pytest.mark.parametrize("d", [7, 9, 12])
def test_necklaces_are_counted_by_the_formula_with_eulers_function(d):
    """Orbits of k of d places under shifts: (1/d) sum over e | gcd(d, k) of phi(e) C(d/e, k/e)."""
    found = orbit_counts(orbit_labels(group_generators("cyclic", d), d)).tolist()
    for k in range(d + 1):
        common = math.gcd(d, k) if k else d
        terms = (
            sum(math.gcd(e, i) == 1 for i in range(1, e + 1)) * math.comb(d // e, k // e)
            for e in range(1, common + 1)
            if common % e == 0
        )
        assert found[k] == sum(terms) // d


def test_numbers_that_anyone_can_check():
    assert orbit_counts(orbit_labels(group_generators("symmetric", 9), 9)).tolist() == [1] * 10
    assert orbit_counts(orbit_labels([], 5)).tolist() == [math.comb(5, k) for k in range(6)]
    assert orbit_counts(orbit_labels(group_generators("pairs", 4), 4)).tolist() == [1, 2, 3, 2, 1]
    assert burnside_counts(group_elements(group_generators("cyclic", 101), 101), 101)[2] == 50
    assert group_order("symmetric", 7) == 5040 and group_order("dihedral", 2) == 2


@pytest.mark.parametrize(("group", "d"), [("cyclic", 6), ("pairs", 6), ("symmetric", 5), ("halves", 6)])
def test_the_mean_over_an_orbit_is_the_mean_over_the_group(group, d):
    """At corner number c the group average is the mean of f at the corners with permuted coordinates."""
    f, X = values(d), cube_corners(d)
    weights = 2 ** torch.arange(d)
    elements = group_elements(group_generators(group, d), d)
    moved = [f[((X[:, list(p)] < 0).long() * weights).sum(1)] for p in elements]
    found = orbit_mean(f, orbit_labels(group_generators(group, d), d))
    torch.testing.assert_close(found, torch.stack(moved).mean(0), rtol=0, atol=1e-13)


@pytest.mark.parametrize(("group", "d"), CASES)
def test_averaging_a_function_averages_its_spectrum(group, d):
    labels = orbit_labels(group_generators(group, d), d)
    found = walsh_hadamard(orbit_mean(values(d), labels))
    torch.testing.assert_close(found, orbit_mean(walsh_hadamard(values(d)), labels), rtol=0, atol=1e-14)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_sums_and_means_follow_the_dtype(dtype):
    labels = orbit_labels(group_generators("cyclic", 4), 4)
    assert orbit_mean(values(4, dtype), labels).dtype == dtype
    assert float(orbit_sums(values(4, dtype), labels).sum()) == pytest.approx(float(values(4).sum()), rel=1e-5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: group_generators("dihedral group", 5), "did you mean 'dihedral'"),
        (lambda: group_generators("pairs", 5), "d = 5 is odd"),
        (lambda: group_generators("cyclic", 1), "d = 1"),
        (lambda: group_elements(group_generators("symmetric", 8), 8), "more than 4096"),
        (lambda: group_elements([(0, 0, 1)], 3), r"permutations\[0\] = \(0, 0, 1\)"),
        (lambda: burnside_counts([], 3), "elements is empty"),
        (lambda: orbit_labels([(1, 0)], 3), "permutation of 0"),
        (lambda: orbit_labels([], 17), "d = 17"),
        (lambda: orbit_sums(torch.ones(4), torch.zeros(3, dtype=torch.long)), "labels has shape"),
        (lambda: orbit_sums(torch.ones(2), torch.tensor([0, -1])), "labels holds -1"),
        (lambda: orbit_counts(torch.zeros(3, dtype=torch.long)), "labels has 3 entries"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(call, message):
    with pytest.raises(BadParameter, match=message):
        call()


def test_labels_that_are_no_whole_numbers_are_refused():
    with pytest.raises(TypeError, match="labels is of type"):
        orbit_mean(torch.ones(4), torch.zeros(4))
