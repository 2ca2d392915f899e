"""The experiments of chapter implicit_low_rank: rank along a training, labels with a target, labels with flips."""

import numpy as np
import torch

from beyond_kernel.checks import one_of, real_number, whole_number
from beyond_kernel.feature_learning.implicit_low_rank import (
    boundary_normal,
    network_values,
    orthogonality,
    stable_rank,
    train_in_span,
)
from beyond_kernel.feature_learning.low_rank_theory import limit_point, rank_after_one_step
from beyond_kernel.feature_learning.quadratic_student import small_start
from beyond_kernel.foundations.learning.kernel_ridge import kernel_ridge
from beyond_kernel.foundations.learning.samples import Problem, Sample, draw_inputs
from beyond_kernel.foundations.targets.hidden_directions import drawn_directions
from beyond_kernel.foundations.targets.target import parse_target
from beyond_kernel.kernel_regime.kernel_learners import fit_gaussian_kernel
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
        the first; ``predicted``: rank to be expected after one step. At the end: ``errors`` (share of training points),
        ``agreement`` with the linear boundary on fresh points, ``margins`` (least over largest). Of the limit point:
        ``limit`` (its stable rank), ``supports`` (share of samples with a multiplier), ``cosine`` with the weights at
        the end, ``consistent``; NaN where n is above d. And ``orthogonality``: p of the inputs.

    Raises:
        BadParameter: if a parameter is out of range.

    Chapter: implicit_low_rank.
    """
    generator = generator_for(seed, "rank path", law, d, n)
    (X, y), (fresh, _) = (_sample(law, count, d, distance, generator, device) for count in (n, FRESH))
    at = checkpoints(steps)
    start = small_start(width, d, size, generator, device)
    weights, values = train_in_span(start, X, y, leak, rate, at)
    ends = weights[-1]
    singular = [values / values[0] for values in map(torch.linalg.svdvals, weights)]
    agreeing = (fresh @ boundary_normal(ends)) * network_values(ends, fresh, leak) > 0
    margins = y * values[-1]
    return {
        "at": np.array(at),
        "ranks": np.array([float(ratios.square().sum()) for ratios in singular]),
        "thirds": np.array([float(ratios[2:3].sum()) for ratios in singular]),  # 0 where there are two
        "predicted": rank_after_one_step(X, y, width, size, leak, rate),
        "errors": float((margins <= 0).double().mean()),
        "agreement": float(agreeing.double().mean()),
        "margins": float(margins.min() / margins.max()),
        "orthogonality": orthogonality(X),
    } | _limit(X, y, leak, ends)


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
    X, y = _sample("gaussian", n, d, 0.0, generator, device)
    start = small_start(width, d, size, generator, device)
    (W,), _ = train_in_span(start, X, y, leak, rate, [whole_number("steps", steps)])
    values = torch.linalg.svdvals(W)
    return {"third": float(values[2] / values[0]), "dim": float(d)}


def labels_cell(
    target: str,
    d: int,
    n: int,
    width: int,
    size: float,
    leak: float,
    rate: float,
    steps: int,
    *,
    n_test: int = 4000,
    device: str = "cpu",
    seed: int,
) -> dict[str, float]:
    """Fit the signs of a polynomial on Gaussian inputs by a leaky network, a Gaussian kernel and a line.

    Args:
        target: a polynomial in z1, z2, ...; the labels are its signs.
        d: dimension.
        n: number of samples; kernel and line choose their penalties by leave-one-out on them.
        width, size, leak, rate, steps: as in ``rank_path_cell``.
        n_test: fresh points.
        device: where everything lies.
        seed: of everything drawn.

    Returns:
        ``network``, ``kernel``, ``line``: share of errors on fresh points; ``errors``: that of the network on its
        samples; ``rank``: its stable rank; ``share``: part of |W|^2 in the hidden directions of the target.

    Raises:
        BadParameter: if a parameter is out of range.

    Chapter: implicit_low_rank.
    """
    polynomial = parse_target(target, d, seed)
    generator = generator_for(seed, "labels", d, n)
    X = draw_inputs("gaussian", n, d, generator, device=device)
    fresh = draw_inputs("gaussian", whole_number("n_test", n_test), d, generator, device=device)
    y, truth = (_sign(polynomial(inputs)) for inputs in (X, fresh))
    W0 = small_start(width, d, size, generator, device)
    (W,), (values,) = train_in_span(W0, X, y, leak, rate, [whole_number("steps", steps)])
    kernel = fit_gaussian_kernel(Problem(Sample(X, y), Sample(fresh, truth)), generator)
    line = kernel_ridge(Sample(X, y), _inner_products)
    hidden = polynomial.directions.to(X)
    return {
        "network": _wrong(network_values(W, fresh, leak), truth),
        "kernel": _wrong(kernel(fresh), truth),
        "line": _wrong(line(fresh), truth),
        "errors": _wrong(values, y),
        "rank": stable_rank(W),
        "share": float((W @ hidden).square().sum() / W.square().sum()),
    }


def flips_cell(
    d: int,
    n: int,
    flips: float,
    spread: float,
    width: int,
    size: float,
    leak: float,
    rate: float,
    steps: int,
    *,
    n_test: int = 4000,
    device: str = "cpu",
    seed: int,
) -> dict[str, float]:
    """Train on two Gaussian clusters, a share of whose labels is flipped, and classify fresh points without flips.

    Args:
        d: dimension.
        n: number of samples.
        flips: share of flipped labels, from 0 to 0.5.
        spread: the centres lie spread max(1, d / n)^(1/4) from the origin; at this distance the best classifier errs
            with chance Phi(-distance).
        width, size, leak, rate, steps: as in ``rank_path_cell``.
        n_test: fresh points.
        device: where everything lies.
        seed: of everything drawn.

    Returns:
        Shares of errors, ``errors`` of the network on its samples, flips included, and on fresh points ``network``,
        ``kernel`` (Gaussian, tuned), ``line`` (ridge, tuned), ``average`` (sign of <sum_i y_i x_i, x>) and ``margin``
        (linear, of largest margin; NaN where n is above d); ``rank``: stable rank of the network.

    Raises:
        BadParameter: if a parameter is out of range.

    Chapter: implicit_low_rank.
    """
    generator = generator_for(seed, "flips", d, n)
    distance = real_number("spread", spread, least=0) * max(1, d / whole_number("n", n)) ** 0.25
    X, clean = _sample("clusters", n, d, distance, generator, device)
    fresh, truth = _sample("clusters", whole_number("n_test", n_test), d, distance, generator, device)
    flipped = torch.rand(n, generator=generator, dtype=torch.float64, device="cpu").to(device)
    y = torch.where(flipped < real_number("flips", flips, least=0, most=0.5), -clean, clean)
    W0 = small_start(width, d, size, generator, device)
    (W,), (values,) = train_in_span(W0, X, y, leak, rate, [whole_number("steps", steps)])
    kernel = fit_gaussian_kernel(Problem(Sample(X, y), Sample(fresh, truth)), generator)
    margin = limit_point(X, y, 1.0).directions[0] if n <= d else None
    return {
        "errors": _wrong(values, y),
        "network": _wrong(network_values(W, fresh, leak), truth),
        "kernel": _wrong(kernel(fresh), truth),
        "line": _wrong(kernel_ridge(Sample(X, y), _inner_products)(fresh), truth),
        "average": _wrong(fresh @ (y @ X), truth),
        "margin": float("nan") if margin is None else _wrong(fresh @ margin, truth),
        "rank": stable_rank(W),
    }


def checkpoints(steps: int) -> list[int]:
    """Return 0, 1, 3, 10, 30, ... below the number of steps, and that number.

    Args:
        steps: at least 10.

    Raises:
        BadParameter: otherwise.

    Chapter: implicit_low_rank.

    >>> checkpoints(50)
    [0, 1, 3, 10, 30, 50]
    """
    below = [factor * 10**power for power in range(8) for factor in (1, 3)]
    return [0, *(step for step in below if step < whole_number("steps", steps, least=10)), steps]


def _sample(
    law: str, n: int, d: int, distance: float, generator: torch.Generator, device: str
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return inputs and labels; the clusters have their centres at a random direction."""
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


def _inner_products(X: torch.Tensor, Z: torch.Tensor | None = None) -> torch.Tensor:
    return X @ (X if Z is None else Z).T


def _sign(values: torch.Tensor) -> torch.Tensor:
    """Return the signs, that of 0 being 1."""
    return 2 * (values >= 0).to(values) - 1


def _wrong(values: torch.Tensor, signs: torch.Tensor) -> float:
    return float((values * signs <= 0).double().mean())
