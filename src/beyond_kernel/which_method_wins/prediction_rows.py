"""One row for each method: what it is predicted to need of a target in one dimension, and how that was got."""

import math
from dataclasses import dataclass, replace

from beyond_kernel.foundations.targets.algebra import gradient
from beyond_kernel.foundations.targets.exact_rank import exact_rank
from beyond_kernel.foundations.targets.target import Target
from beyond_kernel.which_method_wins.kernel_lines import (
    degree_for_risk,
    gaussian_line,
    line_with_range,
    plateau,
    relu_line,
)
from beyond_kernel.which_method_wins.measured_orders import (
    LOUDEST,
    Question,
    beyond,
    noise_weight,
    same_target,
    search_constant,
    swept_constant,
)
from beyond_kernel.which_method_wins.order_constants import Constant
from beyond_kernel.which_method_wins.sample_costs import Cost

LINE = "theory line, Gaussian inputs"
SPHERE_LINE = "theory line, sphere"
CONSTANT = "order, measured constant"
BOUND = "order of an upper bound, measured constant"
MEASURED = "measured order, no theorem"
SUBSPACE_LINE = "subspace line, measured factor"
ORDER = "order only"
UNKNOWN = "no prediction"
SLOWEST_HEAD = 1.1
"""Least power of d with which the samples of one step with its own head grew in the sweep, up to ``_LARGEST``."""
_LARGEST = 32
SUBSPACE_FACTORS = {"transferred metric": (3.0, 1.0, 5.0), "transferred": (10.0, 2.5, 20.0)}
"""Samples of transferred learners over the line of a kernel that is given the subspace, with low and high end.

Measured on four targets at d = 10 and 20, three seeds each; the source has two directions, 2 d^2 labels for the metric
and 16 d^2 for the first layer, of 1,000 neurons. On h2(z1)*h2(z2) the first layer did not get to 0.25 by N = 384."""


@dataclass(frozen=True)
class Prediction:
    """What one method is predicted to need of a target in one dimension.

    Attributes:
        learner: the method, by the label that it has in figures and tables.
        exponent: power of d in its order; NaN where none is known.
        order: the order in words, such as "d^2"; "-" where none is known.
        n: samples for the risk asked for, NaN where no number is known.
        low: the low end of the range around n.
        high: the high end.
        how: how n was got, in words.
        condition: what the target must satisfy.
        holds: whether it does.
        reason: the numbers that decide, and why there is no n where there is none.
        source: paper, and how far it was read.
        chapter: chapter of this book that runs the method, as part and idea.
        claim: id of the claim that measures the order; empty where there is none.

    Chapter: which_method_wins.
    """

    learner: str
    exponent: float
    order: str
    n: float
    low: float
    high: float
    how: str
    condition: str
    holds: bool
    reason: str
    source: str
    chapter: str
    claim: str


def kernel_rows(asked: Question, cost: Cost) -> list[Prediction]:
    """Return the rows of the three fixed kernels, each by its theory line.

    Args:
        asked: target, noise, risk and dimensions.
        cost: the row of a kernel in ``sample_costs``.

    Chapter: which_method_wins.
    """
    target = asked.target
    degree = degree_for_risk(target, asked.threshold)
    enough = f"degree {degree} is enough for this risk" if degree < target.degree else ""
    reason = "; ".join(filter(None, (cost.reason, enough, plateau(target, asked.threshold))))
    cost = replace(cost, exponent=float(degree), reason=reason)
    rows = [
        _row(replace(cost, learner="Gaussian kernel", condition="none"), LINE,
             line_with_range(gaussian_line, target, asked.threshold, asked.noise))
    ]  # fmt: skip
    for learner, kernel in (("random-feature kernel", "random features"), ("tangent kernel", "tangent")):
        row = replace(cost, learner=learner)
        if target.dim < 3:
            told = f"the theory line on the sphere begins at d = 3, and d = {target.dim}"
            rows.append(_row(row, UNKNOWN, reason=told))
            continue
        line = line_with_range(relu_line(kernel), target, asked.threshold, asked.noise)
        rows.append(_row(row, SPHERE_LINE, line, f"{cost.reason}; Gaussian inputs take more"))
    return rows


