"""Cells on worker processes of this machine: no worker waits, and one that dies or hangs costs its cell only."""

import atexit
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from multiprocessing.connection import wait

from beyond_kernel.sweeps.results import DIED, TIMEOUT, Outcome
from beyond_kernel.sweeps.store import StoreError
from beyond_kernel.sweeps.worker import Job, Worker, WorkerError, start_worker

AHEAD = 0.1  # seconds of work that a worker holds in advance, in cells of the mean length so far
MOST_AHEAD = 500
LOOK = 0.2  # seconds between two looks at the clock

Cell = tuple[int, str, Mapping]
"""Index, parameters as text, parameters."""

_idle: list[tuple[Worker, bool]] = []  # and whether it has come to rest
_owner = os.getpid()


def run_local(
    job: Job,
    cells: Iterable[Cell],
    workers: int,
    time_limit: float | None = None,
    finished: Callable[[str], bool] = lambda text: False,
) -> Iterator[tuple[int, str, Outcome | None]]:
    """Run cells on worker processes and yield index, parameters as text and outcome of each as it ends.

    Args:
        job: the function and where its results go.
        cells: in the order in which they are to begin.
        workers: how many processes.
        time_limit: seconds on the clock after which a cell is ended.
        finished: says whether a cell is already in the store; asked when a worker died on it. Its outcome is then None.

    Raises:
        WorkerError: if workers cannot start or cannot load the function.
        StoreError: if a worker could not write to the store.
    """
    crew = _Crew(job, iter(cells), workers, time_limit, finished)
    try:
        yield from crew.run()
    finally:
        crew.dismiss()


class _Crew:
    """The workers of one run and what each of them is at."""

    def __init__(self, job: Job, cells: Iterator[Cell], workers: int, time_limit: float | None, finished: Callable):
        self.job, self.cells, self.finished = job, cells, finished
        self.time_limit = time_limit
        self.sent: dict[int, Cell] = {}
        self.again: deque[Cell] = deque()  # behind a worker that died: before all others
        self.suspects: deque[Cell] = deque()  # a worker died on them: after all others
        self.deaths: dict[int, int] = {}
        self.mean, self.ended, self.lost_starts = None, 0, 0
        self.wanted = workers
        self.workers: list[Worker] = []

    def run(self) -> Iterator[tuple[int, str, Outcome | None]]:
        """Yield what ends, until nothing is left."""
        if not self._is_work_left():
            return
        self.workers = [self._hire() for _ in range(self.wanted)]
        while self._is_work_left():
            for worker in self.workers:
                self._supply(worker)
            ready = wait([worker.connection for worker in self.workers], LOOK)
            for worker in list(self.workers):
                if worker.connection in ready:
                    yield from self._hear(worker)
                yield from self._overdue(worker)

    def _hire(self) -> Worker:
        worker = _take_idle(self.job) or start_worker()
        worker.since = None
        worker.send("job", self.job)
        worker.modules |= self.job.mark.modules
        return worker

    def _supply(self, worker: Worker) -> None:
        """Give a worker that is nearly done its next cells; long cells one at a time, short ones in advance."""
        if worker.since is None or len(worker.cells) > self._ahead() // 2:
            return
        given = []
        while len(worker.cells) + len(given) < max(1, self._ahead()):
            if (cell := self._next()) is None:
                break
            given.append(cell)
            self.sent[cell[0]] = cell
        if given:
            worker.give(given)

    def _is_work_left(self) -> bool:
        if not (self.sent or self.again or self.suspects) and (cell := next(self.cells, None)):
            self.again.append(cell)
        return bool(self.sent or self.again or self.suspects)

    def _next(self) -> Cell | None:
        if self.again:
            return self.again.popleft()
        return next(self.cells, None) or (self.suspects.popleft() if self.suspects else None)

    def _ahead(self) -> int:
        return min(int(AHEAD / self.mean), MOST_AHEAD) if self.mean else 1

    def _hear(self, worker: Worker) -> Iterator[tuple[int, str, Outcome | None]]:
        try:
            while worker.connection.poll():
                kind, *content = worker.connection.recv()
                if kind == "ready":
                    worker.since, self.lost_starts = time.monotonic(), 0
                elif kind == "cell":
                    yield self._ended(worker, *content)
                else:
                    raise {"StoreError": StoreError, "WorkerError": WorkerError}[kind](content[0])
        except (EOFError, ConnectionResetError):
            yield from self._lost(worker)

    def _ended(self, worker: Worker, index: int, outcome: Outcome) -> tuple[int, str, Outcome]:
        worker.cells.remove(index)
        worker.since = time.monotonic()
        self.ended += 1
        weight = max(0.05, 1 / self.ended)
        self.mean = (self.mean or 0.0) * (1 - weight) + weight * max(outcome.wall, 1e-5)
        return index, self.sent.pop(index)[1], outcome

    def _lost(self, worker: Worker) -> Iterator[tuple[int, str, Outcome | None]]:
        """A worker is gone: the cell it was at is tried once more, those behind it go on elsewhere."""
        worker.kill()
        code = worker.process.returncode
        at = worker.cells[:1] if worker.since is not None else []
        self.lost_starts += worker.since is None
        if self.lost_starts > 2 * self.wanted:
            raise WorkerError(f"worker processes end before their first cell (exit status {code}).")
        self._replace(worker)
        for index in at:
            cell = self.sent.pop(index)
            self.deaths[index] = self.deaths.get(index, 0) + 1
            if self.finished(cell[1]):
                yield index, cell[1], None
            elif self.deaths[index] == 1:
                self.suspects.append(cell)
            else:
                how = f"signal {-code}" if code < 0 else f"exit status {code}"
                yield index, cell[1], Outcome(DIED, None, f"its worker process died twice, the last time by {how}.")

    def _overdue(self, worker: Worker) -> Iterator[tuple[int, str, Outcome | None]]:
        if self.time_limit is None or not worker.cells or worker.since is None or worker not in self.workers:
            return
        took = time.monotonic() - worker.since
        if took <= self.time_limit or worker.connection.poll():
            return
        worker.kill()
        index = worker.cells[0]
        self._replace(worker)
        cell = self.sent.pop(index)
        if self.finished(cell[1]):
            yield index, cell[1], None
        else:
            sentence = f"it was ended after {took:.1f} s, over its time limit of {self.time_limit:g} s."
            yield index, cell[1], Outcome(TIMEOUT, None, sentence, wall=took)

    def _replace(self, worker: Worker) -> None:
        for index in worker.cells[1:] if worker.since is not None else worker.cells:
            self.again.append(self.sent.pop(index))
        self.workers[self.workers.index(worker)] = self._hire()

    def dismiss(self) -> None:
        """Keep the workers without a cell for the next run and end the others at once."""
        for worker in self.workers:
            begun = worker.since is not None
            worker.rest()
            if worker.cells or not worker.alive() or (begun and not worker.rests()):
                worker.kill()
            else:
                _idle.append((worker, begun))  # one that was still starting comes to rest while nobody waits


def _take_idle(job: Job) -> Worker | None:
    """Return a worker that waits, if nothing that it has loaded has changed; workers of a parent are not ours."""
    global _owner
    if _owner != os.getpid():
        _idle.clear()
        _owner = os.getpid()
    while _idle:
        worker, settled = _idle.pop()
        if worker.alive() and worker.fits(job) and (settled or worker.rests()):
            return worker
        worker.kill()
    return None


@atexit.register
def end_idle_workers() -> None:
    """End the worker processes that wait for a next sweep."""
    while _owner == os.getpid() and _idle:
        _idle.pop()[0].kill()
