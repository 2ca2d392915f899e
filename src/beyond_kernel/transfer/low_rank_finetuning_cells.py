"""The experiments of low_rank_finetuning, each a pure function of one cell's parameters."""

import math
from collections.abc import Sequence

import numpy as np
import torch

from beyond_kernel.checks import list_of, one_of, real_number, whole_number
from beyond_kernel.random_streams import generator_for
from beyond_kernel.transfer.first_gradient import adapter, first_gradient, step_unit
from beyond_kernel.transfer.fitted_update import fit_update, linear_update
from beyond_kernel.transfer.low_rank_finetuning import (
    BLOCK,
    Run,
    median_samples,
    rank_one_risk,
    samples_needed,
    start_vectors,
    train_all_rows,
    train_rank_one,
)
from beyond_kernel.transfer.rank_one_task import HEADS, RankOneTask, rank_one_task

STARTS = ("base", "scratch")
"""Where a student starts all of whose rows move, at the base or at random rows of the same length."""
READINGS = ("tangent, unit rows", "no tangent", "rescaled rows")
"""How the first gradient is taken."""


def rank_one_cell(
    link: str,
    d: int,
    neurons: int,
    size: float,
    noise: float,
    steps: Sequence[float],
    level: float,
    budget_ratio: float,
    replicas: int,
    *,
    angle: float = 0.0,
    coherence: float = 0.0,
    heads: str = HEADS[0],
    rescaled: bool = True,
    gradient_ratio: float = 0.0,
    points: int = 16,
    device: str = "cpu",
    seed: int,
) -> dict[str, np.ndarray | float]:
    """Train rank-one updates by online SGD at several step sizes, from a random vector or the first gradient's.

    Args:
        link: of teacher and student, a polynomial in z1.
        d: dimension.
        neurons: k.
        size: s, of the update.
        noise: of the labels, in deviations of the teacher.
        steps: step sizes in units of ``step_unit`` / d.
        level: risk to be reached.
        budget_ratio: most samples in units of d.
        replicas: students at each step size, each with samples of its own.
        angle: of the student's base out of the teacher's, in degrees.
        coherence: inner product of two rows of the base.
        heads: signs of the second layer, one of ``HEADS``.
        rescaled: whether rows of the teacher get length one.
        gradient_ratio: samples in units of d of which the first full gradient is taken; 0 for a random start.
        points: numbers of samples at which the risk is kept, evenly spaced up to the budget.
        device: where starts and results lie; the chain runs on the processor.
        seed: of everything drawn.

    Returns:
        By step size ``needed``, median samples to the level, those of the gradient counted, inf where most do not get
        there; ``found``, the share that does; ``final``, the median risk where training stopped; ``curve`` (points +
        1, step sizes), median risks at 0, 1, ..., points parts of the budget, the last one kept after a stop; and
        ``start``, the median of <v, v*> before the first step.

    Chapter: low_rank_finetuning.
    """
    task = rank_one_task(link, d, neurons, size, angle=angle, coherence=coherence, heads=heads, rescaled=rescaled)
    rates, budget = _plan(task, noise, steps, budget_ratio, replicas, device)
    generator = generator_for(seed, "rank one", d)
    spent = round(real_number("gradient_ratio", gradient_ratio, least=0) * d)
    if spent:
        state = torch.stack([_from_gradient(task, spent, noise, generator) for _ in range(len(rates))], 1)
    else:
        state = start_vectors(task, len(rates), generator)
    run = train_rank_one(task, state.to(device), rates, budget, generator, noise=noise, level=level)
    found = _summary(run, level, budget, len(steps), whole_number("points", points))
    return found | {"needed": found["needed"] + spent, "start": float(state[-1].median())}


def all_rows_cell(
    link: str,
    d: int,
    neurons: int,
    size: float,
    noise: float,
    start: str,
    steps: Sequence[float],
    level: float,
    budget_ratio: float,
    replicas: int,
    *,
    points: int = 16,
    device: str = "cpu",
    seed: int,
) -> dict[str, np.ndarray | float]:
    """Train students all of whose rows move by online SGD, from the base or from scratch.

    Args:
        link, d, neurons, size, noise, steps, level, budget_ratio, replicas: as for ``rank_one_cell``.
        start: one of ``STARTS``.
        points: as for ``rank_one_cell``.
        device: where starts and results lie.
        seed: of everything drawn.

    Returns:
        ``needed``, ``found``, ``final`` and ``curve`` as from ``rank_one_cell``.

    Chapter: low_rank_finetuning.
    """
    task = rank_one_task(link, d, neurons, size)
    rates, budget = _plan(task, noise, steps, budget_ratio, replicas, device)
    generator = generator_for(seed, one_of("start", start, STARTS), d)
    shape = (len(rates), neurons, d)
    if start == STARTS[0]:
        rows = torch.zeros(shape, dtype=torch.float64, device="cpu")
        rows[..., : task.coordinates] = task.unit_base
    else:
        rows = torch.randn(shape, generator=generator, dtype=torch.float64, device="cpu")
    run = train_all_rows(task, rows.to(device), rates, budget, generator, noise=noise, level=level)
    return _summary(run, level, budget, len(steps), whole_number("points", points))