def step_rows(asked: Question, cost: Cost) -> list[Prediction]:
    """Return the rows of one step, with its own head, with a kernel in its metric, and of that without a network.

    Theorem 1 bounds the head from above, so beyond the sweep the low end of its range follows the least power measured.

    Args:
        asked: target, noise, risk and dimensions.
        cost: the row of one step in ``sample_costs``.

    Chapter: which_method_wins.
    """
    metric = replace(
        cost,
        learner="one step, metric kernel",
        exponent=math.nan,
        condition="none known",
        holds=True,
        reason=cost.reason if cost.holds else f"H does not see all: {cost.reason.split(';')[0]}",
        source="order measured here; Theorem 1 of Damian et al. 2022 is about the head of one step",
        claim="recursive_features/metric_of_one_step",
    )
    moments = replace(metric, learner="two moments", claim="which_method_wins/two_moments_need_no_more")
    slower = "an upper bound: in the sweep n grew like d^1.1 to d^1.6, so a number far from d = 8 to 32 is high"
    head = replace(cost, reason=f"{cost.reason}; {slower}") if cost.holds else cost
    row = _swept(asked, head, cost.exponent if cost.holds else None)
    row = replace(row, low=row.low * min(1.0, (asked.target.dim / _LARGEST) ** (SLOWEST_HEAD - cost.exponent)))
    return [row, _swept(asked, metric, None), _swept(asked, moments, None)]


def free_rows(asked: Question) -> list[Prediction]:
    """Return the rows of the methods for which no theorem gives an order on these targets.

    Args:
        asked: target, noise, risk and dimensions.

    Chapter: which_method_wins.
    """
    recursive = Cost(
        "recursive features", math.nan, "none known; too few labels fail", True, "",
        "Radhakrishnan et al. 2024 for the method; order measured here",
        "escaping_the_kernel/recursive_features", "sample_complexity/recursive_features_slope",
    )  # fmt: skip
    network = Cost(
        "trained network", math.nan, "none known", True, "", "order measured here",
        "feature_learning/one_step", "",
    )  # fmt: skip
    return [_swept(asked, cost, None) for cost in (recursive, network)]


def search_row(asked: Question, cost: Cost) -> Prediction:
    """Return the row of a method that knows the link and looks for its direction.

    Args:
        asked: target, noise, risk and dimensions.
        cost: its row in ``sample_costs``.

    Chapter: which_method_wins.
    """
    if not cost.holds:
        return _row(cost, UNKNOWN)
    constant = search_constant(asked.target, cost.learner, cost.exponent, asked.dims)
    told = "knows the link; samples until the overlap is 1/2"
    return _with_constant(asked, replace(cost, reason=f"{cost.reason}; {told}"), constant, noisy=False)


def transfer_rows(asked: Question, cost: Cost, source: Target | None) -> list[Prediction]:
    """Return the rows of what a source has learnt, its metric and its first layer.

    A Gaussian kernel that is given the source's directions has a theory line in so many dimensions; what transfers is
    worse by a measured factor.

    Args:
        asked: target, noise, risk and dimensions.
        cost: the row of transfer in ``sample_costs``.
        source: the task that has been learnt before, on the same hidden directions; None where there is none.

    Chapter: which_method_wins.
    """
    costs = [replace(cost, learner=learner) for learner in SUBSPACE_FACTORS]
    if source is None:
        return [_row(row, UNKNOWN, reason="no source is given", order="-") for row in costs]
    together = exact_rank(_stacked(asked.target, source))
    if together > source.rank:
        told = f"the source sees {source.rank} of the {together} directions of both: what it misses is not transferred"
        return [_row(replace(row, holds=False), UNKNOWN, reason=told) for row in costs]
    if asked.loudness > LOUDEST:
        return [_row(row, ORDER, reason=_too_loud(asked)) for row in costs]
    line = gaussian_line(replace(asked.target, dim=source.rank), asked.threshold, asked.noise)
    seen = source.part(2) if source.hessian_rank() else None  # what the first layer holds after one step
    known = seen is not None and exact_rank(_stacked(asked.target, seen)) == source.hessian_rank()
    paid = {"transferred metric": "recursive features", "transferred": "one step, from about d^2 labels"}
    blind = "the source's mean Hessian misses a direction of the target, so one step does not find it for the layer"
    return [
        _row(replace(row, holds=False), UNKNOWN, reason=blind)
        if row.learner == "transferred" and not known
        else _row(
            row,
            SUBSPACE_LINE,
            tuple(factor * line for factor in SUBSPACE_FACTORS[row.learner]),
            f"{source.rank} directions of the source, which has been paid before by {paid[row.learner]}",
            "constant in d",
        )
        for row in costs
    ]


