"""The simulation in d dimensions against autograd on the loss, step by step on the same samples."""

import pytest
import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.feature_learning.online_sgd import (
    correlation_pull,
    draw_weights,
    online_sgd,
    simulated_hitting_steps,
    square_pull,
)
from beyond_kernel.feature_learning.scaled_link import scaled_link

LOSSES = {
    "square": (square_pull, lambda g, z, y: (g(z) - y).square() / 2),
    "correlation": (correlation_pull, lambda g, z, y: -y * g(z)),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(("link", "activation"), [("he3", "he3"), ("he2", "tanh"), ("abs", "relu")])
def test_a_step_is_the_spherical_gradient_step(link, activation, loss, dtype):
    """Autograd through w / |w| gives the gradient along the sphere; samples are drawn as the docstring says."""
    d, replicas, noise = 7, 4, 0.5
    pull, value = LOSSES[loss]
    f, g = scaled_link(link), scaled_link(activation)
    W = draw_weights(replicas, d, torch.Generator().manual_seed(0)).to(dtype)
    u = torch.nn.functional.normalize(torch.arange(1.0, d + 1, dtype=dtype), dim=0)
    rates = torch.tensor([0.05, 0.1, 0.2, 0.4], dtype=dtype)
    walk = online_sgd(link, pull(activation), W, u, rates, torch.Generator().manual_seed(1), noise=noise)
    assert torch.equal(next(walk), W)
    twin = torch.Generator().manual_seed(1)
    for _ in range(3):
        X = torch.randn(replicas, d, generator=twin, dtype=dtype)
        y = f(X @ u) + noise * torch.randn(replicas, generator=twin, dtype=dtype)
        free = W.clone().requires_grad_()
        z = (free / free.norm(dim=1, keepdim=True) * X).sum(1)
        (gradient,) = torch.autograd.grad(value(g, z, y).sum(), free)
        W = W - rates[:, None] * gradient
        W = W / W.norm(dim=1, keepdim=True)
        found = next(walk)
        assert found.dtype == dtype
        torch.testing.assert_close(found, W, rtol=1e-4 if dtype == torch.float32 else 1e-10, atol=1e-5)


def test_hitting_steps_count_from_the_start():
    """Weights at angles that are given by hand reach the level at steps 0, 2 and never."""
    path = [[1.0, 0.1, 0.1], [0.4, 0.3, 0.1], [0.9, -0.6, 0.2], [0.0, 0.0, 0.3]]
    walk = (torch.stack([torch.tensor(row), torch.zeros(3)], 1) for row in path)
    steps = simulated_hitting_steps(walk, torch.tensor([1.0, 0.0]), 3, 0.5)
    assert steps.tolist() == [0.0, 2.0, float("inf")]


def test_weights_are_unit_vectors_and_wrong_input_ends_in_one_sentence():
    generator = torch.Generator().manual_seed(0)
    W, u, rates = draw_weights(5, 3, generator), torch.eye(3).double()[0], torch.full((5,), 0.1).double()
    torch.testing.assert_close(W.norm(dim=1), torch.ones(5).double())
    with pytest.raises(BadParameter, match="norm one"):
        online_sgd("he1", square_pull("he1"), 2 * W, u, rates, generator)
    with pytest.raises(BadParameter, match="u has shape"):
        online_sgd("he1", square_pull("he1"), W, torch.ones(4), rates, generator)
    with pytest.raises(BadParameter, match="noise"):
        online_sgd("he1", square_pull("he1"), W, u, rates, generator, noise=-1.0)
    with pytest.raises(BadParameter, match="no gradient"):
        correlation_pull("step")
