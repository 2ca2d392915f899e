"""Several giant steps, each on samples of its own or all on the same ones, and then ridge regression on the head.

Every step is the giant step of Algorithm 1 from where the last one ended: W <- 2 eta_t a g_n(W), with weight decay
1 / eta_t, which erases the weights before. All that is left of them is the half space of each neuron: the steps are
a power iteration of the map w -> g_n(w).
"""

from collections.abc import Sequence
from dataclasses import replace

import torch

from beyond_kernel.checks import BadParameter, whole_number
from beyond_kernel.feature_learning.one_step import (
    LinearPart,
    correlations,
    moment_linear_part,
    one_step_features,
    same_biases,
)
from beyond_kernel.foundations.learning.heads import SCALES, HeadPredictor, fit_head
from beyond_kernel.foundations.learning.learners import labelled
from beyond_kernel.foundations.learning.networks import TwoLayerNetwork, with_new_biases
from beyond_kernel.foundations.learning.samples import Problem, Sample


def several_steps_features(
    sample: Sample, width: int, generator: torch.Generator, steps: int = 2, fresh: bool = False
) -> tuple[LinearPart, TwoLayerNetwork]:
    """Run the first half of Algorithm 1 with several giant steps: preprocess, steps, new biases.

    The labels of every step are the preprocessed labels themselves, not residuals, as at the symmetric start: the
    gradient of a loss that is linear in the network's output. The sizes of later steps keep the root mean square length
    that the neurons have after the first, whose size is sqrt(d).

    Args:
        sample: labelled training points.
        width: m, even.
        generator: source of the initial weights and of the biases; with one step, as ``one_step_features`` uses it.
        steps: k, at least 1.
        fresh: whether each step has a k-th of the samples to itself; otherwise all steps have all samples.

    Returns:
        The linear part of the whole sample, and the network whose head is still the initial one.

    Raises:
        BadParameter: if steps is below 1, or above the number of samples where each needs its own.

    Source: Dandi et al. 2024, for two steps on one batch; sizes and labels of the steps are our own.
    Chapter: one_step.
    """
    whole_number("steps", steps)
    if fresh and steps > len(sample):
        raise BadParameter(f"steps = {steps} is more than the {len(sample)} samples: each fresh step needs one.")
    parts = _parts(sample, steps) if fresh else [sample] * steps
    network = one_step_features(parts[0], width, generator, biases=same_biases)[1]
    signs, size = network.a[:, None], network.W.norm()
    for part in parts[1:]:
        linear = moment_linear_part(part.X, part.y)
        pulls = signs * correlations(network.W, part.X, part.y - linear(part.X))
        network = replace(network, W=pulls * (size / pulls.norm().clamp(min=torch.finfo(pulls.dtype).tiny)))
    return moment_linear_part(sample.X, sample.y), with_new_biases(network, generator)


@labelled("steps on the same samples")
def fit_same_samples(
    problem: Problem, generator: torch.Generator, width: int, steps: int = 2, scales: Sequence[float] = SCALES
) -> HeadPredictor:
    """Take several giant steps on all samples, then fit the head on them.

    Args:
        problem: its training sample, all of which serves every step and the head.
        generator: source of the initial weights and of the biases.
        width: m, even.
        steps: k, at least 1; with 1 this is ``fit_one_step``.
        scales: candidates by which the first layer is multiplied before the head is fitted.

    Raises:
        BadParameter: as ``several_steps_features`` and ``fit_head``.

    Source: Dandi et al. 2024, for two steps on one batch. Chapter: one_step.
    """
    linear, network = several_steps_features(problem.train, width, generator, steps)
    return fit_head(problem.train, network, linear, scales)


@labelled("steps on fresh samples")
def fit_fresh_samples(
    problem: Problem, generator: torch.Generator, width: int, steps: int = 2, scales: Sequence[float] = SCALES
) -> HeadPredictor:
    """Take several giant steps, each on a k-th of the samples that no other step sees, then fit the head on all.

    Args:
        problem: its training sample.
        generator: source of the initial weights and of the biases.
        width: m, even.
        steps: k, at least 1; with 1 this is ``fit_one_step``.
        scales: candidates by which the first layer is multiplied before the head is fitted.

    Raises:
        BadParameter: as ``several_steps_features`` and ``fit_head``.

    Source: Dandi et al. 2023, for several steps on fresh batches. Chapter: one_step.
    """
    linear, network = several_steps_features(problem.train, width, generator, steps, fresh=True)
    return fit_head(problem.train, network, linear, scales)


def _parts(sample: Sample, count: int) -> list[Sample]:
    """Return consecutive parts whose sizes differ by one at most; the rows of a sample are in random order."""
    pairs = zip(sample.X.tensor_split(count), sample.y.tensor_split(count), strict=True)
    return [Sample(X, y) for X, y in pairs]
