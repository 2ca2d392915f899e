"""Cells on a Dask cluster: each Dask worker drives worker processes of its own, the client writes the store."""

import contextlib
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from beyond_kernel.checks import BadParameter
from beyond_kernel.sweeps.local import Cell, run_local
from beyond_kernel.sweeps.results import DIED, Outcome
from beyond_kernel.sweeps.worker import Job

TASK = 0.5  # seconds that a task is to last: long beside Dask's own time, short beside what a dead worker may lose
MOST_CELLS = 1000
ANSWER = 20  # seconds that a scheduler may take to answer
SPARE = 16  # tasks in waiting beyond two a thread, so that an adaptive cluster sees a reason to grow


def run_chunk(job: Job, cells: list[Cell], time_limit: float | None) -> list[tuple[int, str, Outcome]]:
    """Run cells in a worker process beside this Dask worker; called there.

    The process has one BLAS thread and random states of its own, so that the threads of a Dask worker do not disturb
    each other, and it can be ended at a time limit, as no thread can.

    Args:
        job: the function; its results come back.
        cells: index, parameters as text, parameters of each.
        time_limit: seconds for each cell.
    """
    return list(run_local(job, cells, 1, time_limit))


def run_on_cluster(
    client: Any, job: Job, cells: Iterable[Cell], time_limit: float | None
) -> Iterator[tuple[int, str, Outcome]]:
    """Run cells on a Dask cluster and yield index, parameters as text and outcome of each.

    Args:
        client: a ``dask.distributed.Client``.
        job: the function, without a store.
        cells: in the order in which they are to begin.
        time_limit: seconds for each cell.
    """
    from distributed import KilledWorker, as_completed

    waiting, chunk, running = iter(cells), 1, {}
    suspects: deque[Cell] = deque()  # a Dask worker died while it held them: after all others, and one at a time
    suspected: set[int] = set()
    finished = as_completed()

    def submit(given: list[Cell]) -> None:
        future = client.submit(run_chunk, job, given, time_limit, pure=False)
        running[future] = given
        finished.add(future)

    def refill() -> None:
        wanted = 2 * sum(client.nthreads().values()) + SPARE
        while len(running) < wanted and (given := list(islice(waiting, chunk))):
            submit(given)
        if suspects and not running:
            submit([suspects.popleft()])

    refill()
    try:
        for future in finished:
            given = running.pop(future)
            try:
                outcomes = future.result()
            except KilledWorker as error:
                sentence = f"every Dask worker that took it died: {error}"
                outcomes = [(i, text, Outcome(DIED, None, sentence)) for i, text, _ in given if i in suspected]
                suspects.extend(cell for cell in given if cell[0] not in suspected)
                suspected.update(index for index, *_ in given)
            else:
                mean = sum(outcome.wall for *_, outcome in outcomes) / len(outcomes)
                chunk = max(1, min(MOST_CELLS, 2 * chunk, int(TASK / max(mean, 1e-5))))
            refill()
            yield from outcomes
    finally:
        client.cancel(list(running))


@contextlib.contextmanager
def client_of(client: Any) -> Iterator[Any]:
    """Give a client for a client or a scheduler's address; one that was made here is closed at the end.

    Raises:
        BadParameter: if it is neither, the address does not answer, or ``distributed`` is not installed.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise BadParameter("client needs Dask: install this package with its extra `cluster`.") from error
    if isinstance(client, Client):
        yield client
        return
    if not isinstance(client, str):
        raise BadParameter(f"client = {client!r:.60} is not accepted: give a dask.distributed.Client or an address.")
    try:
        made = Client(client, timeout=ANSWER)
    except (OSError, ValueError) as error:
        raise BadParameter(f"client = {client!r}: no Dask scheduler answers there.") from error
    with made:
        yield made
