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
from beyond_kernel.foundations.learning.adam import Adam
from beyond_kernel.foundations.learning.learners import Predictor
from beyond_kernel.foundations.learning.measures import risk
from beyond_kernel.foundations.learning.samples import Problem, Sample, draw_problem
from beyond_kernel.kernel_regime.kernel_learners import fit_gaussian_kernel
from beyond_kernel.random_streams import generator_for
from beyond_kernel.transfer.first_gradient import fit_around_base
from beyond_kernel.transfer.link_correlations import link_correlation, link_products
from beyond_kernel.transfer.low_rank_finetuning import median_samples
from beyond_kernel.transfer.rank_one_task import RankOneTask, network_risk, rank_one_task

RIVALS = {"Gaussian kernel": fit_gaussian_kernel, "recursive features": fit_recursive_features}
"""Learners that know nothing of the base, by label."""
LINEAR = "linear around the base"
"""The model of ``fit_around_base``."""
PARTS = ("labels", "residual", "fitted residual")
"""What a rival learns, with the base taken off not at all, with weight one, or with the weight of least squares."""
_DESCENT = 120  # steps of Adam to the best update of a turned base, which then stands in the fourth digit


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

    Each search is given the better sign of its first overlap, which updates of a base are not.

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
    part: str = PARTS[0],
    n_test: int = 4000,
    device: str = "cpu",
    seed: int,
) -> dict[str, float]:
    """Score a learner that takes no steps on v: a kernel, recursive features, or the linear model around the base.

    Args:
        link, d, neurons, size, noise: as for ``rank_one_cell``.
        ratio: samples in units of d.
        learner: one of ``RIVALS``, or ``LINEAR``.
        part: one of ``PARTS``; the base has rows of length one, and its weight is fitted to the same labels.
        n_test: points on which the risk is read.
        device: where everything lies.
        seed: of everything drawn.

    Returns:
        ``risk``.

    Chapter: low_rank_finetuning.
    """
    task = rank_one_task(link, d, neurons, size)
    one_of("learner", learner, (*RIVALS, LINEAR))
    one_of("part", part, PARTS)
    n = round(real_number("ratio", ratio, above=0) * d)
    problem = draw_problem(task, n, noise * task.variance**0.5, seed, n_test=n_test, device=device)
    test, generator = problem.test, generator_for(seed, learner)
    if learner == LINEAR:
        predictor = fit_around_base(task, problem.train.X, problem.train.y)
    else:
        predictor = _fit_rival(task, problem, learner, part, generator)
    return {"risk": risk(predictor(test.X), test.reference, task.variance).value}


def turned_base_cell(
    link: str, d: int, neurons: int, size: float, angle: float, *, device: str = "cpu", seed: int
) -> dict[str, float]:
    """Return exact risks of updates of a turned base: of v = v*, of that with a scale, and of the best v.

    Args:
        link, d, neurons, size, angle: as for ``rank_one_cell``.
        device: where the rows lie.
        seed: of the starts from which the best v is sought.

    Returns:
        ``aligned``, the risk of v = v*; ``scaled``, the same times the best number; ``best``, the smallest risk of any
        v under the fixed head, by descent on the exact risk from v* and three random starts; ``overlap``, its
        |<v, v*>|.

    Chapter: low_rank_finetuning.
    """
    task = rank_one_task(link, d, neurons, size, angle=angle)
    base = torch.nn.functional.pad(task.unit_base.to(device), (0, 1))
    right = torch.zeros_like(base[0])
    right[-2] = 1
    drawn = torch.randn(3, len(right), generator=generator_for(seed, "best v"), dtype=torch.float64, device="cpu")
    vectors = torch.cat([right[None], drawn.to(device)])
    vectors = (vectors / vectors.norm(dim=1, keepdim=True)).requires_grad_()
    adam = Adam([vectors], vectors.new_full((1,), 0.05), _DESCENT)
    for _ in range(_DESCENT):
        unit = vectors / vectors.norm(dim=1, keepdim=True)
        risks = network_risk(task, task.shrink * (base + task.size * unit[:, None]))
        slopes = torch.autograd.grad(risks.sum(), vectors)
        with torch.no_grad():
            adam.step(slopes)
    place = int(risks.argmin())
    rows = task.shrink * (base + task.size * right)
    return {
        "aligned": float(network_risk(task, rows)),
        "scaled": _scaled_risk(task, rows[:, :-1]),
        "best": float(risks[place].detach()),
        "overlap": abs(float(unit[place, -2].detach())),
    }


def _scaled_risk(task: RankOneTask, rows: torch.Tensor) -> float:
    """Return the risk of rows of length one whose network may be multiplied by one number, the best."""
    head, teacher = task.head.to(rows), task.teacher.to(rows)
    one = torch.ones_like(rows @ rows.T)
    own = head @ link_products(task.link, one, one, rows @ rows.T) @ head
    shared = head @ link_products(task.link, one, one, rows @ teacher.T) @ head
    return 1 - float(shared**2 / own) / task.variance


def _fit_rival(task: RankOneTask, problem: Problem, learner: str, part: str, generator: torch.Generator) -> Predictor:
    """Fit a learner to the labels, or to what the base leaves of them, and give the base back."""
    train, test = problem.train, problem.test

    def base(X: torch.Tensor) -> torch.Tensor:
        return task.link(X[:, : task.coordinates] @ task.unit_base.T.to(X)) @ task.head.to(X)

    values = base(train.X)
    fitted = float(values @ train.y / values.square().sum())
    weight = dict(zip(PARTS, (0.0, 1.0, fitted), strict=True))[part]
    left = Problem(Sample(train.X, train.y - weight * values), Sample(test.X, test.reference - weight * base(test.X)))
    predictor = RIVALS[learner](left, generator)
    return lambda X: predictor(X) + weight * base(X)


def _overlap_at(link: ScaledLink, level: float) -> float:
    """Return the overlap m of two unit neurons at which the risk 2 - 2 g(m) falls to the level, by bisection."""
    if not 0 < level < 2:
        raise BadParameter(f"level = {level!r} is out of range: it must be above 0 and below 2.")
    low, high = 0.0, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if 2 - 2 * link_correlation(link, middle) > level else (low, middle)
    return high
