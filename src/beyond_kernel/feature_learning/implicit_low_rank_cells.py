"""Rank along a training, for chapter implicit_low_rank: labels are coins, or the side of one of two clusters."""

import numpy as np
import torch

from beyond_kernel.checks import one_of, real_number, whole_number
from beyond_kernel.feature_learning.implicit_low_rank import (
    boundary_normal,
    network_values,
    orthogonality,
    stable_rank,
    third_over_first,
    train_in_span,
)
from beyond_kernel.feature_learning.low_rank_theory import limit_point, rank_after_one_step
from beyond_kernel.feature_learning.quadratic_student import small_start
from beyond_kernel.foundations.learning.samples import draw_inputs
from beyond_kernel.foundations.targets.hidden_directions import drawn_directions
from beyond_kernel.random_streams import generator_for

LAWS = ("gaussian", "sphere", "hypercube", "clusters")
"""Laws of the inputs; labels are fair coins, and in ``clusters``, two Gaussian clouds, which of the two it is."""
FRESH = 500
"""Fresh points on which signs are compared."""


def rank_path_cell(
    law: str,
    d: int,
    n: int,
    width: int,
    size: float,
    leak: float,
    rate: float,
    steps: int,
    *,
    distance: float = 3.0,
    device: str = "cpu",
    seed: int,
) -> dict[str, np.ndarray | float]:
    """Train one leaky network on n samples, and look at its singular values on the way.

    Args:
        law: one of ``LAWS``.
        d: dimension.
        n: number of samples.
        width: m, even.
        size: root mean square length of a neuron at the start; inputs have about the length sqrt(d).
        leak: slope below zero, from 0 to 1.
        rate: step size in units of n / |X X^T|.
        steps: number of steps, at least 10.
        distance: from the centre of either cluster to the origin.
        device: where everything lies.
        seed: of everything drawn.

    Returns:
        ``at``: the steps of ``checkpoints``; ``ranks``: stable ranks there, and ``thirds``: third singular value over
        the first; ``halves``: stable ranks of the neurons of head 1 alone; ``predicted``: rank to be expected after one
        step. At the end: ``errors`` (share of training points), ``margin`` (mean over the samples),
        ``agreement`` with the linear boundary on fresh points, ``margins`` (least over largest). Of the limit point:
        ``limit`` (its stable rank), ``supports`` (share of samples with a multiplier), ``cosine`` with the weights at
        the end, ``consistent``; NaN where n is above d. And ``orthogonality``: p of the inputs.

    Raises:
        BadParameter: if a parameter is out of range.

    Chapter: implicit_low_rank.
    """
    generator = generator_for(seed, "rank path", law, d, n)
    (X, y), (fresh, _) = (labelled_inputs(law, count, d, distance, generator, device) for count in (n, FRESH))
    at = checkpoints(steps)
    start = small_start(width, d, size, generator, device)
    weights, values = train_in_span(start, X, y, leak, rate, at)
    ends = weights[-1]
    singular = [values / values[0] for values in map(torch.linalg.svdvals, weights)]
    agreeing = (fresh @ boundary_normal(ends)) * network_values(ends, fresh, leak) > 0
    margins = y * values[-1]
    found = {
        "at": np.array(at),
        "ranks": np.array([float(ratios.square().sum()) for ratios in singular]),
        "thirds": np.array([float(ratios[2:3].sum()) for ratios in singular]),  # 0 where there are two
        "halves": np.array([stable_rank(W[: width // 2]) for W in weights]),
        "predicted": rank_after_one_step(X, y, width, size, leak, rate),
        "errors": float((margins <= 0).double().mean()),
        "agreement": float(agreeing.double().mean()),
        "margin": float(margins.mean()),
        "margins": float(margins.min() / margins.max()),
        "orthogonality": orthogonality(X),
    }
    return found | _limit(X, y, leak, ends)


def third_cell(
    level: float,
    leak: float,
    n: int,
    width: int,
    size: float,
    rate: float,
    steps: int,
    *,
    device: str = "cpu",
    seed: int,
) -> dict[str, float]:
    """Return the third singular value over the first after training on coin labels, at a given leak^2 d / n.

    Args:
        level: leak^2 d / n, above 0; d is rounded, and at least 3.
        leak: slope below zero, above 0 and at most 1.
        n, width, size, rate, steps: as in ``rank_path_cell``; inputs are Gaussian.
        device: where everything lies.
        seed: of everything drawn.

    Returns:
        ``third``, and the dimension ``dim``.

    Raises:
        BadParameter: if a parameter is out of range.

    Chapter: implicit_low_rank.
    """
    d = max(3, round(real_number("level", level, above=0) * n / real_number("leak", leak, above=0) ** 2))
    generator = generator_for(seed, "third", d, n)
    X, y = labelled_inputs("gaussian", n, d, 0.0, generator, device)
    start = small_start(width, d, size, generator, device)
    (W,), _ = train_in_span(start, X, y, leak, rate, [whole_number("steps", steps)])
    return {"third": third_over_first(W), "dim": float(d)}


def checkpoints(steps: int) -> list[int]:
    """Return 0, 1, 2, 3, 10, 30, 100, ... below the number of steps, and that number.

    Args:
        steps: at least 10.

    Raises:
        BadParameter: otherwise.

    Chapter: implicit_low_rank.

    >>> checkpoints(50)
    [0, 1, 2, 3, 10, 30, 50]
    """
    below = [0, 1, 2, 3, *(factor * 10**power for power in range(1, 8) for factor in (1, 3))]
    return [*(step for step in below if step < whole_number("steps", steps, least=10)), steps]


def labelled_inputs(
    law: str, n: int, d: int, distance: float, generator: torch.Generator, device: str = "cpu"
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return n inputs and labels of -1 and 1, which are fair coins or, in ``clusters``, the side of the point.

    Args:
        law: one of ``LAWS``.
        n: number of points, at least 2.
        d: dimension.
        distance: in ``clusters``, of each centre from the origin, in a direction that is the same for each d.
        generator: source of chance.
        device: where the sample is to lie.

    Raises:
        BadParameter: if a parameter is out of range.

    Chapter: implicit_low_rank.
    """
    clouds = one_of("law", law, LAWS) == "clusters"
    X = draw_inputs("gaussian" if clouds else law, whole_number("n", n, least=2), d, generator, device=device)
    y = 2 * torch.randint(2, (n,), generator=generator, device="cpu").to(X) - 1
    if clouds:
        centre = drawn_directions(d, 1, 0)[:, 0].to(X) * real_number("distance", distance, least=0)
        X = X + y[:, None] * centre
    return X, y


def _limit(X: torch.Tensor, y: torch.Tensor, leak: float, W: torch.Tensor) -> dict[str, float]:
    if len(X) > X.shape[1]:
        return dict.fromkeys(("limit", "supports", "cosine", "consistent"), float("nan"))
    limit = limit_point(X, y, leak)
    half = len(W) // 2
    full = limit.directions.repeat_interleave(half, dim=0)
    return {
        "limit": stable_rank(limit.directions),
        "supports": float((limit.weights > 0).double().mean()),
        "cosine": float((full * W).sum() / full.norm() / W.norm()),
        "consistent": float(limit.consistent),
    }
