"""The experiments on low rank repeat, count what they say, and find what is known in cases that are easy."""

import math

import numpy as np
import pytest

from beyond_kernel.checks import BadParameter
from beyond_kernel.feature_learning.implicit_low_rank_cells import (
    LAWS,
    checkpoints,
    flips_cell,
    labels_cell,
    rank_path_cell,
    third_cell,
)

NETWORK = {"width": 20, "size": 1e-3, "leak": 0.3, "rate": 1.0}
PATH = {"law": "gaussian", "d": 1000, "n": 10, "steps": 300} | NETWORK


@pytest.mark.parametrize("law", LAWS)
def test_on_nearly_orthogonal_inputs_two_directions_are_left(law):
    """One step and the end are as predicted; every margin becomes the same, and the boundary is linear."""
    found = rank_path_cell(**PATH | {"law": law}, seed=1)
    assert found["ranks"][1] == pytest.approx(found["predicted"], rel=0.08)
    assert found["ranks"][-1] == pytest.approx(found["limit"], rel=0.05)
    assert found["thirds"][-1] < 0.03 < found["thirds"][1]
    assert found["errors"] == 0 and found["agreement"] > 0.99 and found["margins"] > 0.8
    assert found["supports"] == 1 and found["cosine"] > 0.99 and found["consistent"] == 1


def test_the_start_has_the_rank_of_a_gaussian_matrix():
    """E|W|_F^2 / |W|^2 is near m d / (sqrt(m) + sqrt(d))^2, which the largest singular value stays a little below."""
    found = rank_path_cell(**PATH | {"steps": 10, "width": 100, "d": 400}, seed=0)
    assert found["ranks"][0] == pytest.approx(100 * 400 / (10 + 20) ** 2, rel=0.06)


def test_a_linear_network_has_rank_one_and_a_linear_boundary():
    """With leak 1 all neurons of a head get the same gradient, and those of the other its negative."""
    found = rank_path_cell(**PATH | {"leak": 1.0, "d": 8, "n": 60, "size": 1e-6}, seed=2)
    assert found["ranks"][-1] == pytest.approx(1, abs=1e-3) and found["agreement"] == 1
    assert found["errors"] > 0.1 and math.isnan(found["limit"])  # coins on 60 points are no linear function of 8 inputs


def test_margins_are_the_least_over_the_largest():
    """At least one sample is on the wrong side where coins are no linear function, so the ratio is below zero."""
    found = rank_path_cell(**PATH | {"leak": 1.0, "d": 8, "n": 60}, seed=2)
    assert found["errors"] > 0 and found["margins"] < 0


def test_a_large_start_keeps_its_rank():
    found = rank_path_cell(**PATH | {"size": 10.0}, seed=0)
    assert found["ranks"][-1] == pytest.approx(found["ranks"][0], rel=0.05)


def test_the_third_direction_dies_where_the_level_is_high():
    """Medians of five seeds at two leaks, in dimensions that differ by a factor of nine at the same level."""
    options = {"n": 20, "width": 30, "size": 1e-4, "rate": 1.0, "steps": 300}
    for leak in (0.2, 0.6):
        low, high = (
            np.median([third_cell(level, leak, **options, seed=seed)["third"] for seed in range(5)])
            for level in (0.25, 4)
        )
        assert high < 0.03 and low > 3 * high
    assert third_cell(4, 0.2, **options, seed=0)["dim"] == 2000  # 4 * 20 / 0.2^2


def test_few_dimensions_find_the_target_and_many_do_not():
    """A network of stable rank two in both; only with n far above d^2 are they the directions of the target."""
    options = NETWORK | {"target": "z1*z2", "width": 60, "leak": 0.2, "steps": 600, "n_test": 1000, "seed": 0}
    few, many = labels_cell(d=4, n=400, **options), labels_cell(d=1000, n=40, **options)
    assert few["network"] < 0.1 and few["share"] > 0.9 and few["line"] > 0.35
    assert many["errors"] == 0 and many["network"] > 0.4 and many["share"] < 0.1
    assert max(few["rank"], many["rank"]) < 2.5


def test_the_share_in_hidden_directions_of_an_untrained_network_is_their_number_over_d():
    found = labels_cell("z1*z2", 20, 10, **NETWORK | {"size": 1e3, "width": 200}, steps=1, n_test=10, seed=0)
    assert found["share"] == pytest.approx(2 / 20, rel=0.15)


def test_a_line_is_learnt_by_all():
    found = labels_cell("z1", 5, 300, **NETWORK, steps=300, n_test=2000, seed=0)
    assert max(found["network"], found["kernel"], found["line"]) < 0.1


def test_flipped_labels_are_fitted_and_their_number_is_right():
    """On far apart clusters in two dimensions nobody can fit the flips: errors on the sample are their share."""
    far = flips_cell(2, 400, 0.2, 30.0, **NETWORK | {"leak": 1.0}, steps=100, n_test=500, seed=0)
    assert far["errors"] == pytest.approx(0.2, abs=4 * 0.02)
    assert far["average"] == far["network"] == far["line"] == 0 and math.isnan(far["margin"])
    wide = flips_cell(1000, 20, 0.2, 3.0, **NETWORK, steps=500, n_test=500, seed=0)
    assert wide["errors"] == 0 and wide["network"] < 0.15 and wide["margin"] < 0.15


def test_errors_are_counted_on_labels_without_flips():
    """The average of many samples classifies as well as anybody can: with chance Phi(-distance) of an error."""
    found = flips_cell(2, 600, 0.2, 1.0, **NETWORK, steps=1, n_test=4000, seed=0)
    best = 0.5 * math.erfc(1 / math.sqrt(2))
    assert found["average"] == pytest.approx(best, abs=4 * math.sqrt(best * (1 - best) / 4000) + 2e-3)


def test_a_seed_repeats_and_another_does_not():
    first, again, other = (rank_path_cell(**PATH | {"steps": 10}, seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first["ranks"], again["ranks"])
    assert first["ranks"][1] != other["ranks"][1]


def test_bad_input_is_a_sentence():
    with pytest.raises(BadParameter, match="law = 'cluster' is not known: it must be one of gaussian"):
        rank_path_cell(**PATH | {"law": "cluster"}, seed=0)
    with pytest.raises(BadParameter, match="steps = 5"):
        checkpoints(5)
    with pytest.raises(BadParameter, match="flips = 0.7"):
        flips_cell(5, 10, 0.7, 1.0, **NETWORK, steps=1, seed=0)
