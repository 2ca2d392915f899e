"""Cells in this very process, one after the other, under the conditions of a worker process."""

import contextlib
import random
from collections.abc import Callable, Collection, Iterable, Iterator

import numpy as np
import threadpoolctl
import torch

from beyond_kernel.sweeps.fingerprints import Fingerprint, stale_modules
from beyond_kernel.sweeps.local import Cell
from beyond_kernel.sweeps.results import Outcome, run_function, seed_of
from beyond_kernel.sweeps.worker import WorkerError


def run_inline(
    function: Callable, mark: Fingerprint, cells: Iterable[Cell], may_be_nan: Collection[str]
) -> Iterator[tuple[int, str, Outcome]]:
    """Run cells here and yield index, parameters as text and outcome of each.

    Args:
        function: the function.
        mark: its fingerprint.
        cells: in the order in which they are run.
        may_be_nan: names of results that may hold NaN.

    Raises:
        WorkerError: if a module was edited after this process had imported it: what runs would not be what is recorded.
    """
    if stale := stale_modules(mark):
        raise WorkerError(f"{', '.join(stale)} has changed since it was imported here: start this process again.")
    with _as_a_worker():
        for index, text, parameters in cells:
            yield index, text, run_function(function, parameters, seed_of(text), may_be_nan)


@contextlib.contextmanager
def _as_a_worker() -> Iterator[None]:
    """One thread for every library; the caller's random states come back at the end."""
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002 - whoever may use it
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        with threadpoolctl.threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(threads)
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002
        torch.set_rng_state(states[2])
