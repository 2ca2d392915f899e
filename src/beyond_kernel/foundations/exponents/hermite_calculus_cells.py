"""The experiments of chapter hermite_calculus: averages over samples, each beside what the calculus predicts for it."""

import math

import numpy as np
import torch

from beyond_kernel.checks import BadParameter, real_number, whole_number
from beyond_kernel.foundations.exponents.hermite_calculus import exponent_of, second_moment, transformation_of
from beyond_kernel.foundations.exponents.links import as_link
from beyond_kernel.foundations.inputs.laws import gaussian
from beyond_kernel.foundations.targets.hermite import hermite_table
from beyond_kernel.foundations.targets.hermite_tensors import stein_terms
from beyond_kernel.foundations.targets.target import parse_target
from beyond_kernel.random_streams import generator_for

_ROWS_AT_ONCE = 16_384  # the Hermite tables of so many rows stay in the cache


def dual_cell(link: str, correlation: float, n: int, *, device: str = "cpu", seed: int) -> dict[str, float]:
    """Return ``dual``: the mean of f(u) f(v) over n pairs of normal variables of this correlation, over E f^2."""
    real_number("correlation", correlation, least=-1, most=1)
    draws = gaussian(n, 2, generator_for(seed, "pairs")).to(device)
    given, u = as_link(link), draws[:, 0]
    v = correlation * u + math.sqrt(1 - correlation**2) * draws[:, 1]
    return {"dual": float((given(u) * given(v)).mean()) / second_moment(link)}


def stein_cell(target: str, q: int, k: int, n: int, *, device: str = "cpu", seed: int) -> dict[str, float]:
    """Compare the means of f(x) He_k(x) and of grad^k f(x) over n Gaussian points with the exact C_k.

    The target lives on its own q variables, so that its hidden directions are the axes.

    Returns:
        ``error``: Frobenius distance of the two means from C_k, as an array; ``expected``: what their covariance
        predicts for it, sqrt(trace / n); ``gap``: root mean square over the entries of the difference of the two
        means in units of its standard error, about 1 where Stein's identity holds.
    """
    truth = parse_target(target, q, directions=torch.eye(q, dtype=torch.float64, device="cpu"))
    X = gaussian(n, q, generator_for(seed, "stein", n)).to(device)
    exact = truth.tensor(k).flatten().to(X)
    sides = [side.flatten(1) for side in stein_terms(truth, X, k)]
    difference = sides[0] - sides[1]
    noisy = difference.std(0) > 1e-12
    ratios = difference.mean(0)[noisy] / (difference.std(0)[noisy] / n**0.5)
    return {
        "error": np.array([float((side.mean(0) - exact).norm()) for side in sides]),
        "expected": np.array([float((side.var(0).sum() / n).sqrt()) for side in sides]),
        "gap": float(ratios.square().mean().sqrt()) if noisy.any() else float("nan"),
    }


def direction_cell(link: str, d: int, n: int, transformed: bool, *, device: str = "cpu", seed: int) -> dict[str, float]:
    """Look for the direction u of y = f(<u, x>) in the moment of order k of n labels, k the generative exponent.

    With k = 1 the estimate is the mean of T(y) x, with k = 2 the top eigenvector of the mean of T(y) (x x^T - I). T(y)
    is E[h_k | y], or y itself less its mean.

    Returns:
        ``overlap``: squared cosine between estimate and u; a direction drawn at random has 1 / d on average.

    Raises:
        BadParameter: if the generative exponent of the link is above 2.
    """
    k = exponent_of(link)
    if k > 2:
        raise BadParameter(f"link = {link!r} has generative exponent {k}: a vector or a matrix shows only 1 or 2.")
    X = gaussian(n, whole_number("d", d), generator_for(seed, "directions", d)).to(device)
    y = as_link(link)(X[:, 0])  # by symmetry u may be the first axis
    weights = transformation_of(link, k)(y) if transformed else y - y.mean()
    if k == 1:
        estimate = weights @ X
    else:
        identity = torch.eye(d, dtype=X.dtype, device=X.device)
        values, vectors = torch.linalg.eigh((X * weights[:, None]).T @ X / n - weights.mean() * identity)
        estimate = vectors[:, values.abs().argmax()]
    return {"overlap": float(estimate[0] ** 2 / estimate.square().sum())}


def sampled_energy_cell(max_degree: int, n: int, *, device: str = "cpu", seed: int) -> dict[str, np.ndarray]:
    """Return ``energy``: the means of h_k(z)^2 over n draws, k = 0, ..., max_degree; each has expectation 1."""
    z = gaussian(n, 1, generator_for(seed, "energies")).to(device).ravel()
    total = sum(hermite_table(max_degree, rows).square().sum(1) for rows in z.split(_ROWS_AT_ONCE))
    return {"energy": (total / n).cpu().numpy()}
