"""The kernel against the bivariate normal, quadrature, sampling and autograd; training against autograd."""

import math

import pytest
import torch
from scipy.integrate import quad
from scipy.special import ndtr
from scipy.stats import multivariate_normal

from beyond_kernel.checks import BadParameter
from beyond_kernel.foundations.inputs.laws import gaussian, sphere
from beyond_kernel.foundations.learning.networks import TwoLayerNetwork
from beyond_kernel.kernel_regime.sparse_bias import (
    active_fraction,
    blind_fraction,
    empirical_kernel,
    kernel_losses,
    sparse_bias_init,
    sparse_bias_kernel,
    sparse_bias_profile,
    train_first_layer,
)
from beyond_kernel.random_streams import generator_for

D = 6


def points(n: int, d: int = D, seed: int = 0, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return gaussian(n, d, generator_for(seed, "points"), dtype)


def on_sphere(n: int, d: int = D, seed: int = 0, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return sphere(n, d, generator_for(seed, "sphere"), dtype)


def at_angle(theta: float, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    """Two inputs of length sqrt(2) at an angle."""
    return 2**0.5 * torch.tensor([[1.0, 0.0], [math.cos(theta), math.sin(theta)]], dtype=dtype)


@pytest.mark.parametrize("offset", [-1.0, 0.0, 0.7, 2.5])
@pytest.mark.parametrize("law", [points, on_sphere])
def test_kernel_is_the_probability_of_the_bivariate_normal(law, offset):
    """Lengths that differ (Gaussian inputs) and lengths that do not, against scipy's distribution function."""
    X, Z = law(4), law(5, seed=1)
    kernel = sparse_bias_kernel(X, Z, offset)
    for i, x in enumerate(X):
        for j, z in enumerate(Z):
            covariance = torch.stack([x, z]) @ torch.stack([x, z]).T / D
            # P(u >= B, v >= B) = P(-u <= -B, -v <= -B)
            both = multivariate_normal(cov=covariance.numpy(), abseps=1e-9).cdf([-offset, -offset])
            assert float(kernel[i, j]) == pytest.approx(float(x @ z / D + 1) * both, abs=1e-8)


@pytest.mark.parametrize("offset", [0.5, 3.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_kernel_is_the_integral_over_one_pre_activation(offset, dtype):
    """P = int_B^inf phi(u) Phi((rho u - B) / sqrt(1 - rho^2)) du, by quadrature, from small to nearly flat angles."""
    for theta in (0.01, 0.5, 1.5, 2.5, 3.1):
        cosine, sine = math.cos(theta), math.sin(theta)

        def density(u, cosine=cosine, sine=sine):
            return math.exp(-(u**2) / 2) / math.sqrt(2 * math.pi) * ndtr((cosine * u - offset) / sine)

        both = quad(density, offset, offset + 12, epsabs=1e-14, epsrel=1e-11, limit=200)[0]
        kernel = float(sparse_bias_kernel(at_angle(theta, dtype), offset=offset)[0, 1])
        # rounding of the inputs moves the angle by eps, and P by no more
        assert kernel == pytest.approx((cosine + 1) * both, abs=8 * torch.finfo(dtype).eps)


@pytest.mark.parametrize("offset", [0.0, 1.0])
def test_kernel_is_the_mean_of_products_of_autograd_gradients(offset):
    """Monte Carlo over neurons of the gradients in sqrt(d) w and b, within 4.5 standard errors."""
    X = on_sphere(4, seed=2)
    W, b = points(3_000, seed=3), torch.full((3_000,), -offset, dtype=torch.float64)

    def neuron(w, bias, x):
        return torch.relu(w @ x / D**0.5 + bias)

    slopes = torch.func.vmap(
        torch.func.vmap(torch.func.grad(neuron, argnums=(0, 1)), in_dims=(0, 0, None)), in_dims=(None, None, 0)
    )(W, b, X)
    products = torch.einsum("nmi,kmi->mnk", slopes[0], slopes[0]) + torch.einsum("nm,km->mnk", slopes[1], slopes[1])
    errors = (products.mean(0) - sparse_bias_kernel(X, offset=offset)).abs() / (products.std(0) / len(W) ** 0.5)
    assert float(errors.max()) < 4.5


def test_without_a_shift_it_is_the_arc_cosine_kernel_of_order_zero():
    X = points(7, seed=4)
    units = X / X.norm(dim=1, keepdim=True)
    arc = 0.5 - torch.acos((units @ units.T).clamp(-1, 1)) / (2 * math.pi)
    assert torch.allclose(sparse_bias_kernel(X), (X @ X.T / D + 1) * arc, atol=1e-7)  # acos at 1 has half the digits


@pytest.mark.parametrize("offset", [0.3, 1.0, 2.0])
def test_profile_is_the_series_in_the_cosine(offset):
    """Mehler: P = Phi(-B)^2 + phi(B)^2 sum_k He_{k-1}(B)^2 t^k / k!, from the Hermite coefficients of 1[u >= B]."""
    t = torch.linspace(-0.7, 0.7, 9, dtype=torch.float64)
    density = math.exp(-(offset**2) / 2) / math.sqrt(2 * math.pi)
    both, hermite, before = torch.full_like(t, ndtr(-offset) ** 2), 1.0, 0.0
    for k in range(1, 100):  # 0.7^100 is below 1e-15
        both += density**2 * hermite**2 * t**k
        # hermite is He_{k-1}(B) / sqrt(k!), which stays bounded
        hermite, before = offset * hermite / math.sqrt(k + 1) - before * (k - 1) / math.sqrt(k * (k + 1)), hermite
    assert torch.allclose(sparse_bias_profile(t, offset), (t + 1) * both, rtol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_profile_and_kernel_agree_on_the_sphere(dtype):
    X = on_sphere(30, seed=5, dtype=dtype)
    profile = sparse_bias_profile((X @ X.T / D).clamp(-1, 1).fill_diagonal_(1), 1.2)
    kernel = sparse_bias_kernel(X, offset=1.2)
    assert kernel.dtype == profile.dtype == dtype
    assert torch.allclose(kernel, profile, atol=20 * torch.finfo(dtype).eps)


def test_nearly_parallel_inputs_keep_their_digits():
    """Phi(-B) - P = theta exp(-B^2 / 2) / (2 pi) to second order; the cosine alone would leave 1e-4 of it to chance."""
    theta, offset = 1e-6, 1.0
    kernel = sparse_bias_kernel(at_angle(theta), offset=offset)
    lost = float(kernel[0, 0] - kernel[0, 1]) / 2
    assert lost == pytest.approx(theta * math.exp(-(offset**2) / 2) / (2 * math.pi), rel=1e-6)


def test_parallel_and_opposite_inputs():
    """On a ray the shorter input decides; at opposite inputs both exceed B only if B is below zero."""
    x = on_sphere(1, seed=6)
    assert float(sparse_bias_kernel(x, 2 * x, 1.5)) == pytest.approx(3 * ndtr(-1.5))
    assert float(sparse_bias_kernel(2 * x, x, 1.5)) == pytest.approx(3 * ndtr(-1.5))
    assert float(sparse_bias_kernel(x, x.clone(), 1.5)) == pytest.approx(2 * ndtr(-1.5), rel=1e-15)
    assert float(sparse_bias_kernel(x, -2 * x, 1.5)) == pytest.approx(0, abs=1e-16)
    between = ndtr(0.25) - ndtr(-0.5)  # -0.5 <= u and -2 u >= -0.5
    assert float(sparse_bias_kernel(x, -2 * x, -0.5)) == pytest.approx(-between)


@pytest.mark.parametrize("offset", [-0.5, 0.0, 1.0, 3.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gram_matrix_is_symmetric_positive_and_exact_on_the_diagonal(offset, dtype):
    X = torch.cat([points(300, 4, seed=7), on_sphere(20, 4, seed=8)])
    X = torch.cat([X, X[:2], -X[2:4], 3 * X[4:6]]).to(dtype)  # repeated, opposite and parallel rows
    gram = sparse_bias_kernel(X, offset=offset)
    assert gram.dtype == dtype and torch.equal(gram, gram.T)
    eps = torch.finfo(dtype).eps
    assert float(torch.linalg.eigvalsh(gram.double())[0]) > -2 * eps * float(gram.trace())
    lengths = X.double().square().sum(1) / 4
    expected = (lengths + 1) * torch.special.ndtr(-offset / lengths.sqrt())
    assert torch.allclose(gram.diagonal(), expected.to(dtype), rtol=8 * eps)
    assert torch.allclose(sparse_bias_kernel(X, X.clone(), offset), gram, rtol=0, atol=64 * eps)


def test_kernel_does_not_see_rotations_and_takes_rows_one_by_one():
    X, Z = points(300, seed=9), points(7, seed=10)
    rotation = torch.linalg.qr(points(D, seed=11)).Q
    kernel = sparse_bias_kernel(X, Z, 1.0)
    assert torch.allclose(sparse_bias_kernel(X @ rotation, Z @ rotation, 1.0), kernel, atol=1e-12)
    assert torch.allclose(sparse_bias_kernel(X[270:271], Z, 1.0), kernel[270:271], atol=1e-14)


def test_empirical_kernel_is_the_autograd_jacobian_and_tends_to_the_limit():
    X = on_sphere(5, seed=12)
    network = sparse_bias_init(40, D, 0.6, generator_for(0, "w"))

    def output(weights, b):
        return torch.relu(X @ weights.T / D**0.5 + b) @ network.a

    slopes = torch.func.jacrev(output, argnums=(0, 1))(network.W * D**0.5, network.b)
    jacobian = torch.cat([slopes[0].flatten(1), slopes[1]], 1)
    assert torch.allclose(empirical_kernel(network, X), jacobian @ jacobian.T, atol=1e-13)
    wide = empirical_kernel(sparse_bias_init(400_000, D, 0.6, generator_for(1, "w")), X)
    limit = sparse_bias_kernel(X, offset=0.6)
    both = limit / (X @ X.T / D + 1)
    chance = (X @ X.T / D + 1) * (both * (1 - both) / 200_000).sqrt()  # twins: half of the neurons are independent
    assert float(((wide - limit) / chance).abs().max()) < 4.5


def test_training_is_gradient_descent_by_autograd():
    X, y = points(12, seed=13), points(12, 1, seed=14)[:, 0]
    network = sparse_bias_init(20, D, 0.4, generator_for(2, "w"))
    trained = train_first_layer(network, X, y, 0.3, 5)
    weights, b = (network.W * D**0.5).requires_grad_(), network.b.clone().requires_grad_()
    losses = []
    for _ in range(5):
        loss = (torch.relu(X @ weights.T / D**0.5 + b) @ network.a - y).square().mean()
        losses.append(float(loss.detach()))
        slopes = torch.autograd.grad(loss, (weights, b))
        weights = (weights - 0.3 * slopes[0]).detach().requires_grad_()
        b = (b - 0.3 * slopes[1]).detach().requires_grad_()
    assert torch.allclose(trained.network.W * D**0.5, weights, atol=1e-13)
    assert torch.allclose(trained.network.b, b, atol=1e-13)
    assert trained.losses[:5].tolist() == pytest.approx(losses, rel=1e-12)
    assert float(trained.losses[5]) == pytest.approx(float((trained.network(X) - y).square().mean()), rel=1e-12)
    assert float(trained.active[0]) == pytest.approx(active_fraction(network, X))
    assert float(trained.active[5]) == pytest.approx(active_fraction(trained.network, X))
    assert torch.equal(network.b, torch.full((20,), -0.4, dtype=torch.float64))  # the start is left as it was


def test_losses_of_the_kernel_are_those_of_its_own_gradient_descent():
    X, y = points(8, seed=15), points(8, 1, seed=16)[:, 0]
    gram = sparse_bias_kernel(X, offset=0.5)
    residual, losses = -y, []
    for _ in range(7):
        losses.append(float(residual.square().mean()))
        residual = residual - 2 * 0.9 / 8 * gram @ residual
    assert kernel_losses(gram, y, 0.9, 6).tolist() == pytest.approx(losses, rel=1e-10)


def test_a_wide_network_follows_its_kernel():
    """Largest gap of the two loss curves, in units of the loss at the start: at most 0.0124 in 40 other seeds."""
    X = on_sphere(20, seed=17)
    y = X[:, 0]
    gram = sparse_bias_kernel(X, offset=1.0)
    step = 20 / (4 * float(torch.linalg.eigvalsh(gram)[-1]))
    network = sparse_bias_init(20_000, D, 1.0, generator_for(3, "w"))
    losses = train_first_layer(network, X, y, step, 20).losses
    assert float((losses - kernel_losses(gram, y, step, 20)).abs().max() / losses[0]) < 0.025


def test_fractions_by_hand():
    """Neurons that see x > 1, x > 2, x < -3 on a line: one of three at 1.5, two at 2.5, none at 0."""
    network = TwoLayerNetwork(torch.tensor([[1.0], [1.0], [-1.0]]), torch.ones(3), torch.tensor([-1.0, -2.0, -3.0]))
    X = torch.tensor([[1.5], [2.5], [0.0], [-4.0]])
    assert active_fraction(network, X) == pytest.approx((1 + 2 + 0 + 1) / 12)
    assert blind_fraction(network, X) == pytest.approx(1 / 4)


def test_bad_input_is_refused_with_a_sentence():
    X, y = points(3), torch.ones(3, dtype=torch.float64)
    network = sparse_bias_init(4, D, 1.0, generator_for(0, "w"))
    with pytest.raises(BadParameter, match="X has a row of zeros at 1"):
        sparse_bias_kernel(torch.stack([X[0], 0 * X[1]]), X)
    with pytest.raises(BadParameter, match="not finite"):
        sparse_bias_kernel(X, X / 0)
    with pytest.raises(BadParameter, match=r"Z has shape \(3, 5\)"):
        sparse_bias_kernel(X, X[:, :5])
    for bad in (math.nan, math.inf, True, "1"):
        with pytest.raises(BadParameter, match="offset"):
            sparse_bias_kernel(X, offset=bad)
    with pytest.raises(BadParameter, match="outside"):
        sparse_bias_profile(torch.tensor([0.0, 1.1]), 1.0)
    with pytest.raises(BadParameter, match="outside"):
        sparse_bias_profile(torch.tensor([0.0, math.nan]), 1.0)
    with pytest.raises(BadParameter, match="width = 3 is odd"):
        sparse_bias_init(3, D, 1.0, generator_for(0, "w"))
    with pytest.raises(BadParameter, match="step"):
        train_first_layer(network, X, y, 0.0, 3)
    with pytest.raises(BadParameter, match="steps"):
        train_first_layer(network, X, y, 1.0, 0)
    with pytest.raises(BadParameter, match=r"y has shape \(2,\)"):
        train_first_layer(network, X, y[:2], 1.0, 3)
    with pytest.raises(BadParameter, match=r"gram has shape \(3, 2\)"):
        kernel_losses(points(3, 2), y, 1.0, 3)
    with pytest.raises(TypeError, match="floating-point"):
        sparse_bias_kernel(torch.ones(3, 2, dtype=torch.int64))


def test_empty_input_is_refused():
    with pytest.raises(BadParameter, match="non-empty"):
        sparse_bias_kernel(torch.empty(0, 3))
