"""Teachers of a few neurons |<v, x>|: their directions given by angles in a plane, or drawn with a least angle."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from beyond_kernel.checks import BadParameter, list_of, real_number, whole_number
from beyond_kernel.feature_learning.population_kernel import absolute_kernel, check_neurons, check_rows
from beyond_kernel.foundations.learning.networks import TwoLayerNetwork
from beyond_kernel.foundations.learning.teachers import TeacherNetwork
from beyond_kernel.random_streams import generator_for

_TRIES = 2000  # draws of all directions before a least angle counts as out of reach
CLOSEST = 0.1
"""Degrees below which two neurons of a teacher count as one."""


@dataclass(frozen=True, eq=False)
class AbsoluteTeacher:
    """The function sum_j b_j (|<v_j, x>| - sqrt(2/pi)) with unit vectors v_j; v and -v are the same neuron.

    Attributes:
        V: unit directions, one a row, of shape (r, d).
        b: weights, none of them zero, of shape (r,).
    """

    V: torch.Tensor
    b: torch.Tensor

    def __post_init__(self) -> None:
        check_neurons(self.V, self.b, "V", "b")
        if self.V.ndim != 2:
            raise BadParameter(f"V has shape {tuple(self.V.shape)}: it must have shape (r, d).")
        off = (self.V.norm(dim=1) - 1).abs().max()
        if off > 1e3 * torch.finfo(self.V.dtype).eps:
            raise BadParameter(f"V has a row whose length differs from 1 by {float(off):.2g}: rows must have length 1.")
        if not self.b.all():
            raise BadParameter("b has a weight of 0: a neuron of the teacher must have a weight, positive or negative.")
        if len(self.b) > 1 and self.least_angle < CLOSEST:
            raise BadParameter(
                f"two neurons of the teacher are {self.least_angle:.2g} degrees apart, up to sign: "
                f"it must be at least {CLOSEST}."
            )

    @property
    def least_angle(self) -> float:
        """Least angle between two neurons in degrees, up to sign."""
        return float(torch.rad2deg(angles_to(self.V, self.V).fill_diagonal_(math.pi / 2)).min())

    @property
    def mass(self) -> float:
        """Sum of the absolute weights."""
        return float(self.b.abs().sum())

    @property
    def variance(self) -> float:
        """Variance of the function under standard Gaussian inputs."""
        return float(self.b @ absolute_kernel(self.V @ self.V.T) @ self.b)

    def task(self) -> TeacherNetwork:
        """Return the task that learners understand, with |z| = relu(z) + relu(-z)."""
        W, a = torch.cat((self.V, -self.V)), torch.cat((self.b, self.b))
        relus = TwoLayerNetwork(W, a, torch.zeros_like(a))
        return TeacherNetwork(relus, math.sqrt(2 / math.pi) * float(self.b.sum()), self.variance)


def angles_to(W: torch.Tensor, V: torch.Tensor) -> torch.Tensor:
    """Return the angle of each row of W to each row of V, up to sign, in radians, exact for small angles too.

    Args:
        W: rows of any length, shape (..., m, d).
        V: unit rows, shape (..., r, d).

    Returns:
        Tensor of shape (..., m, r), from 0 to pi/2; pi/2 for a row of length zero.

    Raises:
        BadParameter: if the shapes do not fit.
        TypeError: if an argument is no floating-point tensor.

    Chapter: local_recovery.
    """
    check_rows("W", W)
    if check_rows("V", V).ndim > W.ndim or W.shape[-1] != V.shape[-1]:
        raise BadParameter(f"V has shape {tuple(V.shape)}: it must fit W of shape {tuple(W.shape)}.")
    U = torch.nn.functional.normalize(W, dim=-1, eps=1e-30)
    cosines = U @ V.mT
    across = (U[..., :, None, :] - cosines[..., None] * V[..., None, :, :]).norm(dim=-1)
    angles = torch.atan2(across, cosines.abs())
    return torch.where(U.norm(dim=-1, keepdim=True) > 0, angles, torch.full_like(angles, math.pi / 2))


def plane_teacher(
    angles: Sequence[float], weights: Sequence[float], d: int = 2, seed: int = 0, device: str | torch.device = "cpu"
) -> AbsoluteTeacher:
    """Return the teacher whose neurons stand at given angles in a plane of R^d.

    Args:
        angles: of the neurons in degrees; two that differ by a multiple of 180 are one neuron, and are refused.
        weights: of the neurons, as many as angles, positive or negative.
        d: dimension, at least 2; above 2 the plane is drawn at random.
        seed: of the plane.
        device: where it is to lie.

    Raises:
        BadParameter: if an argument is out of range, or two neurons are the same.

    Chapter: local_recovery.

    >>> plane_teacher([0, 90], [1, -2]).b.tolist()
    [1.0, -2.0]
    """
    degrees = list_of("angles", angles, real_number)
    _as_many(weights, len(degrees))
    turns = torch.deg2rad(torch.tensor(degrees, dtype=torch.float64, device=device))
    flat = torch.stack((turns.cos(), turns.sin()), 1)
    if whole_number("d", d, least=2) == 2:
        return _teacher(flat, weights)
    drawn = torch.randn(d, 2, generator=generator_for(seed, "plane", d), dtype=torch.float64, device="cpu")
    return _teacher(flat @ torch.linalg.qr(drawn)[0].T.to(flat), weights)


def drawn_teacher(
    weights: Sequence[float], d: int, least_angle: float, seed: int, device: str | torch.device = "cpu"
) -> AbsoluteTeacher:
    """Draw a teacher whose neurons are uniform on the sphere of R^d, given that no two are closer than an angle.

    Args:
        weights: of the neurons, positive or negative; their number is the number of neurons.
        d: dimension, at least 2.
        least_angle: in degrees, up to sign, from 0.1 to 90.
        seed: of the directions.
        device: where it is to lie.

    Raises:
        BadParameter: if an argument is out of range, or the angle is not reached in so many draws.

    Chapter: local_recovery.
    """
    least = real_number("least_angle", least_angle, least=CLOSEST, most=90)
    r, generator = _as_many(weights, None), generator_for(seed, "absolute teacher", len(weights), d)
    whole_number("d", d, least=2)
    for _ in range(_TRIES):
        V = torch.randn(r, d, generator=generator, dtype=torch.float64, device="cpu")
        V = V / V.norm(dim=1, keepdim=True)
        if (V @ V.T).fill_diagonal_(0).abs().max() <= math.cos(math.radians(least)):
            return _teacher(V.to(device), weights)
    raise BadParameter(
        f"least_angle = {least:g} is out of reach: {r} neurons in d = {d} dimensions did not get so far apart in "
        f"{_TRIES:,} draws; it must be smaller, or d larger."
    )


def _teacher(V: torch.Tensor, weights: Sequence[float]) -> AbsoluteTeacher:
    return AbsoluteTeacher(V, torch.tensor([float(weight) for weight in weights], dtype=V.dtype, device=V.device))


def _as_many(weights: Sequence[float], count: int | None) -> int:
    """Return the number of weights, none of which is zero; as many as angles, where there are some."""
    given = list_of("weights", weights, real_number)
    if 0 in given:
        raise BadParameter(f"weights = {weights!r} are not accepted: a neuron must have a weight other than 0.")
    if count is not None and len(given) != count:
        raise BadParameter(f"weights = {weights!r} are not accepted: there must be {count}, one for each angle.")
    return len(given)
