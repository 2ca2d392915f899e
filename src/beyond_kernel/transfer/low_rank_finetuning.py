"""A rank-one update of a pre-trained base, found by online SGD, against full training of the same network.

The student of low rank has the rows shrink (w_i + s v): it knows the base, s and the head, and moves one unit vector v
by spherical SGD on the squared loss, a fresh sample a step. Its gradient is a multiple of x, so that all that matters
of v are its coordinates on the base and on v*: a Markov chain of few numbers, equal in law to the simulation in d
dimensions, at a cost that does not depend on d.

Inner loops run on small numpy arrays, where numpy is faster than torch: chance is drawn by the generator in blocks, the
loop runs on the processor in double precision, and results are tensors with dtype and device of the starts.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch

from beyond_kernel.checks import BadParameter, floating, real_number, vector, whole_number
from beyond_kernel.transfer.rank_one_task import RankOneTask, network_risk

BLOCK = 64
"""Steps whose random numbers are drawn at once, and after which the risk is looked at."""
Step = Callable[[np.ndarray, int], np.ndarray]
"""From the weights and the row of a block to the weights after that sample."""


class Run(NamedTuple):
    """What became of some students that were trained side by side.

    Attributes:
        risks: after 0, ``BLOCK``, 2 ``BLOCK``, ... samples, shape (T, R).
        weights: those at the end, in the form of those at the start.
    """

    risks: torch.Tensor
    weights: torch.Tensor


def start_vectors(task: RankOneTask, replicas: int, generator: torch.Generator) -> torch.Tensor:
    """Draw the coordinates that matter of uniform unit vectors v; their sign is left to chance.

    Args:
        task: teacher and base.
        replicas: R.
        generator: source of the vectors, on the processor.

    Returns:
        float64 tensor of shape (coordinates, R).

    Raises:
        BadParameter: if replicas is not a whole number of at least 1.

    Chapter: low_rank_finetuning.
    """
    shape = (task.coordinates, whole_number("replicas", replicas))
    z = torch.randn(shape, generator=generator, dtype=torch.float64, device="cpu")
    rest = torch.as_tensor(_chi_square(task.dim - task.coordinates, (replicas,), generator), device="cpu")
    return z / (z.square().sum(0) + rest).sqrt()


def rank_one_risk(task: RankOneTask, state: torch.Tensor) -> torch.Tensor:
    """Return the risk of rank-one students exactly; what v has beside the given coordinates follows from its length.

    Args:
        task: teacher and base.
        state: coordinates of v, shape (coordinates, R).

    Returns:
        Tensor of shape (R,), dtype and device of state.

    Raises:
        BadParameter: if the shape of state does not fit.
        TypeError: if state is no floating-point tensor.

    Source: derived here. Chapter: low_rank_finetuning.
    """
    _check_state(task, state)
    rest = (1 - state.square().sum(0)).clamp(min=0).sqrt()
    v = torch.cat([state, rest[None]]).T[:, None]
    base = torch.nn.functional.pad(task.unit_base.to(state), (0, 1))
    return network_risk(task, task.shrink * (base + task.size * v))


def train_rank_one(
    task: RankOneTask,
    state: torch.Tensor,
    rates: torch.Tensor,
    steps: int,
    generator: torch.Generator,
    *,
    noise: float = 0.0,
    level: float = 0.0,
) -> Run:
    """Train rank-one students by spherical SGD, each on samples of its own, by their exact chain.

    With z = <v, x> and c the step size times the error times the slope of the student in z, v becomes
    v + c (x - z v), shortened by sqrt(1 + c^2 (|x|^2 - z^2)).

    Args:
        task: teacher and base.
        state: coordinates of v at the start, shape (coordinates, R).
        rates: step size of each student, shape (R,), above 0.
        steps: the most samples; rounded up to a whole number of blocks.
        generator: source of the samples, on the processor.
        noise: standard deviation of Gaussian noise on the label, in units of that of the teacher.
        level: training stops when all have been at this risk or below; 0 for no stop.

    Raises:
        BadParameter: if an argument is out of range, or a state becomes NaN.
        TypeError: if state or rates is no floating-point tensor.

    Source: derived here. Chapter: low_rank_finetuning.
    """
    _check_state(task, state)
    eta = _rates(rates, state.shape[1])
    link, head, teacher, base = _arrays(task)
    slope, deviation = task.shrink * task.size, _deviation(task, noise)

    def block() -> Step:
        x = _normal((BLOCK, task.coordinates, len(eta)), generator)
        g = _normal((BLOCK, len(eta)), generator)
        squares = (x * x).sum(1) + g * g + _chi_square(task.dim - task.coordinates - 1, g.shape, generator)
        y = np.einsum("i,bir->br", head, link.values(teacher @ x)) + deviation * _normal(g.shape, generator)
        given = (task.shrink * base) @ x

        def step(v: np.ndarray, row: int) -> np.ndarray:
            z = (v * x[row]).sum(0) + np.sqrt(np.maximum(1 - (v * v).sum(0), 0)) * g[row]
            inner = given[row] + slope * z
            c = eta * slope * (y[row] - head @ link.values(inner)) * (head @ link.slopes(inner))
            return (v * (1 - c * z) + c * x[row]) / np.hypot(1, c * np.sqrt(np.maximum(squares[row] - z * z, 0)))

        return step

    return _train(state, block, lambda given: rank_one_risk(task, given), steps, level)


def train_all_rows(
    task: RankOneTask,
    rows: torch.Tensor,
    rates: torch.Tensor,
    steps: int,
    generator: torch.Generator,
    *,
    noise: float = 0.0,
    level: float = 0.0,
) -> Run:
    """Train students all of whose rows move on spheres of the length of the teacher's rows, in d dimensions.

    Args:
        task: the teacher, whose coordinates are the first of d.
        rows: at the start, shape (R, k, d); only their directions count.
        rates, steps, generator, noise, level: as for ``train_rank_one``.

    Raises:
        BadParameter: if an argument is out of range, or a row becomes NaN.
        TypeError: if rows or rates is no floating-point tensor.

    Chapter: low_rank_finetuning.
    """
    floating("rows", rows)
    if rows.ndim != 3 or rows.shape[1:] != (task.neurons, task.dim):
        raise BadParameter(f"rows has shape {tuple(rows.shape)}: it must have shape (R, {task.neurons}, {task.dim}).")
    eta = _rates(rates, len(rows))
    link, head, teacher, _ = _arrays(task)
    length, deviation = float(np.linalg.norm(teacher[0])), _deviation(task, noise)

    def block() -> Step:
        x = _normal((BLOCK, len(eta), task.dim), generator)
        labels = link.values(x[..., : task.coordinates] @ teacher.T) @ head
        labels = labels + deviation * _normal(labels.shape, generator)

        def step(given: np.ndarray, row: int) -> np.ndarray:
            z = (given @ x[row][:, :, None])[..., 0]
            c = (eta * (labels[row] - link.values(z) @ head))[:, None] * head * link.slopes(z)
            moved = given * (1 - c * z / length**2)[..., None] + c[..., None] * x[row][:, None]
            return moved * (length / np.sqrt(np.einsum("rkd,rkd->rk", moved, moved)))[..., None]

        return step

    start = rows * (length / rows.norm(dim=-1, keepdim=True).clamp(min=1e-300))
    return _train(start, block, lambda given: network_risk(task, given), steps, level)


def samples_needed(risks: torch.Tensor, level: float) -> torch.Tensor:
    """Return the number of samples after which each student has a risk of at most level for the first time.

    Args:
        risks: after 0, ``BLOCK``, 2 ``BLOCK``, ... samples, shape (T, R).
        level: above 0.

    Returns:
        Tensor of shape (R,), on the straight line between two looks at the risk, inf where the level is not reached;
        dtype and device of risks.

    Raises:
        BadParameter: if risks is no matrix or level is not above 0.
        TypeError: if risks is no floating-point tensor.

    Chapter: low_rank_finetuning.
    """
    floating("risks", risks)
    if risks.ndim != 2 or not len(risks):
        raise BadParameter(f"risks has shape {tuple(risks.shape)}: it must have shape (T, R), non-empty.")
    reached = risks <= real_number("level", level, above=0)
    first = reached.to(torch.int64).argmax(0)
    after = risks.gather(0, first[None])[0]
    before = risks.gather(0, (first - 1).clamp(min=0)[None])[0]
    part = torch.where(first > 0, (before - level) / (before - after).clamp(min=1e-300), torch.ones_like(after))
    times = BLOCK * torch.where(first > 0, first - 1 + part, torch.zeros_like(after))
    return torch.where(reached.any(0), times, torch.full_like(times, math.inf))


def median_samples(times: torch.Tensor) -> np.ndarray:
    """Return the median over replicas for each step size, of an even number the larger of the two in the middle.

    Args:
        times: samples to a level, inf where it was not reached, shape (replicas, step sizes).

    Raises:
        TypeError: if times is no floating-point tensor.
        BadParameter: if times is no matrix.

    Chapter: low_rank_finetuning.
    """
    floating("times", times)
    if times.ndim != 2 or not len(times):
        raise BadParameter(f"times has shape {tuple(times.shape)}: it must have shape (R, step sizes), non-empty.")
    return times.sort(0).values[len(times) // 2].cpu().numpy()


def _train(
    start: torch.Tensor,
    block: Callable[[], Step],
    risk: Callable[[torch.Tensor], torch.Tensor],
    steps: int,
    level: float,
) -> Run:
    blocks = math.ceil(whole_number("steps", steps) / BLOCK)
    stop = real_number("level", level, least=0) or -1.0  # no risk is below 0
    weights = start.detach().cpu().double().numpy()
    risks = [risk(torch.as_tensor(weights, device="cpu"))]
    reached = risks[0] <= stop
    while len(risks) <= blocks and not bool(reached.all()):
        step = block()
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows is refused below
            for row in range(BLOCK):
                weights = step(weights, row)
        if not np.isfinite(weights).all():
            raise BadParameter("the weights are not finite any more: a step size is too large.")
        risks.append(risk(torch.as_tensor(weights, device="cpu")))
        reached |= risks[-1] <= stop
    return Run(torch.stack(risks).to(start), torch.as_tensor(weights, device="cpu").to(start))


def _arrays(task: RankOneTask):
    """Return link, head, rows of the teacher and unit rows of the base for an inner loop in numpy."""
    return task.link, task.head.numpy(), task.teacher.numpy(), task.unit_base.numpy()


def _deviation(task: RankOneTask, noise: float) -> float:
    return real_number("noise", noise, least=0) * math.sqrt(task.variance)


def _rates(rates: torch.Tensor, replicas: int) -> np.ndarray:
    if float(vector("rates", rates, replicas).min()) <= 0:
        raise BadParameter(f"rates holds {float(rates.min()):g}: a step size must be above 0.")
    return rates.detach().cpu().double().numpy()


def _check_state(task: RankOneTask, state: torch.Tensor) -> None:
    floating("state", state)
    if state.ndim != 2 or len(state) != task.coordinates:
        raise BadParameter(f"state has shape {tuple(state.shape)}: it must have shape ({task.coordinates}, R).")


def _normal(shape: tuple[int, ...], generator: torch.Generator) -> np.ndarray:
    return torch.randn(shape, generator=generator, dtype=torch.float64, device="cpu").numpy()


def _chi_square(freedom: int, shape: tuple[int, ...], generator: torch.Generator) -> np.ndarray:
    halves = torch.as_tensor(freedom / 2, dtype=torch.float64, device="cpu").expand(shape)
    return 2 * torch._standard_gamma(halves, generator=generator).numpy()
