"""Learners against one another over a grid of problems: one dataset, in which each is known by its label."""

import functools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import xarray
from scipy.special import stdtrit

from beyond_kernel.checks import BadParameter
from beyond_kernel.foundations.learning.learners import Learner, label_of
from beyond_kernel.foundations.learning.learning_cells import learner_risk_cell
from beyond_kernel.sweeps import sweep


def compare_learners(
    learners: Sequence[Learner],
    grid: Mapping[str, Collection],
    *,
    largest: Mapping[str, int] | None = None,
    **options: Any,
) -> xarray.Dataset:
    """Return the risk of learners on problems of a polynomial target, with the dimension ``learner`` in front.

    Each learner is a sweep of its own, so that none is run again because another one changed or came.

    Args:
        learners: functions of a problem and a generator, options set.
        grid: values of the dimensions of ``learner_risk_cell``; ``n`` must be one of them.
        largest: by label, the largest n for which a learner is run; NaN above.
        options: fixed parameters of ``learner_risk_cell`` and options of ``sweep``.

    Raises:
        BadParameter: if there is no learner, two share a label, or ``largest`` names none of them or leaves nothing to
            run at all.

    Chapters: one_step, frozen_representation.
    """
    labels, limits = [label_of(learner) for learner in learners], dict(largest or {})
    if not labels:
        raise BadParameter("learners is empty: give one at least.")
    if len(set(labels)) < len(labels):
        raise BadParameter(
            f"learners = {labels}: each needs a label of its own, which labelled('my label')(learner) gives it."
        )
    if unknown := sorted(set(limits) - set(labels)):
        raise BadParameter(f"largest names {unknown[0]!r}: it must be one of {', '.join(labels)}.")
    if "n" not in grid:
        raise BadParameter(f"grid has the dimensions {', '.join(grid)}: n must be one of them.")
    runs = []
    for label, learner in zip(labels, learners, strict=True):
        sizes = [n for n in grid["n"] if n <= limits.get(label, n)]
        run = sweep(functools.partial(learner_risk_cell, learner), {**grid, "n": sizes}, **options) if sizes else None
        runs.append(run)
    if not any(run is not None for run in runs):
        raise BadParameter(f"largest = {limits} leaves no n of {list(grid['n'])} for any learner.")
    names = xarray.DataArray(labels, dims="learner", name="learner")
    return _joined(runs, names, list(grid["n"]))


class Interval(NamedTuple):
    """A mean over seeds and the ends of its 95 % interval, NaN for a single seed."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.2f} (95 % interval {self.low:.2f} to {self.high:.2f})"


def mean_interval(values: xarray.DataArray) -> Interval:
    """Return the mean over seeds with Student's 95 % interval; seeds that are NaN are left out.

    Args:
        values: one a seed.

    Raises:
        BadParameter: if they have another dimension than ``seed``.

    Chapters: one_step, frozen_representation.
    """
    if values.dims != ("seed",):
        raise BadParameter(f"values has the dimensions {', '.join(map(str, values.dims)) or 'none'}: seed is wanted.")
    kept = np.asarray(values.dropna("seed"), dtype=float)
    if len(kept) < 2:
        return Interval(float(kept.mean()) if len(kept) else float("nan"), float("nan"), float("nan"))
    half = kept.std(ddof=1) / np.sqrt(len(kept)) * stdtrit(len(kept) - 1, 0.975)
    return Interval(float(kept.mean()), float(kept.mean() - half), float(kept.mean() + half))


@dataclass(frozen=True)
class PairedRatio:
    """How many times the risk of one learner is that of another at the same seeds.

    Attributes:
        value: geometric mean over seeds of the ratio.
        low: lower end of its 95 % interval, NaN for a single seed.
        high: upper end.
        ratios: one a seed.
    """

    value: float
    low: float
    high: float
    ratios: tuple[float, ...]

    def __str__(self) -> str:
        if np.isnan(self.low):
            return f"{self.value:.2f} (one seed)"
        return f"{self.value:.2f} (95 % interval {self.low:.2f} to {self.high:.2f}, {len(self.ratios)} seeds)"


def paired_ratio(risks: xarray.DataArray, first: str, second: str) -> PairedRatio:
    """Compare two learners at the same seeds: what the draw of a problem does to both drops out of their ratio.

    The interval is Student's, for the mean logarithm of the ratio.

    Args:
        risks: above 0, with the dimensions ``learner`` and ``seed`` alone.
        first: label of the numerator.
        second: label of the denominator.

    Raises:
        BadParameter: if a dimension or a label is missing, or a risk of the two is not above 0 (or was not run).

    Chapters: one_step, frozen_representation.

    >>> seeds = {"learner": ["a", "b"], "seed": [0, 1]}
    >>> str(paired_ratio(xarray.DataArray([[2.0, 8.0], [1.0, 1.0]], seeds), "a", "b"))
    '4.00 (95 % interval 0.00 to 26730.60, 2 seeds)'
    """
    if set(risks.dims) != {"learner", "seed"}:
        raise BadParameter(f"risks has the dimensions {', '.join(map(str, risks.dims))}: learner and seed are wanted.")
    known = [str(label) for label in risks.learner.values]
    if missing := [label for label in (first, second) if label not in known]:
        raise BadParameter(f"risks has no learner {missing[0]!r}: it has {', '.join(known)}.")
    upper, lower = (np.asarray(risks.sel(learner=label), dtype=float) for label in (first, second))
    if not (np.concatenate([upper, lower]) > 0).all():
        raise BadParameter(f"risks of {first!r} and {second!r} must all be above 0: one is not, or was not run.")
    ratios = upper / lower
    ends = np.exp(mean_interval(xarray.DataArray(np.log(ratios), dims="seed")))
    return PairedRatio(*ends.tolist(), ratios=tuple(ratios.tolist()))


def _joined(runs: list[xarray.Dataset | None], names: xarray.DataArray, sizes: list) -> xarray.Dataset:
    """Return the runs along the dimension learner, NaN at sizes and for learners that were not run."""
    first = next(run for run in runs if run is not None)
    full = [(first.isel(n=slice(0, 0)) if run is None else run).reindex(n=sizes) for run in runs]
    return xarray.concat(full, dim=names, join="exact", combine_attrs="drop_conflicts")
