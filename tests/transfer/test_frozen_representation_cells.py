"""Transfer needs few samples whatever the dimension, training from scratch about d^2."""

import math

import numpy as np
import pytest

from beyond_kernel.checks import BadParameter
from beyond_kernel.foundations.learning.measures import samples_to_reach
from beyond_kernel.transfer.frozen_representation_cells import transfer_cell

SOURCE = "(h2(z1) - h2(z2) + h2(z1)*h2(z2) + h3(z1))/2"
TARGET = "(z1*z2 + h2(z1)*z2)/sqrt(2)"


def cell(learner: str, d: int, sizes, seed: int = 0, target: str = TARGET, source: str = SOURCE) -> np.ndarray:
    return transfer_cell(source, target, d, learner, sizes, 2, 64.0, 300, 0.1, seed=seed)["risk"]


def test_transfer_needs_the_same_few_samples_in_twice_the_dimension():
    sizes = [32, 64, 128, 256]
    needed = [samples_to_reach(sizes, cell("transferred", d, sizes), 0.25) for d in (12, 24)]
    assert max(needed) < 200  # 50 to 100 in trials
    assert needed[1] / needed[0] < 2.0  # one step from scratch: a factor of about 3


def test_training_from_scratch_needs_many_more_and_the_more_the_larger_d():
    sizes = [100, 200, 400, 800, 1600]
    needed = [samples_to_reach(sizes, cell("one step", d, sizes), 0.25) for d in (10, 20)]
    assert needed[0] > 150 and needed[1] / needed[0] > 2


def test_a_representation_of_other_directions_is_no_help():
    """The source sees z1 and z2; a target over z3 and z4 starts from nothing."""
    elsewhere = TARGET.replace("z1", "z3").replace("z2", "z4")
    assert cell("transferred", 16, [256], target=elsewhere)[0] > 0.5
    assert cell("transferred", 16, [256])[0] < 0.25


def test_cells_leave_out_what_would_be_too_large_or_is_already_learnt():
    risks = transfer_cell(
        SOURCE, TARGET, 8, "random-feature kernel", [20, 40, 80], 1, 1.0, 100, 0.1, most_gram=40, seed=0
    )["risk"]
    assert np.isfinite(risks[:2]).all() and math.isnan(risks[2])


def test_bad_input_is_refused_with_a_sentence():
    with pytest.raises(BadParameter, match="did you mean 'transferred'"):
        cell("transfered", 10, [20])
    with pytest.raises(BadParameter, match="source_ratio = 0"):
        transfer_cell(SOURCE, TARGET, 8, "oracle", [20], 1, 0, 100, 0.1, seed=0)
