"""The cells of a grid: what each is called with, and the text by which it is known."""

import functools
import json
import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from beyond_kernel.checks import BadParameter
from beyond_kernel.sweeps.fingerprints import fingerprint


@dataclass(frozen=True)
class Grid:
    """All combinations of the values of some dimensions, beside keywords that are the same for all.

    Attributes:
        axes: values by dimension.
        fixed: the other keywords.
    """

    axes: dict[str, list]
    fixed: dict[str, Any]

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of values of each dimension."""
        return tuple(len(values) for values in self.axes.values())

    def __len__(self) -> int:
        return math.prod(self.shape)

    def cell(self, index: int) -> dict[str, Any]:
        """Return the parameters of a cell, counted with the last dimension running fastest."""
        return self.place(index) | self.fixed

    def place(self, index: int) -> dict[str, Any]:
        """Return the parameters of a cell without the fixed ones."""
        places = []
        for length in reversed(self.shape):
            index, place = divmod(index, length)
            places.append(place)
        return {name: values[place] for (name, values), place in zip(self.axes.items(), reversed(places), strict=True)}


def make_grid(grid: Mapping[str, Collection], fixed: Mapping[str, Any]) -> Grid:
    """Return a checked grid, with plain Python values throughout.

    Raises:
        BadParameter: if the grid or a dimension is empty, a dimension names a value twice, a name is given both ways,
            or a value is none of those of ``plain``.
    """
    if not isinstance(grid, Mapping) or not grid:
        raise BadParameter("grid has nothing to run: no dimension is named.")
    if twice := sorted(set(grid) & set(fixed)):
        raise BadParameter(f"grid and fixed keywords both set {', '.join(twice)}: name each once.")
    axes = {name: _axis(name, values) for name, values in grid.items()}
    return Grid(axes, {name: plain(name, value) for name, value in fixed.items()})


def _axis(name: str, values: Collection) -> list:
    if isinstance(values, str) or not hasattr(values, "__iter__"):
        raise BadParameter(f"grid[{name!r}] = {values!r} is not accepted: it must be a list of values.")
    listed = [plain(name, value) for value in values]
    if not listed:
        raise BadParameter(f"grid has nothing to run: {name} is empty.")
    if any(value != value for value in listed):
        raise BadParameter(f"grid[{name!r}] holds NaN, which no cell can be found by.")
    seen = set()
    for value in listed:
        known = value if isinstance(value, bool | int | float | str) else text_of({name: value})
        if known in seen:
            raise BadParameter(f"grid[{name!r}] holds {value!r} twice: name each value once.")
        seen.add(known)
    return listed


def plain(name: str, value: Any) -> Any:
    """Return a value in plain Python types; a callable stays what it is.

    Accepted are numbers, texts, True, False, None, functions, and lists, tuples and dictionaries of them. Scalars of
    numpy and torch become Python's.

    Raises:
        BadParameter: for anything else, as it could not be told apart from another.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value.item() if isinstance(value, np.generic) else value
    if isinstance(value, list | tuple):
        items = [plain(name, item) for item in value]
        return tuple(items) if isinstance(value, tuple) else items
    if isinstance(value, Mapping):
        return {str(key): plain(name, item) for key, item in value.items()}
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        return value.item()
    if callable(value) and not isinstance(value, type):
        return value
    raise BadParameter(
        f"{name} = {value!r:.60} cannot be a parameter of a sweep: numbers, texts, True, False, None, functions, and "
        "lists and dictionaries of them are accepted (of an array give .tolist())."
    )


def text_of(parameters: Mapping[str, Any]) -> str:
    """Return the parameters of a cell as JSON, the same text for the same values in whatever order."""
    return _ENCODER.encode(parameters)


def _function_text(value: Callable) -> dict[str, str]:
    try:
        found = _fingerprint_of(value)
    except TypeError as error:
        raise BadParameter(str(error)) from error
    return {"function": found.name, "code": found.code}


_fingerprint_of = functools.lru_cache(maxsize=256)(fingerprint)
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_function_text)
