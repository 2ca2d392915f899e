"""The experiments of chapter one_step, each a pure function of one cell's parameters, to be run over a grid."""

import math
from collections.abc import Callable

import torch

from beyond_kernel.checks import one_of
from beyond_kernel.feature_learning.baselines import LEARNERS, one_step_risk, risk
from beyond_kernel.feature_learning.one_step import (
    STEP_SCALE,
    correlations,
    fit_head,
    gaussian_biases,
    giant_step,
    least_squares_linear_part,
    moment_linear_part,
    no_linear_part,
    one_step_features,
    same_biases,
)
from beyond_kernel.feature_learning.one_step_theory import linear_correlation, population_correlation
from beyond_kernel.foundations.learning.measures import energy_per_direction, excess_risk, subspace_overlap
from beyond_kernel.foundations.learning.networks import symmetric_init
from beyond_kernel.foundations.learning.samples import draw_problem, draw_sample
from beyond_kernel.foundations.targets.target import Target, parse_target
from beyond_kernel.random_streams import generator_for

VARIANTS: dict[str, dict[str, Callable]] = {
    "Algorithm 1": {},
    "no preprocessing": {"preprocess": no_linear_part},
    "least squares": {"preprocess": least_squares_linear_part},
    "biases kept at 0": {"biases": same_biases},
}
"""Algorithm 1 and what is changed in it, by the name that figures give it."""


def gradient_cell(target: str, d: int, ratio: float, width: int, noise: float, seed: int) -> dict[str, float]:
    """Compare the gradient on n = ratio d^2 samples, and in the population, with H w / sqrt(2 pi).

    Returns:
        ``cosine`` and ``exact_cosine``: median over neurons of the cosine between H w and the gradient, sampled and
        exact; ``slope``: least-squares factor of the sampled gradient on H w / sqrt(2 pi); ``remainder``: mean length
        of exact minus leading term, relative to the leading term.
    """
    truth = _target(target, d, seed)
    sample = draw_sample(truth, max(int(ratio * d**2), 1), noise, generator_for(seed, "gradient", d))
    W = symmetric_init(width, d, generator_for(seed, "gradient weights", d)).W[: width // 2]
    W = W / W.norm(dim=1, keepdim=True)
    leading = W @ truth.expected_hessian() / math.sqrt(2 * math.pi)
    linear = moment_linear_part(sample.X, sample.y)
    sampled = correlations(W, sample.X, sample.y - linear(sample.X))
    exact = population_correlation(truth, W) - linear_correlation(truth, W)
    cosine = torch.nn.functional.cosine_similarity
    return {
        "cosine": float(cosine(sampled, leading).median()),
        "exact_cosine": float(cosine(exact, leading).median()),
        "slope": float((sampled * leading).sum() / leading.square().sum().clamp(min=1e-300)),
        "remainder": float((exact - leading).norm(dim=1).mean() / leading.norm(dim=1).mean().clamp(min=1e-300)),
    }


def overlap_cell(
    target: str, d: int, ratio: float, width: int, noise: float, seed: int, variant: str = "Algorithm 1"
) -> dict[str, float]:
    """Run the step on n = ratio d^2 samples and measure what of the neurons lies in the hidden subspace.

    Returns:
        ``overlap``: mean over neurons; ``energies``: its parts along each relevant direction, as an array.
    """
    truth = _target(target, d, seed)
    n = max(int(ratio * d**2), 1)
    sample = draw_sample(truth, n, noise, generator_for(seed, "overlap", n, d))
    pieces = VARIANTS[one_of("variant", variant, tuple(VARIANTS))]
    _, network = one_step_features(sample, width, generator_for(seed, "overlap weights", n, d), **pieces)
    return {
        "overlap": float(subspace_overlap(network.W, truth.directions).mean()),
        "energies": energy_per_direction(network.W, truth.directions).numpy(),
    }


def risk_cell(
    target: str, d: int, ratio: float, learner: str, width: int, noise: float, seed: int, most_gram: int = 4096
) -> dict[str, float]:
    """Train one learner on n = ratio d^2 samples; its ``risk`` is NaN for a kernel with n above ``most_gram``."""
    truth = _target(target, d, seed)
    n = max(int(ratio * d**2), 1)
    if "kernel" in one_of("learner", learner, LEARNERS) and n > most_gram:
        return {"risk": math.nan, "standard_error": math.nan}
    problem = draw_problem(truth, n, noise, seed)
    estimate = risk(learner, problem, truth.directions, width, seed)
    return {"risk": estimate.value, "standard_error": estimate.standard_error}


def variant_cell(
    target: str, d: int, ratio: float, variant: str, width: int, noise: float, seed: int, step_scale: float = STEP_SCALE
) -> dict[str, float]:
    """Run Algorithm 1, or one of its ``VARIANTS``, to the end.

    Returns:
        ``risk`` in units of the target's variance, ``overlap``, and the ``energies`` along each relevant direction.
    """
    truth = _target(target, d, seed)
    problem = draw_problem(truth, max(int(ratio * d**2), 1), noise, seed)
    pieces = VARIANTS[one_of("variant", variant, tuple(VARIANTS))]
    generator = generator_for(seed, "variant", d)
    linear, network = one_step_features(problem.train, width, generator, step_scale, **pieces)
    model = fit_head(linear, network, problem.train, problem.validation)
    return {
        "risk": excess_risk(model(problem.test.X), problem.test.truth).value / truth.variance,
        "overlap": float(subspace_overlap(network.W, truth.directions).mean()),
        "energies": energy_per_direction(network.W, truth.directions).numpy(),
    }


def step_size_cell(
    target: str, d: int, ratio: float, step_scale: float, width: int, noise: float, seed: int
) -> dict[str, float]:
    """Return the ``risk`` of Algorithm 1 with a step of step_scale sqrt(d)."""
    problem = draw_problem(_target(target, d, seed), max(int(ratio * d**2), 1), noise, seed)
    return {"risk": one_step_risk(problem, width, seed, step_scale).value}


def lazy_cell(target: str, d: int, ratio: float, step_scale: float, width: int, noise: float, seed: int) -> dict:
    """Take the step without weight decay, so that the initial weights stay, and return ``overlap`` and ``risk``.

    With a small step the network keeps its random features; with a large one it forgets them.
    """
    truth = _target(target, d, seed)
    problem = draw_problem(truth, max(int(ratio * d**2), 1), noise, seed)
    generator = generator_for(seed, "lazy", d)
    start = symmetric_init(width, d, generator)
    linear = moment_linear_part(problem.train.X, problem.train.y)
    residual = problem.train.y - linear(problem.train.X)
    moved = giant_step(start, problem.train.X, residual, step_scale * math.sqrt(d), weight_decay=0.0)
    size = moved.W.square().sum(1).mean().sqrt()  # rows are brought back to length 1/2, so that only directions differ
    moved = gaussian_biases(type(moved)(moved.W / (2 * size), moved.a, moved.b), generator)
    model = fit_head(linear, moved, problem.train, problem.validation)
    return {
        "overlap": float(subspace_overlap(moved.W, truth.directions).mean()),
        "risk": excess_risk(model(problem.test.X), problem.test.truth).value,
    }


def _target(text: str, d: int, seed: int) -> Target:
    return parse_target(text, d, seed).normalised()
