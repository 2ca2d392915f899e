"""The cells on what changes the exponent: what they return, on what it depends, and limits that are known."""

import numpy as np
import pytest

from beyond_kernel.checks import BadParameter
from beyond_kernel.feature_learning.search_cells import (
    equation_cell,
    mean_cell,
    reuse_cell,
    single_use_cell,
    smoothing_cell,
    spectral_cell,
)


def test_the_chain_is_compared_with_its_closed_form():
    """he1, square loss, step 1: the overlap is 1 - exp(-t), and its fluctuations are of order d^(-1/2)."""
    found = equation_cell("he1", 400, 1.0, "square", 100, horizon=3.0, points=6, seed=0)
    np.testing.assert_allclose(found["times"], np.linspace(0, 3, 7))
    np.testing.assert_allclose(found["equation"], 1 - np.exp(-found["times"]), atol=1e-6)
    assert found["mean_distance"] < 4 * found["error"] + 3 / 400
    assert 0.3 / 20 < found["one_run"] < 3 / 20
    assert found["deviation"][0] == 0 and found["mean"].shape == (7,)


def test_smoothing_arrives_near_the_predicted_steps():
    found = smoothing_cell("he3", [32, 64], 4, 24, seed=0)
    assert found["found"].min() > 0.62  # 0.78 and 0.82 of many arrive in four times the predicted steps
    ratio = found["median"] / found["expected"]
    assert ((ratio > 0.4) & (ratio < 2.5)).all()  # 20 seeds lay between .6 and 1.7


def test_a_used_sample_arrives_where_a_single_use_does_not():
    arguments = ("he3", [256, 1024], 0.0, 2, 8)
    found, without = reuse_cell(*arguments, seed=1), single_use_cell(*arguments, seed=1)
    assert found["found"].min() > 0.8 and without["found"].max() < 0.2
    ratio = found["medians"] / found["expected"][:, None]
    assert ratio.shape == (2, 2) and ((ratio > 0.5) & (ratio < 2)).all()


def test_the_median_is_that_of_the_single_searches():
    """In groups of one search each the medians are the searches themselves; none is missing with this patience."""
    found = reuse_cell("he3", [256], 0.0, 17, 1, patience=20.0, seed=0)
    assert found["median"][0] == np.median(found["medians"])


def test_dimensions_that_do_not_arrive_are_not_given_a_median():
    assert np.isnan(reuse_cell("he3", [64], 0.0, 2, 4, patience=0.01, seed=0)["median"]).all()


def test_the_transformed_label_shows_the_direction():
    seen = [spectral_cell("he3", 60, 12.0, name, seed=0)["overlap"] for name in ("bell", "clipped square")]
    assert min(seen) > 0.7


def test_the_mean_of_signs_shows_a_direction_of_generative_exponent_one_alone():
    """For an even link the mean of sign(y) x is of size 1 / sqrt(n) in every direction."""
    seen = [mean_cell("he3", 100, 8.0, seed=seed)["overlap"] for seed in range(5)]
    blind = [mean_cell("he2", 100, 8.0, seed=seed)["overlap"] for seed in range(5)]
    assert min(seen) > 0.65 and np.median(blind) < 0.25  # a random direction has 0.08
    assert mean_cell("he3", 20, 5.0, seed=3) == mean_cell("he3", 20, 5.0, seed=3) != mean_cell("he3", 20, 5.0, seed=4)


def test_the_samples_do_not_depend_on_the_transformation_but_on_the_seed():
    """The same call twice, and two transformations that agree on labels of absolute value below two."""
    first, again = (spectral_cell("sign", 20, 5.0, name, seed=3)["overlap"] for name in ("bell", "bell"))
    assert first == again != spectral_cell("sign", 20, 5.0, "bell", seed=4)["overlap"]


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: equation_cell("he1", 100, 1.0, "hinge", 10, seed=0), "loss = 'hinge' is not known"),
        (lambda: equation_cell("he1", 100, -1.0, "square", 10, seed=0), "step = -1"),
        (lambda: smoothing_cell("he3", [2], 1, 4, seed=0), "dims.0. = 2"),
        (lambda: smoothing_cell("he3", [64], 1, 4, handover=9.0, seed=0), "handover = 9"),
        (lambda: reuse_cell("he3", [64], 0.7, 1, 4, seed=0), "q = 0.7 is out of range"),
        (lambda: spectral_cell("he3", 20, 0.0, "bell", seed=0), "ratio = 0"),
        (lambda: spectral_cell("he3", 20, 1.0, "square", seed=0), "transformation = 'square' is not known"),
    ],
)
def test_what_is_out_of_range_ends_in_one_sentence(call, sentence):
    with pytest.raises(BadParameter, match=sentence):
        call()
