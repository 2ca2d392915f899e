"""What kernel ridge regression has learnt of each degree of a target, from n samples."""

import numpy as np
import torch

from beyond_kernel.checks import one_of
from beyond_kernel.foundations.learning.measures import excess_risk, learnt_fractions
from beyond_kernel.foundations.learning.samples import Law, draw_problem
from beyond_kernel.foundations.targets.target import parse_target
from beyond_kernel.kernel_regime.degree_by_degree import degrees_of, spread
from beyond_kernel.kernel_regime.kernel_learners import KERNEL_LEARNERS
from beyond_kernel.random_streams import generator_for


def learning_cell(
    target: str,
    d: int,
    n: int,
    kernel: str,
    noise: float,
    *,
    twin: bool = False,
    law: Law = "sphere",
    bias: float = 1.0,
    n_validation: int = 2000,
    n_test: int = 4000,
    device: str = "cpu",
    seed: int,
) -> dict[str, np.ndarray | float]:
    """Fit kernel ridge regression on n samples and measure how much of each degree of the target it has learnt.

    Args:
        target: text of the target; it is scaled to E f^2 = 1 under Gaussian inputs.
        d: input dimension.
        n: training samples.
        kernel: "random features" or "tangent".
        noise: standard deviation of the label noise.
        twin: replace the target by its twin on all d directions, ``spread``.
        law: of the inputs.
        bias: standard deviation of the neurons' biases.
        n_validation: points on which the penalty is chosen.
        n_test: points on which the risk is measured.
        device: where everything lies.
        seed: of everything drawn.

    Returns:
        ``fractions``: for each degree of ``degrees_of`` the coefficient of the Hermite part, which on the sphere holds
        lower harmonics of order 1/d: 0 for nothing learnt and 1 for everything; ``risk``: excess risk. A twin has the
        degrees of the energies on the sphere.

    Raises:
        BadParameter: if a parameter is out of range.

    Chapter: degree_by_degree.
    """
    fit = KERNEL_LEARNERS[one_of("kernel", kernel, tuple(KERNEL_LEARNERS))]
    truth = parse_target(target, d, seed).normalised()
    if twin:
        truth = spread(truth)
    problem = draw_problem(truth, n, noise, seed, law, n_validation, n_test, device=device)
    prediction = fit(problem, generator_for(seed), bias)(problem.test.X)
    parts = torch.stack([truth.part(k)(problem.test.X) for k in degrees_of(truth)], 1)
    return {
        "fractions": learnt_fractions(prediction, parts).cpu().numpy(),
        "risk": excess_risk(prediction, problem.test.truth).value,
    }
