"""The map of the book: which method learns which target, under which condition, and at what order of samples."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from beyond_kernel.checks import BadParameter, list_of, whole_number
from beyond_kernel.foundations.exponents.exponents import generative_exponent
from beyond_kernel.foundations.exponents.isotropic_leap import isotropic_leap
from beyond_kernel.foundations.exponents.links import as_link
from beyond_kernel.foundations.targets.algebra import Polynomial, gradient, order
from beyond_kernel.foundations.targets.exact_rank import exact_rank
from beyond_kernel.foundations.targets.target import Target

if TYPE_CHECKING:  # loaded with the one function that needs it, so that a command in a terminal need not wait
    import xarray

_SEARCH = "feature_learning/information_exponent"


@dataclass(frozen=True)
class Cost:
    """What one method asks of a target: order n = d^exponent, the target's number of directions held fixed.

    Attributes:
        learner: the method, by the label that its learner has in figures and tables.
        exponent: power of d, up to constants and logarithms; NaN where the condition fails.
        condition: what the target must satisfy, in words.
        holds: whether it does.
        reason: the numbers of this target that decide, and what happens otherwise.
        source: paper, and how far it was read.
        chapter: chapter of this book that runs the method, as part and idea.
        claim: id of the claim that measures the method's order, on the target of its chapter, as idea and name.

    Chapter: targets_and_inputs.
    """

    learner: str
    exponent: float
    condition: str
    holds: bool
    reason: str
    source: str
    chapter: str
    claim: str

    @property
    def order(self) -> str:
        """The order of n in words, such as "d^(3/2)"; "-" where the condition fails."""
        if not self.holds:
            return "-"
        power = Fraction(self.exponent)
        if power.denominator > 1:
            return f"d^({power})"
        return {0: "1", 1: "d"}.get(power.numerator, f"d^{power}")


def sample_costs(target: Target | str) -> list[Cost]:
    """Return for each method of the book the order of samples that its theory predicts for a target.

    Inputs are Gaussian, or uniform on the sphere for the kernels; d grows, degree and number of directions do not.
    Every order is up to constants and logarithms. Where two theorems speak of one method, the row is the one for
    polynomials. A row bears the label of its learner, so that theory and measurement join by name. Recursive feature
    machines have no row: of theorems with their order we know one for a relative only (Zhu et al. 2025).

    Args:
        target: polynomial target, not constant, or its text.

    Raises:
        BadParameter: if the target is constant, or no polynomial.

    Source: the papers named in the rows. Chapter: targets_and_inputs.

    >>> {cost.learner: cost.order for cost in sample_costs("h2(z1)*h2(z2)")}["tangent kernel"]
    'd^4'
    """
    target = _polynomial(target)
    target.information_exponent()  # refuses a constant
    return [
        _kernel(target, "random-feature kernel"),
        _kernel(target, "tangent kernel"),
        _one_step(target),
        _transfer(target),
        _online(target),
        _smoothed(target),
        _reused(target),
        _spectral(target),
        _layers(target),
    ]


def cost_columns(costs: Sequence[Cost]) -> dict[str, list[str]]:
    """Return rows as the columns of a table: method, cost, condition, reason, source, chapter with claim.

    Args:
        costs: rows from ``sample_costs``.

    Chapter: targets_and_inputs.

    >>> cost_columns(sample_costs("z1*z2"))["cost"][:3]
    ['d^2', 'd^2', 'd^2']
    """
    return {
        "method": [cost.learner for cost in costs],
        "cost": [cost.order for cost in costs],
        "condition": [cost.condition if cost.holds else f"not met: {cost.condition}" for cost in costs],
        "numbers of this target": [cost.reason for cost in costs],
        "source": [cost.source for cost in costs],
        "chapter: claim": [_place(cost) for cost in costs],
    }


def _place(cost: Cost) -> str:
    """Return chapter and claim in words; the claim may stand in a second chapter."""
    chapter, (told_in, name) = cost.chapter.split("/")[-1], cost.claim.split("/")
    before = "" if told_in == chapter else f"{chapter}; "
    return f"{before}{told_in}: {name}".replace("_", " ")


def predicted_orders(costs: Sequence[Cost], dims: Sequence[int]) -> "xarray.DataArray":
    """Return n = d^exponent with dimensions methods and d; methods of one exponent share a line.

    Args:
        costs: rows from ``sample_costs``; those whose condition fails are left out.
        dims: dimensions d, each at least 1.

    Raises:
        BadParameter: if ``dims`` is empty or holds anything else.

    Chapter: targets_and_inputs.
    """
    import xarray

    list_of("dims", dims, whole_number)
    shared: dict[float, list[Cost]] = {}
    for cost in sorted((cost for cost in costs if cost.holds), key=lambda cost: -cost.exponent):
        shared.setdefault(cost.exponent, []).append(cost)
    names = [f"{', '.join(cost.learner for cost in row)}: {row[0].order}" for row in shared.values()]
    values = [[float(d) ** exponent for d in dims] for exponent in shared]
    return xarray.DataArray(values, {"methods": names, "d": list(dims)}, ["methods", "d"])


def _polynomial(target: Target | str) -> Target:
    if isinstance(target, Target):
        return target
    found = as_link(target).target if isinstance(target, str) else None
    if found is None:
        raise BadParameter(f"target = {target!r} is not accepted: it must be a polynomial target or its text.")
    return found


def _kernel(target: Target, learner: str) -> Cost:
    """Return the row of a kernel that no rotation changes: the bound is the same for all of them."""
    return Cost(
        learner,
        float(target.degree),
        "biases, where an odd degree is above one",
        True,
        f"degree p = {target.degree}; few directions do not help a rotation-invariant kernel fixed beforehand",
        "Ghorbani et al. 2021 (abstract)",
        "kernel_regime/degree_by_degree",
        "degree_by_degree/slope_tends_to_degree",
    )


def _one_step(target: Target) -> Cost:
    """Return the row of Algorithm 1, whose first line fits the linear part apart from about d samples."""
    rest = {index: c for index, c in target.coefficients.items() if order(index) > 1}
    seen, wanted = target.hessian_rank(), exact_rank(list(gradient(rest).values())) if rest else 0
    holds = seen == wanted
    apart = "" if wanted == target.rank else f" ({target.rank} with the linear part, which is fitted apart)"
    paid = "n ~ d for the linear part" if not wanted else f"n ~ d^2 r + d r^p with r = {wanted}, p = {target.degree}"
    return Cost(
        "one step",
        (2.0 if wanted else 1.0) if holds else math.nan,
        "H sees every direction, a linear part aside",
        holds,
        f"rank of H = {seen} of {wanted}{apart}; {paid if holds else _unseen(rest, wanted)}",
        "Damian, Lee, Soltanolkotabi 2022, Theorem 1",
        "feature_learning/one_step",
        "sample_complexity/one_step_slope",
    )


def _unseen(rest: Polynomial, rank: int) -> str:
    """Return what one step of ReLU neurons without biases makes of the directions that H kills, in words.

    The gradient of such a neuron has the terms c_k C_k(w, ..., w, .) / (k - 1)! with the coefficients c_k of ReLU in
    He_k: c_k = 0 for odd k from three on, and an even k from four on stands against noise from about n = d^k. Where a
    lower even degree is there, that degree fills the neuron, and k has a share of order d^(2 - k) of what H has.
    """
    degrees = sorted({order(index) for index in rest if order(index) % 2 == 0})
    for k in degrees:
        even = {index: c for index, c in rest.items() if order(index) % 2 == 0 and order(index) <= k}
        if exact_rank(list(gradient(even).values())) == rank:
            if k == degrees[0]:
                return f"H = 0, and degree {k} shows all directions from about d^{k}, the price of a kernel"
            return f"degree {k} shows the rest, but with too small a share of a neuron for the head to use"
    return "even degrees do not show the rest, and the step cannot see odd ones from three on"


def _transfer(target: Target) -> Cost:
    return Cost(
        "transferred",
        0.0,
        "a source task on the same directions that one step learns",
        True,
        "if one step has learnt a source on the same directions, which has paid d^2: frozen first layer, "
        f"N ~ r^p with r = {target.rank}, p = {target.degree}",
        "Damian, Lee, Soltanolkotabi 2022, Theorem 3",
        "transfer/frozen_representation",
        "frozen_representation/transfer_grows_slower",
    )


def _online(target: Target) -> Cost:
    k = target.information_exponent()
    exponent = 1 if k <= 2 else k - 1
    note = " (with a factor log d)" if k == 2 else ""
    return _single(
        target,
        "online SGD",
        exponent,
        f"information exponent {k}{note}",
        "Ben Arous, Gheissari, Jagannath 2021 (abstract)",
        f"slope_k{min(k, 3)}",  # of exponents from four on the chapter runs none
    )


def _smoothed(target: Target) -> Cost:
    k = target.information_exponent()
    return _single(
        target,
        "smoothed SGD",
        max(k / 2, 1),
        f"information exponent {k}, on a smoothed loss",
        "Damian, Nichani, Ge, Lee 2023 (abstract)",
        "smoothing_slope",
    )


def _reused(target: Target) -> Cost:
    return _single(
        target,
        "reused batch",
        1,
        "any polynomial link; each batch is seen more than once",
        "Lee, Oko, Suzuki, Wu 2024; Dandi et al. 2024 (abstracts)",
        "reuse_steps_over_d",
    )


def _spectral(target: Target) -> Cost:
    k = generative_exponent(target) if target.rank == 1 else 0
    return _single(
        target,
        "spectral method",
        max(k / 2, 1),
        f"generative exponent {k}, by transformed labels",
        "Damian, Pillaud-Vivien, Lee, Bruna 2024 (abstract)",
        "generative_exponent_spectral",
    )


def _layers(target: Target) -> Cost:
    iso, leap = isotropic_leap(target), target.leap()
    note = "" if iso == leap else f", {leap} in the coordinates of the text"
    return Cost(
        "network SGD",
        float(max(iso - 1, 1)),
        "a conjecture; proved for a class of targets and a layerwise, projected SGD",
        True,
        f"isotropic leap {iso}{note}; steps, each with a fresh sample",
        "Abbe, Boix-Adsera, Misiakiewicz 2023, Conjecture 2 and Appendix B.2",
        "feature_learning/staircases",
        "staircases/leap_costs",
    )


def _single(target: Target, learner: str, exponent: float, reason: str, source: str, claim: str) -> Cost:
    holds = target.rank == 1
    return Cost(
        learner,
        float(exponent) if holds else math.nan,
        "one relevant direction",
        holds,
        reason if holds else f"rank {target.rank}",
        source,
        _SEARCH,
        f"{_SEARCH.split('/')[-1]}/{claim}",
    )
