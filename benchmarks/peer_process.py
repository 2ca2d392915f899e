"""The other interpreter: starts ``peer_worker.py`` there and asks it for one run at a time."""

import json
import os
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import torch
from measuring import Run

ROOT = Path(__file__).resolve().parents[1]
PYTHON = ROOT / ".venv-peers/bin/python"


class PeerProcess:
    """neural-tangents in the interpreter ``python``, or the reason why it is missing.

    Attributes:
        missing: empty if it runs.
        versions: of the packages there.
    """

    def __init__(self, python: str | None):
        self.versions: dict[str, str] = {}
        self.missing = ""
        self._process = None
        self._folder = tempfile.TemporaryDirectory()
        path = Path(python) if python else PYTHON
        if not path.exists():
            self.missing = (
                "not installed: PEERS names no interpreter" if python else "not installed: see make bench-peers"
            )
            return
        self._start(path)

    def _start(self, path: Path) -> None:
        command = [str(path), str(Path(__file__).with_name("peer_worker.py"))]
        one_thread = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "MKL", "OPENBLAS")}
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=os.environ | one_thread,
        )  # fmt: skip
        hello = self._process.stdout.readline()
        if not hello:
            last = (self._process.stderr.read().strip().splitlines() or ["no message"])[-1]
            self.missing = f"does not start: {last}"
            return
        self.versions = json.loads(hello)["versions"]

    def run(self, job: str, *arrays: torch.Tensor) -> Run | str:
        """Return a run of a job on these arrays there, or why there is none.

        Args:
            job: "analytic" or "empirical".
            arrays: what the job takes.
        """
        if self.missing:
            return self.missing
        files = [os.path.join(self._folder.name, f"{job}-{array.shape}-{k}.npy") for k, array in enumerate(arrays)]
        for path, array in zip(files, arrays, strict=True):
            np.save(path, array.cpu().numpy())
        order = json.dumps({"key": " ".join(files), "job": job, "files": files})

        def run() -> tuple[float, torch.Tensor]:
            reply = self._ask(order)
            return reply["seconds"], torch.tensor(reply["answer"], dtype=torch.float64)

        return run

    def _ask(self, order: str) -> dict:
        self._process.stdin.write(order + "\n")
        self._process.stdin.flush()
        reply = self._process.stdout.readline()
        assert reply, "the peer's process has ended"
        return json.loads(reply)

    def close(self) -> None:
        """End the process that was started here."""
        if self._process is not None:
            self._process.stdin.close()
            self._process.wait(timeout=30)
            self._process.stdout.close()
            self._process.stderr.close()
        self._folder.cleanup()
