"""What is expected of the first gradient of a neuron under a spike: its mean, its luck along the spike, its noise."""

import math
from dataclasses import dataclass

import torch
from scipy.special import erfcx

from beyond_kernel.checks import BadParameter, matrix, real_number, vector, whole_number
from beyond_kernel.feature_learning.spiked_index import SpikedIndex
from beyond_kernel.foundations.learning.networks import TwoLayerNetwork
from beyond_kernel.foundations.targets.hermite import gaussian_panels


@dataclass(frozen=True)
class GradientParts:
    """Mean squares of the parts of the first gradient, one a neuron, each float64 (m,) on the CPU.

    Attributes:
        mean: square of the mean gradient along the spike.
        luck: variance of the gradient along the spike, over samples.
        across: mean square of all that lies across the spike.
    """

    mean: torch.Tensor
    luck: torch.Tensor
    across: torch.Tensor

    @property
    def overlap(self) -> torch.Tensor:
        """Expected squared cosine with the spike, where luck is one normal number for each neuron."""
        g, weights = gaussian_panels([-8.0, 0.0, 8.0], 60)
        along = (self.mean.sqrt()[:, None] + torch.outer(self.luck.sqrt(), g)).square()
        return (along / (along + self.across[:, None])) @ weights

    @property
    def without_luck(self) -> torch.Tensor:
        """Squared cosine with the spike that the mean along it would have alone."""
        return self.mean / (self.mean + self.across)


def gradient_parts(
    alignments: torch.Tensor, biases: torch.Tensor, task: SpikedIndex, n: int, noise: float
) -> GradientParts:
    """Return the mean squares of the first gradient's parts for neurons of unit variance, labels less their mean.

    With t = <w, mu>, z the coordinate along the spike in units of s = (1 + theta)^{1/2} and g standard normal, a neuron
    is active where rho z + (1 - rho^2)^{1/2} g + b > 0, rho = s t / (s^2 t^2 + 1 - t^2)^{1/2}. Its mean gradient is
    s E[f z 1] along mu and E[f g 1] along the rest of w; a sample of n adds the variances s^2 Var[y z 1] / n along mu
    and, up to order one over d, E[y^2 1] / n along each of the d - 1 other axes.

    Args:
        alignments: t, of shape (m,), between -1 and 1, both excluded.
        biases: b, of shape (m,).
        task: with the spike on the target, cosine 1.
        n: number of samples.
        noise: standard deviation of the label noise.

    Raises:
        BadParameter: if the spike is not on the target, or an argument is out of range.
        TypeError: if alignments or biases are no floating-point tensors.

    Source: derived here. Chapter: structured_inputs.
    """
    t = vector("alignments", alignments).double().cpu()
    b = vector("biases", biases, len(t)).double().cpu()
    if float(t.abs().max()) >= 1:
        raise BadParameter(f"alignments reaches {float(t.abs().max()):g}: each must be between -1 and 1.")
    if abs(abs(float(task.spike @ task.directions[:, 0])) - 1) > 1e-9:
        raise BadParameter("the spike of this task is not on its target: the prediction is made for cosine 1.")
    z, weights = gaussian_panels([-12.0, -6.0, 0.0, 6.0, 12.0], 40)
    f = task.index.scale * task.index.link(z)
    f = f - weights @ f  # the learner takes the mean label off
    squares = weights * (f**2 + real_number("noise", noise, least=0) ** 2) / whole_number("n", n)
    rho = task.spread * t / (task.spread**2 * t**2 + 1 - t**2).sqrt()
    edge = (torch.outer(rho, z) + b[:, None]) / (1 - rho**2).sqrt()[:, None]
    active, density = torch.special.ndtr(edge), torch.exp(-(edge**2) / 2) / math.sqrt(2 * math.pi)
    mean = task.spread**2 * (active @ (weights * f * z)) ** 2
    luck = task.spread**2 * (active @ (squares * z**2)) - mean / n
    across = (density @ (weights * f)) ** 2 + (task.dim - 1) * (active @ squares)
    return GradientParts(mean, luck, across)


def predicted_gradient_overlap(start: TwoLayerNetwork, task: SpikedIndex, n: int, noise: float) -> torch.Tensor:
    """Return for each neuron the expected squared cosine of first gradient and spike, its luck being normal.

    Args:
        start: neurons and biases, scaled to unit variance, as from ``drawn_start``.
        task: with the spike on the target.
        n: number of samples.
        noise: standard deviation of the label noise.

    Returns:
        Squared cosines, float64 (m,) on the CPU.

    Raises:
        BadParameter: as ``gradient_parts``, or if the neurons have another dimension than the task.

    Source: derived here. Chapter: structured_inputs.
    """
    W = matrix("start.W", start.W, task.dim).double().cpu()
    return gradient_parts(W @ task.spike / W.norm(dim=1), start.b, task, n, noise).overlap


def luck_overlap(odds: float) -> float:
    """Return E[r g^2 / (1 + r g^2)] for a standard normal g, the expected squared cosine where the mean is zero.

    For labels that say nothing a gradient is a sum of inputs with random weights; its variance along the spike is to
    that of all other directions together as r = (1 + theta) / (d - 1).

    Args:
        odds: r, above 0.

    Raises:
        BadParameter: if r is not above 0.

    Source: the integral is 1 - (pi / 2r)^{1/2} e^{1/2r} erfc((2r)^{-1/2}), derived here. Chapter: structured_inputs.

    >>> round(luck_overlap(1.0), 3)
    0.344
    """
    inverse = 1 / math.sqrt(2 * real_number("odds", odds, above=0))
    return float(1 - math.sqrt(math.pi) * inverse * erfcx(inverse))
