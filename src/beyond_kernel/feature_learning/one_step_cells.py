"""The experiments of chapter one_step, each a pure function of one cell's parameters, to be run over a grid."""

import math
from collections.abc import Callable
from dataclasses import replace

import torch

from beyond_kernel.checks import one_of
from beyond_kernel.feature_learning.one_step import (
    STEP_SCALE,
    correlations,
    fit_head,
    fit_one_step,
    giant_step,
    least_squares_linear_part,
    moment_linear_part,
    no_linear_part,
    one_step_features,
    same_biases,
)
from beyond_kernel.feature_learning.one_step_theory import linear_correlation, population_correlation
from beyond_kernel.feature_learning.several_steps import several_steps_features
from beyond_kernel.foundations.learning.learners import Predictor
from beyond_kernel.foundations.learning.measures import energy_per_direction, leading_subspace, risk, subspace_overlap
from beyond_kernel.foundations.learning.networks import symmetric_init, with_new_biases
from beyond_kernel.foundations.learning.samples import Problem, draw_problem, draw_sample
from beyond_kernel.foundations.targets.target import Target, parse_target
from beyond_kernel.random_streams import generator_for

VARIANTS: dict[str, dict[str, Callable]] = {
    "Algorithm 1": {},
    "no preprocessing": {"preprocess": no_linear_part},
    "least squares": {"preprocess": least_squares_linear_part},
    "biases kept at 0": {"biases": same_biases},
}
"""Algorithm 1 and what is changed in it, by the name that figures give it."""
SCHEDULES: dict[str, dict] = {
    "one step": {"steps": 1},
    "two steps, half of the samples each": {"steps": 2, "fresh": True},
    "two steps, the same samples": {"steps": 2},
    "five steps, the same samples": {"steps": 5},
    "five steps, a fifth of the samples each": {"steps": 5, "fresh": True},
}
"""How many giant steps are taken, and on which samples, by the name that tables give it."""
PRECISION = torch.float32
"""Where only directions of neurons are measured, since overlaps and cosines are far above rounding. Heads keep float64.
After a step that is far too small the features are nearly linear, and their eigenvectors can be lost in float32."""


def gradient_cell(
    target: str, d: int, ratio: float, width: int, noise: float, *, device: str = "cpu", seed: int
) -> dict[str, float]:
    """Compare the gradient on n = ratio d^2 samples, and in the population, with H w / sqrt(2 pi).

    Returns:
        ``cosine`` and ``exact_cosine``: median over neurons of the cosine between H w and the gradient, sampled and
        exact; ``slope``: least-squares factor of the sampled gradient on H w / sqrt(2 pi); ``remainder``: mean length
        of exact minus leading term, relative to the leading term.
    """
    truth = _target(target, d, seed)
    sample = draw_sample(truth, _size(ratio, d), noise, generator_for(seed, "gradient", d), None, PRECISION, device)
    W = symmetric_init(width, d, generator_for(seed, "gradient weights", d), PRECISION, device).W[: width // 2]
    W = W / W.norm(dim=1, keepdim=True)
    leading = W @ truth.expected_hessian().to(W) / math.sqrt(2 * math.pi)
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
    target: str,
    d: int,
    ratio: float,
    width: int,
    noise: float,
    *,
    variant: str = "Algorithm 1",
    device: str = "cpu",
    seed: int,
) -> dict[str, float]:
    """Run the step on n = ratio d^2 samples and measure what of the neurons lies in the hidden subspace.

    Returns:
        ``overlap``: mean over neurons; ``energies``: its parts along each relevant direction, as an array;
        ``leading``: share of the hidden subspace that the top r right singular vectors of W span.
    """
    truth, n = _target(target, d, seed), _size(ratio, d)
    sample = draw_sample(truth, n, noise, generator_for(seed, "overlap", n, d), None, PRECISION, device)
    pieces = VARIANTS[one_of("variant", variant, tuple(VARIANTS))]
    _, network = one_step_features(sample, width, generator_for(seed, "overlap weights", n, d), **pieces)
    return _overlaps(network.W, truth)


