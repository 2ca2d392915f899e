"""The learners of the kernel regime: ridge regression with the two exact kernels, and a head on random neurons."""

import functools

import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.foundations.learning.heads import HeadPredictor, fit_head
from beyond_kernel.foundations.learning.kernel_ridge import KernelPredictor, kernel_ridge
from beyond_kernel.foundations.learning.learners import labelled
from beyond_kernel.foundations.learning.networks import random_network
from beyond_kernel.foundations.learning.samples import Problem
from beyond_kernel.kernel_regime.tangent_kernel import random_feature_kernel, tangent_kernel


@labelled("random-feature kernel")
def fit_random_feature_kernel(problem: Problem, generator: torch.Generator, bias: float = 1.0) -> KernelPredictor:
    """Fit ridge regression with the kernel of infinitely many frozen neurons.

    Args:
        problem: train and validation samples.
        generator: not used; nothing is drawn.
        bias: standard deviation of the neurons' biases; 1 as in Algorithm 1. Without biases a ReLU kernel never learns
            an odd degree above one, which would make a weak rival.

    Raises:
        BadParameter: as ``kernel_ridge``.

    Chapters: degree_by_degree, one_step.

    >>> from beyond_kernel.foundations.learning.samples import draw_problem
    >>> from beyond_kernel.foundations.targets.target import parse_target
    >>> problem = draw_problem(parse_target("z1", 4), n=100, noise=0.0, seed=0)
    >>> model = fit_random_feature_kernel(problem, torch.Generator())
    >>> bool((model(problem.test.X) - problem.test.truth).square().mean() < 0.1)
    True
    """
    return kernel_ridge(problem, functools.partial(random_feature_kernel, bias=bias))


@labelled("tangent kernel")
def fit_tangent_kernel(problem: Problem, generator: torch.Generator, bias: float = 1.0) -> KernelPredictor:
    """Fit ridge regression with the tangent kernel of the infinitely wide network.

    Args:
        problem, generator, bias: as in ``fit_random_feature_kernel``.

    Raises:
        BadParameter: as ``kernel_ridge``.

    Chapters: degree_by_degree, one_step.
    """
    return kernel_ridge(problem, functools.partial(tangent_kernel, bias=bias))


@labelled("random features")
def fit_random_features(problem: Problem, generator: torch.Generator, width: int) -> HeadPredictor:
    """Fit a head on neurons drawn from the whole space and frozen, on the labels as they are.

    Args:
        problem: train and validation samples.
        generator: source of the neurons.
        width: their number.

    Raises:
        BadParameter: as ``random_network`` and ``fit_head``.

    Chapter: one_step.
    """
    X = problem.train.X
    whole = torch.eye(X.shape[1], dtype=X.dtype, device=X.device)
    return fit_head(problem, random_network(width, whole, generator))


@labelled("oracle")
def fit_oracle(problem: Problem, generator: torch.Generator, width: int) -> HeadPredictor:
    """Fit a head on neurons drawn from the hidden subspace, which nobody knows in practice.

    Args:
        problem: train and validation samples, and the task, whose directions are read.
        generator: source of the neurons.
        width: their number.

    Raises:
        BadParameter: if the task of the problem has no directions; as ``random_network`` and ``fit_head``.

    Chapters: one_step, frozen_representation.
    """
    directions = getattr(problem.task, "directions", None)
    if directions is None:
        raise BadParameter("the task of this problem has no directions: there is no subspace for an oracle to know.")
    return fit_head(problem, random_network(width, directions.to(problem.train.X), generator))


KERNEL_LEARNERS = {"random features": fit_random_feature_kernel, "tangent": fit_tangent_kernel}
"""The two kernels' learners by the names of ``tangent_kernel.KERNELS``; "random features" is the exact kernel."""
