"""Exact algebra of polynomials in z1, z2, ... in two bases: powers, and products of Hermite polynomials He_k.

A polynomial is a dictionary from a multi-index, a sorted tuple of pairs (variable, exponent), to a ``Surd``.
"""

import math
from collections.abc import Collection, Iterator
from functools import lru_cache
from itertools import product

from beyond_kernel.foundations.targets.surds import Surd

Index = tuple[tuple[int, int], ...]
Polynomial = dict[Index, Surd]


def add(first: Polynomial, second: Polynomial) -> Polynomial:
    """Return the sum of two polynomials."""
    total = dict(first)
    for index, coefficient in second.items():
        total[index] = total[index] + coefficient if index in total else coefficient
    return {index: coefficient for index, coefficient in total.items() if coefficient}


def multiply(first: Polynomial, second: Polynomial) -> Polynomial:
    """Return the product of two polynomials in powers of the variables."""
    total: Polynomial = {}
    for (a, x), (b, y) in product(first.items(), second.items()):
        index, coefficient = _merged(a, b), x * y
        total[index] = total[index] + coefficient if index in total else coefficient
    return {index: coefficient for index, coefficient in total.items() if coefficient}


def total_degree(polynomial: Polynomial) -> int:
    """Return the degree of a polynomial in either basis; 0 for the zero polynomial."""
    return max((order(index) for index in polynomial), default=0)


def order(index: Index) -> int:
    """Return the sum of the exponents of a multi-index."""
    return sum(exponent for _, exponent in index)


def index_factorial(index: Index) -> int:
    """Return the product of the factorials of the exponents of a multi-index."""
    return math.prod(math.factorial(exponent) for _, exponent in index)


def hermite_as_powers(degree: int, variable: int) -> Polynomial:
    """Return He_degree of one variable in powers of it: sum_j (-1)^j k! / (2^j j! (k-2j)!) z^(k-2j)."""
    return {
        _index(variable, power): Surd.rational((-1) ** j * factor)
        for j, (power, factor) in enumerate(_pairings(degree))
    }


def in_hermite_basis(polynomial: Polynomial) -> Polynomial:
    """Return the coefficients in products of He_k of a polynomial given in powers.

    z^k = sum_j k! / (2^j j! (k-2j)!) He_{k-2j}(z), variable by variable.
    """
    total: Polynomial = {}
    for index, coefficient in polynomial.items():
        for choice in product(*(_pairings(exponent) for _, exponent in index)):
            new = tuple((v, power) for (v, _), (power, _) in zip(index, choice, strict=True) if power)
            term = coefficient * Surd.rational(math.prod(factor for _, factor in choice))
            total[new] = total[new] + term if new in total else term
    return {index: coefficient for index, coefficient in total.items() if coefficient}


def derivative(expansion: Polynomial, variable: int) -> Polynomial:
    """Return the derivative of a polynomial in one variable, in either basis: He_k' = k He_{k-1}."""
    result: Polynomial = {}
    for index, coefficient in expansion.items():
        exponents = dict(index)
        k = exponents.get(variable, 0)
        if k:
            exponents[variable] = k - 1
            lowered = tuple((v, e) for v, e in sorted(exponents.items()) if e)
            result[lowered] = coefficient * Surd.rational(k)
    return result


def gradient(expansion: Polynomial) -> dict[int, Polynomial]:
    """Return the derivatives of a polynomial by variable, for the variables that it holds."""
    variables = sorted({variable for index in expansion for variable, _ in index})
    return {variable: derivative(expansion, variable) for variable in variables}


def hessian(expansion: Polynomial) -> dict[int, dict[int, Surd]]:
    """Return the non-zero rows of the expected Hessian of a polynomial in the Hermite basis.

    Its entries are the degree-two coefficients, those of He_2 doubled.
    """
    rows: dict[int, dict[int, Surd]] = {}
    for index, coefficient in part(expansion, 2).items():
        first, last = index[0][0], index[-1][0]
        entry = coefficient * Surd.rational(index_factorial(index))
        rows.setdefault(first, {})[last] = entry
        rows.setdefault(last, {})[first] = entry
    return rows


def energy(expansion: Polynomial) -> Surd:
    """Return E f^2 under Gaussian inputs of a polynomial in the Hermite basis: sum of alpha! a_alpha^2."""
    total = Surd.rational(0)
    for index, coefficient in expansion.items():
        total = total + coefficient * coefficient * Surd.rational(index_factorial(index))
    return total


def part(expansion: Polynomial, degree: int) -> Polynomial:
    """Return the terms of one degree."""
    return {index: coefficient for index, coefficient in expansion.items() if order(index) == degree}


def arrangements(index: Index) -> Iterator[tuple[int, ...]]:
    """Yield every different order of the variables of a multi-index, each repeated as its exponent says."""
    if not index:
        yield ()
    for place, (variable, exponent) in enumerate(index):
        left = ((variable, exponent - 1),) if exponent > 1 else ()
        for rest in arrangements(index[:place] + left + index[place + 1 :]):
            yield (variable, *rest)


def leap(indices: Collection[Index]) -> int:
    """Return the leap complexity of a polynomial whose non-constant Hermite monomials are these.

    The smallest, over all orders of the monomials, of the largest leap; the leap of a monomial is the sum of
    its exponents over the coordinates that no earlier monomial holds. To take each time the monomial with the
    smallest leap is optimal: covering more coordinates never makes a leap larger, so the first monomial of an
    optimal order that still waits costs now at most what it cost there.
    Source: Abbe, Boix-Adsera and Misiakiewicz (2023).
    """
    waiting, covered, largest = list(indices), set(), 0
    while waiting:
        leaps = [sum(e for v, e in index if v not in covered) for index in waiting]
        largest = max(largest, min(leaps))
        taken = [index for index, size in zip(waiting, leaps, strict=True) if size <= largest]
        waiting = [index for index, size in zip(waiting, leaps, strict=True) if size > largest]
        covered |= {variable for index in taken for variable, _ in index}
    return largest


@lru_cache(maxsize=64)
def _pairings(k: int) -> tuple[tuple[int, int], ...]:
    return tuple(
        (k - 2 * j, math.factorial(k) // (2**j * math.factorial(j) * math.factorial(k - 2 * j)))
        for j in range(k // 2 + 1)
    )


def _index(variable: int, exponent: int) -> Index:
    return ((variable, exponent),) if exponent else ()


def _merged(a: Index, b: Index) -> Index:
    if not a or not b:
        return a or b
    exponents = dict(a)
    for variable, exponent in b:
        exponents[variable] = exponents.get(variable, 0) + exponent
    return tuple(sorted(exponents.items()))
