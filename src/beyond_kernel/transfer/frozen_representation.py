"""Transfer by a frozen first layer: fit a new head on N samples of another target over the same hidden directions.

Source: Damian, Lee, Soltanolkotabi 2022, Theorem 3. Chapter: frozen_representation.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch

from beyond_kernel.checks import one_of, real_number, whole_number
from beyond_kernel.feature_learning.baselines import kernel_risk, one_step_risk, random_network
from beyond_kernel.feature_learning.one_step import STEP_SCALE, one_step_features
from beyond_kernel.foundations.learning.measures import excess_risk
from beyond_kernel.foundations.learning.networks import TwoLayerNetwork
from beyond_kernel.foundations.learning.ridge import fit_ridge
from beyond_kernel.foundations.learning.samples import Problem, Sample, draw_matched_sample, draw_sample
from beyond_kernel.foundations.targets.target import Target, parse_target
from beyond_kernel.random_streams import generator_for

LEARNERS = ("transferred", "oracle", "one step", "random-feature kernel")
"""The learners compared on the target task; the last two start from scratch."""


def paired_targets(source: str, target: str, d: int, seed: int) -> tuple[Target, Target]:
    """Return a source and a target task, each with E f^2 = 1, over the same hidden directions.

    Args:
        source: text of the task that the first layer is trained on.
        target: text of the task that it is then used for; z1, z2, ... are the same directions in both.
        d: input dimension.
        seed: of the directions.

    Raises:
        BadParameter: if a text is no target in dimension d.
    """
    return parse_target(source, d, seed).normalised(), parse_target(target, d, seed).normalised()


def unseen_share(source: Target, target: Target) -> float:
    """Return which share of the target's relevant subspace the source's expected Hessian does not see.

    Theorem 3 asks that the target depends on the source's subspace alone and that the source's Hessian spans it. At 0
    it does; at 1 nothing of the target was learnt.
    """
    values, vectors = torch.linalg.eigh(source.expected_hessian())
    seen = vectors[:, values.abs() > 1e-9 * values.abs().max().clamp(min=1e-300)]
    return max(0.0, 1 - float((seen.T @ target.directions).square().sum()) / target.rank)


def pretrain(
    source: Target, n: int, width: int, noise: float, seed: int, step_scale: float = STEP_SCALE
) -> TwoLayerNetwork:
    """Return the first layer and biases that Algorithm 1 finds on n samples of the source."""
    sample = draw_sample(source, n, noise, generator_for(seed, "source", n, source.dim))
    return one_step_features(sample, width, generator_for(seed, "source weights", n, source.dim), step_scale)[1]


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
    seed: int,
    most_gram: int = 2048,
) -> dict[str, np.ndarray]:
    """Return the excess risk of one learner on the target task for each sample size N.

    Args:
        source: text of the source task.
        target: text of the target task.
        d: input dimension.
        learner: one of ``LEARNERS``.
        sizes: target samples N, ascending.
        repeats: independent training samples averaged over for each N; validation and test samples stay the same.
        source_ratio: source samples in units of d^2.
        width: number of neurons.
        noise: standard deviation of the label noise in both tasks.
        seed: of everything drawn.
        most_gram: largest N for which a kernel is run.

    Returns:
        ``risk``, of shape (len(sizes),): mean over repeats; NaN where a kernel would be too large, and after a learner
        from scratch has come well below every threshold of interest (risk under 0.1).

    Chapter: frozen_representation.
    """
    one_of("learner", learner, LEARNERS)
    real_number("source_ratio", source_ratio, above=0)
    whole_number("repeats", repeats)
    teacher, truth = paired_targets(source, target, d, seed)
    frozen = learner in (
        "transferred",
        "oracle",
    )  # their features are computed once
    validation = _sample(truth, 2000, noise, seed, "validation")
    test = _sample(truth, 5000 if frozen else 4000, noise, seed, "test")
    run = _runner(learner, teacher, truth, int(source_ratio * d**2), width, noise, seed, validation, test)
    risks = np.full(len(sizes), math.nan)
    for index, size in enumerate(sizes):
        if learner == "random-feature kernel" and size > most_gram:
            break
        trains = (_sample(truth, size, noise, seed, f"train {repeat}") for repeat in range(repeats))
        risks[index] = np.mean([run(train) for train in trains])
        if risks[index] < 0.1 and learner in ("one step", "random-feature kernel"):
            break
    return {"risk": risks}


def _sample(target: Target, n: int, noise: float, seed: int, role: str) -> Sample:
    """Draw a sample whose hidden coordinates and label noise are the same in every dimension."""
    latent, rest = generator_for(seed, role, n, "latent"), generator_for(seed, role, n, target.dim, "rest")
    return draw_matched_sample(target, n, noise, latent, rest)


def _runner(
    learner: str,
    source: Target,
    target: Target,
    n: int,
    width: int,
    noise: float,
    seed: int,
    validation: Sample,
    test: Sample,
) -> Callable[[Sample], float]:
    """Prepare a learner once (pre-training, drawing neurons), to be run on many training samples of the target."""
    if learner == "one step":
        return lambda train: one_step_risk(Problem(train, validation, test), width, seed).value
    if learner == "random-feature kernel":
        return lambda train: kernel_risk(Problem(train, validation, test), "random features").value
    if learner == "transferred":
        network = pretrain(source, n, width, noise, seed)
    else:
        network = random_network(width, target.directions, seed)
    return new_head(network, validation, test)


def new_head(network: TwoLayerNetwork, validation: Sample, test: Sample) -> Callable[[Sample], float]:
    """Return a function that fits a new head on frozen features of a training sample and gives its excess risk.

    The labels are not preprocessed. Features of the validation and the test sample are computed once.

    Args:
        network: its head is not used.
        validation: the sample on which the penalty is chosen.
        test: the sample on which the risk is measured.

    Source: Damian, Lee, Soltanolkotabi 2022, Theorem 3. Chapter: frozen_representation.
    """
    held_out, fresh = network.features(validation.X), network.features(test.X)

    def risk_after(train: Sample) -> float:
        fit = fit_ridge(network.features(train.X), train.y, held_out, validation.y)
        return excess_risk(fresh @ fit.coefficients, test.truth).value

    return risk_after
