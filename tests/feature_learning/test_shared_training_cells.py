"""The experiments on training under symmetry: order of the times, permuted twins, and starts that are not symmetric."""

import numpy as np
import pytest

from beyond_kernel.checks import BadParameter
from beyond_kernel.feature_learning import shared_training_cells as cells

RUN = {"d": 10, "width": 32, "rates": [1.0, 2.0, 4.0], "samples": 6000}


@pytest.mark.parametrize("sharing", ["plain", "cyclic"])
def test_larger_orbit_parities_take_longer(sharing):
    """Medians at d = 10 are about 70, 700 and 1500; 20 seeds kept a factor of three between the first two."""
    found = [cells.orbit_training_cell(sharing, k, runs=3, **RUN, seed=0) for k in (2, 3, 4)]
    medians = [each["median"] for each in found]
    assert 3 * medians[0] < medians[1] < 1.5 * medians[2]
    for each in found:
        assert each["samples"].shape == (3,) and each["median"] == np.median(each["samples"])
        assert each["rate"] in RUN["rates"]


def test_the_rate_is_the_best_of_those_given():
    """On its own a much smaller rate needs longer, and with it in the grid it is not chosen."""
    slow = cells.orbit_training_cell("plain", 2, runs=2, **(RUN | {"rates": [0.25]}), seed=0)
    both = cells.orbit_training_cell("plain", 2, runs=2, **(RUN | {"rates": [0.25, 2.0]}), seed=0)
    turned = cells.orbit_training_cell("plain", 2, runs=2, **(RUN | {"rates": [2.0, 0.25]}), seed=0)
    assert both["rate"] == turned["rate"] == 2.0 and both["median"] < slow["median"]
    np.testing.assert_array_equal(both["samples"], turned["samples"])


def test_where_no_rate_gets_there_nothing_is_reported():
    found = cells.orbit_training_cell("cyclic", 4, runs=2, **(RUN | {"samples": 80}), seed=0)
    assert np.isnan(found["samples"]).all() and np.isnan(found["median"]) and np.isnan(found["rate"])


def test_a_plateau_is_left_in_time():
    short, long = (
        cells.plateau_cell("cyclic", 3, **(RUN | {"samples": samples}), seed=0)["risk"] for samples in (80, 4000)
    )
    assert short > 0.7 and long < 0.5


def test_a_permuted_and_turned_start_is_permuted_and_turned_at_the_end():
    found = cells.permuted_training_cell(3, 8, 16, 2.0, 100, seed=0)
    assert found["apart"] < 1e-10 and found["moved"] > 0.1


def test_fresh_symmetric_starts_find_all_parities_equally_hard_and_others_do_not():
    call = {"first": (0, 1), "second": (6, 7), "d": 8, "width": 32, "rate": 4.0, "samples": 4000, "runs": 20}
    equal = cells.start_law_cell(**call, seed=0)
    assert equal["p_value"] > 0.001 and not np.array_equal(equal["first"], equal["second"])
    unequal = cells.start_law_cell(**call, favoured=2, strength=4.0, seed=0)
    assert unequal["p_value"] < 1e-4
    assert unequal["medians"][0] < equal["medians"].min() < unequal["medians"][1]


def test_a_pair_in_the_target_shortens_the_way_to_a_triple():
    alone, together = (
        np.median([cells.company_cell("plain", sets, 10, 32, 2.0, 8000, seed=seed)["samples"] for seed in range(3)])
        for sets in ([(0, 1, 2)], [(0, 1), (0, 1, 2)])
    )
    assert together < alone


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: cells.orbit_training_cell("cyclic", 11, runs=1, **RUN, seed=0), "k = 11"),
        (lambda: cells.orbit_training_cell("cycle", 2, runs=1, **RUN, seed=0), "sharing = 'cycle'"),
        (lambda: cells.orbit_training_cell("cyclic", 2, runs=1, **(RUN | {"rates": [0]}), seed=0), r"rates\[0\] = 0"),
        (lambda: cells.start_law_cell((0, 0), (1,), 4, 8, 1.0, 80, 1, seed=0), "twice"),
        (lambda: cells.start_law_cell((0,), (1,), 4, 8, 1.0, 80, 1, strength=0.0, seed=0), "strength = 0"),
    ],
)
def test_bad_parameters_end_in_a_sentence(call, message):
    with pytest.raises(BadParameter, match=message):
        call()
