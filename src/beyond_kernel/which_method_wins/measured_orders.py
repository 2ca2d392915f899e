"""Constants of a method for one target, from the stored sweep: which of its targets count, and at which noise."""

import math
from bisect import bisect, bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import permutations, product

from beyond_kernel.foundations.exponents.isotropic_leap import isotropic_leap
from beyond_kernel.foundations.targets.algebra import Index
from beyond_kernel.foundations.targets.target import Target, parse_target
from beyond_kernel.which_method_wins.order_constants import Constant, Measured, order_constant
from beyond_kernel.which_method_wins.sample_costs import Cost, sample_costs
from beyond_kernel.which_method_wins.stored_needs import NOISE, middle_need, stored_needs, stored_searches

LOUDEST = 1.0
"""Noise, in standard deviations of the target, up to which constants were tried."""
LEVELS = (0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6, 0.7, 0.8)
"""Risks at which constants are read off the sweep."""
_MOST_RENAMED = 4


@dataclass(frozen=True)
class Question:
    """What is asked: a target in its dimension, noise, a risk, and which dimensions of the sweep may answer.

    Attributes:
        target: f*, not constant.
        noise: standard deviation of the label noise, in the units of the target.
        threshold: risk to be reached, in units of Var f*.
        dims: dimensions of the stored sweep by which constants are fitted; None for all.
        by_others: whether a target of the sweep is predicted from the others alone.
    """

    target: Target
    noise: float
    threshold: float
    dims: tuple[int, ...] | None = None
    by_others: bool = False

    @property
    def loudness(self) -> float:
        """The noise in standard deviations of the target."""
        return self.noise / math.sqrt(self.target.variance)


def noise_weight(target: Target, noise: float, threshold: float) -> float:
    """Return by how much more samples noise costs than in the sweep: (risk + noise^2) / (risk + 0.1^2), at least 1.

    In the theory of kernels, at a fixed resolution and with a penalty above 0, a risk that is read without noise takes
    samples proportional to risk plus noise^2, all in units of Var f*. For the learners of the sweep that is a rule:
    recursive features and the metric kernel of one step took 0.9 to 1.7 times as much, at noise 0.5 and 1, on three
    targets at d = 8 and 12.

    Args:
        target: f*, not constant.
        noise: standard deviation of the label noise, in the units of the target.
        threshold: risk to be reached, in units of Var f*.

    Source: ``samples_for_risk``, at a fixed resolution. Chapter: which_method_wins.

    >>> round(noise_weight(parse_target("2*z1", 3), 1.0, 0.25), 3)  # (0.25 + 1/4) / (0.25 + 1/100)
    1.923
    """
    return max((threshold + noise**2 / target.variance) / (threshold + NOISE**2), 1.0)


def swept_constant(
    target: Target,
    learner: str,
    exponent: float | None,
    threshold: float,
    dims: Sequence[int] | None = None,
    by_others: bool = False,
) -> Constant | None:
    """Return what stands in front of the order of a method in the stored sweep; None where it says nothing.

    Constants are read off at ``LEVELS`` of the risk and interpolated in log n between two of them, in the dimension of
    the target. Other targets get to a lower level than to a higher one, so a constant may fall where it should rise:
    it is raised to what each higher level needs.

    Args:
        target: of the question; one of the sweep, in whatever names of its variables, has a constant of its own.
        learner: label of the method.
        exponent: of d, by theory: then those targets count that share it; None where no theorem gives one: then those
            count that have none either, with one slope for all of them.
        threshold: risk to be reached.
        dims: dimensions that count; all where they are left out.
        by_others: whether the target's own rows are left out.

    Chapter: which_method_wins.
    """
    below, above = bisect(LEVELS, threshold) - 1, bisect_left(LEVELS, threshold)
    found = [_at_level(target, learner, exponent, level, dims, by_others) for level in LEVELS]
    if below < 0 or found[below] is None:
        return None
    n = _raised(found[below:], target.dim)
    if below < above < len(LEVELS) and any(found[above:]):
        share = (threshold - LEVELS[below]) / (LEVELS[above] - LEVELS[below])
        n = n ** (1 - share) * _raised(found[above:], target.dim) ** share
    factor = n / found[below].samples(target.dim)[0]
    middle, low, high = (factor * getattr(found[below], name) for name in ("middle", "low", "high"))
    return replace(found[below], middle=middle, low=low, high=high)


def search_constant(
    target: Target, learner: str, exponent: float, dims: Sequence[int] | None = None
) -> Constant | None:
    """Return what stands in front of the order of a method that knows the link; None where nothing was measured.

    Args:
        target: of the question, of one direction.
        learner: label of the method.
        exponent: of d, by theory; targets count that share it.
        dims: dimensions that count; all where they are left out.

    Chapter: which_method_wins.
    """
    rows = [
        Measured(need.target, need.d, need.samples)
        for need in stored_searches()
        if need.learner == learner and (dims is None or need.d in dims) and _shares(need.target, learner, exponent)
    ]
    return order_constant(rows, exponent, [text for text in _texts(rows) if same_target(text, target)])


