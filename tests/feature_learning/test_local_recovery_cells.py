"""The experiments of local recovery: what a run returns fits together, and the statements hold at a small size."""

import numpy as np
import pytest

from beyond_kernel.checks import BadParameter
from beyond_kernel.feature_learning.local_recovery_cells import GRID, plane_cell, stages_cell


@pytest.fixture(scope="module")
def stages():
    return stages_cell([1.0, -1.0, 1.0], 10, 40.0, 30, 800, seed=3)


@pytest.fixture(scope="module")
def plane():
    return plane_cell([20.0, 80.0, 140.0], [1.0, -1.0, 1.0], 20, 800, frames=12, seed=3)


def test_the_stages_do_one_after_the_other_what_they_are_for(stages):
    """Random rows keep sqrt(3 / 10) of their length in three of ten dimensions, on average a little less."""
    assert 0.4 < stages["before"] < 0.6 < 0.95 < stages["subspace"] <= 1
    assert stages["random"] > stages["frozen"] > stages["frozen_wide"] > 0
    assert stages["null"] > stages["ridge"] > stages["frozen"]
    assert 15 < stages["ridge_angle"] < 45
    assert stages["risk"][0, 0] == stages["risk"][1, 0] == pytest.approx(stages["ridge"] / stages["null"])


def test_decay_recovers_and_its_absence_does_not_at_the_same_loss(stages):
    assert stages["share"][0] >= 0.99 and stages["share"][1] <= 0.8
    assert stages["mass"][0] == pytest.approx(1, abs=0.01) and stages["mass"][1] > 1.2
    assert stages["risk"][:, -1].max() < 1e-5
    np.testing.assert_array_equal(stages["recovered"][:, -1], stages["share"])
    np.testing.assert_allclose(stages["found"], 1, atol=0.05)  # without decay too: what is too much cancels
    assert stages["ridge_found"] < 0.5 and stages["ridge_mass"] > 1.1
    assert 0.9 < stages["peak"] < 1


def test_angle_and_loss_go_with_decay_as_first_order_says(stages):
    assert stages["angle_slope"] == pytest.approx(1, abs=0.15)
    assert stages["loss_slope"] == pytest.approx(2, abs=0.3)
    assert stages["loss_ratio"] == pytest.approx(1, abs=0.1)
    assert stages["angle_ratio"] == pytest.approx(1, abs=0.1)
    for name in ("angle", "loss"):  # the fitted decays are 0.01, 0.003 and 0.001
        by_hand = np.polyfit(np.log([1e-2, 3e-3, 1e-3]), np.log(stages[name][1:4]), 1)[0]
        assert stages[f"{name}_slope"] == pytest.approx(by_hand)
    slope = np.diff(np.log(stages["loss_predicted"])) / np.diff(np.log(stages["decays"]))
    np.testing.assert_allclose(slope, 2, rtol=1e-9)


def test_the_inequality_holds_at_each_step_that_was_kept(plane):
    assert len(plane["at"]) == len(plane["decay"]) == len(plane["excess"])
    assert (plane["excess"] <= plane["bound"] + 1e-12).all() and (plane["bound"] <= plane["simple"] + 1e-12).all()
    assert 0 < plane["steep"] and (plane["steep"] * plane["moved"] <= plane["excess"] + 1e-12).all()
    assert plane["decay"][plane["last"]].tolist() == [3e-2, 1e-2, 3e-3, 1e-3, 3e-4, 1e-4]


def test_network_and_lasso_solve_one_problem(plane):
    assert plane["lasso"].shape == (6, GRID) and plane["residual"].shape == (6, GRID)
    assert np.abs(plane["above"]).max() < 1e-3 and np.abs(plane["lasso_above"]).max() < 1e-3
    network = np.abs(plane["masses"][0, plane["last"]]).sum(1)
    np.testing.assert_allclose(network, np.abs(plane["lasso"]).sum(1), rtol=2e-3)
    assert plane["touch"] < 0.01 and plane["peak"] < 1
    assert np.abs(plane["residual"][3] - plane["certificate"]).max() < 0.03


def test_frames_hold_the_neurons(plane):
    assert plane["turns"].shape == plane["masses"].shape == (2, len(plane["at"]), 20)
    assert (plane["turns"] >= 0).all() and (plane["turns"] <= 180).all()
    np.testing.assert_array_equal(plane["turns"][0, 0], plane["turns"][1, 0])  # one start
    heavy = np.abs(plane["masses"][0, -1]) > 0.01
    off = np.abs(plane["turns"][0, -1][heavy, None] - [20, 80, 140]).min(1)
    assert off.max() < 1


def test_bad_input_and_repetition():
    with pytest.raises(BadParameter, match="width = 2 is out of range: it must be at least 3"):
        stages_cell([1.0, -1.0, 1.0], 10, 40.0, 2, 10, seed=0)
    with pytest.raises(BadParameter, match="frames = 1"):
        plane_cell([0.0], [1.0], 4, 10, frames=1, seed=0)
    one, two, other = (stages_cell([1.0, -1.0], 4, 40.0, 6, 5, seed=seed)["end"] for seed in (1, 1, 2))
    assert np.array_equal(one, two) and not np.array_equal(one, other)
