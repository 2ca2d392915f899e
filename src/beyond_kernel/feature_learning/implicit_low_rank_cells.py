"""Rank along a training, for chapter implicit_low_rank: labels are coins, or the side of one of two clusters."""

from collections.abc import Sequence

import numpy as np
import torch

from beyond_kernel.checks import BadParameter, one_of, real_number, whole_number
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
    singular = [values / values[0] for values in map(torch.linalg.svdvals, weights)]
    found = {
        "at": np.array(at),
        "ranks": np.array([float(ratios.square().sum()) for ratios in singular]),
        "thirds": np.array([float(ratios[2:3].sum()) for ratios in singular]),  # 0 where there are two
        "halves": np.array([stable_rank(W[: width // 2]) for W in weights]),
        "predicted": rank_after_one_step(X, y, width, size, leak, rate),
        "orthogonality": orthogonality(X),
    }
    return found | _end(weights[-1], y * values[-1], fresh, leak) | _limit(X, y, leak, weights[-1])


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


def passed_at(levels: Sequence[float], values: Sequence[float], threshold: float) -> float:
    """Return the level at which a falling curve passes a threshold, by a straight line on log scales.

    Args:
        levels: ascending, above 0, at least two.
        values: of the curve there, above 0.
        threshold: above 0.

    Returns:
        The level; the first or the last one where the curve passes outside of them.

    Raises:
        BadParameter: if the lengths differ or are below two.

    Chapter: implicit_low_rank.

    >>> round(passed_at([1, 2, 8], [1.0, 0.4, 0.1], 0.2), 6)
    4.0
    """
    if len(levels) != len(values) or len(levels) < 2:
        raise BadParameter(f"levels and values are {len(levels)} and {len(values)}: as many, and at least two of each.")
    below = [place for place, value in enumerate(values) if value <= threshold]
    right = min(max(below[0] if below else len(levels) - 1, 1), len(levels) - 1)
    x, v = np.log(levels[right - 1 : right + 1]), np.log(values[right - 1 : right + 1])
    return float(np.exp(np.interp(np.log(threshold), v[::-1], x[::-1])))


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


def _end(W: torch.Tensor, margins: torch.Tensor, fresh: torch.Tensor, leak: float) -> dict[str, float]:
    agreeing = (fresh @ boundary_normal(W)) * network_values(W, fresh, leak) > 0
    return {
        "errors": float((margins <= 0).double().mean()),
        "agreement": float(agreeing.double().mean()),
        "margin": float(margins.mean()),
        "margins": float(margins.min() / margins.max()),
    }


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
