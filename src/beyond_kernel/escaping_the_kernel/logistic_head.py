"""Logistic regression on frozen error-function features: a second non-linearity whose training is convex."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.nn.functional import softplus

from beyond_kernel.checks import BadParameter, list_of, matrix, real_number, vector
from beyond_kernel.escaping_the_kernel.clipped_neuron import ErfFeatures, draw_erf_features
from beyond_kernel.foundations.learning.held_out import split_fifth
from beyond_kernel.foundations.learning.learners import labelled
from beyond_kernel.foundations.learning.samples import Problem

LEVELS = tuple(10.0**-exponent for exponent in range(1, 11))
"""Penalties from 0.1 to 1e-10, in units of the mean squared norm of a row of features; 1e-8 to 1e-6 were chosen."""
MOST_STEPS, MOST_HALVINGS, ENOUGH = 30, 20, 1e-4
"""Newton steps at the most, halvings of one, and the decrease that a last step promises, in units of the loss."""


@dataclass(frozen=True)
class LogisticHead:
    """The function x -> 1 / (1 + exp(-<w, phi(x)>)) on frozen features.

    Attributes:
        features: phi.
        w: weights of the output, of shape (m,) or (m + 1,).
        penalty: as chosen.
    """

    features: ErfFeatures
    w: torch.Tensor
    penalty: float

    def __call__(self, X: torch.Tensor) -> torch.Tensor:
        """Return predictions of shape (n,)."""
        return torch.cat([self.features(rows) @ self.w.to(X) for rows in X.split(4096)]).sigmoid()


def logistic_regression(features: torch.Tensor, y: torch.Tensor, penalty: float, start: torch.Tensor) -> torch.Tensor:
    """Minimise (1/n) sum_i (log(1 + exp(z_i)) - y_i z_i) + (penalty/2) |w|^2 with z = F w, by damped Newton steps.

    The loss is strictly convex; a step is halved until it lowers the loss by what its slope promises, but for rounding.

    Args:
        features: F, of shape (n, m).
        y: labels from 0 to 1, of shape (n,).
        penalty: above 0.
        start: where to begin, of shape (m,); the end does not depend on it.

    Returns:
        The minimiser w, of shape (m,).

    Raises:
        BadParameter: if a shape or a number does not fit, or a label is not from 0 to 1.

    Source: any text on generalised linear models. Chapter: depth_separation.

    >>> ones, half = torch.ones(4, 1, dtype=torch.float64), torch.tensor([0.0, 1.0, 1.0, 1.0], dtype=torch.float64)
    >>> round(float(logistic_regression(ones, half, 1e-9, torch.zeros(1, dtype=torch.float64)).exp()), 4)  # odds 3 to 1
    3.0
    """
    n, m = matrix("features", features).shape
    vector("y", y, n), vector("start", start, m), real_number("penalty", penalty, above=0)
    if float(y.min()) < 0 or float(y.max()) > 1:
        raise BadParameter(f"y has values from {float(y.min()):g} to {float(y.max()):g}: labels must be from 0 to 1.")
    w, z = start, features @ start
    loss = _loss(w, z, y, penalty)
    for _ in range(MOST_STEPS):
        share = z.sigmoid()
        slope = features.T @ (share - y) / n + penalty * w
        curvature = (features.T * (share * (1 - share) / n)) @ features
        curvature.diagonal().add_(penalty)
        step = torch.linalg.solve(curvature, slope)
        along, promised = features @ step, float(slope @ step)
        for halvings in range(MOST_HALVINGS):
            size = 0.5**halvings
            new = _loss(w - size * step, z - size * along, y, penalty)
            if new <= loss - 0.1 * size * promised:
                break
        else:
            break
        w, z, loss = w - size * step, z - size * along, new
        if promised <= ENOUGH * loss:
            break
    return w


@labelled("logistic head")
def fit_logistic_head(
    problem: Problem,
    generator: torch.Generator,
    width: int,
    constant: bool = True,
    levels: Sequence[float] = LEVELS,
) -> LogisticHead:
    """Fit logistic regression on frozen features; a random fifth chooses the penalty, with which all n are fitted.

    The penalty of least *squared* error on the fifth is taken, since that is what the chapter measures.

    Args:
        problem: its training sample, with labels from 0 to 1; all of its labels count, the held-out fifth too.
        generator: source of the features, then of the held-out fifth; a linear head with an equal one has the same.
        width: m, number of features.
        constant: whether the output has a bias.
        levels: candidates for the penalty, above 0, in units of the mean squared norm of a row of features.

    Raises:
        BadParameter: as ``draw_erf_features``, ``split_fifth`` and ``logistic_regression``.

    Source: the convex rival of the clipped head. Chapter: depth_separation.
    """
    list_of("levels", levels, lambda name, value: real_number(name, value, above=0))
    X, y = problem.train.X, problem.train.y
    phi = draw_erf_features(width, X.shape[1], generator, constant)
    kept, held = split_fifth(problem.train, generator)
    F, other = phi(kept.X), phi(held.X)
    unit, w = float(F.square().sum(1).mean()), F.new_zeros(F.shape[1])
    best, least, chosen = w, float("inf"), levels[0]
    for level in sorted(levels, reverse=True):  # each fit starts from that of the penalty before
        w = logistic_regression(F, kept.y, level * unit, w)
        error = float(((other @ w).sigmoid() - held.y).square().mean())
        if error < least:
            best, least, chosen = w, error, level
    return LogisticHead(phi, logistic_regression(phi(X), y, chosen * unit, best), chosen * unit)


def _loss(w: torch.Tensor, z: torch.Tensor, y: torch.Tensor, penalty: float) -> float:
    return float((softplus(z) - y * z).mean() + penalty / 2 * (w @ w))
