"""Targets as text: polynomials of a few hidden directions, known exactly in the Hermite basis."""

import math
from dataclasses import dataclass, replace
from functools import cached_property

import torch

from beyond_kernel.checks import BadParameter, matrix, whole_number
from beyond_kernel.foundations.targets.algebra import (
    Index,
    Polynomial,
    arrangements,
    energy,
    gradient,
    hessian,
    in_hermite_basis,
    index_factorial,
    leap,
    order,
    part,
    total_degree,
)
from beyond_kernel.foundations.targets.exact_rank import exact_rank
from beyond_kernel.foundations.targets.grammar import MOST_DEGREE, parse_polynomial
from beyond_kernel.foundations.targets.hermite import hermite_table
from beyond_kernel.foundations.targets.hidden_directions import (
    drawn_directions,
    given_directions,
    relevant_basis,
)
from beyond_kernel.foundations.targets.surds import Surd
from beyond_kernel.foundations.targets.tokens import TargetError

__all__ = ["Target", "TargetError", "parse_target"]

_MOST_TENSOR_ENTRIES = 10_000_000
_ROWS_AT_ONCE = 16_384  # the Hermite tables of so many rows stay in the cache


def parse_target(text: str, dim: int, seed: int = 0, directions: torch.Tensor | None = None) -> "Target":
    """Return the target that a text such as ``"He2(z1)/sqrt(2) + z2*z3"`` stands for.

    Here z_i = <u_i, x> with orthonormal hidden directions u_i. They are drawn uniformly from the seed, one
    after another, so that two targets with one seed and one dimension share u_1, u_2, ...; or they are given.

    Chapter: one_step

    Args:
        text: a polynomial in z1, z2, ...; ``parse_polynomial`` lists what it may hold.
        dim: the dimension d of the inputs, at least 1.
        seed: seed of the hidden directions, at least 0; not used where ``directions`` is given.
        directions: orthonormal columns, shape (d, q), with q at least the highest index of a variable;
            further columns are not used.

    Raises:
        TargetError: if the text is no polynomial target.
        BadParameter: if ``dim``, ``seed`` or ``directions`` is out of range.
        TypeError: if ``directions`` is no floating-point tensor.

    >>> target = parse_target("He2(z1)/sqrt(2) + z2*z3", dim=10)
    >>> target.degree, target.rank, target.variance
    (2, 3, 2.0)
    """
    whole_number("d", dim)
    whole_number("seed", seed, least=0)
    coefficients = in_hermite_basis(parse_polynomial(text, dim))
    highest = max(variable for index in coefficients for variable, _ in index)
    if directions is None:
        frame = drawn_directions(dim, highest, seed)
    else:
        frame = given_directions(directions, dim, highest)
    return Target(text.strip(), dim, seed, frame, coefficients)


