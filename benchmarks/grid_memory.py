"""Memory of the process that calls ``sweep``, in a process of its own: python grid_memory.py CELLS FOLDER."""

import json
import sys
import threading
from pathlib import Path

import psutil
from grid_cells import trivial

from beyond_kernel.sweeps import sweep

EVERY = 0.01  # seconds between two looks
MB = 1e6


def main(cells: int, folder: Path) -> dict[str, float]:
    """Return resident megabytes before a sweep of trivial cells, at most during it, and with its dataset at the end.

    Args:
        cells: their number.
        folder: where the store is made.
    """
    sweep(trivial, {"seed": range(10)}, store=folder / f"memory-{cells}-first", workers=2)  # all is loaded now
    process, ended = psutil.Process(), threading.Event()
    start = peak = process.memory_info().rss

    def watch() -> None:
        nonlocal peak
        while not ended.wait(EVERY):
            peak = max(peak, process.memory_info().rss)

    watching = threading.Thread(target=watch)
    watching.start()
    dataset = sweep(trivial, {"seed": range(cells)}, store=folder / f"memory-{cells}", workers=2)
    ended.set()
    watching.join()
    end = process.memory_info().rss
    assert dataset.sizes == {"seed": cells}
    return {"cells": cells, "start": start / MB, "peak": max(peak, end) / MB, "end": end / MB}


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]), Path(sys.argv[2]))))
