"""Doubts the choice of a step size: by the median over seeds, at each point of its own, and without a best of seeds."""

import math

import numpy as np
import pytest
import xarray

from beyond_kernel.checks import BadParameter
from beyond_kernel.transfer.best_steps import at_best_step, best_step

NEEDED = xarray.DataArray(
    [
        [[10.0, 30.0], [50.0, 31.0], [60.0, 32.0]],  # the first is best once, the second in the median
        [[7.0, math.inf], [8.0, 1.0], [9.0, math.inf]],
        [[math.inf, math.inf], [5.0, math.inf], [math.inf, math.inf]],
    ],
    dims=("d", "seed", "needed_0"),
    coords={"d": [1, 2, 3], "seed": [0, 1, 2]},
)


FINAL = xarray.DataArray(
    [[[0.3, 0.2]] * 3, [[0.3, 0.2]] * 3, [[0.1, 0.4], [0.6, 0.4], [0.5, 0.4]]], dims=("d", "seed", "final_0")
)
RUNS = xarray.Dataset({"needed": NEEDED, "final": FINAL})


def test_the_median_over_seeds_decides_at_each_point():
    assert best_step(RUNS).values.tolist()[:2] == [1, 0]
    assert at_best_step(RUNS).transpose("d", "seed").values.tolist()[:2] == [[30, 31, 32], [7, 8, 9]]
    assert at_best_step(RUNS, "final").transpose("d", "seed").values.tolist()[:2] == [[0.2] * 3, [0.3] * 3]


def test_where_most_do_not_arrive_the_risk_at_the_end_decides():
    """The medians are 0.5 and 0.4, the best 0.1 and 0.4; without risks the step with one arrival is taken."""
    assert best_step(RUNS).values.tolist()[2] == 1
    assert best_step(RUNS.drop_vars("final")).values.tolist() == [1, 0, 0]


def test_of_two_seeds_the_slower_one_counts():
    assert best_step(RUNS.isel(seed=[0, 1])).values.tolist()[:2] == [1, 0]


def test_bad_input_is_a_sentence():
    with pytest.raises(BadParameter, match="seed must be there"):
        best_step(RUNS.isel(seed=0))
    with pytest.raises(BadParameter, match="holds NaN"):
        best_step(RUNS.assign(needed=NEEDED.where(NEEDED != 30, np.nan)))
    with pytest.raises(BadParameter, match="name = 'curve'"):
        at_best_step(RUNS, "curve")
    with pytest.raises(BadParameter, match="name = 'needed'"):
        best_step(RUNS.drop_vars("needed"))
