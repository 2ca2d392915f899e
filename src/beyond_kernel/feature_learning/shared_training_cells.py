"""The experiments on training under symmetry, each a pure function of one cell's parameters."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from scipy.stats import ks_2samp

from beyond_kernel.checks import list_of, real_number, whole_number
from beyond_kernel.feature_learning.network_sgd import mean_field_start
from beyond_kernel.feature_learning.shared_progress import (
    BATCH,
    median_time,
    risk_midway,
    risk_path,
    samples_to_half,
    shared_start,
)
from beyond_kernel.feature_learning.shared_weights import (
    OrbitParity,
    Support,
    check_support,
)
from beyond_kernel.foundations.inputs.laws import hypercube
from beyond_kernel.foundations.learning.descent import descend
from beyond_kernel.random_streams import generator_for

PILOTS = 2
"""Starts on which a step size is chosen."""


def orbit_training_cell(
    sharing: str,
    symmetry: str,
    k: int,
    d: int,
    width: int,
    rates: Sequence[float],
    samples: int,
    runs: int,
    *,
    copies: bool = False,
    device: str = "cpu",
    seed: int,
) -> dict[str, np.ndarray | float]:
    """Train networks on the orbit parity of k neighbours until their risk is one half, at the best of several rates.

    The rate is chosen on two starts that are not used again, by the samples of both; a rate is given up once it needs
    more than the best so far.

    Args:
        sharing: how the network shares its weights, one of ``SHARINGS``.
        symmetry: the group of the target's orbit, one of ``SHARINGS``; with plain it is one parity.
        k: number of coordinates, at most d.
        d: dimension.
        width: number of neurons, even.
        rates: step sizes in units of 1/d; the search is short where the first is near the best.
        samples: samples after which training ends in any case.
        runs: number of networks.
        copies: as in ``risk_path``.

    Returns:
        ``samples`` to half of the risk by run, NaN where it was not reached, and ``midway``, ``risk_midway`` by run;
        ``median`` of the samples, NaN if fewer than half arrived; ``rate``, the chosen one in units of 1/d, NaN if no
        rate got there.

    Raises:
        BadParameter: if a parameter is out of range.

    Chapter: symmetry_barrier.
    """
    target, limit = _neighbours(k, d, symmetry), whole_number("samples", samples, least=BATCH)

    def path(rate: float, limit: int, *label: str | int) -> list[tuple[float, float]]:
        start = shared_start(width, d, sharing, generator_for(seed, "network", width, d, *label), device)
        chance = generator_for(seed, "samples", d, *label)
        return risk_path(start, [target], rate / d, limit, chance, copies=copies)

    steps = list_of("rates", list(rates), lambda name, value: real_number(name, value, above=0))
    best = _best_rate(path, steps, limit)
    if math.isnan(best):
        never = np.full(whole_number("runs", runs), np.nan)
        return {"samples": never, "midway": never, "median": math.nan, "rate": math.nan}
    paths = [path(best, limit, "run", run) for run in range(whole_number("runs", runs))]
    taken = np.array([samples_to_half(each) for each in paths])
    midway = np.array([risk_midway(each) for each in paths])
    return {"samples": taken, "midway": midway, "median": median_time(taken), "rate": best}


def company_cell(
    sharing: str,
    company: Sequence[Sequence[int]],
    d: int,
    width: int,
    rate: float,
    samples: int,
    *,
    device: str = "cpu",
    seed: int,
) -> dict[str, float]:
    """Train one network on a sum of orbit parities until its mean squared error is one half.

    Each of them has mean square one, so that by then at least half of each is learnt.

    Args:
        sharing, d, width, samples: as in ``orbit_training_cell``.
        company: sets of coordinates, numbered from 0.
        rate: step size in units of 1/d.

    Returns:
        ``samples`` until then, NaN where it was not reached.

    Raises:
        BadParameter: if a parameter is out of range.

    Chapter: symmetry_barrier.
    """
    targets = [OrbitParity(tuple(support), sharing, d) for support in company]
    start = shared_start(width, d, sharing, generator_for(seed, "network", width, d, "company"), device)
    chance = generator_for(seed, "samples", d, "company")
    path = risk_path(start, targets, real_number("rate", rate, above=0) / d, samples, chance)
    return {"samples": samples_to_half(path)}


def permuted_training_cell(
    k: int, d: int, width: int, rate: float, steps: int, *, device: str = "cpu", seed: int
) -> dict[str, float]:
    """Train a plain network twice: as it is, and with all coordinates permuted and some of them turned in sign.

    The second time the columns of the first layer are permuted and turned like the inputs; the labels are the same.

    Args:
        k, d, width: as in ``orbit_training_cell``.
        rate: step size in units of 1/d.
        steps: steps of SGD.

    Returns:
        ``apart``: the largest difference between the two first layers at the end, once the second is turned back;
        ``moved``: the largest change of a weight during training.

    Raises:
        BadParameter: if a parameter is out of range.

    Chapter: symmetry_barrier.
    """
    target, generator = _neighbours(k, d, "plain"), generator_for(seed, "permuted", d)
    start = mean_field_start(width, d, generator, device=device)
    order = torch.randperm(d, generator=generator, device="cpu").to(device)
    signs = 2 * torch.randint(2, (d,), generator=generator, device="cpu").to(start.W) - 1
    drawn = hypercube(BATCH * whole_number("steps", steps), d, generator).to(device)
    size = real_number("rate", rate, above=0) / d
    sizes = {"W": width * size / 2, "b": width * size / 2, "a": size / (2 * width)}
    ends = []
    for turned in (False, True):
        X, W = ((signs * each)[:, order] if turned else each for each in (drawn, start.W))
        batches = zip(X.split(BATCH), target(drawn).split(BATCH), strict=True)
        ends.append(descend(replace(start, W=W), batches, sizes, steps).W)
    back = signs * ends[1][:, torch.argsort(order)]
    return {"apart": float((ends[0] - back).abs().max()), "moved": float((ends[0] - start.W).abs().max())}


def start_law_cell(
    first: Sequence[int],
    second: Sequence[int],
    d: int,
    width: int,
    rate: float,
    samples: int,
    runs: int,
    *,
    favoured: int = 0,
    strength: float = 1.0,
    device: str = "cpu",
    seed: int,
) -> dict[str, np.ndarray | float]:
    """Train plain networks on two parities, each from its own random starts, and compare the samples they take.

    Args:
        first, second: the sets of coordinates, numbered from 0.
        d, width, samples: as in ``orbit_training_cell``.
        rate: step size in units of 1/d.
        runs: number of networks for each parity.
        favoured: number of first coordinates whose weights are larger at the start.
        strength: factor by which they are.

    Returns:
        ``first`` and ``second``, samples to half of the risk by run, NaN where it was not reached; ``medians`` of the
        two, (2,); ``p_value`` of the two-sample test of Kolmogorov and Smirnov, where never is later than any time.

    Raises:
        BadParameter: if a parameter is out of range.

    Chapter: symmetry_barrier.
    """
    real_number("strength", strength, above=0)
    whole_number("favoured", favoured, least=0, most=d)
    size, times = real_number("rate", rate, above=0) / d, []
    for name, support in (("first", first), ("second", second)):
        check_support(support, d)
        found = []
        for run in range(whole_number("runs", runs)):
            start = shared_start(width, d, "plain", generator_for(seed, "network", name, run), device)
            factors = torch.ones(d, dtype=torch.float32, device=device)
            factors[:favoured] = strength
            start = replace(start, network=replace(start.network, W=start.network.W * factors))
            target = [OrbitParity(tuple(support), "plain", d)]
            chance = generator_for(seed, "samples", name, run)
            found.append(samples_to_half(risk_path(start, target, size, samples, chance)))
        times.append(np.array(found))
    test = ks_2samp(*(np.nan_to_num(found, nan=2.0 * samples) for found in times))
    medians = np.array([median_time(found) for found in times])
    return {"first": times[0], "second": times[1], "medians": medians, "p_value": float(test.pvalue)}


def _best_rate(path: Callable[..., list[tuple[float, float]]], rates: Sequence[float], limit: int) -> float:
    """Return the rate with which all pilots together reach half of the risk in the fewest samples, or NaN."""
    best, least = math.nan, math.inf
    for rate in rates:
        needed = 0.0
        for pilot in range(PILOTS):
            left = min(limit, least - needed)
            needed += samples_to_half(path(rate, int(left), "pilot", pilot)) if left >= BATCH else math.nan
            if math.isnan(needed):
                break
        if needed < least:
            best, least = rate, needed
    return best


def _neighbours(k: int, d: int, symmetry: str) -> OrbitParity:
    support: Support = tuple(range(whole_number("k", k, most=whole_number("d", d, least=2))))
    return OrbitParity(support, symmetry, d)
