"""A sweep is the nested loop over its grid, with names on the axes."""

import numpy as np
import pytest

from beyond_kernel.parameters import BadParameter
from beyond_kernel.sweeps import sweep


def cell(d, seed, scale=1.0):
    return {"value": scale * (100 * d + seed), "pair": [d, seed]}


def test_every_cell_stands_where_its_parameters_say():
    result = sweep(cell, {"d": [3, 1, 2], "seed": range(4)}, scale=2.0)
    for d in (1, 2, 3):
        for seed in range(4):
            at = result.sel(d=d, seed=seed)
            assert float(at.value) == 2 * (100 * d + seed)
            assert at["pair"].values.tolist() == [d, seed]
    assert result.value.dims == ("d", "seed") and result["pair"].dims == ("d", "seed", "pair_0")
    assert result.attrs == {"scale": "2.0"}


def test_dimensions_may_hold_names():
    result = sweep(lambda learner, seed: {"n": len(learner)}, {"learner": ["a", "bcd"], "seed": [7]})
    assert int(result.n.sel(learner="bcd", seed=7)) == 3
    assert np.issubdtype(result.n.dtype, np.integer)


def test_bad_grids_are_refused_with_a_sentence():
    with pytest.raises(BadParameter, match="seed is empty"):
        sweep(cell, {"d": [1], "seed": []})
    with pytest.raises(BadParameter, match="no dimension"):
        sweep(cell, {})
    with pytest.raises(BadParameter, match="both set seed"):
        sweep(cell, {"d": [1], "seed": [1]}, seed=2)
