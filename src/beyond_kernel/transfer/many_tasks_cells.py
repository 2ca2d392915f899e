"""The experiments of many_tasks, each a pure function of one cell's parameters."""

import functools
import itertools
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch

from beyond_kernel.checks import BadParameter, list_of, one_of, whole_number
from beyond_kernel.escaping_the_kernel.recursive_features import fit_recursive_features
from beyond_kernel.feature_learning.one_step import correlations, moment_linear_part
from beyond_kernel.foundations.learning.heads import fit_head
from beyond_kernel.foundations.learning.learners import Predictor
from beyond_kernel.foundations.learning.measures import leading_subspace
from beyond_kernel.foundations.learning.networks import TwoLayerNetwork, random_network, with_new_biases
from beyond_kernel.foundations.learning.samples import Problem, Sample, draw_sample
from beyond_kernel.kernel_regime.kernel_learners import fit_gaussian_kernel
from beyond_kernel.random_streams import generator_for
from beyond_kernel.transfer.joint_training import ONE_TASK, train_together
from beyond_kernel.transfer.many_tasks import (
    accuracy,
    linear_part,
    many_task_gradient,
    measured_pull,
    quadratic_part,
    recovery,
)
from beyond_kernel.transfer.shared_metric import shared_metric
from beyond_kernel.transfer.sign_tasks import SignTask, sign_tasks, task_of_kind

ARMS = (
    "network, one step",
    "linear parts",
    "network, trained",
    "both parts",
    "one step, lines removed",
    "one step, one head",
)
"""What is learnt from the tasks, in this order by one step of a network with a head for each task, by linear parts, by
such a network trained to the end, by linear and quadratic parts, by one step on labels without their linear parts, and
by one step with one head for all tasks."""
CARRIED = ARMS[:3]
"""Those whose neurons are used on new tasks as they are; they come first, so that all figures give them one colour."""
KERNELS = "kernels, shared metric"
"""A further arm of ``recovery_cell``, recursive features on all tasks together, for a few hundred labels a task."""
TOLD = ARMS[:4]
"""Those from which a learner that is told r takes the r leading directions."""
ALONE = ("random features", "oracle", "recursive features", "Gaussian kernel")
"""What a new task is solved with when no source task is used; the oracle knows the hidden directions."""


def rising_counts(name: str, value: Sequence[int], most: int | None = None, least_length: int = 1) -> list[int]:
    """Return a list of whole numbers of at least 1, each larger than the one before.

    Args:
        name: by which the list is called where it is refused.
        value: the list.
        most: the largest number that is accepted.
        least_length: the fewest numbers.

    Raises:
        BadParameter: if it is anything else.

    >>> rising_counts("tasks", [1, 4])
    [1, 4]
    """
    counts = list_of(name, value, functools.partial(whole_number, most=most), least_length)
    if any(second <= first for first, second in itertools.pairwise(counts)):
        raise BadParameter(f"{name} = {value!r} is not accepted: it must be a list of rising numbers.")
    return counts


def recovery_cell(
    family: str,
    d: int,
    r: int,
    tasks: Sequence[int],
    n: int,
    width: int,
    *,
    noise: float = 0.0,
    arms: Sequence[str] = ARMS,
    device: str = "cpu",
    seed: int,
) -> dict[str, np.ndarray]:
    """Return how much of the hidden subspace each arm has found after so many tasks of n labels each.

    Args:
        family: of tasks.
        d: input dimension.
        r: hidden directions.
        tasks: numbers T of tasks, rising; the tasks of a smaller number are the first of a larger one.
        n: labels of each task.
        width: neurons.
        noise: standard deviation of the label noise.
        arms: which of ``ARMS`` and ``KERNELS`` are run; all see the same samples.
        device: where everything lies.
        seed: of everything drawn.

    Returns:
        ``recovery``, of shape (len(arms), len(tasks)); ``pull``, of shape (len(tasks),), the factor by which the
        one step moves neurons along themselves inside the subspace, 0 where it is not among the arms.

    Raises:
        BadParameter: if a parameter is out of range.

    Chapter: many_tasks.
    """
    counts, arms = (
        rising_counts("tasks", tasks),
        list_of("arms", arms, functools.partial(one_of, options=(*ARMS, KERNELS))),
    )
    known = sign_tasks(family, d, r, counts[-1], generator_for(seed, "tasks"), seed)
    U, W = known[0].directions, _neurons(d, width, device, seed)
    found, pulls = [], []
    for count, layers in zip(counts, _learnt(arms, known, counts, n, width, noise, device, seed), strict=True):
        found.append([recovery(layers[arm], U) for arm in arms])
        pulls.append(measured_pull(layers[ARMS[0]] / count, W, U) if ARMS[0] in arms else 0.0)
    return {"recovery": np.array(found).T, "pull": np.array(pulls)}


