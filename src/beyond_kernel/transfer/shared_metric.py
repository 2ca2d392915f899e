"""Recursive features for many tasks: a Gaussian kernel for each task, with one metric that all tasks learn together."""

import functools
from collections.abc import Sequence

import torch

from beyond_kernel.checks import BadParameter, whole_number
from beyond_kernel.escaping_the_kernel.recursive_features import average_gradient_outer_product
from beyond_kernel.foundations.learning.kernel_ridge import kernel_ridge
from beyond_kernel.foundations.learning.samples import Sample
from beyond_kernel.kernel_regime.gaussian_kernel import gaussian_kernel

ROUNDS = 4
"""Times the metric is learnt. In trials the first finds about what both parts find and each later one adds less."""


def shared_metric(samples: Sequence[Sample], rounds: int = ROUNDS) -> torch.Tensor:
    """Return the average gradient outer product, summed over tasks, after rounds of kernel ridge regression on each.

    In each round every task is fitted by the kernel exp(-(x - x')' M (x - x') / 2d), its penalty chosen by
    leave-one-out; M is the identity at first, and then the square root of what the round before returned, of trace d.
    The length of the kernel is fixed, and nothing else is chosen.

    Args:
        samples: one labelled sample a task; the mean of its labels is taken off.
        rounds: how often all tasks are fitted.

    Returns:
        The sum over tasks, of shape (d, d), dtype and device of the samples.

    Raises:
        BadParameter: if there is no sample or rounds is below 1; as ``kernel_ridge``.

    Source: after Radhakrishnan, Beaglehole, Pandit, Belkin 2024, who have one task. Chapter: many_tasks.
    """
    if not samples:
        raise BadParameter("samples is empty: it must hold the sample of at least one task.")
    d = samples[0].X.shape[1]
    metric = torch.eye(d, dtype=samples[0].X.dtype, device=samples[0].X.device)
    for _ in range(whole_number("rounds", rounds)):
        total = torch.zeros_like(metric)
        for sample in samples:
            centred = Sample(sample.X, sample.y - sample.y.mean())
            fitted = kernel_ridge(
                centred, functools.partial(gaussian_kernel, length=d**0.5, metric=metric), len(centred)
            )
            total += average_gradient_outer_product(sample.X, fitted.fit.coefficients, d**0.5, metric)
        values, vectors = torch.linalg.eigh(total)
        root = (vectors * values.clamp(min=0).sqrt()) @ vectors.T
        metric = root * (d / root.trace())
    return total
