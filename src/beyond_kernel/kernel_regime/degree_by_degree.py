"""What kernel ridge regression has learnt of each degree of a target, from n samples."""

import math

import numpy as np
import torch

from beyond_kernel.foundations.measures import excess_risk, learnt_fractions
from beyond_kernel.foundations.ridge import fit_kernel_ridge
from beyond_kernel.foundations.samples import draw_problem
from beyond_kernel.foundations.targets import Target, parse_target
from beyond_kernel.kernel_regime.tangent_kernel import KERNELS
from beyond_kernel.parameters import BadParameter, one_of, whole_number


def degrees_of(target: Target) -> list[int]:
    """Return the degrees k >= 1 in which a target has energy, ascending."""
    return [k for k, energy in enumerate(target.energy_by_degree().tolist()) if k and energy > 0]


def multiplicity(d: int, k: int) -> int:
    """Return the dimension of the space of spherical harmonics of degree k in d dimensions, d^k / k! to leading order.

    Args:
        d: dimension of the space that holds the sphere, at least 2.
        k: degree.

    Raises:
        BadParameter: if d is below 2 or k is negative.

    Source: any text on spherical harmonics; binomial(d + k - 1, k) - binomial(d + k - 3, k - 2).
    Chapter: degree_by_degree.
    """
    whole_number("d", d, least=2)
    whole_number("k", k, least=0)
    return math.comb(d + k - 1, k) - (math.comb(d + k - 3, k - 2) if k >= 2 else 0)


def spread_text(target: Target) -> str:
    """Return a target with the same energy in each degree that depends on all d directions instead of a few.

    Its part of degree k is the normalised sum of z1...zk, z(k+1)...z(2k), and so on through all coordinates.

    Args:
        target: the target whose energies are kept; its dimension must be at least its degree.

    Raises:
        BadParameter: if the dimension is below the degree.

    Chapter: degree_by_degree.
    """
    d = target.dim
    if d < target.degree:
        raise BadParameter(
            f"d = {d} is below the degree {target.degree} of the target: no product of distinct z exists."
        )
    parts = []
    for k in degrees_of(target):
        blocks = ["*".join(f"z{k * block + i + 1}" for i in range(k)) for block in range(d // k)]
        weight = math.sqrt(float(target.energy_by_degree()[k]) / len(blocks))
        parts.append(f"{weight:.15f}*({' + '.join(blocks)})")
    return " + ".join(parts)


def rotation_bound(target: Target, n: float) -> float:
    """Return a risk that no rotation-invariant kernel method can undercut with n samples on the sphere.

    The degree-k part of x -> sum_i c_i K(x_i, x) lies in a space of dimension n at most, whatever the coefficients.
    Among the multiplicity(d, k) harmonics of that degree, a target turned by a random rotation has on average the share
    n / multiplicity(d, k) of its energy in a fixed space of dimension n. Hence, on average over the sample,

        risk >= sum_k E_k max(0, 1 - n / multiplicity(d, k)),

    with E_k the energy of degree k on the sphere. Derived here; exact where the parts of the target are harmonic, as
    products of distinct variables are.

    Args:
        target: polynomial target on the sphere of radius sqrt(d).
        n: number of samples.

    Chapter: degree_by_degree.
    """
    d, bound = target.dim, 0.0
    for k in degrees_of(target):
        shrink = math.prod(d / (d + 2 * i) for i in range(k))  # E of a harmonic square, sphere against Gaussian
        energy = shrink * float(target.energy_by_degree()[k])
        bound += energy * max(0.0, 1 - n / multiplicity(d, k))
    return bound


def learning_cell(
    target: str,
    d: int,
    n: int,
    kernel: str,
    noise: float,
    seed: int,
    spread: bool = False,
    law: str = "sphere",
    bias: float = 1.0,
) -> dict[str, np.ndarray | float]:
    """Fit kernel ridge regression on n samples and measure how much of each degree of the target it has learnt.

    Args:
        target: text of the target; it is scaled to E f^2 = 1 under Gaussian inputs.
        d: input dimension.
        n: training samples.
        kernel: "random features" or "tangent".
        noise: standard deviation of the label noise.
        seed: of everything drawn.
        spread: replace the target by its twin on all d directions, ``spread_text``.
        law: "sphere", "gaussian" or "hypercube".
        bias: standard deviation of the neurons' biases.

    Returns:
        ``fractions``: one a degree of ``degrees_of``, 0 for nothing learnt and 1 for everything; ``risk``: excess risk.

    Raises:
        BadParameter: if a parameter is out of range.

    Chapter: degree_by_degree.
    """
    gram_of = KERNELS[one_of("kernel", kernel, tuple(KERNELS))]
    truth = parse_target(target, d, seed).normalised()
    if spread:
        truth = parse_target(spread_text(truth), d, seed)
    problem = draw_problem(truth, n, noise, seed, law)
    train, validation, test = problem.train, problem.validation, problem.test
    held_out = gram_of(validation.X, train.X, bias)
    fit = fit_kernel_ridge(gram_of(train.X, bias=bias), train.y, held_out, validation.y)
    prediction = gram_of(test.X, train.X, bias) @ fit.coefficients
    parts = torch.stack([truth.part(k)(test.X) for k in degrees_of(truth)], 1)
    return {
        "fractions": learnt_fractions(prediction, parts).numpy(),
        "risk": excess_risk(prediction, test.truth).value,
    }
