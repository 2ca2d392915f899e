"""The experiments of chapter sample_complexity, each a pure function of one cell's parameters, run over a grid."""

import functools
from collections.abc import Sequence

import numpy as np
import torch

from beyond_kernel.checks import real_number
from beyond_kernel.feature_learning.one_step import one_step_features
from beyond_kernel.foundations.learning.heads import fit_head
from beyond_kernel.foundations.learning.learners import Learner, label_of, risk_of
from beyond_kernel.foundations.learning.measures import leading_subspace, risk, subspace_overlap
from beyond_kernel.foundations.learning.sample_search import GROWTH, search_samples
from beyond_kernel.foundations.learning.samples import Sample, draw_problem, draw_sample
from beyond_kernel.foundations.targets.target import parse_target
from beyond_kernel.random_streams import generator_for


def needed_cell(
    learner: Learner,
    target: str,
    d: int,
    thresholds: Sequence[float],
    noise: float,
    *,
    start: float = 2.0,
    order: float = 1.0,
    growth: float = GROWTH,
    n_max: int = 3000,
    n_test: int = 4000,
    device: str = "cpu",
    seed: int,
) -> dict[str, np.ndarray]:
    """Find how many samples a learner needs to reach each of several risks.

    Each size is a sample of its own, all are scored on the same points, in single precision, which costs nothing at
    risks far above rounding.

    Args:
        learner: a function of a problem and a generator, options set.
        target: text of the target, scaled to E f^2 = 1 under Gaussian inputs.
        d: input dimension.
        thresholds: risks to be reached.
        noise: standard deviation of the label noise.
        start, order: the first size is start d^order.
        growth: factor between two sizes.
        n_max: largest size.
        n_test: points on which the risk is measured.
        device: where everything lies.
        seed: of directions, data and whatever the learner draws.

    Returns:
        ``needed``: n* for each threshold, as ``SampleSearch.needed``; NaN above ``n_max``.

    Raises:
        BadParameter: if a parameter is out of range.
    """
    truth = parse_target(target, d, seed).normalised()

    def risk_at(n: int) -> float:
        problem = draw_problem(truth, n, noise, seed, n_test=n_test, dtype=torch.float32, device=device)
        return risk_of(learner, problem, generator_for(seed, label_of(learner))).value

    first = real_number("start", start, above=0) * d ** real_number("order", order)
    search = search_samples(risk_at, thresholds, first, growth=growth, n_max=n_max)
    return {"needed": np.array([search.needed(threshold) for threshold in thresholds])}


def directions_cell(
    target: str,
    d: int,
    level: float,
    width: int,
    noise: float,
    *,
    growth: float = GROWTH,
    n_max: int = 100_000,
    device: str = "cpu",
    seed: int,
) -> dict[str, float]:
    """Find how many samples put a share of one step's neurons into the hidden subspace: of each, and of all together.

    Returns:
        ``single``: n from which on the mean over neurons of the squared share of length in the subspace is at least
        ``level``; ``together``: n from which on the top r right singular vectors of W have that overlap with it.
    """
    truth = parse_target(target, d, seed).normalised()

    @functools.cache
    def missing(n: int) -> tuple[float, float]:
        sample = draw_sample(
            truth, n, noise, generator_for(seed, "directions", n, d), dtype=torch.float32, device=device
        )
        W = one_step_features(sample, width, generator_for(seed, "directions weights", n, d))[1].W
        U = truth.directions.to(W)
        together = float((leading_subspace(W, truth.rank).T @ U).square().sum()) / truth.rank
        return 1 - float(subspace_overlap(W, U).mean()), 1 - together

    goal = [1 - real_number("level", level, above=0)]
    single, together = (
        search_samples(lambda n, part=part: missing(n)[part], goal, 2.0 * d, growth=growth, n_max=n_max).needed(goal[0])
        for part in (0, 1)
    )
    return {"single": single, "together": together}


def head_sample_cell(
    target: str, d: int, ratio: float, width: int, noise: float, *, device: str = "cpu", seed: int
) -> dict[str, float]:
    """Take one step on n = ratio d^2 samples and fit its head on the same samples or on others.

    Returns:
        The risks ``same``, step and head on the same n; ``halves``, the step on one half of them and the head on the
        other; ``fresh``, the head on n further samples, 2 n labels in all.
    """
    truth, n = parse_target(target, d, seed).normalised(), max(int(ratio * d**2), 2)
    problem = draw_problem(truth, 2 * n, noise, seed, dtype=torch.float32, device=device)

    def part(rows: slice) -> Sample:
        return Sample(problem.train.X[rows], problem.train.y[rows])

    def risk_with(step: slice, head: slice) -> float:
        generator = generator_for(seed, "one step", width)
        linear, network = one_step_features(part(step), width, generator)
        model = fit_head(part(head), network, linear)
        return risk(model(problem.test.X), problem.test.truth, problem.variance).value

    all_n, first, second, further = slice(0, n), slice(0, n // 2), slice(n // 2, n), slice(n, 2 * n)
    return {
        "same": risk_with(all_n, all_n),
        "halves": risk_with(first, second),
        "fresh": risk_with(all_n, further),
    }
