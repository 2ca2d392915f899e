"""The experiments on staircases, each a pure function of one cell's parameters: paths, times, hidden progress."""

from collections.abc import Callable, Sequence

import numpy as np
import torch

from beyond_kernel.checks import BadParameter, real_number, whole_number
from beyond_kernel.feature_learning.network_progress import (
    displacement_ratio,
    hermite_coefficients,
    monomial_values,
    support_points,
    target_coefficients,
)
from beyond_kernel.feature_learning.network_sgd import mean_field_start, network_sgd
from beyond_kernel.feature_learning.staircases import MOST_MONOMIALS, climbing_stages, cube_monomials
from beyond_kernel.foundations.inputs.laws import hypercube
from beyond_kernel.foundations.inputs.targets_and_inputs import on_axes
from beyond_kernel.foundations.learning.networks import TwoLayerNetwork
from beyond_kernel.foundations.learning.tasks import Task
from beyond_kernel.foundations.targets.target import parse_target
from beyond_kernel.random_streams import generator_for

BATCH = 32
"""Samples of a step in all experiments of the chapter."""
RESTS = 64
"""Settings of the coordinates outside the support over which a coefficient is averaged."""
LOOK_STEPS, LOOK_SHARE = 5, 0.02
"""Half heights are looked for after so many steps, or this share of those taken, whichever is more."""
TEST_POINTS = 2000
"""Points on which the accuracy on a parity is measured."""

Coefficients = Callable[[TwoLayerNetwork], torch.Tensor]


def learning_rate(rate_scale: float, rate_power: float, d: int) -> float:
    """Return the step size rate_scale / d^rate_power.

    Args:
        rate_scale: above 0.
        rate_power: at least 0.
        d: input dimension.

    Raises:
        BadParameter: if an argument is out of range.

    Chapter: staircases.

    >>> learning_rate(4.0, 1.5, 16)
    0.0625
    """
    power = real_number("rate_power", rate_power, least=0)
    return real_number("rate_scale", rate_scale, above=0) / whole_number("d", d) ** power


def staircase_path_cell(
    target: str,
    d: int,
    width: int,
    rate_scale: float,
    rate_power: float,
    steps: int,
    every: int,
    *,
    device: str = "cpu",
    seed: int,
) -> dict[str, np.ndarray]:
    """Train one network on the hypercube by online SGD and record how far each monomial has climbed.

    Args:
        target: a polynomial; its variables are the first coordinates.
        d: input dimension, at least the number of its highest variable.
        width: m, even.
        rate_scale, rate_power: the step size is rate_scale / d^rate_power.
        steps: number of steps.
        every: steps between two records.
        device: where coefficients are measured; the steps themselves run on the CPU.
        seed: of everything drawn.

    Returns:
        ``coefficients``: of each monomial of ``cube_monomials`` over its coefficient in the target, at 0, every,
        2 every, ... steps, of shape (records, k); ``last``: those of the last monomial.

    Raises:
        BadParameter: if a parameter is out of range.

    Chapter: staircases.
    """
    measured, records = _on_the_cube(target, d, seed, device), []
    network, samples = _start(width, d, seed, device), generator_for(seed, "samples", d)
    records.append(measured(network))
    network_sgd(
        network, on_axes(target, d), learning_rate(rate_scale, rate_power, d), BATCH, steps, samples,
        every=every, observe=lambda taken, now: records.append(measured(now)) or False,
    )  # fmt: skip
    path = torch.stack(records).cpu().numpy()
    return {"coefficients": path, "last": path[:, -1]}


def staircase_times_cell(
    target: str, d: int, width: int, rate_scale: float, rate_power: float, steps: int, *, device: str = "cpu", seed: int
) -> dict[str, np.ndarray | float]:
    """Train one network on the hypercube until each monomial has reached half of its height.

    Args:
        target, d, width, rate_scale, rate_power, device, seed: as in ``staircase_path_cell``.
        steps: number of steps after which training ends in any case.

    Returns:
        ``half``: steps to half of the height by monomial of ``cube_monomials``, of shape (8,), NaN where it was not
        reached and beyond the last monomial; ``last``: the largest of them, NaN if one was not reached; ``in_order``: 1
        if every monomial came after all those of earlier stages, else 0.

    Raises:
        BadParameter: if a parameter is out of range.

    Chapter: staircases.
    """
    supports = list(cube_monomials(target, d))
    half = _times(
        _start(width, d, seed, device), on_axes(target, d), learning_rate(rate_scale, rate_power, d), steps,
        _on_the_cube(target, d, seed, device), len(supports), seed, "hypercube",
    )  # fmt: skip
    padded = np.full(MOST_MONOMIALS, np.nan)
    padded[: len(half)] = half
    return {"half": padded, "last": float(half.max()), "in_order": float(in_order(half, climbing_stages(supports)))}


def in_order(half: np.ndarray, stages: Sequence[int]) -> bool:
    """Return whether every monomial reached half of its height strictly after all those of earlier stages.

    Args:
        half: steps by monomial; NaN, never, counts as after everything else.
        stages: stage of each.

    Raises:
        BadParameter: if the lengths differ.

    >>> in_order(np.array([10, 30, 20.0]), [1, 2, 2]), in_order(np.array([10, 10.0]), [1, 2])
    (True, False)
    """
    if len(half) != len(stages):
        raise BadParameter(f"half has {len(half)} entries and stages {len(stages)}: give one each.")
    times = np.nan_to_num(half, nan=np.inf)
    ranks = np.array(stages)
    if not np.isfinite(times[ranks < ranks.max()]).all():
        return False
    return all(times[ranks < stage].max() < times[ranks == stage].min() for stage in set(stages) - {min(stages)})