@dataclass(frozen=True, eq=False, repr=False)
class Target:
    """A polynomial target f(x) = g(<u_1, x>, ..., <u_q, x>); ``parse_target`` makes one.

    The coefficients in products of Hermite polynomials are exact, so that whatever depends on a coefficient
    being zero (ranks, information exponent, leap) is decided without a tolerance. Mean, variance, energies,
    Hermite tensors and the expected Hessian are those under Gaussian inputs.

    Attributes:
        text: the text it was made from.
        dim: the dimension d of the inputs.
        seed: the seed of the hidden directions.
        frame: the hidden directions of z1, ..., zq as columns, float64 (d, q).
        coefficients: exact coefficients in products of He_k, by multi-index.
        scale: factor in front of the polynomial, set by ``normalised``.
    """

    text: str
    dim: int
    seed: int
    frame: torch.Tensor
    coefficients: Polynomial
    scale: float = 1.0

    def __repr__(self) -> str:
        facts = f"d={self.dim}, seed={self.seed}, degree={self.degree}, rank={self.rank}"
        return f"Target({self.text!r}, {facts})"

    def __call__(self, X: torch.Tensor) -> torch.Tensor:
        """Return the values of the target at the rows of X, shape (n,), dtype and device of X.

        Raises:
            BadParameter: if X is not of shape (n, d) or not finite.
            TypeError: if X is no floating-point tensor.
        """
        matrix("X", X, self.dim)
        frame = self.frame.to(X)
        return torch.cat([self._values(rows @ frame) for rows in X.split(_ROWS_AT_ONCE)])

    def part(self, k: int) -> "Target":
        """Return the degree-k Hermite part, a target with the same frame; zero everywhere if absent."""
        whole_number("k", k, least=0, most=MOST_DEGREE)
        return replace(self, text=f"degree {k} of {self.text}", coefficients=part(self.coefficients, k))

    def normalised(self) -> "Target":
        """Return the target divided by sqrt(E f^2), under Gaussian inputs.

        Raises:
            BadParameter: if the target is zero everywhere (an absent part).
        """
        if not self.coefficients:
            raise BadParameter(f"target {self.text!r} is zero everywhere: it cannot be normalised.")
        square = energy(self.coefficients)
        if square == Surd.rational(1) or math.isclose(self.second_moment, 1, rel_tol=1e-14):
            return replace(self, scale=1 / math.sqrt(float(square)))
        exact = square.as_fraction() if self.scale == 1 else None
        text = f"({self.text})/sqrt({exact or format(self.second_moment, '.6g')})"
        return replace(self, text=text, scale=1 / math.sqrt(float(square)))

    @cached_property
    def degree(self) -> int:
        """The degree of the polynomial."""
        return total_degree(self.coefficients)

    @cached_property
    def rank(self) -> int:
        """The exact dimension of the relevant subspace, the span of all gradients."""
        return exact_rank(list(gradient(self.coefficients).values()))

    @cached_property
    def directions(self) -> torch.Tensor:
        """Orthonormal basis of the relevant subspace, float64 (d, rank).

        These are the columns of the frame that the target uses where their number is the rank.
        """
        return self.frame @ self._relevant

    @cached_property
    def mean(self) -> float:
        """The mean E f under Gaussian inputs."""
        return self._normalised_coefficients.get((), 0.0)

    @cached_property
    def second_moment(self) -> float:
        """The second moment E f^2 under Gaussian inputs."""
        return self.scale**2 * float(energy(self.coefficients))

    @cached_property
    def variance(self) -> float:
        """The variance E f^2 - (E f)^2 under Gaussian inputs."""
        return self.scale**2 * float(energy({i: value for i, value in self.coefficients.items() if i}))

    def energy_by_degree(self) -> torch.Tensor:
        """Return |C_k|_F^2 / k! for k = 0, ..., degree, float64: how E f^2 is shared out (Parseval).

        >>> parse_target("1 + z1 + 3*h2(z2)", 5).energy_by_degree().tolist()
        [1.0, 1.0, 9.0]
        """
        energies = [float(energy(part(self.coefficients, k))) for k in range(self.degree + 1)]
        return self.scale**2 * torch.tensor(energies, dtype=torch.float64, device="cpu")

    def tensor(self, k: int) -> torch.Tensor:
        """Return the Hermite tensor C_k = E[grad^k f] in coordinates of the frame, float64, shape (q,) * k.

        f(x) = sum_k <C_k, He_k(x)> / k!; the entry with multi-index alpha is alpha! times the coefficient of
        prod_i He_{alpha_i}(z_i). Source: Damian, Lee and Soltanolkotabi (2022), appendix A.1.

        Raises:
            BadParameter: if k is not from 0 to 12, or the tensor has more than 10^7 entries.
        """
        whole_number("k", k, least=0, most=MOST_DEGREE)
        q = self.frame.shape[1]
        if q**k > _MOST_TENSOR_ENTRIES:
            raise BadParameter(f"k = {k} is out of range: with q = {q} the tensor has more than 10^7 entries.")
        result = torch.zeros((q,) * k, dtype=self.frame.dtype, device=self.frame.device)
        for index, value in part(self.coefficients, k).items():
            places = [[i - 1 for i in axis] for axis in zip(*arrangements(index), strict=True)]
            result[tuple(places)] = self.scale * float(value) * index_factorial(index)
        return result

    def expected_hessian(self) -> torch.Tensor:
        """Return H = E[grad^2 f(x)] = U C_2 U^T, float64 (d, d), U the frame."""
        return self.frame @ self.tensor(2) @ self.frame.T

    def hessian_rank(self) -> int:
        """Return the rank of the expected Hessian: exact."""
        return exact_rank(list(hessian(self.coefficients).values()))

    @property
    def has_degenerate_hessian(self) -> bool:
        """Whether H kills a relevant direction, so that Assumption 2 of Damian et al. (2022) fails."""
        return self.hessian_rank() < self.rank

    def degenerate_directions(self) -> torch.Tensor:
        """Return an orthonormal basis, float64 (d, rank - rank H), of the relevant directions H kills."""
        _, vectors = self._hessian_spectrum
        return self.directions @ vectors[:, : self.rank - self.hessian_rank()]

    def condition_number(self) -> float:
        """Return kappa = |H^+|_2 / sqrt(r), r the rank of the target; infinite where H is degenerate.

        The paper has E f^2 = 1, so that kappa is at least 1/sqrt(2); elsewhere call it on ``normalised()``.
        Source: Damian, Lee and Soltanolkotabi (2022), Assumption 2.
        """
        if self.has_degenerate_hessian or self.rank == 0:
            return math.inf
        values, _ = self._hessian_spectrum
        return 1 / (float(values[0]) * math.sqrt(self.rank))

    def information_exponent(self) -> int:
        """Return the smallest k >= 1 with C_k not zero: exact.

        Raises:
            BadParameter: if the target is constant (an absent part).

        >>> parse_target("h3(z1) + h4(z2)", 5).information_exponent()
        3
        """
        return min(order(index) for index in self._indices())

    def leap(self) -> int:
        """Return the leap complexity in the coordinates of the text: exact.

        The smallest, over all orders of the non-zero Hermite monomials, of the largest sum of exponents in
        coordinates that are new. The *isotropic* leap, the largest over all rotations of the coordinates, is
        not computed; it is never smaller. Source: Abbe, Boix-Adsera and Misiakiewicz (2023).

        Raises:
            BadParameter: if the target is constant (an absent part).

        >>> parse_target("z1 + z1*z2*z3", 5).leap()
        2
        """
        return leap(self._indices())

    def _indices(self) -> list[Index]:
        indices = [index for index in self.coefficients if index]
        if not indices:
            raise BadParameter(f"target {self.text!r} is constant: it has no information exponent or leap.")
        return indices

    def _values(self, Z: torch.Tensor) -> torch.Tensor:
        highest: dict[int, int] = {}
        for variable, exponent in (pair for index in self.coefficients for pair in index):
            highest[variable] = max(exponent, highest.get(variable, 0))
        tables = {variable: hermite_table(top, Z[:, variable - 1]) for variable, top in highest.items()}
        total = torch.zeros_like(Z[:, 0])
        for index, coefficient in self._normalised_coefficients.items():
            product = coefficient
            for variable, exponent in index:
                product = product * tables[variable][exponent]
            total = total + product
        return total

    @cached_property
    def _normalised_coefficients(self) -> dict[Index, float]:
        """The coefficients in products of normalised Hermite polynomials, as floats."""
        return {
            index: self.scale * float(value) * math.sqrt(index_factorial(index))
            for index, value in self.coefficients.items()
        }

    @cached_property
    def _relevant(self) -> torch.Tensor:
        return relevant_basis(gradient(self.coefficients), self.rank, self.frame.shape[1])

    @cached_property
    def _hessian_spectrum(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Absolute eigenvalues of H on the relevant subspace, ascending, and eigenvectors in its basis."""
        values, vectors = torch.linalg.eigh(self._relevant.T @ self.tensor(2) @ self._relevant)
        ascending = values.abs().argsort()
        return values.abs()[ascending], vectors[:, ascending]
