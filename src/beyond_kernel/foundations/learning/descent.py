"""Gradient descent: one loop for full batches, mini-batches and fresh samples; the gradient belongs to the network."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

import torch

from beyond_kernel.checks import BadParameter, matrix, real_number, vector, whole_number
from beyond_kernel.foundations.learning.networks import LossGradient, Network
from beyond_kernel.foundations.learning.samples import Law, Sample, draw_sample
from beyond_kernel.foundations.learning.tasks import ArrayTask, Task

Batch = tuple[torch.Tensor, torch.Tensor]
Observer = Callable[[int, Network, LossGradient], None]


def descend(
    network: Network,
    batches: Iterable[Batch],
    rates: Mapping[str, float],
    steps: int,
    *,
    weight_decay: float = 0.0,
    observe: Observer | None = None,
) -> Network:
    """Take steps of gradient descent on the mean squared error of one batch after the other.

    Each of the weights named in ``rates`` moves by w <- w - rate (gradient + weight_decay w); the others stay.

    Args:
        network: the start, which is left as it is.
        batches: inputs and labels of each step: ``full_batch``, ``mini_batches`` or ``online``; may be endless.
        rates: step size by name of the weights, above 0.
        steps: number of steps, at least 0.
        weight_decay: at least 0.
        observe: called before each step, and once more at the end with the batch of the last one, with the number of
            steps taken, the network (whose tensors the next step changes) and its loss and gradient on the batch.

    Returns:
        The network after the last step.

    Raises:
        BadParameter: if a name or a number does not fit, batches run out, or a weight is no longer finite.

    Source: gradient descent. Chapters: lazy_training, sparse_bias.

    >>> from beyond_kernel.foundations.learning.networks import TwoLayerNetwork
    >>> one = torch.ones(1)
    >>> start = TwoLayerNetwork(one[:, None], one, 0 * one)  # f(x) = relu(x)
    >>> end = descend(start, full_batch(one[:, None], 3 * one), {"a": 0.25}, steps=1)  # f(1) = 1, label 3
    >>> end.a.tolist()  # 1 - 0.25 * 2 * (1 - 3)
    [2.0]
    """
    moving = _copies(network, rates)
    real_number("weight_decay", weight_decay, least=0)
    current, batch, taken = replace(network, **moving), None, 0
    for batch in itertools.islice(batches, whole_number("steps", steps, least=0)):
        gradient = current.loss_gradient(*batch)
        if observe is not None:
            observe(taken, current, gradient)
        for name, rate in rates.items():
            if weight_decay:
                moving[name].mul_(1 - rate * weight_decay)
            moving[name].sub_(gradient.by_name[name], alpha=rate)
        taken += 1
    if taken < steps:
        raise BadParameter(f"batches ran out after {taken} of {steps} steps: give more.")
    if not all(bool(torch.isfinite(tensor).all()) for tensor in moving.values()):
        sizes = ", ".join(f"{name}: {rate:g}" for name, rate in rates.items())
        raise BadParameter(f"rates = {{{sizes}}} make training diverge within {steps} steps: take smaller ones.")
    if observe is not None and batch is not None:
        observe(taken, current, current.loss_gradient(*batch))
    return current


def full_batch(X: torch.Tensor, y: torch.Tensor) -> Iterator[Batch]:
    """Return the same inputs and labels for every step.

    Args:
        X: inputs, of shape (n, d).
        y: labels, of shape (n,).

    Raises:
        BadParameter: if shapes do not fit or an entry is not finite.
        TypeError: if one is no floating-point tensor.

    Chapters: lazy_training, sparse_bias.
    """
    vector("y", y, len(matrix("X", X)))
    return itertools.repeat((X, y))


def mini_batches(sample: Sample, size: int, generator: torch.Generator) -> Iterator[Batch]:
    """Return batches of a sample without end, in a new random order each time all points have been seen.

    Args:
        sample: the points.
        size: of a batch, at most the number of points; the last batch of an epoch may be smaller.
        generator: source of the orders.

    Raises:
        BadParameter: if size is out of range.
    """
    whole_number("size", size, most=len(sample))
    return _epochs(sample, size, generator)


def online(
    task: Task,
    size: int,
    noise: float,
    generator: torch.Generator,
    law: Law | None = None,
    dtype: torch.dtype = torch.float64,
    device: torch.device | str = "cpu",
) -> Iterator[Batch]:
    """Return batches of fresh samples without end, none seen twice.

    Args:
        task: f*.
        size: of a batch, at least 1.
        noise, generator, law, dtype, device: as in ``draw_sample``.

    Raises:
        BadParameter: as ``draw_sample``, or if the task is a pair of arrays.
    """
    whole_number("size", size)
    if isinstance(task, ArrayTask):
        raise BadParameter(
            "the task is a pair of arrays, which come to an end: draw a sample and take mini_batches of it."
        )
    samples = (draw_sample(task, size, noise, generator, law, dtype, device) for _ in itertools.count())
    return ((sample.X, sample.y) for sample in samples)


def _epochs(sample: Sample, size: int, generator: torch.Generator) -> Iterator[Batch]:
    while True:
        order = torch.randperm(len(sample), generator=generator, device=generator.device).to(sample.X.device)
        for rows in order.split(size):
            yield sample.X[rows], sample.y[rows]


def _copies(network: Network, rates: Mapping[str, float]) -> dict[str, torch.Tensor]:
    """Return copies of the weights that move."""
    if not rates:
        raise BadParameter("rates names no weights: nothing would move.")
    for name, rate in rates.items():
        if not isinstance(getattr(network, name, None), torch.Tensor):
            raise BadParameter(f"rates names {name!r}: {type(network).__name__} has no weights of that name.")
        real_number(f"rates[{name!r}]", rate, above=0)
    return {name: getattr(network, name).clone() for name in rates}
