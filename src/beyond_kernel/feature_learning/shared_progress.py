"""How training of networks with shared weights starts, and how long it takes until half of the risk is left."""

import contextlib
import math
from collections.abc import Callable, Sequence

import numpy as np
import torch

from beyond_kernel.checks import whole_number
from beyond_kernel.feature_learning.network_sgd import mean_field_start
from beyond_kernel.feature_learning.shared_weights import Diverged, OrbitParity, SharedNetwork, shared_sgd
from beyond_kernel.foundations.inputs.laws import hypercube

BATCH = 8
"""Samples of a step."""
TEST_POINTS = 400
"""Points on which the risk is measured."""
LOOK_SHARE = 0.08
"""That is done after this share more of the steps so far, at least one."""

Risk = Callable[[SharedNetwork], float]


def shared_start(
    width: int, d: int, sharing: str, generator: torch.Generator, device: torch.device | str = "cpu"
) -> SharedNetwork:
    """Return the start of all training here: ``mean_field_start``, in single precision, on the views of a sharing.

    Args:
        width: number of neurons, even.
        d: dimension.
        sharing: one of ``SHARINGS``.
        generator: source of the weights.
        device: where the network is to lie.

    Raises:
        BadParameter: if a parameter is out of range.

    Chapter: symmetry_barrier.
    """
    inputs = 1 if sharing == "symmetric" else d
    return SharedNetwork(mean_field_start(width, inputs, generator, torch.float32, device), sharing)


def risk_path(
    start: SharedNetwork,
    targets: Sequence[OrbitParity],
    rate: float,
    samples: int,
    generator: torch.Generator,
    *,
    copies: bool = False,
) -> list[tuple[float, float]]:
    """Return samples and risk E (f - y)^2 at each look while a network is trained, until one half is left or less.

    Each target has mean square one, so of a single one half is left by then. It looks after every step at first, and
    then after each 8 per cent of the steps so far.

    Args:
        start: the network before training.
        targets: their sum is learnt.
        rate: step size.
        samples: samples after which training ends in any case.
        generator: source of the samples.
        copies: as in ``shared_sgd``; a sample counts once, with all its shifts.

    Raises:
        BadParameter: as ``shared_sgd``, except where training diverges: the path then ends at the last look before.

    Chapter: symmetry_barrier.
    """
    risk, path, due = risk_on(start, targets, generator), [], 1

    def reached(taken: int, look: Callable[[], SharedNetwork]) -> bool:
        nonlocal due
        if taken < due:
            return False
        due = max(taken + 1, math.ceil((1 + LOOK_SHARE) * taken))
        path.append((float(taken * BATCH), risk(look())))
        return path[-1][1] <= 0.5

    steps = max(1, whole_number("samples", samples, least=BATCH) // BATCH)
    with contextlib.suppress(Diverged):
        shared_sgd(start, targets, rate, BATCH, steps, generator, copies=copies, observe=reached)
    return path


def samples_to_half(path: Sequence[tuple[float, float]]) -> float:
    """Return the samples at the end of a path if one half of the risk or less is left there, and NaN otherwise.

    Args:
        path: as from ``risk_path``.

    Chapter: symmetry_barrier.

    >>> samples_to_half([(8.0, 0.9), (16.0, 0.4)]), samples_to_half([(8.0, 0.9)])
    (16.0, nan)
    """
    return path[-1][0] if path and path[-1][1] <= 0.5 else math.nan


def risk_midway(path: Sequence[tuple[float, float]]) -> float:
    """Return the risk at the last look within the first half of the samples that a path takes to half of the risk.

    It is NaN where half of the risk was not reached, and 1, the risk at the start, where there was no such look.

    Args:
        path: as from ``risk_path``, of a single target.

    Chapter: symmetry_barrier.

    >>> risk_midway([(8.0, 0.9), (16.0, 0.7), (24.0, 0.4)])
    0.9
    """
    end = samples_to_half(path)
    return math.nan if math.isnan(end) else next((risk for taken, risk in path[::-1] if 2 * taken <= end), 1.0)


def median_time(times: np.ndarray) -> float:
    """Return the median of times of which NaN is later than all others; NaN where it is not reached.

    Args:
        times: at least one.

    Chapter: symmetry_barrier.

    >>> median_time(np.array([3.0, np.nan, 1.0])), median_time(np.array([3.0, np.nan]))
    (3.0, nan)
    """
    middle = float(np.median(np.nan_to_num(times, nan=np.inf)))
    return middle if math.isfinite(middle) else math.nan


def risk_on(start: SharedNetwork, targets: Sequence[OrbitParity], generator: torch.Generator) -> Risk:
    """Return a function of a network: its mean squared error, for labels that are the sum of targets.

    Where the network sees the sum of the coordinates alone this is exact, by one input for each sum and its chance.
    Otherwise it is the mean over fresh points, over the mean square of the labels there, times that of all inputs.

    Args:
        start: a network of the dtype and the device of those that are to be measured.
        targets: at least one, all of one dimension and different from each other.
        generator: source of the points, on the CPU.

    Chapter: symmetry_barrier.
    """
    like, d = start.network.W, targets[0].dim
    if start.sharing == "symmetric":
        minus = torch.arange(d + 1, device=like.device)
        X = 1 - 2 * (torch.arange(d, device=like.device) < minus[:, None]).to(like)
        chances = [math.comb(d, int(j)) / 2**d for j in range(d + 1)]
        weights = torch.tensor(chances, dtype=like.dtype, device=like.device)
    else:
        X = hypercube(TEST_POINTS, d, generator, torch.float32).to(like)
        weights = torch.full((TEST_POINTS,), 1 / TEST_POINTS, dtype=like.dtype, device=like.device)
    y = sum(target(X) for target in targets)
    scale = len(targets) / float(weights @ y.square())
    return lambda network: scale * float(weights @ (network(X) - y).square())
