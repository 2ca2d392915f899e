"""Cells of the benchmark of grids, in a module that worker processes load at once: the standard library alone."""

import sys
import time


def busy(seed: int, seconds: float) -> dict[str, int]:
    """Use CPU time of this process, however long that takes on the clock."""
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass
    return {"value": seed}


def trivial(seed: int) -> dict[str, int]:
    """Do nothing: what is left is the handing out of cells."""
    return {"value": seed}


if __name__ == "__main__":
    busy(0, float(sys.argv[1]))
