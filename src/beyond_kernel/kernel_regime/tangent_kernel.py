"""The exact kernels of the two-layer network at infinite width: random features and tangent kernel.

For the ReLU by closed form, tile by tile of the Gram matrix; for any other activation by ``dual_kernels``.
"""

import math
from collections.abc import Callable

import torch

from beyond_kernel.checks import BadParameter, matrix, one_of, real_number, whole_number
from beyond_kernel.kernel_regime.activations import AnyActivation, activation_of
from beyond_kernel.kernel_regime.dual_kernels import dual_random_feature_kernel, dual_tangent_kernel

TILE = {"cpu": 256, "elsewhere": 8192}
"""Rows and columns of a Gram matrix that are computed at once. Three tiles of 256 x 256 in float64 fit in a cache of
2 MB. On a GPU, where each operation costs a launch, tiles are large."""


def random_feature_kernel(
    X: torch.Tensor, Z: torch.Tensor | None = None, bias: float = 0.0, activation: AnyActivation = "relu"
) -> torch.Tensor:
    """Return E sigma(w . x + b) sigma(w . z + b), w ~ N(0, I_d / d), b ~ N(0, bias^2): a head on frozen neurons.

    A bias is the weight of one more input coordinate of constant value bias sqrt(d). With theta the angle between the
    so extended x and z the kernel of the ReLU is |x| |z| (sin theta + (pi - theta) cos theta) / (2 pi d).

    Args:
        X: of shape (n, d).
        Z: of shape (k, d); X itself when left out, and then only half of the kernel is computed, it is symmetric to
            the last bit and its diagonal (|x|^2 / d + bias^2) / 2 is exact.
        bias: standard deviation of the biases, at least 0.
        activation: sigma: a name or an elementwise torch function, see ``activation_of``.

    Returns:
        The kernel, of shape (n, k). Where x and z are nearly parallel it has half the digits of its dtype, because
        their angle has; automatic differentiation does not go through it.

    Raises:
        BadParameter: if shapes do not fit, an entry is not finite, bias is negative, or it is 0 and a row is zero; or
            if the activation cannot be used.

    Source: Cho and Saul 2009 (arc-cosine kernel of order 1). Chapter: degree_by_degree.

    >>> X = torch.tensor([[2.0, 0.0], [0.0, 2.0]], dtype=torch.float64)
    >>> random_feature_kernel(X).numpy().round(4).tolist()  # |x|^2 / (2 d), and 1 / pi at a right angle
    [[1.0, 0.3183], [0.3183, 1.0]]
    """
    if activation != "relu":
        return dual_random_feature_kernel(X, Z, bias, activation)
    return _relu_kernel(X, Z, bias, tangent=False)


def tangent_kernel(
    X: torch.Tensor, Z: torch.Tensor | None = None, bias: float = 0.0, activation: AnyActivation = "relu"
) -> torch.Tensor:
    """Return the neural tangent kernel of f(x) = m^{-1/2} sum_j a_j sigma(w_j . x + b_j) for m to infinity.

    The head contributes the random-feature kernel; the first layer of a ReLU network, with a_j = +-1, contributes
    x . z P(both active) = x . z (pi - theta) / (2 pi), x and z extended by the coordinate bias sqrt(d) as there.

    Args:
        X: of shape (n, d).
        Z: of shape (k, d); X itself when left out, as in ``random_feature_kernel``.
        bias: standard deviation of the biases, at least 0.
        activation: sigma: a name or an elementwise torch function, see ``activation_of``.

    Returns:
        The kernel, of shape (n, k), with the precision of ``random_feature_kernel``.

    Raises:
        BadParameter: as ``random_feature_kernel``.

    Source: Jacot, Gabriel, Hongler 2018; Cho and Saul 2009 for the two expectations. Chapter: degree_by_degree.

    >>> X = torch.tensor([[2.0, 0.0], [0.0, 2.0]], dtype=torch.float64)
    >>> tangent_kernel(X).numpy().round(4).tolist()  # at a right angle the first layer adds nothing
    [[3.0, 0.3183], [0.3183, 3.0]]
    """
    if activation != "relu":
        return dual_tangent_kernel(X, Z, bias, activation)
    return _relu_kernel(X, Z, bias, tangent=True)


