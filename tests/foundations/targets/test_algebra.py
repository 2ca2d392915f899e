"""Exact polynomial algebra against sympy, and the greedy leap against all orders."""

import itertools
import random

import pytest
import sympy

from beyond_kernel.foundations.targets.algebra import (
    add,
    arrangements,
    derivative,
    energy,
    hermite_as_powers,
    hessian,
    in_hermite_basis,
    leap,
    multiply,
    part,
    total_degree,
)
from beyond_kernel.foundations.targets.surds import Surd

Z = sympy.symbols("z1:5")
T = sympy.Symbol("t")


def in_sympy(polynomial):
    """The polynomial in powers as a sympy expression (rational coefficients only)."""
    terms = []
    for index, coefficient in polynomial.items():
        value = coefficient.as_fraction()
        powers = [Z[variable - 1] ** exponent for variable, exponent in index]
        terms.append(sympy.Rational(value.numerator, value.denominator) * sympy.prod(powers))
    return sympy.expand(sum(terms))


def sympy_hermite(k, z):
    """He_k from Rodrigues' formula."""
    bell = sympy.exp(-(T**2) / 2)
    return sympy.expand(sympy.simplify((-1) ** k * sympy.diff(bell, T, k) / bell)).subs(T, z)


def drawn(seed, terms=4):
    rng = random.Random(seed)
    result = {}
    for _ in range(terms):
        exponents = {v: rng.randint(1, 3) for v in rng.sample(range(1, 5), rng.randint(0, 3))}
        result[tuple(sorted(exponents.items()))] = Surd.rational(rng.choice([-3, -1, 1, 2]))
    return result


@pytest.mark.parametrize("seed", range(5))
def test_sum_product_derivative(seed):
    f, g = drawn(seed), drawn(seed + 100)
    assert in_sympy(add(f, g)) == sympy.expand(in_sympy(f) + in_sympy(g))
    assert in_sympy(multiply(f, g)) == sympy.expand(in_sympy(f) * in_sympy(g))
    assert in_sympy(derivative(f, 2)) == sympy.diff(in_sympy(f), Z[1])


@pytest.mark.parametrize("k", range(8))
def test_hermite_in_powers_is_rodrigues(k):
    assert in_sympy(hermite_as_powers(k, 3)) == sympy.expand(sympy_hermite(k, Z[2]))


@pytest.mark.parametrize("seed", range(5))
def test_hermite_basis_goes_back_to_the_powers(seed):
    f = drawn(seed)
    back = sum(
        sympy.Rational(str(value.as_fraction())) * sympy.prod([sympy_hermite(e, Z[v - 1]) for v, e in index])
        for index, value in in_hermite_basis(f).items()
    )
    assert sympy.expand(back) == in_sympy(f)


def expectation(expression):
    """E under independent standard normals, moment by moment."""
    total = sympy.Integer(0)
    for monomial, coefficient in sympy.Poly(expression, *Z).terms():
        if all(e % 2 == 0 for e in monomial):
            total += coefficient * sympy.prod([sympy.factorial2(e - 1) for e in monomial if e])
    return total


@pytest.mark.parametrize("seed", range(5))
def test_energy_and_hessian_are_expectations(seed):
    f = drawn(seed)
    expression, expansion = in_sympy(f), in_hermite_basis(f)
    assert expectation(expression**2) == sympy.Rational(str(energy(expansion).as_fraction()))
    rows = hessian(expansion)
    for i, j in itertools.product(range(1, 5), repeat=2):
        entry = rows.get(i, {}).get(j, Surd.rational(0)).as_fraction()
        assert expectation(sympy.diff(expression, Z[i - 1], Z[j - 1])) == sympy.Rational(str(entry))


def test_parts_add_up():
    expansion = in_hermite_basis(drawn(3))
    total = {}
    for k in range(total_degree(expansion) + 1):
        total = add(total, part(expansion, k))
    assert total == expansion and total_degree({}) == 0


def test_arrangements_are_all_distinct_orders():
    for letters in [(1,), (1, 1, 2), (1, 2, 2, 3, 3), (4, 4, 4)]:
        index = tuple((v, letters.count(v)) for v in sorted(set(letters)))
        found = list(arrangements(index))
        assert len(found) == len(set(found)) and set(found) == set(itertools.permutations(letters))


def leap_over_all_orders(indices):
    best = float("inf")
    for indices_in_order in itertools.permutations(indices):
        covered, largest = set(), 0
        for index in indices_in_order:
            largest = max(largest, sum(e for v, e in index if v not in covered))
            covered |= {v for v, _ in index}
        best = min(best, largest)
    return best


@pytest.mark.parametrize("seed", range(40))
def test_greedy_leap_is_the_best_of_all_orders(seed):
    rng = random.Random(seed)
    indices = set()
    while len(indices) < 5:
        variables = sorted(rng.sample(range(1, 6), rng.randint(1, 3)))
        indices.add(tuple((v, rng.randint(1, 3)) for v in variables))
    assert leap(indices) == leap_over_all_orders(indices)
