"""Degrees are learnt in order, directions do not matter, and the pieces behind the figures are what they say."""

import numpy as np
import pytest
import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.foundations.inputs.harmonics import sphere_energies
from beyond_kernel.foundations.inputs.laws import gaussian, sphere
from beyond_kernel.foundations.learning.measures import risk
from beyond_kernel.foundations.learning.ridge import fit_kernel_ridge
from beyond_kernel.foundations.targets.target import parse_target
from beyond_kernel.kernel_regime.degree_by_degree import (
    degrees_of,
    harmonic_product,
    predicted_curve,
    predicted_scaling,
    rotation_bound,
    spread,
)
from beyond_kernel.kernel_regime.degree_by_degree_cells import learning_cell
from beyond_kernel.kernel_regime.learning_curve import samples_for_risk
from beyond_kernel.kernel_regime.spectrum import kernel_spectrum, multiplicity
from beyond_kernel.kernel_regime.tangent_kernel import KERNELS
from beyond_kernel.random_streams import generator_for

THREE = "(z1 + z1*z2 + z1*z2*z3)/sqrt(3)"


@pytest.mark.parametrize("text", ["h1(z1)/2 + h2(z1)/2 + h3(z2)/sqrt(2)", THREE, "h4(z1) - 2", "z1*z2 + h5(z3)"])
def test_the_twin_on_all_directions_has_the_same_energies_on_the_sphere(text):
    target = parse_target(text, 11, seed=2)
    twin = spread(target, seed=3)
    assert sphere_energies(twin).tolist() == pytest.approx(sphere_energies(target).tolist(), abs=1e-12)
    assert twin.rank > target.rank
    X = sphere(200_000, 11, generator_for(0, "x"))
    # f^2 spreads about ten times its mean, so the mean is good to some percent
    assert float(twin(X).square().mean()) == pytest.approx(float(target(X).square().mean()), rel=0.1)


def test_the_theory_cannot_tell_a_target_from_its_twin():
    """Powers leak into lower degrees on the sphere: a twin of the Gaussian energies would be off by 0.08 here."""
    target = parse_target("h4(z1)", 8).normalised()
    twin = spread(target)
    curves = [predicted_curve(t, [16, 64, 256], "random features", 0.1)["risk"] for t in (target, twin)]
    assert curves[0] == pytest.approx(curves[1], rel=1e-9)


@pytest.mark.parametrize("kernel", list(KERNELS))
def test_rotating_inputs_and_target_together_changes_no_prediction(kernel):
    """A rotation-invariant kernel cannot tell which directions a target uses: the same curve, to rounding."""
    X = sphere(300, 9, generator_for(1, "x"))
    rotation = torch.linalg.qr(gaussian(9, 9, generator_for(2, "rotation"))).Q
    first = parse_target(THREE, 9, directions=torch.eye(9, 3, dtype=torch.float64))
    turned = parse_target(THREE, 9, directions=rotation[:, :3])
    risks = []
    for target, points in ((first, X), (turned, X @ rotation.T)):
        gram = KERNELS[kernel](points, bias=1.0)
        train, test = slice(0, 150), slice(150, 300)
        y = target(points)
        fit = fit_kernel_ridge(gram[train, train], y[train])
        risks.append(risk(gram[test, train] @ fit.coefficients, y[test], target.variance).value)
    assert risks[0] == pytest.approx(risks[1], rel=1e-6)


def test_a_span_of_n_zonal_functions_holds_the_share_n_over_multiplicity():
    """The step behind the bound, by sampling: the best fit of a random harmonic by n functions <x_i, x>^2 - 1."""
    d, n = 6, 8
    X, centres = sphere(20_000, d, generator_for(4, "x")), sphere(n, d, generator_for(4, "centres"))
    zonal = (X @ centres.T / d**0.5).square() - 1
    shares = []
    for seed in range(300):
        u, v = sphere(2, d, generator_for(seed, "pair"))
        u, v = u / u.norm(), v - (v @ u) / (u @ u) * u
        harmonic = (X @ u) * (X @ v)  # u, v orthogonal: harmonic, turned uniformly at random
        fit = zonal @ torch.linalg.lstsq(zonal, harmonic[:, None]).solution
        shares.append(float(fit.square().sum() / harmonic.square().sum()))
    # 300 shares with a standard deviation of 0.16
    assert np.mean(shares) == pytest.approx(n / multiplicity(d, 2), abs=0.035)


