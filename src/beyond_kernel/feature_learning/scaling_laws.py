"""Many tasks of falling strength, each an exact chain with a clock of its own, and the power law of their sum.

The target is sum_p a_p f(<u_p, x>) with orthonormal u_p and strengths a_p = p^-beta. Neuron p takes steps in proportion
to a_p, so it needs T_p = T_1 p^beta steps. If all tasks follow one curve g, the loss that is left after t steps is
sum_p a_p^2 g(t / T_p) / sum_p a_p^2, which falls like t^-(2 - 1/beta) whatever the curve.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from scipy.special import zeta

from beyond_kernel.checks import BadParameter, floating, real_number, vector, whole_number
from beyond_kernel.feature_learning.overlap_chain import Rule, overlap_paths
from beyond_kernel.feature_learning.scaled_link import ScaledLink, scaled_link
from beyond_kernel.foundations.exponents.links import AnyLink
from beyond_kernel.foundations.targets.hermite import hermite_coefficients

_SEGMENTS = 16  # pieces of a run after each of which chains that have arrived leave
_MOST_DEGREE = 24  # of the Hermite series of a link that is no polynomial
WINDOW = (1.5, 0.25)
"""The law is fitted from 1.5 times the time of task 1 to the time of task P / 4."""


class Law(NamedTuple):
    """What was fitted to the losses and learning times of some runs.

    Attributes:
        slope: of the log of the median loss against log steps, the tasks that were left out added.
        without: the same slope of the loss as it is.
        runs: the slope of each run by itself, tasks left out added, one a run.
        clock: slope of the log of the median learning time against log p, over the tasks that were learnt.
        learnt: share of all tasks of all runs that were learnt.
        first: median learning time of task 1.
    """

    slope: float
    without: float
    runs: np.ndarray
    clock: float
    learnt: float
    first: float


def strengths(n_tasks: int, beta: float, device: torch.device | str = "cpu") -> torch.Tensor:
    """Return a_p = p^-beta for p = 1, ..., P.

    Args:
        n_tasks: P, at least 1.
        beta: how fast the strengths fall, at least 0.
        device: where they are to lie.

    Returns:
        float64 tensor of shape (P,).

    Raises:
        BadParameter: if an argument is out of range.

    Source: the power law of Ren, Nichani, Wu and Lee (2025). Chapter: scaling_laws.

    >>> strengths(3, 1.0).tolist()
    [1.0, 0.5, 0.3333333333333333]
    """
    places = torch.arange(1, whole_number("n_tasks", n_tasks) + 1, dtype=torch.float64, device=device)
    return places ** -real_number("beta", beta, least=0)


def predicted_slope(beta: float, power: float = 1.0) -> float:
    """Return the slope of log loss against log steps, -(2 beta - 1) / (power beta), for tasks without end.

    Args:
        beta: a_p = p^-beta; above 1/2, where the a_p^2 have a finite sum.
        power: task p needs T_1 a_p^-power steps.

    Raises:
        BadParameter: if an argument is out of range.

    Source: derived in the chapter. Chapter: scaling_laws.

    >>> predicted_slope(1.0), predicted_slope(1.0, power=2)
    (-1.0, -0.5)
    """
    fall = real_number("beta", beta, above=0.5)
    return -(2 * fall - 1) / (real_number("power", power, above=0) * fall)


def left_out(n_tasks: int, beta: float) -> float:
    """Return the sum of p^(-2 beta) over p > P divided by that over p <= P: the loss of the tasks that are not run.

    Added to the loss it makes P tasks look like infinitely many, as long as none beyond P would have been learnt.

    Args:
        n_tasks: P, at least 1.
        beta: a_p = p^-beta; above 1/2.

    Raises:
        BadParameter: if an argument is out of range.

    Source: Hurwitz's zeta function. Chapter: scaling_laws.
    """
    fall, P = real_number("beta", beta, above=0.5), whole_number("n_tasks", n_tasks)
    return float(zeta(2 * fall, P + 1) / (np.arange(1, P + 1) ** (-2 * fall)).sum())


def wait_and_rise(d: int) -> tuple[float, float]:
    """Return how long one task with link h_2 waits for its first tenth, and how long the rise to nine tenths takes.

    From an overlap m = d^-1/2 small steps follow q' = 4 q (1 - q) for q = m^2, in time steps x rate x strength, so
    log(q / (1 - q)) grows by 4 in a unit of time. The loss that is left is 1 - q^2.

    Args:
        d: dimension, at least 4, where the start has not yet learnt a tenth.

    Returns:
        (time until 0.9 of the loss is left, time from there until 0.1 is left).

    Raises:
        BadParameter: if d is out of range.

    Source: derived here. Chapter: scaling_laws.
    """
    logit = [float(np.log(q / (1 - q))) for q in (1 / whole_number("d", d, least=4), 0.1**0.5, 0.9**0.5)]
    return (logit[1] - logit[0]) / 4, (logit[2] - logit[1]) / 4


def learnt_share(link: AnyLink | ScaledLink, overlaps: torch.Tensor) -> torch.Tensor:
    """Return E f(<u, x>) f(<w, x>) = sum_k c_k^2 m^k, the share of a task that a neuron of overlap m has found.

    Args:
        link: f, scaled to mean zero and variance one, with Hermite coefficients c_k.
        overlaps: m, of any shape.

    Returns:
        Tensor of the shape, dtype and device of ``overlaps``.

    Raises:
        BadParameter: if the link is not accepted.
        TypeError: if overlaps is no floating-point tensor.

    Source: Mehler's formula. Chapter: scaling_laws.
    """
    m, f = floating("overlaps", overlaps), scaled_link(link)
    degree = _MOST_DEGREE if f.powers is None else len(f.powers) - 1
    value = torch.zeros_like(m)
    for coefficient in hermite_coefficients(f, degree, breakpoints=f.link.breakpoints).flip(0).tolist():
        value = value * m + coefficient**2
    return value


def remaining_loss(shares: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Return sum_p a_p^2 (1 - share_p^2) / sum_p a_p^2, the risk of neurons that have their best output weights.

    Args:
        shares: of each task, tasks last, shape (..., P).
        weights: the strengths a_p, shape (P,).

    Returns:
        Tensor of shape (...).

    Raises:
        BadParameter: if the shapes do not fit.
        TypeError: if an argument is no floating-point tensor.

    Source: derived here; the neurons of different tasks are taken as orthogonal. Chapter: scaling_laws.
    """
    floating("shares", shares)
    if shares.ndim < 1 or shares.shape[-1] != len(vector("weights", weights)):
        raise BadParameter(f"shares has shape {tuple(shares.shape)}: its last size must be {len(weights)}.")
    energy = weights.square() / weights.square().sum()
    return (1 - shares.square()) @ energy.to(shares)


