"""The tangent kernel of one network of finite width, without any Jacobian."""

import torch

from beyond_kernel.checks import BadParameter, matrix, vector
from beyond_kernel.kernel_regime.activations import Activation, AnyActivation, activation_of

BLOCK = 256
"""Rows that are computed at once, so that the intermediates stay in cache."""


def empirical_tangent_kernel(
    X: torch.Tensor,
    Z: torch.Tensor | None,
    W: torch.Tensor,
    a: torch.Tensor,
    activation: AnyActivation = "relu",
) -> torch.Tensor:
    """Return the inner products of the gradients of f(x) = m^{-1/2} sum_j a_j sigma(w_j . x) in all weights W and a.

    With S = sigma(X W^T) and S' = sigma'(X W^T), of shape (n, m), it is

        (1/m) [ (S'_X diag(a)^2 S'_Z^T) * (X Z^T) + S_X S_Z^T ],

    the products * entry by entry. A Jacobian would have n m (d + 1) entries, S and S' have n m. If Z is X only the
    blocks on and above the diagonal are computed and the rest is mirrored.

    Args:
        X: of shape (n, d). A bias is the weight of one more input coordinate of constant value.
        Z: of shape (k, d); None for X itself, and then the result is exactly symmetric.
        W: first layer, one neuron a row, of shape (m, d).
        a: head, of shape (m,).
        activation: a name or an elementwise torch function, see ``activation_of``.

    Returns:
        The kernel, of shape (n, k), dtype and device of X.

    Raises:
        BadParameter: if shapes or dtypes do not fit, an entry is not finite or the activation cannot be used.

    Source: derived here from the chain rule; the kernel is that of Jacot, Gabriel, Hongler 2018.
    Chapter: tangent_kernel.
    """
    d = matrix("X", X).shape[1]
    width = matrix("W", W, d).shape[0]
    vector("a", a, width)
    other = X if Z is None else matrix("Z", Z, d)
    for name, tensor in (("Z", other), ("W", W), ("a", a)):
        if tensor.dtype != X.dtype:
            raise BadParameter(f"{name} is of dtype {tensor.dtype} and X of {X.dtype}: both must be the same.")
    chosen = activation_of(activation)
    left = _features(X, W, a, chosen)
    right = left if Z is None else _features(other, W, a, chosen)
    return _products(X, other, left, right, width, mirrored=Z is None)


def _features(
    points: torch.Tensor, W: torch.Tensor, a: torch.Tensor, activation: Activation
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return sigma(P W^T) and |a| sigma'(P W^T), of shape (n, m), in row blocks."""
    values = torch.empty(len(points), len(W), dtype=points.dtype, device=points.device)
    slopes = torch.empty_like(values)
    weights = None if bool((a.abs() == 1).all()) else a.abs()
    for start in range(0, len(points), BLOCK):
        rows = slice(start, start + BLOCK)
        before = points[rows] @ W.T
        values[rows] = activation.function(before)
        slopes[rows] = activation.derivative(before)
        if weights is not None:
            slopes[rows] *= weights
    return values, slopes


def _products(
    X: torch.Tensor,
    Z: torch.Tensor,
    left: tuple[torch.Tensor, torch.Tensor],
    right: tuple[torch.Tensor, torch.Tensor],
    width: int,
    mirrored: bool,
) -> torch.Tensor:
    out = torch.empty(len(X), len(Z), dtype=X.dtype, device=X.device)
    for start in range(0, len(X), BLOCK):
        rows, columns = slice(start, start + BLOCK), slice(start if mirrored else 0, None)
        block = torch.mm(left[1][rows], right[1][columns].T)
        block *= torch.mm(X[rows], Z[columns].T)
        block.addmm_(left[0][rows], right[0][columns].T)
        out[rows, columns] = block.div_(width)
        if mirrored:
            square = out[rows, rows]
            square.copy_((square + square.T) / 2)  # a product may differ from its mirror image in the last bit
            out[start + BLOCK :, rows] = out[rows, start + BLOCK :].T
    return out
