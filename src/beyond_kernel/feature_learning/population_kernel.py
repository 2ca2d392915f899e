"""Networks of centred absolute values under Gaussian inputs: their exact kernel, loss and gradient, without samples.

The student is f(x) = sum_j a_j phi(w_j), phi(w) = |<w, x>| - sqrt(2/pi) |w| with x ~ N(0, I). For unit vectors of
cosine rho, E phi(u) phi(v) = k(rho) = (2/pi) (sqrt(1 - rho^2) + rho arcsin rho - 1), so the loss is a quadratic form in
the masses a_j |w_j|. A ReLU without its mean and its linear part is half of phi.
"""

import math

import numpy as np
import torch

from beyond_kernel.checks import BadParameter, floating

_SCALE = 2 / math.pi


def absolute_kernel(cosines: torch.Tensor) -> torch.Tensor:
    """Return k(rho), the covariance of |<u, x>| and |<v, x>| for unit vectors of cosine rho.

    Args:
        cosines: rho, any shape; what rounding has put beyond 1 or -1 counts as 1 or -1.

    Returns:
        Tensor of the shape, dtype and device of ``cosines``; 1 - 2/pi where rho is 1 or -1.

    Raises:
        TypeError: if cosines is no floating-point tensor.

    Source: derived here; the sum of the arc-cosine kernels of order 1 of Cho and Saul 2009 at rho and -rho, less 2/pi.
    Chapter: local_recovery.
    """
    rho = floating("cosines", cosines).clamp(-1, 1)
    return _SCALE * ((1 - rho.square()).sqrt() + rho * rho.asin() - 1)


def kernel_slope(cosines: torch.Tensor) -> torch.Tensor:
    """Return k'(rho) = (2/pi) arcsin rho.

    Args:
        cosines: rho, any shape.

    Returns:
        Tensor of the shape, dtype and device of ``cosines``.

    Raises:
        TypeError: if cosines is no floating-point tensor.

    Source: derived here. Chapter: local_recovery.
    """
    return _SCALE * floating("cosines", cosines).clamp(-1, 1).asin()


def masses(W: torch.Tensor, a: torch.Tensor) -> torch.Tensor:
    """Return a_j |w_j|, the weight with which the unit neuron of each direction enters the function.

    Args:
        W: neurons, one a row, shape (..., m, d).
        a: their head, shape (..., m).

    Returns:
        Tensor of shape (..., m).

    Raises:
        BadParameter: if the shapes do not fit.
        TypeError: if an argument is no floating-point tensor.

    Chapter: local_recovery.
    """
    return check_neurons(W, a)[1] * W.norm(dim=-1)


