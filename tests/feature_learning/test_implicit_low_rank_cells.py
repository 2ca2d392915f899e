"""The experiments on low rank repeat, count what they say, and find what is known in cases that are easy."""

import math

import numpy as np
import pytest
import torch
from torch.nn.functional import leaky_relu

from beyond_kernel.checks import BadParameter
from beyond_kernel.feature_learning.implicit_low_rank import train_in_span
from beyond_kernel.feature_learning.implicit_low_rank_cells import (
    FRESH,
    LAWS,
    checkpoints,
    labelled_inputs,
    passed_at,
    rank_path_cell,
    third_cell,
)
from beyond_kernel.feature_learning.low_rank_theory import limit_point, rank_after_one_step
from beyond_kernel.random_streams import generator_for

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


def by_hand(d: int, n: int, size: float, steps: list[int]):
    """Draw what ``rank_path_cell`` draws, in its order, and train."""
    generator = generator_for(3, "rank path", "gaussian", d, n)
    (X, y), (fresh, _) = (labelled_inputs("gaussian", count, d, 3.0, generator) for count in (n, FRESH))
    start = size / math.sqrt(d) * torch.randn(20, d, generator=generator, dtype=torch.float64)
    return X, y, fresh, train_in_span(start, X, y, 0.3, 1.0, steps)


def test_what_a_path_says_is_what_a_training_by_hand_has():
    """In twelve dimensions, where margins differ, the boundary is bent, and not every sample has a multiplier."""
    found = rank_path_cell("gaussian", 12, 12, **NETWORK | {"size": 0.1}, steps=10, seed=3)
    X, y, fresh, (weights, values) = by_hand(12, 12, 0.1, [0, 1, 2, 3, 10])
    singular = [np.linalg.svd(W.numpy())[1] for W in weights]
    np.testing.assert_allclose(found["ranks"], [(s**2).sum() / s[0] ** 2 for s in singular], rtol=1e-9)
    np.testing.assert_allclose(found["thirds"], [s[2] / s[0] for s in singular], rtol=1e-9)
    half = np.linalg.svd(weights[-1, :10].numpy())[1]
    assert found["halves"][-1] == pytest.approx((half**2).sum() / half[0] ** 2)
    margins = (y * values[-1]).numpy()
    assert found["margin"] == pytest.approx(margins.mean())
    assert found["margins"] == pytest.approx(margins.min() / margins.max())
    f = leaky_relu(fresh @ weights[-1].T, 0.3)
    f, line = f[:, :10].sum(1) - f[:, 10:].sum(1), fresh @ (weights[-1, :10].sum(0) - weights[-1, 10:].sum(0))
    assert found["agreement"] == pytest.approx(float((f * line > 0).double().mean())) and found["agreement"] < 0.99
    multipliers = limit_point(X, y, 0.3).weights
    assert found["supports"] == pytest.approx(float((multipliers > 1e-12).double().mean())) and found["supports"] < 1
    assert found["predicted"] == pytest.approx(rank_after_one_step(X, y, 20, 0.1, 0.3, 1.0))
    assert found["predicted"] > 1.05 * rank_after_one_step(X, y, 20, 0.0, 0.3, 1.0)


def test_the_third_singular_value_is_taken_over_the_first():
    """The cell against a decomposition by numpy of a training on what it draws."""
    generator = generator_for(4, "third", 32, 8)
    X, y = labelled_inputs("gaussian", 8, 32, 0.0, generator)
    start = 1e-3 / math.sqrt(32) * torch.randn(20, 32, generator=generator, dtype=torch.float64)
    singular = np.linalg.svd(train_in_span(start, X, y, 0.5, 1.0, [30]).weights[0].numpy())[1]
    found = third_cell(1.0, 0.5, 8, 20, 1e-3, 1.0, 30, seed=4)
    assert found["dim"] == 32 and found["third"] == pytest.approx(singular[2] / singular[0])


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


def test_a_curve_passes_where_its_power_law_does():
    """The curve 3 x^-2 is 0.05 at x = sqrt(60); outside of the levels the nearest one is given."""
    levels = [0.25, 1.0, 6.0, 9.0]
    curve = [3 * level**-2 for level in levels]
    assert passed_at(levels, curve, 0.05) == pytest.approx(60**0.5)
    assert passed_at(levels, curve, 1e-3) == pytest.approx(9) and passed_at(levels, curve, 100) == pytest.approx(0.25)
    with pytest.raises(BadParameter, match="levels and values are 4 and 3"):
        passed_at(levels, curve[:3], 0.05)


def test_a_seed_repeats_and_another_does_not():
    first, again, other = (rank_path_cell(**PATH | {"steps": 10}, seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first["ranks"], again["ranks"])
    assert first["ranks"][1] != other["ranks"][1]


def test_bad_input_is_a_sentence():
    with pytest.raises(BadParameter, match="law = 'cluster' is not known: it must be one of gaussian"):
        rank_path_cell(**PATH | {"law": "cluster"}, seed=0)
    with pytest.raises(BadParameter, match="steps = 5"):
        checkpoints(5)
