"""The closed forms of the calculus against quadrature and other closed forms."""

import math

import numpy as np
import pytest
import torch
from scipy import integrate

from beyond_kernel.checks import BadParameter
from beyond_kernel.foundations.exponents import hermite_calculus as calculus
from beyond_kernel.foundations.inputs.laws import gaussian
from beyond_kernel.foundations.targets.hermite import hermite_coefficients, relu_coefficients
from beyond_kernel.foundations.targets.hermite_tensors import tensor_expansion
from beyond_kernel.foundations.targets.target import parse_target
from beyond_kernel.random_streams import generator_for

TARGET = "(h2(z1) - h2(z2) + h2(z1)*h2(z2) + h3(z1))/2"


def powers(correlation, degree):
    return torch.diag(torch.tensor([float(correlation) ** k for k in range(degree + 1)], dtype=torch.float64))


@pytest.mark.parametrize("correlation", np.linspace(-1, 1, 9).tolist())
def test_correlation_becomes_a_power(correlation):
    found = calculus.correlated_moments(12, correlation)
    torch.testing.assert_close(found, powers(correlation, 12), rtol=0, atol=1e-12)  # rounding


def test_two_variables_of_correlation_one_give_the_identity():
    torch.testing.assert_close(calculus.correlated_moments(30, 1), powers(1, 30), rtol=0, atol=1e-12)  # rounding


def test_a_correlated_moment_by_a_double_integral():
    rho = 0.4

    def density(v, u):
        return math.exp(-(u * u - 2 * rho * u * v + v * v) / (2 - 2 * rho**2)) / (2 * math.pi * math.sqrt(1 - rho**2))

    value, error = integrate.dblquad(lambda v, u: (u**2 - 1) * (v**2 - 1) / 2 * density(v, u), -8, 8, -8, 8)
    assert float(calculus.correlated_moments(2, rho)[2, 2]) == pytest.approx(value, abs=1e-6 + error)


@pytest.mark.parametrize("power", [0, 1, 2, 3])
def test_ramps_by_quadrature(power):
    def ramp(z):
        return (z > 0).double() * z**power / math.factorial(power)

    found = calculus.ramp_coefficients(power, 20)
    torch.testing.assert_close(found, hermite_coefficients(ramp, 20, [0.0]), rtol=0, atol=1e-11)  # rounding


