"""Monomials, leaps and stages against brute force, hand-worked examples and those of the paper."""

import itertools

import numpy as np
import pytest
import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.feature_learning.staircases import (
    climbing_costs,
    climbing_stages,
    cube_leap,
    cube_monomials,
)
from beyond_kernel.foundations.inputs.targets_and_inputs import on_axes
from beyond_kernel.foundations.targets.tokens import TargetError


def first(k: int) -> tuple[int, ...]:
    return tuple(range(1, k + 1))


@pytest.mark.parametrize(
    ("supports", "expected"),
    [
        ([first(1), first(2), first(3), first(4)], 1),
        ([(1,), (2,), (2, 3, 4)], 2),
        ([(1,), (1, 2, 3), (2, 3, 4, 5, 6, 7)], 4),
        ([(1, 2, 3), (2, 3, 4)], 3),
        ([first(4)], 4),
        ([first(1), first(5), first(9), first(14)], 5),
    ],
)
def test_leaps_are_those_of_the_paper(supports, expected):
    """Abbe, Boix-Adsera and Misiakiewicz (2023): the examples below Definition 1, in Section 1 and in Figure 1."""
    assert cube_leap(supports) == expected


def all_families(seed: int, count: int):
    """Yield random families of two to five different monomials of five variables."""
    generator = np.random.default_rng(seed)
    everything = [s for k in range(1, 6) for s in itertools.combinations(first(5), k)]
    for _ in range(count):
        chosen = generator.choice(len(everything), size=generator.integers(2, 6), replace=False)
        yield [everything[i] for i in chosen]


def test_the_leap_is_the_best_over_all_orders_and_the_greedy_stages_reach_it():
    for family in all_families(seed=0, count=150):
        sizes = []
        for order in itertools.permutations(family):
            covered, largest = set(), 0
            for support in order:
                largest = max(largest, len(set(support) - covered))
                covered |= set(support)
            sizes.append(largest)
        assert cube_leap(family) == min(sizes) == max(climbing_costs(family))


def test_stages_by_hand():
    assert climbing_stages([(1,), (1, 2), (1, 2, 3)]) == [1, 2, 3]
    assert climbing_stages([(1, 2, 3), (1,)]) == [2, 1]
    assert climbing_stages([(1,), (2,), (1, 2)]) == [1, 1, 2]  # the product needs no new variable: after both
    assert climbing_stages([(1,), (1, 2), (3, 4)]) == [1, 2, 3]  # one new variable goes before two
    assert climbing_stages([(1, 2), (3, 4), (1, 2, 3)]) == [1, 1, 2]
    assert climbing_costs([(1, 2), (3, 4), (1, 2, 3)]) == [2, 2, 0]
    assert climbing_costs([(1,), (1, 2, 3), (1, 2, 3, 4)]) == [1, 2, 1]
    assert climbing_costs([(1,), (1, 2), (2, 3), (1, 3, 4)]) == [1, 1, 1, 1]  # z1 of the first stage stays learnt


def test_stages_do_not_depend_on_the_order_of_the_text():
    for family in all_families(seed=1, count=50):
        stages = dict(zip(family, climbing_stages(family), strict=True))
        turned = family[::-1]
        assert climbing_stages(turned) == [stages[support] for support in turned]


@pytest.mark.parametrize("text", ["z1 + z1*z2/2", "(z1 + z2)^3 - z3", "He3(z1)*z2 + z2^2*z3 + 4", "h2(z1)*z2 + z3*z1"])
def test_monomials_are_the_fourier_coefficients_on_all_corners(text):
    target = on_axes(text, 4)
    corners = torch.tensor(list(itertools.product([-1.0, 1.0], repeat=4)), dtype=torch.float64)
    values, found = target(corners), cube_monomials(text, 4)
    for k in range(1, 5):
        for support in itertools.combinations(first(4), k):
            products = corners[:, [v - 1 for v in support]].prod(1)
            assert float((values * products).mean()) == pytest.approx(found.get(support, 0.0), abs=1e-12)


def test_monomials_come_in_the_order_in_which_they_climb():
    assert list(cube_monomials("z1*z2*z3 + z1*z2 + z4 + z1", 5)) == [(1,), (4,), (1, 2), (1, 2, 3)]
    assert list(cube_monomials("z2*z3*z1 + z2", 5)) == [(2,), (1, 2, 3)]


def test_bad_input_is_a_sentence():
    with pytest.raises(BadParameter, match="is constant on the hypercube"):
        cube_monomials("z1^2 + 1", 5)
    with pytest.raises(BadParameter, match="z1 to z6"):
        cube_monomials("z7", 9)
    with pytest.raises(BadParameter, match="at most 8 monomials"):
        cube_monomials("(1 + z1)*(1 + z2)*(1 + z3)*(1 + z4)", 5)
    with pytest.raises(TargetError, match="z9"):
        cube_monomials("z9", 5)
    for function in (climbing_stages, climbing_costs, cube_leap):
        with pytest.raises(BadParameter, match="each must hold variables, counted from 1"):
            function([(1,), ()])
        with pytest.raises(BadParameter, match="each must hold variables, counted from 1"):
            function([(0, 1)])
