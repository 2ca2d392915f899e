"""The ball as a task: 1 inside and 0 outside, under a law of inputs that no rotation changes."""

from dataclasses import dataclass

import torch

from beyond_kernel.checks import matrix, real_number, whole_number
from beyond_kernel.foundations.inputs.radial_inputs import ball_indicator, radius_above


@dataclass(frozen=True)
class BallIndicator:
    """The indicator of the closed ball around 0; no direction of the inputs is special.

    Attributes:
        dim: dimension d of the inputs, at least 2.
        radius: of the ball, above 0.
        law: a key of ``RADIAL_LAWS``, under which the variance is taken.

    Raises:
        BadParameter: if an argument is out of range.

    Source: the target of Safran and Lee (2022). Chapter: targets_and_inputs.

    >>> round(BallIndicator(8, 2**0.5, "two spheres").variance, 6)
    0.25
    """

    dim: int
    radius: float
    law: str

    def __post_init__(self) -> None:
        whole_number("d", self.dim, least=2)
        real_number("radius", self.radius, above=0)
        radius_above(self.law, torch.ones(1, device="cpu"), self.dim)  # refuses an unknown law

    @property
    def directions(self) -> None:
        """All directions matter alike."""
        return None

    @property
    def variance(self) -> float:
        """Var f, the chance of the ball times that of its complement."""
        radius = torch.tensor([self.radius], dtype=torch.float64, device="cpu")
        outside = float(radius_above(self.law, radius, self.dim))
        return outside * (1 - outside)

    def __call__(self, X: torch.Tensor) -> torch.Tensor:
        """Return the values at the rows of X, of shape (n,), dtype and device of X."""
        return ball_indicator(matrix("X", X, self.dim), self.radius)
