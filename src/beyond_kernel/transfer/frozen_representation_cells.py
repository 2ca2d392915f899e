"""The experiments of chapter frozen_representation, to be run over a grid."""

import functools
import math
from collections.abc import Sequence

import numpy as np

from beyond_kernel.checks import one_of, real_number, whole_number
from beyond_kernel.escaping_the_kernel.recursive_features import fit_oracle_kernel, fit_recursive_features
from beyond_kernel.feature_learning.one_step import fit_one_step
from beyond_kernel.foundations.learning.learners import Learner, label_of, risk_of
from beyond_kernel.foundations.learning.samples import Problem, Sample, draw_matched_sample
from beyond_kernel.foundations.targets.target import Target
from beyond_kernel.kernel_regime.kernel_learners import fit_gaussian_kernel, fit_oracle
from beyond_kernel.random_streams import generator_for
from beyond_kernel.transfer.frozen_representation import (
    fit_transferred,
    fit_transferred_metric,
    paired_targets,
    pretrain,
    pretrain_metric,
)

FROM_SCRATCH = (fit_one_step, fit_gaussian_kernel, fit_recursive_features)
TOLD = (fit_oracle, fit_oracle_kernel)
LEARNERS = tuple(map(label_of, (fit_transferred, fit_transferred_metric, *TOLD, *FROM_SCRATCH)))
"""The learners compared on the target task; the last three start from scratch, two before them know the subspace."""
ORACLE_LENGTHS = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Lengths of the oracle kernel, more than a rival has, as the longest of theirs is not long in a subspace."""
LEARNT = 0.15
"""Risk from which on a learner from scratch is not run with more samples, well below every threshold of interest."""


def transfer_cell(
    source: str,
    target: str,
    d: int,
    learner: str,
    sizes: Sequence[int],
    repeats: int,
    source_ratio: float,
    width: int,
    noise: float,
    *,
    labels_per_dim: float = 25.0,
    n_test: int = 10_000,
    device: str = "cpu",
    seed: int,
) -> dict[str, np.ndarray]:
    """Return the risk of one learner on the target task for each sample size N; each label it sees is one of the N.

    All learners are scored on the same test points at every N, and see the same training samples.

    Args:
        source: text of the source task.
        target: text of the target task.
        d: input dimension.
        learner: one of ``LEARNERS``.
        sizes: target samples N, ascending.
        repeats: independent training samples averaged over for each N.
        source_ratio: source samples in units of d^2, for a first layer.
        width: number of neurons.
        noise: standard deviation of the label noise in both tasks.
        labels_per_dim: source samples in units of d, for a metric.
        n_test: points on which the risk is measured.
        device: where everything lies.
        seed: of everything drawn.

    Returns:
        ``risk``, of shape (len(sizes),): mean over repeats; NaN after a learner from scratch has come below ``LEARNT``.

    Raises:
        BadParameter: if a parameter is out of range.

    Chapter: frozen_representation.
    """
    one_of("learner", learner, LEARNERS)
    real_number("source_ratio", source_ratio, above=0)
    real_number("labels_per_dim", labels_per_dim, above=0)
    whole_number("repeats", repeats)
    teacher, truth = paired_targets(source, target, d, seed)
    draw = functools.partial(_sample, truth, noise=noise, device=device, seed=seed)
    test, scratch = draw(n_test, role="test"), learner in map(label_of, FROM_SCRATCH)
    n = int(labels_per_dim * d) if learner == label_of(fit_transferred_metric) else int(source_ratio * d**2)
    fit = _prepared(learner, teacher, n, width, noise, device, seed)
    risks = np.full(len(sizes), math.nan)
    for index, size in enumerate(sizes):
        problems = (Problem(draw(size, role=f"train {r}"), test, truth) for r in range(repeats))
        streams = (generator_for(seed, learner, width) for _ in range(repeats))
        risks[index] = np.mean([risk_of(fit, *pair).value for pair in zip(problems, streams, strict=True)])
        if scratch and risks[index] < LEARNT:
            break
    return {"risk": risks}


def _sample(target: Target, n: int, *, noise: float, role: str, device: str, seed: int) -> Sample:
    """Draw a sample whose hidden coordinates and label noise are the same in every dimension."""
    latent, rest = generator_for(seed, role, n, "latent"), generator_for(seed, role, n, target.dim, "rest")
    return draw_matched_sample(target, n, noise, latent, rest, device)


def _prepared(learner: str, source: Target, n: int, width: int, noise: float, device: str, seed: int) -> Learner:
    """Return a learner with its options set; what the two that transfer are given has been learnt on the source."""
    if learner == label_of(fit_transferred):
        return functools.partial(fit_transferred, network=pretrain(source, n, width, noise, seed, device=device))
    if learner == label_of(fit_transferred_metric):
        return functools.partial(fit_transferred_metric, metric=pretrain_metric(source, n, noise, seed, device=device))
    wide = {label_of(fit): functools.partial(fit, width=width) for fit in (fit_oracle, fit_one_step)}
    told = {label_of(fit_oracle_kernel): functools.partial(fit_oracle_kernel, scales=ORACLE_LENGTHS)}
    exact = {label_of(fit): fit for fit in (fit_gaussian_kernel, fit_recursive_features)}
    return (wide | told | exact)[learner]
