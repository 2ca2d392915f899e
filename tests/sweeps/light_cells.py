"""Cells for the tests of sweeps that load nothing slow: processes that run them start at once."""

import math
import os
import signal
import time
from pathlib import Path


def logged(seed: int, log: str, seconds: float = 0.02) -> dict:
    """Take some time, then write a line to a file in one step."""
    time.sleep(seconds)
    with open(log, "ab", buffering=0) as file:
        file.write(f"{seed}\n".encode())
    return {"root": math.sqrt(seed), "pid": 0 * os.getpid()}


def troubled(seed: int, folder: str = "") -> dict:
    """Fail in the way that the seed names."""
    if seed == 1:
        raise ValueError("one is not to be had")
    if seed == 2:
        return {"value": math.nan}
    if seed == 3:
        time.sleep(60)
    if seed == 4 or (seed == 5 and _first_time(Path(folder, "five"))):
        os.kill(os.getpid(), signal.SIGKILL)
    if seed == 6:
        raise SystemExit("six leaves")
    return {"value": float(seed)}


def _first_time(marker: Path) -> bool:
    if marker.exists():
        return False
    marker.touch()
    return True


def busy(seed: int, seconds: float = 0.01) -> dict:
    """Use the processor for so many CPU seconds."""
    end = time.process_time() + seconds
    count = 0
    while time.process_time() < end:
        count += 1
    return {"count": count}
