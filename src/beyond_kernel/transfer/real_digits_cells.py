"""The experiments of chapter real_digits, to be run over a grid."""

import functools
from collections.abc import Sequence

import numpy as np
import torch

from beyond_kernel.checks import BadParameter, list_of, one_of, whole_number
from beyond_kernel.foundations.learning.samples import Sample
from beyond_kernel.random_streams import generator_for
from beyond_kernel.transfer.digit_curve import measured_errors, predicted_error, row_spectrum
from beyond_kernel.transfer.digit_data import load_rows
from beyond_kernel.transfer.digit_learners import (
    fit_components,
    fit_gaussian,
    fit_linear,
    fit_random_neurons,
    fit_recursive,
    fit_step,
    seen_metric,
)
from beyond_kernel.transfer.digit_machines import (
    Kernel,
    Machine,
    choose_by_leave_one_out,
    fit_machine,
    gaussian_family,
)
from beyond_kernel.transfer.digit_measures import accuracy, class_error, root_of, tile_root, tile_shares
from beyond_kernel.transfer.digit_network import fit_network
from beyond_kernel.transfer.digit_parts import fit_one_part, fit_parts, found_parts, one_part_family, parts_family
from beyond_kernel.transfer.real_digits import ClassProblem, draw_classes, draw_transfer

LEARNERS = {
    "linear model": fit_linear,
    "Gaussian kernel": fit_gaussian,
    "components, Gaussian kernel": fit_components,
    "sum over found tiles": fit_parts,
    "chosen tile": fit_one_part,
    "random features": fit_random_neurons,
    "one step": fit_step,
    "recursive features": fit_recursive,
    "trained network": fit_network,
}
"""The learners of the chapter by their labels."""
SEERS = ("covariance", "recursive features", "one step", "trained network")
"""The inputs themselves have a metric, and the three learners that learn one from labels do."""
WAYS = (
    "inputs as they are",
    *(f"carried: {name}" for name in ("recursive features", "mean weights of tiles", "squared weights of tiles")),
    "labelled tile alone",
    *(f"own: {name}" for name in ("sum over found tiles", "chosen tile", "recursive features")),
)
"""Ways to learn the second task; those that are called own use nothing of the first task."""
SHOWN = 6
"""Neurons after the step whose directions are kept."""
DRAWS = 4
"""Samples averaged over for each point of a learning curve."""


def digit_learner_cell(
    data: str,
    tiles: int,
    learner: str,
    n: int,
    *,
    beside: str = "images",
    question: str = "class",
    device: str = "cpu",
    seed: int,
) -> dict[str, float]:
    """Return the error and the accuracy of a learner with n labels, all of which count, on rows kept for testing.

    Args:
        data: what ``source_of`` returned.
        tiles: number of tiles, of which the first is labelled.
        learner: a key of ``LEARNERS``.
        n: number of labels.
        beside: what the other tiles hold, "images" or "noise".
        question: what the label is, "class" or "odd".
        device: where everything lies.
        seed: of everything drawn.

    Returns:
        ``error``, in units of the best constant's, ``accuracy``, and ``share`` of the trace of the learner's metric on
        the labelled tile, 1 where that tile was chosen, NaN where there is no metric.

    Raises:
        BadParameter: if a parameter is out of range.

    Chapter: real_digits.
    """
    fit = LEARNERS[one_of("learner", learner, list(LEARNERS))]
    problem = draw_classes(load_rows(data), n, tiles, seed, beside=beside, question=question, device=device)
    predictor = fit(problem, generator_for(seed, learner, n))
    share = tile_shares(seen_metric(predictor), tiles)[0] if learner in (*SEERS, "chosen tile") else np.nan
    return _scores(predictor, problem.test) | {"share": float(share)}


def digit_picture_cell(data: str, tiles: int, n: int, *, device: str = "cpu", seed: int) -> dict[str, np.ndarray]:
    """Return where on its inputs each of ``SEERS`` looks, after n labels, and directions of neurons after the step.

    Args:
        data: what ``source_of`` returned.
        tiles: number of tiles, of which the first is labelled.
        n: number of labels.
        device: where everything lies.
        seed: of everything drawn.

    Returns:
        ``share`` of the trace of each metric on the labelled tile, of shape (4,); ``diagonal`` of each metric over its
        trace, of shape (4, d); ``directions``, of shape (6, d).

    Raises:
        BadParameter: if a parameter is out of range.

    Chapter: real_digits.
    """
    problem = draw_classes(load_rows(data), n, tiles, seed, device=device)
    metrics, neurons = _metrics(problem, seed)
    return {
        "share": np.array([tile_shares(metric, tiles)[0] for metric in metrics]),
        "diagonal": np.stack([(metric.diagonal() / metric.trace()).cpu().numpy() for metric in metrics]),
        "directions": neurons[:SHOWN].cpu().numpy(),
    }