def one_task_cell(
    kind: str, d: int, n: int, width: int, *, noise: float = 0.0, device: str = "cpu", seed: int
) -> dict[str, float]:
    """Return how much of three hidden directions is found when all labels are those of one task of a kind.

    Args:
        kind: a key of ``sign_tasks.KINDS``.
        d: input dimension.
        n: labels of the one task.
        width: neurons.
        noise: standard deviation of the label noise.
        device: where everything lies.
        seed: of everything drawn.

    Returns:
        ``one_step``, ``both_parts`` and ``trained``, the recovery of these three arms.

    Raises:
        BadParameter: if a parameter is out of range.

    Chapter: many_tasks.
    """
    task = task_of_kind(kind, d, seed)
    arms = {"one_step": "network, one step", "both_parts": "both parts", "trained": "network, trained"}
    layers = next(_learnt(tuple(arms.values()), [task], [1], n, width, noise, device, seed, ONE_TASK))
    return {name: recovery(layers[arm], task.directions) for name, arm in arms.items()}


def few_shot_cell(
    family: str,
    d: int,
    r: int,
    tasks: Sequence[int],
    n: int,
    width: int,
    shots: int,
    new_tasks: int,
    *,
    noise: float = 0.0,
    n_test: int = 2000,
    device: str = "cpu",
    seed: int,
) -> dict[str, np.ndarray]:
    """Learn first layers from source tasks as in ``recovery_cell``, and use them on new tasks of a few labels.

    On a new task neurons, scaled to root mean square length one, get new biases; a head is fitted by ridge regression
    on the few labels, which choose its scale and penalty by leave-one-out. The neurons are those of a network or those
    that linear parts make of the same start; told r, they are random ones in the r leading directions. Whatever uses
    the new task alone sees the same labels, and all are scored on the same points.

    Args:
        family, d, r, tasks, n, width, noise, device, seed: as in ``recovery_cell``; noise is on new labels too.
        shots: labels of a new task.
        new_tasks: over how many new tasks of the family the accuracy is averaged.
        n_test: points without noise on which it is measured, for each new task.

    Returns:
        ``recovery`` and ``pull`` as of ``recovery_cell`` with all arms; ``accuracy`` on new tasks, of shape
        (len(CARRIED), len(tasks)); ``inside``, of the same shape, the share of a layer's energy in the hidden subspace;
        ``told``, of shape (len(TOLD),), the accuracy after all tasks with the r leading directions; ``alone``, of shape
        (len(ALONE),).

    Raises:
        BadParameter: if a parameter is out of range.

    Chapter: many_tasks.
    """
    most, fresh = rising_counts("tasks", tasks)[-1], whole_number("new_tasks", new_tasks)
    known = sign_tasks(family, d, r, most + fresh, generator_for(seed, "tasks"), seed)
    problems = [_problem(task, index, shots, noise, n_test, device, seed) for index, task in enumerate(known[most:])]
    scored = functools.partial(_accuracy, problems=problems, seed=seed)
    U, start = known[0].directions.to(device), _neurons(d, width, device, seed)
    found, pulls, carried, inside = [], [], [], []
    for count, layers in zip(tasks, _learnt(ARMS, known[:most], tasks, n, width, noise, device, seed), strict=True):
        found.append([recovery(layers[arm], U) for arm in ARMS])
        pulls.append(measured_pull(layers[ARMS[0]] / count, start, U))
        turned = [start @ layers[arm] if arm == "linear parts" else layers[arm] for arm in CARRIED]
        carried.append([scored(functools.partial(_headed, layer)) for layer in turned])
        inside.append([float((layer @ U).square().sum() / layer.square().sum()) for layer in turned])
    leading = [leading_subspace(layers[arm], r) for arm in TOLD]
    told = [scored(functools.partial(_headed, start @ V @ V.T)) for V in leading]
    fits = [functools.partial(_headed, start), functools.partial(_headed, start @ U @ U.T)]
    alone = [scored(fit) for fit in (*fits, fit_recursive_features, fit_gaussian_kernel)]
    by_count = {"recovery": found, "pull": pulls, "accuracy": carried, "inside": inside}
    arrays = {name: np.array(rows).T for name, rows in by_count.items()}
    return arrays | {"told": np.array(told), "alone": np.array(alone)}


