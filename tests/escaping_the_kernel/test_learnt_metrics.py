"""Learnt metrics against numpy's correlation, closed forms of gradients, and what rotations and scales leave alone."""

import numpy as np
import pytest
import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.escaping_the_kernel.learnt_metrics import (
    first_layer_metric,
    metric_correlation,
    outer_product_of_gradients,
    polynomial_kernel,
    trace_share,
)
from beyond_kernel.escaping_the_kernel.recursive_features import average_gradient_outer_product
from beyond_kernel.foundations.learning.networks import TwoLayerNetwork
from beyond_kernel.foundations.targets.target import parse_target
from beyond_kernel.kernel_regime.gaussian_kernel import gaussian_kernel
from beyond_kernel.random_streams import generator_for


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=generator_for(seed, "learnt metrics"), dtype=torch.float64)


def rotation(d: int, seed: int) -> torch.Tensor:
    return torch.linalg.qr(normal(d, d, seed=seed)).Q


@pytest.mark.parametrize("seed", range(3))
def test_correlation_of_diagonal_metrics_is_that_of_their_diagonals(seed):
    """Two diagonal metrics less their mean eigenvalue are two centred lists of numbers, which numpy correlates."""
    first, second = normal(7, seed=seed).abs(), normal(7, seed=seed + 10).abs()
    expected = np.corrcoef(first.numpy(), second.numpy())[0, 1]
    assert metric_correlation(first.diag(), second.diag()) == pytest.approx(expected, abs=1e-12)
    Q = rotation(7, seed)
    turned = (Q @ metric.diag() @ Q.T for metric in (first, second))
    assert metric_correlation(*turned) == pytest.approx(expected, abs=1e-12)


def test_the_identity_counts_for_nothing_and_scale_neither():
    """Two metrics at right angles stay so, however much of the identity both have."""
    first, second, unit = torch.zeros(6, 6), torch.zeros(6, 6), torch.eye(6)
    first[0, 0], first[1, 1], second[2, 2], second[3, 3] = 1.0, -1.0, 1.0, -1.0
    assert metric_correlation(first + 100 * unit, second + 3 * unit) == pytest.approx(0, abs=1e-5)
    assert metric_correlation(7 * first + unit, first) == pytest.approx(1, abs=1e-5)
    assert metric_correlation(unit, first) == 0.0 == metric_correlation(first, 3 * unit)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_share_of_the_trace(dtype):
    U = rotation(8, 0)[:, :3]
    assert trace_share(torch.eye(8, dtype=dtype), U) == pytest.approx(3 / 8, abs=1e-6)
    inside = (U @ U.T).to(dtype)
    assert trace_share(5 * inside, U) == pytest.approx(1, abs=1e-6)
    assert trace_share(torch.eye(8, dtype=dtype) - inside, U) == pytest.approx(0, abs=1e-6)


def test_gradients_of_a_product_are_its_factors_exchanged():
    """For f = z1 z2 the gradient is z2 u1 + z1 u2, so its outer product has the mean u1 u1' + u2 u2'."""
    target, X = parse_target("z1*z2", 6, 1), normal(20_000, 6)
    U = target.directions
    found = outer_product_of_gradients(target, X)
    Z = X @ U
    exact = U @ torch.stack([torch.stack([(Z[:, 1] ** 2).mean(), (Z[:, 0] * Z[:, 1]).mean()]),
                             torch.stack([(Z[:, 0] * Z[:, 1]).mean(), (Z[:, 0] ** 2).mean()])]) @ U.T  # fmt: skip
    assert torch.allclose(found, exact, atol=1e-10)
    assert float((found - U @ U.T).abs().max()) < 0.05  # 1 / sqrt(20,000) = 0.007


def test_gradients_of_a_network_and_of_a_kernel_predictor():
    X = normal(25, 4)
    network = TwoLayerNetwork(normal(9, 4, seed=1), normal(9, seed=2), normal(9, seed=3))
    gates = (X @ network.W.T + network.b > 0).double()
    gradients = (gates * network.a) @ network.W
    assert torch.allclose(outer_product_of_gradients(network, X), gradients.T @ gradients / 25, atol=1e-12)
    c, metric = normal(25, seed=4), first_layer_metric(network)
    by_hand = average_gradient_outer_product(X, c, 1.7, metric)
    by_autograd = outer_product_of_gradients(lambda rows: gaussian_kernel(rows, X, 1.7, metric) @ c, X)
    assert torch.allclose(by_hand, by_autograd, atol=1e-10)


def test_metric_of_a_first_layer_measures_what_its_neurons_see():
    network = TwoLayerNetwork(normal(9, 4), normal(9), normal(9))
    x = normal(4, seed=5)
    assert float(x @ first_layer_metric(network) @ x) == pytest.approx(float((network.W @ x).square().sum()))


def test_polynomial_kernel_is_the_power_of_an_inner_product():
    X, Z, root = normal(6, 3), normal(4, 3, seed=1), normal(3, 3, seed=2)
    M = root @ root.T
    expected = (0.5 + X.numpy() @ M.numpy() @ Z.numpy().T / 3) ** 4
    assert np.allclose(polynomial_kernel(X, Z, metric=M, offset=0.5, degree=4).numpy(), expected)
    alone = polynomial_kernel(X, metric=M, offset=0.5, degree=3)
    assert torch.equal(alone, alone.T) and torch.allclose(
        alone, polynomial_kernel(X, X, metric=M, offset=0.5, degree=3)
    )
    with pytest.raises(BadParameter, match="degree = 0"):
        polynomial_kernel(X, metric=M, offset=0.5, degree=0)
    with pytest.raises(BadParameter, match="offset = -1"):
        polynomial_kernel(X, metric=M, offset=-1, degree=2)


def test_bad_metrics_are_refused_with_a_sentence():
    U = torch.eye(4)[:, :2]
    with pytest.raises(BadParameter, match=r"metric has the trace 0: .* not 0"):
        trace_share(torch.zeros(4, 4), U)
    with pytest.raises(BadParameter, match=r"metric has shape \(3, 4\): it must be square, \(4, 4\)"):
        trace_share(torch.ones(3, 4), U)
    with pytest.raises(BadParameter, match="second"):
        metric_correlation(torch.eye(4), torch.eye(5))
    with pytest.raises(BadParameter, match=r"first has shape \(3, 4\)|first .* 3"):
        metric_correlation(torch.ones(3, 4), torch.eye(3))
