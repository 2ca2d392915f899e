"""Hermite tensors against products of numpy's polynomials, and Stein's identity by an exact quadrature in the plane."""

import itertools
import math

import numpy as np
import pytest
import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.foundations.inputs.laws import gaussian
from beyond_kernel.foundations.targets.hermite_tensors import (
    derivatives,
    hermite_tensors,
    stein_terms,
    tensor_expansion,
)
from beyond_kernel.foundations.targets.target import parse_target
from beyond_kernel.random_streams import generator_for

PLANE = "z1^4*z2 - 2*z1*z2 + He3(z2) + z1^2 + 3"


def points(n, d, seed=0):
    return gaussian(n, d, generator_for(seed, "tensor points"))


def grid_rule(nodes=12):
    """Nodes and weights in the plane, exact for polynomials up to degree 2 nodes - 1 in each variable."""
    z, w = np.polynomial.hermite_e.hermegauss(nodes)
    pairs = torch.tensor(list(itertools.product(z, z)))
    return pairs, torch.from_numpy(np.outer(w, w).ravel() / w.sum() ** 2)


@pytest.mark.parametrize(("d", "k"), [(1, 6), (2, 5), (3, 4), (5, 2)])
def test_every_entry_is_a_product_of_polynomials_of_one_variable(d, k):
    X = points(4, d)
    for order, tensor in enumerate(hermite_tensors(X, k)):
        assert tensor.shape == (4, *[d] * order)
        for place in itertools.product(range(d), repeat=order):
            product = np.ones(4)
            for i in range(d):
                product *= np.polynomial.hermite_e.hermeval(X[:, i].numpy(), [0] * place.count(i) + [1])
            # Rounding of at most six steps, relative to entries up to a few hundred.
            np.testing.assert_allclose(tensor[(slice(None), *place)].numpy(), product, rtol=1e-10, atol=1e-10)


def test_a_rotation_acts_on_every_index():
    X, (Q, _) = points(5, 3), torch.linalg.qr(points(3, 3, seed=1))
    plain, turned = hermite_tensors(X, 3)[3], hermite_tensors(X @ Q.T, 3)[3]
    torch.testing.assert_close(turned, torch.einsum("nabc,ia,jb,kc->nijk", plain, Q, Q, Q), rtol=1e-10, atol=1e-10)


def test_tensors_of_different_order_are_orthogonal_and_have_the_square_length_of_a_count():
    X, weights = grid_rule()
    table = [tensor.reshape(len(X), -1) for tensor in hermite_tensors(X, 3)]
    for j, k in itertools.combinations_with_replacement(range(4), 2):
        product = torch.einsum("n,na,nb->ab", weights, table[j], table[k])
        if j != k:
            assert product.abs().max() <= 1e-10  # rounding
        else:
            assert float(product.trace()) == pytest.approx(math.prod(range(2, 2 + k)), rel=1e-10)  # d (d+1) ... (d+k-1)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    "text", ["z1", "z1*z2*z3 - z2^2 + 7", "He4(z1)/5 + z1*z2", "h2(z1) - h2(z2) + h2(z1)*h2(z2)", PLANE, "h6(z3)"]
)
def test_the_sum_over_all_tensors_is_the_target(text, dtype):
    target, X = parse_target(text, 6, seed=4), points(50, 6, seed=2).to(dtype)
    exact, found = target(X), tensor_expansion(target, X)
    assert found.dtype == dtype
    # Cancellation of terms up to a hundred times the value in the worst row.
    tolerance = 1e-4 if dtype == torch.float32 else 1e-12
    assert (found - exact).abs().max() <= tolerance * exact.abs().max()


def test_the_scale_of_a_target_is_kept():
    target, X = parse_target(PLANE, 4).normalised(), points(20, 4)
    torch.testing.assert_close(tensor_expansion(target, X), target(X), rtol=1e-10, atol=1e-10)  # rounding


@pytest.mark.parametrize("k", [0, 1, 2, 3])
def test_derivatives_by_hand(k):
    X = points(6, 2)
    x, y = X[:, 0], X[:, 1]
    zero = torch.zeros_like(x)
    by_hand = [
        x**3 * y,
        torch.stack([3 * x**2 * y, x**3], 1),
        torch.stack([6 * x * y, 3 * x**2, 3 * x**2, zero], 1).reshape(6, 2, 2),
        torch.stack([6 * y, 6 * x, 6 * x, zero, 6 * x, zero, zero, zero], 1).reshape(6, 2, 2, 2),
    ]
    found = derivatives(lambda Z: Z[:, 0] ** 3 * Z[:, 1], X, k)
    torch.testing.assert_close(found, by_hand[k], rtol=1e-12, atol=1e-12)  # rounding
    assert not found.requires_grad


def test_derivatives_of_a_constant_and_of_a_line_vanish():
    X = points(3, 2)
    assert not derivatives(lambda Z: torch.ones(3, dtype=Z.dtype), X, 1).any()
    assert not derivatives(lambda Z: Z.sum(1), X, 2).any()


@pytest.mark.parametrize("k", [0, 1, 2, 3, 4])
def test_both_sides_of_stein_have_the_exact_tensor_as_mean(k):
    target = parse_target(PLANE, 2, directions=torch.eye(2, dtype=torch.float64))
    X, weights = grid_rule()  # exact: f He_k has degree at most 9 in each variable
    for side in stein_terms(target, X, k):
        mean = torch.tensordot(weights, side, dims=1)
        torch.testing.assert_close(mean, target.tensor(k), rtol=1e-10, atol=1e-10)  # rounding


def test_stein_holds_for_a_smooth_function_that_is_no_polynomial():
    X, weights = grid_rule(60)
    sides = stein_terms(lambda Z: torch.tanh(Z[:, 0] - Z[:, 1] / 2) + torch.sin(Z[:, 1]), X, 2)
    means = [torch.tensordot(weights, side, dims=1) for side in sides]
    torch.testing.assert_close(*means, rtol=0, atol=2e-4)  # quadrature of tanh with 60 nodes


def test_a_wrong_factor_would_be_seen():
    X, weights = grid_rule()
    first, second = stein_terms(lambda Z: Z[:, 0] ** 2, X, 2)
    assert float(weights @ first[:, 0, 0]) == pytest.approx(2.0, abs=1e-12)
    assert float(weights @ second[:, 0, 0]) == pytest.approx(2.0, abs=1e-12)


@pytest.mark.parametrize(
    "call",
    [
        lambda X: hermite_tensors(X, -1),
        lambda X: hermite_tensors(X, 30),
        lambda X: hermite_tensors(X[0], 1),
        lambda X: derivatives(lambda Z: Z, X, 1),
        lambda X: derivatives(lambda Z: Z.sum(1), X, -1),
        lambda X: tensor_expansion(parse_target("z1", 5), X),
    ],
)
def test_arguments_out_of_range_are_refused(call):
    with pytest.raises(BadParameter):
        call(points(3, 2))
