"""A worker process and the handle by which its owner drives it: one function at a time, cell after cell."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any

import cloudpickle

from beyond_kernel.sweeps.fingerprints import Fingerprint, fingerprint, importable, innermost
from beyond_kernel.sweeps.results import Outcome, run_function, seed_of
from beyond_kernel.sweeps.store import Store, StoreError, Version

# This module is loaded by every worker process: nothing slower than numpy may be imported here.

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1")
WORKERS = "BEYOND_KERNEL_WORKERS"
WATCH = 0.1  # seconds between two looks whether the owner still lives
GRACE = 0.3  # seconds that a cell may still take when the owner is gone: a short one is kept, a long one is given up
REST = 10  # seconds that a worker may take to start and to close the store
PATIENCE = 600  # seconds that an idle worker waits for work before it ends


class WorkerError(RuntimeError):
    """A worker that cannot start or cannot load the function, in one sentence with the reason."""

    def _render_traceback_(self) -> list[str]:
        return [f"{type(self).__name__}: {self}"]


@dataclass(frozen=True)
class Job:
    """What a worker needs before its first cell.

    Attributes:
        function: the function, pickled for this transport only; never stored.
        mark: its fingerprint where the owner is.
        may_be_nan: names of results that may hold NaN.
        store: path of the store to which the worker writes by itself; None if it returns results.
        version: the function as the store knows it.
        lasting: as in ``Store``.
        path: where modules are looked for; empty if the worker is to keep its own, on another machine.
    """

    function: bytes
    mark: Fingerprint
    may_be_nan: Collection[str] = ()
    store: str | None = None
    version: Version | None = None
    lasting: bool = True
    path: tuple[str, ...] = ()


@dataclass(eq=False)
class Worker:
    """A running worker process.

    Attributes:
        process: its process.
        connection: to it; it sends ("ready",), ("resting",), ("cell", index, outcome), ("StoreError", sentence) or
            ("WorkerError", sentence).
        cells: indices of the cells that were sent and have not come back, in order.
        since: when it began with the first of them, on the monotonic clock; None before it is ready.
        modules: digests of the modules that it has loaded, by name.
    """

    process: subprocess.Popen
    connection: Connection
    cells: list[int] = field(default_factory=list)
    since: float | None = None
    modules: dict[str, str] = field(default_factory=dict)

    def send(self, *message: object) -> None:
        """Send a message; a worker that is dead already is noticed when it is read from."""
        with contextlib.suppress(OSError):
            self.connection.send(message)

    def give(self, cells: Collection[tuple[int, str, Mapping]]) -> None:
        """Send cells: index, parameters as text, parameters."""
        if not self.cells and self.since is not None:
            self.since = time.monotonic()
        self.cells += [index for index, *_ in cells]
        self.send("cells", [(index, text, packed(parameters)) for index, text, parameters in cells])

    def fits(self, job: Job) -> bool:
        """Say whether nothing that this worker has loaded has changed since."""
        wanted = job.mark.modules
        return all(wanted.get(name, digest) == digest for name, digest in self.modules.items())

    def alive(self) -> bool:
        """Say whether the process runs."""
        return self.process.poll() is None

    def kill(self) -> None:
        """End the process at once."""
        if self.process.returncode is None:  # else its number may be another's by now
            with contextlib.suppress(OSError):  # it leads a session of its own: what a cell started ends too
                os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.connection.close()

    def rest(self) -> None:
        """Have the worker close the store and wait for another job."""
        self.send("rest", None)
        self.since = None

    def rests(self) -> bool:
        """Wait until the worker has come to rest; say whether it has."""
        with contextlib.suppress(OSError, EOFError):
            while self.connection.poll(REST):
                if self.connection.recv() == ("resting",):
                    return True
        return False


def start_worker() -> Worker:
    """Start a worker process: one BLAS thread, a session of its own, the import path of this process.

    Raises:
        WorkerError: on a system where file descriptors are not inherited (Windows).
    """
    if os.name != "posix":
        raise WorkerError("worker processes need a POSIX system: give workers=0, or a Dask client.")
    ours, theirs = Pipe()
    command = f"import sys; sys.path[:] = {sys.path!r}; from beyond_kernel.sweeps.worker import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", command, str(theirs.fileno()), str(os.getpid())],
        pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, start_new_session=True,
        env=os.environ | ONE_THREAD | {WORKERS: "0"},  # a sweep inside of a cell runs in the cell's process
    )  # fmt: skip
    theirs.close()
    return Worker(process, ours)


def main() -> None:
    """Serve the owner until it has no more work, or is gone."""
    handle, owner = int(sys.argv[1]), int(sys.argv[2])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt reaches the owner, which then ends its workers
    writing = threading.Lock()
    threading.Thread(target=_watch, args=(owner, writing), daemon=True).start()
    with Connection(handle) as connection, contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        try:
            serve(connection, writing)
        except (WorkerError, StoreError) as error:
            connection.send((type(error).__name__, str(error)))


def _watch(owner: int, writing: threading.Lock) -> None:
    """End this process when its owner is gone, but not while it writes to the store."""
    while os.getppid() == owner:
        time.sleep(WATCH)
    time.sleep(GRACE)
    with writing:
        os._exit(1)


def serve(connection: Connection, writing: threading.Lock) -> None:
    """Answer messages ("job", job), ("cells", list) and ("rest", None) in turn."""
    job, function, store = None, None, None
    while connection.poll(PATIENCE):
        kind, content = connection.recv()
        if kind == "cells":
            for index, text, parameters in content:
                given = cloudpickle.loads(parameters) if isinstance(parameters, bytes) else parameters
                outcome = run_function(function, given, seed_of(text), job.may_be_nan)
                connection.send(("cell", index, _kept(store, writing, job, text, outcome)))
            continue
        if store is not None:
            store.close()
            store = None
        if kind == "rest":
            connection.send(("resting",))
            continue
        try:
            job, function = content, load(content)
            store = Store(job.store, job.lasting, known=True) if job.store else None
            connection.send(("ready",))
        except (WorkerError, StoreError) as error:
            connection.send((type(error).__name__, str(error)))


def _kept(store: Store | None, writing: threading.Lock, job: Job, text: str, outcome: Outcome) -> Outcome:
    """Write an outcome to the store, if there is one, and return what is left to tell the owner."""
    if store is None:
        return outcome
    with writing:
        store.put(job.version, text, outcome)
    return Outcome(outcome.status, None, "", outcome.cpu, outcome.wall)


def load(job: Job) -> Callable:
    """Return the function of a job.

    Raises:
        WorkerError: if it cannot be loaded, or, on another machine, is of another version there.
    """
    if job.path:
        sys.path[:] = job.path
    try:
        function = cloudpickle.loads(job.function)
        here = fingerprint(function).modules if job.store is None else job.mark.modules
    except Exception as error:
        raise WorkerError(f"a worker cannot load {job.mark.name}: {type(error).__name__}: {error}") from error
    other = [name for name, digest in job.mark.modules.items() if here.get(name) != digest]
    if other:
        raise WorkerError(f"a worker has another version of {', '.join(other)} than the one that the sweep was given.")
    return function


def pickled(function: Callable) -> bytes:
    """Return a function for the way to another process: by its name if that finds it there, else with its code.

    Raises:
        WorkerError: if it holds something that cannot travel.
    """
    return _dumped(function, [function])


def packed(parameters: Mapping) -> Mapping | bytes:
    """Return the parameters of a cell for the way to another process; functions among them travel as ``pickled``.

    Raises:
        WorkerError: if a function holds something that cannot travel.
    """
    functions = list(_functions_in(parameters))
    return _dumped(parameters, functions) if functions else parameters


def _functions_in(value: Any) -> Iterator[Callable]:
    if isinstance(value, Mapping | list | tuple):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from _functions_in(item)
    elif callable(value):
        yield value


def _dumped(value: Any, functions: Iterable[Callable]) -> bytes:
    inner = [innermost(function) for function in functions]
    names = {name for name in (getattr(one, "__module__", None) for one in inner) if name != "__main__"}
    travelling = [sys.modules[name] for name in sorted(names & set(sys.modules)) if not importable(name)]
    for module in travelling:
        cloudpickle.register_pickle_by_value(module)
    try:
        return cloudpickle.dumps(value)
    except Exception as error:
        told = ", ".join(getattr(one, "__qualname__", repr(one)) for one in inner)
        raise WorkerError(f"{told} cannot be sent to another process: {error}.") from error
    finally:
        for module in travelling:
            cloudpickle.unregister_pickle_by_value(module)
