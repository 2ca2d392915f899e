"""Grids of runs: what it costs to hand out cells, beside other ways to do it. Wall clock, as the work is elsewhere."""

import contextlib
import itertools
import json
import logging
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from grid_cells import busy, trivial

from beyond_kernel.sweeps import Store, sweep
from beyond_kernel.sweeps.local import end_idle_workers

SIZES = {
    "full": {"busy": 2000, "seconds": 0.01, "trivial": 100_000, "fewer": 10_000, "rounds": 3},
    "tiny": {"busy": 12, "seconds": 0.002, "trivial": 200, "fewer": 40, "rounds": 1},
}
"""Numbers of cells; CPU seconds of a busy one; ``fewer`` is for Dask and for growth."""

REACH = {"sweep, new workers": 1.15, "sweep, waiting workers": 1.15}
SPEEDUP = 1.7
QUIET = 0.3  # load average up to which a machine counts as quiet
BARE, TWO, ONE = "two bare processes", "sweep, waiting workers", "sweep, one process"


def measure_grids(scale: str, folder: Path, say: Callable[[str], None] = lambda text: None) -> dict:
    """Return medians over interleaved rounds, as plain values.

    Args:
        scale: "full" or "tiny".
        folder: where stores are made, on the disk that is to be measured.
        say: takes what is done next.
    """
    size = SIZES[scale]
    load = os.getloadavg()[0]
    busy_rounds, trivial_rounds = [], []
    with tempfile.TemporaryDirectory(prefix="grids-", dir=folder) as place, _silent():
        paths = (Path(place, str(k)) for k in itertools.count())
        for k in range(size["rounds"]):
            say(f"grids, round {k + 1} of {size['rounds']}: busy cells")
            busy_rounds.append(_busy_round(size["busy"], size["seconds"], paths))
            say(f"grids, round {k + 1} of {size['rounds']}: trivial cells")
            trivial_rounds.append(_trivial_round(size["trivial"], size["fewer"], paths))
        say("grids: memory")
        memory = [_memory(cells, Path(place)) for cells in (size["fewer"], size["trivial"])]
    end_idle_workers()
    grown = [row["peak"] - row["start"] for row in memory]
    return {
        "size": size, "load": load, "quiet": load <= QUIET, "busy": _busy_rows(busy_rounds),
        "speedup": {
            "ratio": statistics.median(r[ONE]["wall"] / r[TWO]["wall"] for r in busy_rounds), "reach": SPEEDUP},
        "trivial": _trivial_rows(trivial_rounds), "memory": memory,
        "bytes_per_cell": 1e6 * (grown[1] - grown[0]) / (size["trivial"] - size["fewer"]),
        "all_rounds": {"busy": busy_rounds, "trivial": trivial_rounds},
    }  # fmt: skip


def _busy_round(cells: int, seconds: float, paths: Iterator[Path]) -> dict[str, dict[str, float]]:
    """Return wall and CPU seconds of one round, by what was run."""
    end_idle_workers()
    found = {name: _swept_busy(cells, seconds, workers, next(paths))
             for name, workers in (("sweep, new workers", 2), (TWO, 2), (ONE, 1))}  # fmt: skip
    return {BARE: _bare(cells * seconds)} | found


def _swept_busy(cells: int, seconds: float, workers: int, path: Path) -> dict[str, float]:
    start = time.perf_counter()
    dataset = sweep(busy, {"seed": range(cells)}, seconds=seconds, store=path, workers=workers)
    wall = time.perf_counter() - start
    assert dataset["value"].values.tolist() == list(range(cells))
    with Store(path) as store:
        spent = sum(outcome.cpu for _, outcome, _ in store.cells(store.versions()[-1]))
    return {"wall": wall, "cpu": spent, "workers": workers, "over": wall * workers / spent}


def _bare(seconds: float) -> dict[str, float]:
    """Two interpreters that share the same CPU time and are handed nothing: what the machine gives at that moment."""
    command = [sys.executable, str(Path(__file__).with_name("grid_cells.py")), str(seconds / 2)]
    start = time.perf_counter()
    # sessions of their own, as workers have: Linux shares a busy machine among sessions
    both = [subprocess.Popen(command, start_new_session=True) for _ in range(2)]
    assert not any([process.wait() for process in both])
    wall = time.perf_counter() - start
    return {"wall": wall, "cpu": seconds, "workers": 2, "over": 2 * wall / seconds}


