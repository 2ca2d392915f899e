"""The learners against one another in the limits where they must agree, and against leaks between samples."""

import dataclasses

import pytest
import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.feature_learning.baselines import (
    LEARNERS,
    frozen_risk,
    kernel_risk,
    random_network,
    risk,
)
from beyond_kernel.foundations.learning.measures import excess_risk
from beyond_kernel.foundations.learning.ridge import fit_kernel_ridge
from beyond_kernel.foundations.learning.samples import draw_problem
from beyond_kernel.foundations.targets.target import parse_target
from beyond_kernel.kernel_regime.tangent_kernel import random_feature_kernel

TARGET = parse_target("(h2(z1) - h2(z2) + h2(z1)*h2(z2) + h3(z1))/2", 10, seed=0)
PROBLEM = draw_problem(TARGET, 400, 0.1, seed=0, n_test=2000)


@pytest.mark.parametrize("learner", LEARNERS)
def test_every_learner_beats_the_mean_and_the_oracle_wins(learner):
    value = risk(learner, PROBLEM, TARGET.directions, 300, seed=0).value
    assert value < 0.95
    assert value >= risk("oracle", PROBLEM, TARGET.directions, 300, seed=0).value


@pytest.mark.parametrize("learner", LEARNERS)
def test_the_test_sample_decides_nothing(learner):
    """Turn the test labels upside down: the prediction, hence the risk against the old truth, must not change."""
    seen = []
    for sign in (1, -1):
        test = dataclasses.replace(PROBLEM.test, truth=sign * PROBLEM.test.truth, y=sign * PROBLEM.test.y)
        estimate = risk(learner, dataclasses.replace(PROBLEM, test=test), TARGET.directions, 100, seed=0)
        seen.append(estimate.value)
    truth = PROBLEM.test.truth
    # (p - t)^2 + (p + t)^2 = 2 p^2 + 2 t^2 for one and the same prediction p; check p through a third sample
    shifted = dataclasses.replace(PROBLEM.test, truth=0 * truth, y=0 * truth)
    power = risk(learner, dataclasses.replace(PROBLEM, test=shifted), TARGET.directions, 100, seed=0).value
    assert sum(seen) == pytest.approx(2 * power + 2 * float(truth.square().mean()), rel=1e-9)


def test_kernel_is_the_limit_of_wide_random_features():
    wide = torch.Generator().manual_seed(0)
    W = torch.randn(8000, 10, generator=wide, dtype=torch.float64) / 10**0.5
    b = torch.randn(8000, generator=wide, dtype=torch.float64)
    X = PROBLEM.train.X[:50]
    features = torch.relu(X @ W.T + b)
    gap = (features @ features.T / 8000 - random_feature_kernel(X, bias=1.0)).abs().max()
    assert float(gap) < 0.15  # entries of order 1 with a standard error of about 0.015; 2,500 of them


def test_kernel_risk_chooses_its_penalty_on_the_validation_sample():
    train, validation, test = PROBLEM.train, PROBLEM.validation, PROBLEM.test
    gram = random_feature_kernel(train.X, bias=1.0)
    held_out = random_feature_kernel(validation.X, train.X, 1.0)
    fit = fit_kernel_ridge(gram, train.y, held_out, validation.y)
    expected = excess_risk(random_feature_kernel(test.X, train.X, 1.0) @ fit.coefficients, test.truth)
    assert kernel_risk(PROBLEM, "random features") == expected


def test_random_network_lies_in_its_subspace_with_unit_neurons():
    network = random_network(40, TARGET.directions, seed=1)
    outside = network.W - network.W @ TARGET.directions @ TARGET.directions.T
    assert float(outside.abs().max()) < 1e-12
    assert torch.allclose(network.W.norm(dim=1), torch.ones(40, dtype=torch.float64))
    assert frozen_risk(PROBLEM, network).value < 0.5


def test_bad_names_are_refused():
    with pytest.raises(BadParameter, match="did you mean 'oracle'"):
        risk("oracel", PROBLEM, TARGET.directions, 10, 0)
    with pytest.raises(BadParameter, match="kernel = 'ntk'"):
        kernel_risk(PROBLEM, "ntk")
