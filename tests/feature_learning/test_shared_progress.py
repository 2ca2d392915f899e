"""Starts, risks and times of networks with shared weights, against their definitions."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from beyond_kernel.feature_learning import shared_progress as sp
from beyond_kernel.feature_learning.network_sgd import mean_field_start
from beyond_kernel.feature_learning.shared_weights import OrbitParity, SharedNetwork, parity_network, shared_sgd
from beyond_kernel.foundations.targets.walsh_hadamard import cube_corners
from beyond_kernel.random_streams import generator_for


def test_the_start_is_that_of_the_chapter_on_staircases_and_zero():
    for sharing, inputs in (("plain", 6), ("cyclic", 6), ("symmetric", 1)):
        found = sp.shared_start(8, 6, sharing, generator_for(0, "x"))
        expected = mean_field_start(8, inputs, generator_for(0, "x"), torch.float32)
        assert torch.equal(found.network.W, expected.W) and found.sharing == sharing
        assert float(found(torch.ones(2, 6)).abs().max()) < 1e-6


@pytest.mark.parametrize("sharing", ["plain", "cyclic", "symmetric"])
@pytest.mark.parametrize("supports", [[(0, 1, 2, 3)], [(0,), (0, 1)]])
def test_the_risk_is_the_mean_square_at_the_start(sharing, supports):
    """The start is zero, and targets of mean square one are orthogonal: the error is their number, on any points."""
    start = sp.shared_start(8, 9, sharing, generator_for(0, "x"))
    risk = sp.risk_on(start, [OrbitParity(support, sharing, 9) for support in supports], generator_for(0, "test"))
    assert risk(start) == pytest.approx(len(supports), rel=1e-4)


def test_the_risk_at_the_target_is_zero():
    target = OrbitParity((0, 1, 2), "cyclic", 7)
    exact = SharedNetwork(parity_network((0, 1, 2), 7, 8, torch.float32), "cyclic")
    assert sp.risk_on(exact, [target], generator_for(0, "test"))(exact) < 1e-9


def test_the_risk_of_a_function_of_the_sum_is_exact():
    """Against all corners of the cube, for a network that is not zero."""
    target, X = OrbitParity((0, 1, 2), "symmetric", 8), cube_corners(8, torch.float64)
    network = SharedNetwork(mean_field_start(6, 1, generator_for(3, "x")), "symmetric")
    turned = SharedNetwork(replace(network.network, a=network.network.a.abs()), "symmetric")
    expected = float((turned(X) - target(X)).square().mean())
    assert sp.risk_on(turned, [target], generator_for(0, "test"))(turned) == pytest.approx(expected, rel=1e-10)


def test_the_risk_on_points_is_near_that_on_all_corners():
    """400 points leave 7 % of deviation, less what the mean square of the labels takes away."""
    target, X = OrbitParity((0, 1), "cyclic", 8), cube_corners(8, torch.float64)
    network = SharedNetwork(mean_field_start(6, 8, generator_for(3, "x")), "cyclic")
    turned = SharedNetwork(replace(network.network, a=0.3 * network.network.a.abs()), "cyclic")
    expected = float((turned(X) - target(X)).square().mean())
    found = [sp.risk_on(turned, [target], generator_for(seed, "test"))(turned) for seed in range(10)]
    assert np.mean(found) == pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize("sharing", ["plain", "cyclic"])
def test_the_time_is_the_first_look_at_which_half_of_the_risk_is_left(sharing):
    target, start = OrbitParity((0, 1), sharing, 6), sp.shared_start(32, 6, sharing, generator_for(1, "x"))
    path = sp.risk_path(start, [target], 0.3, 4000, generator_for(0, "s"))
    found = sp.samples_to_half(path)
    generator = generator_for(0, "s")
    risk, risks = sp.risk_on(start, [target], generator), []
    shared_sgd(
        start, [target], 0.3, sp.BATCH, 500, generator, observe=lambda _, look: risks.append(risk(look())) or False
    )
    first = next(i for i, value in enumerate(risks, start=1) if value <= 0.5)
    assert found % sp.BATCH == 0 and path[-1][0] == found
    assert all(risk == risks[int(taken) // sp.BATCH - 1] for taken, risk in path)
    assert all(risk > 0.5 for _, risk in path[:-1]) and [taken for taken, _ in path[:3]] == [8, 16, 24]
    assert first * sp.BATCH <= found <= 1.1 * first * sp.BATCH + 2 * sp.BATCH


def test_a_run_that_is_too_short_or_diverges_does_not_get_there():
    target, start = OrbitParity((0, 1), "cyclic", 6), sp.shared_start(8, 6, "cyclic", generator_for(1, "x"))
    short, diverged = (
        sp.risk_path(start, [target], rate, samples, generator_for(0, "s"))
        for rate, samples in ((0.01, 16), (1e3, 4000))
    )
    assert len(short) == 2 and np.isnan(sp.samples_to_half(short)) and np.isnan(sp.risk_midway(short))
    assert np.isnan(sp.samples_to_half(diverged)) and np.isnan(sp.samples_to_half([]))


def test_midway_is_the_last_look_within_half_of_the_samples():
    path = [(8.0, 0.9), (16.0, 0.8), (24.0, 0.7), (32.0, 0.6), (48.0, 0.5)]
    assert sp.risk_midway(path) == 0.7 and sp.risk_midway(path[1:]) == 0.7 and sp.risk_midway(path[-1:]) == 1
    assert np.isnan(sp.risk_midway(path[:-1]))


def test_never_is_later_than_any_time_in_the_median():
    assert sp.median_time(np.array([5.0, np.nan, 1.0, 2.0, np.nan])) == 5
    assert np.isnan(sp.median_time(np.array([1.0, np.nan, np.nan])))
