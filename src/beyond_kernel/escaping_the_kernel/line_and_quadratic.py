"""A line in place of the tangent features: constant and linear function by least squares, f_Q by gradient descent."""

from dataclasses import dataclass

import torch

from beyond_kernel.checks import BadParameter, real_number
from beyond_kernel.escaping_the_kernel.good_directions import STEPS
from beyond_kernel.escaping_the_kernel.taylor_model import TaylorModel, taylor_start, train_taylor
from beyond_kernel.foundations.learning.learners import labelled
from beyond_kernel.foundations.learning.samples import Problem

JITTER = 2e-3
"""Moves at the start of the quadratic part beside a line. In trials (d = 30 and 40) a tenth of it led to about the same
risk at n = d^1.5, and ten times as much to half as much again."""


@dataclass(frozen=True)
class LineAndQuadratic:
    """The function x -> c + <b, x> + f_Q(x).

    Attributes:
        line: c and b, of shape (d + 1,).
        model: of which the quadratic part counts.
    """

    line: torch.Tensor
    model: TaylorModel

    def __call__(self, X: torch.Tensor) -> torch.Tensor:
        """Return predictions of shape (n,)."""
        return self.line[0] + X @ self.line[1:] + self.model.quadratic_part(X)


@labelled("line and quadratic model")
def fit_line_and_quadratic(
    problem: Problem, generator: torch.Generator, width: int, steps: int = STEPS, jitter: float = JITTER
) -> LineAndQuadratic:
    """Fit a line and the quadratic part together, without f_L: at each step the line is that of least squares.

    Like the joint models it chooses nothing by labels. The quadratic part starts from small random moves, since without
    f_L nothing would drive it away from no move at all.

    Args:
        problem: its training sample, of more points than the d + 1 numbers of the line.
        generator: source of the start and of its moves.
        width: number of neurons m, even.
        steps: of gradient descent.
        jitter: standard deviation of the entries of the moves at the start, above 0.

    Raises:
        BadParameter: if there are too few samples; as ``taylor_start`` and ``train_taylor``.

    Source: the rival of the regulariser, which makes a line of f_L; derived here. Chapter: good_directions.
    """
    X, y = problem.train.X, problem.train.y
    n, d = X.shape
    if n < d + 2:
        raise BadParameter(
            f"the sample has {n} points: a line of {d + 1} numbers is fitted, so it needs {d + 2} or more."
        )
    real_number("jitter", jitter, above=0)
    start = taylor_start(width, d, generator, jitter=jitter, dtype=X.dtype, device=X.device)
    lines = torch.cat([torch.ones_like(X[:, :1]), X], 1)
    basis = torch.linalg.qr(lines).Q
    model = train_taylor(start, X, y, steps=steps, parts=["quadratic"], fitted=basis)
    return LineAndQuadratic(torch.linalg.lstsq(lines, (y - model.quadratic_part(X))[:, None]).solution[:, 0], model)
