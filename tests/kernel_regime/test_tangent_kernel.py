"""The closed forms against Monte Carlo over neurons, against autograd Jacobians and against their symmetries."""

import math

import numpy as np
import pytest
import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.foundations.inputs.laws import sphere
from beyond_kernel.kernel_regime import tangent_kernel as module
from beyond_kernel.kernel_regime.tangent_kernel import KERNELS, kernel_profile, random_feature_kernel, tangent_kernel

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


def plain(kernel, X: torch.Tensor, Z: torch.Tensor, bias: float) -> torch.Tensor:
    """The closed form on whole arrays: what the tiles must add up to."""
    d = X.shape[1]
    inner = X @ Z.T + bias**2 * d
    lengths = (X.square().sum(1) + bias**2 * d).sqrt()[:, None] * (Z.square().sum(1) + bias**2 * d).sqrt()
    theta = torch.acos((inner / lengths).clamp(-1, 1))
    head = lengths * (torch.sin(theta) + (math.pi - theta) * torch.cos(theta)) / (2 * math.pi * d)
    return head + inner * (math.pi - theta) / (2 * math.pi) if kernel is tangent_kernel else head


@pytest.mark.parametrize("kernel", [random_feature_kernel, tangent_kernel])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
@pytest.mark.parametrize("bias", [0.0, 0.4])
def test_tiles_add_up_to_the_plain_closed_form(kernel, dtype, tolerance, bias):
    """Sizes that are no multiple of the tile. The tolerance: some twenty roundings at angles that are not small."""
    X, Z = points(300, seed=20), points(530, seed=21)
    expected = plain(kernel, X, Z, bias)
    cross = kernel(X.to(dtype), Z.to(dtype), bias).double()
    assert float((cross - expected).abs().max()) <= tolerance * float(expected.abs().max())
    gram = kernel(Z.to(dtype), bias=bias).double()  # half of it is a mirror image
    gap = (gram - plain(kernel, Z, Z, bias)).fill_diagonal_(0).abs().max()  # here the diagonal is the worse of the two
    assert float(gap) <= tolerance * float(gram.max())