def test_the_first_ramp_is_relu():
    roots = torch.tensor([math.sqrt(math.factorial(k)) for k in range(31)], dtype=torch.float64)
    torch.testing.assert_close(calculus.ramp_coefficients(1, 30), relu_coefficients(30) / roots, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("power", [0, 1, 2])
def test_a_ramp_falls_with_the_predicted_power(power):
    sizes = calculus.ramp_coefficients(power, 4001).abs()
    local = [math.log2(float(sizes[2 * k : 2 * k + 2].max() / sizes[k : k + 2].max())) for k in (500, 1000, 2000)]
    # Corrections are of order (power + 1) / k, below 0.006 from k = 500 on.
    assert local == pytest.approx([-(2 * power + 3) / 4] * 3, abs=0.01)


def test_the_decay_of_the_figure_holds_the_coefficient_that_is_not_zero():
    decay = calculus.coefficient_decay(24)
    assert decay.link.values.tolist() == ["step", "relu", "relu squared / 2", "tanh"]
    assert (decay.values > 0).all() and decay.degree.values.tolist() == list(range(2, 24, 2))
    row = hermite_coefficients(torch.tanh, 24).abs()
    np.testing.assert_allclose(decay.sel(link="tanh").values, row[3:25:2].numpy(), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", ["relu", "he3", "z1^2 - z1", "sign", "exp"])
def test_coefficients_of_a_link_by_adaptive_quadrature(name):
    link, found = calculus.as_link(name), calculus.link_coefficients(name, 6)
    for k in range(7):

        def integrand(z, k=k):
            point = torch.tensor([z], dtype=torch.float64)
            return float(link(point) * calculus.hermite(k, point)) * math.exp(-z * z / 2) / math.sqrt(2 * math.pi)

        value, error = integrate.quad(integrand, -12, 12, points=[0.0], limit=200)
        assert float(found[k]) == pytest.approx(value, abs=1e-8 + error)


def test_the_series_of_relu_is_the_arc_cosine_kernel():
    rho = np.linspace(-1, 1, 41)
    angle = np.arccos(rho)
    closed = (np.sin(angle) + (np.pi - angle) * np.cos(angle)) / np.pi
    for degree in (24, 60, 120):
        gap = np.abs(calculus.dual_series("relu", rho, degree) - closed).max()
        assert 0.03 * degree**-1.5 < gap < 0.1 * degree**-1.5  # the tail at rho = 1 is 0.085 K^(-3/2)


def test_the_series_of_sign_is_the_arc_sine():
    rho = np.linspace(-0.8, 0.8, 17)
    found = calculus.dual_series("sign", rho, 60)
    np.testing.assert_allclose(found, 2 / np.pi * np.arcsin(rho), atol=1e-6)  # 0.8^60 is 1.5e-6, times a small energy


def test_the_tensors_of_the_chapter_s_target_rebuild_it():
    target, X = parse_target(TARGET, 2, seed=1), gaussian(100, 2, generator_for(1, "points"))
    z1, z2 = (X @ target.frame).T
    by_hand = ((z1**2 - z2**2) / 2**0.5 + (z1**2 - 1) * (z2**2 - 1) / 2 + (z1**3 - 3 * z1) / 6**0.5) / 2
    torch.testing.assert_close(tensor_expansion(target, X), by_hand, rtol=1e-10, atol=1e-10)  # rounding


def test_energy_within_by_hand_and_in_the_limit():
    a = 1.3  # E z^2 1{|z| < a} = P(|z| < a) - 2 a phi(a)
    by_hand = math.erf(a / math.sqrt(2)) - 2 * a * math.exp(-(a**2) / 2) / math.sqrt(2 * math.pi)
    assert calculus.energy_within(a, 1) == pytest.approx(by_hand, abs=1e-12)
    for k in (0, 5, 30):
        assert calculus.energy_within(2 * math.sqrt(k) + 8, k) == pytest.approx(1, abs=1e-9)


def test_high_degrees_need_exponentially_many_draws():
    seen = [calculus.seen_energy(10**power, 12) for power in (2, 4, 6, 8, 10)]
    assert seen == sorted(seen) and seen[0] < 0.35 and seen[-1] > 0.7


def test_curves_of_labels_are_transformations_by_rank():
    curves = calculus.label_curves(["he2", "he3", "sign"], [0.01, 0.25, 0.75, 0.99])
    assert curves.link.values.tolist() == ["he2, degree 2", "he3, degree 1", "sign, degree 1"]
    root = math.sqrt(2 / math.pi)
    np.testing.assert_allclose(curves.sel(link="sign, degree 1"), [-root, -root, root, root], atol=1e-9)
    he3 = curves.sel(link="he3, degree 1").values
    assert he3[0] < -2 < 0 < he3[1] and np.allclose(he3, -he3[::-1], atol=0.05)  # odd, up to the width of a cell


@pytest.mark.parametrize(
    "call",
    [
        lambda: calculus.ramp_coefficients(-2, 3),
        lambda: calculus.ramp_coefficients(1, -1),
        lambda: calculus.correlated_moments(31, 0.0),
        lambda: calculus.correlated_moments(3, 1.1),
        lambda: calculus.link_coefficients("relu", 121),
        lambda: calculus.link_coefficients("nothing", 3),
        lambda: calculus.energy_within(0.0, 1),
        lambda: calculus.seen_energy(0, 1),
        lambda: calculus.coefficient_decay(4),
    ],
)
def test_arguments_out_of_range_are_refused(call):
    with pytest.raises(BadParameter):
        call()


@pytest.mark.parametrize(("link", "quotient"), [("he2", 5), ("he3", 7), ("he4", 9), ("he5", 11)])
def test_the_leak_of_a_label_without_signal(link, quotient):
    """E He_k^2 z^2 = (2k + 1) E He_k^2, because z He_k = He_{k+1} + k He_{k-1}; and a drawn mean has that share."""
    d = 12
    assert calculus.expected_leak(link, d) == pytest.approx(quotient / (quotient + d - 1), rel=1e-9)


def test_the_share_on_the_direction_is_the_leak_as_a_quotient_of_means():
    """Over 4,000 means of 50 drawn y_i x_i each; He_2 has light enough tails for 4 % of error."""
    X = torch.randn(4000, 50, 12, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    means = ((X[..., :1] ** 2 - 1) * X).mean(1).square().mean(0)
    assert float(means[0] / means.sum()) == pytest.approx(calculus.expected_leak("he2", 12), rel=0.12)
