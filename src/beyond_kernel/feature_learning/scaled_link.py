"""A link of mean zero and variance one with its derivative, for tensors and for the small arrays of an inner loop."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

import numpy as np
import torch

from beyond_kernel.checks import BadParameter, floating
from beyond_kernel.foundations.exponents.label_transformations import one_variable
from beyond_kernel.foundations.exponents.links import AnyLink, Link, as_link, mean_and_variance, refuse_constant
from beyond_kernel.foundations.targets.hermite import hermite_coefficients

Array = TypeVar("Array", torch.Tensor, np.ndarray)
_ROUNDING = 1e-12  # share of the largest coefficient of a polynomial below which one is what quadrature leaves of zero


@dataclass(frozen=True, eq=False)
class ScaledLink:
    """The function f(z) = (link(z) - mean) / deviation, so that E f = 0 and E f^2 = 1 for standard normal z.

    Attributes:
        link: what is scaled.
        mean: E link(z).
        deviation: the standard deviation of link(z).
        powers: coefficients of f by powers of z, from the constant on; None where the link is no polynomial.

    Chapter: information_exponent.
    """

    link: Link
    mean: float
    deviation: float
    powers: tuple[float, ...] | None

    def __call__(self, z: torch.Tensor) -> torch.Tensor:
        """Return the values at z, of its shape, dtype and device."""
        floating("z", z)
        if self.powers is not None:
            return _polynomial(self.powers, z)
        return ((self.link.function(z.reshape(-1)) - self.mean) / self.deviation).reshape(z.shape)

    def derivative(self, z: torch.Tensor) -> torch.Tensor:
        """Return f' at z, of its shape, dtype and device; polynomials in closed form, other links by autograd."""
        floating("z", z)
        if self.powers is not None:
            return _polynomial(_derived(self.powers), z)
        points = z.detach().clone().requires_grad_()
        with torch.enable_grad():
            values = self(points)
            if not values.requires_grad:  # a jump such as (z > 0).to(z) has no graph
                return torch.zeros_like(z)
            return torch.autograd.grad(values.sum(), points)[0]

    def values(self, z: np.ndarray) -> np.ndarray:
        """Return f at the entries of a float64 array: the call as an inner loop in numpy needs it."""
        if self.powers is not None:
            return _polynomial(self.powers, z)
        return self(torch.as_tensor(z, device="cpu")).numpy()

    def slopes(self, z: np.ndarray) -> np.ndarray:
        """Return f' at the entries of a float64 array."""
        if self.powers is not None:
            return _polynomial(_derived(self.powers), z)
        return self.derivative(torch.as_tensor(z, device="cpu")).numpy()


def scaled_link(link: AnyLink | ScaledLink, breakpoints: Sequence[float] = ()) -> ScaledLink:
    """Return a link of one variable, shifted and scaled to mean zero and variance one.

    Args:
        link: a name such as "he3" or "relu", the text of a polynomial of one direction, a callable that autograd can
            follow from (n,) to (n,), or a link that is scaled already.
        breakpoints: kinks and jumps of a callable; names know their own.

    Raises:
        BadParameter: if the link is none, is constant, depends on several directions or has no second moment.

    Chapter: information_exponent.

    >>> scaled_link("he2").powers  # (z^2 - 1) / sqrt(2)
    (-0.7071067811865475, 0.0, 0.7071067811865475)
    """
    if isinstance(link, ScaledLink):
        return link
    given = one_variable(as_link(link, breakpoints))
    refuse_constant(given)
    mean, variance = mean_and_variance(given)
    if given.target is None:
        return ScaledLink(given, mean, variance**0.5, None)
    hermite = hermite_coefficients(given, given.target.degree, nodes=200)
    mean, deviation = float(hermite[0]), float(hermite[1:].norm())
    return ScaledLink(given, mean, deviation, _powers((hermite / deviation).numpy()))


def learning_link(link: AnyLink | ScaledLink, breakpoints: Sequence[float] = ()) -> ScaledLink:
    """Return a scaled link whose derivative is not zero everywhere, as the activation of a neuron has to be.

    Args:
        link: as for ``scaled_link``.
        breakpoints: kinks and jumps of a callable.

    Raises:
        BadParameter: as ``scaled_link``, and if the derivative is zero or not finite at points of |z| < 5.

    Chapter: information_exponent.
    """
    given = scaled_link(link, breakpoints)
    slopes = given.derivative(torch.linspace(-5, 5, 1000, dtype=torch.float64, device="cpu"))
    if not torch.isfinite(slopes).all() or not slopes.any():
        raise BadParameter(
            f"link {given.link.name} has a derivative that is zero, or not finite, at |z| < 5: a neuron with this "
            f"activation gets no gradient; give it another activation."
        )
    return given


def _powers(hermite: np.ndarray) -> tuple[float, ...]:
    """Return coefficients by powers of z from those by h_1, h_2, ...; the constant h_0 is left out."""
    plain = hermite.copy()
    plain[0] = 0.0
    plain[np.abs(plain) < _ROUNDING] = 0.0
    factorials = np.cumprod(np.concatenate([[1.0], np.arange(1.0, len(plain))]))
    return tuple(float(value) for value in np.polynomial.hermite_e.herme2poly(plain / np.sqrt(factorials)))


@lru_cache(maxsize=256)
def _derived(powers: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(k * value for k, value in enumerate(powers))[1:] or (0.0,)


def _polynomial(powers: tuple[float, ...], z: Array) -> Array:
    """Return the polynomial by Horner's rule; an even or odd one in z^2, with half the operations."""
    kept, even, odd = _parity(powers)
    if even:
        return _horner(kept, z * z if len(powers) > 1 else z)
    return z * _horner(kept, z * z) if odd else _horner(kept, z)


@lru_cache(maxsize=256)
def _parity(powers: tuple[float, ...]) -> tuple[tuple[float, ...], bool, bool]:
    """Return the coefficients that count, and whether the polynomial is even, or odd."""
    even, odd = not any(powers[1::2]), not any(powers[::2])
    return powers[::2] if even else powers[1::2] if odd else powers, even, odd and not even


def _horner(powers: tuple[float, ...], z: Array) -> Array:
    if len(powers) == 1:
        return powers[0] + 0 * z
    value = powers[-1] * z + powers[-2]
    for power in powers[-3::-1]:
        value = value * z + power
    return value
