"""The scalar equation against cases worked out by hand, against ridge regression itself, and its own inverse."""

import math

import numpy as np
import pytest
import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.foundations.inputs.harmonics import sphere_energies
from beyond_kernel.foundations.inputs.laws import sphere
from beyond_kernel.foundations.learning.ridge import LEVELS, kernel_ridge_path
from beyond_kernel.foundations.learning.samples import noisy
from beyond_kernel.foundations.targets.target import parse_target
from beyond_kernel.kernel_regime.learning_curve import (
    predict,
    predict_best,
    predicted_risks,
    predicted_samples,
    samples_for_risk,
    sphere_variance,
)
from beyond_kernel.kernel_regime.spectrum import SphereSpectrum, sphere_spectrum
from beyond_kernel.kernel_regime.tangent_kernel import kernel_profile
from beyond_kernel.random_streams import generator_for

LINEAR = torch.tensor([0.0, 1.0])


def relu_spectrum(d, kernel="random features", bias=1.0):
    return sphere_spectrum(kernel_profile(kernel, d, bias), d)


def test_linear_kernel_by_hand():
    """lambda_1 = 1/d alone: n = d lambda/(lambda + kappa) + n penalty/kappa is a quadratic equation."""
    d, n, penalty, noise = 50, 120, 0.3, 0.7
    spectrum = sphere_spectrum(lambda t: t, d, 3)
    b = n / d - 1 - n * penalty  # n kappa^2 + (n/d - 1 - n penalty) kappa - n penalty/d = 0
    kappa = (-b + math.sqrt(b**2 + 4 * n * n * penalty / d)) / (2 * n)
    learnt = (1 / d) / (1 / d + kappa)
    risk = ((1 - learnt) ** 2 + noise**2) / (1 - d * learnt**2 / n) - noise**2
    found = predict(spectrum, LINEAR, n, penalty, noise)
    assert found.resolution == pytest.approx(kappa, rel=1e-9)
    assert float(found.learnt[1]) == pytest.approx(learnt, rel=1e-9) and found.risk == pytest.approx(risk, rel=1e-8)


def test_noise_alone_costs_d_over_n_minus_d():
    """Least squares with n > d: the linear kernel with a vanishing penalty has risk noise^2 d/(n - d)."""
    found = predict(sphere_spectrum(lambda t: t, 40, 3), LINEAR, 200, 1e-12, noise=0.5)
    assert found.risk == pytest.approx(0.25 * 40 / 160, rel=1e-6)


@pytest.mark.parametrize("penalty", [1e-4, 3e-2])
def test_theory_matches_ridge_regression_at_a_fixed_penalty(penalty):
    """No penalty is chosen here, so theory and measurement describe the same estimator; 24 draws, noisy labels."""
    d, n, noise = 12, 300, 0.3
    target = parse_target("(z1 + h2(z2) + z1*z2*z3)/sqrt(3)", d)
    spectrum, risks = relu_spectrum(d, "tangent"), []
    profile = kernel_profile("tangent", d, 1.0)
    for seed in range(24):
        X, fresh = sphere(n, d, generator_for(seed, "train")), sphere(1500, d, generator_for(seed, "test"))
        y = noisy(target(X), noise, generator_for(seed, "noise"))
        gram = profile((X @ X.T / d).clamp(-1, 1))
        c = kernel_ridge_path(gram, y, torch.tensor([penalty * spectrum.trace]))[0]
        risks.append(float((profile(fresh @ X.T / d) @ c - target(fresh)).square().mean()))
    found = predict(spectrum, sphere_energies(target), n, penalty * spectrum.trace, noise)
    error = np.std(risks) / math.sqrt(len(risks))
    assert np.mean(risks) == pytest.approx(found.risk, abs=4 * error + 0.02 * found.risk)  # and 2 % for finite n


