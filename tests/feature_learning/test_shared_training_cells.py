"""The experiments on training under symmetry: order of the times, permuted twins, and starts that are not symmetric."""

import numpy as np
import pytest

from beyond_kernel.checks import BadParameter
from beyond_kernel.feature_learning import shared_training_cells as cells
from beyond_kernel.feature_learning.shared_progress import risk_midway, risk_path, samples_to_half, shared_start
from beyond_kernel.feature_learning.shared_weights import OrbitParity
from beyond_kernel.random_streams import generator_for

RUN = {"d": 10, "width": 32, "rates": [1.0, 2.0, 4.0], "samples": 6000}


@pytest.mark.parametrize("sharing", ["plain", "cyclic"])
def test_larger_orbit_parities_take_longer(sharing):
    """Medians at d = 10 are about 70, 700 and 1500; 20 seeds kept a factor of three between the first two."""
    found = [cells.orbit_training_cell(sharing, sharing, k, runs=3, **RUN, seed=0) for k in (2, 3, 4)]
    medians = [each["median"] for each in found]
    assert 3 * medians[0] < medians[1] < 1.5 * medians[2]
    for each in found:
        assert each["samples"].shape == (3,) and each["median"] == np.median(each["samples"])
        assert each["rate"] in RUN["rates"]


def test_on_one_target_sharing_saves_samples():
    """The cell against its own pieces: the plain network is given the orbit parity, not a single one."""
    call = RUN | {"rates": [4.0, 2.0], "runs": 3}
    shared, plain, single = (
        cells.orbit_training_cell(sharing, symmetry, 2, **call, seed=0)
        for sharing, symmetry in (("cyclic", "cyclic"), ("plain", "cyclic"), ("plain", "plain"))
    )
    assert 2 * shared["median"] < plain["median"] and 2 * single["median"] < plain["median"]
    start = shared_start(32, 10, "plain", generator_for(0, "network", 32, 10, "run", 1))
    target, chance = OrbitParity((0, 1), "cyclic", 10), generator_for(0, "samples", 10, "run", 1)
    path = risk_path(start, [target], plain["rate"] / 10, 6000, chance)
    assert plain["samples"][1] == path[-1][0] and plain["midway"][1] == risk_midway(path)


def test_copies_count_once_and_save_samples():
    """The plain network with and without copies on one target, and the cell's numbers against its own pieces."""
    call = RUN | {"rates": [4.0, 2.0], "runs": 3, "width": 64}
    plain, copied = (
        cells.orbit_training_cell("plain", "cyclic", 2, **call, copies=each, seed=0) for each in (False, True)
    )
    assert 1.5 * copied["median"] < plain["median"]
    start = shared_start(64, 10, "plain", generator_for(0, "network", 64, 10, "run", 1))
    target, chance = OrbitParity((0, 1), "cyclic", 10), generator_for(0, "samples", 10, "run", 1)
    path = risk_path(start, [target], copied["rate"] / 10, 6000, chance, copies=True)
    assert copied["samples"][1] == path[-1][0]


def test_half_way_most_is_still_to_be_learnt():
    found = cells.orbit_training_cell("cyclic", "cyclic", 3, **(RUN | {"width": 64}), runs=3, seed=0)
    assert 0.75 < np.median(found["midway"]) < 1.2 and found["midway"].shape == (3,)


@pytest.mark.parametrize("seed", [0, 4, 7])
def test_a_rate_is_chosen_by_the_samples_of_both_pilots(seed):
    """Against all pilots run to their end, in either order of the rates; at 4 the first pilot alone errs."""

    def pilots(rate):
        starts = [shared_start(32, 10, "plain", generator_for(seed, "network", 32, 10, "pilot", i)) for i in range(2)]
        chances = [generator_for(seed, "samples", 10, "pilot", i) for i in range(2)]
        target = [OrbitParity((0, 1), "plain", 10)]
        paths = [risk_path(a, target, rate / 10, 6000, b) for a, b in zip(starts, chances, strict=True)]
        return [samples_to_half(path) for path in paths]

    rates = [4.0, 5.0, 6.0, 7.0, 8.0]
    needed = {rate: pilots(rate) for rate in rates}
    least = min(sum(both) for both in needed.values())
    for order in (rates, rates[::-1]):
        call = RUN | {"rates": order, "runs": 1}
        assert sum(needed[cells.orbit_training_cell("plain", "plain", 2, **call, seed=seed)["rate"]]) == least


def test_the_rate_is_the_best_of_those_given():
    """On its own a much smaller rate needs longer, and with it in the grid it is not chosen."""
    slow = cells.orbit_training_cell("plain", "plain", 2, runs=2, **(RUN | {"rates": [0.25]}), seed=0)
    both = cells.orbit_training_cell("plain", "plain", 2, runs=2, **(RUN | {"rates": [0.25, 2.0]}), seed=0)
    turned = cells.orbit_training_cell("plain", "plain", 2, runs=2, **(RUN | {"rates": [2.0, 0.25]}), seed=0)
    assert both["rate"] == turned["rate"] == 2.0 and both["median"] < slow["median"]
    np.testing.assert_array_equal(both["samples"], turned["samples"])


def test_where_no_rate_gets_there_nothing_is_reported():
    found = cells.orbit_training_cell("cyclic", "cyclic", 4, runs=2, **(RUN | {"samples": 80}), seed=0)
    assert np.isnan(found["samples"]).all() and np.isnan(found["midway"]).all()
    assert np.isnan(found["median"]) and np.isnan(found["rate"])


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
        (lambda: cells.orbit_training_cell("cyclic", "cyclic", 11, runs=1, **RUN, seed=0), "k = 11"),
        (lambda: cells.orbit_training_cell("cycle", "cyclic", 2, runs=1, **RUN, seed=0), "sharing = 'cycle'"),
        (lambda: cells.orbit_training_cell("cyclic", "ring", 2, runs=1, **RUN, seed=0), "sharing = 'ring'"),
        (lambda: cells.orbit_training_cell("cyclic", "cyclic", 2, runs=1, **(RUN | {"rates": [0]}), seed=0), "= 0"),
        (lambda: cells.start_law_cell((0, 0), (1,), 4, 8, 1.0, 80, 1, seed=0), "twice"),
        (lambda: cells.start_law_cell((0,), (1,), 4, 8, 1.0, 80, 1, strength=0.0, seed=0), "strength = 0"),
    ],
)
def test_bad_parameters_end_in_a_sentence(call, message):
    with pytest.raises(BadParameter, match=message):
        call()
