"""What decides the cost of a target, in one table: degree, rank, exponents, Hessian, mean and variance."""

from typing import Any

from beyond_kernel.foundations.exponents.exponents import exponents_of
from beyond_kernel.foundations.exponents.isotropic_leap import isotropic_leap
from beyond_kernel.foundations.exponents.links import as_link, mean_and_variance
from beyond_kernel.foundations.targets.target import Target


def target_facts(target: Target | str) -> dict[str, Any]:
    """Return the numbers of a target or a link by name, None where one is not defined for it.

    Args:
        target: polynomial target or its text; or the name of a link, such as "relu", of which degree, rank and Hessian
            are None.

    Raises:
        BadParameter: if it is constant, or neither a polynomial nor the name of a link.

    Chapter: which_method_wins.

    >>> facts = target_facts("h2(z1) + h3(z2)")
    >>> facts["rank"], facts["rank of the Hessian"], facts["degenerate Hessian"]
    (2, 1, True)
    """
    link = as_link(target)
    information, leap, generative = exponents_of(link)
    found = link.target
    if found is not None:
        mean, variance = found.mean, found.variance
    else:
        mean, variance = mean_and_variance(link)
    return {
        "degree": found and found.degree,
        "rank": found and found.rank,
        "information exponent": information,
        "generative exponent": generative,
        "leap": leap,
        "isotropic leap": found and isotropic_leap(found),
        "rank of the Hessian": found and found.hessian_rank(),
        "degenerate Hessian": found and found.has_degenerate_hessian,
        "mean": mean,
        "variance": variance,
    }
