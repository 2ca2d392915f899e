"""The experiments on staircases against sums over the cube, each other, and what they are to show."""

import math

import numpy as np
import pytest
import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.feature_learning.network_progress import hermite_coefficients
from beyond_kernel.feature_learning.network_sgd import mean_field_start, network_sgd
from beyond_kernel.feature_learning.staircases_cells import (
    BATCH,
    gaussian_times_cell,
    in_order,
    learning_rate,
    parity_cell,
    staircase_path_cell,
    staircase_times_cell,
)
from beyond_kernel.foundations.inputs.targets_and_inputs import on_axes
from beyond_kernel.random_streams import generator_for

USUAL = {"d": 16, "width": 32, "rate_scale": 1.0, "rate_power": 1.0}
STAIRS = "z1 + z1*z2 + z1*z2*z3"


def times(target: str, seeds=range(4), **changes) -> np.ndarray:
    """Return the steps to half of the height of the last monomial, by seed."""
    cells = [staircase_times_cell(target, steps=6000, **USUAL | changes, seed=seed) for seed in seeds]
    return np.array([cell["last"] for cell in cells])


def test_the_step_size_is_a_power_of_the_dimension():
    assert learning_rate(2.0, 1.0, 50) == pytest.approx(0.04)
    assert learning_rate(4.0, 1.5, 100) == pytest.approx(0.004)


def test_order_by_stage_by_hand():
    assert in_order(np.array([10.0, 20.0, 30.0]), [1, 2, 3])
    assert not in_order(np.array([10.0, 30.0, 20.0]), [1, 2, 3])
    assert not in_order(np.array([10.0, 20.0, 20.0]), [1, 2, 3])  # a draw is no order
    assert in_order(np.array([20.0, 10.0, 30.0]), [1, 1, 2])  # within a stage there is none
    assert not in_order(np.array([20.0, 10.0, 15.0]), [1, 1, 2])
    assert in_order(np.array([10.0, math.nan]), [1, 2])
    assert not in_order(np.array([math.nan, 10.0]), [1, 2])
    assert not in_order(np.array([10.0, math.nan, math.nan]), [1, 2, 3])


def test_monomials_climb_in_the_predicted_order():
    cells = [staircase_times_cell(STAIRS, steps=3000, **USUAL, seed=seed) for seed in range(6)]
    assert all(cell["in_order"] == 1 for cell in cells)
    for cell in cells:
        half = cell["half"]
        assert half[0] < half[1] < half[2] == cell["last"] and np.isnan(half[3:]).all()


def test_the_path_and_the_times_are_of_one_run():
    """Both draw the same network and samples: half of the height is crossed at the step that the times name."""
    path = staircase_path_cell(STAIRS, steps=400, every=5, **USUAL, seed=2)
    half = staircase_times_cell(STAIRS, steps=400, **USUAL, seed=2)["half"]
    assert path["coefficients"].shape == (81, 3) and np.abs(path["coefficients"][0]).max() < 1e-6
    np.testing.assert_array_equal(path["last"], path["coefficients"][:, -1])
    for monomial in range(3):
        assert 5 * np.flatnonzero(path["coefficients"][:, monomial] >= 0.5)[0] == half[monomial]


def test_each_monomial_climbs_to_its_own_height():
    """Coefficients are measured in units of the target's: 2, 1 and 1/2 all end near one."""
    path = staircase_path_cell("2*z1 - z1*z2 + z2/2", steps=600, every=300, **USUAL | {"d": 12}, seed=0)
    np.testing.assert_allclose(path["coefficients"][-1], 1, atol=0.2)


def test_a_high_top_comes_first():
    """z1 z2 z3 z4, twice as high as z1 z2 z3, overtakes it: the stages are a rule with exceptions."""
    target = "z1 + z1*z2*z3 + 2*z1*z2*z3*z4"
    cells = [staircase_times_cell(target, steps=4000, **USUAL | {"d": 24}, seed=seed) for seed in range(4)]
    assert sum(cell["in_order"] for cell in cells) <= 1


def test_a_negative_coefficient_climbs_like_its_mirror_image():
    """Turning the sign of a coordinate of the cube turns the sign of z1: the times agree in law."""
    plain, mirrored = times("z1 + z1*z2"), times("z1*z2 - z1")
    assert 0.7 < np.median(mirrored) / np.median(plain) < 1.4


def test_a_larger_leap_costs_a_higher_power_of_the_dimension():
    """Slopes between d = 12 and 36: near 1 for leap 1 and above 1.25 for leap 3."""
    slopes = [
        math.log(np.median(times(text, range(5), d=36)) / np.median(times(text, range(5), d=12))) / math.log(3)
        for text in ("z1 + z1*z2", "z1*z2*z3")
    ]
    assert 0.8 < slopes[0] < 1.25 < slopes[1] < 1.9


def test_a_product_alone_waits_longer_than_beside_its_first_factor():
    assert np.median(times("z1*z2")) > 1.3 * np.median(times("z1 + z1*z2"))


def test_what_is_not_reached_is_nan():
    cell = staircase_times_cell("z1 + z1*z2*z3*z4", steps=60, **USUAL, seed=0)
    assert cell["half"][0] < 60 and math.isnan(cell["half"][1]) and math.isnan(cell["last"])


