"""What a reader's own run needs: the methods that fit a budget, and what was predicted held against what was found."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
import xarray

from beyond_kernel.checks import BadParameter, real_number, whole_number
from beyond_kernel.escaping_the_kernel.recursive_features import fit_oracle_kernel, fit_recursive_features
from beyond_kernel.feature_learning.metric_kernel import fit_metric_kernel, fit_two_moments
from beyond_kernel.feature_learning.one_step import fit_one_step
from beyond_kernel.feature_learning.trained_network import fit_trained_network
from beyond_kernel.foundations.learning.kernel_ridge import KernelPredictor
from beyond_kernel.foundations.learning.learners import Learner, label_of, labelled
from beyond_kernel.foundations.learning.measures import samples_to_reach
from beyond_kernel.foundations.learning.samples import Problem
from beyond_kernel.foundations.targets.target import parse_target
from beyond_kernel.kernel_regime.kernel_learners import fit_gaussian_kernel
from beyond_kernel.transfer.frozen_representation import fit_transferred_metric, pretrain_metric
from beyond_kernel.which_method_wins.measure_needs import WIDTH
from beyond_kernel.which_method_wins.prediction_rows import Prediction
from beyond_kernel.which_method_wins.which_method_wins import NOBODY, RIVALS, estimated_seconds, winner

COSTS_LIKE = {"transferred metric": "Gaussian kernel", "oracle kernel": "Gaussian kernel"}
"""Methods that the sweep does not hold, and one in it whose computing is theirs."""
LEAST_SIZES = 3
"""Sizes, the smallest ones, at which each rival is run whatever its prediction and its computing."""


class Outcome(NamedTuple):
    """Who comes first by a set of borders: with the fewest samples, and with the least computing at its own border.

    Attributes:
        first: the method of the smallest n*, if it is within the budget; else ``NOBODY``.
        samples: that n*, infinite where there is none.
        cheapest: the ``winner``, which computes least on its own n* samples, by the stored sweep.
    """

    first: str
    samples: float
    cheapest: str


@labelled("transferred metric")
def fit_from_source(
    problem: Problem, generator: torch.Generator, source: str, paid: int, noise: float
) -> KernelPredictor:
    """Learn a metric by recursive features on samples of a source task, then fit a kernel with it on the problem.

    The labels of the source are paid apart: they are no part of the n of the problem.

    Args:
        problem: its training sample, and its task, whose dimension and seed the source shares.
        generator: not used; the sample of the source has a stream of its own.
        source: text of the source over the same z1, z2, ...
        paid: samples of the source.
        noise: standard deviation of its label noise.

    Raises:
        BadParameter: if the task was not made from a text, or the source is no target; as ``pretrain_metric``.

    Chapter: which_method_wins.
    """
    task = problem.task
    if not hasattr(task, "seed"):
        raise BadParameter("the task of this problem was not made from a text: a source cannot share its directions.")
    origin = parse_target(source, task.dim, task.seed).normalised()
    metric = pretrain_metric(origin, paid, noise, task.seed, device=problem.train.X.device)
    return fit_transferred_metric(problem, generator, metric)


def rivals(source: str | None = None, paid: int = 0, noise: float = 0.0) -> list[Learner]:
    """Return the methods that a run compares, the one that transfers only where a source is given.

    Args:
        source: text of a source task; None or empty for none.
        paid: samples of the source.
        noise: standard deviation of the label noise of the source.

    Chapter: which_method_wins.

    >>> [label_of(learner) for learner in rivals()][:2]
    ['Gaussian kernel', 'one step, metric kernel']
    """
    found = [
        fit_gaussian_kernel,
        partial(fit_metric_kernel, width=WIDTH),
        fit_two_moments,
        partial(fit_one_step, width=WIDTH),
        fit_recursive_features,
        fit_trained_network,
        fit_oracle_kernel,
    ]
    return [*found, partial(fit_from_source, source=source, paid=paid, noise=noise)] if source else found


def predicted_needs(rows: Sequence[Prediction]) -> dict[str, float]:
    """Return the predicted n* by method, NaN where there is none.

    Args:
        rows: from ``predict``.

    Chapter: which_method_wins.
    """
    return {row.learner: row.n for row in rows}


def run_sizes(n: int) -> list[int]:
    """Return nine numbers of samples from n / 16 to n, each the root of two times the one before.

    Args:
        n: the budget, at least 32.

    Raises:
        BadParameter: if n is below 32.

    Chapter: which_method_wins.

    >>> run_sizes(1600)[::4]
    [100, 400, 1600]
    """
    most = whole_number("n", n, least=32)
    return [round(most * 2 ** (-k / 2)) for k in range(8, -1, -1)]


def run_limits(needs: Mapping[str, float], sizes: Sequence[int], factor: float = 4.0) -> dict[str, int]:
    """Return up to which number of samples each method is run: all sizes, or those up to a factor times its prediction.

    Args:
        needs: predicted n* by method; NaN or infinite where there is none.
        sizes: numbers of samples, ascending; the three smallest are always run.
        factor: above 0.

    Raises:
        BadParameter: if the factor is not above 0.

    Chapter: which_method_wins.

    >>> run_limits({"a": 50.0, "b": float("nan")}, [60, 100, 140, 200, 280])
    {'a': 200, 'b': 280}
    """
    most = real_number("factor", factor, above=0)
    limits = {}
    for label, need in needs.items():
        kept = [n for n in sizes if not need * most < n]
        limits[label] = max(kept[-1] if kept else 0, sizes[min(LEAST_SIZES, len(sizes)) - 1])
    return limits


def affordable(
    learners: Sequence[Learner], sizes: Sequence[int], limits: Mapping[str, int], repeats: int, most_seconds: float
) -> tuple[list[Learner], dict[str, int], dict[str, float]]:
    """Return the methods that fit into some seconds, up to which size each is run, and the estimated seconds of all.

    The three rivals of the phase diagram are always kept: where they would take too long, their largest sizes go, down
    to the three smallest. Any other method that would take too long is left out.

    Args:
        learners: from ``rivals``.
        sizes: numbers of samples.
        limits: by label, the largest size that is run; all where a label is missing.
        repeats: how often each size is run.
        most_seconds: for all runs of one method, by the clock of the stored sweep.

    Raises:
        BadParameter: if a number is out of range.

    Chapter: which_method_wins.
    """
    limit, times = real_number("most_seconds", most_seconds, above=0), whole_number("repeats", repeats)
    cost, largest = {}, {}
    for label in map(label_of, learners):
        run = [n for n in sizes if n <= limits.get(label, n)]
        seconds = [times * estimated_seconds(COSTS_LIKE.get(label, label), n) for n in run]
        while label in RIVALS and len(run) > LEAST_SIZES and sum(seconds) > limit:
            run, seconds = run[:-1], seconds[:-1]
        cost[label], largest[label] = sum(seconds), run[-1]
    kept = [learner for learner in learners if label_of(learner) in RIVALS or cost[label_of(learner)] <= limit]
    return kept, {label: largest[label] for label in map(label_of, kept)}, cost


def run_borders(risks: xarray.DataArray, threshold: float) -> dict[str, float]:
    """Return n* of each method of a run, the median over seeds, infinite where half of the seeds did not get there.

    Args:
        risks: with the dimensions ``learner``, ``n`` and ``seed``.
        threshold: risk to be reached.

    Raises:
        BadParameter: if a dimension is missing or left over.

    Chapter: which_method_wins.
    """
    return {label: float(np.median(needs)) for label, needs in run_needs(risks, threshold).items()}


def run_needs(risks: xarray.DataArray, threshold: float) -> dict[str, list[float]]:
    """Return n* of each method and seed of a run, infinite where it did not get there.

    Args:
        risks, threshold: as in ``run_borders``.

    Raises:
        BadParameter: if a dimension is missing or left over.

    Chapter: which_method_wins.
    """
    if set(risks.dims) != {"learner", "n", "seed"}:
        raise BadParameter(f"risks has the dimensions {', '.join(map(str, risks.dims))}: learner, n, seed are wanted.")
    found = {}
    for label in risks.learner.values.tolist():
        curves = risks.sel(learner=label).transpose("seed", "n")
        needs = [samples_to_reach(risks.n.values, curve, threshold) for curve in curves.values]
        found[label] = np.nan_to_num(needs, nan=np.inf).tolist()
    return found


def outcome(needs: Mapping[str, float], n: int) -> Outcome:
    """Return who comes first by borders: with the fewest samples, and with the least computing at its own border.

    Args:
        needs: n* by method of the stored sweep; infinite or NaN where it does not get there.
        n: the budget.

    Raises:
        BadParameter: if there is no method.

    Chapter: which_method_wins.

    >>> outcome({"Gaussian kernel": 900.0, "recursive features": 100.0}, 1000).cheapest
    'recursive features'
    """
    finite = {label: need for label, need in needs.items() if np.isfinite(need) and need <= whole_number("n", n)}
    if not needs:
        raise BadParameter("needs is empty: give one method at least.")
    if not finite:
        return Outcome(NOBODY, float("inf"), NOBODY)
    first = min(finite, key=lambda label: finite[label])
    return Outcome(first, finite[first], winner(needs, n))
