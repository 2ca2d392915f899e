"""The labelled dataset of a finished grid, with its gaps named."""

import platform
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import xarray

from beyond_kernel.sweeps.fingerprints import Fingerprint, innermost
from beyond_kernel.sweeps.grids import Grid, text_of
from beyond_kernel.sweeps.results import DONE, NAN, Outcome, nan_told, unpack

LIBRARIES = ("beyond-kernel", "numpy", "torch")
GAPS, FUNCTION, CODE, VERSIONS = "sweep_gaps", "sweep_function", "sweep_code", "sweep_versions"


@dataclass(frozen=True)
class Gap:
    """A cell without a usable result.

    Attributes:
        parameters: of the cell, without the fixed ones.
        status: "raised", "nan", "timeout" or "died".
        error: the traceback, or a sentence.
    """

    parameters: dict[str, Any]
    status: str
    error: str

    def __str__(self) -> str:
        where = ", ".join(f"{name}={value!r}" for name, value in self.parameters.items())
        return f"{where}: {self.status}: {self.error.strip().splitlines()[-1] if self.error else ''}"


class SweepFailed(RuntimeError):
    """Some cells of a grid failed; the others are in ``dataset`` and in the store.

    Attributes:
        dataset: as ``sweep`` would have returned it, with gaps.
        gaps: the cells that failed.
    """

    def __init__(self, message: str, dataset: xarray.Dataset, gaps: list[Gap]):
        super().__init__(message)
        self.dataset, self.gaps = dataset, gaps

    def _render_traceback_(self) -> list[str]:
        return [f"{type(self).__name__}: {self}"]


def versions() -> str:
    """Return the versions of Python and of the libraries that decide the last digits, as one text."""
    return ", ".join([f"Python {platform.python_version()}", *(f"{name} {version(name)}" for name in LIBRARIES)])


def assemble(
    grid: Grid,
    mark: Fingerprint,
    outcome_of: Callable[[str], Outcome | None],
    may_be_nan: Collection[str],
    units: Mapping[str, str],
) -> tuple[xarray.Dataset, list[Gap]]:
    """Return all results by name, with one dimension per key of the grid, and the cells that have none.

    An array result adds dimensions of its own, named after it ("risk_0", ...). Where a cell has none there is NaN, in
    whole numbers and truth values too, which then become floating-point numbers; a text is empty.

    Args:
        grid: the grid.
        mark: of the function, for the attributes.
        outcome_of: gives the outcome of a cell by its parameters as text.
        may_be_nan: names of results in which NaN is no gap, whatever the run that made the cell allowed.
        units: by name of a result or dimension.

    Raises:
        ValueError: if two cells returned different names or shapes.
    """
    gaps: list[Gap] = []
    arrays: dict[str, np.ndarray] = {}
    empty: list[int] = []
    for index in range(len(grid)):
        parameters = grid.cell(index)
        outcome = outcome_of(text_of(parameters)) or Outcome("missing", None, "it was not run.")
        found = unpack(outcome.result) if outcome.result is not None else {}
        if outcome.status not in (DONE, NAN):
            gaps.append(Gap(grid.place(index), outcome.status, outcome.error))
        elif told := nan_told(found, may_be_nan):
            gaps.append(Gap(grid.place(index), NAN, told))
        if not found:
            empty.append(index)
            continue
        if not arrays:
            arrays = {name: np.zeros((len(grid), *first.shape), first.dtype) for name, first in found.items()}
        _fill(arrays, index, found, grid)
    variables = {}
    for name, values in arrays.items():
        values = _with_gaps(values, empty)
        inner = [f"{name}_{axis}" for axis in range(values.ndim - 1)]
        variables[name] = ((*grid.axes, *inner), values.reshape(grid.shape + values.shape[1:]))
    dataset = xarray.Dataset(variables, coords={name: _labels(values) for name, values in grid.axes.items()})
    for name, unit in units.items():
        if name in dataset.variables:
            dataset[name].attrs["units"] = unit
    dataset.attrs = {name: value if isinstance(value, str) else _label(value) for name, value in grid.fixed.items()}
    dataset.attrs |= {FUNCTION: mark.name, CODE: mark.code, VERSIONS: versions()}
    if gaps:
        dataset.attrs[GAPS] = "\n".join(map(str, gaps))
    return dataset, gaps


def _fill(arrays: dict[str, np.ndarray], index: int, found: dict[str, np.ndarray], grid: Grid) -> None:
    """Write the results of one cell; a wider number or a longer text widens the column."""
    shapes = {name: values.shape for name, values in found.items()}
    if shapes != {name: values.shape[1:] for name, values in arrays.items()}:
        others = {name: values.shape[1:] for name, values in arrays.items()}
        raise ValueError(f"cells returned different results: {grid.place(index)} gave {shapes}, others {others}.")
    for name, values in found.items():
        wider = np.result_type(arrays[name].dtype, values.dtype)
        if wider != arrays[name].dtype:
            arrays[name] = arrays[name].astype(wider)
        arrays[name][index] = values


def _with_gaps(values: np.ndarray, empty: list[int]) -> np.ndarray:
    if not empty or values.dtype.kind == "U":
        return values
    if values.dtype.kind in "biu":
        values = values.astype(float)
    values[empty] = np.nan
    return values


def _labels(values: list) -> list | np.ndarray:
    """Return the coordinates of a dimension; what is neither number nor text is told by a text."""
    kinds = {bool if isinstance(value, bool) else float if isinstance(value, int | float) else type(value)
             for value in values}  # fmt: skip
    return np.asarray(values) if len(kinds) == 1 and kinds <= {bool, float, str} else [_label(v) for v in values]


def _label(value: Any) -> str:
    if isinstance(value, str):
        return value
    if callable(value):
        function = innermost(value)
        return getattr(function, "label", function.__qualname__)  # learners are known by their label
    return repr(value) if isinstance(value, float) else text_of({"": value})[4:-1]
