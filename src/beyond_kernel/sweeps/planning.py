"""What a grid will cost, before it is run: a cost function, scaled by a few timed cells."""

import math
import sys
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import nnls

from beyond_kernel.checks import BadParameter, real_number, whole_number
from beyond_kernel.sweeps.grids import Grid, make_grid, text_of
from beyond_kernel.sweeps.local import run_local
from beyond_kernel.sweeps.results import DONE, NAN
from beyond_kernel.sweeps.sweeping import fingerprint_of
from beyond_kernel.sweeps.worker import Job, pickled


@dataclass(frozen=True)
class Plan:
    """Predicted CPU time of a grid: seconds = start + rate * cost, fitted to a few timed cells.

    Attributes:
        cells: number of cells.
        cpu_hours: predicted sum over all cells.
        low: the same with the smallest ratio of measured to fitted time among the timed cells.
        high: the same with the largest.
        longest: predicted CPU hours of the dearest cell; no number of workers ends the grid sooner.
        start: seconds of a cell that costs nothing.
        rate: seconds for each unit of cost.
        reach: cost of the dearest cell over that of the dearest timed one: how far the prediction is carried.
        timed: parameters, cost and CPU seconds of the timed cells.
    """

    cells: int
    cpu_hours: float
    low: float
    high: float
    longest: float
    start: float
    rate: float
    reach: float
    timed: tuple[tuple[dict[str, Any], float, float], ...]

    def hours(self, workers: int) -> float:
        """Return the predicted hours on the clock on a number of workers that are never idle before the last cells."""
        return max(self.cpu_hours / whole_number("workers", workers), self.longest)

    def __str__(self) -> str:
        return (
            f"{self.cells} cells, {self.cpu_hours:.3g} CPU hours ({self.low:.3g} to {self.high:.3g});\n"
            f"the dearest cell {self.longest:.3g} hours; from {len(self.timed)} timed cells, carried {self.reach:.3g} "
            "times beyond them"
        )


def plan(
    function: Callable[..., Mapping[str, Any]],
    grid: Mapping[str, Collection],
    cost: Callable[..., float],
    *,
    timed: Mapping[str, Collection] | None = None,
    samples: int = 6,
    budget: float = 30.0,
    **fixed: Any,
) -> Plan:
    """Predict the CPU time of a grid from a cost function and a few timed cells, without running the grid.

    Args:
        function: as in ``sweep``.
        grid: as in ``sweep``.
        cost: takes a cell's parameters and returns a number to which its CPU time is proportional, such as ``n**3``, up
            to a constant that all cells share.
        timed: a smaller grid from which the timed cells are taken; without it they are taken from ``grid``.
        samples: number of timed cells, at costs as evenly spaced on a logarithmic scale as the grid allows.
        budget: seconds after which no further cell is timed; they are timed from the cheapest on.
        fixed: as in ``sweep``.

    Raises:
        BadParameter: if an argument is bad, a cost is not a positive number, or a timed cell fails.
        WorkerError: as in ``sweep``.
    """
    whole_number("samples", samples, least=2)
    real_number("budget", budget, above=0)
    wanted = make_grid(grid, fixed)
    costs = _costs(wanted, cost)
    smaller = make_grid(timed, fixed) if timed is not None else wanted
    taken = _spread(_costs(smaller, cost) if timed is not None else costs, samples)
    found = _time(function, smaller, [taken[0], *taken], budget)[1:]  # the first one also pays for what is loaded late
    known = np.array([cost(**smaller.cell(index)) for index, _ in found], dtype=float)
    seconds = np.array([spent for _, spent in found])
    columns = np.stack([np.ones_like(known), known], 1) if len(set(known)) > 1 else np.stack([0 * known, known], 1)
    (start, rate), _ = nnls(
        columns / seconds[:, None], np.ones_like(seconds)
    )  # every cell counts by its relative error
    fitted = start + rate * costs
    ratios = seconds / (start + rate * known)
    total = fitted.sum() / 3600
    rows = tuple((smaller.place(index), float(c), spent) for (index, spent), c in zip(found, known, strict=True))
    return Plan(
        len(wanted), total, total * ratios.min(), total * ratios.max(), fitted.max() / 3600, start, rate,
        costs.max() / known.max(), rows,
    )  # fmt: skip


def _costs(grid: Grid, cost: Callable[..., float]) -> np.ndarray:
    found = np.array([cost(**grid.cell(index)) for index in range(len(grid))], dtype=float)
    if not (np.isfinite(found) & (found > 0)).all():
        bad = int(np.flatnonzero(~(np.isfinite(found) & (found > 0)))[0])
        raise BadParameter(f"cost gives {found[bad]} at {grid.place(bad)}: it must be a positive number.")
    return found


def _spread(costs: np.ndarray, samples: int) -> list[int]:
    """Return indices of cells with costs spread evenly on a logarithmic scale, ascending, none twice."""
    wanted = np.geomspace(costs.min(), costs.max(), samples)
    nearest = [int(np.abs(np.log(costs / value)).argmin()) for value in wanted]
    return list(dict.fromkeys(nearest))


def _time(function: Callable, grid: Grid, indices: list[int], budget: float) -> list[tuple[int, float]]:
    """Return index and CPU seconds of cells run one after the other, at least three of them."""
    job = Job(pickled(function), fingerprint_of(function), path=tuple(sys.path))
    found: list[tuple[int, float]] = []
    spent = 0.0
    for index in indices:
        parameters = grid.cell(index)
        for _, _, outcome in run_local(job, [(index, text_of(parameters), parameters)], 1):
            if outcome.status not in (DONE, NAN):
                last = outcome.error.strip().splitlines()[-1]
                raise BadParameter(f"a timed cell failed at {grid.place(index)}: {outcome.status}: {last}")
            found.append((index, max(outcome.cpu, 1e-6)))
            spent += outcome.wall
        if spent > budget and len(found) > 2 or not math.isfinite(spent):
            break
    return found