def test_numbers_of_the_literature_of_this_book():
    """Half degree two, half degree four, no biases: the sample sizes for risk 1/4 of an independent prototype."""
    energies = torch.tensor([0, 0, 0.5, 0, 0.5])
    expected = {10: 568, 14: 1794, 20: 6489, 40: 89418, 160: 2.08e7}
    for d, n in expected.items():
        assert samples_for_risk(relu_spectrum(d, bias=0.0), energies, 0.25) == pytest.approx(n, rel=2e-3)


def test_samples_for_risk_inverts_the_best_prediction():
    energies, noise = torch.tensor([0.1, 0.3, 0.3, 0.3]), 0.2
    spectrum = relu_spectrum(14)
    for risk in (0.5, 0.2, 0.05):
        n = samples_for_risk(spectrum, energies, risk, noise)
        levels = tuple(np.geomspace(1e-9, 1, 400))
        assert predict_best(spectrum, energies, n, noise, levels).risk == pytest.approx(risk, rel=1e-3)
        assert predict_best(spectrum, energies, 0.97 * n, noise, levels).risk > risk


def test_samples_for_half_of_a_degree_come_out_of_the_equation():
    for kernel in ("random features", "tangent"):
        spectrum = relu_spectrum(15, kernel)
        for degree in (1, 2, 3):
            n = predicted_samples(spectrum, degree, 0.5)
            assert float(predict(spectrum, LINEAR, n, 0.0).learnt[degree]) == pytest.approx(0.5, rel=1e-6)
            assert predicted_samples(spectrum, degree, 0.9) > n > predicted_samples(spectrum, degree, 0.1)


def test_a_degree_that_the_kernel_lacks_is_never_learnt():
    spectrum = relu_spectrum(10, bias=0.0)
    cubic = torch.tensor([0, 0, 0, 1.0])
    assert predicted_samples(spectrum, 3) == math.inf
    assert samples_for_risk(spectrum, cubic, 0.5) == math.inf
    assert predict_best(spectrum, cubic, 1e5).risk == pytest.approx(1, abs=1e-3)
    assert samples_for_risk(spectrum, torch.tensor([0, 1.0, 0, 0.2]), 0.25) < 100


def test_predicted_slope_in_the_dimension_tends_to_the_degree():
    for degree in (1, 2, 3, 4):
        energies = torch.eye(5)[degree]
        for kernel in ("random features", "tangent"):
            near, far = (samples_for_risk(relu_spectrum(d, kernel), energies, 0.25) for d in (300, 1000))
            slope = math.log(far / near) / math.log(1000 / 300)
            assert slope == pytest.approx(degree, abs=0.03)  # 1/d corrections: a tenth of that from d = 1,000 on


def test_more_samples_are_better_and_the_ends_are_right():
    spectrum, energies = relu_spectrum(10), torch.tensor([0.0, 0.4, 0.6])
    risks = [predict_best(spectrum, energies, n, 0.1).risk for n in np.geomspace(0.5, 1e4, 12)]
    assert all(late < early for early, late in zip(risks, risks[1:], strict=False))
    assert risks[0] == pytest.approx(1, abs=0.15) and risks[-1] < 0.002
    best = predict_best(spectrum, energies, 100.0, 0.1)
    assert best.penalty / spectrum.trace in [pytest.approx(level) for level in LEVELS]


@pytest.mark.parametrize("bits", [-3, -1, 0, 1, 3])
def test_what_cannot_be_fitted_is_refused_whatever_the_last_bits_of_the_trace(bits):
    counts, held = torch.tensor([1.0, 8, 35], dtype=torch.float64), torch.tensor([0, 1 / 8, 0], dtype=torch.float64)
    spectrum = SphereSpectrum(8, held, counts, 1 + bits * torch.finfo(torch.float64).eps)
    with pytest.raises(BadParameter, match="n = 100 is out of range: without a penalty it must be below 8"):
        predict(spectrum, LINEAR, 100, 0.0)
    for n in (1e-3, 4, 7.999):
        assert float(predict(spectrum, LINEAR, n, 0.0).learnt[1]) == pytest.approx(n / 8)  # n = 8 L


