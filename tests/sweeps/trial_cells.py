"""Cells for the tests of sweeps: pure where nothing else is said, and importable by a worker process."""

import random

import numpy as np
import torch


def labelled(d: int, seed: int, scale: float = 1.0) -> dict:
    """Return numbers from which the parameters can be read."""
    return {"value": scale * (100 * d + seed), "pair": [d, seed], "name": f"{d}/{seed}"}


def drawn(seed: int) -> dict:
    """Return what the process's own generators give, and sums that depend on the order of additions."""
    matrix = torch.randn(40, 40, dtype=torch.float64)
    return {
        "torch": float((matrix @ matrix).sum()),
        "numpy": float(np.random.standard_normal(30).sum()),  # noqa: NPY002 - this is what the test is about
        "python": random.random(),
        "threads": torch.get_num_threads(),
        "values": torch.linalg.eigvalsh(matrix @ matrix.T)[:3],
        "seed_twice": 2 * seed,
    }


def odd_one(seed: int) -> dict:
    """Return another shape at one seed."""
    return {"value": np.zeros(3 if seed == 2 else 2)}
