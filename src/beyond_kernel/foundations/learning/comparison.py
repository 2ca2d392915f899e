"""Learners against one another over a grid of problems: one dataset, in which each is known by its label."""

import functools
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import xarray

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
    """Return the excess risk of learners on problems of a polynomial target, with the dimension ``learner`` in front.

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


def _joined(runs: list[xarray.Dataset | None], names: xarray.DataArray, sizes: list) -> xarray.Dataset:
    """Return the runs along the dimension learner, NaN at sizes and for learners that were not run."""
    first = next(run for run in runs if run is not None)
    full = [(first.isel(n=slice(0, 0)) if run is None else run).reindex(n=sizes) for run in runs]
    return xarray.concat(full, dim=names, join="exact", combine_attrs="drop_conflicts")