def variant_cell(
    target: str,
    d: int,
    ratio: float,
    variant: str,
    width: int,
    noise: float,
    *,
    step_scale: float = STEP_SCALE,
    device: str = "cpu",
    seed: int,
) -> dict[str, float]:
    """Run Algorithm 1, or one of its ``VARIANTS``, to the end.

    Returns:
        ``risk``, and ``overlap``, ``energies`` and ``leading`` as ``overlap_cell``.
    """
    truth, problem = _problem(target, d, ratio, noise, device, seed)
    pieces = VARIANTS[one_of("variant", variant, tuple(VARIANTS))]
    linear, network = one_step_features(problem.train, width, generator_for(seed, "variant", d), step_scale, **pieces)
    model = fit_head(problem.train, network, linear)
    return {"risk": _risk(model, problem), **_overlaps(network.W, truth)}


def schedule_cell(
    target: str, d: int, ratio: float, schedule: str, width: int, noise: float, *, device: str = "cpu", seed: int
) -> dict[str, float]:
    """Take giant steps as one of ``SCHEDULES`` says, fit the head on all samples; return ``overlap`` and ``risk``."""
    truth, problem = _problem(target, d, ratio, noise, device, seed)
    steps = SCHEDULES[one_of("schedule", schedule, tuple(SCHEDULES))]
    linear, network = several_steps_features(problem.train, width, generator_for(seed, "schedule", d), **steps)
    model = fit_head(problem.train, network, linear)
    return {
        "overlap": float(subspace_overlap(network.W, truth.directions.to(network.W)).mean()),
        "risk": _risk(model, problem),
    }


def step_size_cell(
    target: str, d: int, ratio: float, step_scale: float, width: int, noise: float, *, device: str = "cpu", seed: int
) -> dict[str, float]:
    """Return the ``risk`` of Algorithm 1 with a step of step_scale sqrt(d)."""
    _, problem = _problem(target, d, ratio, noise, device, seed)
    model = fit_one_step(problem, generator_for(seed, "one step", width), width, scales=(step_scale,))
    return {"risk": _risk(model, problem)}


def undecayed_step_cell(
    target: str, d: int, ratio: float, step_scale: float, width: int, noise: float, *, device: str = "cpu", seed: int
) -> dict[str, float]:
    """Take the step without weight decay, so that the initial weights stay, and return ``overlap`` and ``risk``.

    With a small step the network keeps its random features; with a large one it forgets them.
    """
    truth, problem = _problem(target, d, ratio, noise, device, seed)
    generator, train = generator_for(seed, "lazy", d), problem.train
    start = symmetric_init(width, d, generator, device=device)
    linear = moment_linear_part(train.X, train.y)
    moved = giant_step(start, train.X, train.y - linear(train.X), step_scale * math.sqrt(d), weight_decay=0.0)
    size = moved.W.square().sum(1).mean().sqrt()  # rows are brought back to a root mean square length of 1/2
    moved = with_new_biases(replace(moved, W=moved.W / (2 * size)), generator)
    model = fit_head(problem.train, moved, linear)
    return {
        "overlap": float(subspace_overlap(moved.W, truth.directions.to(moved.W)).mean()),
        "risk": _risk(model, problem),
    }


def _overlaps(W: torch.Tensor, truth: Target) -> dict:
    directions = truth.directions.to(W)
    return {
        "overlap": float(subspace_overlap(W, directions).mean()),
        "energies": energy_per_direction(W, directions).cpu().numpy(),
        "leading": float((leading_subspace(W, truth.rank).T @ directions).square().sum()) / truth.rank,
    }


def _risk(model: Predictor, problem: Problem) -> float:
    return risk(model(problem.test.X), problem.test.truth, problem.variance).value


def _problem(text: str, d: int, ratio: float, noise: float, device: str, seed: int) -> tuple[Target, Problem]:
    truth = _target(text, d, seed)
    return truth, draw_problem(truth, _size(ratio, d), noise, seed, device=device)


def _size(ratio: float, d: int) -> int:
    return max(int(ratio * d**2), 1)


def _target(text: str, d: int, seed: int) -> Target:
    return parse_target(text, d, seed).normalised()