def population_loss(W: torch.Tensor, a: torch.Tensor, V: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Return E (f - f*)^2 / 2 for the student (W, a) and the teacher (V, b).

    Args:
        W: neurons of the student, shape (..., m, d).
        a: their head, shape (..., m).
        V: neurons of the teacher, shape (..., r, d), one teacher for all students of a batch or one for each.
        b: their head, shape (..., r).

    Returns:
        Tensor of shape (...), at least 0 up to rounding.

    Raises:
        BadParameter: if the shapes do not fit.
        TypeError: if an argument is no floating-point tensor.

    Source: derived here. Chapter: local_recovery.
    """
    points, weights = residual(W, a, V, b)
    gram = absolute_kernel(points @ points.mT)
    return (weights[..., None, :] @ gram @ weights[..., None])[..., 0, 0] / 2


def residual(W: torch.Tensor, a: torch.Tensor, V: torch.Tensor, b: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return f - f* as a sum over unit neurons.

    Args:
        W: neurons of the student, shape (..., m, d).
        a: their head, shape (..., m).
        V: neurons of the teacher, shape (..., r, d).
        b: their head, shape (..., r).

    Returns:
        (unit vectors (..., m + r, d), their masses (..., m + r), those of the teacher with a minus); a vector of
        length zero stays zero.

    Raises:
        BadParameter: if the shapes do not fit.
        TypeError: if an argument is no floating-point tensor.

    Chapter: local_recovery.
    """
    check_neurons(W, a)
    check_neurons(V, b, "V", "b")
    if (
        W.shape[-1] != V.shape[-1]
        or V.ndim > W.ndim
        or any(size not in (1, batch) for size, batch in zip(V.shape[-3::-1], W.shape[-3::-1], strict=False))
    ):
        raise BadParameter(f"V has shape {tuple(V.shape)}: it must fit W of shape {tuple(W.shape)}.")
    points = [torch.nn.functional.normalize(neurons, dim=-1, eps=1e-30) for neurons in (W, V)]
    points[1] = points[1].expand(*W.shape[:-2], -1, -1)
    return torch.cat(points, dim=-2), torch.cat((masses(W, a), -masses(V, b).expand(*W.shape[:-2], -1)), dim=-1)


def potential(U: torch.Tensor, points: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Return <g, phi(u)> for g = sum_i weights_i phi(points_i) at unit vectors u.

    Args:
        U: where, unit rows, shape (..., M, d).
        points: unit rows, shape (..., N, d).
        weights: shape (..., N).

    Returns:
        Tensor of shape (..., M); at the students themselves, with g = f - f*, the derivative of the loss in their mass.

    Raises:
        BadParameter: if the shapes do not fit.
        TypeError: if an argument is no floating-point tensor.

    Chapter: local_recovery.
    """
    check_neurons(points, weights, "points", "weights")
    if floating("U", U).ndim < 2 or U.shape[-1] != points.shape[-1]:
        raise BadParameter(f"U has shape {tuple(U.shape)}: it must have shape (..., M, {points.shape[-1]}).")
    return (absolute_kernel(U @ points.mT) @ weights[..., None])[..., 0]


def pull(W: np.ndarray, a: np.ndarray, V: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return e_j = grad_w E (f - f*) phi(w) at w = w_j, from which both gradients of the loss follow.

    The gradient in w_j is a_j e_j, and that in a_j is <w_j, e_j>, since phi is homogeneous. With rho_i the cosines and
    c_i the masses, those of the teacher with a minus, it is
    e = (2/pi) sum_i c_i ((sqrt(1 - rho_i^2) - 1) u + arcsin(rho_i) v_i).

    Args:
        W: neurons of the student, shape (..., m, d): plain numpy, since this is the inner loop of all descents.
        a: their head, shape (..., m).
        V: unit neurons of the teacher, shape (..., r, d).
        b: their head, shape (..., r).

    Returns:
        Array of shape (..., m, d).

    Source: derived here. Chapter: local_recovery.
    """
    size = np.sqrt((W * W).sum(-1, keepdims=True))
    U = W / np.maximum(size, 1e-30)
    points, c = np.concatenate((U, V), -2), np.concatenate((a * size[..., 0], -b), -1)[..., None]
    rho = U @ np.swapaxes(points, -1, -2)
    np.clip(rho, -1, 1, out=rho)
    fall = np.sqrt(1 - rho * rho)
    along = fall @ c - c.sum(-2, keepdims=True)
    return _SCALE * (along * U + np.arcsin(rho, out=rho) @ (c * points))


def check_rows(name: str, tensor: torch.Tensor) -> torch.Tensor:
    """Return a tensor if it holds rows: floating-point, finite, of shape (..., m, d).

    Args:
        name: what it is called in a message.
        tensor: the rows.

    Raises:
        BadParameter: if the shape is another or an entry is not finite.
        TypeError: if it is no floating-point tensor.

    Chapter: local_recovery.
    """
    if floating(name, tensor).ndim < 2 or 0 in tensor.shape:
        raise BadParameter(f"{name} has shape {tuple(tensor.shape)}: it must have shape (..., m, d), non-empty.")
    return _finite(name, tensor)


def check_neurons(
    W: torch.Tensor, a: torch.Tensor, first: str = "W", head: str = "a"
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return neurons and head if they fit each other.

    Args:
        W: neurons, one a row, shape (..., m, d).
        a: their head, shape (..., m).
        first: what the neurons are called in a message.
        head: what the head is called in a message.

    Raises:
        BadParameter: if the shapes do not fit or an entry is not finite.
        TypeError: if an argument is no floating-point tensor.

    Chapter: local_recovery.
    """
    check_rows(first, W)
    if floating(head, a).shape != W.shape[:-1]:
        if 0 < a.ndim < W.ndim - 1:  # a size too many in W rather than one too few in a
            raise BadParameter(f"{first} has shape {tuple(W.shape)}: it must have shape {(*a.shape, W.shape[-1])}.")
        raise BadParameter(f"{head} has shape {tuple(a.shape)}: it must have shape {tuple(W.shape[:-1])}.")
    return W, _finite(head, a)


def _finite(name: str, tensor: torch.Tensor) -> torch.Tensor:
    if not torch.isfinite(tensor).all():
        missing = int((~torch.isfinite(tensor)).sum())
        raise BadParameter(f"{name} holds {missing} entries that are not finite: they must be numbers.")
    return tensor
