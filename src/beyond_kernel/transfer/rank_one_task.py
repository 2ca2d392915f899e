"""A teacher that differs from a pre-trained base by one direction, and the exact risk of students of any rows.

Teacher and student are networks f(x) = sum_i lambda_i f_0(<row_i, x>) of k neurons with one link f_0, a polynomial. The
teacher's rows are (w_i + s v*) / sqrt(1 + s^2): a base w_1, ..., w_k of unit rows, and one unit vector v* orthogonal to
them. A student whose base is turned by an angle phi has cos(phi) w_i + sin(phi) w'_i in the place of w_i, with further
directions w'_i orthogonal to all that the teacher knows.

Everything is written in coordinates in which these few directions come first: those of the base, those of w' where the
base is turned, then v*. Inputs are standard Gaussian, so that nothing is lost by it.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import torch

from beyond_kernel.checks import BadParameter, floating, matrix, one_of, real_number, whole_number
from beyond_kernel.feature_learning.scaled_link import ScaledLink, learning_link
from beyond_kernel.foundations.exponents.links import AnyLink
from beyond_kernel.transfer.link_correlations import correlation_slope, link_products

HEADS = ("alternating", "equal")
"""Signs of the fixed second layer, whose entries are one over root k in size."""
MOST_DEGREE = 6
"""Degree of the link from which on steps on the square loss have tails too heavy for this page."""


@dataclass(frozen=True, eq=False)
class RankOneTask:
    """A task in the sense of the learning kit, and the base that a student of it starts from.

    Attributes:
        link: of teacher and student, of mean zero and variance one.
        dim: d.
        neurons: k.
        size: s, length of the update in units of a row of the base.
        angle: by which the student's base is turned out of the teacher's, in degrees.
        coherence: inner product of two rows of the base.
        heads: one of ``HEADS``.
        rescaled: whether base and update are shrunk together, so that rows of the teacher have length one.
    """

    link: ScaledLink
    dim: int
    neurons: int
    size: float
    angle: float
    coherence: float
    heads: str
    rescaled: bool

    @property
    def coordinates(self) -> int:
        """Number of coordinates that matter."""
        return self.neurons * (2 if self.angle else 1) + 1

    @property
    def shrink(self) -> float:
        """The factor that gives a row of base plus update length one, or 1 where rows are not rescaled."""
        return 1 / math.sqrt(1 + self.size**2) if self.rescaled else 1.0

    @property
    def head(self) -> torch.Tensor:
        """The fixed second layer, shape (k,)."""
        head = torch.full((self.neurons,), self.neurons**-0.5, dtype=torch.float64, device="cpu")
        if self.heads == "alternating":
            head[1::2] *= -1
        return head

    @cached_property
    def _rows(self) -> torch.Tensor:
        """Unit rows of inner product ``coherence``, shape (k, k)."""
        gram = torch.full((self.neurons, self.neurons), self.coherence, dtype=torch.float64, device="cpu")
        return torch.linalg.cholesky(gram.fill_diagonal_(1.0))

    @property
    def unit_base(self) -> torch.Tensor:
        """Rows of the student's base, of length one, shape (k, coordinates)."""
        rows = torch.zeros(self.neurons, self.coordinates, dtype=torch.float64, device="cpu")
        phi, k = math.radians(self.angle), self.neurons
        rows[:, :k] = math.cos(phi) * self._rows
        if self.angle:
            rows[:, k : 2 * k] = math.sin(phi) * self._rows
        return rows

    @property
    def teacher(self) -> torch.Tensor:
        """Rows of the teacher, shape (k, coordinates)."""
        rows = torch.zeros(self.neurons, self.coordinates, dtype=torch.float64, device="cpu")
        rows[:, : self.neurons] = self.shrink * self._rows
        rows[:, -1] = self.shrink * self.size
        return rows

    @property
    def directions(self) -> torch.Tensor:
        """Orthonormal basis of the teacher's rows, shape (d, k)."""
        basis = torch.zeros(self.dim, self.neurons, dtype=torch.float64, device="cpu")
        basis[: self.coordinates] = torch.linalg.qr(self.teacher.T)[0]
        return basis

    @cached_property
    def variance(self) -> float:
        """Variance of the teacher's values, exactly."""
        products = link_products(self.link, *_gram(self.teacher))
        means = link_products(self.link, *_gram(self.teacher), constant_only=True)
        return float(self.head @ (products - means) @ self.head)

    def __call__(self, X: torch.Tensor) -> torch.Tensor:
        """Return the teacher's values at the rows of X, shape (n,), dtype and device of X.

        Raises:
            BadParameter: if X has another width than d, or holds what is not finite.
            TypeError: if X is no floating-point tensor.
        """
        matrix("X", X, self.dim)
        return self.link(X[:, : self.coordinates] @ self.teacher.T.to(X)) @ self.head.to(X)


