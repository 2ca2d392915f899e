"""Checks of numbers, texts and arrays: one sentence that names the value and what is accepted."""

import difflib
import math
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:  # loaded by whoever has a tensor; a process without any, such as one that only sweeps, need not wait
    import torch


class BadParameter(ValueError):
    """A value that cannot be used; in a notebook it shows its one sentence and no stack."""

    def _render_traceback_(self) -> list[str]:
        return [f"{type(self).__name__}: {self}"]


def whole_number(name: str, value: Any, least: int | None = 1, most: int | None = None) -> int:
    """Return ``value`` if it is an integer between ``least`` and ``most``, both included.

    Raises:
        BadParameter: for anything else (also ``True`` and ``3.0``).

    >>> whole_number("d", 3)
    3
    """
    accepted = f"a whole number{_interval(least, most)}"
    if isinstance(value, bool) or not isinstance(value, int):
        raise BadParameter(f"{name} = {value!r} is not accepted: it must be {accepted}.")
    if (least is not None and value < least) or (most is not None and value > most):
        raise BadParameter(f"{name} = {value!r} is out of range: it must be {accepted}.")
    return value


def real_number(
    name: str, value: Any, least: float | None = None, most: float | None = None, above: float | None = None
) -> float:
    """Return ``value`` as a float if it is a finite number in the given range (``above`` excludes its end).

    Raises:
        BadParameter: for anything else (also ``True``, NaN and infinities).
    """
    accepted = "a finite number" + (f" above {above:g}" if above is not None else _interval(least, most))
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise BadParameter(f"{name} = {value!r} is not accepted: it must be {accepted}.")
    low = (least is not None and value < least) or (above is not None and value <= above)
    if low or (most is not None and value > most):
        raise BadParameter(f"{name} = {value!r} is out of range: it must be {accepted}.")
    return float(value)


def one_of(name: str, value: Any, options: Sequence[str]) -> str:
    """Return ``value`` if it is one of ``options``.

    Raises:
        BadParameter: otherwise, with the nearest option.
    """
    if value not in options:
        raise BadParameter(
            f"{name} = {value!r} is not known: it must be one of {', '.join(options)}{nearest(value, options)}."
        )
    return value


def list_of(name: str, value: Any, check: Callable[[str, Any], Any], least_length: int = 1) -> list:
    """Return ``value`` as a list after ``check(name, item)`` has passed each of its items.

    Raises:
        BadParameter: if it is no list, is too short, or an item fails.
    """
    if not isinstance(value, list | tuple) or len(value) < least_length:
        raise BadParameter(f"{name} = {value!r} is not accepted: it must be a list of at least {least_length}.")
    return [check(f"{name}[{i}]", item) for i, item in enumerate(value)]


def matrix(name: str, tensor: Any, columns: int | None = None) -> "torch.Tensor":
    """Return ``tensor`` if it is a non-empty, finite, floating-point matrix with ``columns`` columns.

    Raises:
        TypeError: if it is no floating-point tensor.
        BadParameter: if its shape or its entries are not as asked.
    """
    floating(name, tensor)
    wanted = f"(n, {columns})" if columns is not None else "(n, d)"
    if tensor.ndim != 2 or 0 in tensor.shape or (columns is not None and tensor.shape[1] != columns):
        raise BadParameter(f"{name} has shape {tuple(tensor.shape)}: it must have shape {wanted}, non-empty.")
    return _finite(name, tensor)


def vector(name: str, tensor: Any, length: int | None = None) -> "torch.Tensor":
    """Return ``tensor`` if it is a non-empty, finite, floating-point vector with ``length`` entries.

    Raises:
        TypeError: if it is no floating-point tensor.
        BadParameter: if its shape or its entries are not as asked.
    """
    floating(name, tensor)
    if tensor.ndim != 1 or len(tensor) == 0 or (length is not None and len(tensor) != length):
        wanted = "(n,)" if length is None else f"({length},)"
        raise BadParameter(f"{name} has shape {tuple(tensor.shape)}: it must have shape {wanted}, non-empty.")
    return _finite(name, tensor)


def _interval(least: float | None, most: float | None) -> str:
    if least is not None and most is not None:
        return f" from {least:g} to {most:g}"
    if least is not None:
        return f" of at least {least:g}"
    return f" of at most {most:g}" if most is not None else ""


def nearest(value: Any, options: Sequence[str]) -> str:
    """Return a hint at the option that looks most like a value, or nothing."""
    found = difflib.get_close_matches(str(value), options, n=1)
    return f" (did you mean {found[0]!r}?)" if found else ""


def floating(name: str, tensor: Any) -> "torch.Tensor":
    """Return ``tensor`` if it is a floating-point tensor, of any shape and with any entries.

    Raises:
        TypeError: otherwise, with what makes one.
    """
    if _is_tensor(tensor) and tensor.is_floating_point():
        return tensor
    kind = tensor.dtype if _is_tensor(tensor) else type(tensor).__name__
    raise TypeError(f"{name} is of type {kind}: it must be a floating-point torch tensor{_remedy(name, tensor)}.")


def _is_tensor(value: Any) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def _remedy(name: str, value: Any) -> str:
    """Return how to make a floating-point tensor of a value, or nothing where that cannot be known."""
    if _is_tensor(value):
        return "" if value.is_complex() else f", such as {name}.double()"
    if callable(value):
        return ", the values themselves and no function"
    if isinstance(value, np.ndarray) and np.issubdtype(value.dtype, np.floating):
        return f", such as torch.as_tensor({name})"
    if isinstance(value, np.ndarray | list | tuple):
        return f", such as torch.as_tensor({name}, dtype=torch.float64)"
    return ""


def _finite(name: str, tensor: "torch.Tensor") -> "torch.Tensor":
    if not tensor.sum().isfinite() and not tensor.isfinite().all():  # the sum alone is five times faster
        raise BadParameter(f"{name} holds {int((~tensor.isfinite()).sum())} entries that are not finite.")
    return tensor
