"""What one giant step should find: the population gradient from Hermite tensors, and the overlap it predicts."""

import math
from collections.abc import Sequence

import torch

from beyond_kernel.checks import matrix
from beyond_kernel.foundations.inputs.laws import gaussian
from beyond_kernel.foundations.targets.hermite import relu_coefficients
from beyond_kernel.foundations.targets.target import Target
from beyond_kernel.random_streams import generator_for


def degenerate_hessian(target: Target) -> str | None:
    """Return None if the expected Hessian sees every relevant direction, otherwise a sentence that says what it misses.

    Source: Damian, Lee, Soltanolkotabi 2022, Assumption 2. Chapter: one_step.
    """
    if not target.has_degenerate_hessian:
        return None
    return (
        f"the expected Hessian has rank {target.hessian_rank()} while the target depends on {target.rank} "
        f"direction{'s' if target.rank > 1 else ''}, so Assumption 2 fails"
    )


def population_correlation(target: Target, W: torch.Tensor) -> torch.Tensor:
    """Return E f*(x) x 1{w . x >= 0} for Gaussian x exactly, from the Hermite tensors of a polynomial target.

    For a unit vector w, by Stein's identity,

        sum_k (1/k!) [ c_{k+1} C_{k+1}(w, ..., w, .) + c_{k+2} C_k(w, ..., w) w ],

    with C_k = E grad^k f* and c_k = E relu(z) He_k(z). The term with k = 1 is H w / sqrt(2 pi).

    Args:
        target: polynomial f*.
        W: neurons, of shape (m, d); only their directions matter.

    Returns:
        The population gradient per unit of -2 a_j, of shape (m, d).

    Source: Damian, Lee, Soltanolkotabi 2022, Section 5.1, equation (1). Chapter: one_step.
    """
    unit = matrix("W", W, target.dim) / W.norm(dim=1, keepdim=True)
    latent = unit @ target.frame.to(W)
    c = relu_coefficients(target.degree + 2).to(W)
    total = torch.zeros_like(W)
    for k in range(target.degree + 1):
        if k < target.degree:
            along = _contract(target.tensor(k + 1).to(W), latent, k)
            total += c[k + 1] / math.factorial(k) * along @ target.frame.to(W).T
        value = _contract(target.tensor(k).to(W), latent, k)
        total += c[k + 2] / math.factorial(k) * value[:, None] * unit
    return total


def linear_correlation(target: Target, W: torch.Tensor) -> torch.Tensor:
    """Return the part of ``population_correlation`` that preprocessing takes away: C_1 / 2 + C_0 w / (sqrt(2 pi) |w|).

    Args:
        target: polynomial f*.
        W: neurons, of shape (m, d).
    """
    linear = target.frame.to(matrix("W", W, target.dim)) @ target.tensor(1).to(W)
    return 0.5 * linear + target.mean / math.sqrt(2 * math.pi) * W / W.norm(dim=1, keepdim=True)


def predicted_overlap(n: float, d: int, hessian: torch.Tensor, label_variance: float) -> float:
    """Return the predicted share of the neurons' energy in the hidden subspace after one step.

    The signal H w / sqrt(2 pi) has squared norm |H|_F^2 / (2 pi d) on average over unit w. Taking the moment estimate
    beta away turns the average of y x 1{w . x >= 0} into that of y x (1{w . x >= 0} - 1/2), whose variance is
    label_variance / (4 n) in each of d coordinates. Hence

        1 / (1 + pi d^2 label_variance / (2 n |H|_F^2)),

    a function of n / d^2: the ratio of the mean energies. ``modelled_overlap`` adds what it leaves out. Derived here.

    Args:
        n: number of samples.
        d: input dimension.
        hessian: expected Hessian H, of shape (d, d).
        label_variance: variance of the preprocessed labels, noise included.

    Chapter: one_step.
    """
    energy = float(matrix("hessian", hessian, d).square().sum())
    return 0.0 if energy == 0 else 1 / (1 + math.pi * d**2 * label_variance / (2 * n * energy))


def modelled_overlap(
    target: Target, sizes: Sequence[float], noise: float, seed: int = 0, draws: int = 4000
) -> torch.Tensor:
    """Return the mean overlap of a neuron after one step in a Gaussian model of the gradient, for each sample size.

    A neuron is the exact population gradient plus Gaussian noise of covariance E[y^2 x x^T] / (4 n), y the labels
    without their linear part. Beside ``predicted_overlap`` this keeps that neurons differ (the mean of ratios is no
    ratio of means), that the noise leans towards the subspace, and the higher terms of the gradient. Derived here.

    Args:
        target: polynomial f*.
        sizes: numbers of samples n.
        noise: standard deviation of the label noise.
        seed: of the Monte Carlo average over neurons and of the covariance.
        draws: neurons averaged over.

    Returns:
        Mean overlaps, of shape (len(sizes),).

    Chapter: one_step.
    """
    d, U = target.dim, target.directions
    X = gaussian(20 * draws, d, generator_for(seed, "model inputs"))
    y_squared = sum(target.part(k)(X) for k in range(2, target.degree + 1)).square() + noise**2
    Z = X @ U
    root = torch.linalg.cholesky((y_squared[:, None] * Z).T @ Z / len(X))
    W = gaussian(draws, d, generator_for(seed, "model neurons"))
    W = W / W.norm(dim=1, keepdim=True)
    signal = population_correlation(target, W) - linear_correlation(target, W)
    inside, outside = signal @ U, (signal - signal @ U @ U.T).square().sum(1)
    tilt = gaussian(draws, U.shape[1], generator_for(seed, "model noise")) @ root.T
    overlaps = []
    for n in sizes:
        within = (inside + tilt / math.sqrt(4 * n)).square().sum(1)
        beyond = outside + float(y_squared.mean()) * (d - U.shape[1]) / (4 * n)
        overlaps.append((within / (within + beyond)).mean())
    return torch.stack(overlaps)


def _contract(tensor: torch.Tensor, rows: torch.Tensor, times: int) -> torch.Tensor:
    """Contract the last ``times`` axes of a symmetric tensor with each row: (m,) or (m, q) is left."""
    result = tensor.expand(len(rows), *tensor.shape)
    for _ in range(times):
        result = torch.einsum("m...i,mi->m...", result, rows)
    return result
