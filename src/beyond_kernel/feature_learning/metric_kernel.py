"""What one step knows without its narrow head: the metric W'W of its neurons, in a Gaussian kernel."""

from collections.abc import Sequence

import torch

from beyond_kernel.escaping_the_kernel.recursive_features import fit_metric
from beyond_kernel.feature_learning.one_step import one_step_features
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
