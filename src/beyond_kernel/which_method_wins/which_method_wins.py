"""Which method is enough at n samples in d dimensions: borders, measured and predicted, and the winners between them.

A border is the number of samples n*(d) from which on a method stays at or below a risk. The winner of a cell (d, n) is
the method of least computing among those whose border lies at or below n.
"""

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import xarray

from beyond_kernel.checks import BadParameter, list_of, one_of, real_number, whole_number
from beyond_kernel.foundations.targets.target import parse_target
from beyond_kernel.which_method_wins.predictions import predict
from beyond_kernel.which_method_wins.stored_needs import NOISE, TARGETS, Need, middle_need, needs_of, stored_needs

RIVALS = ("Gaussian kernel", "one step, metric kernel", "recursive features")
"""Methods that the sweep holds on all of its targets, and between which winners are told."""
NOBODY = "none of them"
"""The winner of a cell in which no method is below the risk."""
FITTED = (8, 12)
"""Dimensions of the sweep by which constants are fitted; borders are tested in the larger ones."""


class Agreement(NamedTuple):
    """How often predicted winners are the measured ones, and how often cheaper guesses are.

    Attributes:
        cells: how many cells were compared.
        share: of them in which the predicted winner is the measured one.
        others: the same where the target's own rows are left out, so that constants come from the other targets.
        line: the same with the kernel's predicted border, the others measured at the largest fitted dimension, like d.
        linear: the same with the measured borders of the largest fitted dimension, all grown like d from there.
        frozen: the same with these borders kept at all d.
        constant: the same with one winner in all cells, the most frequent one.
    """

    cells: int
    share: float
    others: float
    line: float
    linear: float
    frozen: float
    constant: float


def cost_order(learners: Sequence[str] = RIVALS) -> tuple[str, ...]:
    """Return methods by their computing in the stored sweep, the cheapest first.

    They are compared by the seconds of one run where all of them were run: same target, d and n. Seconds are not fine:
    costs that round to the same power of two count as equal, and such methods keep the order in which they are given.

    Args:
        learners: labels of the sweep.

    Raises:
        BadParameter: if there is none, or they have no cell in common.

    Chapter: which_method_wins.

    >>> cost_order()[-1]
    'recursive features'
    """
    cost = relative_costs(learners)
    return tuple(sorted(cost, key=lambda label: round(math.log2(cost[label]))))


def relative_costs(learners: Sequence[str] = RIVALS) -> dict[str, float]:
    """Return by method the geometric mean, over the cells common to all, of its seconds over those of the first one.

    Args:
        learners: labels of the sweep.

    Raises:
        BadParameter: if there is none, or they have no cell in common.

    Chapter: which_method_wins.
    """
    labels = list_of("learners", list(learners), lambda name, value: str(value))
    times = [_seconds(label) for label in labels]
    common = set(times[0]).intersection(*times[1:])
    if not common:
        raise BadParameter(f"learners = {labels}: the stored sweep has no target, d and n at which all of them ran.")
    logs = {label: np.mean([np.log(found[key]) for key in common]) for label, found in zip(labels, times, strict=True)}
    return {label: float(np.exp(logs[label] - logs[labels[0]])) for label in labels}


def estimated_seconds(learner: str, n: int) -> float:
    """Return about how long one run takes with n samples, by the stored sweep; above its sizes time grows like n^3.

    Args:
        learner: label of the sweep.
        n: training samples.

    Raises:
        BadParameter: if the sweep does not hold the method.

    Chapter: which_method_wins.
    """
    one_of("learner", learner, sorted({need.learner for need in stored_needs()}))
    by_size: dict[int, list[float]] = {}
    for (_, _, size), seconds in _seconds(learner).items():
        by_size.setdefault(size, []).append(seconds)
    sizes = sorted(by_size)
    nearest = min((size for size in sizes if size >= whole_number("n", n)), default=sizes[-1])
    return float(np.median(by_size[nearest])) * max(n / nearest, 1.0) ** 3


def measured_borders(target: str, threshold: float, learners: Sequence[str] = RIVALS) -> xarray.DataArray:
    """Return n* of the stored sweep, median over seeds, infinite where its largest size did not get there.

    Args:
        target: text of one of ``TARGETS``.
        threshold: risk to be reached, above 0.
        learners: labels of methods that the sweep holds on this target.

    Returns:
        Array with the dimensions ``learner`` and ``d``.

    Raises:
        BadParameter: if the sweep does not hold the target or a method on it.

    Chapter: which_method_wins.
    """
    rows: list[tuple[Need, ...]] = [needs_of(target, label) for label in learners]
    for label, found in zip(learners, rows, strict=True):
        if not found:
            raise BadParameter(f"the stored sweep has no {label!r} on the target {target!r}.")
    values = [[middle_need(need, threshold) for need in found] for found in rows]
    dims = [need.d for need in rows[0]]
    return xarray.DataArray(values, {"learner": list(learners), "d": dims}, ("learner", "d"))


def predicted_borders(
    target: str,
    dims: Sequence[int],
    threshold: float,
    learners: Sequence[str] = RIVALS,
    noise: float = NOISE,
    fitted: Sequence[int] | None = FITTED,
    by_others: bool = False,
) -> xarray.DataArray:
    """Return the n* that ``predict`` gives, infinite where it gives none.

    Args:
        target: text of the target, scaled to E f^2 = 1 under Gaussian inputs.
        dims: dimensions d.
        threshold: risk to be reached, between 0 and 1.
        learners: labels of methods that ``predict`` knows.
        noise: standard deviation of the label noise.
        fitted: dimensions of the stored sweep by which constants are fitted; None for all.
        by_others: whether a target of the sweep is predicted from the others alone.

    Returns:
        Array with the dimensions ``learner`` and ``d``.

    Raises:
        BadParameter: as ``predict``; if it does not know a method.

    Chapter: which_method_wins.
    """
    columns = []
    for d in list_of("dims", list(dims), whole_number):
        known = _predicted(target, d, threshold, noise, None if fitted is None else tuple(fitted), by_others)
        columns.append([known[one_of("learner", label, list(known))] for label in learners])
    values = np.array(columns).T
    found = np.where(np.isnan(values), np.inf, values)
    return xarray.DataArray(found, {"learner": list(learners), "d": list(dims)}, ("learner", "d"))


