"""A random fifth of a sample, on which a learner chooses; its labels are among the n that the learner sees."""

import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.foundations.learning.samples import Sample

LEAST_SAMPLES = 5
"""Fewest samples that are accepted, where one of five is held out."""


def split_fifth(sample: Sample, generator: torch.Generator) -> tuple[Sample, Sample]:
    """Return four fifths of a sample to fit on, and the fifth on which things are chosen, in random order.

    Which samples are held out is drawn, so that a sample in some order of its own is split as fairly as any other. The
    noise-free values are left behind: no learner looks at them.

    Args:
        sample: n labelled points, at least ``LEAST_SAMPLES``.
        generator: source of the order.

    Returns:
        What is kept and what is held out, the latter of n / 5 points, rounded up.

    Raises:
        BadParameter: if there are fewer samples.

    Chapters: one_step, quadratic_ntk, depth_separation.

    >>> sample = Sample(torch.arange(12.0).reshape(6, 2), torch.arange(6.0))
    >>> [len(part) for part in split_fifth(sample, torch.Generator().manual_seed(0))]
    [4, 2]
    """
    n = len(sample)
    if n < LEAST_SAMPLES:
        raise BadParameter(
            f"the sample has {n} points: a fifth of it is held out, so at least {LEAST_SAMPLES} are needed."
        )
    order = torch.randperm(n, generator=generator, device=generator.device).to(sample.X.device)
    held, kept = order.tensor_split([-(-n // 5)])
    return Sample(sample.X[kept], sample.y[kept]), Sample(sample.X[held], sample.y[held])