def _busy_rows(rounds: list[dict]) -> list[dict]:
    middle = statistics.median
    return [
        {"what": what, "workers": rounds[0][what]["workers"], "reach": REACH.get(what)}
        | {key: middle(each[what][key] for each in rounds) for key in ("wall", "cpu", "over")}
        for what in rounds[0]
    ]


def _trivial_round(cells: int, fewer: int, paths: Iterator[Path]) -> dict[str, tuple[int, float | str]]:
    """Return number of cells and seconds, or why there are none, by what was run."""
    path = next(paths)
    return {
        "sweep": (cells, _timed(lambda: _swept(cells, path), cells)),
        "sweep, all cells in the store": (cells, _timed(lambda: _swept(cells, path), cells)),
        "sweep, fewer cells": (fewer, _timed(lambda: _swept(fewer, next(paths)), fewer)),
        "joblib.Parallel": (cells, _joblib(cells)),
        "dask.distributed": (fewer, _dask(fewer)),
        "SQLite alone, one process": (cells, _rows_alone(cells, next(paths))),
    }


def _timed(work: Callable[[], list[int]], cells: int) -> float:
    start = time.perf_counter()
    found = work()
    wall = time.perf_counter() - start
    assert found == list(range(cells)), "other answers than ours"
    return wall


def _swept(cells: int, path: Path) -> list[int]:
    return sweep(trivial, {"seed": range(cells)}, store=path, workers=2)["value"].values.tolist()


def _joblib(cells: int) -> float | str:
    try:
        from joblib import Parallel, delayed
        from joblib.externals.loky import get_reusable_executor
    except ImportError:
        return "not installed: see make bench"

    def work(count: int) -> list[int]:
        return [found["value"] for found in Parallel(n_jobs=2)(delayed(trivial)(seed) for seed in range(count))]

    work(4)  # its processes are there now
    try:
        return _timed(lambda: work(cells), cells)
    finally:
        get_reusable_executor().shutdown(wait=True)


def _dask(cells: int) -> float | str:
    try:
        from distributed import Client, LocalCluster
    except ImportError:
        return "not installed: see make bench"
    two = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "dashboard_address": None}
    with LocalCluster(**two, silence_logs=logging.CRITICAL) as cluster, Client(cluster) as client:

        def work(count: int) -> list[int]:
            return [found["value"] for found in client.gather(client.map(trivial, range(count), pure=False))]

        work(4)
        return _timed(lambda: work(cells), cells)


def _rows_alone(cells: int, path: Path) -> float:
    """Write as many rows as a sweep would, one transaction each, and nothing else."""
    connection = sqlite3.connect(path, isolation_level=None)
    with contextlib.closing(connection):
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("CREATE TABLE cells (key BLOB PRIMARY KEY, parameters TEXT, result BLOB) WITHOUT ROWID")
        keys, result = os.urandom(16 * cells), bytes(100)
        start = time.perf_counter()
        for k in range(cells):
            row = (keys[16 * k : 16 * k + 16], f'{{"seed":{k}}}', result)
            connection.execute("INSERT INTO cells VALUES (?, ?, ?)", row)
        return time.perf_counter() - start


def _trivial_rows(rounds: list[dict]) -> list[dict]:
    rows = []
    for what, (cells, first) in rounds[0].items():
        row = {"what": what, "cells": cells}
        if isinstance(first, str):
            rows.append(row | {"missing": first})
        else:
            rows.append(row | {"microseconds": 1e6 * statistics.median(each[what][1] for each in rounds) / cells})
    return rows


def _memory(cells: int, folder: Path) -> dict[str, float]:
    command = [sys.executable, str(Path(__file__).with_name("grid_memory.py")), str(cells), str(folder)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Have no sweep draw its bar, as the others draw none."""
    before = os.environ.get("TQDM_DISABLE")
    os.environ["TQDM_DISABLE"] = "1"
    try:
        yield
    finally:
        os.environ.pop("TQDM_DISABLE")
        if before is not None:
            os.environ["TQDM_DISABLE"] = before
