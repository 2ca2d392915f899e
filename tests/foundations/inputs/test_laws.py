"""Samplers against the moments of their laws."""

import math

import pytest
import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.foundations.inputs.laws import (
    INPUT_LAWS,
    gaussian,
    hypercube,
    sample_inputs,
    sphere,
    spiked_gaussian,
)
from beyond_kernel.random_streams import generator_for

DIM, SAMPLES = 6, 20_000
# Moments of one coordinate and of a product of two under each law: E x^4 and E x_1^2 x_2^2.
FOURTH = {"gaussian": 3.0, "sphere": 3 * DIM / (DIM + 2), "hypercube": 1.0}
MIXED = {"gaussian": 1.0, "sphere": DIM / (DIM + 2), "hypercube": 1.0}
# The largest of at most 21 means: 5 standard errors are passed with probability above 1 - 21 * 6e-7.
STANDARD_ERRORS = 5


def assert_mean(draws, expected):
    error = draws.std(dim=0) / math.sqrt(len(draws))
    assert ((draws.mean(dim=0) - expected).abs() <= STANDARD_ERRORS * error + 1e-12).all()


def assert_law(law, seed):
    X = sample_inputs(law, SAMPLES, DIM, generator_for(seed, "test", law))
    pairs = torch.combinations(torch.arange(DIM))
    products = X[:, pairs[:, 0]] * X[:, pairs[:, 1]]
    assert_mean(X, 0)
    assert_mean(products, 0)
    assert_mean(X**2, 1)
    assert_mean(X**4, FOURTH[law])
    assert_mean(products**2, MIXED[law])


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("law", INPUT_LAWS)
def test_moments(law, seed):
    assert_law(law, seed)


@pytest.mark.parametrize("law", ["gaussian", "sphere"])
def test_no_direction_is_preferred(law):
    X = sample_inputs(law, SAMPLES, DIM, generator_for(7, law))
    diagonal = X.sum(dim=1, keepdim=True) / math.sqrt(DIM)
    assert_mean(diagonal**4, FOURTH[law])


def test_sphere_has_radius_root_d():
    for d in (1, 2, 50):
        X = sphere(100, d, generator_for(0))
        # One rounding in each of d squares.
        torch.testing.assert_close(X.norm(dim=1), torch.full((100,), d**0.5, dtype=X.dtype), rtol=1e-13, atol=0)


def test_hypercube_has_corners_only_and_all_of_them():
    X = hypercube(400, 3, generator_for(0))
    assert set(X.flatten().tolist()) == {-1.0, 1.0}
    assert len(X.unique(dim=0)) == 8  # a corner is missed with probability 8 (7/8)^400 = 5e-23


@pytest.mark.parametrize("law", INPUT_LAWS)
def test_both_precisions_see_one_sample(law):
    double = sample_inputs(law, 50, 4, generator_for(1), torch.float64)
    single = sample_inputs(law, 50, 4, generator_for(1), torch.float32)
    assert double.dtype == torch.float64 and single.dtype == torch.float32 and double.shape == (50, 4)
    assert torch.equal(single, double.float())


@pytest.mark.parametrize("law", INPUT_LAWS)
def test_the_generator_alone_decides(law):
    before = torch.random.get_rng_state()
    first = sample_inputs(law, 30, 4, generator_for(5, "data"))
    torch.rand(3, generator=torch.Generator().manual_seed(1))
    assert torch.equal(first, sample_inputs(law, 30, 4, generator_for(5, "data")))
    assert not torch.equal(first, sample_inputs(law, 30, 4, generator_for(6, "data")))
    assert torch.equal(before, torch.random.get_rng_state())


def test_named_laws_are_the_functions():
    assert torch.equal(sample_inputs("gaussian", 5, 2, generator_for(0)), gaussian(5, 2, generator_for(0)))
    assert list(INPUT_LAWS) == ["gaussian", "sphere", "hypercube"]


@pytest.mark.parametrize("law", INPUT_LAWS.values())
def test_bad_arguments_are_refused(law):
    for n, d in ((0, 3), (3, 0), (2.0, 3), (3, -1)):
        with pytest.raises(BadParameter, match="whole number"):
            law(n, d, generator_for(0))
    with pytest.raises(TypeError, match="generator"):
        law(3, 3, 0)
    with pytest.raises(TypeError, match="dtype"):
        law(3, 3, generator_for(0), torch.int64)


def test_an_unknown_law_is_refused():
    with pytest.raises(BadParameter, match="'sphere'"):
        sample_inputs("spere", 3, 3, generator_for(0))


def spike(d, dtype=torch.float64):
    mu = torch.arange(1, d + 1, dtype=torch.float64)
    return (mu / mu.norm()).to(dtype)


@pytest.mark.parametrize("strength", [-0.75, 3.0, 20.0])
def test_a_spike_changes_the_variance_of_one_direction_only(strength):
    mu = spike(DIM)
    X = spiked_gaussian(SAMPLES, DIM, generator_for(2, "spike"), direction=mu, strength=strength)
    along, across = X @ mu, X - torch.outer(X @ mu, mu)
    assert_mean(X, 0)
    assert_mean(along[:, None] ** 2, 1 + strength)
    assert_mean(along[:, None] ** 4, 3 * (1 + strength) ** 2)
    assert_mean(across**2, 1 - mu**2)  # the diagonal of I - mu mu^T
    assert_mean(along[:, None] * across, 0)


def test_a_spike_of_strength_zero_is_no_spike():
    drawn = spiked_gaussian(50, DIM, generator_for(3), direction=spike(DIM), strength=0.0)
    assert torch.equal(drawn, gaussian(50, DIM, generator_for(3)))


def test_spiked_draws_are_one_sample_in_both_precisions():
    double = spiked_gaussian(50, 4, generator_for(1), direction=spike(4), strength=2.0)
    single = spiked_gaussian(50, 4, generator_for(1), torch.float32, direction=spike(4), strength=2.0)
    assert double.dtype == torch.float64 and single.dtype == torch.float32
    assert torch.equal(single, double.float())
    rounded = spiked_gaussian(50, 4, generator_for(1), direction=spike(4, torch.float32), strength=2.0)
    torch.testing.assert_close(rounded, double, rtol=0, atol=1e-5)  # the spike itself is rounded


@pytest.mark.parametrize(
    ("direction", "strength", "word"),
    [(2 * spike(3), 1.0, "unit"), (spike(4), 1.0, "shape"), (spike(3), -1.0, "strength"), (spike(3), "2", "strength")],
)
def test_bad_spikes_are_refused(direction, strength, word):
    with pytest.raises(BadParameter, match=word):
        spiked_gaussian(3, 3, generator_for(0), direction=direction, strength=strength)
    assert "spiked" not in " ".join(INPUT_LAWS)  # its covariance is not the identity
