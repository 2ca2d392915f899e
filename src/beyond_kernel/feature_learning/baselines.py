"""The learners that every figure sets beside one another, each a function of a problem that returns its excess risk."""

import torch

from beyond_kernel.checks import one_of
from beyond_kernel.feature_learning.one_step import STEP_SCALE, fit_head, no_linear_part, one_step_features
from beyond_kernel.foundations.learning.measures import Estimate, excess_risk
from beyond_kernel.foundations.learning.networks import TwoLayerNetwork
from beyond_kernel.foundations.learning.ridge import fit_kernel_ridge
from beyond_kernel.foundations.learning.samples import Problem
from beyond_kernel.kernel_regime.tangent_kernel import KERNELS
from beyond_kernel.random_streams import generator_for

LEARNERS = ("one step", "random features", "random-feature kernel", "tangent kernel", "oracle")
"""Names of the learners, as legends and tables write them."""


def one_step_risk(problem: Problem, width: int, seed: int, step_scale: float = STEP_SCALE) -> Estimate:
    """Excess risk of Algorithm 1. Chapter: one_step."""
    generator = generator_for(seed, "one step", width)
    linear, network = one_step_features(problem.train, width, generator, step_scale)
    model = fit_head(linear, network, problem.train, problem.validation)
    return excess_risk(model(problem.test.X), problem.test.truth)


def random_network(width: int, directions: torch.Tensor, seed: int) -> TwoLayerNetwork:
    """Return neurons that are never trained: w uniform on the unit sphere of a subspace, b ~ N(0, 1), head 0.

    Args:
        width: number of neurons.
        directions: orthonormal basis of the subspace, of shape (d, r); the identity for the whole space.
        seed: of the neurons.
    """
    generator = generator_for(seed, "random network", directions.shape[1])
    V = torch.randn(width, directions.shape[1], generator=generator, dtype=directions.dtype)
    b = torch.randn(width, generator=generator, dtype=directions.dtype)
    return TwoLayerNetwork(V / V.norm(dim=1, keepdim=True) @ directions.T, torch.zeros_like(b), b)


def frozen_risk(problem: Problem, network: TwoLayerNetwork) -> Estimate:
    """Excess risk of a new head on frozen neurons, by ridge regression on the labels as they are."""
    model = fit_head(no_linear_part(problem.train.X, problem.train.y), network, problem.train, problem.validation)
    return excess_risk(model(problem.test.X), problem.test.truth)


def kernel_risk(problem: Problem, kernel: str, bias: float = 1.0) -> Estimate:
    """Excess risk of ridge regression with an exact kernel, "random features" or "tangent".

    Args:
        problem: train, validation and test samples.
        kernel: which kernel.
        bias: standard deviation of the neurons' biases; 1 as in Algorithm 1. Without biases a ReLU kernel never learns
            an odd degree above one, which would make a weak rival.
    """
    gram_of = KERNELS[one_of("kernel", kernel, tuple(KERNELS))]
    train, validation, test = problem.train, problem.validation, problem.test
    held_out = gram_of(validation.X, train.X, bias)
    fit = fit_kernel_ridge(gram_of(train.X, bias=bias), train.y, held_out, validation.y)
    return excess_risk(gram_of(test.X, train.X, bias) @ fit.coefficients, test.truth)


def risk(learner: str, problem: Problem, directions: torch.Tensor, width: int, seed: int) -> Estimate:
    """Excess risk of the learner called ``learner``, one of ``LEARNERS``, with ``width`` neurons where it has neurons.

    Args:
        learner: its name.
        problem: train, validation and test samples.
        directions: hidden subspace, of shape (d, r); only the oracle reads it.
        width: number of neurons.
        seed: of the neurons.

    Raises:
        BadParameter: if the learner is unknown.

    Chapters: one_step, frozen_representation.
    """
    whole = torch.eye(problem.train.X.shape[1], dtype=problem.train.X.dtype)
    learners = {
        "one step": lambda: one_step_risk(problem, width, seed),
        "random features": lambda: frozen_risk(problem, random_network(width, whole, seed)),
        "random-feature kernel": lambda: kernel_risk(problem, "random features"),
        "tangent kernel": lambda: kernel_risk(problem, "tangent"),
        "oracle": lambda: frozen_risk(problem, random_network(width, directions, seed)),
    }
    return learners[one_of("learner", learner, LEARNERS)]()
