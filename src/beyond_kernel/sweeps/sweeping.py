"""Grids of runs: a pure function of one cell's parameters over a grid, as a labelled dataset."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import xarray

from beyond_kernel.checks import BadParameter, one_of, real_number, whole_number
from beyond_kernel.sweeps.datasets import Gap, SweepFailed, assemble, versions
from beyond_kernel.sweeps.fingerprints import Fingerprint, fingerprint, name_of
from beyond_kernel.sweeps.grids import Grid, make_grid, text_of
from beyond_kernel.sweeps.local import Cell, run_local
from beyond_kernel.sweeps.progress import Progress
from beyond_kernel.sweeps.results import DONE, Outcome, unpack
from beyond_kernel.sweeps.store import Store, Version
from beyond_kernel.sweeps.worker import WORKERS, Job, pickled

STORE = "BEYOND_KERNEL_STORE"
NAMED = 10  # failures that a message lists


def sweep(
    function: Callable[..., Mapping[str, Any]], grid: Mapping[str, Collection], *, store: str | Path | None = None,
    client: Any = None, workers: int | None = None, cost: Callable[..., float] | None = None,
    time_limit: float | None = None, on_failure: str = "raise", retry_failed: bool = True,
    may_be_nan: Collection[str] = (), units: Mapping[str, str] | None = None, **fixed: Any,
) -> xarray.Dataset:  # fmt: skip
    """Run ``function`` on every cell of a grid, each in a process with one BLAS thread, and collect its named results.

    The function is pure: it takes the cell's parameters (the seed among them) and the fixed ones as keywords and
    returns numbers or small arrays by name, the same names and shapes for every cell. It may stand in a module, a
    script or a notebook. The same parameters give the same result, to the last bit on one machine, whatever the number
    of workers, in one run or in several, here or on a cluster.

    Args:
        function: called once a cell.
        grid: for each dimension its values, such as ``{"d": [10, 20], "seed": range(5)}``.
        store: an SQLite file that keeps each cell the moment it ends; what it holds is not run again. Without one, and
            without one named by the environment variable BEYOND_KERNEL_STORE, a temporary one.
        client: a ``dask.distributed.Client`` or a scheduler's address; without one, processes of this machine.
        workers: number of processes; 0 runs the cells in this process, for a debugger. Default: the environment
            variable BEYOND_KERNEL_WORKERS, or one a core.
        cost: takes a cell's parameters and returns its cost in any unit; the dearest cells begin first.
        time_limit: seconds on the clock after which a cell is ended and counts as failed.
        on_failure: "raise" to end with an error that lists the cells that failed, after all others have run; "gaps" to
            get the data with these cells as NaN and their names in the attribute ``sweep_gaps``.
        retry_failed: whether cells that failed in an earlier run are run again.
        may_be_nan: names of results in which NaN is no failure.
        units: by name of a result or a dimension, kept as its attribute.
        fixed: further keywords, the same for every cell (``device="cuda"``, say); kept as attributes.

    Returns:
        A dataset with one dimension per key of the grid; an array result adds dimensions of its own, named
        after the result ("risk_0", ...). Attributes name the function, its version and those of the libraries.

    Raises:
        BadParameter: if the grid or one of its dimensions is empty, a name is given twice, or an argument is bad.
        StoreError: if the store is damaged, is none, or cannot be written; what it held is safe.
        SweepFailed: if cells failed; the data with gaps is its ``dataset``.
        WorkerError: if worker processes cannot start or cannot load the function.

    Chapter: all with a grid; how to use it: book/sweeps.
    """
    cells = make_grid(grid, fixed)
    one_of("on_failure", on_failure, ("raise", "gaps"))
    count = number_of_workers(workers)
    _check_limit(time_limit, count if client is None else 1)
    mark = fingerprint_of(function)
    with contextlib.ExitStack() as stack:
        kept = stack.enter_context(_opened(store))
        connected = stack.enter_context(_connected(client))
        version = kept.version(mark.name, mark.code, versions())
        run = _Run(function, cells, mark, kept, version, may_be_nan, time_limit)
        run.run(count, connected, cost, retry_failed)
        dataset, gaps = assemble(cells, mark, lambda text: kept.get(version, text), may_be_nan, units or {})
        kept.touch(version)
    if gaps and on_failure == "raise":
        raise SweepFailed(_told(gaps, len(cells), store), dataset, gaps)
    return dataset


def _check_limit(time_limit: float | None, workers: int) -> None:
    if time_limit is not None:
        real_number("time_limit", time_limit, above=0)
        if workers == 0:
            raise BadParameter("time_limit needs worker processes: workers = 0 runs the cells in this process.")


def number_of_workers(workers: int | None = None) -> int:
    """Return the number of worker processes: as given, as the environment says, or one a core.

    Raises:
        BadParameter: if it is no whole number of at least 0.
    """
    if workers is None:
        told = os.environ.get(WORKERS, "")
        if not told:
            return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        workers = int(told) if told.isdigit() else told
    return whole_number("workers", workers, least=0)


def fingerprint_of(function: Callable) -> Fingerprint:
    """Return the fingerprint of a function.

    Raises:
        BadParameter: if it is no function.
    """
    try:
        return fingerprint(function)
    except TypeError as error:
        raise BadParameter(str(error)) from error


class _Run:
    """One call of ``sweep``: which cells are left, and where what they give goes."""

    def __init__(
        self, function: Callable, grid: Grid, mark: Fingerprint, store: Store, version: Version,
        may_be_nan: Collection[str], time_limit: float | None,
    ):  # fmt: skip
        self.function, self.grid, self.mark, self.store, self.version = function, grid, mark, store, version
        self.may_be_nan, self.time_limit = may_be_nan, time_limit

    def run(self, workers: int, client: Any, cost: Callable[..., float] | None, retry_failed: bool) -> None:
        """Run what is left."""
        fresh = not self.store.holds(self.version)
        left = [index for index in self._order(cost) if fresh or not self._settled(index, retry_failed)]
        if not left:
            return
        progress = Progress(self.function_name, len(self.grid), len(self.grid) - len(left))
        self._say_what_is_left_alone(progress)
        named = False
        try:
            for _, text, outcome in self._outcomes(map(self._named, left), workers, client, progress):
                if outcome is not None and (outcome.result is not None or outcome.error):  # no worker has written it
                    self.store.put(self.version, text, outcome)
                progress.step(outcome is not None and outcome.status != DONE)
                if not named and (outcome is None or outcome.status == DONE):
                    named = self._names_are_free(text)
        except KeyboardInterrupt:
            progress.say(f"Stopped: {progress.done} of {len(self.grid)} cells are done{self._where()}.")
            raise
        finally:
            progress.close()

    @property
    def function_name(self) -> str:
        """Name of the function as a bar shows it."""
        return name_of(self.function)

    def _names_are_free(self, text: str) -> bool:
        """Refuse results that bear the name of a dimension; looked at when the first cell is done."""
        taken = sorted(set(unpack(self.store.get(self.version, text).result)) & set(self.grid.axes))
        if taken:
            raise BadParameter(
                f"{self.function_name} returns {', '.join(taken)}, which is a dimension: name it otherwise."
            )
        return True

    def _order(self, cost: Callable[..., float] | None) -> Iterator[int]:
        if cost is None:
            return iter(range(len(self.grid)))
        costs = [cost(**self.grid.cell(index)) for index in range(len(self.grid))]
        return iter(sorted(range(len(self.grid)), key=lambda index: -costs[index]))

    def _settled(self, index: int, retry_failed: bool) -> bool:
        outcome = self.store.get(self.version, text_of(self.grid.cell(index)))
        return outcome is not None and (outcome.status == DONE or not retry_failed)

    def _named(self, index: int) -> Cell:
        parameters = self.grid.cell(index)
        return index, text_of(parameters), parameters

    def _outcomes(
        self, cells: Iterator[Cell], workers: int, client: Any, progress: Progress
    ) -> Iterator[tuple[int, str, Outcome | None]]:
        if client is None and workers == 0:
            from beyond_kernel.sweeps.inline import run_inline  # with torch, which the owner of workers need not load

            return run_inline(self.function, self.mark, cells, self.may_be_nan)
        payload = pickled(self.function)
        if client is not None:
            from beyond_kernel.sweeps.cluster import run_on_cluster

            job = Job(payload, self.mark, tuple(self.may_be_nan))
            return run_on_cluster(client, job, cells, self.time_limit)
        path = str(self.store.path.absolute())
        job = Job(payload, self.mark, tuple(self.may_be_nan), path, self.version, self.store.lasting, tuple(sys.path))
        finished = lambda text: self.store.is_done(self.version, text)  # noqa: E731
        return run_local(job, cells, min(workers, progress.left), self.time_limit, finished)

    def _say_what_is_left_alone(self, progress: Progress) -> None:
        others = [row for row in self.store.counts() if row[0].name == self.version.name and row[0] != self.version]
        if count := sum(cells for _, _, cells, _ in others):
            progress.say(
                f"{self.store.path} holds {count} cells of {self.version.name} at other versions of its code; they are "
                f"left there and not used (python -m beyond_kernel.sweeps prune {self.store.path} removes them)."
            )
        if self.version.versions != versions():
            progress.say(
                f"{self.store.path}: earlier cells were run with {self.version.versions}; this is {versions()}."
            )

    def _where(self) -> str:
        return f" and kept in {self.store.path}" if self.store.lasting else ""


@contextlib.contextmanager
def _opened(store: str | Path | None) -> Iterator[Store]:
    chosen = store if store is not None else os.environ.get(STORE) or None
    if chosen is not None:
        if not isinstance(chosen, str | Path):
            raise BadParameter(f"store = {chosen!r:.60} is not accepted: it must be the path of a file.")
        with Store(chosen) as kept:
            yield kept
        return
    with tempfile.TemporaryDirectory(prefix="beyond-kernel-") as folder, Store(Path(folder, "cells"), False) as kept:
        yield kept


@contextlib.contextmanager
def _connected(client: Any) -> Iterator[Any]:
    if client is None:
        yield None
        return
    from beyond_kernel.sweeps.cluster import client_of

    with client_of(client) as connected:
        yield connected


def _told(gaps: list[Gap], total: int, store: str | Path | None) -> str:
    listed = [f"  {gap}" for gap in gaps[:NAMED]] + [f"  and {len(gaps) - NAMED} more"] * (len(gaps) > NAMED)
    kept = f"; the others are in {store}" if store is not None else ""
    return "\n".join([f"{len(gaps)} of {total} cells failed{kept}:", *listed])
