"""The mean of a product of two ReLU neurons under Gaussian inputs: arc-cosine kernels and teachers are made of it."""

import math

import torch


def relu_means(
    covariance: torch.Tensor, x_variance: torch.Tensor, z_variance: torch.Tensor, order: int
) -> torch.Tensor:
    """Return E relu(u) relu(v) for order 0 and P(u > 0, v > 0) for order 1, (u, v) Gaussian with mean zero.

    With theta the angle whose cosine is the correlation, the first is
    sqrt(var u var v) (sin theta + (pi - theta) cos theta) / (2 pi) and the second (pi - theta) / (2 pi);
    at zero variance theta counts as a right angle.

    Args:
        covariance: of u and v, any shape.
        x_variance: of u, broadcast against it.
        z_variance: of v, broadcast against it.
        order: 0 for the function, 1 for its derivative; Cho and Saul count the other way, theirs is 1 - order.

    Source: Cho and Saul 2009 (arc-cosine kernels of order 1 and 0). Chapter: tangent_kernel.
    """
    scale = (x_variance * z_variance).sqrt()  # exact where both are equal, on the diagonal of a kernel
    cosine = (covariance / scale.clamp(min=torch.finfo(scale.dtype).tiny)).clamp(-1, 1)
    left = math.pi - torch.acos(cosine)
    if order:
        return left / (2 * math.pi)
    return scale * ((1 - cosine.square()).sqrt() + left * cosine) / (2 * math.pi)
