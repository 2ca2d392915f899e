"""Features for the tangent kernel: unbiased, with the variance that is claimed, and worth their number."""

import itertools

import pytest
import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.foundations.inputs.laws import gaussian
from beyond_kernel.kernel_regime.dual_kernels import dual_tangent_kernel
from beyond_kernel.kernel_regime.empirical_kernel import empirical_tangent_kernel
from beyond_kernel.kernel_regime.sketch import (
    TensorSketch,
    direction_features,
    draw_tensor_sketch,
    gradient_features,
    sketched_features,
    tensor_sketch_variance,
)
from beyond_kernel.random_streams import generator_for

M, D = 5, 4


def factors(seed=0, n=3):
    return gaussian(n, M, generator_for(seed, "U")), gaussian(n, D, generator_for(seed, "V"))


@pytest.mark.parametrize("size", [1, 6, 7])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
def test_sketch_adds_signed_products_into_buckets(size, dtype, tolerance):
    """Independent: the definition, one product u_j v_k after the other."""
    U, V = (part.to(dtype) for part in factors())
    sketch = draw_tensor_sketch(M, D, size, generator_for(1, size))
    expected = torch.zeros(len(U), size, dtype=dtype)
    for j in range(M):
        for k in range(D):
            bucket = int(sketch.first_buckets[j] + sketch.second_buckets[k]) % size
            expected[:, bucket] += sketch.first_signs[j] * sketch.second_signs[k] * U[:, j] * V[:, k]
    found = sketch(U, V)
    assert found.dtype == dtype and torch.allclose(found, expected, atol=tolerance)


@pytest.mark.parametrize(("m", "d", "size"), [(3, 2, 2), (2, 2, 3)])
def test_variance_formula_is_exact(m, d, size):
    """No sampling: all buckets and signs that can be drawn, each once."""
    U, V = gaussian(2, m, generator_for(2, "U")), gaussian(2, d, generator_for(2, "V"))
    products = []
    for buckets in itertools.product(range(size), repeat=m + d):
        for signs in itertools.product((-1, 1), repeat=m + d):
            h, s = torch.tensor(buckets), torch.tensor(signs)
            features = TensorSketch(h[:m], s[:m], h[m:], s[m:], size)(U, V)
            products.append((features @ features.T).flatten())
    products = torch.stack(products)
    assert torch.allclose(products.mean(0), ((U @ U.T) * (V @ V.T)).flatten(), atol=1e-12)
    variances = products.var(0, correction=0)
    assert torch.allclose(variances, tensor_sketch_variance(U, V, size).flatten(), rtol=1e-10)


def test_variance_of_a_single_product_is_zero():
    """One entry times one entry: nothing can collide, every sketch keeps the inner product."""
    U, V = torch.zeros(2, M, dtype=torch.float64), torch.zeros(2, D, dtype=torch.float64)
    U[:, 1], V[:, 2] = torch.tensor([2.0, -3.0]), torch.tensor([1.0, 5.0])
    assert float(tensor_sketch_variance(U, V, 3).abs().max()) == 0
    features = draw_tensor_sketch(M, D, 3, generator_for(0, "one"))(U, V)
    assert float(features[0] @ features[1]) == pytest.approx(-30)


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_all_gradients_have_the_empirical_kernel(activation):
    X, W = gaussian(6, D, generator_for(4, "X")), gaussian(9, D, generator_for(4, "W"))
    features = gradient_features(X, W, activation)
    assert features.shape == (6, 9 * (D + 1))
    signs = torch.where(torch.arange(9) % 2 == 0, 1.0, -1.0).to(torch.float64)
    assert torch.allclose(features @ features.T, empirical_tangent_kernel(X, None, W, signs, activation))


@pytest.mark.parametrize("kind", ["sketch", "directions"])
def test_features_have_the_tangent_kernel_as_their_mean(kind):
    """800 draws of neurons and of sketches or directions; ten pairs within 4.5 standard errors."""
    X, draws = gaussian(4, D, generator_for(5, "X")), generator_for(6, kind)
    grams = []
    for _ in range(800):
        W = gaussian(8, D, draws) / D**0.5
        if kind == "sketch":
            features = sketched_features(X, W, draw_tensor_sketch(8, D, 8, draws), "erf")
        else:
            features = direction_features(X, W, gaussian(8, D, draws), "erf")
        assert features.shape == (4, 16)
        grams.append(features @ features.T)
    grams = torch.stack(grams)
    errors = (grams.mean(0) - dual_tangent_kernel(X, activation="erf")).abs() / (grams.std(0) / 800**0.5)
    assert float(errors.max()) < 4.5


def test_bad_input_is_refused_with_a_sentence():
    U, V = factors()
    sketch = draw_tensor_sketch(M, D, 6, generator_for(0, "s"))
    with pytest.raises(BadParameter, match="U has shape"):
        sketch(V, V)
    with pytest.raises(BadParameter, match="V has 2 rows and U has 3"):
        tensor_sketch_variance(U, V[:2], 6)
    with pytest.raises(BadParameter, match="size = 0"):
        draw_tensor_sketch(M, D, 0, generator_for(0, "s"))
    with pytest.raises(BadParameter, match="directions has shape"):
        direction_features(V, V, U)
