"""The exact kernel, loss and gradient, against quadrature, samples, differences of the loss and cases by hand."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad

from beyond_kernel.checks import BadParameter
from beyond_kernel.feature_learning.population_kernel import (
    absolute_kernel,
    kernel_slope,
    masses,
    population_loss,
    potential,
    pull,
    residual,
)
from beyond_kernel.foundations.learning.arc_cosine import relu_means
from beyond_kernel.random_streams import generator_for


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=generator_for(seed, "test", *shape), dtype=torch.float64)


def network(m=6, d=4, r=3, seed=0):
    V = torch.nn.functional.normalize(drawn(r, d, seed=seed + 1), dim=1)
    return drawn(m, d, seed=seed), drawn(m, seed=seed + 2), V, drawn(r, seed=seed + 3)


def by_quadrature(cosine: float) -> float:
    """E|u||v| - 2/pi in polar coordinates: E r^2 = 2, and the mean over the angle of |cos t| |cos(t - theta)|."""
    theta = math.acos(cosine)
    kinks = sorted({math.pi / 2, (math.pi / 2 + theta) % math.pi})
    mean = quad(lambda t: abs(math.cos(t) * math.cos(t - theta)), 0, math.pi, points=kinks)[0] / math.pi
    return 2 * mean - 2 / math.pi


def test_the_kernel_is_the_integral_and_the_sum_of_two_arc_cosine_kernels():
    rho = torch.linspace(-1, 1, 21, dtype=torch.float64)
    one = torch.ones((), dtype=torch.float64)
    known = 2 * (relu_means(rho, one, one, 0) + relu_means(-rho, one, one, 0)) - 2 / math.pi
    theta = torch.stack((rho.acos(), (-rho).acos()))
    cho_saul = (theta.sin() + (math.pi - theta) * theta.cos()) / math.pi  # of order 1, twice the mean of two ReLUs
    np.testing.assert_allclose(absolute_kernel(rho), cho_saul.sum(0) - 2 / math.pi, atol=1e-12)
    np.testing.assert_allclose(absolute_kernel(rho), known, atol=1e-12)
    np.testing.assert_allclose(absolute_kernel(rho), [by_quadrature(float(c)) for c in rho], atol=1e-9)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_nothing_breaks_where_two_neurons_lie_on_one_line(dtype):
    ends = torch.tensor([-1 - 1e-6, -1, 0, 1, 1 + 1e-6], dtype=dtype)
    np.testing.assert_allclose(absolute_kernel(ends), [1 - 2 / math.pi] * 2 + [0] + [1 - 2 / math.pi] * 2, atol=1e-6)
    np.testing.assert_allclose(kernel_slope(ends), [-1, -1, 0, 1, 1], atol=1e-6)
    W = torch.tensor([[3.0, 4.0], [3.0, 4.0], [-3.0, -4.0], [0.0, 0.0]], dtype=dtype)
    a = torch.tensor([1.0, 2.0, -1.0, 1.0], dtype=dtype)
    V, b = W[:1] / 5, torch.tensor([10.0], dtype=dtype)
    assert float(population_loss(W, a, V, b)) == pytest.approx(0, abs=1e-5)  # 5 (1 + 2 - 1) = 10: the same function
    assert np.isfinite(pull(*(tensor.numpy() for tensor in (W, a, V, b)))).all()
    assert population_loss(W, a, V, b).dtype == absolute_kernel(ends).dtype == dtype


def test_the_slope_is_the_derivative():
    rho = torch.linspace(-0.95, 0.95, 11, dtype=torch.float64, requires_grad=True)
    absolute_kernel(rho).sum().backward()
    np.testing.assert_allclose(kernel_slope(rho.detach()), rho.grad, atol=1e-12)


def test_the_loss_is_that_of_a_large_sample():
    W, a, V, b = network()
    X = drawn(400_000, 4, seed=5)
    f = (X @ W.T).abs() @ a - (X @ V.T).abs() @ b
    losses = (f - f.mean()).square() / 2
    assert abs(float(losses.mean() - population_loss(W, a, V, b))) < 4 * float(losses.std()) / math.sqrt(len(X))


def test_one_neuron_by_hand():
    """Students at right angles to the teacher have k = 0, so the loss is (c^2 + b^2) (1 - 2/pi) / 2."""
    V, b = torch.tensor([[1.0, 0.0]], dtype=torch.float64), torch.tensor([2.0], dtype=torch.float64)
    W, a = torch.tensor([[0.0, 3.0]], dtype=torch.float64), torch.tensor([-0.5], dtype=torch.float64)
    assert float(population_loss(W, a, V, b)) == pytest.approx((1.5**2 + 4) * (1 - 2 / math.pi) / 2)
    # the gradient of |w| k at a right angle is (2/pi) (0 w + 0 v): only the student's own (1 - 2/pi) w stays
    np.testing.assert_allclose(pull(*(x.numpy() for x in (W, a, V, b))), [[0, -1.5 * (1 - 2 / math.pi)]], atol=1e-12)


def test_the_pull_gives_both_gradients_of_the_loss():
    """Central differences of the loss in every weight, neurons and head."""
    W, a, V, b = network()
    e = torch.from_numpy(pull(*(x.numpy() for x in (W, a, V, b))))
    small = 1e-6

    def slope(move_W, move_a):
        up, down = (population_loss(W + s * move_W, a + s * move_a, V, b) for s in (small, -small))
        return float(up - down) / (2 * small)

    for j in range(len(W)):
        spot = torch.zeros_like(a)
        spot[j] = 1
        assert slope(torch.zeros_like(W), spot) == pytest.approx(float(W[j] @ e[j]), abs=2e-8)
        for i in range(W.shape[1]):
            move = torch.zeros_like(W)
            move[j, i] = 1
            assert slope(move, torch.zeros_like(a)) == pytest.approx(float(a[j] * e[j, i]), abs=2e-8)


def test_a_batch_is_its_members_and_shares_a_teacher():
    W, a, V, b = network()
    many = population_loss(torch.stack((W, 2 * W)), torch.stack((a, -a)), V, b)
    np.testing.assert_allclose(many, [population_loss(W, a, V, b), population_loss(2 * W, -a, V, b)], rtol=1e-12)
    np.testing.assert_allclose(masses(W, a), a * W.norm(dim=1))


def test_the_potential_is_the_derivative_of_the_loss_in_a_mass():
    W, a, V, b = network()
    points, weights = residual(W, a, V, b)
    U = torch.nn.functional.normalize(drawn(5, 4, seed=9), dim=1)
    small = 1e-6
    for j in range(5):
        losses = [
            population_loss(torch.cat((W, U[j : j + 1])), torch.cat((a, a.new_tensor([s]))), V, b)
            for s in (small, -small)
        ]
        slope = float(losses[0] - losses[1]) / (2 * small)
        assert float(potential(U, points, weights)[j]) == pytest.approx(slope, abs=1e-8)


def test_bad_input_is_a_sentence():
    W, a, V, b = network()
    with pytest.raises(BadParameter, match=r"a has shape \(5,\): it must have shape \(6,\)"):
        population_loss(W, a[:5], V, b)
    with pytest.raises(BadParameter, match=r"V has shape \(3, 3\): it must fit W of shape \(6, 4\)"):
        population_loss(W, a, V[:, :3], b)
    with pytest.raises(BadParameter, match="W holds 1 entries that are not finite"):
        masses(torch.where(W == W[0, 0], torch.nan, W), a)
    with pytest.raises(TypeError, match="W"):
        masses(W.int(), a)
    with pytest.raises(BadParameter, match=r"U has shape \(4,\)"):
        potential(W[0], V, b)
