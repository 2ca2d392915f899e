"""What one step knows without its narrow head: the metric W'W of its neurons, or its mean, in a Gaussian kernel."""

import math
from collections.abc import Sequence

import torch

from beyond_kernel.checks import matrix, vector
from beyond_kernel.escaping_the_kernel.recursive_features import fit_metric
from beyond_kernel.feature_learning.one_step import moment_linear_part, one_step_features
from beyond_kernel.foundations.learning.heads import SCALES
from beyond_kernel.foundations.learning.kernel_ridge import KernelPredictor
from beyond_kernel.foundations.learning.learners import labelled
from beyond_kernel.foundations.learning.samples import Problem


@labelled("one step, metric kernel")
def fit_metric_kernel(
    problem: Problem, generator: torch.Generator, width: int, scales: Sequence[float] = SCALES
) -> KernelPredictor:
    """Take one giant step, then fit ridge regression with the Gaussian kernel of metric W'W, on the labels as they are.

    The first half is that of Algorithm 1; the second has as many features as samples in place of m neurons.

    Args:
        problem: its training sample, all of which serves both the step and the kernel.
        generator: source of the initial weights.
        width: m, even.
        scales: candidates for the length in units of sqrt(d).

    Returns:
        The predictor; its ``kernel.keywords["metric"]`` is W'W, scaled to trace d.

    Raises:
        BadParameter: as ``one_step_features`` and ``fit_metric``.

    Chapter: one_step.
    """
    network = one_step_features(problem.train, width, generator)[1]
    return fit_metric(problem.train, network.W.T @ network.W, scales)


def mean_outer_product(X: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Return E_w g g' of the correlations g(w) = (1/n) sum_i y_i x_i 1{w . x_i >= 0} over w of no preferred direction.

    Two points are on the active side of the same neuron with the chance (pi - angle) / (2 pi), so the mean is
    X' Y K Y X / n^2 with that kernel K and Y = diag(y): the metric of one step with infinitely many neurons.

    Args:
        X: of shape (n, d), no row 0.
        y: of shape (n,).

    Returns:
        The mean, of shape (d, d).

    Source: derived here; K is the arc-cosine kernel of order 0. Chapter: which_method_wins.

    >>> mean_outer_product(torch.tensor([[2.0, 0.0]]), torch.tensor([3.0])).tolist()  # half of the neurons see it
    [[18.0, 0.0], [0.0, 0.0]]
    """
    vector("y", y, len(matrix("X", X)))
    U = X / X.norm(dim=1, keepdim=True)
    angle = torch.acos((U @ U.T).clamp(-1, 1)).fill_diagonal_(0.0)
    rows = y[:, None] * X
    return rows.T @ ((math.pi - angle) / (2 * math.pi)) @ rows / len(y) ** 2


def two_moments(X: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Return H^2 / (2 pi d) + (1/4 - 1/(2 pi)) A / n with H = (1/n) sum y x x' and A = (1/n) sum y^2 x x'.

    With v = (1/n) sum y x, v v'/4 and this make up ``mean_outer_product`` to first order in the cosine of two points,
    which is about d^(-1/2). If a linear part was taken away by least squares, v is 0. If it was taken away by moments,
    v v'/4 is noise, of the same order as A / n, that the metric of one step has and this has not. H estimates the mean
    Hessian. A, its isotropic part included, is what a sum over pairs holds of the pairs (i, i): noise for H, but with a
    direction of its own wherever y^2 has one.

    Args:
        X: of shape (n, d), about |x|^2 = d.
        y: labels less mean and linear part, of shape (n,).

    Returns:
        The metric, of shape (d, d).

    Source: derived here. Chapter: which_method_wins.
    """
    n, d = len(vector("y", y, len(matrix("X", X)))), X.shape[1]
    H, A = (X.T @ (labels[:, None] * X) / n for labels in (y, y.square()))
    return H @ H / (2 * math.pi * d) + (0.25 - 0.5 / math.pi) * A / n


@labelled("two moments")
def fit_two_moments(problem: Problem, generator: torch.Generator, scales: Sequence[float] = SCALES) -> KernelPredictor:
    """Fit ridge regression with the Gaussian kernel of metric ``two_moments``: one step, without a network.

    The linear part is taken away by moments, as in one step, whose noise v v'/4 in the metric is left out here.

    Args:
        problem: its training sample, all of which serves the linear part, the moments and the kernel.
        generator: not used; nothing is drawn.
        scales: candidates for the length in units of sqrt(d).

    Returns:
        The predictor; its ``kernel.keywords["metric"]`` is the metric, scaled to trace d.

    Raises:
        BadParameter: as ``fit_metric``.

    Chapter: which_method_wins.
    """
    X, y = problem.train.X, problem.train.y
    return fit_metric(problem.train, two_moments(X, y - moment_linear_part(X, y)(X)), scales)
