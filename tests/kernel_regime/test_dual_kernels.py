"""Kernels at infinite width against Monte Carlo, automatic differentiation, closed forms and quadrature."""

import math

import numpy as np
import pytest
import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.foundations.inputs.laws import gaussian, sphere
from beyond_kernel.kernel_regime.activations import ACTIVATIONS, activation_of
from beyond_kernel.kernel_regime.dual_kernels import CLOSED_FORMS, dual_random_feature_kernel, dual_tangent_kernel
from beyond_kernel.kernel_regime.tangent_kernel import random_feature_kernel, tangent_kernel
from beyond_kernel.random_streams import generator_for

D = 6
BOTH = [dual_random_feature_kernel, dual_tangent_kernel]


def points(n, d=D, seed=0, dtype=torch.float64):
    return gaussian(n, d, generator_for(seed, "points"), dtype)


@pytest.mark.parametrize("name", list(ACTIVATIONS))
@pytest.mark.parametrize("bias", [0.0, 0.8])
def test_kernels_are_means_over_neurons(name, bias):
    """Monte Carlo over 20,000 neurons with its error bar; 30 entries, each within 4.5 standard errors."""
    X, activation = points(5), activation_of(name)
    draws = generator_for(1, name, bias)
    before = gaussian(20_000, D, draws) @ X.T / D**0.5 + bias * gaussian(20_000, 1, draws)
    inner = X @ X.T + bias**2 * D
    head = activation(before)[:, :, None] * activation(before)[:, None, :]
    slopes = activation.derivative(before)
    whole = head + inner * slopes[:, :, None] * slopes[:, None, :]
    for kernel, samples in zip(BOTH, (head, whole), strict=True):
        spread = samples.std(0) / len(samples) ** 0.5 + 1e-9
        errors = (samples.mean(0) - kernel(X, bias=bias, activation=name)).abs() / spread
        assert float(errors.max()) < 4.5


@pytest.mark.parametrize("name", ["relu", "erf", "gelu"])
def test_tangent_kernel_is_the_mean_product_of_autograd_gradients(name):
    X, W = points(4, seed=2), gaussian(20_000, D, generator_for(3, "W")) / D**0.5
    function = ACTIVATIONS[name].function

    def neuron(w, a, x):
        return a * function(w @ x)

    gradient = torch.func.vmap(torch.func.grad(neuron, argnums=(0, 1)), in_dims=(0, None, None))
    by_w, by_a = torch.func.vmap(gradient, in_dims=(None, None, 0))(W, torch.tensor(1.0, dtype=torch.float64), X)
    products = torch.einsum("nmi,kmi->mnk", by_w, by_w) + torch.einsum("nm,km->mnk", by_a, by_a)
    errors = products.mean(0) - dual_tangent_kernel(X, activation=name)
    assert float((errors.abs() / (products.std(0) / len(W) ** 0.5)).max()) < 4.5


@pytest.mark.parametrize("name", ["tanh", "shifted sigmoid", "softplus"])
def test_smooth_duals_equal_quadrature_in_two_dimensions(name):
    """Independent: the joint density on a grid of 400 x 400 points, spectrally accurate for smooth functions."""
    X = points(3, seed=4)
    activation, bias = activation_of(name), 0.5
    extended = torch.cat([X, torch.full((3, 1), bias * D**0.5, dtype=torch.float64)], 1)
    covariance = (extended @ extended.T / D).numpy()
    for i, j in ((0, 1), (1, 2)):
        root = np.linalg.cholesky(covariance[np.ix_([i, j], [i, j])])
        grid = np.linspace(-9, 9, 400)
        p, q = np.meshgrid(grid, grid, indexing="ij")
        weights = np.exp(-(p**2 + q**2) / 2) * (grid[1] - grid[0]) ** 2 / (2 * math.pi)
        u, v = (torch.from_numpy(root[k, 0] * p + root[k, 1] * q) for k in (0, 1))
        head = float((weights * (activation(u) * activation(v)).numpy()).sum())
        slope = float((weights * (activation.derivative(u) * activation.derivative(v)).numpy()).sum())
        assert float(dual_random_feature_kernel(X, None, bias, name)[i, j]) == pytest.approx(head, rel=1e-9)
        expected = head + D * covariance[i, j] * slope
        assert float(dual_tangent_kernel(X, None, bias, name)[i, j]) == pytest.approx(expected, rel=1e-9)


