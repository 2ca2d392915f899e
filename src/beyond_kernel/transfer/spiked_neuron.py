"""A neuron and a target on inputs with a spike, and the two numbers by which the neuron is known."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from scipy.special import roots_hermitenorm

from beyond_kernel.checks import matrix, real_number, whole_number
from beyond_kernel.feature_learning.scaled_link import ScaledLink, learning_link
from beyond_kernel.foundations.exponents.links import AnyLink
from beyond_kernel.foundations.inputs.spiked_inputs import spiked_law
from beyond_kernel.foundations.targets.hidden_directions import drawn_directions


@dataclass(frozen=True, eq=False)
class SpikedNeuron:
    """What a neuron is trained on, d inputs with a spike, and a link read along a direction at an angle to it.

    The link has mean zero and variance one at a standard normal variable; <u, x> has the variance
    1 + theta cosine^2, and the link is not scaled anew for it.

    Attributes:
        link: f, shared by neuron and labels.
        dim: d, at least 4.
        strength: theta, at least 0.
        cosine: of the angle between spike and direction, from 0 to 1.
        noise: standard deviation of Gaussian noise on the label.
    """

    link: ScaledLink
    dim: int
    strength: float
    cosine: float
    noise: float = 0.0

    @property
    def is_even(self) -> bool:
        """Whether the link is even, so that u and -u are one direction."""
        z = torch.linspace(0.1, 3, 30, dtype=torch.float64, device="cpu")
        return bool(torch.allclose(self.link(z), self.link(-z)))

    @property
    def direction(self) -> np.ndarray:
        """The direction u by its parts along mu and along e, an array of two numbers."""
        return np.array([self.cosine, math.sqrt(1 - self.cosine**2)])


def spiked_neuron(
    link: AnyLink | ScaledLink, dim: int, strength: float, cosine: float, noise: float = 0.0
) -> SpikedNeuron:
    """Return a checked ``SpikedNeuron``.

    Args:
        link: f, a name such as "he3" or the text of a polynomial in z1, not constant.
        dim: d, at least 4.
        strength: theta, at least 0.
        cosine: of the angle between spike and direction, from 0 to 1.
        noise: standard deviation of the label noise, at least 0.

    Raises:
        BadParameter: if an argument is out of range, or the link gives a neuron no gradient.

    Source: Jones-McCormick, Jagannath and Sen (2025) for the setting. Chapter: unlabelled_pretraining.
    """
    return SpikedNeuron(
        learning_link(link),
        whole_number("dim", dim, least=4),
        real_number("strength", strength, least=0),
        real_number("cosine", cosine, least=0, most=1),
        real_number("noise", noise, least=0),
    )


def state_overlaps(task: SpikedNeuron, states: torch.Tensor) -> torch.Tensor:
    """Return <w, u> = cosine a + sqrt(1 - cosine^2) b for states (a, b).

    Args:
        task: inputs and direction.
        states: of shape (R, 2).

    Returns:
        Tensor of shape (R,), dtype and device of ``states``.

    Raises:
        BadParameter: if ``states`` has another shape or an entry is not finite.
        TypeError: if it is no floating-point tensor.

    Chapter: unlabelled_pretraining.
    """
    return matrix("states", states, 2) @ torch.as_tensor(task.direction, device="cpu").to(states)


def told_signs(task: SpikedNeuron, starts: torch.Tensor) -> torch.Tensor:
    """Return the starts, each with the sign of positive overlap with u: a gift, paid for by no label.

    Args:
        task: inputs and direction.
        starts: states (a, b), of shape (R, 2).

    Returns:
        Tensor of the shape, dtype and device of ``starts``.

    Raises:
        BadParameter: if ``starts`` has another shape or an entry is not finite.
        TypeError: if it is no floating-point tensor.

    Chapter: unlabelled_pretraining.
    """
    return torch.where(state_overlaps(task, matrix("starts", starts, 2))[:, None] < 0, -starts, starts)


@dataclass(frozen=True, eq=False)
class SpikedTask:
    """The same labels in d dimensions, f(<u, x>) for x ~ N(0, I + theta mu mu^T), as a task for any learner.

    Attributes:
        neuron: link, dimension, strength and cosine.
        spike: mu, a unit vector, float64 (d,).
        directions: u as a column, float64 (d, 1).

    Chapter: unlabelled_pretraining.
    """

    neuron: SpikedNeuron
    spike: torch.Tensor
    directions: torch.Tensor

    @property
    def dim(self) -> int:
        """Dimension of the inputs."""
        return self.neuron.dim

    @property
    def variance(self) -> float:
        """Variance of f(<u, x>) under the spiked law, by quadrature."""
        z, weights = roots_hermitenorm(80)
        values = self.neuron.link.values(math.sqrt(1 + self.neuron.strength * self.neuron.cosine**2) * z)
        weights = weights / weights.sum()
        return float(weights @ values**2 - (weights @ values) ** 2)

    @property
    def law(self) -> Callable[..., torch.Tensor]:
        """Sampler of the inputs that the task is made for."""
        return spiked_law(self.spike, self.neuron.strength)

    def __call__(self, X: torch.Tensor) -> torch.Tensor:
        """Return the values at the rows of X, of shape (n,), dtype and device of X."""
        return self.neuron.link(matrix("X", X, self.dim) @ self.directions[:, 0].to(X))


def spiked_task(neuron: SpikedNeuron, seed: int = 0) -> SpikedTask:
    """Return the task of a neuron, with directions u and mu drawn from a seed.

    Args:
        neuron: link, dimension, strength and cosine.
        seed: of the direction u, and of the direction in which the spike leans away from it.

    Raises:
        BadParameter: if the seed is below 0.

    Chapter: unlabelled_pretraining.

    >>> task = spiked_task(spiked_neuron("he3", 20, 1.0, 0.6))
    >>> round(float(task.spike @ task.directions[:, 0]), 9)
    0.6
    """
    u, v = drawn_directions(neuron.dim, 2, whole_number("seed", seed, least=0)).T
    v = v - (v @ u) * u
    spike = neuron.cosine * u + math.sqrt(1 - neuron.cosine**2) * v / v.norm()
    return SpikedTask(neuron, spike / spike.norm(), u[:, None])