def _problem(task: SignTask, index: int, shots: int, noise: float, n_test: int, device: str, seed: int) -> Problem:
    train = draw_sample(task, shots, noise, generator_for(seed, "new", index), device=device)
    return Problem(train, draw_sample(task, n_test, 0.0, generator_for(seed, "new test", index), device=device), task)


def _neurons(d: int, width: int, device: str, seed: int) -> torch.Tensor:
    return random_network(width, torch.eye(d, dtype=torch.float64, device=device), generator_for(seed, "neurons")).W


def _learnt(
    arms: Sequence[str],
    known: Sequence[SignTask],
    tasks: Sequence[int],
    n: int,
    width: int,
    noise: float,
    device: str,
    seed: int,
    settings: Mapping[str, float] | None = None,
) -> Iterator[dict[str, torch.Tensor]]:
    """Yield for each number of tasks what every arm has learnt: neurons, or a matrix that multiplies neurons."""
    W, samples = _neurons(known[0].dim, width, device, seed), []
    learnt = {arm: 0.0 for arm in arms if arm in _STEPS}
    for index, task in enumerate(known):
        samples.append(draw_sample(task, n, noise, generator_for(seed, "task", index, n), device=device))
        learnt = {arm: total + _STEPS[arm](W, samples[-1]) for arm, total in learnt.items()}
        if index + 1 in tasks:
            joint, together = "network, trained", {}
            if joint in arms:
                together[joint] = train_together(samples, width, generator_for(seed, joint), **(settings or {}))
            if KERNELS in arms:
                together[KERNELS] = shared_metric(samples)
            yield learnt | together


def _linear(W: torch.Tensor, sample: Sample) -> torch.Tensor:
    b = linear_part(sample.X, sample.y)
    return torch.outer(b, b)


def _both(W: torch.Tensor, sample: Sample) -> torch.Tensor:
    Q = quadratic_part(sample.X, sample.y)
    return _linear(W, sample) + Q @ Q


def _without_line(W: torch.Tensor, sample: Sample) -> torch.Tensor:
    line = moment_linear_part(sample.X, sample.y)
    return many_task_gradient(W, [Sample(sample.X, sample.y - line(sample.X))])


_STEPS = {
    "network, one step": lambda W, sample: many_task_gradient(W, [sample]),
    "linear parts": _linear,
    "both parts": _both,
    "one step, lines removed": _without_line,
    "one step, one head": lambda W, sample: correlations(W, sample.X, sample.y - sample.y.mean()),
}


def _headed(layer: torch.Tensor, problem: Problem, generator: torch.Generator) -> Predictor:
    """Fit a head on neurons of root mean square length one with new biases, on the training sample of a problem."""
    W = layer / layer.square().sum(1).mean().sqrt()
    zero = W.new_zeros(len(W))
    return fit_head(problem.train, with_new_biases(TwoLayerNetwork(W, zero, zero), generator))


def _accuracy(fit, problems: Sequence[Problem], seed: int) -> float:
    """Return the accuracy of a learner over problems, on labels without noise."""
    streams = (generator_for(seed, "head", index) for index in range(len(problems)))
    predictors = [fit(problem, stream) for problem, stream in zip(problems, streams, strict=True)]
    pairs = zip(predictors, problems, strict=True)
    return float(np.mean([accuracy(predict(problem.test.X), problem.test.y) for predict, problem in pairs]))