def test_bad_input_is_a_sentence():
    spectrum = relu_spectrum(8)
    with pytest.raises(BadParameter, match="n = 0 is out of range"):
        predict(spectrum, LINEAR, 0, 0.1)
    with pytest.raises(BadParameter, match="penalty = -1 is out of range"):
        predict(spectrum, LINEAR, 10, -1)
    with pytest.raises(BadParameter, match="energies has degree 20: the spectrum ends at 12"):
        predict(spectrum, torch.ones(21), 10, 0.1)
    with pytest.raises(BadParameter, match="n = 8 is out of range: without a penalty it must be below 8"):
        predict(sphere_spectrum(lambda t: t, 8, 2), LINEAR, 8, 0.0)
    with pytest.raises(BadParameter, match="share = 1 is out of range"):
        predicted_samples(spectrum, 2, 1)
    with pytest.raises(BadParameter, match="degree = 13 is not in the spectrum"):
        predicted_samples(spectrum, 13)
    with pytest.raises(BadParameter, match="risk = 0 is out of range"):
        samples_for_risk(spectrum, LINEAR, 0)


def test_small_risks_are_reached_too():
    """Without noise the risk of the highest degree falls like n^-2: a tenth of the risk costs a root of ten."""
    spectrum = sphere_spectrum(kernel_profile("tangent", 10, 1.0), 10, 3)
    pure = torch.eye(4, dtype=torch.float64)[3]
    few, many = (samples_for_risk(spectrum, pure, risk) for risk in (1e-7, 1e-8))
    assert many / few == pytest.approx(10**0.5, rel=0.05)


def test_no_digit_is_lost_near_the_capacity():
    """cos is linear in the harmonics of degree one: five of them, and no tail."""
    spectrum = sphere_spectrum(lambda t: t, 5, 1)
    found = predict(spectrum, torch.tensor([0.0, 1.0]), 4.999999999999999, 0.0)
    assert math.isfinite(found.risk) and found.risk >= 0


@pytest.mark.parametrize(("kernel", "bias"), [("random features", 1.0), ("tangent", 0.5)])
def test_predicted_risks_are_those_of_ridge_regression_in_units_of_the_variance(kernel, bias):
    """Solved here for the whole path; the best penalty for the mean risk, over 24 draws. A constant costs nothing."""
    d, n, noise = 10, 200, 0.2
    target = parse_target("2 + z1 + z1*z2 - z1*z2*z3", d)
    profile, risks = kernel_profile(kernel, d, bias), []
    for seed in range(24):
        X, fresh = sphere(n, d, generator_for(seed, "train")), sphere(1500, d, generator_for(seed, "test"))
        y = noisy(target(X), noise, generator_for(seed, "noise"))
        gram = profile((X @ X.T / d).clamp(-1, 1))
        path = kernel_ridge_path(gram, y, torch.tensor(LEVELS, dtype=gram.dtype) * float(gram[0, 0]))
        errors = profile(fresh @ X.T / d) @ path.T - target(fresh)[:, None]
        risks.append(errors.square().mean(0))
    measured = float(torch.stack(risks).mean(0).min()) / float(target(sphere(200_000, d, generator_for(0, "x"))).var())
    assert predicted_risks(target, [n], kernel, noise, bias)[0] == pytest.approx(measured, rel=0.08)  # seeds: 3 % s.e.


def test_the_variance_on_the_sphere_leaves_the_constant_out():
    target = parse_target("4 + He4(z1)/5", 6)  # He4 itself has a mean and a quadratic part on the sphere
    assert sphere_variance(target) == pytest.approx(
        float(target(sphere(400_000, 6, generator_for(1, "x"))).var()), rel=0.02
    )
    with pytest.raises(BadParameter, match="constant on the sphere"):
        sphere_variance(parse_target("z1^2 + z2^2 + z3^2", 3))
    with pytest.raises(BadParameter, match="constant on the sphere"):
        predicted_risks(parse_target("h2(z1) + h2(z2) + h2(z3)", 3), [10], "tangent")
