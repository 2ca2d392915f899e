"""Finite features for the tangent kernel: all gradients of a network, one direction a neuron, and TensorSketch."""

import math
from dataclasses import dataclass

import torch

from beyond_kernel.checks import BadParameter, matrix, whole_number
from beyond_kernel.kernel_regime.activations import AnyActivation, activation_of


@dataclass(frozen=True)
class TensorSketch:
    """A random linear map of u (x) v, all products of entries of u in R^m and v in R^d, to a few numbers.

    Attributes:
        first_buckets: bucket in 0, ..., size - 1 of each entry of u, of shape (m,).
        first_signs: sign +-1 of each entry of u, of shape (m,).
        second_buckets: buckets of the entries of v, of shape (d,).
        second_signs: signs of the entries of v, of shape (d,).
        size: number of features.

    Source: Pham and Pagh 2013. Chapter: tangent_kernel.
    """

    first_buckets: torch.Tensor
    first_signs: torch.Tensor
    second_buckets: torch.Tensor
    second_signs: torch.Tensor
    size: int

    def __call__(self, U: torch.Tensor, V: torch.Tensor) -> torch.Tensor:
        """Return the sketches of u_i (x) v_i for the rows of U and V, of shape (n, size), without forming u_i (x) v_i.

        The product u_j v_k goes to bucket h(j) + g(k) modulo size with the product of both signs. Counting u and v into
        buckets one by one and convolving the two counts does just that, and a convolution is a product after a Fourier
        transform.

        Args:
            U: of shape (n, m).
            V: of shape (n, d).

        Raises:
            BadParameter: if the shapes do not fit.
        """
        matrix("U", U, len(self.first_buckets))
        matrix("V", V, len(self.second_buckets))
        first = _count(U, self.first_buckets, self.first_signs, self.size)
        second = _count(V, self.second_buckets, self.second_signs, self.size)
        return torch.fft.irfft(torch.fft.rfft(first) * torch.fft.rfft(second), n=self.size)


def draw_tensor_sketch(width: int, d: int, size: int, generator: torch.Generator) -> TensorSketch:
    """Draw the buckets and signs of a TensorSketch of R^width (x) R^d.

    Args:
        width: entries of the first factor.
        d: entries of the second factor.
        size: number of features.
        generator: source of the randomness; buckets and signs lie on its device and follow the rows to theirs.

    Raises:
        BadParameter: if a number is below 1.

    Source: Pham and Pagh 2013. Chapter: tangent_kernel.
    """
    whole_number("size", size)
    parts = []
    for entries in (whole_number("width", width), whole_number("d", d)):
        parts.append(torch.randint(size, (entries,), generator=generator, device=generator.device))
        parts.append(2 * torch.randint(2, (entries,), generator=generator, device=generator.device) - 1)
    return TensorSketch(*parts, size)


def tensor_sketch_variance(U: torch.Tensor, V: torch.Tensor, size: int) -> torch.Tensor:
    """Return the variance of the inner product of the sketches of u (x) v and u' (x) v' for all pairs of rows.

    Its mean is (u.u') (v.v'). Let A_u = sum_{i != j} u_i^2 u'_j^2 and B_u = sum_{i != j} u_i u'_i u_j u'_j, and the
    same for v. Over the draw of independent buckets and signs the variance is

        [(u.u')^2 (A_v + B_v) + (v.v')^2 (A_u + B_u) + A_u A_v + B_u B_v] / size + g (A_u B_v + B_u A_v) / size^2,

    with g = 1 for an odd and 2 for an even size.

    Args:
        U: the factors u, of shape (n, m).
        V: the factors v, of shape (n, d).
        size: number of features.

    Returns:
        Variances of shape (n, n).

    Raises:
        BadParameter: if there are not as many rows in V as in U, or size is below 1.

    Source: derived here, by counting which products of four signs have a mean. Chapter: tangent_kernel.
    """
    if len(matrix("U", U)) != len(matrix("V", V)):
        raise BadParameter(f"V has {len(V)} rows and U has {len(U)}: they must have equally many.")
    whole_number("size", size)
    (inner_u, a_u, b_u), (inner_v, a_v, b_v) = _crossed(U), _crossed(V)
    collisions = inner_u.square() * (a_v + b_v) + inner_v.square() * (a_u + b_u) + a_u * a_v + b_u * b_v
    return collisions / size + (2 - size % 2) * (a_u * b_v + b_u * a_v) / size**2


