"""The score of the norm against quadrature and Monte Carlo."""

import math

import pytest
import torch
from scipy import integrate
from scipy.special import erf

from beyond_kernel.checks import BadParameter
from beyond_kernel.escaping_the_kernel.clipped_neuron import draw_erf_features
from beyond_kernel.escaping_the_kernel.norm_score import LARGE_BIAS, mean_feature, norm_score, score_weights
from beyond_kernel.random_streams import generator_for

NORMS = [0.0, 0.4, 1.0, 2**0.5, 2.0, 7.0, 300.0]


def by_quadrature(norm: float, least: float) -> float:
    """E erf(s z + b) over normal z, s = |x| / 2, and over b ~ N(0, 1/4) above ``least``, as a double integral."""

    def density(b: float) -> float:
        return math.exp(-2 * b * b) * math.sqrt(2 / math.pi)

    def over_z(b: float) -> float:
        return integrate.quad(
            lambda z: erf(norm / 2 * z + b) * math.exp(-z * z / 2) / math.sqrt(2 * math.pi),
            -9, 9, points=[-2 * b / max(norm, 0.3)], limit=200,
        )[0]  # fmt: skip

    mass = integrate.quad(density, least, 6)[0]
    return integrate.quad(lambda b: density(b) * over_z(b), least, 6)[0] / mass


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("norm", NORMS[:-1])
def test_mean_features_are_double_integrals(norm, large):
    least = LARGE_BIAS if large else 0.0
    found = float(mean_feature(torch.tensor([norm]).double(), large))
    assert found == pytest.approx(by_quadrature(norm, least), rel=1e-6)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_dtype_follows_the_lengths(dtype):
    found = mean_feature(torch.tensor(NORMS, dtype=dtype), large=True)
    assert found.dtype == dtype and found.shape == (len(NORMS),)


@pytest.mark.parametrize("radius", [1.0, 1.2, 2**0.5, 1.7, 2.0])
def test_the_score_changes_its_sign_at_the_radius_only(radius):
    """Also far out, where it creeps back to zero from below: the sign is right on a heavy tail."""
    score, lengths = norm_score(radius), torch.linspace(0, 60, 6001, dtype=torch.float64)
    values = score(lengths)
    assert bool((values[lengths < radius - 1e-6] > 0).all()) and bool((values[lengths > radius + 1e-6] < 0).all())
    assert 0.45 < score.balance < 0.472  # the interval that the paper's proof gives


@pytest.mark.parametrize("radius", [1.0, 1.5, 2.0])
def test_the_slope_is_the_difference_quotient(radius):
    score, step = norm_score(radius), 1e-5
    ends = score(torch.tensor([radius - step, radius + step], dtype=torch.float64))
    assert score.slope == pytest.approx(float(ends[1] - ends[0]) / (2 * step), rel=1e-6)


def test_the_least_value_lies_where_the_derivative_vanishes():
    """Both rates agree at |x|^2 = 1 / (log(balance / (1 - erf 1)) - 1) - 2, by hand from the formula of the slope."""
    for radius in (1.0, 1.5, 2.0):
        score = norm_score(radius)
        exact = math.sqrt(1 / (math.log(score.balance / math.erfc(1)) - 1) - 2)
        lengths = torch.linspace(radius, 8, 20_001, dtype=torch.float64)
        assert float(lengths[score(lengths).argmin()]) == pytest.approx(exact, abs=1e-3)


def test_many_neurons_with_these_weights_sum_to_the_score():
    """400,000 neurons: the sum is off by 0.003 (one standard error, from the variance about 3 of a neuron's part)."""
    features = draw_erf_features(400_000, 2, generator_for(0, "score"), constant=False)
    score = norm_score(1.5)
    weights = score_weights(features.b, score.balance)
    X = torch.tensor([[0.0, 0.2], [1.0, 1.0], [0.0, -3.0]]).double()
    torch.testing.assert_close(features(X) @ weights, score(X.norm(dim=1)), rtol=0, atol=0.01)


def test_weights_by_hand():
    b = torch.tensor([-1.0, 0.1, 0.9, 0.3, 0.8])
    found = score_weights(b, 0.5)
    torch.testing.assert_close(found, torch.tensor([0.0, 0.25, 0.25 - 0.25, 0.25, 0.25 - 0.25]))


def test_bad_arguments():
    with pytest.raises(BadParameter, match="radius = 0"):
        norm_score(0)
    with pytest.raises(BadParameter, match="norms holds -1"):
        mean_feature(torch.tensor([-1.0]))
    with pytest.raises(BadParameter, match="one group of neurons is empty"):
        score_weights(torch.tensor([0.1, 0.2]), 0.5)
    with pytest.raises(TypeError, match="norms"):
        mean_feature([1.0])
