"""What is measured of each degree of a target: degrees come in order, and theory tells how much of each."""

import math

import numpy as np
import pytest

from beyond_kernel.foundations.targets.target import parse_target
from beyond_kernel.kernel_regime.degree_by_degree import predicted_curve, predicted_scaling
from beyond_kernel.kernel_regime.degree_by_degree_cells import learning_cell, samples_cell

THREE = "(z1 + z1*z2 + z1*z2*z3)/sqrt(3)"


def test_degrees_are_learnt_in_order():
    """At n = 4 d degree one is mostly learnt and degree three not at all; at n = 4 d^2 degree two is, three hardly."""
    for seed in range(2):
        few = learning_cell(THREE, 16, 64, "random features", 0.1, seed=seed)["fractions"]
        more = learning_cell(THREE, 16, 1024, "random features", 0.1, seed=seed)["fractions"]
        assert few[0] > few[1] + 0.2 and few[2] < 0.15
        assert more[0] > 0.85 and more[1] > 0.85 and 0.15 < more[2] < 0.7


def test_without_biases_degree_three_is_never_learnt():
    """A bias-free ReLU kernel has no odd degree above one."""
    with_bias = learning_cell(THREE, 8, 1024, "random features", 0.1, seed=0)["fractions"]
    without = learning_cell(THREE, 8, 1024, "random features", 0.1, bias=0.0, seed=0)["fractions"]
    assert with_bias[2] > 0.8 and abs(without[2]) < 0.1 and without[1] > 0.9


@pytest.mark.parametrize(("kernel", "law_noise"), [("random features", 0.1), ("tangent", 0.6)])
def test_theory_matches_the_measured_risk(kernel, law_noise):
    """Mean over ten draws on the sphere at d = 14: the gap was at most 0.11 at 20 other groups of draws."""
    target = parse_target(THREE, 14).normalised()
    sizes = [32, 128, 400]
    predicted = predicted_curve(target, sizes, kernel, law_noise)
    for place, n in enumerate(sizes):
        cells = [learning_cell(THREE, 14, n, kernel, law_noise, seed=seed) for seed in range(10)]
        risk, learnt = np.mean([cell["risk"] for cell in cells]), np.mean([cell["fractions"] for cell in cells], 0)
        assert risk == pytest.approx(predicted["risk"][place], rel=0.2)
        assert learnt == pytest.approx(predicted["learnt"][place], abs=0.2)  # a share spreads by 0.3 over draws


def test_on_gaussian_inputs_the_risk_leaves_the_theory_of_the_sphere():
    target = parse_target(THREE, 14).normalised()
    cells = [learning_cell(THREE, 14, 400, "random features", 0.1, law="gaussian", seed=seed) for seed in range(6)]
    predicted = predicted_curve(target, [400], "random features", 0.1)["risk"][0]
    assert np.mean([cell["risk"] for cell in cells]) > 1.3 * predicted


@pytest.mark.parametrize(("degree", "d"), [(1, 12), (2, 8), (3, 8)])
def test_a_single_degree_needs_the_predicted_number_of_samples(degree, d):
    """Geometric mean over six seeds; single seeds are off by up to 1.35."""
    told = predicted_scaling([degree], [d], "random features", 0.1).item()
    found = [samples_cell(degree, d, "random features", 0.1, 1024, seed=seed)["samples"] for seed in range(6)]
    assert np.exp(np.mean(np.log(found))) == pytest.approx(told, rel=0.25)


def test_a_ladder_that_ends_too_early_says_so():
    assert math.isnan(samples_cell(3, 8, "tangent", 0.1, 100, seed=0)["samples"])
    assert math.isnan(samples_cell(3, 8, "tangent", 0.1, 5, seed=0)["samples"])


@pytest.mark.parametrize("law", ["sphere", "gaussian"])
def test_risk_is_in_units_of_the_variance_under_the_law_of_the_inputs(law):
    """The scale of the target drops out; the best constant, what a huge noise leaves, has risk one."""
    text = "z1*z2*z3*z4 + 3"
    risks = [
        learning_cell(text, 8, 60, "tangent", 30.0, law=law, n_test=20_000, seed=seed)["risk"] for seed in range(4)
    ]
    assert 0.9 < np.median(risks)
    small, large = (learning_cell(f"{factor}*z1", 8, 60, "tangent", 0.0, law=law, seed=0)["risk"] for factor in (1, 9))
    assert small == pytest.approx(large, rel=1e-6)


def test_result_of_a_cell_repeats_with_its_seed():
    one = learning_cell(THREE, 6, 50, "tangent", 0.1, seed=5)
    two = learning_cell(THREE, 6, 50, "tangent", 0.1, seed=5)
    assert np.array_equal(one["fractions"], two["fractions"]) and one["risk"] == two["risk"]
    assert not math.isclose(one["risk"], learning_cell(THREE, 6, 50, "tangent", 0.1, seed=6)["risk"])
