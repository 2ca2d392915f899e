"""Fitted powers, what a kernel needs and the paper's curves, held against closed forms, scipy and simulations."""

import math

import numpy as np
import pytest
import torch
import xarray
from scipy import stats

from beyond_kernel.checks import BadParameter
from beyond_kernel.feature_learning.sample_complexity import (
    PAPER,
    PUBLISHED,
    PUBLISHED_POWERS,
    degree_to_learn,
    growth_power,
    kernel_samples,
    published_risk,
)
from beyond_kernel.foundations.inputs.harmonics import sphere_energies
from beyond_kernel.foundations.learning.learners import risk_of
from beyond_kernel.foundations.learning.samples import draw_problem
from beyond_kernel.foundations.targets.target import parse_target
from beyond_kernel.kernel_regime.kernel_learners import fit_random_feature_kernel, fit_tangent_kernel
from beyond_kernel.kernel_regime.learning_curve import samples_for_risk, sphere_variance
from beyond_kernel.kernel_regime.spectrum import kernel_spectrum

TWO = "(h2(z1) - h2(z2) + h2(z1)*h2(z2) + h3(z1))/2"


def needs(values, dims=(8, 16, 32)) -> xarray.DataArray:
    values = np.asarray(values, dtype=float)
    return xarray.DataArray(values, {"d": list(dims), "seed": range(values.shape[1])}, ("d", "seed"))


def noisy_needs(power: float, spread: float, count: int, generator: np.random.Generator) -> xarray.DataArray:
    dims = np.array([10, 16, 26, 40])
    logs = power * np.log(dims)[:, None] + spread * generator.standard_normal((4, count))
    return needs(np.exp(logs), dims)


@pytest.mark.parametrize("power", [0.0, 1.0, 1.5, 4.0])
def test_an_exact_power_is_found_without_an_interval(power):
    found = growth_power(needs([[d**power] * 4 for d in (8, 16, 32)]))
    assert found == pytest.approx((power,) * 3, abs=1e-12)


def test_the_slope_is_least_squares_over_all_seeds():
    needed = noisy_needs(1.5, 0.3, 6, np.random.default_rng(0))
    x = np.log(needed.d.broadcast_like(needed).values.ravel())
    assert growth_power(needed).value == pytest.approx(stats.linregress(x, np.log(needed.values.ravel())).slope)
    assert growth_power(needed.transpose("seed", "d")).value == pytest.approx(growth_power(needed).value)


def test_the_interval_is_that_of_a_mean_over_seeds():
    """The slope is sum_d w_d mean_d with w = (x - mean x) / S, so its variance is spread^2 / (count S)."""
    spread, count = 0.3, 400
    found = growth_power(noisy_needs(1.5, spread, count, np.random.default_rng(1)))
    x = np.log([10, 16, 26, 40])
    half = 1.96 * spread / math.sqrt(count * np.square(x - x.mean()).sum())
    assert found.high - found.low == pytest.approx(2 * half, rel=0.1)  # the variance of 400 values is known to 0.07
    assert found.high - found.value == pytest.approx(found.value - found.low)


@pytest.mark.parametrize("count", [2, 3, 5])
def test_the_interval_covers_the_truth_in_95_of_100_trials_whatever_the_number_of_seeds(count):
    generator = np.random.default_rng(count)
    found = [growth_power(noisy_needs(1.5, 0.3, count, generator)) for _ in range(800)]
    inside = np.mean([slope.low < 1.5 < slope.high for slope in found])
    assert inside == pytest.approx(0.95, abs=0.025)  # three standard errors of 800 trials


def test_a_run_that_did_not_get_there_leaves_the_slope_unmeasured():
    """Without the rule the run that is dropped at d = 32 would make a slope of 1.5 out of one of 2."""
    values = [[64.0, 64.0], [256.0, 256.0], [1024.0, float("nan")]]
    assert all(math.isnan(part) for part in growth_power(needs(values)))
    assert str(growth_power(needs(values))) == "not measured"
    assert str(growth_power(needs([[8.0] * 2, [16.0] * 2, [32.0] * 2]))) == "1.00 [1.00, 1.00]"


def test_one_seed_has_no_interval_and_one_dimension_no_slope():
    alone = growth_power(needs([[8.0], [16.0], [32.0]]))
    assert alone.value == pytest.approx(1) and math.isnan(alone.low) and math.isnan(alone.high)
    assert math.isnan(growth_power(needs([[8.0, 9.0]], dims=(8,))).value)


def test_what_is_no_number_of_samples_is_refused():
    with pytest.raises(BadParameter, match="holds 0"):
        growth_power(needs([[1.0], [0.0], [2.0]]))
    with pytest.raises(BadParameter, match="dimensions d"):
        growth_power(needs([[1.0], [2.0], [2.0]]).isel(seed=0))


