"""Recursive features: a Gaussian kernel whose metric is learnt from the gradients of its own predictor, repeatedly.

Kernel ridge regression in the current metric, then the average outer product of the predictor's gradients as the next
metric. No network is trained; what is learnt is the metric.
"""

import functools
from collections.abc import Callable, Sequence

import torch

from beyond_kernel.checks import BadParameter, matrix, vector, whole_number
from beyond_kernel.foundations.learning.heads import SCALES
from beyond_kernel.foundations.learning.kernel_ridge import KernelPredictor, tuned_kernel_ridge
from beyond_kernel.foundations.learning.learners import labelled
from beyond_kernel.foundations.learning.samples import Problem, Sample
from beyond_kernel.kernel_regime.gaussian_kernel import gaussian_kernel

ROUNDS = 3
"""Times the metric is learnt anew. In trials (three targets, d = 14 and 20) the third round took up to half of the risk
away, and two further rounds up to a third of what was left."""
MOST_SAMPLES = 3200
"""Largest sample that is accepted, since left-out errors need all eigenvectors, time n^3 and three n x n arrays."""


def average_gradient_outer_product(
    X: torch.Tensor, coefficients: torch.Tensor, length: float, metric: torch.Tensor
) -> torch.Tensor:
    """Return (1/n) sum_i grad f(x_i) grad f(x_i)' for f(x) = sum_j c_j exp(-(x - x_j)' M (x - x_j) / (2 L^2)).

    The gradient is grad f(x) = sum_j c_j K(x, x_j) M (x_j - x) / L^2.

    Args:
        X: the points x_j, at which the gradients are taken too, of shape (n, d).
        coefficients: c, of shape (n,).
        length: L, above 0.
        metric: M, symmetric, of shape (d, d).

    Returns:
        The average, symmetric positive semi-definite, of shape (d, d).

    Raises:
        BadParameter: if shapes do not fit; as ``gaussian_kernel``.

    Source: Radhakrishnan, Beaglehole, Pandit, Belkin 2024. Chapters: recursive_features, one_step.
    """
    vector("coefficients", coefficients, len(matrix("X", X)))
    kernel = gaussian_kernel(X, length=length, metric=metric)
    pulls = kernel @ (coefficients[:, None] * X) - (kernel @ coefficients)[:, None] * X
    gradients = pulls @ metric.to(X) / length**2
    return gradients.T @ gradients / len(X)


def fit_metric(
    train: Sample, metric: torch.Tensor, scales: Sequence[float] = SCALES, most_left_out: int | None = None
) -> KernelPredictor:
    """Fit ridge regression with the Gaussian kernel of a metric; length and penalty by leave-one-out, at every n.

    Generalised cross-validation may mislead under a metric that was learnt from the same labels.

    Args:
        train: labelled points.
        metric: M, symmetric positive semi-definite, not 0, of shape (d, d); it is scaled to trace d.
        scales: candidates for the length in units of sqrt(d).
        most_left_out: largest n for leave-one-out; above, generalised cross-validation; n itself when left out.

    Raises:
        BadParameter: if there are more than ``MOST_SAMPLES`` points or the metric is 0; as ``tuned_kernel_ridge``.

    Chapters: recursive_features, one_step.
    """
    n, d = train.X.shape
    if n > MOST_SAMPLES:
        raise BadParameter(f"the sample has {n} points: a kernel with a learnt metric takes at most {MOST_SAMPLES}.")
    M = _of_trace(metric, d)
    kernels = [functools.partial(gaussian_kernel, length=scale * d**0.5, metric=M) for scale in scales]
    return tuned_kernel_ridge(train, kernels, n if most_left_out is None else most_left_out)


def recursive_rounds(
    train: Sample, rounds: int = ROUNDS, fit: Callable[..., KernelPredictor] = fit_metric
) -> list[KernelPredictor]:
    """Fit a kernel, take the average gradient outer product for its metric, and so on; return what each round fitted.

    Args:
        train: labelled points.
        rounds: times the metric is learnt anew, at least 0.
        fit: a function of a sample and a metric; ``fit_metric``, options set.

    Returns:
        The predictors of the identity and of each metric learnt, ``rounds`` + 1 of them; fewer where a predictor is
        constant, since it has no gradient to learn from.

    Raises:
        BadParameter: if rounds is negative; as ``fit``.

    Source: Radhakrishnan, Beaglehole, Pandit, Belkin 2024, there with a Laplace kernel. Chapter: recursive_features.
    """
    found = []
    metric = torch.eye(train.X.shape[1], dtype=train.X.dtype, device=train.X.device)
    for _ in range(whole_number("rounds", rounds, least=0) + 1):
        found.append(fit(train, metric))
        chosen = found[-1].kernel.keywords
        metric = average_gradient_outer_product(train.X, found[-1].fit.coefficients, **chosen)
        if not metric.any():
            break
    return found


@labelled("recursive features")
def fit_recursive_features(
    problem: Problem, generator: torch.Generator, rounds: int = ROUNDS, scales: Sequence[float] = SCALES
) -> KernelPredictor:
    """Fit a Gaussian kernel, take the average gradient outer product for its metric, and so on.

    In every round length and penalty are chosen by leave-one-out, from the same grids as for a kernel that is fixed
    beforehand, and so is the round whose predictor is returned: no label is seen that is not in the training sample.
    Without rounds this is ridge regression with the tuned Gaussian kernel.

    Args:
        problem: its training sample.
        generator: not used; nothing is drawn.
        rounds: times the metric is learnt anew, at least 0.
        scales: candidates for the length in units of sqrt(d).

    Returns:
        The predictor of least left-out error; its ``kernel.keywords["metric"]`` is the metric, of trace d.

    Raises:
        BadParameter: if rounds is negative; as ``fit_metric``.

    Source: Radhakrishnan, Beaglehole, Pandit, Belkin 2024, there with a Laplace kernel. Chapters: recursive_features,
    one_step.
    """
    found = recursive_rounds(problem.train, rounds, functools.partial(fit_metric, scales=scales))
    return min(found, key=lambda predictor: predictor.fit.loss)


@labelled("oracle kernel")
def fit_oracle_kernel(
    problem: Problem, generator: torch.Generator, scales: Sequence[float] = SCALES
) -> KernelPredictor:
    """Fit ridge regression with the Gaussian kernel of the hidden coordinates alone, which nobody knows in practice.

    Args:
        problem: its training sample, and the task, whose directions U make the metric U U'.
        generator: not used; nothing is drawn.
        scales: candidates for the length in units of sqrt(d), when U U' is scaled to trace d.

    Raises:
        BadParameter: if the task of the problem has no directions; as ``fit_metric``.

    Chapter: recursive_features.
    """
    directions = getattr(problem.task, "directions", None)
    if directions is None:
        raise BadParameter("the task of this problem has no directions: there is no subspace for an oracle to know.")
    U = directions.to(problem.train.X)
    return fit_metric(problem.train, U @ U.T, scales)


def _of_trace(metric: torch.Tensor, d: int) -> torch.Tensor:
    trace = float(matrix("metric", metric, d).trace())
    if not trace > 0:
        raise BadParameter(f"metric has the trace {trace:g}: it must be positive semi-definite and not 0.")
    return metric * (d / trace)
