"""What theory says that a kernel learns of each degree of a target: bounds, predicted curves, and a target's twin."""

import math
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
import torch
import xarray

from beyond_kernel.checks import BadParameter, whole_number
from beyond_kernel.foundations.inputs.harmonics import sphere_energies
from beyond_kernel.foundations.targets.algebra import Polynomial
from beyond_kernel.foundations.targets.hidden_directions import drawn_directions
from beyond_kernel.foundations.targets.surds import Surd
from beyond_kernel.foundations.targets.target import Target, parse_target
from beyond_kernel.kernel_regime.learning_curve import (
    NO_ENERGY,
    best_predictions,
    samples_for_risk,
    sphere_variance,
)
from beyond_kernel.kernel_regime.spectrum import kernel_spectrum, multiplicity


def degrees_of(target: Target) -> list[int]:
    """Return the degrees k >= 1 in which a target has energy, ascending."""
    return [k for k, energy in enumerate(target.energy_by_degree().tolist()) if k and energy > 0]


def spread(target: Target, seed: int | None = None) -> Target:
    """Return a target with the same energy on the sphere in each degree that depends on many directions, not a few.

    Its part of degree k is a multiple of the sum of z1...zk, z(k+1)...z(2k), and so on through the coordinates: k times
    floor(d / k) directions from degree two on; a linear part has one direction, whatever one does. On the sphere these
    products are harmonic and orthogonal, each of mean square d^k / (d (d + 2) ... (d + 2k - 2)).

    Args:
        target: the target whose energies are kept; its dimension must be at least its degree.
        seed: of the directions; the target's own where it is left out.

    Raises:
        BadParameter: if the dimension is below the degree.

    Chapter: degree_by_degree.
    """
    d = target.dim
    if d < target.degree:
        raise BadParameter(
            f"d = {d} is below the degree {target.degree} of the target: no product of distinct z exists."
        )
    coefficients: Polynomial = {}
    for k, energy in enumerate(energies := sphere_energies(target).tolist()):
        if energy <= NO_ENERGY * sum(energies):
            continue
        blocks = [tuple((k * block + i + 1, 1) for i in range(k)) for block in range(d // k)] if k else [()]
        square = math.prod(d / (d + 2 * i) for i in range(k))
        factor = Surd.rational(Fraction(math.sqrt(energy / square / len(blocks))))
        coefficients |= dict.fromkeys(blocks, factor)
    highest = max((variable for index in coefficients for variable, _ in index), default=1)
    seed = target.seed if seed is None else seed
    return Target(f"twin of {target.text}", d, seed, drawn_directions(d, highest, seed), coefficients)


def rotation_bound(target: Target, n: float) -> float:
    """Return a risk that on average no rotation-invariant kernel method can undercut with n samples on the sphere.

    The degree-k part of x -> sum_i c_i K(x_i, x) lies in a space of dimension n at most, whatever the coefficients.
    Among the multiplicity(d, k) harmonics of that degree, a target turned by a random rotation has on average the share
    n / multiplicity(d, k) of its energy in a fixed space of dimension n. Hence, on average over the sample,

        risk >= sum_k (E_k / Var f*) max(0, 1 - n / multiplicity(d, k)),

    with E_k the energy of degree k on the sphere and Var f* their sum from degree one on. Derived here.

    Args:
        target: polynomial target on the sphere of radius sqrt(d).
        n: number of samples.

    Raises:
        BadParameter: if the target is constant on the sphere.

    Chapter: degree_by_degree.

    >>> from beyond_kernel.foundations.targets.target import parse_target
    >>> rotation_bound(parse_target("z1*z2", 10), n=27)  # half of 54 harmonics
    0.5
    """
    counts = [multiplicity(target.dim, k) for k in range(target.degree + 1)]
    energies = sphere_energies(target).tolist()
    missed = (energy * max(0.0, 1 - n / count) for energy, count in zip(energies, counts, strict=True))
    return sum(missed) / sphere_variance(target)


def predicted_curve(
    target: Target, sizes: Sequence[int], kernel: str, noise: float, bias: float = 1.0
) -> dict[str, np.ndarray]:
    """Predict what ``learning_cell`` measures on the sphere, from the eigenvalues of the kernel alone.

    Args:
        target: the target, scaled as it is learnt.
        sizes: numbers of training samples.
        kernel: "random features" or "tangent".
        noise: standard deviation of the label noise.
        bias: standard deviation of the neurons' biases.

    Returns:
        ``risk``: as ``learning_curve.predicted_risks``, of shape (len(sizes),); ``learnt``: the share of each degree of
        ``degrees_of`` at the same penalty, of shape (len(sizes), number of degrees).

    Raises:
        BadParameter: if a parameter is out of range.

    Source: ``learning_curve.predict``. Chapter: degree_by_degree.
    """
    found = best_predictions(target, sizes, kernel, noise, bias)
    risks = np.array([prediction.risk for prediction in found]) / sphere_variance(target)
    return {"risk": risks, "learnt": np.stack([at_n.learnt[degrees_of(target)].numpy() for at_n in found])}


def harmonic_product(degree: int, d: int, seed: int = 0) -> Target:
    """Return z1 z2 ... zk, harmonic of degree k as it stands, scaled to variance one on the sphere.

    Args:
        degree: k, at least 1 and at most d.
        d: dimension.
        seed: of the directions.

    Raises:
        BadParameter: if the degree is out of range.

    Chapter: degree_by_degree.
    """
    whole_number("degree", degree, most=d)
    product = parse_target("*".join(f"z{i}" for i in range(1, degree + 1)), d, seed)
    return replace(product, scale=sphere_variance(product) ** -0.5)


def predicted_scaling(
    degrees: Sequence[int], dims: Sequence[int], kernel: str, noise: float, risk: float = 0.25
) -> xarray.DataArray:
    """Predict how many samples a single degree, a harmonic of variance one, needs, dimension by dimension.

    Args:
        degrees: degrees k.
        dims: dimensions of the spheres, each at least 3.
        kernel: "random features" or "tangent".
        noise: standard deviation of the label noise.
        risk: risk to be reached with the best penalty.

    Returns:
        Numbers of samples, with the dimensions ``degree`` and ``d``.

    Raises:
        BadParameter: if a parameter is out of range.

    Source: ``learning_curve.samples_for_risk``. Chapter: degree_by_degree.
    """
    found = []
    for d in dims:
        spectrum = kernel_spectrum(kernel, d)
        pure = torch.eye(len(spectrum.eigenvalues), dtype=torch.float64, device="cpu")
        found.append([samples_for_risk(spectrum, pure[k], risk, noise) for k in degrees])
    coords = {"degree": list(degrees), "d": list(dims)}
    return xarray.DataArray(np.array(found).T, coords, dims=("degree", "d"))
