"""The risk of several learners on the target task over dimensions, seeds and sample sizes, as one array."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import xarray

from beyond_kernel.checks import BadParameter, one_of
from beyond_kernel.sweeps import sweep
from beyond_kernel.transfer.frozen_representation_cells import LEARNERS, transfer_cell

ORACLES = ("oracle", "oracle kernel")
REPEATED = ("transferred", "transferred metric", *ORACLES)
"""Learners that are run on few samples, so that one draw of them says little; their risk is a mean over draws."""


def transfer_curves(
    sizes: Mapping[str, Sequence[int]], dims: Sequence[int], seeds: Collection[int], *, repeats: int, **options: Any
) -> xarray.DataArray:
    """Return the risks of learners on the target task, each a sweep of ``transfer_cell`` of its own.

    The oracles see the hidden coordinates alone, which are the same draws in every dimension: they are run in one.

    Args:
        sizes: by learner, the numbers of target samples N, ascending.
        dims: input dimensions.
        seeds: of everything drawn.
        repeats: training samples averaged over for the learners in ``REPEATED``; the others are run on one.
        options: the other parameters of ``transfer_cell``.

    Returns:
        Risks, with the dimensions ``learner``, ``d``, ``seed`` and ``n``; NaN where a learner was not run.

    Raises:
        BadParameter: if there is no learner or one is not known; as ``transfer_cell``.

    Chapter: frozen_representation.
    """
    if not sizes:
        raise BadParameter("sizes is empty: give one learner at least.")
    runs = []
    for learner, chosen in sizes.items():
        count = repeats if one_of("learner", learner, LEARNERS) in REPEATED else 1
        run_in = dims[:1] if learner in ORACLES else dims
        found = _curve(learner, list(chosen), run_in, seeds, repeats=count, **options)
        runs.append(found.sel(d=[dims[0]] * len(dims)).assign_coords(d=dims) if learner in ORACLES else found)
    names = xarray.DataArray(list(sizes), dims="learner", name="learner")
    return xarray.concat(runs, dim=names, join="outer")


def _curve(learner: str, sizes: list[int], dims: Sequence[int], seeds: Collection[int], **options: Any):
    grid = {"d": dims, "seed": seeds}
    runs = sweep(transfer_cell, grid, learner=learner, sizes=sizes, may_be_nan=["risk"], **options)
    return runs.risk.rename(risk_0="n").assign_coords(n=sizes)
