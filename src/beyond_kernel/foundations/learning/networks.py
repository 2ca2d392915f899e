"""Two-layer ReLU networks and the symmetric initialisation at which they vanish."""

from dataclasses import dataclass

import torch

from beyond_kernel.checks import BadParameter, matrix, vector, whole_number

BLOCK = 4096
"""Rows of inputs that are handled at once, so that the (rows, m) intermediates stay small."""


@dataclass(frozen=True)
class TwoLayerNetwork:
    """The network f(x) = sum_j a_j relu(w_j . x + b_j).

    Attributes:
        W: first-layer weights, one neuron a row, of shape (m, d).
        a: head, of shape (m,).
        b: biases, of shape (m,).

    Source: Damian, Lee, Soltanolkotabi 2022, Section 2.2. Chapter: one_step.
    """

    W: torch.Tensor
    a: torch.Tensor
    b: torch.Tensor

    def __post_init__(self) -> None:
        width = matrix("W", self.W).shape[0]
        vector("a", self.a, width)
        vector("b", self.b, width)

    def features(self, X: torch.Tensor) -> torch.Tensor:
        """Return relu(X W^T + b), of shape (n, m)."""
        matrix("X", X, self.W.shape[1])
        return torch.addmm(self.b, X, self.W.T).relu_()

    def __call__(self, X: torch.Tensor) -> torch.Tensor:
        """Return f at the rows of X, of shape (n,), in blocks of rows."""
        matrix("X", X, self.W.shape[1])
        return torch.cat([self.features(block) @ self.a for block in X.split(BLOCK)])


def symmetric_init(
    width: int, d: int, generator: torch.Generator, dtype: torch.dtype = torch.float64
) -> TwoLayerNetwork:
    """Draw a network that is zero everywhere: its second half repeats the first with the sign of the head turned.

    The first half has a_j uniform on {-1, 1}, w_j ~ N(0, I_d / d) and b_j = 0; then a_{m/2+j} = -a_j, w_{m/2+j} = w_j.

    Args:
        width: m, even.
        d: input dimension.
        generator: source of the weights.
        dtype: of all three tensors.

    Raises:
        BadParameter: if width is odd or below 2, or d is below 1.

    Source: Damian, Lee, Soltanolkotabi 2022, Section 2.2 (whose index m - j is read as "the other half").
    Chapter: one_step.
    """
    if whole_number("width", width, least=2) % 2:
        raise BadParameter(f"width = {width} is odd: the symmetric initialisation pairs neurons, so it must be even.")
    half = width // 2
    W = torch.randn(half, whole_number("d", d), generator=generator, dtype=dtype) / d**0.5
    a = 2 * torch.randint(2, (half,), generator=generator).to(dtype) - 1
    return TwoLayerNetwork(torch.cat([W, W]), torch.cat([a, -a]), torch.zeros(width, dtype=dtype))
