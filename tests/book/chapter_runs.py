"""Run a chapter in a process of its own, with a limit on its time."""

import os
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

# What the surrounding pytest, a debugger or a shell may have set and a chapter must not inherit.
NOT_INHERITED = ("PYTEST_", "COV_", "MPLBACKEND", "PYTHONWARNINGS")
LIGHT = Path(__file__).with_name("light")
"""What spares a process that reads notebooks a second of loading; for the front of its PYTHONPATH."""


def plain_environment() -> dict[str, str]:
    """Return the environment of a chapter: one thread, no worker processes, no progress bars, nothing of a test's."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(NOT_INHERITED)}
    one_thread = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    path = {"PYTHONPATH": os.pathsep.join(filter(None, [str(LIGHT), os.environ.get("PYTHONPATH")]))}
    return environment | path | one_thread | {"TQDM_DISABLE": "1", "BEYOND_KERNEL_WORKERS": "0"}


def run_with_limit(command: Sequence[str], folder: Path, limit: float) -> tuple[int, str]:
    """Run a command on one thread and return its exit status and everything that it wrote.

    A run that takes longer than ``limit`` seconds is ended with all its children, and its status is 124.
    """
    with tempfile.TemporaryFile() as written:
        process = subprocess.Popen(
            command, cwd=folder, env=plain_environment(), stdout=written, stderr=written, start_new_session=True
        )
        try:
            status = process.wait(limit)
        except subprocess.TimeoutExpired:
            status = 124
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        written.seek(0)
        return status, written.read().decode(errors="replace")
