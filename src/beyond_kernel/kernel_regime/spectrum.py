"""Eigenvalues of a kernel on the sphere, degree by degree, by the Funk-Hecke formula."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from scipy.linalg import eigh_tridiagonal

from beyond_kernel.checks import BadParameter, whole_number
from beyond_kernel.kernel_regime.tangent_kernel import kernel_profile

NODES = 400
"""Nodes of the quadrature; the rule is exact for polynomials of degree 799."""

MOST_DEGREE = 60
ROUNDING = 100 * torch.finfo(torch.float64).eps
"""Means below this part of K(x, x) are rounding errors of the quadrature, for smooth profiles or d of at least 6.
Below, the kink of a ReLU kernel at cosine 1 leaves more, 1e-8 at d = 3, which symmetry cancels in absent degrees."""


@dataclass(frozen=True)
class SphereSpectrum:
    """Eigenvalues of a kernel K(x, x') = profile(cos) under the uniform law on the sphere.

    Attributes:
        d: dimension of the space that holds the sphere.
        eigenvalues: one a degree, for degrees 0 to max_degree, float64; n times it is an eigenvalue of the Gram matrix.
        multiplicities: dimension of the space of harmonics of each degree, float64.
        trace: K(x, x), the sum of all eigenvalues, each counted as often as its multiplicity says.
    """

    d: int
    eigenvalues: torch.Tensor
    multiplicities: torch.Tensor
    trace: float

    @property
    def shares(self) -> torch.Tensor:
        """The part of the trace that each degree holds, of shape (max_degree + 1,)."""
        return self.eigenvalues * self.multiplicities / self.trace

    @property
    def tail(self) -> float:
        """What the degrees of the spectrum do not hold; exactly zero where rounding errors would explain it."""
        left = self.trace - float(self.eigenvalues @ self.multiplicities)
        held = self.multiplicities[self.eigenvalues != 0]
        # Each mean is known to ROUNDING of the trace, and enters the sum times the root of its multiplicity.
        return left if abs(left) > ROUNDING * abs(self.trace) * (1 + float(held.sqrt().sum())) else 0.0


def multiplicity(d: int, k: int) -> int:
    """Return the dimension of the space of spherical harmonics of degree k in d dimensions, d^k / k! to leading order.

    Args:
        d: dimension of the space that holds the sphere, at least 2.
        k: degree.

    Raises:
        BadParameter: if d is below 2 or k is negative.

    Source: any text on spherical harmonics; binomial(d + k - 1, k) - binomial(d + k - 3, k - 2).
    Chapters: tangent_kernel, degree_by_degree.

    >>> [multiplicity(3, k) for k in range(4)]
    [1, 3, 5, 7]
    """
    whole_number("d", d, least=2)
    whole_number("k", k, least=0)
    return math.comb(d + k - 1, k) - (math.comb(d + k - 3, k - 2) if k >= 2 else 0)


def sphere_spectrum(
    profile: Callable[[torch.Tensor], torch.Tensor], d: int, max_degree: int | None = None, nodes: int = NODES
) -> SphereSpectrum:
    """Return the eigenvalues of the kernel K(x, x') = profile(cos(x, x')), x uniform on the sphere in d dimensions.

    By Funk and Hecke's formula every harmonic of degree k is an eigenfunction, with eigenvalue
    E[profile(t) P_k(t)], t the cosine between two random points and P_k Gegenbauer's polynomial with P_k(1) = 1. With
    p_k = sqrt(B(d, k)) P_k, which has E p_k^2 = 1, it is computed as E[profile(t) p_k(t)] / sqrt(B(d, k)): the mean
    is of order d^{-k/2} and keeps its digits where the eigenvalue, of order d^{-k}, would lose them. Each degree is
    taken from what the lower ones leave of the profile: a large mean of degree 0 would bury the small ones in its
    rounding errors. A mean that is lost in rounding counts as zero: such a degree is absent, as the odd ones are from
    a ReLU kernel without biases, or too small to be seen, as degree 7 is at d = 3,000; it then counts to the tail.

    Args:
        profile: takes a float64 tensor of cosines in [-1, 1] of shape (nodes,) and returns the kernel's values.
        d: dimension, at least 3.
        max_degree: highest degree k; where it is left out, 12 or the highest that rounding errors leave visible.
        nodes: nodes of the Gauss-Gegenbauer rule, more than max_degree.

    Raises:
        BadParameter: if d is below 3, a degree or number of nodes is out of range, the degree is so high that a
            thousandth of the trace would be lost in rounding, or profile returns a wrong shape or values that are not
            finite.

    Source: Funk-Hecke formula; Golub and Welsch 1969 for the rule. Chapters: tangent_kernel, degree_by_degree.
    """
    whole_number("d", d, least=3)
    visible = max(k for k in range(MOST_DEGREE + 1) if ROUNDING * math.sqrt(multiplicity(d, k)) <= 1e-3)
    max_degree = min(12, visible) if max_degree is None else whole_number("max_degree", max_degree, least=0)
    whole_number("nodes", nodes, least=max_degree + 1)
    if max_degree > visible:
        raise BadParameter(
            f"max_degree = {max_degree} is too high for d = {d}: beyond degree {visible} an eigenvalue cannot be told "
            "from rounding errors."
        )
    cosines, weights, basis = _gegenbauer_rule(d, max_degree, nodes)
    values = _values(profile, cosines)
    counts = cosines.new_tensor([float(multiplicity(d, k)) for k in range(max_degree + 1)])
    means = _projections(basis, weights, values)
    trace = float(_values(profile, cosines.new_ones(1)))
    eigenvalues = means.where(means.abs() > ROUNDING * abs(trace), torch.zeros_like(means)) / counts.sqrt()
    return SphereSpectrum(d, eigenvalues, counts, trace)


def kernel_spectrum(kernel: str, d: int, bias: float = 1.0, max_degree: int | None = None) -> SphereSpectrum:
    """Return the eigenvalues on the sphere of one of the exact ReLU kernels.

    Args:
        kernel: "random features" or "tangent".
        d: dimension, at least 3.
        bias: standard deviation of the neurons' biases.
        max_degree: as in ``sphere_spectrum``.

    Raises:
        BadParameter: if a parameter is out of range.

    Chapter: degree_by_degree.
    """
    return sphere_spectrum(kernel_profile(kernel, d, bias), d, max_degree)


def _projections(basis: torch.Tensor, weights: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """Return the mean of values times each row of an orthonormal basis, each row from what those before it leave."""
    means = values.new_zeros(len(basis))
    for _ in range(2):  # the second round catches the rounding errors of the first
        for k, row in enumerate(basis):
            mean = row @ (weights * values)
            means[k] += mean
            values = values - mean * row
    return means


@lru_cache(maxsize=64)
def _gegenbauer_rule(d: int, max_degree: int, nodes: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return nodes, weights (sum one) and orthonormal polynomials for the cosine of two random points.

    The density of t is proportional to (1 - t^2)^{(d-3)/2}. Its orthonormal polynomials obey
    t p_k = beta_{k+1} p_{k+1} + beta_k p_{k-1} with beta_k^2 = k (k + d - 3) / ((2k + d - 2) (2k + d - 4)).
    """
    k = torch.arange(1, max(nodes, 2), dtype=torch.float64, device="cpu")
    beta = (k * (k + d - 3) / ((2 * k + d - 2) * (2 * k + d - 4))).sqrt()
    off_diagonal = beta[: nodes - 1].numpy()
    values, vectors = eigh_tridiagonal(np.zeros(nodes), off_diagonal)
    cosines, weights = (torch.as_tensor(part, device="cpu") for part in (values, vectors[0] ** 2))
    basis = [torch.ones_like(cosines), cosines / beta[0]]
    for j in range(1, max_degree):
        basis.append((cosines * basis[j] - beta[j - 1] * basis[j - 1]) / beta[j])
    return cosines, weights, torch.stack(basis[: max_degree + 1])


def _values(profile: Callable[[torch.Tensor], torch.Tensor], cosines: torch.Tensor) -> torch.Tensor:
    values = profile(cosines)
    if not isinstance(values, torch.Tensor) or values.shape != cosines.shape:
        found = tuple(values.shape) if isinstance(values, torch.Tensor) else type(values).__name__
        raise BadParameter(f"profile returned {found} for cosines of shape {tuple(cosines.shape)}: one value for each.")
    if not torch.isfinite(values).all():
        raise BadParameter(f"profile is not finite at cosine {float(cosines[~torch.isfinite(values)][0]):.4g}.")
    return values.to(torch.float64)