@pytest.mark.parametrize("tile", [7, 64, 65, 8192])
def test_the_size_of_the_tiles_changes_nothing(tile, monkeypatch):
    """Also the large one of a GPU. A product of another shape may round otherwise."""
    X, Z = points(65, seed=22), points(70, seed=23)
    expected = tangent_kernel(X), tangent_kernel(X, Z)
    monkeypatch.setitem(module.TILE, "cpu", tile)
    assert torch.allclose(tangent_kernel(X), expected[0], rtol=1e-11, atol=1e-11)
    assert torch.allclose(tangent_kernel(X, Z), expected[1], rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_opposite_and_equal_points_give_numbers(dtype):
    """Rounding puts their cosine beyond 1: the kernel of x and -x is zero, that of two equal points the diagonal."""
    X = points(50, 31, seed=24, dtype=dtype)
    scale = float(X.square().sum(1).max())
    for kernel in KERNELS.values():
        gram = kernel(torch.cat([X, -X, X]))
        assert torch.isfinite(gram).all()
        half = scale * torch.finfo(dtype).eps ** 0.5  # half of the digits, as the docstring says
        assert float(gram[:50, 50:100].diagonal().abs().max()) < half
        assert float((gram[:50, 100:].diagonal() - gram.diagonal()[:50]).abs().max()) < half


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


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("bias", [0.0, 0.6])
@pytest.mark.parametrize("activation", ["relu", "erf", "tanh", torch.nn.functional.softplus])
def test_profile_is_the_kernel_of_points_on_the_sphere(name, bias, activation):
    """The Gram matrix of points in nine dimensions, and a function of one number: they share the dual at most."""
    X = sphere(12, 9, torch.Generator().manual_seed(25))
    cosines = (X @ X.T / 9).fill_diagonal_(1)
    expected = KERNELS[name](X, bias=bias, activation=activation)
    values = kernel_profile(name, 9, bias, activation)(cosines)
    assert values.shape == cosines.shape and values.dtype == torch.float64
    assert torch.allclose(values, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_profile_is_the_mean_over_neurons(name, activation):
    """In d dimensions, at three cosines, with a bias: Monte Carlo over (u, v), the pre-activations of one neuron."""
    d, bias, t = 30, 0.5, torch.tensor([-0.7, 0.2, 0.9], dtype=torch.float64)
    g, h, b = points(NEURONS, 3, seed=26).T
    u, v = g + bias * b, t[:, None] * g + (1 - t[:, None] ** 2).sqrt() * h + bias * b
    function = {"relu": torch.relu, "tanh": torch.tanh}[activation]
    derivative = {"relu": lambda z: (z > 0).double(), "tanh": lambda z: 1 - z.tanh() ** 2}[activation]
    products = function(u) * function(v)
    if name == "tangent":
        products = products + d * (t[:, None] + bias**2) * derivative(u) * derivative(v)
    gap = (products.mean(1) - kernel_profile(name, d, bias, activation)(t)).abs()
    assert float((gap / (products.std(1) / NEURONS**0.5)).max()) < 4.5  # 3 cosines within 4.5 standard errors


def test_profile_at_its_ends_by_hand():
    """x = z: (1 + d) / 2 and 1 / 2. x = -z: zero. Orthogonal: 1 / (2 pi) for the head, and nothing from below."""
    ends = torch.tensor([1.0, -1.0, 0.0], dtype=torch.float64)
    tangent, head = kernel_profile("tangent", 50)(ends), kernel_profile("random features", 50)(ends)
    assert np.allclose(tangent, [51 / 2, 0, 1 / (2 * math.pi)], atol=1e-12)
    assert np.allclose(head, [1 / 2, 0, 1 / (2 * math.pi)], atol=1e-12)
    beyond = torch.tensor([1 + 1e-15, -1 - 1e-15], dtype=torch.float64)  # as rounding leaves them
    assert np.allclose(kernel_profile("tangent", 50)(beyond), [51 / 2, 0], atol=1e-12)


@pytest.mark.parametrize("kernel", [random_feature_kernel, tangent_kernel])
def test_any_activation_by_name_or_callable(kernel):
    """A callable relu goes through quadrature: it must find the closed form; and a name and its callable agree."""
    X, Z = points(4, seed=27), points(3, seed=28)
    by_quadrature = kernel(X, Z, 0.5, lambda z: torch.relu(z))
    assert torch.allclose(by_quadrature, kernel(X, Z, 0.5), rtol=1e-6)
    assert torch.allclose(kernel(X, Z, 0.5, "erf"), kernel(X, Z, 0.5, torch.erf), rtol=1e-9)
    assert not torch.allclose(kernel(X, Z, 0.5, "erf"), kernel(X, Z, 0.0, "erf"), rtol=1e-3)


def test_bad_input_is_refused_with_a_sentence():
    X = points(3)
    with pytest.raises(BadParameter, match="bias"):
        tangent_kernel(X, bias=-0.1)
    with pytest.raises(BadParameter, match=r"X has shape \(0, 6\)"):
        tangent_kernel(X[:0])
    with pytest.raises(BadParameter, match="activation = 'rleu' is not known.*relu"):
        tangent_kernel(X, activation="rleu")
    with pytest.raises(BadParameter, match="jumps"):
        random_feature_kernel(X, activation=torch.sign)
    with pytest.raises(BadParameter, match="kernel = 'tangnet' is not known"):
        kernel_profile("tangnet", 5)
    with pytest.raises(BadParameter, match="d = 0 is out of range"):
        kernel_profile("tangent", 0)
    with pytest.raises(BadParameter, match="bias"):
        kernel_profile("tangent", 5, math.nan)
    with pytest.raises(BadParameter, match="activation = 'rleu'"):
        kernel_profile("tangent", 5, 0.0, "rleu")
    with pytest.raises(BadParameter, match="row of zeros at 1"):
        tangent_kernel(torch.cat([X[:1], 0 * X[:1]]))
    with pytest.raises(BadParameter, match=r"Z has shape \(3, 5\)"):
        tangent_kernel(X, X[:, :5])
    with pytest.raises(BadParameter, match="not finite"):
        random_feature_kernel(X / 0)
    with pytest.raises(TypeError, match="floating-point"):
        random_feature_kernel(torch.ones(3, 2, dtype=torch.int64))
