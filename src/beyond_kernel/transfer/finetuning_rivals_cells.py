"""What a rank-one update is held against: no base, learners that know no base, the base alone, a wrong base."""

import math
from collections.abc import Sequence

import numpy as np
import torch

from beyond_kernel.checks import BadParameter, list_of, one_of, real_number, whole_number
from beyond_kernel.escaping_the_kernel.recursive_features import fit_recursive_features
from beyond_kernel.feature_learning.information_exponent import plan_search
from beyond_kernel.feature_learning.overlap_chain import hitting_steps, square_rule, start_overlaps
from beyond_kernel.feature_learning.scaled_link import ScaledLink
from beyond_kernel.foundations.learning.learners import Predictor
from beyond_kernel.foundations.learning.measures import risk
from beyond_kernel.foundations.learning.samples import Problem, Sample, draw_problem
from beyond_kernel.kernel_regime.kernel_learners import fit_gaussian_kernel
from beyond_kernel.random_streams import generator_for
from beyond_kernel.transfer.first_gradient import fit_around_base
from beyond_kernel.transfer.link_correlations import link_correlation
from beyond_kernel.transfer.low_rank_finetuning import median_samples
from beyond_kernel.transfer.rank_one_task import RankOneTask, network_risk, rank_one_task

RIVALS = {"Gaussian kernel": fit_gaussian_kernel, "recursive features": fit_recursive_features}
"""Learners that know nothing of the base, by label."""
LINEAR = "linear around the base"
"""The model of ``fit_around_base``."""


def no_base_cell(
    link: str,
    d: int,
    noise: float,
    steps: Sequence[float],
    level: float,
    budget_ratio: float,
    replicas: int,
    *,
    device: str = "cpu",
    seed: int,
) -> dict[str, np.ndarray]:
    """Search the same vector where the base is zero: one neuron, one direction, by the exact chain of its overlap.

    Args:
        link, d, noise, level, budget_ratio, replicas: as for ``rank_one_cell``.
        steps: step sizes in units of those that chapter information_exponent derives.
        device: where starts and results lie.
        seed: of everything drawn.

    Returns:
        ``needed`` and ``found`` by step size as from ``rank_one_cell``.

    Chapter: low_rank_finetuning.
    """
    plan = plan_search(link, noise=noise)
    factors = list_of("steps", steps, lambda *item: real_number(*item, above=0))
    dims = torch.full((len(factors) * whole_number("replicas", replicas),), d, device=device)
    rates = plan.rates(dims) * torch.tensor(factors * replicas, dtype=torch.float64, device=device)
    generator = generator_for(seed, "no base", d)
    starts, budget = start_overlaps(dims, generator).abs(), math.ceil(budget_ratio * d)
    rule, overlap = square_rule(plan.link, rates), _overlap_at(plan.link, level)
    times = hitting_steps(plan.link, rule, starts, dims, budget, generator, level=overlap, noise=noise)
    times = times.reshape(replicas, -1)
    return {"needed": median_samples(times), "found": times.isfinite().double().mean(0).cpu().numpy()}


def rival_cell(
    link: str,
    d: int,
    neurons: int,
    size: float,
    noise: float,
    ratio: float,
    learner: str,
    *,
    residual: bool = False,
    n_test: int = 4000,
    device: str = "cpu",
    seed: int,
) -> dict[str, float]:
    """Score a learner that takes no steps on v: a kernel, recursive features, or the linear model around the base.

    Args:
        link, d, neurons, size, noise: as for ``rank_one_cell``.
        ratio: samples in units of d.
        learner: one of ``RIVALS``, or ``LINEAR``.
        residual: whether it learns what the base, with rows of length one, leaves of the labels.
        n_test: points on which the risk is read.
        device: where everything lies.
        seed: of everything drawn.

    Returns:
        ``risk``.

    Chapter: low_rank_finetuning.
    """
    task = rank_one_task(link, d, neurons, size)
    one_of("learner", learner, (*RIVALS, LINEAR))
    n = round(real_number("ratio", ratio, above=0) * d)
    problem = draw_problem(task, n, noise * task.variance**0.5, seed, n_test=n_test, device=device)
    test, generator = problem.test, generator_for(seed, learner)
    if learner == LINEAR:
        predictor = fit_around_base(task, problem.train.X, problem.train.y)
    else:
        predictor = _fit_rival(task, problem, learner, residual, generator)
    return {"risk": risk(predictor(test.X), test.reference, task.variance).value}


def turned_base_cell(
    link: str, d: int, neurons: int, size: float, angle: float, *, device: str = "cpu", seed: int
) -> dict[str, float]:
    """Return the exact risk of a turned base before any step, and with the perfect update.

    Args:
        link, d, neurons, size, angle: as for ``rank_one_cell``.
        device: where the rows lie.
        seed: not used, nothing is drawn.

    Returns:
        ``perfect``: risk of v = v*.

    Chapter: low_rank_finetuning.
    """
    task = rank_one_task(link, d, neurons, size, angle=angle)
    base = task.unit_base.to(device)
    update = torch.zeros_like(base)
    update[:, -1] = task.size
    return {"perfect": float(network_risk(task, task.shrink * (base + update)))}


def _fit_rival(
    task: RankOneTask, problem: Problem, learner: str, residual: bool, generator: torch.Generator
) -> Predictor:
    """Fit a learner to the labels, or to what the base leaves of them, and give the base back."""

    def base(X: torch.Tensor) -> torch.Tensor:
        values = task.link(X[:, : task.coordinates] @ task.unit_base.T.to(X)) @ task.head.to(X)
        return values if residual else torch.zeros_like(values)

    train, test = problem.train, problem.test
    left = Problem(Sample(train.X, train.y - base(train.X)), Sample(test.X, test.reference - base(test.X)))
    fitted = RIVALS[learner](left, generator)
    return lambda X: fitted(X) + base(X)


def _overlap_at(link: ScaledLink, level: float) -> float:
    """Return the overlap m of two unit neurons at which the risk 2 - 2 g(m) falls to the level, by bisection."""
    if not 0 < level < 2:
        raise BadParameter(f"level = {level!r} is out of range: it must be above 0 and below 2.")
    low, high = 0.0, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if 2 - 2 * link_correlation(link, middle) > level else (low, middle)
    return high