CALLABLES = {
    "relu": lambda z: z.clamp(min=0),
    "erf": lambda z: torch.erf(z),
    "sine": lambda z: torch.sin(z),
    "square": lambda z: z * z,
    "identity": lambda z: 1 * z,
}
"""Functions that the package does not know by name, so that they go through the Hermite series."""


def test_every_closed_form_is_compared_with_the_series():
    assert set(CALLABLES) == set(CLOSED_FORMS)


@pytest.mark.parametrize(("name", "function"), CALLABLES.items())
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-5)])
def test_series_of_a_callable_equals_the_closed_form(name, function, dtype, tolerance):
    """Different lengths, and pairs so close that the ReLU series has to hand over to two dimensions."""
    X = points(40, seed=5, dtype=dtype)
    Z = torch.cat([X[:5] * 1.2, X[:5] + 0.01 * points(5, seed=6, dtype=dtype), points(5, seed=7, dtype=dtype)])
    for kernel in BOTH:
        for second in (None, Z):
            closed = kernel(X, second, 0.3, name)
            difference = (kernel(X, second, 0.3, function) - closed).abs().max()
            if dtype == torch.float32 and second is not None and name == "relu":
                # the arc cosine of the closed form loses half of the digits where inputs are parallel
                assert float(difference / closed.abs().max()) < 1e-3
            else:
                assert float(difference / closed.abs().max()) < tolerance


def test_sine_has_its_closed_form():
    """E sin u sin v = exp(-(var u + var v) / 2) sinh(c), and cosh(c) for the derivatives."""
    X, Z = points(20, seed=8), points(30, seed=9)
    c = X @ Z.T / D
    damping = torch.exp(-(X.square().sum(1)[:, None] + Z.square().sum(1)) / (2 * D))
    head = damping * torch.sinh(c)
    assert torch.allclose(dual_random_feature_kernel(X, Z, activation="sine"), head, atol=1e-12)
    whole = head + D * c * damping * torch.cosh(c)
    assert torch.allclose(dual_tangent_kernel(X, Z, activation="sine"), whole, atol=1e-11)


def test_powers_of_the_ramp_and_the_cosine_have_closed_forms_that_the_series_finds():
    """Cho and Saul 2009, J_2 = 3 sin cos + (pi - theta)(1 + 2 cos^2); E cos u cos v = exp(-(a + b) / 2) cosh(c)."""
    X, Z = points(20, seed=8), points(30, seed=9)
    x, z = X.square().sum(1)[:, None] / D, Z.square().sum(1) / D
    cosine = X @ Z.T / D / (x * z).sqrt()
    theta, sine = torch.acos(cosine), (1 - cosine.square()).sqrt()
    ramp = x * z * (3 * sine * cosine + (math.pi - theta) * (1 + 2 * cosine.square())) / (2 * math.pi)
    found = dual_random_feature_kernel(X, Z, activation=lambda u: u.clamp(min=0).square())
    assert torch.allclose(found, ramp, rtol=1e-9, atol=1e-10)
    wave = torch.exp(-(x + z) / 2) * torch.cosh(X @ Z.T / D)
    assert torch.allclose(dual_random_feature_kernel(X, Z, activation=torch.cos), wave, atol=1e-12)


def test_sine_of_long_inputs_does_not_overflow():
    """At 40 times the length exp(-var) and sinh(c) leave float32; the product is 1/2 on the diagonal, 0 elsewhere."""
    X = 40 * points(10, seed=9, dtype=torch.float32)
    assert torch.allclose(dual_random_feature_kernel(X, activation="sine"), torch.eye(10) / 2, atol=1e-6)


def test_identity_and_square_by_hand():
    X, Z = points(4, seed=10), points(5, seed=11)
    c = X @ Z.T / D
    variances = X.square().sum(1)[:, None] * Z.square().sum(1) / D**2
    assert torch.allclose(dual_tangent_kernel(X, Z, activation="identity"), c + D * c)
    expected = variances + 2 * c**2 + D * c * 4 * c
    assert torch.allclose(dual_tangent_kernel(X, Z, activation="square"), expected)


