"""Staircases on the hypercube: the monomials of a target, its leap, and the order in which they should climb: exact."""

from collections.abc import Sequence

from beyond_kernel.checks import BadParameter
from beyond_kernel.foundations.targets.algebra import leap
from beyond_kernel.foundations.targets.grammar import parse_polynomial
from beyond_kernel.foundations.targets.surds import Surd

MOST_VARIABLES = 6
"""Variables that a target on the hypercube may hold, so that all their sign patterns are visited."""
MOST_MONOMIALS = 8
"""Monomials that a target on the hypercube may hold."""

Support = tuple[int, ...]


def cube_monomials(text: str, d: int) -> dict[Support, float]:
    """Return the monomials of a polynomial on {-1, 1}^d by support, constant apart, with their coefficients.

    On the cube z^2 = 1, so exponents count modulo two: z1^3*z2^2 + z1 is 2 z1. Supports hold the numbers of the
    variables; they come in the order in which they should climb (``climbing_stages``), within a stage by support.

    Args:
        text: a polynomial in z1, z2, ...; ``parse_polynomial`` lists what it may hold.
        d: dimension of the cube.

    Raises:
        TargetError: if the text is no polynomial.
        BadParameter: if it is constant on the cube, or has more than 6 variables or 8 monomials there.

    Source: Fourier analysis on the hypercube. Chapter: staircases.

    >>> cube_monomials("z1*z2*z3 + 2*z1 + z2^2", 5)
    {(1,): 2.0, (1, 2, 3): 1.0}
    """
    exact: dict[Support, Surd] = {}
    for index, coefficient in parse_polynomial(text, d).items():
        support = tuple(variable for variable, exponent in index if exponent % 2)
        exact[support] = exact[support] + coefficient if support in exact else coefficient
    total = {support: float(value) for support, value in exact.items() if support and value}
    if not total:
        raise BadParameter(f"target {text!r} is constant on the hypercube: there is nothing to climb.")
    variables = {variable for support in total for variable in support}
    if max(variables) > MOST_VARIABLES or len(total) > MOST_MONOMIALS:
        raise BadParameter(
            f"target {text!r} is too large: on the hypercube it may hold z1 to z{MOST_VARIABLES} "
            f"and at most {MOST_MONOMIALS} monomials."
        )
    stages = dict(zip(total, climbing_stages(list(total)), strict=True))
    return {support: total[support] for support in sorted(total, key=lambda support: (stages[support], support))}


def climbing_stages(supports: Sequence[Support]) -> list[int]:
    """Return for each monomial the stage, 1, 2, ..., at which it should climb: the easiest first, again and again.

    The cost of a monomial is the number of its variables that no earlier stage holds. Each stage takes all monomials of
    the least cost. What stands in one stage is not ordered.

    Args:
        supports: variables of each monomial.

    Raises:
        BadParameter: if there is none, or one is empty.

    Source: Abbe, Boix-Adsera and Misiakiewicz 2023, Definition 1, read greedily. Chapter: staircases.

    >>> climbing_stages([(1, 2, 3), (1,), (4,), (1, 2)])
    [3, 1, 1, 2]
    """
    return [stage for stage, _ in _stages_and_costs(supports)]


def climbing_costs(supports: Sequence[Support]) -> list[int]:
    """Return for each monomial the number of its variables that are new at its stage.

    Args:
        supports: variables of each monomial.

    Raises:
        BadParameter: as ``climbing_stages``.

    Chapter: staircases.

    >>> climbing_costs([(1, 2, 3), (1,), (4,), (1, 2)])
    [1, 1, 1, 1]
    """
    return [cost for _, cost in _stages_and_costs(supports)]


def cube_leap(supports: Sequence[Support]) -> int:
    """Return the leap of a function on the hypercube with these monomials: exact.

    Args:
        supports: variables of each monomial.

    Raises:
        BadParameter: as ``climbing_stages``.

    Source: Abbe, Boix-Adsera and Misiakiewicz 2023, Definition 1. Chapter: staircases.

    >>> cube_leap([(1,), (2,), (2, 3, 4)]), cube_leap([(1,), (1, 2, 3), (2, 3, 4, 5, 6, 7)])
    (2, 4)
    """
    check_supports(supports)
    return leap([tuple((variable, 1) for variable in support) for support in supports])


def check_supports(supports: Sequence[Support]) -> None:
    """Refuse supports of monomials that are none, empty, or not counted from one.

    Args:
        supports: variables of each monomial.

    Raises:
        BadParameter: if they are not as wanted.
    """
    if not supports or not all(support and min(support) >= 1 for support in supports):
        raise BadParameter(f"supports = {supports!r} is not accepted: each must hold variables, counted from 1.")


def _stages_and_costs(supports: Sequence[Support]) -> list[tuple[int, int]]:
    check_supports(supports)
    found: dict[int, tuple[int, int]] = {}
    covered: set[int] = set()
    for stage in range(1, len(supports) + 1):
        costs = {i: len(set(supports[i]) - covered) for i in range(len(supports)) if i not in found}
        if not costs:
            break
        least = min(costs.values())
        taken = [i for i, cost in costs.items() if cost == least]
        found |= {i: (stage, least) for i in taken}
        covered |= {variable for i in taken for variable in supports[i]}
    return [found[i] for i in range(len(supports))]
