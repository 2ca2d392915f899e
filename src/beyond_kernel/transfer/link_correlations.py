"""How two neurons with a polynomial link correlate under Gaussian inputs, exactly, at any lengths of their weights."""

import math
from functools import lru_cache

import torch

from beyond_kernel.checks import BadParameter, floating, real_number
from beyond_kernel.feature_learning.scaled_link import ScaledLink


def link_correlation(link: ScaledLink, cosine: float) -> float:
    """Return g(r) = sum_l c_l^2 r^l, which is E f(<a, x>) f(<b, x>) for unit vectors with <a, b> = r.

    Args:
        link: f, a polynomial with Hermite coefficients c_l.
        cosine: r, from -1 to 1.

    Raises:
        BadParameter: if the link is no polynomial or the cosine is out of range.

    Source: Mehler's formula. Chapter: low_rank_finetuning.

    >>> from beyond_kernel.feature_learning.scaled_link import learning_link
    >>> round(link_correlation(learning_link("he3"), 0.5), 9)
    0.125
    """
    r = real_number("cosine", cosine, least=-1, most=1)
    return sum(square * r**degree for degree, square in enumerate(_squares(link)))


def correlation_slope(link: ScaledLink, cosine: float) -> float:
    """Return g'(r) = sum_l l c_l^2 r^(l-1), the slope of ``link_correlation``.

    Args:
        link: a polynomial.
        cosine: r, from -1 to 1.

    Raises:
        BadParameter: if the link is no polynomial or the cosine is out of range.

    Chapter: low_rank_finetuning.
    """
    r = real_number("cosine", cosine, least=-1, most=1)
    return sum(degree * square * r ** (degree - 1) for degree, square in enumerate(_squares(link)) if degree)


def link_products(
    link: ScaledLink, A: torch.Tensor, B: torch.Tensor, C: torch.Tensor, constant_only: bool = False
) -> torch.Tensor:
    """Return E f(p) f(q) for Gaussian p and q of mean zero with variances A and B and covariance C, for a polynomial f.

    With f(sqrt(A) z) = sum_j A^(j/2) e_j(A) h_j(z) it is the sum of e_j(A) e_j(B) C^j.

    Args:
        link: f, a polynomial.
        A: variances, of any shape.
        B: variances, of a shape that fits.
        C: covariances, of a shape that fits.
        constant_only: whether to return E f(p) E f(q) alone, the term of j = 0.

    Raises:
        BadParameter: if the link is no polynomial.
        TypeError: if A, B or C is no floating-point tensor.

    Source: derived here, by Mehler's formula. Chapter: low_rank_finetuning.
    """
    for name, given in (("A", A), ("B", B), ("C", C)):
        floating(name, given)
    _squares(link)  # refuses a link that is no polynomial
    total = torch.zeros_like(A + B + C)
    for j, terms in enumerate(_terms(link.powers)[: 1 if constant_only else None]):
        total = total + _series(terms, A) * _series(terms, B) * C**j
    return total


def _squares(link: ScaledLink) -> list[float]:
    """Return the squares of the Hermite coefficients."""
    if link.powers is None:
        raise BadParameter(f"link = {link.link.name!r} is not accepted: it must be a polynomial.")
    return [sum(terms) ** 2 for terms in _terms(link.powers)]


@lru_cache(maxsize=64)
def _terms(powers: tuple[float, ...]) -> tuple[tuple[float, ...], ...]:
    """Return for each degree j the coefficients of e_j(A) by powers of A: z^p holds p! / (2^m m! sqrt(j!)) of h_j."""
    degree = len(powers) - 1
    return tuple(
        tuple(
            powers[j + 2 * m] * math.factorial(j + 2 * m) / (2**m * math.factorial(m) * math.sqrt(math.factorial(j)))
            for m in range((degree - j) // 2 + 1)
        )
        for j in range(degree + 1)
    )


def _series(terms: tuple[float, ...], A: torch.Tensor) -> torch.Tensor:
    """Return the polynomial with coefficients ``terms``, constant first, at A."""
    value = torch.zeros_like(A)
    for term in reversed(terms):
        value = value * A + term
    return value