def rank_one_task(
    link: AnyLink,
    dim: int,
    neurons: int,
    size: float = 1.0,
    *,
    angle: float = 0.0,
    coherence: float = 0.0,
    heads: str = HEADS[0],
    rescaled: bool = True,
) -> RankOneTask:
    """Return a checked ``RankOneTask``.

    Args:
        link: the text of a polynomial in z1, or a name such as he3; of degree 2 to ``MOST_DEGREE``.
        dim: d, at least 2 k + 4.
        neurons: k, from 1 to 64.
        size: s, from 0.05 to 20.
        angle: of the student's base, from 0 to 90 degrees.
        coherence: inner product of two rows of the base, from 0 to 0.95.
        heads: one of ``HEADS``.
        rescaled: whether rows of the teacher get length one.

    Raises:
        BadParameter: if an argument is out of range, or the link is no polynomial of these degrees.

    Source: Dayi and Chen (2025), abstract, for the setting; the choices within it are ours. Chapter:
    low_rank_finetuning.

    >>> round(rank_one_task("he3", 20, 4).variance, 3)  # 1 - 1/8: the cubes of v* cancel
    0.875
    """
    k = whole_number("neurons", neurons, most=64)
    given = learning_link(link)
    if given.powers is None or not 3 <= len(given.powers) <= MOST_DEGREE + 1:
        name = link if isinstance(link, str) else given.link.name
        raise BadParameter(f"link = {name!r} is not accepted: it must be a polynomial of degree 2 to {MOST_DEGREE}.")
    if not isinstance(rescaled, bool):
        raise BadParameter(f"rescaled = {rescaled!r} is not accepted: it must be True or False.")
    return RankOneTask(
        given,
        whole_number("dim", dim, least=2 * k + 4),
        k,
        real_number("size", size, least=0.05, most=20),
        real_number("angle", angle, least=0, most=90),
        real_number("coherence", coherence, least=0, most=0.95),
        one_of("heads", heads, HEADS),
        rescaled,
    )


def network_risk(task: RankOneTask, rows: torch.Tensor) -> torch.Tensor:
    """Return the risk E (f - f*)^2 / Var f* of students with the task's head, from their rows, exactly.

    Args:
        task: the teacher.
        rows: of the students, shape (..., k, D); D is at least the number of coordinates that matter.

    Returns:
        Tensor of the leading shape, dtype and device of rows.

    Raises:
        BadParameter: if the shape of rows does not fit.
        TypeError: if rows is no floating-point tensor.

    Source: derived here. Chapter: low_rank_finetuning.
    """
    floating("rows", rows)
    if rows.ndim < 2 or rows.shape[-2] != task.neurons or rows.shape[-1] < task.coordinates:
        wanted = f"(..., {task.neurons}, {task.coordinates} or more)"
        raise BadParameter(f"rows has shape {tuple(rows.shape)}: it must have shape {wanted}.")
    teacher = torch.nn.functional.pad(task.teacher.to(rows), (0, rows.shape[-1] - task.coordinates))
    both = torch.cat([rows, teacher.expand(rows.shape)], -2)
    signed = torch.cat([task.head, -task.head]).to(rows)
    return (link_products(task.link, *_gram(both)) @ signed) @ signed / task.variance


def drift_at_start(task: RankOneTask) -> float:
    """Return half the slope of the mean squared error along v*, with the sign of the gain, at a v orthogonal to all.

    With c^2 = 1 / (1 + s^2) and g'(r) = sum_l l c_l^2 r^(l-1) over the Hermite coefficients c_l of the link it is
    c^2 s^2 (g'(c^2) + ((sum lambda)^2 - 1) g'(0)), for an orthonormal base that is not turned.

    Args:
        task: with rescaled rows, angle 0 and coherence 0.

    Raises:
        BadParameter: if the task is another one.

    Source: derived here. Chapter: low_rank_finetuning.
    """
    if not task.rescaled or task.angle or task.coherence:
        raise BadParameter("task must have rescaled rows, an orthonormal base, and no angle.")
    square = task.shrink**2
    others = float(task.head.sum()) ** 2 - 1
    return square * task.size**2 * (correlation_slope(task.link, square) + others * correlation_slope(task.link, 0.0))


def _gram(rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return variances of the one, of the other, and covariances of <row_i, x> and <row_j, x>."""
    gram = rows @ rows.mT
    sizes = torch.diagonal(gram, dim1=-2, dim2=-1)
    return sizes[..., :, None], sizes[..., None, :], gram
