"""Exact numbers against sympy and against high-precision floats."""

import random
from fractions import Fraction

import pytest
import sympy

from beyond_kernel.foundations.targets.surds import Surd


def surd(*pairs):
    """Sum of factor * sqrt(radicand)."""
    total = Surd.rational(0)
    for factor, radicand in pairs:
        total = total + Surd.rational(Fraction(factor)) * Surd.root(Fraction(radicand))
    return total


def in_sympy(*pairs):
    return sum(sympy.Rational(str(Fraction(f))) * sympy.sqrt(sympy.Rational(str(Fraction(r)))) for f, r in pairs)


def drawn(rng):
    return [(Fraction(rng.randint(-5, 5), rng.randint(1, 4)), rng.choice([1, 2, 3, 5, 6, 12, 50])) for _ in range(3)]


@pytest.mark.parametrize("seed", range(8))
def test_arithmetic_is_sympys(seed):
    rng = random.Random(seed)
    x, y = drawn(rng), drawn(rng)
    for mine, theirs in [
        (surd(*x) + surd(*y), in_sympy(*x) + in_sympy(*y)),
        (surd(*x) * surd(*y), in_sympy(*x) * in_sympy(*y)),
        (-surd(*x), -in_sympy(*x)),
    ]:
        assert abs(float(mine) - float(sympy.N(theirs, 50))) <= 1e-14 * max(1, abs(float(mine)))  # two roundings
        assert bool(mine) == (sympy.expand(theirs) != 0)
    if surd(*x):
        assert surd(*x) * surd(*x).inverse() == Surd.rational(1)


@pytest.mark.parametrize(
    ("value", "factor", "radicand"),
    [(8, 2, 2), (12, 2, 3), ("1/2", "1/2", 2), ("2/3", "1/3", 6), (49, 7, 1), (0, 0, 1), ("3/75", "1/5", 1)],
)
def test_roots_are_reduced(value, factor, radicand):
    assert Surd.root(Fraction(value)) == surd((factor, radicand))


def test_large_squares_come_out_of_the_root():
    assert Surd.root(999983**2) == Surd.rational(999983)  # the largest prime below a million


def test_cancellation_is_exact():
    assert not surd((1, 8), (-2, 2))
    assert not surd((1, 2)) * surd((1, 3)) + surd((-1, 6))
    nearly = surd((1, 2), (Fraction(-141421356237309504880, 10**20), 1))
    assert nearly and nearly.as_fraction() is None and 0 < float(nearly) < 1e-20


def test_floats_survive_cancellation():
    small = Surd.rational(1)
    for _ in range(40):
        small = small * surd((1, 2), (-1, 1))
    assert float(small) == pytest.approx(float(sympy.N((sympy.sqrt(2) - 1) ** 40, 30)), rel=1e-15)


def test_inverse_of_several_roots():
    x = surd((1, 2), (1, 3), (-2, 5), (1, 7))
    assert x * x.inverse() == Surd.rational(1)
    with pytest.raises(ZeroDivisionError):
        surd((1, 2), (-1, 2)).inverse()


@pytest.mark.parametrize("value", [-1, Fraction(-1, 3), 10**13, Fraction(1, 10**13)])
def test_no_root_outside_the_range(value):
    with pytest.raises(ValueError, match="no square root"):
        Surd.root(value)
