"""Transfer of what one task has learnt of the inputs: a frozen first layer, or the metric of a kernel.

What is fitted anew, on N samples of another target over the same hidden directions, is a head, or a kernel regression.
"""

from collections.abc import Sequence

import torch

from beyond_kernel.checks import matrix
from beyond_kernel.escaping_the_kernel.recursive_features import fit_metric, fit_recursive_features
from beyond_kernel.feature_learning.one_step import one_step_features
from beyond_kernel.foundations.learning.heads import SCALES, HeadPredictor, fit_head
from beyond_kernel.foundations.learning.kernel_ridge import KernelPredictor
from beyond_kernel.foundations.learning.learners import labelled
from beyond_kernel.foundations.learning.networks import TwoLayerNetwork
from beyond_kernel.foundations.learning.samples import Problem, draw_sample
from beyond_kernel.foundations.targets.target import Target, parse_target
from beyond_kernel.random_streams import generator_for


def paired_targets(source: str, target: str, d: int, seed: int) -> tuple[Target, Target]:
    """Return a source and a target task, each with E f^2 = 1, over the same hidden directions.

    Args:
        source: text of the task that the first layer is trained on.
        target: text of the task that it is then used for; z1, z2, ... are the same directions in both.
        d: input dimension.
        seed: of the directions.

    Raises:
        BadParameter: if a text is no target in dimension d.

    >>> source, target = paired_targets("h2(z1) + h2(z2)", "z1*z2", d=6, seed=0)
    >>> torch.allclose(source.directions, target.directions)
    True
    """
    return parse_target(source, d, seed).normalised(), parse_target(target, d, seed).normalised()


def unseen_share(source: Target, target: Target) -> float:
    """Return which share of the target's relevant subspace the source's expected Hessian does not see.

    Theorem 3 asks that the target depends on the source's subspace alone and that the source's Hessian spans it. At 0
    the Hessian sees every direction of the target; whether it sees all of the source's own is another question, see
    ``Target.has_degenerate_hessian``. What H does not see stays hidden from about d^2 samples of the source. It is
    hidden from the mean of the step at any number of samples where it enters odd degrees from three on alone. If H = 0,
    the lowest even degree k is found from about d^k samples, through its own term of the gradient. The noise of the
    step is tilted by E y^2 x x^T towards unseen directions too, which a metric of many neurons uses and a head hardly.

    >>> round(unseen_share(*paired_targets("h2(z1)", "z1*z2", d=6, seed=0)), 6)
    0.5
    """
    values, vectors = torch.linalg.eigh(source.expected_hessian())
    seen = vectors[:, values.abs() > 1e-9 * values.abs().max().clamp(min=1e-300)]
    return max(0.0, 1 - float((seen.T @ target.directions).square().sum()) / target.rank)


def pretrain(
    source: Target,
    n: int,
    width: int,
    noise: float,
    seed: int,
    device: torch.device | str = "cpu",
) -> TwoLayerNetwork:
    """Return the first layer and biases that Algorithm 1 finds on n samples of the source, with a step of sqrt(d).

    Weight decay erases the initial weights, so that another step size is another length of the first layer, which the
    new head tunes.

    Args:
        source: the source task.
        n: its samples.
        width: number of neurons, even.
        noise: standard deviation of the label noise.
        seed: of samples and weights.
        device: where samples and network lie.

    Raises:
        BadParameter: as ``one_step_features``.

    Source: Damian, Lee, Soltanolkotabi 2022, Algorithm 1, lines 1 to 6. Chapter: frozen_representation.
    """
    sample = draw_sample(source, n, noise, generator_for(seed, "source", n, source.dim), device=device)
    return one_step_features(sample, width, generator_for(seed, "source weights", n, source.dim))[1]


@labelled("transferred")
def fit_transferred(
    problem: Problem, generator: torch.Generator, network: TwoLayerNetwork, scales: Sequence[float] = SCALES
) -> HeadPredictor:
    """Fit a new head on the frozen first layer of another task, on the labels as they are.

    Args:
        problem: its training sample, of the target task.
        generator: not used; nothing is drawn.
        network: from ``pretrain``; its head is not used.
        scales: as in ``fit_head``.

    Raises:
        BadParameter: as ``fit_head``.

    Source: Damian, Lee, Soltanolkotabi 2022, Theorem 3. Chapter: frozen_representation.
    """
    return fit_head(problem.train, network, scales=scales)


def pretrain_metric(
    source: Target, n: int, noise: float, seed: int, device: torch.device | str = "cpu"
) -> torch.Tensor:
    """Return the metric that recursive features find on n samples of the source, the same samples as ``pretrain``.

    Args:
        source: the source task.
        n: its samples; left-out errors on the same samples choose lengths, penalties and the round.
        noise: standard deviation of the label noise.
        seed: of the samples.
        device: where samples and metric lie.

    Returns:
        M, symmetric positive semi-definite, of trace d and shape (d, d).

    Raises:
        BadParameter: as ``fit_recursive_features``.

    Source: Radhakrishnan, Beaglehole, Pandit, Belkin 2024, for the metric. Chapter: frozen_representation.
    """
    sample = draw_sample(source, n, noise, generator_for(seed, "source", n, source.dim), device=device)
    found = fit_recursive_features(Problem(sample, sample, source), generator_for(seed, "nothing is drawn"))
    return found.kernel.keywords["metric"]


@labelled("transferred metric")
def fit_transferred_metric(
    problem: Problem, generator: torch.Generator, metric: torch.Tensor, scales: Sequence[float] = SCALES
) -> KernelPredictor:
    """Fit ridge regression with the Gaussian kernel of a metric that was learnt on another task, and is kept.

    Args:
        problem: its training sample, of the target task.
        generator: not used; nothing is drawn.
        metric: M from ``pretrain_metric``, of shape (d, d).
        scales: candidates for the length in units of sqrt(d).

    Raises:
        BadParameter: as ``fit_metric``.

    Chapter: frozen_representation.
    """
    X = problem.train.X
    return fit_metric(problem.train, matrix("metric", metric, X.shape[1]).to(X), scales)
