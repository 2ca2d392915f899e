"""Grids of runs: a pure function of one cell's parameters over a grid, as a labelled dataset."""

import itertools
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import xarray
from tqdm.auto import tqdm

from beyond_kernel.parameters import BadParameter


def sweep(function: Callable[..., Mapping[str, Any]], grid: Mapping[str, Sequence], **fixed: Any) -> xarray.Dataset:
    """Run ``function`` on every cell of a grid and collect its named results.

    The function is pure: it takes the cell's parameters (the seed among them) and the fixed ones as keywords and
    returns numbers or arrays by name, the same names and shapes for every cell.

    Args:
        function: called once a cell.
        grid: for each dimension its values, such as ``{"d": [10, 20], "seed": range(5)}``.
        fixed: further keywords, the same for every cell; kept as attributes.

    Returns:
        A dataset with one dimension per key of the grid; an array result adds dimensions of its own, named
        after the result ("risk_0", ...).

    Raises:
        BadParameter: if the grid or one of its dimensions is empty, or a name is given twice.
    """
    axes = {name: list(values) for name, values in grid.items()}
    if not axes or not all(axes.values()):
        empty = [name for name, values in axes.items() if not values]
        raise BadParameter(f"grid has nothing to run: {', '.join(empty) or 'no dimension'} is empty.")
    if twice := sorted(set(axes) & set(fixed)):
        raise BadParameter(f"grid and fixed keywords both set {', '.join(twice)}: name each once.")
    cells = list(itertools.product(*axes.values()))
    quiet = os.environ.get("TQDM_DISABLE", "") not in ("", "0")  # the notebook bar of tqdm does not look itself
    rows = [
        {name: np.asarray(value) for name, value in function(**dict(zip(axes, cell, strict=True)), **fixed).items()}
        for cell in tqdm(cells, desc=function.__name__, unit="cell", leave=False, disable=quiet)
    ]
    shape = tuple(len(values) for values in axes.values())
    results = {}
    for name, first in rows[0].items():
        inner = [f"{name}_{axis}" for axis in range(first.ndim)]
        values = np.stack([row[name] for row in rows]).reshape(shape + first.shape)
        results[name] = ((*axes, *inner), values)
    return xarray.Dataset(results, coords=axes, attrs={name: str(value) for name, value in fixed.items()})