def beyond(target: Target, constant: Constant) -> str:
    """Return in words how a target leaves what a constant was measured on; empty where it does not.

    Degree and rank have to lie within those of its targets, and the lowest degree that shows the last direction, the
    isotropic leap, must not be above theirs: z1 z2 z3 z4 learnt nothing from four times the samples of a constant.

    Args:
        target: of the question.
        constant: from ``swept_constant`` or ``search_constant``.

    Chapter: which_method_wins.
    """
    known = [_parsed(text) for text in constant.targets]
    found = []
    for what in ("degree", "rank"):
        least, most = (end(getattr(other, what) for other in known) for end in (min, max))
        if not least <= getattr(target, what) <= most:
            told = f"{least}" if least == most else f"{least} to {most}"
            found.append(f"{what} {getattr(target, what)}, measured on {told}")
    leap, most = isotropic_leap(target), max(map(isotropic_leap, known))
    if leap > most:
        found.append(f"isotropic leap {leap}, measured on leaps to {most}: a direction that shows later than any there")
    return "; ".join(found)


def same_target(text: str, target: Target) -> bool:
    """Say whether a target is one of the sweep but for a constant, a factor, and names and signs of its variables.

    Args:
        text: of a target of the sweep.
        target: of the question.

    Chapter: which_method_wins.

    >>> same_target("h2(z1) + h3(z1)", parse_target("1 - 2*h2(z4) + 2*h3(z4)", 5))  # -z4 for z1
    True
    """
    known = _parsed(text)
    if (known.degree, known.rank) != (target.degree, target.rank):
        return False
    variables = sorted({variable for index in target.coefficients for variable, _ in index})
    orders = permutations(range(1, len(variables) + 1)) if len(variables) <= _MOST_RENAMED else ()
    wanted = _in_units(known, {v: v for v in range(1, known.rank + 1)})  # its text names just as many variables
    named = (_in_units(target, dict(zip(variables, order, strict=True))) for order in orders)
    return any(wanted.keys() == found.keys() and _equal_but_for_signs(wanted, found) for found in named)


def _at_level(
    target: Target, learner: str, exponent: float | None, level: float, dims: Sequence[int] | None, by_others: bool
) -> Constant | None:
    rows = [
        Measured(need.target, need.d, n)
        for need in stored_needs()
        if need.learner == learner and (dims is None or need.d in dims) and _shares(need.target, learner, exponent)
        if need.sizes[0] < (n := middle_need(need, level)) < math.inf  # at the smallest size it may be less
        if not (by_others and same_target(need.target, target))
    ]
    return order_constant(rows, exponent, [text for text in _texts(rows) if same_target(text, target)])


def _raised(found: Sequence[Constant | None], d: int) -> float:
    """Return the most that is needed at a level or at a higher one."""
    return max(constant.samples(d)[0] for constant in found if constant is not None)


def _texts(rows: Sequence[Measured]) -> list[str]:
    return list(dict.fromkeys(row.target for row in rows))


def _shares(text: str, learner: str, exponent: float | None) -> bool:
    """Say whether a target of the sweep has the order that is asked for; methods without a row have none by theory."""
    cost = _costs(text).get(learner)
    return exponent is None and (cost is None or not cost.holds) or cost is not None and cost.exponent == exponent


@lru_cache(maxsize=64)
def _costs(text: str) -> dict[str, Cost]:
    return {cost.learner: cost for cost in sample_costs(_parsed(text))}


@lru_cache(maxsize=64)
def _parsed(text: str) -> Target:
    return parse_target(text, 8)


def _in_units(target: Target, names: dict[int, int]) -> dict[Index, float]:
    """Return the coefficients of a target over its standard deviation, the constant left out, under new names."""
    unit = target.scale / math.sqrt(target.variance)
    terms = ((index, float(value)) for index, value in target.coefficients.items() if index)
    return {tuple(sorted((names[v], e) for v, e in index)): unit * value for index, value in terms}


def _equal_but_for_signs(first: dict[Index, float], second: dict[Index, float]) -> bool:
    """Say whether coefficients of the same terms are equal once signs of variables, and that of all, are turned."""
    variables = sorted({variable for index in first for variable, _ in index})
    for signs in product((1, -1), repeat=len(variables) + 1):
        turned = dict(zip(variables, signs, strict=False))
        sign = {index: signs[-1] * math.prod(turned[variable] ** power for variable, power in index) for index in first}
        if all(math.isclose(first[index], sign[index] * second[index], rel_tol=1e-9) for index in first):
            return True
    return False