def second_task_cell(
    data: str, tiles: int, n_source: int, sizes: Sequence[int], *, device: str = "cpu", seed: int
) -> dict[str, np.ndarray]:
    """Return how well the second half of the classes is learnt in a metric that was learnt on the first half, and else.

    In each metric a Gaussian kernel is fitted to N labels, its length and penalty chosen by leave-one-out. So are a sum
    over tiles found without labels, and a kernel on one of these tiles. Beside them stand recursive features on the
    same N labels and no others, which choose on a fifth of them as they always do.

    Args:
        data: what ``source_of`` returned.
        tiles: number of tiles, of which the first is labelled.
        n_source: most labels of the first task.
        sizes: numbers N of labels of the second task.
        device: where everything lies.
        seed: of everything drawn.

    Returns:
        ``error`` and ``accuracy``, of shape (len(sizes), 8), a column for each of ``WAYS``.

    Raises:
        BadParameter: if a parameter is out of range.

    Chapter: real_digits.
    """
    list_of("sizes", list(sizes), lambda name, value: whole_number(name, value, least=5))
    source, target = draw_transfer(load_rows(data), tiles, n_source, seed, device=device)
    if max(sizes) > len(target.train):
        raise BadParameter(f"sizes = {list(sizes)} is out of range: the second task has {len(target.train)} labels.")
    families = [functools.partial(gaussian_family, root=root) for root in _roots(source, seed)]
    parts = found_parts(target.unlabelled, tiles)
    families += [functools.partial(family, parts=parts) for family in (parts_family, one_part_family)]
    rows = []
    for N in sizes:
        train = _first(target, N)
        machines = [_by_leave_one_out(train, family(train)) for family in families]
        own = fit_recursive(ClassProblem(train, target.test, tiles=tiles), generator_for(seed, "second task", N))
        rows.append([_scores(machine, target.test) for machine in (*machines, own)])
    return {name: np.array([[scores[name] for scores in row] for row in rows]) for name in ("error", "accuracy")}


def row_curve_cell(
    data: str, tiles: int, rows: int, sizes: Sequence[int], *, penalty: float = 0.01, device: str = "cpu", seed: int
) -> dict[str, np.ndarray]:
    """Return the learning curve of a Gaussian kernel on rows that were not drawn, predicted and measured.

    Args:
        data: what ``source_of`` returned.
        tiles: number of tiles, of which the first is labelled.
        rows: number N of rows, of which samples are drawn.
        sizes: rows n in a sample, below N.
        penalty: of ridge regression, not multiplied by n; the kernel is 1 on its diagonal.
        device: where everything lies.
        seed: of everything drawn.

    Returns:
        ``predicted`` and ``measured`` errors, in units of the best constant's, of shape (len(sizes),); ``peak``, the
        median of ``RowSpectrum.peaks`` over the smaller half of the eigenvalues.

    Raises:
        BadParameter: if a parameter is out of range.

    Chapter: real_digits.
    """
    problem = draw_classes(load_rows(data), rows, tiles, seed, device=device)
    kernel = gaussian_family(problem.train)[1]  # half of the median distance, the length chosen most often
    gram, outputs = kernel(problem.train.X), problem.train.y
    spectrum = row_spectrum(gram, outputs)
    stream = generator_for(seed, "samples of rows", tiles)
    return {
        "predicted": np.array([predicted_error(spectrum, n, penalty) for n in sizes]),
        "measured": measured_errors(gram, outputs, list(sizes), penalty, DRAWS, stream),
        "peak": np.median(spectrum.peaks[: rows // 2]),
    }


def _scores(predictor, test: Sample) -> dict[str, float]:
    outputs = predictor(test.X)
    return {"error": class_error(outputs, test.y), "accuracy": accuracy(outputs, test.y)}


def _metrics(problem: ClassProblem, seed: int) -> tuple[list[torch.Tensor], torch.Tensor]:
    """Return the metrics of ``SEERS`` on a problem, and the neurons after the step."""
    n = len(problem.train)
    machine, step, network = (LEARNERS[label](problem, generator_for(seed, label, n)) for label in SEERS[1:])
    learnt = [seen_metric(predictor) for predictor in (machine, step, network)]
    return [torch.cov(problem.train.X.T), *learnt], step.kernel.keywords["W"]


def _roots(source: ClassProblem, seed: int) -> list[torch.Tensor]:
    """Return the roots of the first five of ``WAYS``: the identity, the metric of recursive features, three by tiles.

    Of tiles there are the mean weights themselves, as of the whole metric, their squares, and all weight on the first.
    """
    label = "recursive features"
    metric = seen_metric(LEARNERS[label](source, generator_for(seed, label, len(source.train))))
    identity = torch.eye(len(metric), dtype=metric.dtype, device=metric.device)
    labelled = torch.zeros_like(identity)
    inside = len(metric) // source.tiles
    labelled[:inside, :inside] = identity[:inside, :inside]
    weights = [tile_root(metric, source.tiles, power) for power in (0.5, 1.0)]
    return [identity, root_of(metric, 0.5), *weights, labelled]


def _first(problem: ClassProblem, N: int) -> Sample:
    return Sample(problem.train.X[:N], problem.train.y[:N])


def _by_leave_one_out(train: Sample, kernels: Sequence[Kernel]) -> Machine:
    choice = choose_by_leave_one_out(train, kernels)
    return fit_machine(train, kernels[choice.place], choice.penalty)
