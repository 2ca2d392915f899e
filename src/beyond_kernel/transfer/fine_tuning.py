"""Full fine-tuning: all weights are trained on the target, from the first layer that a source has left behind."""

import math
from collections.abc import Sequence
from dataclasses import replace

import torch

from beyond_kernel.checks import list_of, real_number, whole_number
from beyond_kernel.feature_learning.trained_network import (
    BATCH,
    CHECK_EVERY,
    DECAYS,
    PATIENCE,
    PRECISION,
    SideBySide,
    TrainedNetwork,
    default_steps,
)
from beyond_kernel.foundations.learning.heads import fit_head
from beyond_kernel.foundations.learning.held_out import split_fifth
from beyond_kernel.foundations.learning.learners import labelled
from beyond_kernel.foundations.learning.networks import TwoLayerNetwork
from beyond_kernel.foundations.learning.samples import Problem, Sample

TUNING_RATES = (0.001, 0.003, 0.01)
"""Candidates for the first step size, as many as of a network trained from scratch."""


@labelled("fine-tuned")
def fit_fine_tuned(
    problem: Problem,
    generator: torch.Generator,
    network: TwoLayerNetwork,
    steps: int | None = None,
    rates: Sequence[float] = TUNING_RATES,
    decays: Sequence[float] = DECAYS,
) -> TrainedNetwork:
    """Fit a head on the first layer of another task, then train all weights on the labels of the target.

    The rules are those of ``fit_trained_network``: Adam with decoupled decay, batches of 32, a held-out fifth that
    chooses step size, decay and the step to stop at. Step 0 is one of them, so that staying frozen can be chosen; the
    head that is trained on from there is fitted on the other four fifths.

    Args:
        problem: its training sample, of the target task, of at least five points.
        generator: source of the held-out part and of the batches.
        network: first layer and biases of the source; its head is not used.
        steps: of Adam; ``default_steps`` of n where it is left out.
        rates: candidates for the first step size, above 0; it falls linearly to 0.
        decays: candidates for the weight decay, at least 0.

    Raises:
        BadParameter: if there are too few samples, or an option is out of range.

    Chapter: frozen_representation.
    """
    n, kind = len(problem.train), problem.train.X.dtype
    steps = default_steps(n) if steps is None else whole_number("steps", steps)
    list_of("rates", rates, lambda name, value: real_number(name, value, above=0))
    list_of("decays", decays, lambda name, value: real_number(name, value, least=0))
    kept, held = split_fifth(problem.train, generator)
    offset, scale = float(kept.y.mean()), float(kept.y.std(correction=0)) or 1.0
    fit, choose = (Sample(part.X.to(PRECISION), ((part.y - offset) / scale).to(PRECISION)) for part in (kept, held))
    start = fit_head(fit, network.to(fit.X)).network
    pairs = [(rate, decay) for rate in rates for decay in decays]
    best, which, loss, taken = _descend(start, fit, choose, pairs, steps, generator)
    moved = replace(best.to(problem.train.X[:0]), a=best.a.to(kind) * scale)
    return TrainedNetwork(moved, offset, *pairs[which], loss * scale**2, taken)


def _descend(
    start: TwoLayerNetwork,
    fit: Sample,
    held: Sample,
    pairs: Sequence[tuple[float, float]],
    steps: int,
    generator: torch.Generator,
) -> tuple[TwoLayerNetwork, int, float, int]:
    """Return the network of least held-out error over all looks, its pair, that error and the steps taken by then."""
    together, (X, Z) = SideBySide(start, pairs, steps), map(_with_ones, (fit.X, held.X))
    best, which, least, when, order = start, 0, math.inf, 0, fit.X.new_empty(0, dtype=torch.long)
    for taken in range(steps + 1):
        if taken % CHECK_EVERY == 0 or taken == steps:
            losses = (together.values(Z) - held.y[:, None]).square().mean(0).nan_to_num(nan=math.inf)
            copy = int(losses.argmin())
            if float(losses[copy]) < least:
                best, which, least, when = together.network(copy), copy, float(losses[copy]), taken
            elif taken - when >= PATIENCE:
                break
        if taken == steps:
            break
        while len(order) < min(BATCH, len(X)):
            fresh = torch.randperm(len(X), generator=generator, device=generator.device).to(order.device)
            order = torch.cat([order, fresh])
        rows, order = order[:BATCH], order[BATCH:]
        together.step(X[rows], fit.y[rows])
    return best, which, least, when


def _with_ones(X: torch.Tensor) -> torch.Tensor:
    return torch.cat([X, X.new_ones(len(X), 1)], 1)
