"""What a student does at the best of the step sizes that it was run with, chosen by one rule for all students."""

import numpy as np
import xarray

from beyond_kernel.checks import BadParameter


def best_step(runs: xarray.Dataset) -> xarray.DataArray:
    """Return for each point of a grid the place of the step size with the smallest median of samples over seeds.

    Where no median is finite, it is the one with the smallest median of the risk at the end; where the runs have no
    ``final``, the one with which most seeds arrived.

    Args:
        runs: what ``sweep`` returns, with ``needed``, samples, inf where a student did not arrive; its dimensions are
            ``seed`` and ``needed_0``, the step sizes, and any others.

    Raises:
        BadParameter: if there is no ``needed``, one of its two dimensions is missing, or a value is NaN.

    Chapter: low_rank_finetuning.
    """
    needed = _result(runs, "needed")
    if missing := [name for name in ("seed", "needed_0") if name not in needed.dims]:
        raise BadParameter(f"needed has the dimensions {', '.join(map(str, needed.dims))}: {missing[0]} must be there.")
    if bool(needed.isnull().any()):
        raise BadParameter("needed holds NaN: it must hold numbers of samples, inf where there is none.")
    medians = _medians(needed)
    if "final" in runs:
        otherwise = runs["final"].rename(final_0="needed_0").median("seed").argmin("needed_0")
    else:
        otherwise = np.isfinite(needed).mean("seed").argmax("needed_0")
    return xarray.where(np.isfinite(medians).any("needed_0"), medians.argmin("needed_0"), otherwise)


def at_best_step(runs: xarray.Dataset, name: str = "needed") -> xarray.DataArray:
    """Return a result of a sweep at the best step size of each point of the grid.

    Args:
        runs: as for ``best_step``.
        name: of a result whose last dimension are the step sizes.

    Raises:
        BadParameter: as ``best_step``, or if there is no such result.

    Chapter: low_rank_finetuning.
    """
    found = _result(runs, name)
    return found.isel({found.dims[-1]: best_step(runs)})


def _result(runs: xarray.Dataset, name: str) -> xarray.DataArray:
    if name not in runs:
        raise BadParameter(f"name = {name!r} is not known: it must be one of {', '.join(map(str, runs.data_vars))}.")
    return runs[name]


def _medians(needed: xarray.DataArray) -> xarray.DataArray:
    """Return medians over seeds, of an even number the larger of the two in the middle: inf is no number to halve."""
    return needed.quantile(0.5, "seed", method="higher").drop_vars("quantile")
