"""Notebooks run by papermill in one kernel, which is emptied after each: what they load is loaded once.

``python one_kernel.py`` takes a run as a line of JSON and answers with one.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chapter_runs import plain_environment

TIME_LIMIT = 120  # seconds a cell may take: a guard against a run without end
EMPTY = "import gc\ngc.freeze()\n%reset -f\n%reset -f in out"
"""What empties the kernel. ``%reset`` looks for garbage several times: first, what is loaded is told not to be any."""


class OneKernel:
    """A process with the kernel, started in a folder; ``close`` ends both."""

    def __init__(self, folder: Path):
        self._process = subprocess.Popen(
            [sys.executable, __file__], cwd=folder, env=plain_environment(), text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def run(self, source: Path, copy: Path, values: Mapping[str, Any], limit: int = TIME_LIMIT) -> tuple[int, str]:
        """Run a notebook with some parameters; return 0, or 1 (124 where a cell had no end) and what the error says."""
        self._process.stdin.write(json.dumps([str(source), str(copy), dict(values), limit]) + "\n")
        self._process.stdin.flush()
        return tuple(json.loads(self._process.stdout.readline()))

    def close(self) -> None:
        """End the process, which ends the kernel."""
        self._process.communicate()


def serve() -> None:
    """Answer runs until there are no more."""
    import papermill
    from jupyter_client import BlockingKernelClient
    from jupyter_client.manager import start_new_async_kernel
    from jupyter_core.utils import run_sync
    from nbclient.exceptions import CellTimeoutError
    from papermill.exceptions import PapermillExecutionError

    def started() -> tuple:
        """Return the manager of a new kernel, from which each run takes a client, and the client that empties it."""
        manager, first = run_sync(start_new_async_kernel)()
        first.stop_channels()
        client = BlockingKernelClient()
        client.load_connection_info(manager.get_connection_info())
        client.start_channels()
        return manager, client

    manager, client = started()
    for line in sys.stdin:
        source, copy, values, limit = json.loads(line)
        status, written = 0, ""
        try:
            papermill.execute_notebook(source, copy, values, progress_bar=False, execution_timeout=limit, km=manager)
        except PapermillExecutionError as error:
            status, written = 1, str(error)
        except CellTimeoutError as error:
            status, written = 124, str(error)
            client.stop_channels()
            run_sync(manager.shutdown_kernel)(now=True)
            manager, client = started()
        print(json.dumps([status, written]), flush=True)
        emptied = client.execute(EMPTY, reply=True, timeout=TIME_LIMIT)
        assert emptied["content"]["status"] == "ok"
    client.stop_channels()
    run_sync(manager.shutdown_kernel)(now=True)


if __name__ == "__main__":
    serve()
