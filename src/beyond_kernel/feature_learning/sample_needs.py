"""The samples that several learners need, over dimensions and seeds, each learner searched in its own way."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import xarray

from beyond_kernel.checks import BadParameter
from beyond_kernel.feature_learning.sample_complexity_cells import needed_cell
from beyond_kernel.foundations.learning.learners import Learner, label_of
from beyond_kernel.foundations.learning.sample_search import GROWTH
from beyond_kernel.sweeps import sweep


@dataclass(frozen=True)
class Search:
    """A learner, and where and how its sizes are tried.

    Attributes:
        learner: a function of a problem and a generator, options set.
        dims: dimensions in which it is run.
        start: the first size is start d^order.
        order: the power of d in it.
        growth: factor between two sizes.
        n_max: largest size.
        most_seeds: number of seeds it is run with; None for all.
    """

    learner: Learner
    dims: Sequence[int]
    start: float = 2.0
    order: float = 1.0
    growth: float = GROWTH
    n_max: int = 3000
    most_seeds: int | None = None


def samples_needed(
    searches: Sequence[Search], seeds: Collection[int], *, thresholds: Sequence[float], **options: Any
) -> dict[str, xarray.DataArray]:
    """Return n* of each learner, by label; each is a sweep of its own.

    Args:
        searches: learners, each with the dimensions in which it is run.
        seeds: of the repetitions.
        thresholds: risks to be reached.
        options: the other parameters of ``needed_cell`` and options of ``sweep``.

    Returns:
        Arrays with the dimensions ``d``, ``seed`` and ``risk``, of each learner over the dimensions and seeds with
        which it was run; NaN where a run did not get there.

    Raises:
        BadParameter: if there is no learner or two share a label; as ``needed_cell``.

    Chapter: sample_complexity.
    """
    labels = [label_of(search.learner) for search in searches]
    if not labels or len(set(labels)) < len(labels):
        raise BadParameter(f"searches = {labels}: there must be one at least, each learner with a label of its own.")
    found = {}
    for label, search in zip(labels, searches, strict=True):
        grid = {"d": search.dims, "seed": list(seeds)[: search.most_seeds]}
        how = {name: getattr(search, name) for name in ("start", "order", "growth", "n_max")}
        runs = sweep(
            partial(needed_cell, search.learner),
            grid,
            thresholds=list(thresholds),
            may_be_nan=["needed"],
            **how,
            **options,
        )
        found[label] = runs.needed.rename(needed_0="risk").assign_coords(risk=list(thresholds))
    return found


def side_by_side(needed: dict[str, xarray.DataArray], risk: float) -> xarray.DataArray:
    """Return the n* of all learners at one risk as one array, NaN where a learner was not run or did not get there.

    A dimension in which one seed of a learner did not get there is NaN for all its seeds: the median of the lucky ones
    would be too small.

    Args:
        needed: from ``samples_needed``.
        risk: one of its thresholds.

    Chapter: sample_complexity.
    """
    rows = [rows_at.where(rows_at.notnull().all("seed")) for rows_at in (row.sel(risk=risk) for row in needed.values())]
    names = xarray.DataArray(list(needed), dims="learner", name="learner")
    return xarray.concat(rows, dim=names, join="outer").drop_vars("risk")
