"""A polynomial on the sphere as a sum of spherical harmonics, one a degree."""

import math
from itertools import product

import torch

from beyond_kernel.foundations.targets.algebra import Index, hermite_as_powers, index_factorial, order
from beyond_kernel.foundations.targets.target import Target

_Powers = dict[Index, float]


def sphere_energies(target: Target) -> torch.Tensor:
    """Return E f_k^2 for k = 0, ..., degree, f_k the harmonic part of degree k of f on the sphere of radius sqrt(d).

    On the sphere a Hermite part of degree k is not quite harmonic: z^3 - 3z, for one, keeps a linear part of order 1/d.
    A product of distinct variables is harmonic as it stands. The parts are found exactly, up to rounding: for
    p homogeneous of degree m, with |x|^2 = d and c_0 = 1, c_j = -c_{j-1} / (2j (2m + d - 2 - 2j)),

        sum_j c_j d^j Laplacian^j p

    is its harmonic part of degree m, and what is left, -sum_{j>0} c_j d^j Laplacian^j p, has lower degree. The energy
    of the harmonic part is sum_j c_j |Laplacian^j p|^2 times d^m / (d (d + 2) ... (d + 2m - 2)), with
    |p|^2 = sum_alpha alpha! p_alpha^2: under this product |x|^2 and the Laplacian are adjoint. One pass over the terms.

    Args:
        target: polynomial target.

    Returns:
        Energies, float64, of shape (degree + 1,); they add up to E f^2 on the sphere.

    Source: classical decomposition of polynomials into harmonics; derived here. Chapter: degree_by_degree.

    >>> from beyond_kernel.foundations.targets.target import parse_target
    >>> [round(energy, 3) for energy in sphere_energies(parse_target("z1*z2", 10)).tolist()]  # d / (d + 2)
    [0.0, 0.0, 0.833]
    """
    by_degree: dict[int, _Powers] = {}
    for index, coefficient in _in_powers(target).items():
        by_degree.setdefault(order(index), {})[index] = coefficient
    energies = [0.0] * (target.degree + 1)
    for m in range(target.degree, -1, -1):
        images = laplacians(by_degree.pop(m, {}))
        factor = 1.0
        for j, image in enumerate(images):
            if j:
                factor *= -target.dim / (2 * j * (2 * m + target.dim - 2 - 2 * j))
                _add(by_degree.setdefault(m - 2 * j, {}), image, -factor)
            energies[m] += factor / target.dim**j * _square(image)
        energies[m] = max(energies[m], 0.0) * math.prod(target.dim / (target.dim + 2 * i) for i in range(m))
    return torch.tensor(energies, dtype=torch.float64, device="cpu")


def _in_powers(target: Target) -> _Powers:
    total: _Powers = {}
    for index, coefficient in target.coefficients.items():
        tables = [hermite_as_powers(exponent, variable).items() for variable, exponent in index]
        for choice in product(*tables):
            powers = tuple(pair for power, _ in choice for pair in power)
            value = target.scale * float(coefficient) * math.prod(float(factor) for _, factor in choice)
            _add(total, {powers: value}, 1.0)
    return total


def laplacians(polynomial: _Powers) -> list[_Powers]:
    """Return the polynomial, its Laplacian, and so on until nothing is left.

    Args:
        polynomial: in powers, its coefficients by multi-index.

    Chapters: degree_by_degree, which_method_wins.

    >>> laplacians({((1, 2),): 3.0})
    [{((1, 2),): 3.0}, {(): 6.0}]
    """
    found = [polynomial]
    while found[-1]:
        image: _Powers = {}
        for index, value in found[-1].items():
            for place, (variable, e) in enumerate(index):
                if e >= 2:
                    lowered = ((variable, e - 2),) if e > 2 else ()
                    _add(image, {index[:place] + lowered + index[place + 1 :]: value}, e * (e - 1))
        found.append(image)
    return found[:-1]


def _add(total: _Powers, terms: _Powers, factor: float) -> None:
    for index, value in terms.items():
        total[index] = total.get(index, 0.0) + factor * value


def _square(polynomial: _Powers) -> float:
    """Return sum_alpha alpha! a_alpha^2, which is E p(x)^2 under N(0, I) where p is harmonic."""
    return sum(value**2 * index_factorial(index) for index, value in polynomial.items())