def values_and_slopes(
    X: torch.Tensor, W: torch.Tensor, activation: AnyActivation = "relu"
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return sigma(w_j . x_i) / sqrt(m) and sigma'(w_j . x_i) / sqrt(m), each of shape (n, m).

    Args:
        X: of shape (n, d).
        W: first layer, of shape (m, d).
        activation: a name or an elementwise torch function.

    Raises:
        BadParameter: if shapes do not fit or the activation cannot be used.

    Chapter: tangent_kernel.
    """
    before = matrix("X", X) @ matrix("W", W, X.shape[1]).T
    chosen = activation_of(activation)
    return chosen.function(before) / math.sqrt(len(W)), chosen.derivative(before) / math.sqrt(len(W))


def gradient_features(X: torch.Tensor, W: torch.Tensor, activation: AnyActivation = "relu") -> torch.Tensor:
    """Return the gradient of a network with a_j = +-1 in all its weights, up to signs: m (d + 1) features an input.

    Args:
        X: of shape (n, d).
        W: first layer, of shape (m, d).
        activation: a name or an elementwise torch function.

    Returns:
        Features of shape (n, m (d + 1)), whose inner products are the empirical tangent kernel.

    Raises:
        BadParameter: if shapes do not fit or the activation cannot be used.

    Chapter: tangent_kernel.
    """
    values, slopes = values_and_slopes(X, W, activation)
    return torch.cat([values, (slopes[:, :, None] * X[:, None, :]).flatten(1)], 1)


def direction_features(
    X: torch.Tensor, W: torch.Tensor, directions: torch.Tensor, activation: AnyActivation = "relu"
) -> torch.Tensor:
    """Return, for each neuron, its value and the derivative along one random direction g_j ~ N(0, I_d): 2 m features.

    E <g, x> <g, z> = x . z, so the inner products have the tangent kernel as their mean.

    Args:
        X: of shape (n, d).
        W: first layer, of shape (m, d).
        directions: the g_j, of shape (m, d).
        activation: a name or an elementwise torch function.

    Raises:
        BadParameter: if shapes do not fit or the activation cannot be used.

    Chapter: tangent_kernel.
    """
    values, slopes = values_and_slopes(X, W, activation)
    return torch.cat([values, slopes * (X @ matrix("directions", directions, X.shape[1]).T)], 1)


def sketched_features(
    X: torch.Tensor, W: torch.Tensor, sketch: TensorSketch, activation: AnyActivation = "relu"
) -> torch.Tensor:
    """Return the values of m neurons and the TensorSketch of their m d derivatives: m + size features an input.

    Args:
        X: of shape (n, d).
        W: first layer, of shape (m, d).
        sketch: of R^m (x) R^d.
        activation: a name or an elementwise torch function.

    Raises:
        BadParameter: if shapes do not fit or the activation cannot be used.

    Source: Han, Avron, Shoham, Kim, Shin 2021 (TensorSketch for the first-layer part). Chapter: tangent_kernel.
    """
    values, slopes = values_and_slopes(X, W, activation)
    return torch.cat([values, sketch(slopes, X)], 1)


def _count(rows: torch.Tensor, buckets: torch.Tensor, signs: torch.Tensor, size: int) -> torch.Tensor:
    counts = torch.zeros(len(rows), size, dtype=rows.dtype, device=rows.device)
    return counts.index_add_(1, buckets.to(rows.device), rows * signs.to(rows))


def _crossed(rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    squares = rows.square()
    inner, same = rows @ rows.T, squares @ squares.T
    lengths = squares.sum(1)
    return inner, lengths[:, None] * lengths - same, inner.square() - same