def _relu_kernel(X: torch.Tensor, Z: torch.Tensor | None, bias: float, tangent: bool) -> torch.Tensor:
    """Fill the kernel tile by tile: no temporary is as large as the result, and all of them are used again."""
    d = matrix("X", X).shape[1]
    real_number("bias", bias, least=0)
    x_norms, x_directions = _polar("X", X, bias)
    z_norms, z_directions = (x_norms, x_directions) if Z is None else _polar("Z", matrix("Z", Z, d), bias)
    out = X.new_empty(len(x_norms), len(z_norms))
    tile = TILE.get(X.device.type, TILE["elsewhere"])
    buffers = [X.new_empty(min(tile, out.shape[0]) * min(tile, out.shape[1])) for _ in range(3)]
    opposite, factors, weight = -z_directions, x_norms[:, None] / (2 * math.pi * d), 1 + d if tangent else 1
    for i in range(0, out.shape[0], tile):
        for j in range(0 if Z is not None else i, out.shape[1], tile):
            rows, columns = slice(i, i + tile), slice(j, j + tile)
            target = out[rows, columns]
            cosine, angle_left, values = (buffer[: target.numel()].view(target.shape) for buffer in buffers)
            torch.mm(x_directions[rows], opposite[columns].T, out=cosine)
            _profile_in_place(cosine, angle_left, values, weight)
            torch.mul(values.mul_(z_norms[columns]), factors[rows], out=target)
            if Z is None:
                out[columns, rows] = (target + target.T) / 2 if i == j else target.T
    if Z is None:
        out.diagonal().copy_(x_norms.square() * (weight / (2 * d)))
    return out


def _profile_in_place(opposite: torch.Tensor, angle_left: torch.Tensor, values: torch.Tensor, weight: float) -> None:
    """Write sin(theta) + weight (pi - theta) cos(theta) into ``values``, given -cos(theta), in six passes.

    The arc cosine of -cos(theta) is pi - theta; sin(theta) comes from the cosine by a square root.
    """
    torch.acos(opposite.clamp_(-1, 1), out=angle_left)
    torch.addcmul(opposite.new_ones(()), opposite, opposite, value=-1, out=values)
    values.sqrt_().addcmul_(angle_left, opposite, value=-weight)


def _polar(name: str, points: torch.Tensor, bias: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Return norms and directions of the points, extended by the coordinate that stands for the bias."""
    if bias:
        points = torch.cat([points, torch.full_like(points[:, :1], bias * points.shape[1] ** 0.5)], 1)
    norms = points.norm(dim=1)
    if not norms.all():
        raise BadParameter(f"{name} has a row of zeros at {int(norms.argmin())}: the angle to it is not defined.")
    return norms, points / norms[:, None]


KERNELS = {"random features": random_feature_kernel, "tangent": tangent_kernel}


def kernel_profile(
    kernel: str, d: int, bias: float = 0.0, activation: AnyActivation = "relu"
) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return t -> K(x, z) for |x| = |z| = sqrt(d) and x . z = t d: the kernel on the sphere as a function of a cosine.

    Args:
        kernel: "random features" or "tangent".
        d: dimension of the inputs.
        bias: standard deviation of the biases, at least 0.
        activation: a name or an elementwise torch function, see ``activation_of``.

    Returns:
        A function of a floating-point tensor of cosines, of any shape, that returns a tensor of that shape.

    Raises:
        BadParameter: if kernel is not known, d is not a whole number above 0, bias is negative, or the activation
            cannot be used.

    Source: as the two kernels. Chapter: degree_by_degree.
    """
    one_of("kernel", kernel, tuple(KERNELS))
    whole_number("d", d)
    real_number("bias", bias, least=0)
    tangent, length = kernel == "tangent", 1 + bias**2
    if activation != "relu":
        activation = activation_of(activation)
    dual = None if activation == "relu" else _plane_profile(d, length, tangent, activation)

    def profile(t: torch.Tensor) -> torch.Tensor:
        cosine = ((t + bias**2) / length).clamp(-1, 1)
        if dual is not None:
            return dual(cosine)
        angle_left, sine = math.pi - torch.acos(cosine), (1 - cosine.square()).sqrt()
        weight = 1 + d if tangent else 1
        return length * (sine + weight * angle_left * cosine) / (2 * math.pi)

    return profile


def _plane_profile(
    d: int, length: float, tangent: bool, activation: AnyActivation
) -> Callable[[torch.Tensor], torch.Tensor]:
    """In the plane the angles are the same, and the first layer's share is 2 / d of what it is in d dimensions."""

    def profile(cosine: torch.Tensor) -> torch.Tensor:
        c = cosine.flatten()
        X = (2 * length) ** 0.5 * torch.stack([c, (1 - c.square()).sqrt()], 1)
        Z = X.new_tensor([[(2 * length) ** 0.5, 0.0]])
        values = dual_random_feature_kernel(X, Z, activation=activation)
        if tangent:
            values += d / 2 * (dual_tangent_kernel(X, Z, activation=activation) - values)
        return values.view(cosine.shape)

    return profile
