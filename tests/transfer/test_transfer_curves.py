"""One array of all learners: each value is that of the cell, and nothing is made up where a learner was not run."""

import numpy as np
import pytest

from beyond_kernel.checks import BadParameter
from beyond_kernel.transfer.frozen_representation_cells import transfer_cell
from beyond_kernel.transfer.transfer_curves import transfer_curves

TASKS = {"source": "h2(z1) + h2(z2)", "target": "z1*z2", "source_ratio": 4.0, "width": 40, "noise": 0.1, "n_test": 500}


def test_each_value_is_that_of_a_cell(monkeypatch):
    monkeypatch.setenv("BEYOND_KERNEL_WORKERS", "0")
    sizes = {"transferred": [20, 40], "transferred metric": [20, 40], "oracle": [20, 40], "one step": [40, 80]}
    sizes |= {"oracle kernel": [20]}
    risks = transfer_curves(sizes, [6, 9], [3, 4], repeats=2, **TASKS)
    assert set(risks.dims) == {"learner", "d", "seed", "n"} and risks.n.values.tolist() == [20, 40, 80]
    for learner, chosen in sizes.items():
        repeats = 1 if learner == "one step" else 2
        for d, seed in ((6, 3), (9, 4)):
            cell = transfer_cell(d=d, learner=learner, sizes=chosen, repeats=repeats, seed=seed, **TASKS)["risk"]
            found = risks.sel(learner=learner, d=d, seed=seed, n=chosen)
            assert np.allclose(
                found, cell, rtol=1e-6, equal_nan=True
            )  # the oracles', too, which were run at d = 6 alone
    assert risks.sel(learner="one step", n=20).isnull().all() and risks.sel(learner="oracle", n=80).isnull().all()


def test_bad_input_is_refused_with_a_sentence():
    with pytest.raises(BadParameter, match="did you mean 'oracle'"):
        transfer_curves({"orakle": [20]}, [6], [0], repeats=1, **TASKS)
    with pytest.raises(BadParameter, match="sizes is empty"):
        transfer_curves({}, [6], [0], repeats=1, **TASKS)
