"""Grids of runs that never lose a cell, on this machine's cores or on a cluster."""

import importlib

_PLACES = {
    "BadParameter": "beyond_kernel.checks",
    "Gap": "beyond_kernel.sweeps.datasets",
    "Plan": "beyond_kernel.sweeps.planning",
    "Store": "beyond_kernel.sweeps.store",
    "StoreError": "beyond_kernel.sweeps.store",
    "SweepFailed": "beyond_kernel.sweeps.datasets",
    "WorkerError": "beyond_kernel.sweeps.worker",
    "plan": "beyond_kernel.sweeps.planning",
    "sweep": "beyond_kernel.sweeps.sweeping",
}
__all__ = list(_PLACES)


def __getattr__(name: str):
    """Load a name when it is asked for: worker processes import this package too and need only a small part of it."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_PLACES[name]), name)