def winners(borders: xarray.DataArray, sizes: Sequence[int], order: Sequence[str]) -> xarray.DataArray:
    """Return who wins in each cell (d, n), the method of least computing whose border is at most n.

    Args:
        borders: n* with the dimensions ``learner`` and ``d``.
        sizes: numbers of samples n.
        order: labels of all methods, the cheapest first.

    Returns:
        Labels with the dimensions ``d`` and ``n``; ``NOBODY`` where no border is that low.

    Raises:
        BadParameter: if ``order`` does not hold just the methods of ``borders``.

    Chapter: which_method_wins.

    >>> two = xarray.DataArray([[400.0], [100.0]], {"learner": ["slow", "fast"], "d": [8]}, ("learner", "d"))
    >>> winners(two, [50, 200, 800], ["slow", "fast"]).values.tolist()
    [['none of them', 'fast', 'slow']]
    """
    if sorted(order) != sorted(borders.learner.values.tolist()):
        raise BadParameter(f"order = {list(order)} must hold the methods {borders.learner.values.tolist()}, each once.")
    dims = borders.d.values.tolist()
    table = [[winner(dict(zip(borders.learner.values.tolist(), borders.sel(d=d).values, strict=True)), n, order)
              for n in sizes] for d in dims]  # fmt: skip
    return xarray.DataArray(np.array(table, dtype=object), {"d": dims, "n": list(sizes)}, ("d", "n"))


def winner(needs: Mapping[str, float], n: float, order: Sequence[str]) -> str:
    """Return the first method of an order that needs at most n samples, ``NOBODY`` if none does.

    Args:
        needs: samples by method; NaN or infinite where it does not get there.
        n: number of samples, above 0.
        order: labels, the cheapest method first.

    Raises:
        BadParameter: if n is not above 0.

    Chapter: which_method_wins.
    """
    size = real_number("n", n, above=0)
    return next((label for label in order if needs[label] <= size), NOBODY)


def border_agreement(
    threshold: float,
    sizes: Sequence[int],
    targets: Sequence[str] = tuple(TARGETS.values()),
    fitted: Sequence[int] = FITTED,
    contested: bool = False,
) -> Agreement:
    """Compare predicted and measured winners over the cells of the stored sweep outside the fitted dimensions.

    Args:
        threshold: risk to be reached, between 0 and 1.
        sizes: numbers of samples.
        targets: texts of targets of the sweep.
        fitted: dimensions by which constants are fitted.
        contested: whether to leave out cells with n below half of the smallest or above twice the largest border that
            was measured in their dimension, where hardly anything is left to predict.

    Raises:
        BadParameter: if an argument is out of range, or no cell is left.

    Chapter: which_method_wins.
    """
    order, pairs = cost_order(), []
    for target in list_of("targets", list(targets), lambda name, value: str(value)):
        measured = measured_borders(target, threshold)
        later = measured.sel(d=[d for d in measured.d.values.tolist() if d > max(fitted)])
        dims = later.d.values.tolist()
        guess, others = (
            predicted_borders(target, dims, threshold, fitted=fitted, by_others=alone) for alone in (False, True)
        )
        still = measured.sel(d=[max(fitted)] * later.sizes["d"]).assign_coords(d=later.d)
        grown = still * (later.d / max(fitted))
        line = grown.where(grown.learner != RIVALS[0], guess)
        all_borders = (later, guess, others, line, grown, still)
        true, *guesses = (winners(borders, sizes, order) for borders in all_borders)
        kept = _contested(later, sizes) if contested else np.full(true.shape, True)
        pairs.append(np.stack([found.values[kept] for found in (true, *guesses)]))
    true, *guesses = np.concatenate(pairs, axis=1)
    if not len(true):
        raise BadParameter(f"sizes = {list(sizes)} and targets leave no cell to compare.")
    most = max(np.mean(true == label) for label in (*order, NOBODY))
    return Agreement(len(true), *(float(np.mean(true == guess)) for guess in guesses), float(most))


@lru_cache(maxsize=256)
def _predicted(
    target: str, d: int, threshold: float, noise: float, fitted: tuple[int, ...] | None, by_others: bool
) -> dict[str, float]:
    """Return the n* that ``predict`` gives, by method; remembered, since a table of shares asks for each many times."""
    rows = predict(parse_target(target, d).normalised(), d, noise, threshold, dims=fitted, by_others=by_others)
    return {row.learner: row.n for row in rows}


def _contested(borders: xarray.DataArray, sizes: Sequence[int]) -> np.ndarray:
    """Return which cells lie between half of the smallest and twice the largest finite border of their dimension."""
    finite = borders.where(np.isfinite(borders))
    low, high = finite.min("learner").values[:, None] / 2, 2 * finite.max("learner").values[:, None]
    return (np.asarray(sizes) >= low) & (np.asarray(sizes) <= high)


def _seconds(learner: str) -> dict[tuple[str, int, int], float]:
    """Return the seconds of one run by target, d and n."""
    found = {}
    for need in stored_needs():
        if need.learner == learner:
            found |= {(need.target, need.d, n): time for n, time in zip(need.sizes, need.seconds, strict=True)}
    return found
