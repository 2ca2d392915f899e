"""Single-index tasks: any link of one hidden direction, polynomial or not."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from beyond_kernel.checks import BadParameter, matrix, whole_number
from beyond_kernel.foundations.exponents.label_transformations import one_variable
from beyond_kernel.foundations.exponents.links import AnyLink, Link, as_link, mean_and_variance, refuse_constant
from beyond_kernel.foundations.targets.hidden_directions import drawn_directions
from beyond_kernel.foundations.targets.target import Target


@dataclass(frozen=True, eq=False)
class SingleIndex:
    """The task f(x) = scale * link(<u, x>).

    Attributes:
        link: a function of one variable.
        directions: u, a unit vector as a column, float64 (d, 1).
        mean: E f under standard Gaussian inputs.
        variance: Var f under standard Gaussian inputs.
        scale: factor in front of the link.
    """

    link: Link
    directions: torch.Tensor
    mean: float
    variance: float
    scale: float = 1.0

    @property
    def dim(self) -> int:
        """Dimension of the inputs."""
        return len(self.directions)

    def __call__(self, X: torch.Tensor) -> torch.Tensor:
        """Return the values at the rows of X, of shape (n,), dtype and device of X."""
        z = matrix("X", X, self.dim) @ self.directions[:, 0].to(X)
        return self.scale * self.link(z).to(X)

    def normalised(self) -> "SingleIndex":
        """Return the task divided by sqrt(E f^2)."""
        size = (self.mean**2 + self.variance) ** 0.5
        return replace(self, scale=self.scale / size, mean=self.mean / size, variance=self.variance / size**2)


def single_index(link: AnyLink, dim: int, seed: int = 0, breakpoints: Sequence[float] = ()) -> SingleIndex:
    """Return the task of a link along a direction that is drawn from the seed, the u_1 of a polynomial target.

    Args:
        link: a name such as "relu", the text of a polynomial in z1, or a callable, (n,) to (n,).
        dim: the dimension d of the inputs, at least 1.
        seed: of the direction, at least 0.
        breakpoints: kinks and jumps of a callable; names know their own.

    Raises:
        BadParameter: if the link is none, constant, a ``Target``, no function of z1 alone or without second moment, or
            if d or the seed is out of range.

    Chapter: hermite_calculus.

    >>> round(single_index("relu", 10).variance, 6)  # 1/2 - 1/(2 pi)
    0.340845
    """
    if isinstance(link, Target):
        raise BadParameter(f"target {link.text!r} is a task already, with directions of its own: use it as it is.")
    given = one_variable(as_link(link, breakpoints))
    refuse_constant(given)
    if given.target is not None and not {variable for index in given.target.coefficients for variable, _ in index} <= {
        1
    }:
        raise BadParameter(f"link {given.name} is not a polynomial in z1 alone: write it so, or use parse_target.")
    mean, variance = mean_and_variance(given)
    directions = drawn_directions(whole_number("d", dim), 1, whole_number("seed", seed, least=0))
    return SingleIndex(given, directions, mean, variance)