def task_overlaps(
    link: AnyLink | ScaledLink,
    rule: Callable[[ScaledLink, torch.Tensor], Rule],
    rates: torch.Tensor,
    starts: torch.Tensor,
    d: int,
    at: Sequence[int],
    generator: torch.Generator,
    *,
    settled: float = 0.0,
) -> torch.Tensor:
    """Return the overlaps of many chains with step sizes of their own after given numbers of steps.

    Args:
        link: f of the labels and of the neurons, scaled to mean zero and variance one.
        rule: ``square_rule`` or ``correlation_rule``.
        rates: step size of each chain, shape (R,).
        starts: overlap of each chain at the start, shape (R,).
        d: dimension.
        at: numbers of steps, ascending, at least 1.
        generator: source of the samples, on the processor.
        settled: a chain whose 1 - m^2 is below it stays where it is; for the square loss, whose noise ends with m = 1.

    Returns:
        float64 tensor of shape (len(at), R) on the device of ``starts``.

    Raises:
        BadParameter: as ``overlap_paths``.
        TypeError: as ``overlap_paths``.

    Source: the exact chain of chapter information_exponent. Chapter: scaling_laws.
    """
    f, now = scaled_link(link), vector("starts", starts).detach().double().clone()
    vector("rates", rates, len(now))
    whole_number("d", d, least=3)
    alive, first, rows = torch.arange(len(now), device=now.device), 0, []
    for piece in np.array_split(np.asarray(at), min(_SEGMENTS, len(at))):
        kept = now.repeat(len(piece), 1)
        if len(alive):
            after = (piece - first).tolist()
            path = overlap_paths(f, rule(f, rates[alive]), now[alive], [d] * len(alive), after, generator)
            kept[:, alive], now[alive] = path, path[-1]
            alive = alive[1 - path[-1].square() > settled]
        rows.append(kept)
        first = int(piece[-1])
    return torch.cat(rows)


def learning_times(at: Sequence[int], shares: torch.Tensor, level: float = 0.5) -> torch.Tensor:
    """Return the first of the given numbers of steps at which a share has reached a level; inf where none has.

    Args:
        at: numbers of steps, ascending.
        shares: shares after these steps, shape (len(at), ...).
        level: above 0, at most 1.

    Returns:
        Tensor of shape (...), dtype and device of ``shares``.

    Raises:
        BadParameter: if the lengths differ or the level is out of range.
        TypeError: if shares is no floating-point tensor.

    Chapter: scaling_laws.
    """
    real_number("level", level, above=0, most=1)
    if floating("shares", shares).ndim < 1 or len(shares) != len(at):
        raise BadParameter(f"shares has shape {tuple(shares.shape)}: its first size must be {len(at)}.")
    reached = shares >= level
    steps = torch.as_tensor(list(at), dtype=shares.dtype, device=shares.device)
    found = steps[reached.to(torch.int8).argmax(0)]
    return torch.where(reached.any(0), found, torch.full_like(found, float("inf")))


def fitted_law(at: np.ndarray, losses: np.ndarray, times: np.ndarray, beta: float, power: float = 1.0) -> Law:
    """Return the fitted law of some runs: the slope of the loss in the window of the power law, and that of the clock.

    Args:
        at: numbers of steps, ascending, shape (T,).
        losses: shape (T, runs).
        times: learning time of each task, shape (runs, P); inf where it was not learnt.
        beta: a_p = p^-beta; above 1/2.
        power: task p is expected to need T_1 a_p^-power steps; it sets the end of the window.

    Returns:
        The law; slopes are NaN where the window holds fewer than four of the given steps, or task 1 was not learnt.

    Raises:
        BadParameter: if beta is out of range.

    Chapter: scaling_laws.
    """
    n_tasks, median = times.shape[1], np.median(times, axis=0)
    tail, first = left_out(n_tasks, beta), float(median[0])
    inside = (at >= WINDOW[0] * first) & (at <= first * (WINDOW[1] * n_tasks) ** (beta * power))
    learnt = np.isfinite(median)
    if inside.sum() < 4 or learnt.sum() < 3:
        nan = float("nan")
        return Law(nan, nan, np.full(losses.shape[1], nan), nan, float(np.isfinite(times).mean()), first)
    steps, window = at[inside], losses[inside]
    runs = np.array([_slope(steps, run + tail) for run in window.T])
    middle, places = np.median(window, axis=1), np.arange(1, n_tasks + 1)
    clock = _slope(places[learnt], median[learnt])
    return Law(
        _slope(steps, middle + tail), _slope(steps, middle), runs, clock, float(np.isfinite(times).mean()), first
    )


def _slope(x: np.ndarray, y: np.ndarray) -> float:
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])