@pytest.mark.parametrize("bias", [0.0, 1.3])
def test_relu_is_the_kernel_of_the_neighbouring_module(bias):
    X, Z = points(20, seed=12), points(10, seed=13)
    for ours, theirs in zip(BOTH, (random_feature_kernel, tangent_kernel), strict=True):
        assert torch.allclose(ours(X, Z, bias), theirs(X, Z, bias), atol=1e-7)
        assert torch.allclose(ours(X, None, bias), theirs(X, None, bias), atol=1e-12)


@pytest.mark.parametrize("name", ["relu", "erf", "tanh", "square"])
@pytest.mark.parametrize("kernel", BOTH)
def test_gram_matrix_is_symmetric_positive_and_the_same_in_blocks(name, kernel):
    X = points(530, 5, seed=14)  # three blocks of rows of different lengths
    gram = kernel(X, None, 0.4, name)
    assert torch.equal(gram, gram.T)
    assert float(torch.linalg.eigvalsh(gram).min()) > -1e-10 * float(gram.max())
    assert torch.allclose(kernel(X, X[:40], 0.4, name), gram[:, :40], atol=2e-7)  # arc cosine at parallel inputs


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", list(ACTIVATIONS))
def test_diagonal_is_exact_in_both_precisions(name, dtype):
    """E sigma(s u)^2 + |x|^2 E sigma'(s u)^2 in one dimension, here by a plain sum over a fine grid."""
    X, bias = points(7, seed=15, dtype=dtype), 0.6
    extended = X.to(torch.float64).square().sum(1) + bias**2 * D
    z = torch.linspace(-12, 12, 40_001, dtype=torch.float64)
    weights = torch.exp(-z.square() / 2) * float(z[1] - z[0]) / math.sqrt(2 * math.pi)
    activation = activation_of(name)
    before = (extended / D).sqrt()[:, None] * z
    exact = activation(before).square() @ weights + extended * (activation.derivative(before).square() @ weights)
    gram = dual_tangent_kernel(X, None, bias, name)
    assert gram.dtype == dtype
    # the grid cuts a step of ReLU's derivative somewhere in 6e-4: 1e-4 of the mean
    rtol = 3e-4 if name == "relu" else 4e-6 if dtype == torch.float32 else 1e-10
    assert torch.allclose(gram.diagonal().to(torch.float64), exact, rtol=rtol)


def test_kinked_diagonal_is_exact_in_single_precision():
    X = sphere(300, D, generator_for(16, "x"), torch.float32)
    exact = X.square().sum(1) * (1 + 1 / D) / 2
    assert torch.allclose(dual_tangent_kernel(X).diagonal(), exact, rtol=1e-6)
    by_arc_cosine = dual_tangent_kernel(X, X.clone()).diagonal()
    assert 1e-5 < float((by_arc_cosine / exact - 1).abs().max()) < 1e-3  # what would be lost without it


def test_a_row_of_zeros_sees_the_activation_at_zero():
    """At x = 0 without bias every neuron has the value sigma(0)."""
    X = torch.cat([torch.zeros(1, D, dtype=torch.float64), points(3, seed=17)])
    gram = dual_random_feature_kernel(X, activation="sigmoid")
    assert torch.allclose(gram[0], torch.full((4,), 0.25, dtype=torch.float64), atol=1e-12)  # E sigmoid = 1/2
    assert float(dual_tangent_kernel(X)[0].abs().max()) == 0


def test_bad_input_is_refused_with_a_sentence():
    X = points(3)
    with pytest.raises(BadParameter, match="did you mean 'softplus'"):
        dual_tangent_kernel(X, activation="softpluss")
    with pytest.raises(BadParameter, match=r"Z has shape \(3, 5\)"):
        dual_tangent_kernel(X, X[:, :5])
    with pytest.raises(BadParameter, match="Z is of dtype torch.float32"):
        dual_tangent_kernel(X, X.to(torch.float32))
    with pytest.raises(BadParameter, match="bias = -1"):
        dual_random_feature_kernel(X, bias=-1)
    with pytest.raises(BadParameter, match="not finite"):
        dual_random_feature_kernel(X / 0)
    with pytest.raises(BadParameter, match=r"shape \(0, 6\)"):
        dual_random_feature_kernel(X[:0])
    with pytest.raises(BadParameter, match="jumps at z = 0"):
        dual_tangent_kernel(X, activation=torch.sign)
    with pytest.raises(BadParameter, match="has not settled"):
        dual_tangent_kernel(1e4 * X, activation="tanh")
