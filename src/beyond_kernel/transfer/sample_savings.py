"""What transfer saves: the samples each learner needs, how they grow with the dimension, when a source is paid for."""

import numpy as np
import xarray

from beyond_kernel.figures import fitted_slope
from beyond_kernel.foundations.learning.measures import samples_to_reach


def needed_samples(risks: xarray.DataArray, threshold: float) -> xarray.DataArray:
    """Return the sample size from which on the risk stays at or below the threshold, for every row along ``n``.

    Args:
        risks: with the dimension ``n``, whose coordinate is the sample size, ascending.
        threshold: risk to be reached.

    Returns:
        Sizes without the dimension ``n``; NaN where the risk never gets there within the sizes that were run.

    Raises:
        BadParameter: as ``samples_to_reach``.

    Chapter: frozen_representation.
    """
    return xarray.apply_ufunc(
        lambda row: samples_to_reach(risks.n, row, threshold), risks, input_core_dims=[["n"]], vectorize=True
    )


def growth(samples: xarray.DataArray) -> xarray.DataArray:
    """Return the slope of log N against log d for each seed and learner: N grows like d to this power.

    A dimension in which a learner did not get to the threshold is left out, which makes the slope of a learner that
    grows steeply look smaller than it is.

    Args:
        samples: with the dimension ``d``; NaN where a learner did not reach the threshold.

    Returns:
        Slopes without the dimension ``d``; NaN where fewer than two dimensions are left.

    Chapter: frozen_representation.
    """
    return xarray.apply_ufunc(
        lambda row: fitted_slope(samples.d, row)[0], samples, input_core_dims=[["d"]], vectorize=True
    )


def tasks_to_repay(source: int, scratch: float, transferred: float) -> float:
    """Return after how many tasks the samples of the source are paid for: source / (scratch - transferred).

    Args:
        source: samples of the source task, spent once.
        scratch: samples that a task needs from scratch.
        transferred: samples that it needs with the first layer of the source.

    Returns:
        The number of tasks; infinite where transfer saves nothing, NaN where a size is not known.

    Chapter: frozen_representation.

    >>> tasks_to_repay(10_000, scratch=600, transferred=100)
    20.0
    """
    saved = scratch - transferred
    return source / saved if saved > 0 else float("nan") if np.isnan(saved) else float("inf")
