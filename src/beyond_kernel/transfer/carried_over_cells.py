"""What is worth carrying over: neurons, the metric of neurons, the metric of recursive features, or a start for all."""

import functools
from collections.abc import Sequence

import numpy as np
import torch

from beyond_kernel.checks import list_of, whole_number
from beyond_kernel.escaping_the_kernel.recursive_features import fit_metric, fit_recursive_features
from beyond_kernel.feature_learning.one_step import one_step_features
from beyond_kernel.feature_learning.trained_network import fit_trained_network
from beyond_kernel.foundations.learning.heads import fit_head
from beyond_kernel.foundations.learning.learners import Learner, Predictor, risk_of
from beyond_kernel.foundations.learning.measures import risk
from beyond_kernel.foundations.learning.samples import Problem, draw_problem
from beyond_kernel.random_streams import generator_for
from beyond_kernel.transfer.fine_tuning import fit_fine_tuned
from beyond_kernel.transfer.frozen_representation import fit_transferred, fit_transferred_metric, paired_targets

CARRIED = (
    "neurons, new head",
    "neurons, all weights trained",
    "metric of the neurons",
    "metric of recursive features",
    "nothing, trained network",
)
"""What the learners of ``carried_cell`` start from on the target task, and how they go on."""


def carried_cell(
    source: str,
    target: str,
    d: int,
    n: int,
    sizes: Sequence[int],
    width: int,
    noise: float,
    *,
    n_test: int = 4000,
    device: str = "cpu",
    seed: int,
) -> dict[str, np.ndarray]:
    """Return what each thing that n source labels can teach is worth, on the source task itself and on the target task.

    All that learn on the source see the same n labels; all on the target see the same N. On the source task nothing is
    fitted on other labels: its neurons get a head on the n samples of their step, its metrics a kernel regression.

    Args:
        source: text of the source task.
        target: text of the target task.
        d: input dimension.
        n: source samples.
        sizes: target samples N.
        width: number of neurons, even, of all networks.
        noise: standard deviation of the label noise in both tasks.
        n_test: points on which the risk is measured.
        device: where everything lies.
        seed: of everything drawn.

    Returns:
        ``own``: risks on the source task with the first four of ``CARRIED``, NaN for the second, shape (4,); ``risk``:
        risks on the target task, of shape (5, len(sizes)).

    Raises:
        BadParameter: if a parameter is out of range.

    Chapter: frozen_representation.
    """
    list_of("sizes", sizes, lambda name, value: whole_number(name, value, least=5))
    teacher, truth = paired_targets(source, target, d, seed)
    first = draw_problem(teacher, n, noise, seed, n_test=n_test, dtype=torch.float32, device=device)
    linear, network = one_step_features(first.train, width, generator_for(seed, "carried", "weights"))
    gram = network.W.T @ network.W
    recursive = fit_recursive_features(first, generator_for(seed, "nothing is drawn"))
    own = (fit_head(first.train, network, linear), None, fit_metric(first.train, gram), recursive)
    learners = (
        functools.partial(fit_transferred, network=network),
        functools.partial(fit_fine_tuned, network=network),
        functools.partial(fit_transferred_metric, metric=gram),
        functools.partial(fit_transferred_metric, metric=recursive.kernel.keywords["metric"]),
        functools.partial(fit_trained_network, width=width),
    )
    risks = np.empty((len(learners), len(sizes)))
    for column, size in enumerate(sizes):
        problem = draw_problem(truth, size, noise, seed, n_test=n_test, dtype=torch.float32, device=device)
        risks[:, column] = [_value(learner, problem, seed) for learner in learners]
    return {"own": np.array([_own(found, first) for found in own]), "risk": risks}


def _value(learner: Learner, problem: Problem, seed: int) -> float:
    return risk_of(learner, problem, generator_for(seed, "carried", len(problem.train))).value


def _own(predictor: Predictor | None, problem: Problem) -> float:
    if predictor is None:
        return float("nan")
    return risk(predictor(problem.test.X), problem.test.truth, problem.variance).value