@pytest.mark.parametrize(
    ("text", "threshold", "degree"),
    [
        (TWO, 0.76, 2),  # energies 1/2, 1/4, 1/4 in degrees 2, 3, 4
        (TWO, 0.5, 3),  # the degrees above 2 hold exactly one half: not below it
        (TWO, 0.3, 3),
        (TWO, 0.25, 4),
        ("2 + 3*z1", 0.01, 1),  # a constant counts for nothing
        ("h5(z1)", 0.99, 5),
        ("h5(z1)", 1.5, 0),
    ],
)
def test_the_degree_that_a_risk_asks_for(text, threshold, degree):
    assert degree_to_learn(parse_target(text, 6).energy_by_degree(), threshold) == degree


def test_a_constant_has_no_degree_to_learn():
    with pytest.raises(BadParameter, match="constant"):
        degree_to_learn(torch.tensor([4.0, 0.0]), 0.5)


@pytest.mark.parametrize(
    ("kernel", "learner"),
    [("tangent kernel", fit_tangent_kernel), ("random-feature kernel", fit_random_feature_kernel)],
)
def test_at_the_predicted_size_a_kernel_on_the_sphere_has_that_risk(kernel, learner):
    """The prediction chooses penalty and bias in hindsight, the learner by leave-one-out; a few hundredths for that."""
    n = int(kernel_samples("z1*z2", [12], 0.4, 0.1, kernel)[0])
    truth = parse_target("z1*z2", 12).normalised()
    risks = []
    for seed in range(10):
        problem = draw_problem(truth, n, 0.1, seed, law="sphere", n_test=2000)
        risks.append(risk_of(learner, problem, torch.Generator()).value)
    assert np.mean(risks) == pytest.approx(0.4, abs=0.06)


def test_a_pure_degree_needs_its_power_of_d():
    """The number of harmonics of degree k is d^k / k! to leading order, and half of them must be seen for half."""
    for text, power in (("z1*z2", 2), ("z1*z2*z3", 3)):
        near, far = kernel_samples(text, [100, 200], 0.5, 0.0)
        assert math.log2(far / near) == pytest.approx(power, abs=0.05)


def test_bad_parameters_of_the_prediction_are_named():
    for wrong, named in (
        ({"kernel": "tangent"}, "kernel"),
        ({"threshold": 0.0}, "threshold"),
        ({"dims": [2]}, "d = 2"),
    ):
        with pytest.raises(BadParameter, match=named):
            kernel_samples(**{"target": "z1*z2", "dims": [10], "threshold": 0.5, "noise": 0.1} | wrong)


def test_the_paper_has_its_target_and_its_plateaus():
    """Mean square one, half of it in degree two: 1 is the risk of nothing, 1/2 that of the best quadratic."""
    target = parse_target(PAPER["target"], PAPER["d"])
    assert target.energy_by_degree().tolist() == pytest.approx([0, 0, 0.5, 0, 0.5])
    assert PUBLISHED.keys() == {100, 1000}
    for curves in PUBLISHED.values():
        assert all(1 < len(curve) <= len(PUBLISHED_POWERS) for curve in curves.values())
        assert all(curve[0] == pytest.approx(1, abs=0.02) for curve in curves.values())
        assert min(curves["random features"]) > 0.5 > 0.1 > min(curves["one step"])
        assert all((np.diff(curve) < 0).all() for curve in curves.values())


def test_a_published_risk_is_found_by_width_method_and_power():
    assert published_risk(100, "tangent model", 2.5) == 0.933
    assert published_risk(1000, "random features", 4.0) == 0.538
    assert math.isnan(published_risk(1000, "one step", 5.0)) and math.isnan(published_risk(100, "one step", 2.2))
    for wrong, named in (((10, "one step", 2.0), "width = 10"), ((100, "oracle", 2.0), "learner")):
        with pytest.raises(BadParameter, match=named):
            published_risk(*wrong)


@pytest.mark.parametrize(("text", "least"), [("z1*z2", 0.5), ("h3(z1)", 2.0)])
def test_the_bias_is_the_best_of_the_three_that_the_kernels_choose_among(text, least):
    truth = parse_target(text, 12).normalised()
    level, energies = 0.25 * sphere_variance(truth), sphere_energies(truth)
    biases = (0.5, 1.0, 2.0)
    spectra = [kernel_spectrum("random features", 12, bias) for bias in biases]
    found = dict(zip(biases, (samples_for_risk(s, energies, level, 0.1) for s in spectra), strict=True))
    assert min(found, key=found.get) == least
    assert kernel_samples(text, [12], 0.25, 0.1, "random-feature kernel")[0] == pytest.approx(found[least], rel=1e-6)


@pytest.mark.parametrize(
    ("width", "learner", "read"),
    [
        (100, "one step", {2.5: 0.90, 3.0: 0.5, 3.5: 0.25, 4.0: 0.09, 5.0: 0.02}),
        (100, "random features", {5.0: 0.77}),
        (100, "tangent model", {5.0: 0.55}),
        (1000, "one step", {3.0: 0.47, 3.5: 0.20, 4.0: 0.07}),
        (1000, "random features", {4.0: 0.54}),
        (1000, "tangent model", {4.0: 0.48}),
    ],
)
def test_the_vertices_agree_with_a_reading_of_the_figure_by_eye(width, learner, read):
    """The reading was made by somebody else, from the drawn curves, before the vertices were taken."""
    assert {power: published_risk(width, learner, power) for power in read} == pytest.approx(read, abs=0.05)
