"""What is there to be learnt for whoever knows the form: a linear part and one squared direction, fitted as such."""

from dataclasses import dataclass

import torch

from beyond_kernel.checks import BadParameter, vector, whole_number
from beyond_kernel.foundations.learning.learners import labelled
from beyond_kernel.foundations.learning.ridge import fit_ridge
from beyond_kernel.foundations.learning.samples import Problem, Sample

STEPS = 20
"""Steps of Gauss and Newton. In trials without label noise five were enough."""
_HALVINGS, _STARTS = 12, 4


@dataclass(frozen=True)
class LinearPlusSquare:
    """The function x -> c + <b, x> + sign <v, x>^2.

    Attributes:
        c: constant.
        b: of shape (d,).
        v: of shape (d,).
        sign: +1 or -1.
    """

    c: torch.Tensor
    b: torch.Tensor
    v: torch.Tensor
    sign: float

    def __call__(self, X: torch.Tensor) -> torch.Tensor:
        """Return values of shape (n,)."""
        return self.c + X @ self.b + self.sign * (X @ self.v).square()

    def moved(self, step: torch.Tensor) -> "LinearPlusSquare":
        """Return the function with (c, b, v) moved by a vector of 1 + 2 d entries."""
        d = len(self.b)
        return LinearPlusSquare(self.c + step[0], self.b + step[1 : d + 1], self.v + step[d + 1 :], self.sign)


@labelled("known form")
def fit_known_form(problem: Problem, generator: torch.Generator, steps: int = STEPS) -> LinearPlusSquare:
    """Fit c + <b, x> + s <v, x>^2 by least squares: ridge for c and b, an eigenvector for v, then Gauss-Newton steps.

    The starts of v are the four leading eigenvectors of (1/n) sum_i r_i x_i x_i', r what ridge regression leaves of the
    labels; the fit of least training error is kept. A step that does not lower the loss is halved until it does.

    Args:
        problem: its training sample.
        generator: not used; nothing is drawn.
        steps: of Gauss and Newton, at least 0.

    Raises:
        BadParameter: if there are fewer samples than the 2 d + 1 numbers that are fitted.

    Source: derived here. Chapter: good_directions.
    """
    X, y = problem.train.X, problem.train.y
    n, d = X.shape
    if n < 2 * d + 1:
        raise BadParameter(
            f"the sample has {n} points: {2 * d + 1} numbers are fitted, so it needs {2 * d + 1} or more."
        )
    whole_number("steps", steps, least=0)
    fits = [_descend(start, X, y, steps) for start in _spectral_starts(X, y)]
    return min(fits, key=lambda model: _loss(model, X, y))


def refit(train: Sample, direction: torch.Tensor) -> LinearPlusSquare:
    """Fit c + <b, x> + s <v, x>^2 with v along a given direction: ridge regression on 1, x and one square.

    Args:
        train: labelled points; the penalty is chosen by leave-one-out.
        direction: of shape (d,); its length does not matter if it is not 0.

    Raises:
        BadParameter: if the direction has another length than the inputs, or is 0.

    Source: derived here. Chapter: good_directions.
    """
    X, length = train.X, float(vector("direction", direction, train.X.shape[1]).norm())
    if not length:
        raise BadParameter("direction is 0: it must point somewhere.")
    unit = direction.to(X) / length
    square = (X @ unit).square()
    fit = fit_ridge(torch.cat([torch.ones_like(X[:, :1]), X, square[:, None]], 1), train.y).coefficients
    sign = 1.0 if float(fit[-1]) >= 0 else -1.0
    return LinearPlusSquare(fit[0], fit[1:-1], fit[-1].abs().sqrt() * unit, sign)


def _loss(model: LinearPlusSquare, X: torch.Tensor, y: torch.Tensor) -> float:
    return float((y - model(X)).square().mean())


def _descend(model: LinearPlusSquare, X: torch.Tensor, y: torch.Tensor, steps: int) -> LinearPlusSquare:
    """Take steps of Gauss and Newton, each halved until it lowers the loss."""
    for _ in range(steps):
        slopes = torch.cat([torch.ones_like(y)[:, None], X, 2 * model.sign * (X @ model.v)[:, None] * X], 1)
        step = torch.linalg.lstsq(slopes, (y - model(X))[:, None]).solution[:, 0]
        tried = (model.moved(step / 2**k) for k in range(_HALVINGS))
        now = _loss(model, X, y)
        model = next((other for other in tried if _loss(other, X, y) < now), model)
    return model


def _spectral_starts(X: torch.Tensor, y: torch.Tensor) -> list[LinearPlusSquare]:
    """Return a start for each of the leading eigenvectors: one of them alone leads astray at 1 seed in 100."""
    ones = torch.ones_like(y)[:, None]
    linear = fit_ridge(torch.cat([ones, X], 1), y).coefficients
    residuals = y - linear[0] - X @ linear[1:]
    values, vectors = torch.linalg.eigh((X.T * residuals) @ X / len(X))
    starts = []
    for k in values.abs().argsort(descending=True)[:_STARTS].tolist():
        squares = (X @ vectors[:, k]).square()
        centred = squares - squares.mean()
        amplitude = (residuals @ centred) / (centred @ centred)
        sign = 1.0 if float(amplitude) >= 0 else -1.0
        v = amplitude.abs().sqrt() * vectors[:, k]
        starts.append(LinearPlusSquare(linear[0] - amplitude * squares.mean(), linear[1:], v, sign))
    return starts
