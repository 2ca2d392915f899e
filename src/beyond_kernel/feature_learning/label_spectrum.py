"""Estimates of a hidden direction: the mean of weighted inputs, and the leading eigenvector of a second moment.

For y = f(<u, x>) and weights T(y) the matrix (1/n) sum_i T(y_i) (x_i x_i' - I) has the mean
sqrt(2) E[T(y) h_2(z)] u u', where z = <u, x>. It shows u from about
d samples on if T(y) is correlated with h_2(z), even if y itself is not. The mean (1/n) sum_i T(y_i) x_i, of expectation
E[T(y) z] u, shows it where T(y) is correlated with z.
"""

from collections.abc import Callable

import torch

from beyond_kernel.checks import matrix, one_of, vector
from beyond_kernel.feature_learning.scaled_link import ScaledLink, scaled_link
from beyond_kernel.foundations.exponents.label_transformations import label_transformation
from beyond_kernel.foundations.exponents.links import AnyLink

TRANSFORMATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "label itself": lambda y: y,
    "clipped square": lambda y: y.square().clamp(max=4.0),
    "bell": lambda y: torch.exp(-y.square()),
}
"""Functions of a label of mean zero and variance one, by name; ``conditional mean`` is E[h_2(z) | y] of the link."""


def label_spectrum(X: torch.Tensor, weights: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return eigenvalues and eigenvectors of (1/n) sum_i t_i (x_i x_i' - I), t_i the weights less their mean.

    Taking the mean away changes no expectation, since x x' - I has mean zero, and makes the noise smaller.

    Args:
        X: standard Gaussian inputs, shape (n, d).
        weights: T(y_i), shape (n,).

    Returns:
        Eigenvalues, shape (d,), and eigenvectors as columns, shape (d, d), by falling absolute eigenvalue.

    Raises:
        BadParameter: if a shape is wrong or an entry is not finite.
        TypeError: if an argument is no floating-point tensor.

    Source: Damian, Pillaud-Vivien, Lee and Bruna (2024). Chapter: information_exponent.
    """
    n, d = matrix("X", X).shape
    t = vector("weights", weights, n).to(X)
    t = t - t.mean()
    moment = (X * t[:, None]).T @ X / n  # the multiple of I has the factor mean(t) = 0
    values, vectors = torch.linalg.eigh((moment + moment.T) / 2)
    order = values.abs().argsort(descending=True)
    return values[order], vectors[:, order]


def spectral_direction(X: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Return the eigenvector of ``label_spectrum`` with the largest absolute eigenvalue, of length 1 and any sign.

    Args:
        X: standard Gaussian inputs, shape (n, d).
        weights: T(y_i), shape (n,).

    Returns:
        Unit vector of shape (d,), dtype and device of X.

    Raises:
        BadParameter: as ``label_spectrum``.
        TypeError: as ``label_spectrum``.

    Source: Damian, Pillaud-Vivien, Lee and Bruna (2024). Chapter: information_exponent.
    """
    return label_spectrum(X, weights)[1][:, 0]


def mean_direction(X: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Return the direction of the mean of t x, a vector of length 1, or zero where the mean is zero.

    For standard Gaussian inputs and n and d large, with g = E[T(y) z] and weights of mean square one, its overlap with
    u is g / sqrt(g^2 + d / n).

    Args:
        X: standard Gaussian inputs, shape (n, d).
        weights: T(y_i), shape (n,).

    Returns:
        Vector of shape (d,), dtype and device of X.

    Raises:
        BadParameter: if a shape is wrong or an entry is not finite.
        TypeError: if an argument is no floating-point tensor.

    Source: the estimate of a single-index direction by a mean, as old as it is plain. Chapter: information_exponent.
    """
    t = vector("weights", weights, len(matrix("X", X))).to(X)
    return torch.nn.functional.normalize(t @ X, dim=0)


def label_weights(link: AnyLink | ScaledLink, y: torch.Tensor, transformation: str) -> torch.Tensor:
    """Return the weights T(y) of labels by the name of a transformation.

    Args:
        link: f of the labels, scaled to mean zero and variance one; only the conditional mean needs it.
        y: labels of that link without noise, shape (n,).
        transformation: "label itself"; "clipped square", min(y^2, 4); "bell", exp(-y^2); or "conditional mean",
            E[h_2(z) | y], of all transformations the one with the largest correlation with h_2(z).

    Returns:
        Tensor of shape (n,), dtype and device of y.

    Raises:
        BadParameter: if the name is not known, or the link is not accepted.
        TypeError: if y is no floating-point tensor.

    Source: Damian, Pillaud-Vivien, Lee and Bruna (2024) for the last one. Chapter: information_exponent.
    """
    vector("y", y)
    if one_of("transformation", transformation, [*TRANSFORMATIONS, "conditional mean"]) != "conditional mean":
        return TRANSFORMATIONS[transformation](y)
    f = scaled_link(link)
    return label_transformation(f.link, 2)(y * f.deviation + f.mean)
