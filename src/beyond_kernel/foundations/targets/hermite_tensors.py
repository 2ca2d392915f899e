"""Hermite polynomials of several variables as symmetric tensors, and Stein's identity between f He_k and grad^k f."""

import math
from collections.abc import Callable

import torch

from beyond_kernel.checks import BadParameter, matrix, whole_number
from beyond_kernel.foundations.targets.target import Target

_MOST_ENTRIES = 50_000_000


def hermite_tensors(X: torch.Tensor, k: int) -> list[torch.Tensor]:
    """Return the Hermite tensors He_0(x), ..., He_k(x) at the rows of X.

    The entry of He_k with multi-index alpha (alpha_i of the k indices are i) is prod_i He_{alpha_i}(x_i). The
    recurrence He_{k+1} = x (x) He_k - sum_j delta_{0j} He_{k-1} puts the new index in front and takes away, for every
    other index j, the identity between the two. So no polynomial of one variable is needed.

    Args:
        X: points, shape (n, d).
        k: highest order, at least 0.

    Returns:
        Tensors of shape (n,), (n, d), ..., (n, d, ..., d), dtype and device of X; symmetric in their last indices.

    Raises:
        BadParameter: if X or k is out of range, or the last tensor has more than 5e7 entries.
        TypeError: if X is no floating-point tensor.

    Source: Damian, Lee and Soltanolkotabi (2022), appendix A.1, for the tensors. Chapter: hermite_calculus.
    """
    n, d = matrix("X", X).shape
    if n * d ** whole_number("k", k, least=0) > _MOST_ENTRIES:
        raise BadParameter(f"k = {k} is out of range: {n} tensors of order {k} in d = {d} have more than 5e7 entries.")
    table = [torch.ones(n, dtype=X.dtype, device=X.device), X]
    identity = torch.eye(d, dtype=X.dtype, device=X.device)
    for order in range(1, k):
        longer = torch.einsum("ni,n...->ni...", X, table[order])
        for place in range(order):
            pair = torch.einsum("n...,ij->nij...", table[order - 1], identity)
            longer = longer - pair.movedim(2, 2 + place)
        table.append(longer)
    return table[: k + 1]


def tensor_expansion(target: Target, X: torch.Tensor) -> torch.Tensor:
    """Return sum_k <C_k, He_k(z)> / k! at the rows of X, z the coordinates of x in the frame: it is the target.

    Args:
        target: the target with its Hermite tensors C_k = E[grad^k f].
        X: inputs, shape (n, d).

    Returns:
        Tensor of shape (n,), dtype and device of X.

    Raises:
        BadParameter: if X is not of shape (n, d), or the tensors are too large.

    Source: Damian, Lee and Soltanolkotabi (2022), appendix A.1. Chapter: hermite_calculus.
    """
    table = hermite_tensors(matrix("X", X, target.dim) @ target.frame.to(X), target.degree)
    products = [(target.tensor(k).to(X) * table[k]).flatten(1).sum(1) for k in range(1, target.degree + 1)]
    total = target.tensor(0).to(X) * table[0]
    return total + sum(product / math.factorial(k) for k, product in enumerate(products, start=1))


def derivatives(function: Callable[[torch.Tensor], torch.Tensor], X: torch.Tensor, k: int) -> torch.Tensor:
    """Return the k-th derivatives of a function at the rows of X by automatic differentiation.

    Args:
        function: maps (n, d) to (n,), row by row, and is differentiable k times.
        X: points, shape (n, d).
        k: the order, at least 0; the cost grows like d^(k-1) gradients.

    Returns:
        Tensor of shape (n, d, ..., d), dtype and device of X.

    Raises:
        BadParameter: if X or k is out of range, or the function does not return one value a row.

    Chapter: hermite_calculus.
    """
    n, d = matrix("X", X).shape
    whole_number("k", k, least=0)
    points = X.detach().requires_grad_()
    values = function(points)
    if values.shape != (n,):
        raise BadParameter(f"function returned shape {tuple(values.shape)} for {n} rows: it must be one value a row.")
    columns = [values]
    for left in range(k - 1, -1, -1):
        columns = [slope for column in columns for slope in _slopes(column, points, keep=left > 0)]
    return torch.stack([column.detach() for column in columns], 1).reshape(n, *[d] * k)


def stein_terms(
    function: Callable[[torch.Tensor], torch.Tensor], X: torch.Tensor, k: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return f(x) He_k(x) and grad^k f(x) at the rows of X; for Gaussian x both have the mean E[grad^k f] = C_k.

    Args:
        function: maps (n, d) to (n,), row by row, and is differentiable k times.
        X: Gaussian points, shape (n, d).
        k: the order, at least 0.

    Returns:
        Two tensors of shape (n, d, ..., d).

    Raises:
        BadParameter: as ``hermite_tensors`` and ``derivatives``.

    Source: k integrations by parts, derived in the chapter. Chapter: hermite_calculus.
    """
    tensor = hermite_tensors(X, k)[k]
    values = function(X).detach()
    return values.reshape(-1, *[1] * k) * tensor, derivatives(function, X, k)


def _slopes(values: torch.Tensor, points: torch.Tensor, keep: bool) -> tuple[torch.Tensor, ...]:
    """Return the d partial derivatives of values that depend row by row on points."""
    if not values.requires_grad:  # a derivative that is constant
        return tuple(torch.zeros_like(points).unbind(1))
    (slope,) = torch.autograd.grad(values.sum(), points, create_graph=keep, retain_graph=True, allow_unused=True)
    return (torch.zeros_like(points) if slope is None else slope).unbind(1)
