"""The cell that every comparison of learners runs over a grid. It names no learner: a new one makes no cell stale."""

import torch

from beyond_kernel.checks import one_of
from beyond_kernel.foundations.learning.learners import Learner, label_of, risk_of
from beyond_kernel.foundations.learning.samples import Law, draw_problem
from beyond_kernel.foundations.targets.target import parse_target
from beyond_kernel.random_streams import generator_for


def learner_risk_cell(
    learner: Learner,
    target: str,
    d: int,
    n: int,
    noise: float,
    *,
    law: Law = "gaussian",
    n_test: int = 10_000,
    precision: str = "float64",
    device: str = "cpu",
    seed: int,
) -> dict[str, float]:
    """Train one learner on n samples of a polynomial target and return its risk.

    All learners see the same problem. What a learner draws comes from a stream named after its label.

    Args:
        learner: a function of a problem and a generator, options set; see ``learners``.
        target: text of the target, scaled to E f^2 = 1 under Gaussian inputs.
        d: input dimension.
        n: training samples; every label that the learner sees is one of them.
        noise: standard deviation of the label noise.
        law: of the inputs.
        n_test: points on which the risk is measured.
        precision: "float64" or "float32".
        device: where everything lies.
        seed: of directions, data and whatever the learner draws.

    Returns:
        ``risk`` and its ``standard_error`` over the test points.

    Raises:
        BadParameter: if a parameter is out of range.

    Chapters: one_step, frozen_representation.
    """
    truth = parse_target(target, d, seed).normalised()
    dtype = getattr(torch, one_of("precision", precision, ("float64", "float32")))
    problem = draw_problem(truth, n, noise, seed, law, n_test, dtype, device)
    estimate = risk_of(learner, problem, generator_for(seed, label_of(learner)))
    return {"risk": estimate.value, "standard_error": estimate.standard_error}
