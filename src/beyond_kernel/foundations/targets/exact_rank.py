"""The exact rank of a matrix of surds, by elimination in a finite field: no rounding, no tolerance."""

from collections.abc import Mapping, Sequence
from functools import lru_cache

from beyond_kernel.foundations.targets.surds import Surd

_PRIME = 2**127 - 1  # a prime that leaves the remainder 3 modulo 4, so -1 has no square root in its field


def exact_rank(rows: Sequence[Mapping]) -> int:
    """Return the rank of a matrix of surds, given by rows: dictionaries from column to entry.

    Gaussian elimination in the finite field with P^2 elements, P = 2^127 - 1, in which every whole number has
    a square root: no rounding and no tolerance. The rank there is never above the true one, and below it only
    if P, a number of 39 digits, happens to divide the norm of every non-vanishing minor of that size.
    """
    pivots: dict = {}
    for row in rows:
        reduced = {column: image for column, entry in row.items() if (image := _image(entry)) != (0, 0)}
        while reduced:
            column = min(reduced)
            if column not in pivots:
                inverse = _field_inverse(reduced[column])
                pivots[column] = {c: _field_product(inverse, v) for c, v in reduced.items()}
                break
            factor = reduced[column]
            for c, v in pivots[column].items():
                a, b = reduced.get(c, (0, 0))
                x, y = _field_product(factor, v)
                reduced[c] = ((a - x) % _PRIME, (b - y) % _PRIME)
            reduced = {c: v for c, v in reduced.items() if v != (0, 0)}
    return len(pivots)


def _image(number: Surd) -> tuple[int, int]:
    total = (0, 0)
    for primes, factor in number.terms.items():
        value = (factor.numerator * pow(factor.denominator, -1, _PRIME) % _PRIME, 0)
        for prime in primes:
            value = _field_product(value, _field_root(prime))
        total = ((total[0] + value[0]) % _PRIME, (total[1] + value[1]) % _PRIME)
    return total


@lru_cache(maxsize=4096)
def _field_root(number: int) -> tuple[int, int]:
    root = pow(number, (_PRIME + 1) // 4, _PRIME)
    if root * root % _PRIME == number % _PRIME:
        return (root, 0)
    return (0, pow(-number, (_PRIME + 1) // 4, _PRIME))


def _field_product(x: tuple[int, int], y: tuple[int, int]) -> tuple[int, int]:
    return ((x[0] * y[0] - x[1] * y[1]) % _PRIME, (x[0] * y[1] + x[1] * y[0]) % _PRIME)


def _field_inverse(x: tuple[int, int]) -> tuple[int, int]:
    scale = pow(x[0] * x[0] + x[1] * x[1], -1, _PRIME)
    return (x[0] * scale % _PRIME, -x[1] * scale % _PRIME)
