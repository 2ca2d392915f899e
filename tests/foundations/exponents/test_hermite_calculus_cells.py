"""The sampled experiments of the chapter against series, exact tensors and what their own noise predicts."""

import numpy as np
import pytest

from beyond_kernel.checks import BadParameter
from beyond_kernel.foundations.exponents import hermite_calculus as calculus
from beyond_kernel.foundations.exponents import hermite_calculus_cells as cells

TARGET = "(h2(z1) - h2(z2) + h2(z1)*h2(z2) + h3(z1))/2"


@pytest.mark.parametrize("name", ["relu", "he3", "bump"])
@pytest.mark.parametrize("rho", [-1.0, -0.5, 0.0, 0.7, 1.0])
def test_sampled_duals_are_the_series(name, rho):
    values = [cells.dual_cell(name, rho, 5000, seed=seed)["dual"] for seed in range(12)]
    error = max(float(np.std(values, ddof=1)) / 12**0.5, 1e-12)
    expected = float(calculus.dual_series(name, [rho], 80)[0])
    assert np.mean(values) == pytest.approx(expected, abs=5 * error + 2e-4)  # five standard errors, and the tail


def test_both_means_of_stein_agree_within_their_error():
    for k in (1, 2, 3):
        gaps = [cells.stein_cell(TARGET, 2, k, 2000, seed=seed)["gap"] for seed in range(20)]
        assert 0.6 < np.sqrt(np.mean(np.square(gaps))) < 1.6  # expected 1; 0.86 to 1.44 in 60 other sets of seeds


def test_the_error_of_a_sampled_tensor_is_what_its_covariance_predicts():
    for n in (500, 4000):
        runs = [cells.stein_cell(TARGET, 2, 2, n, seed=seed) for seed in range(40)]
        errors, expected = (np.array([run[name] for run in runs]) for name in ("error", "expected"))
        ratio = np.sqrt((errors**2).mean(0) / (expected**2).mean(0))
        assert (np.abs(ratio - 1) < 0.35).all()  # 40 draws leave 0.1; 0.79 to 1.14 for 40 other sets of seeds


def test_derivatives_of_a_quadratic_are_its_tensor_without_error():
    cell = cells.stein_cell("z1^2 - z1*z2", 2, 2, 100, seed=0)
    assert cell["error"][1] <= 1e-12 < 1e-3 < cell["error"][0]


def test_a_transformed_label_finds_the_direction_that_the_label_hides():
    plain, better = (
        np.mean([cells.direction_cell("he3", 50, 800, transformed, seed=seed)["overlap"] for seed in range(8)])
        for transformed in (False, True)
    )
    assert better > 0.85 and plain < 0.35  # 0.90 to 0.93 and 0.04 to 0.22 for 20 other sets of seeds


def test_the_label_alone_finds_what_it_does_not_hide():
    for link in ("relu", "he2"):
        overlaps = [cells.direction_cell(link, 30, 3000, choice, seed=1)["overlap"] for choice in (False, True)]
        assert min(overlaps) > 0.85  # 0.96 to 0.99 for 20 other seeds


@pytest.mark.parametrize("link", ["he3", "relu", "sign", "he5"])
def test_the_overlap_follows_the_energy_of_the_transformation(link):
    for n in (40, 160, 640):
        found = [cells.direction_cell(link, 40, n, True, seed=seed)["overlap"] for seed in range(24)]
        expected = calculus.expected_overlap(link, 40, n)
        assert np.mean(found) == pytest.approx(expected, abs=0.08)  # at most 0.046 for 20 other sets of seeds


def test_a_sample_misses_what_lies_beyond_its_largest_draw():
    found = np.array([cells.sampled_energy_cell(60, 4000, seed=seed)["energy"] for seed in range(15)])
    np.testing.assert_allclose(found[:, :3].mean(0), 1, atol=0.05)  # low degrees are seen
    for k in (30, 60):
        middle, seen = np.median(found[:, k]), calculus.seen_energy(4000, k)
        assert seen < 0.3 and abs(middle - seen) < 0.12  # at most 0.07 for 20 other sets of seeds


@pytest.mark.parametrize(
    "call",
    [
        lambda: cells.dual_cell("relu", 2.0, 10, seed=0),
        lambda: cells.direction_cell("bump", 10, 100, True, seed=0),
        lambda: cells.direction_cell("relu", 0, 100, True, seed=0),
    ],
)
def test_arguments_out_of_range_are_refused(call):
    with pytest.raises(BadParameter):
        call()
