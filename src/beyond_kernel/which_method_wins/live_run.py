"""What a reader's own run needs: the methods that fit a budget, and what was predicted held against what was found."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
import xarray

from beyond_kernel.checks import BadParameter, real_number, whole_number
from beyond_kernel.escaping_the_kernel.recursive_features import fit_oracle_kernel, fit_recursive_features
from beyond_kernel.feature_learning.metric_kernel import fit_metric_kernel
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
from beyond_kernel.which_method_wins.predictions import rounded
from beyond_kernel.which_method_wins.which_method_wins import NOBODY, estimated_seconds, winner

COSTS_LIKE = {"transferred metric": "Gaussian kernel", "oracle kernel": "Gaussian kernel"}
"""Methods that the sweep does not hold, and one in it whose computing is theirs."""


class Outcome(NamedTuple):
    """Who comes first by a set of borders: with the fewest samples, and with the least computing at the budget.

    Attributes:
        first: the method of the smallest n*, if it is within the budget; else ``NOBODY``.
        samples: that n*, infinite where there is none.
        cheapest: the method of least computing among those below the risk at the budget.
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
        limits[label] = max(kept[-1] if kept else 0, sizes[min(2, len(sizes) - 1)])
    return limits


def affordable(
    learners: Sequence[Learner], sizes: Sequence[int], limits: Mapping[str, int], repeats: int, most_seconds: float
) -> tuple[list[Learner], dict[str, float]]:
    """Return the methods whose runs are estimated to take at most some seconds, and the estimates of all.

    Args:
        learners: from ``rivals``.
        sizes: numbers of samples.
        limits: by label, the largest size that is run; all where a label is missing.
        repeats: how often each size is run.
        most_seconds: for all runs of one method, by the clock of the stored sweep.

    Raises:
        BadParameter: if no method is left, or a number is out of range.

    Chapter: which_method_wins.
    """
    limit, times = real_number("most_seconds", most_seconds, above=0), whole_number("repeats", repeats)
    cost = {}
    for label in map(label_of, learners):
        run = [n for n in sizes if n <= limits.get(label, n)]
        cost[label] = times * sum(estimated_seconds(COSTS_LIKE.get(label, label), n) for n in run)
    kept = [learner for learner in learners if cost[label_of(learner)] <= limit]
    if not kept:
        least = min(cost.values())
        raise BadParameter(
            f"most_seconds = {most_seconds:g} is too small: the cheapest method takes about {least:.1f}."
        )
    return kept, cost


def run_borders(risks: xarray.DataArray, threshold: float) -> dict[str, float]:
    """Return n* of each method of a run, the median over seeds, infinite where half of the seeds did not get there.

    Args:
        risks: with the dimensions ``learner``, ``n`` and ``seed``.
        threshold: risk to be reached.

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
        found[label] = float(np.median(np.nan_to_num(needs, nan=np.inf)))
    return found


def outcome(needs: Mapping[str, float], n: int, order: Sequence[str]) -> Outcome:
    """Return who comes first by borders: with the fewest samples, and with the least computing at n samples.

    Args:
        needs: n* by method; infinite or NaN where it does not get there.
        n: the budget.
        order: methods by their computing, the cheapest first; only these can be the cheapest.

    Raises:
        BadParameter: if there is no method.

    Chapter: which_method_wins.

    >>> outcome({"a": 900.0, "b": 100.0}, 1000, ["a", "b"])
    Outcome(first='b', samples=100.0, cheapest='a')
    """
    finite = {label: need for label, need in needs.items() if np.isfinite(need) and need <= whole_number("n", n)}
    if not needs:
        raise BadParameter("needs is empty: give one method at least.")
    cheapest = winner(needs, n, [label for label in order if label in needs])
    if not finite:
        return Outcome(NOBODY, float("inf"), cheapest)
    first = min(finite, key=lambda label: finite[label])
    return Outcome(first, finite[first], cheapest)


def recommendation(predicted: Outcome, measured: Outcome, n: int, threshold: float) -> str:
    """Return in words what was predicted, what the run found, and whether it confirms or contradicts the prediction.

    Args:
        predicted: from predicted borders.
        measured: from those of the run.
        n: the budget.
        threshold: risk to be reached.

    Chapter: which_method_wins.
    """
    words = []
    if predicted.first == NOBODY:
        told = f"no method is predicted to be below {threshold:g} with {n:,} samples"
    else:
        told = f"{predicted.first} should need the fewest samples, about {rounded(predicted.samples)}"
    words.append(f"Predicted: {told}.")
    if measured.first == NOBODY:
        words.append("In this run none got there.")
    else:
        words.append(f"In this run {measured.first} came first, from {round(measured.samples):,} samples on.")
    words.append(f"The run {_agrees(predicted.first, measured.first)} the prediction.")
    if predicted.cheapest != NOBODY or measured.cheapest != NOBODY:
        verdict = _agrees(predicted.cheapest, measured.cheapest)
        words.append(
            f"Of those below {threshold:g} with all {n:,} samples, the one of least computing was predicted to be "
            f"{predicted.cheapest}, and in this run it was {measured.cheapest}, which {verdict} that."
        )
    words.append(_advice(measured, n, threshold))
    return " ".join(words)


def _agrees(predicted: str, measured: str) -> str:
    return "confirms" if predicted == measured else "contradicts"


def _advice(measured: Outcome, n: int, threshold: float) -> str:
    if measured.first == NOBODY:
        return f"Recommendation: more samples than {n:,}, less noise, or a higher risk than {threshold:g}."
    if measured.first == measured.cheapest:
        return f"Recommendation: {measured.first}, with the fewest samples and the least computing."
    return f"Recommendation: {measured.cheapest} with all {n:,} labels, {measured.first} where labels are dear."
