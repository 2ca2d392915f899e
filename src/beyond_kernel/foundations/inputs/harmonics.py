"""A polynomial on the sphere as a sum of spherical harmonics, one a degree."""

import math
from itertools import product

import torch

from beyond_kernel.foundations.targets.algebra import Index, hermite_as_powers, order
from beyond_kernel.foundations.targets.target import Target

_Powers = dict[Index, float]


def sphere_energies(target: Target) -> torch.Tensor:
    """Return E f_k^2 for k = 0, ..., degree, f_k the harmonic part of degree k of f on the sphere of radius sqrt(d).

    On the sphere a Hermite part of degree k is not quite harmonic: z^3 - 3z, for one, keeps a linear part of order 1/d.
    A product of distinct variables is harmonic as it stands. The parts are found exactly, up to rounding: for
    p homogeneous of degree m, with |x|^2 = d and c_0 = 1, c_j = -c_{j-1} / (2j (2m + d - 2 - 2j)),

        sum_j c_j d^j Laplacian^j p

    is its harmonic part of degree m, and what is left, -sum_{j>0} c_j d^j Laplacian^j p, has lower degree.

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
    parts: dict[int, _Powers] = {}
    for m in range(target.degree, -1, -1):
        images = _laplacians(by_degree.pop(m, {}))
        factor = 1.0
        for j, image in enumerate(images):
            if j:
                factor *= -target.dim / (2 * j * (2 * m + target.dim - 2 - 2 * j))
                _add(by_degree.setdefault(m - 2 * j, {}), image, -factor)
            _add(parts.setdefault(m, {}), image, factor)
    energies = [_square_mean(parts.get(k, {}), target.dim) for k in range(target.degree + 1)]
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


def _laplacians(polynomial: _Powers) -> list[_Powers]:
    """Return the polynomial, its Laplacian, and so on until nothing is left."""
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


def _square_mean(polynomial: _Powers, d: int) -> float:
    """Return E p(z)^2: E prod z_i^{2 a_i} = d^s prod (2 a_i - 1)!! / (d (d + 2) ... (d + 2s - 2)), s = sum a_i."""
    total = 0.0
    for (first, x), (second, y) in product(polynomial.items(), repeat=2):
        exponents = dict(first)
        for variable, e in second:
            exponents[variable] = exponents.get(variable, 0) + e
        if not any(e % 2 for e in exponents.values()):
            pairings = math.prod(math.prod(range(1, e, 2)) for e in exponents.values())
            total += x * y * pairings * math.prod(d / (d + 2 * i) for i in range(sum(exponents.values()) // 2))
    return total