def test_no_kernel_beats_the_bound_and_the_bound_is_about_the_target_s_energy():
    target = parse_target(THREE, 10, 0)
    X = sphere(200_000, 10, generator_for(5, "x"))
    shifted = parse_target(f"{THREE} + 2", 10, 0)
    square, variance = float(shifted(X).square().mean()), float(target(X).var())
    assert rotation_bound(target, 0) == pytest.approx(1) and rotation_bound(target, 10**4) == 0
    assert rotation_bound(shifted, 0) == pytest.approx(square / variance, rel=0.02)  # even the constant is unknown
    assert rotation_bound(shifted, 20) == pytest.approx(rotation_bound(target, 20))
    assert rotation_bound(parse_target("z1*z2", 10, 0), 27) == pytest.approx(0.5)  # half of 54 harmonics
    for n in (20, 60, 200):
        risks = [learning_cell(THREE, 10, n, "random features", 0.0, seed=seed)["risk"] for seed in range(8)]
        assert np.mean(risks) > rotation_bound(target, n) - 0.02  # standard error of 8 runs is about 0.02


def test_the_bound_counts_the_linear_part_of_a_cubic_hermite_polynomial():
    """On the sphere He_3(z) has a linear part of energy 36/(d + 2)^2, which d samples can learn."""
    cubic, d, n = parse_target("He3(z1)", 10), 10, 10
    total = float(cubic(sphere(400_000, d, generator_for(6, "x"))).square().mean())
    expected = (1 - 36 / (d + 2) ** 2 / total) * (1 - n / multiplicity(d, 3))
    assert rotation_bound(cubic, n) == pytest.approx(expected, rel=0.02)  # the mean square is good to 1 %


@pytest.mark.parametrize("degree", [1, 2, 3, 4])
def test_a_product_of_coordinates_is_one_harmonic_of_variance_one(degree):
    product = harmonic_product(degree, 7, seed=1)
    energies = sphere_energies(product)
    assert energies[degree].item() == pytest.approx(1) and energies[:degree].abs().max() < 1e-12
    X = sphere(200_000, 7, generator_for(0, "x"))
    assert float(product(X).var()) == pytest.approx(1, rel=0.05)  # f^2 spreads some times its mean
    with pytest.raises(BadParameter, match="degree = 9 is out of range"):
        harmonic_product(9, 8)


def test_predicted_slope_between_300_and_1000_is_the_degree():
    far = predicted_scaling([1, 2, 3], [300, 1000], "tangent", 0.1)
    slopes = np.log(far.sel(d=1000) / far.sel(d=300)) / np.log(1000 / 300)
    assert slopes.values == pytest.approx([1, 2, 3], abs=0.03)
    assert far.dims == ("degree", "d") and far.degree.values.tolist() == [1, 2, 3]


def test_predicted_scaling_asks_for_the_given_risk_and_noise():
    spectrum, quadratic = kernel_spectrum("random features", 12), torch.tensor([0, 0, 1.0])
    found = predicted_scaling([2], [12], "random features", 0.3, risk=0.4)
    assert found.item() == pytest.approx(samples_for_risk(spectrum, quadratic, 0.4, 0.3), rel=1e-12)


def test_degrees_of_and_bad_input():
    assert degrees_of(parse_target("3 + z1 + He3(z2)", 4)) == [1, 3]
    with pytest.raises(BadParameter, match="d = 2 is below the degree 3"):
        spread(parse_target("He3(z1)", 2))
    with pytest.raises(BadParameter, match="did you mean 'tangent'"):
        learning_cell(THREE, 8, 20, "tangnet", 0.1, seed=0)
    with pytest.raises(BadParameter, match="bias = -1"):
        learning_cell(THREE, 8, 20, "tangent", 0.1, bias=-1, seed=0)


def test_a_weak_target_has_a_twin():
    """What counts as no energy is a share of the target's own."""
    weak = parse_target("z1*z2/10^9", 8)
    assert sphere_energies(spread(weak)).tolist() == pytest.approx(sphere_energies(weak).tolist(), rel=1e-9)
