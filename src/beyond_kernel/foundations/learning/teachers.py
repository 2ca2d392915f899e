"""Teacher networks: tasks that are themselves a few neurons."""

from dataclasses import dataclass

import torch

from beyond_kernel.checks import matrix, whole_number
from beyond_kernel.foundations.inputs.laws import gaussian
from beyond_kernel.foundations.learning.arc_cosine import relu_means
from beyond_kernel.foundations.learning.networks import TwoLayerNetwork
from beyond_kernel.random_streams import generator_for


@dataclass(frozen=True, eq=False)
class TeacherNetwork:
    """A task that is a two-layer network less a constant.

    Attributes:
        network: its neurons.
        mean: what is taken off.
        variance: Var f under standard Gaussian inputs.
    """

    network: TwoLayerNetwork
    mean: float
    variance: float

    @property
    def dim(self) -> int:
        """Dimension of the inputs."""
        return self.network.W.shape[1]

    @property
    def directions(self) -> torch.Tensor:
        """Orthonormal basis of the span of the neurons, of shape (d, r); neurons that cancel count too."""
        left, values, _ = torch.linalg.svd(self.network.W.T, full_matrices=False)
        eps = torch.finfo(values.dtype).eps  # singular values below the rounding of the largest are zero
        return left[:, values > max(self.network.W.shape) * eps * values[0]]

    def __call__(self, X: torch.Tensor) -> torch.Tensor:
        """Return the values at the rows of X, of shape (n,), dtype and device of X."""
        return self.network.to(matrix("X", X, self.dim))(X) - self.mean


def relu_teacher(neurons: int, d: int, seed: int) -> TeacherNetwork:
    """Draw sum_j (-1)^j relu(<u_j, x>), u_j uniform on the unit sphere, moved and scaled to mean 0 and variance 1.

    Mean and variance are exact, under Gaussian inputs: the mean of a neuron is 1 / sqrt(2 pi), and
    E relu(<u_i, x>) relu(<u_j, x>) is an arc-cosine kernel.

    Args:
        neurons: their number, at least 1.
        d: dimension of the inputs, at least 2, so that two neurons are not multiples of each other.
        seed: of the directions.

    Raises:
        BadParameter: if neurons is below 1 or d below 2.

    Source: Cho and Saul 2009 for the second moments. Chapter: lazy_training.

    >>> relu_teacher(3, 10, seed=0).variance
    1.0
    """
    drawn = gaussian(whole_number("neurons", neurons), whole_number("d", d, least=2), generator_for(seed, "teacher"))
    W = drawn / drawn.norm(dim=1, keepdim=True)
    a = 1 - 2 * (torch.arange(neurons, device=W.device) % 2).to(W)
    mean = float(a.sum()) / (2 * torch.pi) ** 0.5
    one = torch.ones((), dtype=W.dtype, device=W.device)
    products = relu_means(W @ W.T, one, one, order=0).fill_diagonal_(0.5)  # E relu(z)^2, free of rounding
    scale = (float(a @ products @ a) - mean**2) ** 0.5
    return TeacherNetwork(TwoLayerNetwork(W, a / scale, torch.zeros_like(a)), mean / scale, 1.0)
