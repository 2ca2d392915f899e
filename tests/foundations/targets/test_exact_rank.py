"""The exact rank against sympy, and against relations between roots that no tolerance would see."""

import random
from fractions import Fraction

import pytest
import sympy

from beyond_kernel.foundations.targets.exact_rank import exact_rank
from beyond_kernel.foundations.targets.surds import Surd


def rows_of(matrix):
    return [{j: entry for j, entry in enumerate(row) if entry} for row in matrix]


@pytest.mark.parametrize("seed", range(6))
def test_rank_of_rational_matrices_is_sympys(seed):
    rng = random.Random(seed)
    left = [[rng.randint(-3, 3) for _ in range(3)] for _ in range(6)]
    right = [[Fraction(rng.randint(-3, 3), rng.randint(1, 3)) for _ in range(5)] for _ in range(3)]
    product = [[sum(a * b[j] for a, b in zip(row, right, strict=True)) for j in range(5)] for row in left]
    expected = sympy.Matrix([[sympy.Rational(str(Fraction(x))) for x in row] for row in product]).rank()
    assert exact_rank(rows_of([[Surd.rational(x) for x in row] for row in product])) == expected


def test_rank_sees_relations_between_roots():
    two, three, six, one = Surd.root(2), Surd.root(3), Surd.root(6), Surd.rational(1)
    assert exact_rank(rows_of([[one, two], [three, six]])) == 1
    assert exact_rank(rows_of([[one, two], [three, -six]])) == 2
    assert exact_rank(rows_of([[two, one], [Surd.rational(2), two]])) == 1
    assert exact_rank([]) == 0 and exact_rank([{}, {}]) == 0


def test_rank_has_no_tolerance():
    tiny = Surd.rational(Fraction(1, 10**60))
    one = Surd.rational(1)
    assert exact_rank(rows_of([[one, one], [one, one + tiny]])) == 2
