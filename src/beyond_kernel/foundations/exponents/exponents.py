"""Exponents that say how hard a link or a target is: information exponent, leap and generative exponent."""

from collections.abc import Sequence
from typing import NamedTuple

import torch

from beyond_kernel.checks import BadParameter, whole_number
from beyond_kernel.foundations.exponents.label_transformations import (
    MOST_DEGREE,
    one_variable,
    threshold_correlations,
)
from beyond_kernel.foundations.exponents.links import (
    AnyLink,
    Link,
    as_link,
    mean_and_variance,
    refuse_constant,
)
from beyond_kernel.foundations.targets.algebra import order
from beyond_kernel.foundations.targets.hermite import hermite_coefficients
from beyond_kernel.foundations.targets.target import Target

CLEAR = 1e-5
"""From this share of a standard deviation on a coefficient or a correlation counts as not zero."""
_ZERO = 1e-8  # rounding leaves 1e-12, a quadrature that has settled mostly 1e-10


class Exponents(NamedTuple):
    """The three exponents of a link or a target; ``generative`` is None for a target of rank above 1."""

    information: int
    leap: int
    generative: int | None


def exponents_of(link: AnyLink, breakpoints: Sequence[float] = (), max_degree: int = 12) -> Exponents:
    """Return information exponent, leap and generative exponent of a link or a target.

    Args:
        link: as for ``information_exponent``.
        breakpoints: kinks and jumps of a callable.
        max_degree: degrees that are looked at; polynomials need no limit.

    Raises:
        BadParameter: as ``information_exponent`` and ``generative_exponent``.

    Chapter: hermite_calculus.

    >>> exponents_of("he3")
    Exponents(information=3, leap=3, generative=1)
    """
    link = as_link(link, breakpoints)
    single = link.target is None or link.target.rank <= 1
    first, jump = (exponent(link, max_degree=max_degree) for exponent in (information_exponent, leap))
    return Exponents(first, jump, generative_exponent(link, max_degree) if single else None)


def information_exponent(link: AnyLink, breakpoints: Sequence[float] = (), max_degree: int = 12) -> int:
    """Return the smallest k >= 1 with E[f He_k] not zero: the first degree in which the label itself says something.

    Polynomials are decided exactly, also those of several variables (then He_k is the Hermite tensor). Other links are
    integrated by quadrature: a coefficient counts as zero below 1e-8 standard deviations of the link and as not zero
    above 1e-5; what lies between is refused.

    Args:
        link: a name such as "relu", the text of a polynomial, a callable from (n,) to (n,), or a ``Target``.
        breakpoints: kinks and jumps of a callable; names know their own.
        max_degree: degrees that are looked at, from 1 to 40; polynomials need no limit.

    Raises:
        BadParameter: if the link is constant, not finite, grows too fast, has a kink that is not named, or is not
            decided up to ``max_degree``.

    Source: Ben Arous, Gheissari and Jagannath (2021) for the notion. Chapter: hermite_calculus.

    >>> information_exponent("relu"), information_exponent("z1^2 - 1"), information_exponent("he4")
    (1, 2, 4)
    """
    whole_number("max_degree", max_degree, most=MOST_DEGREE)
    link = as_link(link, breakpoints)
    if link.target is not None:
        return link.target.information_exponent()
    refuse_constant(link)
    mean, variance = mean_and_variance(link)
    scaled = hermite_coefficients(lambda z: (link(z) - mean) / variance**0.5, max_degree, link.breakpoints)
    return _first(link, scaled[1:].abs(), "the coefficient E[f h_k]")


def leap(link: AnyLink, breakpoints: Sequence[float] = (), max_degree: int = 12) -> int:
    """Return the leap of a target in the coordinates of its text; for a link of one variable the information exponent.

    The smallest, over all orders of the non-zero Hermite monomials, of the largest number of exponents that fall on
    coordinates not seen before.

    Args:
        link: as for ``information_exponent``.
        breakpoints: kinks and jumps of a callable.
        max_degree: degrees that are looked at; polynomials need no limit.

    Raises:
        BadParameter: as ``information_exponent``.

    Source: Abbe, Boix-Adsera and Misiakiewicz (2023). Chapter: hermite_calculus.
    """
    link = as_link(link, breakpoints)
    return information_exponent(link, max_degree=max_degree) if link.target is None else link.target.leap()


def generative_exponent(link: AnyLink, max_degree: int = 12) -> int:
    """Return the smallest k >= 1 with E[T(y) h_k(z)] not zero for some T, with the noiseless label y = f(z).

    Polynomials of one direction v, in whatever coordinates, are decided exactly: 2 if even, 1 otherwise. Take the
    leading coefficient positive and t above all extrema. With odd degree y > t is z > b, and E[z 1{y > t}] is the
    normal density at b, not zero. With even degree y > t is z < a or z > b, and it is the difference of the densities
    at b and a: zero for all such t only if a = -b, so if f is even. Then E[z | y] = 0 by symmetry, and
    E[h_2 1{y > t}] is above zero. The part of degree k is c_k He_k(<v, x>): f is even if no odd degree has a part.

    Other links are decided by thresholds T(y) = 1{y > t}, whose combinations approach every T. A largest correlation
    counts as zero below 1e-8 and as not zero above 1e-5; what lies between is refused. Kinks and jumps need not be
    named, and the link needs no second moment.

    Args:
        link: as for ``information_exponent``, of one variable or of rank 1.
        max_degree: degrees that are looked at, from 1 to 40.

    Raises:
        BadParameter: if the link is constant, not finite, oscillates too fast, depends on several directions, or is
            not decided up to ``max_degree``.

    Source: Damian, Pillaud-Vivien, Lee and Bruna (2024) for the notion; the rule for polynomials is derived here.
    Chapter: hermite_calculus.

    >>> generative_exponent("he4")
    2
    """
    link = one_variable(as_link(link))
    if link.target is not None:
        link.target.information_exponent()  # refuses a constant
        return 2 if _is_even(link.target) else 1
    return _first(link, threshold_correlations(link, max_degree), "the largest correlation of a threshold with h_k")


def _first(link: Link, sizes: torch.Tensor, what: str) -> int:
    """Return the first k whose size is not zero; the sizes are those of k = 1, 2, ..."""
    for k, size in enumerate(sizes.tolist(), start=1):
        if size >= CLEAR:
            return k
        if size > _ZERO:
            raise BadParameter(
                f"link {link.name} is not decided at degree {k}: {what} is {size:.1e}, too small to be told from "
                f"zero; the text of a polynomial is decided exactly."
            )
    raise BadParameter(f"link {link.name} is not decided: up to max_degree = {len(sizes)} {what} is zero.")


def _is_even(target: Target) -> bool:
    return all(order(index) % 2 == 0 for index in target.coefficients)
