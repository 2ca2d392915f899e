"""Recursive features on addition modulo p, where the kernel is quadratic and everything is a form x' B x.

Inputs are pairs (a, b) as two one-hot vectors side by side, labels a + b modulo p as a one-hot vector. The kernel
(x' M z)^2 fits the training pairs exactly in every round, and still it may know nothing about the others.
"""

import torch

from beyond_kernel.checks import BadParameter, floating, matrix, real_number, whole_number

PENALTY = 1e-8
"""Ridge penalty in units of the mean diagonal entry of the kernel, small enough to fit training pairs to rounding."""
POWER = 0.5
"""The next metric is the average gradient outer product to this power. In trials with the power 1 the loop stopped at a
fifth of the test pairs where it came to three quarters with the root."""


def modular_pairs(
    modulus: int, dtype: torch.dtype = torch.float64, device: torch.device | str = "cpu"
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return all pairs (a, b) as inputs of two ones each, and their sums modulo p.

    Args:
        modulus: p, at least 2.
        dtype: of the inputs.
        device: where both are to lie.

    Returns:
        Inputs, of shape (p^2, 2 p), and sums, whole numbers, of shape (p^2,).

    Raises:
        BadParameter: if p is below 2.

    Source: Mallinar et al. 2025. Chapter: recursive_features.

    >>> X, sums = modular_pairs(3)
    >>> X[5].tolist(), int(sums[5])  # the pair (1, 2)
    ([0.0, 1.0, 0.0, 0.0, 0.0, 1.0], 0)
    """
    values = torch.arange(whole_number("modulus", modulus, least=2), device=device)
    pairs = torch.cartesian_prod(values, values)
    one_hot = torch.nn.functional.one_hot(pairs, modulus).to(dtype)
    return one_hot.flatten(1), pairs.sum(1) % modulus


def quadratic_forms(
    X: torch.Tensor, outputs: torch.Tensor, metric: torch.Tensor, penalty: float = PENALTY
) -> torch.Tensor:
    """Fit ridge regression with the kernel (x' M z)^2 to several outputs and return each predictor as a form x' B x.

    With dual coefficients c_i the predictor is sum_i c_i (x' M x_i)^2, so B = M (sum_i c_i x_i x_i') M.

    Args:
        X: training inputs, of shape (n, d).
        outputs: what is to be fitted, one column an output, of shape (n, k).
        metric: M, symmetric, of shape (d, d).
        penalty: above 0, in units of the mean diagonal entry of the kernel.

    Returns:
        B for each output, symmetric, of shape (k, d, d).

    Raises:
        BadParameter: if shapes do not fit or the penalty is not above 0.

    Source: derived here. Chapter: recursive_features.
    """
    n, d = matrix("X", X).shape
    if len(matrix("outputs", outputs)) != n:
        raise BadParameter(f"outputs has {len(outputs)} rows: it must have {n}, one an input.")
    if matrix("metric", metric, d).shape[0] != d:
        raise BadParameter(f"metric has shape {tuple(metric.shape)}: it must be square, ({d}, {d}).")
    seen = X @ metric
    kernel = (seen @ X.T).square()
    kernel.diagonal().add_(real_number("penalty", penalty, above=0) * float(kernel.diagonal().mean()))
    dual = torch.cholesky_solve(outputs, torch.linalg.cholesky(kernel))
    return torch.stack([(seen * column[:, None]).T @ seen for column in dual.T])


def form_values(forms: torch.Tensor, X: torch.Tensor) -> torch.Tensor:
    """Return x' B x for every input and form, of shape (n, k).

    Args:
        forms: B, symmetric, of shape (k, d, d).
        X: of shape (n, d).

    Raises:
        BadParameter: if shapes do not fit or an entry is not finite.

    Source: derived here. Chapter: recursive_features.
    """
    _forms(forms, matrix("X", X).shape[1])
    return torch.stack([((X @ form) * X).sum(1) for form in forms], 1)


def metric_of_forms(forms: torch.Tensor, X: torch.Tensor, power: float = POWER) -> torch.Tensor:
    """Return the average outer product of the gradients 2 B x, over inputs and outputs, to a power, scaled to trace d.

    Args:
        forms: B, symmetric, of shape (k, d, d).
        X: the inputs at which gradients are taken, of shape (n, d).
        power: above 0; 1 for the average itself.

    Raises:
        BadParameter: if shapes do not fit, the power is not above 0 or all forms vanish.

    Source: Mallinar et al. 2025. Chapter: recursive_features.
    """
    _forms(forms, matrix("X", X).shape[1])
    real_number("power", power, above=0)
    second_moment = X.T @ X / len(X)
    average = sum(4 * form @ second_moment @ form for form in forms)
    values, vectors = torch.linalg.eigh(average)
    lifted = values.clamp(min=0) ** power
    if not float(lifted.sum()) > 0:
        raise BadParameter("forms are all 0: a constant predictor has no gradient to learn from.")
    return (vectors * (lifted * (len(values) / lifted.sum()))) @ vectors.T


def circulant_share(block: torch.Tensor) -> float:
    """Return the share of the variance of a square block's entries that depends on (column - row) modulo p alone.

    It is 1 for a circulant block, and 1 / (p + 1) on average for one of independent normal entries.

    Args:
        block: of shape (p, p), not constant.

    Raises:
        BadParameter: if the block is not square or constant.

    Source: derived here. Chapter: recursive_features.
    """
    p = matrix("block", block).shape[0]
    if block.shape[1] != p:
        raise BadParameter(f"block has shape {tuple(block.shape)}: it must be square.")
    places = torch.arange(p, device=block.device)
    diagonals = block.gather(1, (places[:, None] + places) % p)  # entry (i, s) is that at (i, i + s)
    variance = float(block.var(correction=0))
    if not variance > 0:
        raise BadParameter("block is constant: nothing in it depends on a place.")
    return float(diagonals.mean(0).var(correction=0)) / variance


def _forms(forms: torch.Tensor, d: int) -> None:
    """Refuse what is no stack of square matrices of size d."""
    floating("forms", forms)
    if forms.ndim != 3 or forms.shape[1:] != (d, d):
        raise BadParameter(f"forms has shape {tuple(forms.shape)}: it must be (k, {d}, {d}).")