def adapter_cell(
    link: str,
    d: int,
    neurons: int,
    size: float,
    noise: float,
    ratios: Sequence[float],
    *,
    reading: str = READINGS[0],
    device: str = "cpu",
    seed: int,
) -> dict[str, np.ndarray | float]:
    """Read a rank-one adapter off the first full gradient of the base.

    Args:
        link, d, neurons, size, noise: as for ``rank_one_cell``.
        ratios: samples in units of d, ascending; smaller samples are parts of larger ones.
        reading: one of ``READINGS``.
        device: where everything lies.
        seed: of everything drawn.

    Returns:
        By sample size ``overlap``, |<v^, v*>| of the right singular vector; ``left``, of the left one with the
        constant vector; ``share``, the first singular value squared over the sum of all; and ``random``, what a
        random vector has on average.

    Chapter: low_rank_finetuning.
    """
    task = rank_one_task(link, d, neurons, size)
    one_of("reading", reading, READINGS)
    sizes = [round(ratio * d) for ratio in list_of("ratios", ratios, lambda *item: real_number(*item, above=0))]
    X, y = _labelled(task, max(sizes), noise, generator_for(seed, "adapter", d), device)
    options = {"tangent": reading != READINGS[1], "unit_rows": reading != READINGS[2]}
    rows = []
    for n in sizes:
        gradient = first_gradient(task, X[:n], y[:n], **options)
        left, right = adapter(gradient)
        values = torch.linalg.svdvals(gradient).square()
        share = float(values[0] / values.sum())
        rows.append([float(right[task.coordinates - 1].abs()), float(left.sum()) / neurons**0.5, share])
    overlap, left, share = np.array(rows).T
    return {"overlap": overlap, "left": left, "share": share, "random": math.sqrt(2 / (math.pi * d))}


def fitted_update_cell(
    link: str,
    d: int,
    neurons: int,
    size: float,
    noise: float,
    ratios: Sequence[float],
    *,
    device: str = "cpu",
    seed: int,
) -> dict[str, np.ndarray]:
    """Fit the update by least squares to a sample of which every label is used as often as wanted.

    Args:
        link, d, neurons, size, noise: as for ``rank_one_cell``.
        ratios: samples in units of d; smaller samples are parts of larger ones.
        device: where everything lies.
        seed: of everything drawn.

    Returns:
        By sample size ``linear``, the risk of the update that ridge regression finds around the base, and ``risk``,
        the one of the fit that starts there; both exact.

    Chapter: low_rank_finetuning.
    """
    task = rank_one_task(link, d, neurons, size)
    sizes = [round(ratio * d) for ratio in list_of("ratios", ratios, lambda *item: real_number(*item, above=0))]
    X, y = _labelled(task, max(sizes), noise, generator_for(seed, "fitted update", d), device)
    starts = [linear_update(task, X[:n], y[:n]) for n in sizes]
    fits = [fit_update(task, X[:n], y[:n], start) for n, start in zip(sizes, starts, strict=True)]
    risks = [rank_one_risk(task, torch.stack(vs, 1)[: task.coordinates]).cpu().numpy() for vs in (starts, fits)]
    return dict(zip(("linear", "risk"), risks, strict=True))


def _plan(
    task: RankOneTask, noise: float, steps: Sequence[float], budget_ratio: float, replicas: int, device: str
) -> tuple[torch.Tensor, int]:
    """Return the step size of each student, step sizes side by side within a replica, and the most samples."""
    factors = torch.as_tensor(_factors(steps), dtype=torch.float64, device=device)
    rates = factors.repeat(whole_number("replicas", replicas)) * (step_unit(task, noise) / task.dim)
    return rates, math.ceil(real_number("budget_ratio", budget_ratio, above=0) * task.dim)


def _factors(steps: Sequence[float]) -> list[float]:
    return list_of("steps", steps, lambda *item: real_number(*item, above=0))


def _summary(run: Run, level: float, budget: int, sizes: int, points: int) -> dict[str, np.ndarray]:
    times = samples_needed(run.risks, level)
    times = torch.where(times <= budget, times, torch.full_like(times, math.inf)).reshape(-1, sizes)
    at = [min(round(part * budget / points / BLOCK), len(run.risks) - 1) for part in range(points + 1)]
    risks = run.risks.reshape(len(run.risks), -1, sizes).median(1).values.cpu().numpy()
    found = times.isfinite().double().mean(0).cpu().numpy()
    return {"needed": median_samples(times), "found": found, "final": risks[-1], "curve": risks[at]}


def _labelled(
    task: RankOneTask, n: int, noise: float, generator: torch.Generator, device: str
) -> tuple[torch.Tensor, torch.Tensor]:
    X = torch.randn(n, task.dim, generator=generator, dtype=torch.float64, device="cpu").to(device)
    errors = torch.randn(n, generator=generator, dtype=torch.float64, device="cpu").to(device)
    return X, task(X) + noise * task.variance**0.5 * errors


def _from_gradient(task: RankOneTask, n: int, noise: float, generator: torch.Generator) -> torch.Tensor:
    X, y = _labelled(task, n, noise, generator, "cpu")
    return adapter(first_gradient(task, X, y))[1][: task.coordinates]
