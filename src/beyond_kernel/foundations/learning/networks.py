"""Two-layer ReLU networks, their gradients, and the draws from which everything starts."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol

import torch

from beyond_kernel.checks import BadParameter, floating, matrix, vector, whole_number

BLOCK = 4096
"""Rows of inputs that are handled at once, so that the (rows, m) intermediates stay small."""


@dataclass(frozen=True)
class LossGradient:
    """The loss (1/n) |f(X) - y|^2 of a network on a batch, and its gradient.

    Attributes:
        loss: its value, of shape ().
        by_name: gradient by name of the weights, each of their shape.
        slopes: sigma' at every input and neuron, of shape (n, m); for a ReLU 1 where the neuron is active.
    """

    loss: torch.Tensor
    by_name: dict[str, torch.Tensor]
    slopes: torch.Tensor


class Network(Protocol):
    """What ``descent`` and ``taylor`` ask of a network: a frozen dataclass of weights, its values and its gradient."""

    def __call__(self, X: torch.Tensor) -> torch.Tensor:
        """Return the values at the rows of X, of shape (n,)."""
        ...

    def loss_gradient(self, X: torch.Tensor, y: torch.Tensor) -> LossGradient:
        """Return the loss (1/n) |f(X) - y|^2 and its gradient in all weights."""
        ...


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

    def to(self, like: torch.Tensor) -> "TwoLayerNetwork":
        """Return the network in the dtype and on the device of a tensor."""
        return TwoLayerNetwork(self.W.to(like), self.a.to(like), self.b.to(like))

    def state_dict(self) -> dict[str, torch.Tensor]:
        """Return copies of W, a and b by name: plain tensors, to save with ``torch.save``.

        >>> network = symmetric_init(4, 3, torch.Generator().manual_seed(0))
        >>> {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
        {'W': (4, 3), 'a': (4,), 'b': (4,)}
        """
        return {name: getattr(self, name).detach().clone() for name in ("W", "a", "b")}

    @classmethod
    def from_state_dict(cls, state: Mapping[str, torch.Tensor]) -> "TwoLayerNetwork":
        """Return the network of saved tensors, in their dtype and on their device.

        Args:
            state: W, a and b by name, as from ``torch.load(path, weights_only=True)``.

        Raises:
            BadParameter: if a name is missing or left over, or shapes, dtypes or devices do not fit together.
            TypeError: if it is no mapping, or holds anything but floating-point tensors.
        """
        if not isinstance(state, Mapping):
            raise TypeError(f"state is of type {type(state).__name__}: it must map the names W, a, b to tensors.")
        if set(state) != {"W", "a", "b"}:
            raise BadParameter(f"state has the names {', '.join(sorted(map(str, state)))}: it must have W, a, b.")
        kinds = {f"{floating(name, tensor).dtype} on {tensor.device}" for name, tensor in state.items()}
        if len(kinds) > 1:
            raise BadParameter(f"state holds {' and '.join(sorted(kinds))}: W, a and b must share dtype and device.")
        return cls(**state)

    def loss_gradient(self, X: torch.Tensor, y: torch.Tensor) -> LossGradient:
        """Return the loss (1/n) |f(X) - y|^2 and its gradient in W, a and b.

        With residuals r = f(X) - y and gates g_ij = 1 where neuron j is active at x_i, the gradient in (w_j, b_j) is
        (2 a_j / n) sum_i r_i g_ij (x_i, 1), and in a_j it is (2 / n) sum_i r_i relu(<w_j, x_i> + b_j).

        Source: the chain rule. Chapters: sparse_bias, one_step.
        """
        inner = torch.addmm(self.b, X, self.W.T)
        gates = torch.empty_like(inner)
        torch.gt(inner, 0, out=gates)  # six times faster than through a mask of truth values
        features = inner.relu_()
        residuals = features @ self.a - y
        pull = residuals * (2 / len(y))
        by_name = {
            "W": (gates.T @ (pull[:, None] * X)).mul_(self.a[:, None]),
            "a": features.T @ pull,
            "b": (gates.T @ pull).mul_(self.a),
        }
        return LossGradient(residuals.square().mean(), by_name, gates)


def even_width(name: str, value: int) -> int:
    """Return ``value`` if it is an even whole number of at least 2, as mirrored neurons need.

    Raises:
        BadParameter: otherwise.
    """
    if whole_number(name, value, least=2) % 2:
        raise BadParameter(f"{name} = {value} is odd: mirrored neurons come in pairs, so it must be even.")
    return value


def symmetric_init(
    width: int,
    d: int,
    generator: torch.Generator,
    dtype: torch.dtype = torch.float64,
    device: torch.device | str | None = None,
) -> TwoLayerNetwork:
    """Draw a network of output zero up to rounding: its second half is the first with the sign of the head turned.

    The first half has a_j uniform on {-1, 1}, w_j ~ N(0, I_d / d) and b_j = 0; then a_{m/2+j} = -a_j, w_{m/2+j} = w_j.

    Args:
        width: m, even.
        d: input dimension.
        generator: source of the weights.
        dtype: of all three tensors; each precision has draws of its own.
        device: where the network is to lie; the generator's own where it is left out.

    Raises:
        BadParameter: if width is odd or below 2, or d is below 1.

    Source: Damian, Lee, Soltanolkotabi 2022, Section 2.2 (whose index m - j is read as "the other half").
    Chapter: one_step.

    >>> network = symmetric_init(4, 3, torch.Generator().manual_seed(0))
    >>> bool(network(torch.ones(2, 3, dtype=torch.float64)).abs().max() < 1e-12)
    True
    """
    half = even_width("width", width) // 2
    here = generator.device
    W = (
        torch.randn(half, whole_number("d", d), generator=generator, dtype=dtype, device=here).to(device or here)
        / d**0.5
    )
    a = 2 * torch.randint(2, (half,), generator=generator, device=here).to(W) - 1
    return TwoLayerNetwork(torch.cat([W, W]), torch.cat([a, -a]), torch.zeros(width, dtype=dtype, device=W.device))


def random_network(width: int, directions: torch.Tensor, generator: torch.Generator) -> TwoLayerNetwork:
    """Return neurons that are never trained: w uniform on the unit sphere of a subspace, b ~ N(0, 1), head 0.

    Args:
        width: number of neurons.
        directions: orthonormal basis of the subspace, of shape (d, r), whose dtype and device the network takes; the
            identity for the whole space.
        generator: source of the neurons.

    Raises:
        BadParameter: if width is below 1 or ``directions`` is no matrix.

    Chapters: one_step, frozen_representation.
    """
    rank, here = matrix("directions", directions).shape[1], generator.device
    shape = (whole_number("width", width), rank)
    V = torch.randn(shape, generator=generator, dtype=directions.dtype, device=here).to(directions)
    b = torch.randn(width, generator=generator, dtype=directions.dtype, device=here).to(directions)
    return TwoLayerNetwork(V / V.norm(dim=1, keepdim=True) @ directions.T, torch.zeros_like(b), b)


def with_new_biases(network: TwoLayerNetwork, generator: torch.Generator) -> TwoLayerNetwork:
    """Return the network with biases drawn from N(0, 1).

    Source: Damian, Lee, Soltanolkotabi 2022, Algorithm 1, line 6. Chapter: one_step.
    """
    b = torch.randn(len(network.b), generator=generator, dtype=network.b.dtype, device=generator.device)
    return replace(network, b=b.to(network.b))
