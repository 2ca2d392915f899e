"""Inputs with a spike of size d^beta: its strength, the law, and what inputs alone tell, without a label."""

import functools
from collections.abc import Callable

import torch

from beyond_kernel.checks import BadParameter, matrix, real_number, vector, whole_number
from beyond_kernel.foundations.inputs.laws import spiked_gaussian


def spike_strength(beta: float, d: int) -> float:
    """Return theta = d^beta, the strength of a spike in units in which the bulk of the covariance is 1.

    Args:
        beta: from 0, where the spike is of the size of the bulk, to 1, where it holds half of the trace.
        d: dimension, at least 2.

    Raises:
        BadParameter: if an argument is out of range.

    Source: Ba, Erdogdu, Suzuki, Wang and Wu (2023), abstract, for beta below 1. Chapter: structured_inputs.

    >>> spike_strength(0.5, 100)
    10.0
    """
    return float(whole_number("d", d, least=2)) ** real_number("beta", beta, least=0, most=1)


def spiked_law(direction: torch.Tensor, strength: float) -> Callable[..., torch.Tensor]:
    """Return the sampler of N(0, I_d + theta mu mu^T), a function of n, d, a generator and a dtype.

    Args:
        direction: the spike mu, of shape (d,) and length 1.
        strength: theta, above -1.

    Raises:
        BadParameter: if ``direction`` is no unit vector or ``strength`` is out of range; the length of ``direction``
            is held against d when the sampler is called.
        TypeError: if ``direction`` is no floating-point tensor.

    Source: the input law of Ba, Erdogdu, Suzuki, Wang and Wu (2023). Chapter: structured_inputs.
    """
    real_number("strength", strength, above=-1)
    length = float(vector("direction", direction).double().norm())
    if abs(length - 1) > 1e-5:
        raise BadParameter(f"direction has length {length:.6g}: it must be a unit vector.")
    return functools.partial(spiked_gaussian, direction=direction, strength=strength)


def first_component(X: torch.Tensor) -> torch.Tensor:
    """Return the direction of largest second moment of a sample, the top eigenvector of (1/n) X^T X.

    Args:
        X: inputs of mean zero, shape (n, d).

    Returns:
        Unit vector of shape (d,), dtype and device of X; its sign means nothing.

    Raises:
        BadParameter: if X is no matrix or holds entries that are not finite.
        TypeError: if X is no floating-point tensor.

    Source: Pearson's first principal component, without centring. Chapter: structured_inputs.

    >>> first_component(torch.tensor([[0.0, 3.0], [1.0, 0.0]])).abs().tolist()
    [0.0, 1.0]
    """
    return torch.linalg.eigh(matrix("X", X).T @ X / len(X)).eigenvectors[:, -1]


def whitening(X: torch.Tensor) -> torch.Tensor:
    """Return the symmetric matrix S^{-1/2} that gives a sample the second moment I, with S = (1/n) X^T X.

    Args:
        X: inputs of mean zero, shape (n, d), with n at least d.

    Returns:
        Matrix of shape (d, d), dtype and device of X; ``X @ whitening(X)`` has the second moment I.

    Raises:
        BadParameter: if X is no matrix, n is below d, or S has an eigenvalue that is 0 up to rounding.
        TypeError: if X is no floating-point tensor.

    Chapter: structured_inputs.
    """
    n, d = matrix("X", X).shape
    if n < d:
        raise BadParameter(f"X has {n} rows and {d} columns: whitening needs at least as many rows as columns.")
    values, vectors = torch.linalg.eigh(X.T @ X / n)
    if float(values[0]) <= 10 * d * torch.finfo(X.dtype).eps * float(values[-1]):
        raise BadParameter(f"X has a second moment whose least eigenvalue is {float(values[0]):.1e}: it has no root.")
    return (vectors / values.sqrt()) @ vectors.T
