"""Expected gradients under a spike by sampling, by quadrature in two variables, and in its powers of d."""

import math

import numpy as np
import pytest
import torch
from scipy import integrate, stats

from beyond_kernel.checks import BadParameter
from beyond_kernel.feature_learning.spiked_gradient import (
    gradient_parts,
    luck_overlap,
    predicted_gradient_overlap,
)
from beyond_kernel.feature_learning.spiked_index import spiked_index
from beyond_kernel.feature_learning.structured_inputs import drawn_start, gradient_directions
from beyond_kernel.foundations.learning.measures import subspace_overlap
from beyond_kernel.foundations.learning.samples import draw_problem
from beyond_kernel.random_streams import generator_for

CUBIC, SQUARE = "(h1(z1) + h3(z1))/sqrt(2)", "h2(z1)"


def stream(seed: int = 0) -> torch.Generator:
    return generator_for(seed, "structured inputs")


@pytest.mark.parametrize("link", [CUBIC, SQUARE, "z1 + z1^2 + 2"])
@pytest.mark.parametrize("beta", [0.0, 0.5])
def test_the_predicted_gradient_overlap_is_the_mean_over_samples(link, beta):
    """Over 80 samples of n = 400, whose luck is not quite normal; the third link has a mean, which is taken off."""
    task, n = spiked_index(link, 20, beta, 0), 400
    start = drawn_start(30, draw_problem(task, 20_000, 0.0, 0, n_test=10).train.X, stream())
    shares = torch.zeros(30, dtype=torch.float64)
    for seed in range(80):
        train = draw_problem(task, n, 0.3, seed, n_test=10).train
        shares += subspace_overlap(gradient_directions(start, train.X, train.y), task.directions) / 80
    expected = predicted_gradient_overlap(start, task, n, 0.3)
    assert float((shares - expected).mean()) == pytest.approx(0, abs=0.05)
    assert torch.corrcoef(torch.stack([shares, expected]))[0, 1] > 0.9


@pytest.mark.parametrize("strength", [1.0, 10.0, 60.0])
def test_labels_that_say_nothing_leave_the_overlap_of_luck(strength):
    """Normal labels: the gradient is then normal with the covariance of the inputs, drawn here as such."""
    d = 60
    g = torch.randn(20_000, d, generator=stream(), dtype=torch.float64).square()
    drawn = (1 + strength) * g[:, 0] / ((1 + strength) * g[:, 0] + g[:, 1:].sum(1))
    # the sum of 59 squares is taken by its mean, which is off by a tenth or so either way
    assert float(drawn.mean()) == pytest.approx(luck_overlap((1 + strength) / (d - 1)), rel=0.06)


@pytest.mark.parametrize("ratio", [0.02, 1.0, 30.0])
def test_the_overlap_of_luck_is_its_integral(ratio):
    whole = integrate.quad(lambda g: ratio * g**2 / (1 + ratio * g**2) * stats.norm.pdf(g), -12, 12, limit=200)[0]
    assert luck_overlap(ratio) == pytest.approx(whole, rel=1e-8)


def test_a_spike_off_the_target_is_refused_by_the_prediction():
    task = spiked_index(CUBIC, 10, 0.5, 0, cosine=0.5)
    start = drawn_start(4, draw_problem(task, 50, 0.0, 0, n_test=10).train.X, stream())
    with pytest.raises(BadParameter, match="the prediction is made for cosine 1"):
        predicted_gradient_overlap(start, task, 50, 0.1)


def test_the_parts_are_integrals_over_two_normal_variables():
    """By scipy's quadrature over z and the threshold of g, for one neuron, with the noise of the labels."""
    task, n, t, b = spiked_index(CUBIC, 50, 0.6, 0), 100, 0.15, 0.4
    s = math.sqrt(1 + 50**0.6)
    length = math.sqrt(s**2 * t**2 + 1 - t**2)

    def mean_of(value):
        def inner(z):
            low = -(s * t * z / length + b) * length / math.sqrt(1 - t**2)
            return stats.norm.pdf(z) * integrate.quad(lambda g: value(z, g) * stats.norm.pdf(g), low, 12)[0]

        return integrate.quad(inner, -10, 10, limit=200)[0]

    def f(z):
        return (z + (z**3 - 3 * z) / math.sqrt(6)) / math.sqrt(2)

    parts = gradient_parts(torch.tensor([t]).double(), torch.tensor([b]).double(), task, n, 0.3)
    mean = s * mean_of(lambda z, g: f(z) * z)
    square = s**2 * mean_of(lambda z, g: (f(z) ** 2 + 0.09) * z**2)
    across = mean_of(lambda z, g: f(z) * g) ** 2 + 49 * mean_of(lambda z, g: f(z) ** 2 + 0.09) / n
    expected = [mean**2, (square - mean**2) / n, across]
    np.testing.assert_allclose([float(parts.mean), float(parts.luck), float(parts.across)], expected, rtol=1e-6)
    assert float(parts.without_luck) == pytest.approx(expected[0] / (expected[0] + expected[2]), rel=1e-6)

    def cosine(g):
        along = (mean + g * math.sqrt(expected[1])) ** 2
        return along / (along + across) * stats.norm.pdf(g)

    assert float(parts.overlap) == pytest.approx(integrate.quad(cosine, -10, 10, limit=200)[0], rel=1e-6)


@pytest.mark.parametrize(("link", "k"), [("z1", 1), ("h2(z1)", 2), ("h3(z1)", 3)])
def test_mean_over_noise_grows_like_the_power_that_was_counted(link, k):
    """Squared, mean over noise is of order d^(k beta - k + 1), for neurons with t = d^(-1/2)."""
    beta, ratios = 0.5, []
    for d in (10**4, 10**6):
        task = spiked_index(link, d, beta, 0)
        parts = gradient_parts(torch.tensor([d**-0.5]).double(), torch.tensor([0.7]).double(), task, 4 * d, 0.0)
        ratios.append(float(parts.mean / parts.across))
    assert math.log(ratios[1] / ratios[0]) / math.log(100) == pytest.approx(k * beta - k + 1, abs=0.06)


def test_bad_input_ends_in_one_sentence():
    task, one = spiked_index(CUBIC, 10, 0.5, 0), torch.ones(1)
    with pytest.raises(BadParameter, match="alignments reaches 1"):
        gradient_parts(one, one, task, 10, 0.1)
    with pytest.raises(BadParameter, match="odds = 0.0 is out of range"):
        luck_overlap(0.0)
