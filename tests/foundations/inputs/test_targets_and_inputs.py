"""Energies on other laws against hand-worked values and characters; labels against their limits."""

import itertools
import math

import numpy as np
import pytest
import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.foundations.inputs import targets_and_inputs as ti
from beyond_kernel.foundations.inputs.harmonics import sphere_energies
from beyond_kernel.foundations.inputs.radial_inputs import RADIAL_LAWS, ball_indicator
from beyond_kernel.foundations.targets.target import parse_target
from beyond_kernel.random_streams import generator_for

TARGET = "(h2(z1) - h2(z2) + h2(z1)*h2(z2) + h3(z1))/2"


def test_on_the_axes_of_the_cube_squares_vanish():
    """On a corner z_i^2 = 1: h_2 is 0, h_3 = (z^3 - 3z) / sqrt(6) is -2z / sqrt(6), h_4 the constant -2 / sqrt(24)."""
    expected = {
        "h2(z1)": [0, 0, 0], "h3(z1)": [0, 4 / 6, 0, 0], "h4(z1)": [4 / 24, 0, 0, 0, 0], "z1*z2*z3": [0, 0, 0, 1],
        "h3(z1)*z2 + z3": [0, 1, 4 / 6, 0, 0],
    }  # fmt: skip
    for text, energies in expected.items():
        np.testing.assert_allclose(ti.hypercube_energies(ti.on_axes(text, 5)), energies, atol=1e-14)


def test_the_transform_agrees_with_characters_one_by_one():
    d, target = 5, parse_target("h3(z1) + z1*z2 - h2(z2)/2", 5, seed=3)
    corners = torch.tensor(list(itertools.product([-1.0, 1.0], repeat=d)), dtype=torch.float64)
    values = target(corners)
    energies = torch.zeros(d + 1, dtype=torch.float64)
    for size in range(d + 1):
        for subset in itertools.combinations(range(d), size):
            energies[size] += (values * corners[:, list(subset)].prod(dim=1)).mean() ** 2
    np.testing.assert_allclose(ti.hypercube_energies(target), energies[:4], atol=1e-13)
    assert energies[4:].abs().max() < 1e-25  # no multilinear part above the degree


def test_energies_add_up_also_where_the_degree_exceeds_the_dimension():
    target = parse_target("h6(z1)", 2, seed=1)
    corners = torch.tensor(list(itertools.product([-1.0, 1.0], repeat=2)), dtype=torch.float64)
    found = ti.hypercube_energies(target)
    assert found.shape == (7,)
    assert float(found.sum()) == pytest.approx(float(target(corners).square().mean()), rel=1e-12)


def test_energies_by_law_are_those_of_each_law():
    found = ti.energies_by_law("h2(z1)", 9, 4)
    assert found["Gaussian"].tolist() == [0, 0, 1]
    np.testing.assert_allclose(found["sphere"], [0, 0, 8 / 11], atol=1e-14)
    u = parse_target("z1", 9, 4).directions[:, 0]
    # h_2 = (sum u_i^2 x_i^2 - 1 + 2 sum_{i<j} u_i u_j x_i x_j) / sqrt(2), and the x_i^2 are one
    np.testing.assert_allclose(found["hypercube, drawn"], [0, 0, 1 - float((u**4).sum())], atol=1e-14)
    np.testing.assert_allclose(found["hypercube, axes"], [0, 0, 0], atol=1e-14)


def test_the_gap_of_a_square_on_the_sphere_is_worked_out_by_hand():
    """E h_2(z)^2 = (3d/(d+2) - 1)/2 = (d-1)/(d+2) instead of 1, all of it in degree two."""
    for d in (4, 30):
        target = parse_target("h2(z1)", d)
        assert ti.energy_gap(target, sphere_energies(target)) == pytest.approx(1.5 / (d + 2), rel=1e-10)
        assert ti.energy_gap(target, target.energy_by_degree()) == 0


def test_the_leading_degree_skips_the_mean_and_rounding():
    assert ti.leading_degree(torch.tensor([5.0, 1e-15, 0.0, 2.0], dtype=torch.float64)) == 3
    assert ti.leading_degree(torch.tensor([1.0, 0.0])) is None
    assert ti.leading_degree(ti.hypercube_energies(ti.on_axes("h3(z1)", 4))) == 1


def test_radial_labels_say_nothing_about_directions():
    d, n = 6, 20_000
    X = RADIAL_LAWS["two spheres"](n, d, generator_for(0, "signal"))
    noise = math.sqrt(d / n)  # of both, times 1 and about 2
    first, second = ti.direction_signal(X, ball_indicator(X, 2**0.5))
    assert first < 3 * d**0.5 * noise and second < 5 * noise
    u = X / X.norm(dim=1, keepdim=True)
    first, _ = ti.direction_signal(X, 3 + 2 * u[:, 0])
    assert first == pytest.approx(1, abs=5 * noise)  # E y u = 1 / sqrt(d) for y = sqrt(d) u_1
    _, second = ti.direction_signal(X, u[:, 0] * u[:, 1])
    # y = sqrt(d (d+2)) u_1 u_2, so the entry (1, 2) of d E y u u^T is d / sqrt(d (d+2)), and so is the norm
    assert second == pytest.approx(math.sqrt(d / (d + 2)), abs=5 * noise)
    with pytest.raises(BadParameter, match="one value"):
        ti.direction_signal(X, torch.ones(n, dtype=X.dtype))


def test_the_limit_of_the_spike_by_hand():
    assert ti.predicted_spike_overlap(0.5, 4.0) == 0.0 and ti.predicted_spike_overlap(0.4, 4.0) == 0.0
    assert ti.predicted_spike_overlap(1.0, 4.0) == pytest.approx(0.75 / 1.25)
    assert ti.predicted_spike_overlap(2.0, 4.0) == pytest.approx((15 / 16) / (9 / 8))


def test_bad_arguments_are_refused():
    with pytest.raises(BadParameter, match="d = 17"):
        ti.hypercube_energies(parse_target("z1", 17))
    with pytest.raises(BadParameter, match="ratio"):
        ti.predicted_spike_overlap(1.0, 0.0)