def order_row(cost: Cost) -> Prediction:
    """Return the row of a method of which no constant is known.

    Args:
        cost: its row in ``sample_costs``.

    Chapter: which_method_wins.
    """
    return _row(cost, ORDER if cost.holds else UNKNOWN)


def _swept(asked: Question, cost: Cost, exponent: float | None) -> Prediction:
    constant = swept_constant(asked.target, cost.learner, exponent, asked.threshold, asked.dims, asked.by_others)
    return _with_constant(asked, cost, constant, noisy=True)


def _with_constant(asked: Question, cost: Cost, constant: Constant | None, noisy: bool) -> Prediction:
    """Return a row with an order and its constant, or with the reason why there is no number."""
    if constant is None:
        lacking = f"no run of the stored sweep says where the risk {asked.threshold:g} is reached"
        return _row(cost, ORDER if cost.holds and math.isfinite(cost.exponent) else UNKNOWN, reason=_and(cost, lacking))
    fitted = not (cost.holds and math.isfinite(cost.exponent))
    told = replace(cost, exponent=constant.exponent)
    order = f"d^{constant.exponent:.2f}" if fitted else cost.order
    if noisy and asked.loudness > LOUDEST:
        return _row(told, ORDER, reason=_and(cost, _too_loud(asked)), order=order)
    origin, known = _origin(asked.target, constant)
    if not known:
        if fitted:  # its power was measured on other targets too
            return _row(cost, UNKNOWN, reason=_and(cost, origin), order="-")
        return _row(told, ORDER, reason=_and(cost, origin), order=order)
    weight = noise_weight(asked.target, asked.noise, asked.threshold) if noisy else 1.0
    n, low, high = constant.samples(asked.target.dim)
    samples = (weight * n, weight * low, weight**2 * high)  # the rule of noise may fall short by as much again
    how = MEASURED if fitted else BOUND if noisy else CONSTANT
    return _row(told, how, samples, _and(cost, origin), order)


def _origin(target: Target, constant: Constant) -> tuple[str, bool]:
    """Return in words where a constant comes from, and whether that is ground enough for a number."""
    if any(same_target(text, target) for text in constant.targets):
        return "constant of this very target in the sweep", True
    if len(constant.targets) == 1:
        return "the sweep ran it on one other target of this order, which is no ground for a number", False
    if far := beyond(target, constant):
        return f"unlike the targets of the sweep: {far}", False
    return f"constant from {len(constant.targets)} targets of the sweep", True


def _too_loud(asked: Question) -> str:
    return f"noise is {asked.loudness:.3g} times the target: constants were tried up to {LOUDEST:g}"


def _and(cost: Cost, more: str) -> str:
    return f"{cost.reason}; {more}" if cost.reason else more


def _row(
    cost: Cost,
    how: str,
    samples: tuple[float, float, float] = (math.nan,) * 3,
    reason: str | None = None,
    order: str | None = None,
) -> Prediction:
    n, low, high = samples
    told = cost.reason if reason is None else reason
    if math.isinf(n):
        n = low = high = math.nan
        how, told = ORDER, f"{told}; the risk is out of reach of its spectrum"
    words = order or (cost.order if math.isfinite(cost.exponent) else "-")
    return Prediction(
        cost.learner, cost.exponent, words, n, low, high, how, cost.condition, cost.holds, told,
        cost.source, cost.chapter, cost.claim,
    )  # fmt: skip


def _stacked(*targets: Target) -> list[dict]:
    """Return the gradients of several targets side by side, a row a variable: their rank is that of all directions."""
    rows: dict[int, dict] = {}
    for number, target in enumerate(targets):
        for variable, slopes in gradient(target.coefficients).items():
            rows.setdefault(variable, {}).update({(number, index): value for index, value in slopes.items()})
    return list(rows.values())
