"""A head on frozen neurons against numpy, scale and penalty against refits, and the offset off and on again."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.foundations.learning.heads import fit_head
from beyond_kernel.foundations.learning.networks import TwoLayerNetwork
from beyond_kernel.foundations.learning.ridge import LEVELS
from beyond_kernel.foundations.learning.samples import draw_problem
from beyond_kernel.foundations.targets.target import parse_target
from beyond_kernel.random_streams import generator_for

PROBLEM = draw_problem(parse_target("2*z1 + z1*z2", 4, seed=0), 50, 0.3, seed=1, n_test=30)


def neurons(width=20, d=4):
    generator = generator_for(0, "neurons")
    W, a, b = (torch.randn(*s, generator=generator, dtype=torch.float64) for s in [(width, d), (width,), (width,)])
    return TwoLayerNetwork(W, a, b)


def features_by_numpy(network, X):
    return np.maximum(X.numpy() @ network.W.numpy().T + network.b.numpy(), 0)


def head_by_numpy(network, taken_off, scales):
    """Minimise (1/n) |y - offset - F a|^2 + penalty |a|^2 by normal equations, and leave each sample out in turn."""
    train = PROBLEM.train
    y, n = (train.y - taken_off(train.X)).numpy(), len(train)
    best = None
    for scale in scales:
        F = features_by_numpy(replace(network, W=scale * network.W), train.X)
        for level in LEVELS:
            ridge = n * level * (F**2).sum(1).mean() * np.eye(F.shape[1])
            inverse = np.linalg.inv(F.T @ F + ridge)
            errors = []
            for i in range(n):  # the inverse without row i, by Sherman and Morrison
                f = F[i]
                rest = inverse + np.outer(inverse @ f, inverse @ f) / (1 - f @ inverse @ f)
                errors.append(y[i] - f @ rest @ (F.T @ y - y[i] * f))
            loss = np.mean(np.square(errors))
            if best is None or loss < best[0]:
                best = loss, inverse @ F.T @ y, scale
    return best


@pytest.mark.parametrize("scales", [(1.0,), (0.25, 1.0, 4.0)])
@pytest.mark.parametrize("offset", [None, lambda X: 3.0 + 2 * X[:, 0], lambda X: X[:, 1] ** 2])
def test_head_is_that_of_numpy_with_and_without_an_offset(offset, scales):
    taken_off = offset or (lambda X: torch.zeros(len(X), dtype=X.dtype))
    network, X = neurons(), PROBLEM.test.X
    loss, a, scale = head_by_numpy(network, taken_off, scales)
    found = fit_head(PROBLEM.train, network, offset, scales)
    assert found.scale == scale
    assert found.fit.loss == pytest.approx(loss, rel=1e-6)
    np.testing.assert_allclose(found.network.a.numpy(), a, rtol=1e-5, atol=1e-7)
    expected = taken_off(X).numpy() + features_by_numpy(replace(network, W=scale * network.W), X) @ a
    np.testing.assert_allclose(found(X).numpy(), expected, rtol=1e-5, atol=1e-6)


def test_a_scale_lengthens_the_neurons_against_their_biases():
    found = fit_head(PROBLEM.train, neurons(), scales=(3.0,))
    assert torch.equal(found.network.W, 3 * neurons().W) and torch.equal(found.network.b, neurons().b)
    with pytest.raises(BadParameter, match="scales"):
        fit_head(PROBLEM.train, neurons(), scales=())
    with pytest.raises(BadParameter, match="scales"):
        fit_head(PROBLEM.train, neurons(), scales=(1.0, -1.0))


def test_neurons_stay_and_the_old_head_plays_no_part():
    network = neurons()
    blank = replace(network, a=torch.zeros_like(network.a))
    found, other = (fit_head(PROBLEM.train, given, scales=(1.0,)) for given in (network, blank))
    assert torch.equal(found.network.W, network.W) and torch.equal(found.network.b, network.b)
    assert torch.equal(found.network.a, other.network.a) and not torch.equal(found.network.a, network.a)
    assert torch.equal(network.a, neurons().a)  # the network that was given is left as it is


def test_an_offset_that_is_the_target_leaves_nothing_to_fit():
    truth = PROBLEM.task
    quiet = draw_problem(truth, 50, 0.0, seed=1, n_test=30)
    found = fit_head(quiet.train, neurons(), truth)
    assert not found.network.a.any() and torch.equal(found(quiet.test.X), quiet.test.truth)


def test_neurons_of_another_dimension_are_refused_with_a_sentence():
    with pytest.raises(BadParameter, match=r"X has shape \(50, 4\): it must have shape \(n, 3\)"):
        fit_head(PROBLEM.train, neurons(d=3))
