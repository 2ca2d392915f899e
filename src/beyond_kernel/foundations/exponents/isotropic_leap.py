"""The leap of a target that does not depend on the choice of coordinates: exact."""

from collections.abc import Iterable

from beyond_kernel.foundations.targets.algebra import (
    Index,
    Polynomial,
    add,
    derivative,
    multiply,
    order,
)
from beyond_kernel.foundations.targets.surds import Surd
from beyond_kernel.foundations.targets.target import Target

Direction = dict[int, Surd]
"""Exact coordinates of a vector, by the number of the variable."""


def isotropic_leap(target: Target) -> int:
    """Return the isotropic leap of a polynomial: the largest leap over all rotations of the coordinates, exact.

    Call a direction reached by steps of size L if, with the span T of the directions reached before, some Hermite
    term of the polynomial has degree 1 to L in the variables across T, and the direction is in the span of its
    gradients. The isotropic leap is the smallest L by which all relevant directions are reached. Proof: in coordinates
    adapted to the T at which steps of size L - 1 stop, each term that leaves T has at least L new exponents. And in any
    coordinates, let the monomials of leap at most L stop at the coordinate subspace S. If S did not hold all, take the
    first T inside S that reaches a direction outside S: the term that reaches it would have degree 1 to L across S.

    Args:
        target: polynomial target, not constant.

    Raises:
        BadParameter: if the target is constant.

    Source: Abbe, Boix-Adsera and Misiakiewicz (2023), Appendix B.2, for the notion; the rule is derived here.
    Chapter: targets_and_inputs.

    >>> from beyond_kernel.foundations.targets.target import parse_target
    >>> target = parse_target("z1 + z2 + z1*z2", 4)
    >>> target.leap(), isotropic_leap(target)
    (1, 2)
    """
    size, learnt = target.information_exponent(), []
    variables = sorted({variable for index in target.coefficients for variable, _ in index})
    while len(learnt) < target.rank:
        reached = _reached(target.coefficients, learnt, variables, size)
        learnt += reached
        size += not reached
    return size


def _reached(expansion: Polynomial, learnt: list[Direction], variables: list[int], size: int) -> list[Direction]:
    """Return directions across those learnt, orthogonal to them and each other, that steps of this size reach."""
    across = _across(({variable: Surd.rational(1)} for variable in variables), learnt)
    turned = _in_coordinates(expansion, learnt + across, variables)
    rows: dict[tuple[Index, Index], Direction] = {}
    for index, coefficient in turned.items():
        old = tuple((v, e) for v, e in index if v < len(learnt))
        new = index[len(old) :]
        for place in [v for v, _ in new] if order(new) <= size else []:
            ((rest, slope),) = derivative({new: coefficient}, place).items()
            vector = across[place - len(learnt)]
            rows[old, rest] = _plus(rows.get((old, rest), {}), vector, slope * _inner(vector, vector).inverse())
    return _across(rows.values(), learnt)


def _in_coordinates(expansion: Polynomial, basis: list[Direction], variables: list[int]) -> Polynomial:
    """Return the top forms of all degrees, the sums of c_alpha v^alpha, at v = sum_j a_j basis_j, in powers of a.

    The sum over |alpha| = k is <C_k, v^k> / k!, so its terms are the Hermite terms in coordinates along the basis.
    """
    forms = {v: {((j, 1),): vector[v] for j, vector in enumerate(basis) if v in vector} for v in variables}
    total: Polynomial = {}
    for index, coefficient in expansion.items():
        term: Polynomial = {(): coefficient}
        for variable, exponent in index:
            for _ in range(exponent):
                term = multiply(term, forms[variable])
        total = add(total, term)
    return total


def _across(vectors: Iterable[Direction], learnt: list[Direction]) -> list[Direction]:
    """Return an orthogonal basis (Gram and Schmidt, not normalised) of the vectors' span across those learnt."""
    basis = list(learnt)
    for vector in vectors:
        for other in basis:
            vector = _plus(vector, other, -(_inner(vector, other) * _inner(other, other).inverse()))
        if vector:
            basis.append(vector)
    return basis[len(learnt) :]


def _plus(first: Direction, second: Direction, factor: Surd) -> Direction:
    total = dict(first)
    for variable, value in second.items():
        total[variable] = total.get(variable, Surd.rational(0)) + factor * value
    return {variable: value for variable, value in total.items() if value}


def _inner(first: Direction, second: Direction) -> Surd:
    total = Surd.rational(0)
    for variable in first.keys() & second.keys():
        total = total + first[variable] * second[variable]
    return total
