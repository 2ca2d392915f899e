"""Which method is enough at n samples in d dimensions: borders, measured and predicted, and the winners between them.

A border is the number of samples n*(d) from which on a method stays at or below a risk. The winner of a cell (d, n) is
the method that computes least on the n* samples that it needs, among those whose n* is at most n.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache, lru_cache
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
        strict: the same among the cells that a method wins or is predicted to win.
        others: the same where the target's own rows are left out, so that constants come from the other targets.
        line: the same with the kernel's predicted border, the others measured at the largest fitted dimension, like d.
        linear: the same with the measured borders of the largest fitted dimension, all grown like d from there.
        frozen: the same with these borders kept at all d.
        constant: the same with one winner in all cells, the most frequent one.
    """

    cells: int
    share: float
    strict: float
    others: float
    line: float
    linear: float
    frozen: float
    constant: float


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


def estimated_seconds(learner: str, n: float) -> float:
    """Return about how long one run takes with n samples, by the stored sweep; above its sizes time grows like n^3.

    At a size of the sweep it is the median over targets and dimensions; between two, log seconds are linear in log n.

    Args:
        learner: label of the sweep.
        n: training samples, above 0.

    Raises:
        BadParameter: if the sweep does not hold the method, or n is not above 0.

    Chapter: which_method_wins.
    """
    one_of("learner", learner, sorted({need.learner for need in stored_needs()}))
    sizes, seconds = _middle_seconds(learner)
    size = real_number("n", n, above=0)
    return float(np.exp(np.interp(np.log(size), np.log(sizes), np.log(seconds)))) * max(size / sizes[-1], 1.0) ** 3


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


def winners(
    borders: xarray.DataArray, sizes: Sequence[int], seconds: Callable[[str, float], float] = estimated_seconds
) -> xarray.DataArray:
    """Return who wins in each cell (d, n), by ``winner``.

    Args:
        borders: n* with the dimensions ``learner`` and ``d``.
        sizes: numbers of samples n.
        seconds: as in ``winner``.

    Returns:
        Labels with the dimensions ``d`` and ``n``; ``NOBODY`` where no border is that low.

    Raises:
        BadParameter: as ``winner``.

    Chapter: which_method_wins.
    """
    labels, dims = borders.learner.values.tolist(), borders.d.values.tolist()
    needs = [dict(zip(labels, borders.sel(d=d).values.tolist(), strict=True)) for d in dims]
    table = [[winner(need, n, seconds) for n in sizes] for need in needs]
    return xarray.DataArray(np.array(table, dtype=object), {"d": dims, "n": list(sizes)}, ("d", "n"))


def winner(needs: Mapping[str, float], n: float, seconds: Callable[[str, float], float] = estimated_seconds) -> str:
    """Return the method that computes least on as many samples as it needs, among those that need at most n.

    Args:
        needs: n* by method; NaN or infinite where it does not get there.
        n: number of samples at hand, above 0.
        seconds: of a method on a number of samples.

    Returns:
        Its label, ``NOBODY`` if none needs so few samples; of equals the one that stands first.

    Raises:
        BadParameter: if n is not above 0.

    Chapter: which_method_wins.

    >>> winner({"slow": 100.0, "fast": 400.0}, 800, lambda label, n: n if label == "fast" else 2 * n)
    'slow'
    """
    size = real_number("n", n, above=0)
    cost = {label: seconds(label, need) for label, need in needs.items() if need <= size}
    return min(cost, key=lambda label: cost[label]) if cost else NOBODY


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
        contested: whether to compare, in place of all cells that a method wins, those with n from half of the smallest
            to twice the largest border that was measured in their dimension, whether a method wins them or not.

    Raises:
        BadParameter: if an argument is out of range, or no cell is left.

    Chapter: which_method_wins.
    """
    pairs = []
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
        true, *guesses = (winners(borders, sizes) for borders in all_borders)
        near = _contested(later, sizes) if contested else np.full(true.shape, True)
        pairs.append(np.stack([found.values[near] for found in (true, *guesses)]))
    every = np.concatenate(pairs, axis=1)
    told = every[:, (every[:2] != NOBODY).any(0)]
    true, *guesses = every if contested else every[:, every[0] != NOBODY]
    if not len(true):
        raise BadParameter(f"sizes = {list(sizes)} and targets leave no cell to compare.")
    share, *cheaper = (float(np.mean(true == guess)) for guess in guesses)
    most = max(np.mean(true == label) for label in (*RIVALS, NOBODY))
    return Agreement(len(true), share, float(np.mean(told[0] == told[1])), *cheaper, float(most))


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


@cache
def _middle_seconds(learner: str) -> tuple[list[int], list[float]]:
    """Return the sizes at which a method was run, ascending, and its median seconds at each."""
    by_size: dict[int, list[float]] = {}
    for (_, _, size), seconds in _seconds(learner).items():
        by_size.setdefault(size, []).append(seconds)
    return sorted(by_size), [float(np.median(by_size[size])) for size in sorted(by_size)]


def _seconds(learner: str) -> dict[tuple[str, int, int], float]:
    """Return the seconds of one run by target, d and n."""
    found = {}
    for need in stored_needs():
        if need.learner == learner:
            found |= {(need.target, need.d, n): time for n, time in zip(need.sizes, need.seconds, strict=True)}
    return found
