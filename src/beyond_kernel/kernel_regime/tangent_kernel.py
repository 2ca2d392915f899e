"""The exact kernels of the two-layer ReLU network at infinite width: random features and tangent kernel."""

import math

import torch

from beyond_kernel.parameters import BadParameter, matrix, real_number

BLOCK = 256
"""Rows of a Gram matrix that are computed at once, so that the intermediates stay in cache."""


def random_feature_kernel(X: torch.Tensor, Z: torch.Tensor | None = None, bias: float = 0.0) -> torch.Tensor:
    """Return E relu(w . x + b) relu(w . z + b), w ~ N(0, I_d / d), b ~ N(0, bias^2): a head on frozen neurons.

    A bias is the weight of one more input coordinate of constant value bias sqrt(d). With theta the angle between the
    so extended x and z the kernel is |x| |z| (sin theta + (pi - theta) cos theta) / (2 pi d).

    Args:
        X: of shape (n, d).
        Z: of shape (k, d); X itself when left out, and then the diagonal (|x|^2 / d + bias^2) / 2 is exact.
        bias: standard deviation of the biases, at least 0.

    Returns:
        The kernel, of shape (n, k).

    Raises:
        BadParameter: if shapes do not fit, an entry is not finite, bias is negative, or it is 0 and a row is zero.

    Source: Cho and Saul 2009 (arc-cosine kernel of order 1). Chapter: degree_by_degree.
    """
    return _kernel(X, Z, bias, tangent=False)


def tangent_kernel(X: torch.Tensor, Z: torch.Tensor | None = None, bias: float = 0.0) -> torch.Tensor:
    """Return the neural tangent kernel of f(x) = m^{-1/2} sum_j a_j relu(w_j . x + b_j) for m to infinity.

    The head contributes the random-feature kernel; the first layer, with a_j = +-1, contributes
    x . z P(both active) = x . z (pi - theta) / (2 pi), x and z extended by the coordinate bias sqrt(d) as there.

    Args:
        X: of shape (n, d).
        Z: of shape (k, d); X itself when left out, and then the diagonal is exact.
        bias: standard deviation of the biases, at least 0.

    Returns:
        The kernel, of shape (n, k).

    Raises:
        BadParameter: as ``random_feature_kernel``.

    Source: Jacot, Gabriel, Hongler 2018; Cho and Saul 2009 for the two expectations. Chapter: degree_by_degree.
    """
    return _kernel(X, Z, bias, tangent=True)


def _kernel(X: torch.Tensor, Z: torch.Tensor | None, bias: float, tangent: bool) -> torch.Tensor:
    d = matrix("X", X).shape[1]
    real_number("bias", bias, least=0)
    first = _extended(X, bias)
    second = first if Z is None else _extended(matrix("Z", Z, d), bias)
    x_norms, z_norms = _norms("X", first), _norms("Z", second)
    out = torch.empty(len(first), len(second), dtype=X.dtype, device=X.device)
    directions = (second / z_norms[:, None]).T
    for start in range(0, len(first), BLOCK):
        rows = slice(start, start + BLOCK)
        cosine = (first[rows] / x_norms[rows, None] @ directions).clamp_(-1, 1)
        angle_left = math.pi - torch.acos(cosine)
        sine = (1 - cosine.square()).sqrt_()
        values = (sine + angle_left * cosine) / d
        if tangent:
            values += angle_left * cosine
        out[rows] = values * (x_norms[rows, None] * z_norms / (2 * math.pi))
    if Z is None:
        out = (out + out.T) / 2  # a product may differ from its mirror image in the last bit
        out.diagonal().copy_(x_norms.square() * (1 / d + (1 if tangent else 0)) / 2)
    return out


def _extended(points: torch.Tensor, bias: float) -> torch.Tensor:
    if bias == 0:
        return points
    constant = torch.full_like(points[:, :1], bias * points.shape[1] ** 0.5)
    return torch.cat([points, constant], 1)


def _norms(name: str, points: torch.Tensor) -> torch.Tensor:
    norms = points.norm(dim=1)
    if not norms.all():
        raise BadParameter(f"{name} has a row of zeros at {int(norms.argmin())}: the angle to it is not defined.")
    return norms


KERNELS = {"random features": random_feature_kernel, "tangent": tangent_kernel}
