"""Energies and spikes over seeds and dimensions against rates, hand-worked values and the limit of large d."""

import math

import numpy as np
import pytest

from beyond_kernel.foundations.inputs import targets_and_inputs as ti
from beyond_kernel.foundations.inputs import targets_and_inputs_cells as cells

TARGET = "(h2(z1) - h2(z2) + h2(z1)*h2(z2) + h3(z1))/2"


@pytest.mark.parametrize("text", [TARGET, "h3(z1)", "z1*z2*z3 + z1", "h2(z1)*h2(z2)"])
def test_the_gap_on_the_sphere_falls_like_one_over_d(text):
    gaps = [cells.energy_gap_cell(text, d, seed=0)["sphere"] for d in (200, 400)]
    # the correction to slope -1 is of relative order p^2 / d: -0.97 at degree 4
    assert math.log2(gaps[1] / gaps[0]) == pytest.approx(-1, abs=0.05)


def test_drawn_directions_forget_the_cube_and_axes_do_not():
    rows = [[cells.energy_gap_cell(TARGET, d, seed=seed) for seed in range(5)] for d in (4, 13)]
    cube = [np.median([cell["cube"] for cell in row]) for row in rows]
    assert cube[1] < cube[0]
    # by hand: squares vanish, and h_3 = -2z/sqrt(6) moves to degree one: (1/6 + 1/4 + 1/4 + 1/4 + 1/4)/2
    for row in rows:
        assert row[0]["axes"] == pytest.approx((1 / 6 + 1 / 2 + 1 / 4 + 1 / 4) / 2, rel=1e-12)
    beyond = cells.energy_gap_cell("h2(z1)", ti.MOST_CUBE + 1, seed=0)
    assert math.isnan(beyond["cube"]) and math.isnan(beyond["axes"]) and beyond["sphere"] > 0


def test_the_first_component_follows_the_predicted_overlap():
    for strength in (1.0, 2.0, 8.0):
        found = np.mean([cells.spike_cell(200, 800, strength, seed=seed)["overlap"] for seed in range(4)])
        assert found == pytest.approx(ti.predicted_spike_overlap(strength, 4.0), abs=0.08)  # 20 other groups: 0.043
    assert np.mean([cells.spike_cell(200, 800, 0.0, seed=seed)["overlap"] for seed in range(4)]) < 0.05
