"""The closed forms against Monte Carlo over neurons, against autograd Jacobians and against their symmetries."""

import pytest
import torch

from beyond_kernel.kernel_regime.tangent_kernel import random_feature_kernel, tangent_kernel
from beyond_kernel.parameters import BadParameter

D, NEURONS = 6, 400_000


def points(n: int, d: int = D, seed: int = 0, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=dtype)


@pytest.mark.parametrize("bias", [0.0, 0.7])
def test_random_feature_kernel_is_the_mean_over_neurons(bias):
    X = points(5)
    W = points(NEURONS, seed=1) / D**0.5
    active = torch.relu(W @ X.T + bias * points(NEURONS, 1, seed=9))
    products = active[:, :, None] * active[:, None, :]
    errors = (products.mean(0) - random_feature_kernel(X, bias=bias)).abs() / (products.std(0) / NEURONS**0.5)
    assert float(errors.max()) < 4.5  # 25 entries, each within 4.5 standard errors


def test_tangent_kernel_is_the_mean_of_products_of_autograd_jacobians():
    X = points(4, seed=2)
    W = points(20_000, seed=3) / D**0.5

    def neuron(w, a, x):
        return a * torch.relu(w @ x)

    gradients = torch.func.vmap(
        torch.func.vmap(torch.func.grad(neuron, argnums=(0, 1)), in_dims=(0, None, None)), in_dims=(None, None, 0)
    )(W, torch.tensor(1.0, dtype=torch.float64), X)
    products = torch.einsum("nmi,kmi->mnk", gradients[0], gradients[0])
    products = products + torch.einsum("nm,km->mnk", gradients[1], gradients[1])
    errors = (products.mean(0) - tangent_kernel(X)).abs() / (products.std(0) / len(W) ** 0.5 + 1e-12)
    assert float(errors.max()) < 4.5


@pytest.mark.parametrize("kernel", [random_feature_kernel, tangent_kernel])
def test_diagonal_is_exact_in_both_precisions(kernel):
    """E relu(w . x)^2 = |x|^2 / (2 d); the first layer adds |x|^2 / 2. The arc cosine at 1 loses half the digits."""
    for dtype, bias in ((torch.float32, 0.0), (torch.float64, 0.0), (torch.float32, 2.0), (torch.float64, 2.0)):
        X = points(40, seed=4, dtype=dtype)
        expected = (X.square().sum(1) + bias**2 * D) * (1 / D + (kernel is tangent_kernel)) / 2
        assert torch.allclose(kernel(X, bias=bias).diagonal(), expected, rtol=4 * torch.finfo(dtype).eps)


@pytest.mark.parametrize("kernel", [random_feature_kernel, tangent_kernel])
def test_gram_matrix_is_symmetric_positive_and_the_same_in_blocks(kernel):
    X = points(600, seed=5)
    gram = kernel(X)
    assert torch.equal(gram, gram.T)
    assert float(torch.linalg.eigvalsh(gram).min()) > 0
    cross = kernel(X, X.clone())  # without the exact diagonal: half the digits there
    assert torch.allclose(cross, gram, atol=1e-6)
    single = torch.cat([kernel(X[:3], X[i : i + 1]) for i in (0, 299, 599)], 1)
    assert torch.allclose(single, gram[:3, [0, 299, 599]], atol=1e-6)


@pytest.mark.parametrize("kernel", [random_feature_kernel, tangent_kernel])
def test_kernel_does_not_see_rotations_and_scales_with_the_norms(kernel):
    X, Z = points(5, seed=6), points(7, seed=7)
    rotation = torch.linalg.qr(points(D, seed=8)).Q
    assert torch.allclose(kernel(X @ rotation, Z @ rotation), kernel(X, Z), atol=1e-12)
    assert torch.allclose(kernel(2 * X, 3 * Z), 6 * kernel(X, Z), atol=1e-12)


@pytest.mark.parametrize("kernel", [random_feature_kernel, tangent_kernel])
def test_odd_degrees_from_three_on_are_absent(kernel):
    """At unit norm K(t) - K(-t) is linear in t: no odd degree above one, so no such polynomial is ever learnt."""
    t = torch.linspace(-0.99, 0.99, 41, dtype=torch.float64)
    Z = torch.stack([t, (1 - t**2).sqrt()], 1)
    odd = kernel(Z[:, :2], torch.tensor([[1.0, 0.0]], dtype=torch.float64))[:, 0]
    difference = odd - odd.flip(0)
    assert torch.allclose(difference, t * difference[-1] / t[-1], atol=1e-12)


def test_bad_input_is_refused_with_a_sentence():
    X = points(3)
    with pytest.raises(BadParameter, match="row of zeros at 1"):
        tangent_kernel(torch.cat([X[:1], 0 * X[:1]]))
    with pytest.raises(BadParameter, match=r"Z has shape \(3, 5\)"):
        tangent_kernel(X, X[:, :5])
    with pytest.raises(BadParameter, match="not finite"):
        random_feature_kernel(X / 0)
    with pytest.raises(TypeError, match="floating-point"):
        random_feature_kernel(torch.ones(3, 2, dtype=torch.int64))
