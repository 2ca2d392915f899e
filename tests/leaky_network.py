"""The leaky network of torch's own parts and its gradient by autograd: an oracle for tests of implicit low rank."""

import math

import torch
from torch.nn.functional import leaky_relu, softplus

from beyond_kernel.random_streams import generator_for


def drawn(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    """Return normal numbers of a shape."""
    return torch.randn(*shape, generator=generator_for(seed, "test", *shape), dtype=torch.float64).to(dtype)


def by_torch(W: torch.Tensor, X: torch.Tensor, leak: float) -> torch.Tensor:
    """Return the network of torch's own parts."""
    hidden = leaky_relu(X @ W.T, negative_slope=leak)
    half = len(W) // 2
    return (hidden[:, :half].sum(1) - hidden[:, half:].sum(1)) / math.sqrt(len(W))


def gradient_by_torch(W: torch.Tensor, X: torch.Tensor, y: torch.Tensor, leak: float) -> torch.Tensor:
    """Return the gradient of the logistic loss by autograd."""
    W = W.clone().requires_grad_()
    softplus(-y * by_torch(W, X, leak)).mean().backward()
    return W.grad
