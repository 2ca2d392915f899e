"""A single-index task whose inputs have a spike, on its own direction or at an angle to it."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch

from beyond_kernel.checks import matrix, real_number
from beyond_kernel.foundations.exponents.links import AnyLink
from beyond_kernel.foundations.exponents.single_index import SingleIndex, single_index
from beyond_kernel.foundations.inputs.spiked_inputs import spike_strength, spiked_law
from beyond_kernel.foundations.targets.hidden_directions import drawn_directions


@dataclass(frozen=True, eq=False)
class SpikedIndex:
    """The task f(x) = link(<x, u> / s) for x ~ N(0, I + theta mu mu^T), with s^2 = 1 + theta <u, mu>^2 = Var <x, u>.

    Attributes:
        index: the link along u, of mean square one for a standard normal variable.
        spike: mu, a unit vector, float64 (d,).
        strength: theta.

    Source: Ba, Erdogdu, Suzuki, Wang and Wu (2023), abstract, with u = mu. Chapter: structured_inputs.
    """

    index: SingleIndex
    spike: torch.Tensor
    strength: float

    @property
    def dim(self) -> int:
        """Dimension of the inputs."""
        return self.index.dim

    @property
    def directions(self) -> torch.Tensor:
        """The direction u of the target as a column, float64 (d, 1)."""
        return self.index.directions

    @property
    def variance(self) -> float:
        """Variance of f under the spiked law, in which <x, u> / s is standard normal."""
        return self.index.variance

    @property
    def law(self) -> Callable[..., torch.Tensor]:
        """Sampler of the inputs that the task is made for."""
        return spiked_law(self.spike, self.strength)

    @property
    def spread(self) -> float:
        """Standard deviation s of the coordinate that the target reads."""
        return math.sqrt(1 + self.strength * float(self.spike @ self.directions[:, 0]) ** 2)

    def __call__(self, X: torch.Tensor) -> torch.Tensor:
        """Return the values at the rows of X, of shape (n,), dtype and device of X."""
        return self.index(matrix("X", X, self.dim) / self.spread)


def spiked_index(link: AnyLink, dim: int, beta: float, seed: int = 0, cosine: float = 1.0) -> SpikedIndex:
    """Return a single-index task on inputs with a spike of strength d^beta.

    Args:
        link: a name such as "relu", the text of a polynomial in z1, or a callable; it is scaled to mean square one.
        dim: dimension d of the inputs, at least 2.
        beta: exponent of the spike, from 0 to 1.
        seed: of the direction u, and of the direction in which the spike leans away from it.
        cosine: of the angle between spike and target, from 0 to 1; 1 puts the spike on the target.

    Raises:
        BadParameter: if an argument is out of range; as ``single_index``.

    Source: Ba, Erdogdu, Suzuki, Wang and Wu (2023), abstract, for cosine 1. Chapter: structured_inputs.

    >>> round(spiked_index("z1", 100, 0.5).spread ** 2, 9)  # 1 + 100^(1/2)
    11.0
    """
    strength = spike_strength(beta, dim)
    real_number("cosine", cosine, least=0, most=1)
    task = single_index(link, dim, seed).normalised()
    u, v = drawn_directions(dim, 2, seed).T
    v = v - (v @ task.directions[:, 0]) * task.directions[:, 0]
    spike = cosine * task.directions[:, 0] + math.sqrt(1 - cosine**2) * v / v.norm()
    return SpikedIndex(task, spike / spike.norm(), strength)