def gaussian(target: str, orders, angle: float, d: int = 16, **options) -> np.ndarray:
    cells = [
        gaussian_times_cell(target, orders, angle, d, 64, 1.0, 1.0, 3000, **options, seed=seed)["half"]
        for seed in range(6)
    ]
    return np.median(cells, axis=0)


def test_turning_the_axes_changes_nothing_for_gaussian_inputs():
    plain, turned = (gaussian("z1 + z1*z2", [(1, 0), (1, 1)], 0.0, turned=turned) for turned in (False, True))
    assert (np.abs(turned / plain - 1) < 0.3).all()


def test_gaussian_half_times_are_those_of_the_coefficients_by_hand():
    """The heights of (z1 + z2)/sqrt(2) + z1 z2 in u and v are 1, 1/sqrt(2) and -1/sqrt(2)."""
    target, orders = on_axes("(z1 + z2)/sqrt(2) + z1*z2", 16), [(1, 0), (2, 0), (0, 2)]
    frame = target.frame @ torch.tensor([[1.0, 1], [1, -1]], dtype=torch.float64) / math.sqrt(2)
    heights, half = torch.tensor([1, 1 / math.sqrt(2), -1 / math.sqrt(2)]), {}

    def note(taken, now):
        for place, share in enumerate(hermite_coefficients(now, orders, frame) / heights):
            if share >= 0.5:
                half.setdefault(place, taken)

    start = mean_field_start(32, 16, generator_for(3, "network", 32, 16), torch.float32)
    samples = generator_for(3, "samples", 16)
    network_sgd(start, target, 1 / 16, BATCH, 300, samples, law="gaussian", every=5, observe=note)
    cell = gaussian_times_cell("(z1 + z2)/sqrt(2) + z1*z2", orders, 45.0, steps=300, **USUAL, seed=3)
    assert [half[place] for place in range(3)] == cell["half"].tolist()


def test_drawn_directions_are_not_the_axes():
    """The same samples and network, another target: paths to half of the height differ for most seeds."""
    options = {"orders": [(1, 0), (1, 1)], "angle": 0.0, "steps": 1500} | USUAL
    pairs = [
        [gaussian_times_cell("z1 + z1*z2", turned=turned, **options, seed=seed)["half"][1] for turned in (False, True)]
        for seed in range(4)
    ]
    assert sum(first != second for first, second in pairs) >= 2


def test_the_second_direction_of_the_degenerate_sum_comes_last():
    """(z1 + z2)/sqrt(2) + z1 z2 = u + (u^2 - v^2)/2: first u, then its square, and the square of v after both."""
    half = gaussian("(z1 + z2)/sqrt(2) + z1*z2", [(1, 0), (2, 0), (0, 2)], 45.0)
    assert half[0] < half[1] < half[2] and half[2] > 1.4 * half[1]


def test_gaussian_inputs_hide_the_order():
    """In dimension 12 the staircase takes several times as long as on the hypercube, and leap 2 longer than leap 3."""
    orders = {STAIRS: [(1, 0, 0), (1, 1, 0), (1, 1, 1)], "z1 + z1*z2*z3": [(1, 0, 0), (1, 1, 1)]}
    runs = [
        [gaussian_times_cell(text, some, 0.0, 12, 32, 1.0, 1.0, 6000, seed=seed)["half"][-1] for seed in range(4)]
        for text, some in (orders | {"z1*z2*z3": [(1, 1, 1)]}).items()
    ]
    stairs, two, three = np.median(runs, axis=1)
    assert stairs > 2.5 * np.median(times(STAIRS, d=12)) and two > 1.05 * three


def test_the_weights_of_a_parity_move_before_its_accuracy_does():
    cell = parity_cell(3, 24, 64, 1.0, 1.0, 1200, 25, seed=0)
    flat = cell["coefficient"] < 0.02
    assert 0.4 < cell["accuracy"][flat].min() and cell["accuracy"][-1] > 0.9
    assert cell["moved"][0] < 1.3 and cell["moved"][flat][-1] > 1.8
    assert cell["coefficient"].shape == cell["accuracy"].shape == cell["moved"].shape == (48,)


def test_a_seed_repeats_and_another_does_not():
    first, again, other = (parity_cell(2, 8, 8, 1.0, 1.0, 40, 20, seed=seed) for seed in (0, 0, 1))
    np.testing.assert_equal(first, again)
    assert not np.array_equal(first["moved"], other["moved"])


def test_bad_input_is_a_sentence():
    with pytest.raises(BadParameter, match="rate_scale = 0"):
        staircase_times_cell("z1", 8, 8, 0.0, 1.0, 10, seed=0)
    with pytest.raises(BadParameter, match="degree = 1"):
        parity_cell(1, 8, 8, 1.0, 1.0, 10, 5, seed=0)
    with pytest.raises(BadParameter, match="degree = 5"):
        parity_cell(5, 5, 8, 1.0, 1.0, 10, 5, seed=0)
    with pytest.raises(BadParameter, match="constant on the hypercube"):
        staircase_path_cell("z1^2", 8, 8, 1.0, 1.0, 10, 5, seed=0)
    with pytest.raises(BadParameter, match="half has 1 entries and stages 2"):
        in_order(np.array([1.0]), [1, 2])
