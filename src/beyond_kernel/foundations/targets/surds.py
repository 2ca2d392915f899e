"""Exact numbers: rationals and sums of square roots of rationals."""

import math
from collections.abc import Mapping
from fractions import Fraction
from functools import lru_cache
from itertools import product

LARGEST_RADICAND = 10**12  # trial division up to its root takes hundredths of a second
_ONE = frozenset()


class Surd:
    """An exact number: a sum of rational multiples of square roots of square-free whole numbers.

    The sum is stored as a dictionary from the set of primes under the root to the rational factor. Roots of
    different square-free numbers are linearly independent over the rationals, so the number is zero if and
    only if the dictionary is empty: tests for zero are exact.
    """

    __slots__ = ("terms",)

    def __init__(self, terms: Mapping[frozenset, Fraction]):
        self.terms = {primes: factor for primes, factor in terms.items() if factor}

    @classmethod
    def rational(cls, value: int | Fraction) -> "Surd":
        """Return the number ``value``."""
        return cls({_ONE: Fraction(value)})

    @classmethod
    def root(cls, value: int | Fraction) -> "Surd":
        """Return the square root of a rational of at least 0.

        Raises:
            ValueError: if ``value`` is negative or its numerator or denominator above ``LARGEST_RADICAND``.
        """
        value = Fraction(value)
        if value < 0 or max(value.numerator, value.denominator) > LARGEST_RADICAND:
            raise ValueError(f"no square root of {value}")
        if not value:
            return cls({})
        outer, inner = _square_free(value.numerator)
        outer_below, inner_below = _square_free(value.denominator)
        factor = Fraction(outer, outer_below * math.prod(inner_below))
        return cls({inner | inner_below: factor})

    def __bool__(self) -> bool:
        return bool(self.terms)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Surd) and self.terms == other.terms

    def __hash__(self) -> int:
        return hash(frozenset(self.terms.items()))

    def __add__(self, other: "Surd") -> "Surd":
        total = dict(self.terms)
        for primes, factor in other.terms.items():
            total[primes] = total.get(primes, 0) + factor
        return Surd(total)

    def __mul__(self, other: "Surd") -> "Surd":
        total: dict[frozenset, Fraction] = {}
        for (p, a), (q, b) in product(self.terms.items(), other.terms.items()):
            key = p ^ q
            total[key] = total.get(key, 0) + a * b * math.prod(p & q)
        return Surd(total)

    def __neg__(self) -> "Surd":
        return Surd({primes: -factor for primes, factor in self.terms.items()})

    def inverse(self) -> "Surd":
        """Return one over this number.

        With one prime p taken out, x = a + b sqrt(p) and 1/x = (a - b sqrt(p)) / (a^2 - p b^2); the
        denominator is free of p, and so on until it is a single term.

        Raises:
            ZeroDivisionError: if this number is zero.
        """
        if not self:
            raise ZeroDivisionError("one over zero")
        if len(self.terms) == 1:
            ((primes, factor),) = self.terms.items()
            return Surd({primes: 1 / (factor * math.prod(primes))})
        prime = min(self.primes() - frozenset.intersection(*self.terms))
        conjugate = Surd({key: -factor if prime in key else factor for key, factor in self.terms.items()})
        return conjugate * (self * conjugate).inverse()

    def as_fraction(self) -> Fraction | None:
        """Return the number as a fraction, or None if it is irrational."""
        return self.terms.get(_ONE, Fraction(0)) if set(self.terms) <= {_ONE} else None

    def primes(self) -> frozenset:
        """Return the primes that occur under a root."""
        return frozenset().union(*self.terms)

    def bits(self) -> int:
        """Return the length of the longest numerator or denominator."""
        parts = (part for f in self.terms.values() for part in (f.numerator, f.denominator))
        return max((part.bit_length() for part in parts), default=0)

    def __float__(self) -> float:
        """Return the nearest double or so, also where the roots almost cancel."""
        bits = 128
        while self:
            value = sum(f * math.isqrt(math.prod(p) << 2 * bits) for p, f in self.terms.items())
            if abs(value) > sum(abs(factor) for factor in self.terms.values()) * 2**64:
                return float(value / 2**bits)
            bits *= 2
        return 0.0

    def __repr__(self) -> str:
        return " + ".join(f"{f}*sqrt({math.prod(p)})" if p else str(f) for p, f in self.terms.items()) or "0"


@lru_cache(maxsize=4096)
def _square_free(number: int) -> tuple[int, frozenset]:
    """Return (s, primes) with number = s^2 times the product of the primes."""
    outer, primes, p = 1, set(), 2
    while p * p <= number:
        while number % (p * p) == 0:
            number //= p * p
            outer *= p
        if number % p == 0:
            number //= p
            primes.add(p)
        p += 1 if p == 2 else 2
    return outer, frozenset(primes | ({number} if number > 1 else set()))