def gaussian_times_cell(
    target: str,
    orders: Sequence[Sequence[int]],
    angle: float,
    d: int,
    width: int,
    rate_scale: float,
    rate_power: float,
    steps: int,
    *,
    turned: bool = False,
    device: str = "cpu",
    seed: int,
) -> dict[str, np.ndarray]:
    """Train one network on Gaussian inputs until given Hermite coefficients have reached half of their height.

    Args:
        target: a polynomial; its variables are the first coordinates, or drawn directions where ``turned``.
        orders: for each coefficient its degrees in u_1, u_2, ...
        angle: u_1 and u_2 are z_1 and z_2 turned by so many degrees in their plane; the other u are the other z.
        d: input dimension.
        width: m, even.
        rate_scale, rate_power: the step size is rate_scale / d^rate_power.
        steps: number of steps after which training ends in any case.
        turned: whether the axes are turned: z_i along drawn orthonormal directions in place of coordinates.
        device: where coefficients are measured.
        seed: of everything drawn.

    Returns:
        ``half``: steps until each coefficient is half of that of the target, NaN where it was not reached.

    Raises:
        BadParameter: if a parameter is out of range, or the target has a coefficient of zero among the orders.

    Chapter: staircases.
    """
    truth = parse_target(target, d, seed) if turned else on_axes(target, d)
    frame = _turned(truth.frame, angle)
    heights = target_coefficients(truth, orders, frame)
    half = _times(
        _start(width, d, seed, device), truth, learning_rate(rate_scale, rate_power, d), steps,
        lambda network: hermite_coefficients(network, orders, frame).cpu() / heights, len(orders), seed, "gaussian",
    )  # fmt: skip
    return {"half": half}


def parity_cell(
    degree: int,
    d: int,
    width: int,
    rate_scale: float,
    rate_power: float,
    steps: int,
    every: int,
    *,
    device: str = "cpu",
    seed: int,
) -> dict[str, np.ndarray]:
    """Train one network on the parity z1 ... zk and record what shows and what does not.

    Args:
        degree: k, at least 2.
        d: input dimension, above k.
        width, rate_scale, rate_power, steps, every, device, seed: as in ``staircase_path_cell``.

    Returns:
        After each ``every`` steps, of shape (steps // every,): ``accuracy`` of the sign of f on 2,000 fresh points;
        ``coefficient`` of the parity in f; ``moved``: ``displacement_ratio`` of the coordinates of the parity.

    Raises:
        BadParameter: if a parameter is out of range.

    Chapter: staircases.
    """
    whole_number("degree", degree, least=2, most=min(6, d - 1))
    support = tuple(range(1, degree + 1))
    text = "*".join(f"z{i}" for i in support)
    start, measured = _start(width, d, seed, device), _on_the_cube(text, d, seed, device)
    fresh = hypercube(TEST_POINTS, d, generator_for(seed, "fresh", d), torch.float32).to(device)
    truth = monomial_values(fresh, [support])[:, 0]
    rows: list[tuple[float, float, float]] = []

    def record(taken: int, now: TwoLayerNetwork) -> bool:
        accuracy = float((now(fresh) * truth > 0).double().mean())
        rows.append((accuracy, float(measured(now)[0]), displacement_ratio(start, now, support)))
        return False

    rate, samples = learning_rate(rate_scale, rate_power, d), generator_for(seed, "samples", d)
    network_sgd(start, on_axes(text, d), rate, BATCH, steps, samples, every=every, observe=record)
    return dict(zip(("accuracy", "coefficient", "moved"), np.array(rows).T, strict=True))


def _start(width: int, d: int, seed: int, device: str) -> TwoLayerNetwork:
    return mean_field_start(width, d, generator_for(seed, "network", width, d), torch.float32, device)


def _on_the_cube(target: str, d: int, seed: int, device: str) -> Coefficients:
    """Return a function of a network: its coefficients by monomial over those of the target."""
    monomials = cube_monomials(target, d)
    q = max(max(support) for support in monomials)
    points = support_points(q, d, RESTS, generator_for(seed, "rests", d), torch.float32).to(device)
    values = monomial_values(points, list(monomials))
    heights = torch.tensor(list(monomials.values()), dtype=points.dtype, device=points.device)
    return lambda network: (values.T @ network(points)) / (len(points) * heights)


def _times(
    network: TwoLayerNetwork,
    task: Task,
    rate: float,
    steps: int,
    measured: Coefficients,
    k: int,
    seed: int,
    law: str,
) -> np.ndarray:
    """Return the steps until each of k coefficients has reached one half, NaN where it has not.

    It looks every five steps, and from step 250 on after each two per cent of the steps so far.
    """
    half = np.full(k, np.nan)

    def reached(taken: int, now: TwoLayerNetwork) -> bool:
        there = measured(now).cpu().numpy() >= 0.5
        half[np.isnan(half) & there] = taken
        return not np.isnan(half).any()

    samples = generator_for(seed, "samples", task.dim)
    looks = {"every": LOOK_STEPS, "share": LOOK_SHARE, "observe": reached}
    network_sgd(network, task, rate, BATCH, steps, samples, law=law, **looks)
    return half


def _turned(frame: torch.Tensor, angle: float) -> torch.Tensor:
    """Return the frame with its first two columns turned in their plane by so many degrees."""
    if frame.shape[1] < 2:
        return frame
    radians = np.deg2rad(real_number("angle", angle))
    cos, sin = float(np.cos(radians)), float(np.sin(radians))
    first, second = frame[:, :1], frame[:, 1:2]
    return torch.cat([cos * first + sin * second, sin * first - cos * second, frame[:, 2:]], dim=1)
