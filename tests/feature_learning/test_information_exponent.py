"""Step sizes and predicted times of the search for one direction, against quadrature, autograd and the chain."""

import math

import pytest
import torch
from scipy.integrate import quad

from beyond_kernel.checks import BadParameter
from beyond_kernel.feature_learning.information_exponent import (
    MEDIAN_START,
    ascending_dims,
    plan_search,
    refuse_stalling,
    seconds_per_step,
)


def gaussian_mean(function):
    return quad(lambda z: function(z) * math.exp(-z * z / 2) / math.sqrt(2 * math.pi), -12, 12, limit=300)[0]


@pytest.mark.parametrize(
    ("link", "k"), [("he1", 1), ("relu", 1), ("h2(z1)/2 + h3(z1)", 2), ("abs", 2), ("he3", 3), ("He4(z1) + 7", 4)]
)
def test_plan_holds_exponent_coefficient_and_roughness(link, k):
    """Coefficient and roughness by scipy on the scaled link; He_k by hand."""
    hermite = {1: lambda z: z, 2: lambda z: (z * z - 1) / math.sqrt(2), 3: lambda z: (z**3 - 3 * z) / math.sqrt(6)}
    hermite[4] = lambda z: (z**4 - 6 * z * z + 3) / math.sqrt(24)
    search = plan_search(link)
    f = search.link
    at = lambda function: lambda z: float(function(torch.tensor([z], dtype=torch.float64)))  # noqa: E731
    assert search.exponent == k
    assert search.coefficient == pytest.approx(gaussian_mean(lambda z: at(f)(z) * hermite[k](z)), abs=1e-5)
    assert search.roughness == pytest.approx(gaussian_mean(lambda z: at(f.derivative)(z) ** 2), rel=1e-5)


@pytest.mark.parametrize(("k", "power"), [(1, -1.0), (3, -1.5), (4, -2.0)])
def test_step_sizes_have_the_power_of_the_paper(k, power):
    dims = torch.tensor([64, 256])
    slow, quiet = plan_search(f"he{k}").rates(dims), plan_search(f"he{k}", noise=2.0).rates(dims)
    assert float(slow[0]) == pytest.approx(0.5 * 64**power)
    assert float(slow[1] / slow[0]) == pytest.approx(4**power)
    torch.testing.assert_close(slow, 5 * quiet)  # 1 + noise^2
    two = plan_search("he2").rates(dims)
    assert float(two[1]) == pytest.approx(0.5 / (256 * math.log(256)))


def test_drift_over_noise_is_the_same_for_every_link():
    """By Monte Carlo at a small overlap: E[y g' z2] against E[(y g')^2] in steps of one size, for links of k = 1."""
    generator = torch.Generator().manual_seed(0)
    z1, z2 = torch.randn(2, 1_000_000, generator=generator, dtype=torch.float64)
    ratios = []
    for link in ("he1", "tanh", "z1 + h2(z1)"):
        search = plan_search(link)
        y, slope = search.link(z2), search.link.derivative(z1)  # overlap 0: the label depends on z2 alone
        eta = float(search.rates(torch.tensor([100]))[0])
        ratios.append(eta * float((y * slope).square().mean()) / float((y * slope * z2).mean()))
    assert ratios == pytest.approx([ratios[0]] * 3, rel=0.03)  # one per cent of Monte Carlo error


def test_predicted_steps_of_a_linear_neuron_are_an_integral():
    """dm/dt = delta (1 - m^2) - delta^2 m / 2 with delta = 1/2, since E[y s z2] = s^2 and E y^2 = 1."""
    d = 400
    start = MEDIAN_START / math.sqrt(d)
    time = quad(lambda m: 1 / (0.5 * (1 - m * m) - 0.125 * m), start, 0.5)[0]
    assert plan_search("he1").steps(d) == pytest.approx(time * d, rel=0.02)


@pytest.mark.parametrize(("k", "growth"), [(1, 10.0), (2, 10 * (math.log(10**5) / math.log(10**4)) ** 2), (3, 100.0)])
def test_predicted_steps_grow_as_their_order_says(k, growth):
    search = plan_search(f"he{k}")
    assert search.order(10**5) / search.order(10**4) == pytest.approx(growth)
    assert search.steps(10**5) / search.steps(10**4) == pytest.approx(growth, rel=0.1)


def test_a_step_that_is_too_large_stalls_and_is_refused():
    """With roughness far above k c^2 noise outweighs the drift at a pace of four and does not at the usual one."""
    search = plan_search("he1", pace=4.0)
    assert search.steps(100) == math.inf
    with pytest.raises(BadParameter, match="smaller pace"):
        refuse_stalling(search, [100], [math.inf])
    refuse_stalling(plan_search("he1"), [100], [120.0])


def test_a_step_takes_some_microseconds_and_wrong_input_ends_in_one_sentence():
    assert 1e-6 < seconds_per_step(plan_search("he2"), 10**6, 4, torch.Generator().manual_seed(0)) < 0.1
    with pytest.raises(BadParameter, match="no gradient"):
        plan_search("step")
    with pytest.raises(BadParameter, match="pace"):
        plan_search("he1", pace=0.0)
    with pytest.raises(BadParameter, match="constant"):
        plan_search(lambda z: 0 * z)


@pytest.mark.parametrize("value", [[10], [10, 10], [30, 10], [2, 10], [10, 10**7], "10", [10, 20.0]])
def test_dimensions_must_ascend_within_their_range(value):
    assert ascending_dims("dims", [3, 10**6]) == [3, 10**6]
    with pytest.raises(BadParameter, match="dims"):
        ascending_dims("dims", value)
