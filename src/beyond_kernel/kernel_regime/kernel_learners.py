"""The learners of the kernel regime: ridge regression with exact kernels fixed beforehand, a head on random neurons.

Each chooses a scale out of ``SCALES`` and a penalty by left-out errors, as the learners of every other part do.
"""

import functools
from collections.abc import Callable, Sequence

import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.foundations.learning.heads import SCALES, HeadPredictor, fit_head
from beyond_kernel.foundations.learning.kernel_ridge import Kernel, KernelPredictor, tuned_kernel_ridge
from beyond_kernel.foundations.learning.learners import labelled
from beyond_kernel.foundations.learning.networks import random_network
from beyond_kernel.foundations.learning.samples import Problem
from beyond_kernel.kernel_regime.gaussian_kernel import gaussian_kernel
from beyond_kernel.kernel_regime.tangent_kernel import random_feature_kernel, tangent_kernel


@labelled("random-feature kernel")
def fit_random_feature_kernel(
    problem: Problem, generator: torch.Generator, scales: Sequence[float] = SCALES
) -> KernelPredictor:
    """Fit ridge regression with the kernel of infinitely many frozen neurons.

    Args:
        problem: its training sample.
        generator: not used; nothing is drawn.
        scales: candidates for the length of the inputs against biases of size one. Without biases a ReLU kernel never
            learns an odd degree above one, which would make a weak rival.

    Raises:
        BadParameter: as ``tuned_kernel_ridge``.

    Chapters: degree_by_degree, one_step.

    >>> from beyond_kernel.foundations.learning.samples import draw_problem
    >>> from beyond_kernel.foundations.targets.target import parse_target
    >>> problem = draw_problem(parse_target("z1", 4), n=100, noise=0.0, seed=0)
    >>> model = fit_random_feature_kernel(problem, torch.Generator())
    >>> bool((model(problem.test.X) - problem.test.truth).square().mean() < 0.1)
    True
    """
    return tuned_kernel_ridge(problem.train, _with_biases(random_feature_kernel, scales))


@labelled("tangent kernel")
def fit_tangent_kernel(
    problem: Problem, generator: torch.Generator, scales: Sequence[float] = SCALES
) -> KernelPredictor:
    """Fit ridge regression with the tangent kernel of the infinitely wide network.

    Args:
        problem, generator, scales: as in ``fit_random_feature_kernel``.

    Raises:
        BadParameter: as ``tuned_kernel_ridge``.

    Chapters: degree_by_degree, one_step.
    """
    return tuned_kernel_ridge(problem.train, _with_biases(tangent_kernel, scales))


@labelled("Gaussian kernel")
def fit_gaussian_kernel(
    problem: Problem, generator: torch.Generator, scales: Sequence[float] = SCALES
) -> KernelPredictor:
    """Fit ridge regression with the kernel exp(-|x - z|^2 / (2 L^2)).

    Args:
        problem: its training sample.
        generator: not used; nothing is drawn.
        scales: candidates for the length L in units of sqrt(d), about the length of an input.

    Raises:
        BadParameter: as ``tuned_kernel_ridge``.

    Chapter: one_step.
    """
    root = problem.train.X.shape[1] ** 0.5
    kernels = [functools.partial(gaussian_kernel, length=scale * root) for scale in scales]
    return tuned_kernel_ridge(problem.train, kernels)


@labelled("random features")
def fit_random_features(
    problem: Problem, generator: torch.Generator, width: int, scales: Sequence[float] = SCALES
) -> HeadPredictor:
    """Fit a head on neurons drawn from the whole space and frozen, on the labels as they are.

    Args:
        problem: its training sample.
        generator: source of the neurons.
        width: their number.
        scales: as in ``fit_head``.

    Raises:
        BadParameter: as ``random_network`` and ``fit_head``.

    Chapter: one_step.
    """
    X = problem.train.X
    whole = torch.eye(X.shape[1], dtype=X.dtype, device=X.device)
    return fit_head(problem.train, random_network(width, whole, generator), scales=scales)


@labelled("oracle")
def fit_oracle(
    problem: Problem, generator: torch.Generator, width: int, scales: Sequence[float] = SCALES
) -> HeadPredictor:
    """Fit a head on neurons drawn from the hidden subspace, which nobody knows in practice.

    Args:
        problem: its training sample, and the task, whose directions are read.
        generator: source of the neurons.
        width: their number.
        scales: as in ``fit_head``.

    Raises:
        BadParameter: if the task of the problem has no directions; as ``random_network`` and ``fit_head``.

    Chapters: one_step, frozen_representation.
    """
    directions = getattr(problem.task, "directions", None)
    if directions is None:
        raise BadParameter("the task of this problem has no directions: there is no subspace for an oracle to know.")
    network = random_network(width, directions.to(problem.train.X), generator)
    return fit_head(problem.train, network, scales=scales)


def _with_biases(kernel: Callable[..., torch.Tensor], scales: Sequence[float]) -> list[Kernel]:
    """Return a kernel at biases 1 / scale: only the size of biases against inputs counts, since ridge is rescaled."""
    return [functools.partial(kernel, bias=1 / scale) for scale in scales]
