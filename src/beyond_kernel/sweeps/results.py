"""What one cell of a grid gave: its named results as bytes, or why there are none."""

import json
import math
import random
import struct
import sys
import time
import traceback
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np

# This module is loaded by every worker process: it needs numpy and nothing slower.

DONE, RAISED, NAN, TIMEOUT, DIED = "done", "raised", "nan", "timeout", "died"
KINDS = "biufcU"  # numbers and text; never objects, which would need a pickle
LONGEST_ERROR = 8000


@dataclass(frozen=True)
class Outcome:
    """How one cell ended.

    Attributes:
        status: "done", "raised", "nan", "timeout" or "died".
        result: of ``pack``; None where the cell returned nothing usable.
        error: the traceback, or a sentence; empty for a cell that is done.
        cpu: CPU seconds of the cell's own process.
        wall: seconds on the clock.
    """

    status: str
    result: bytes | None = None
    error: str = ""
    cpu: float = 0.0
    wall: float = 0.0


def pack(results: Mapping[str, Any]) -> bytes:
    """Return named numbers and arrays as bytes: a JSON header with dtypes and shapes, then the values.

    Args:
        results: by name a number, a text, or an array or tensor of them.

    Raises:
        TypeError: if it is no mapping, a name is no text, or a value is neither numbers nor text.
    """
    if not isinstance(results, Mapping) or not results:
        raise TypeError(f"a cell must return a dictionary of named results, this one returned {results!r:.80}.")
    arrays = {name: _array(name, value) for name, value in results.items()}
    header = json.dumps({name: [array.dtype.str, array.shape] for name, array in arrays.items()}).encode()
    return b"".join([struct.pack("<I", len(header)), header, *(array.tobytes() for array in arrays.values())])


def unpack(packed: bytes) -> dict[str, np.ndarray]:
    """Return what was packed, each value as an array of its own dtype and shape."""
    (length,) = struct.unpack_from("<I", packed)
    place, arrays = 4 + length, {}
    for name, (dtype, shape) in json.loads(packed[4:place]).items():
        count = math.prod(shape)
        arrays[name] = np.frombuffer(packed, dtype, count, place).reshape(shape) if count else np.empty(shape, dtype)
        place += count * np.dtype(dtype).itemsize
    return arrays


def _array(name: Any, value: Any) -> np.ndarray:
    if not isinstance(name, str):
        raise TypeError(f"a result has the name {name!r}: names are texts.")
    if hasattr(value, "detach"):
        value = value.detach().cpu()
    array = np.asarray(value)
    if array.dtype.kind not in KINDS:
        raise TypeError(f"the result {name} is a {type(value).__name__}: numbers and arrays of numbers are accepted.")
    return array.astype(array.dtype.newbyteorder("<"), order="C", copy=False)


def run_function(
    function: Callable[..., Mapping[str, Any]], parameters: Mapping[str, Any], seed: int, may_be_nan: Collection[str]
) -> Outcome:
    """Run one cell; whatever it raises is part of the outcome.

    Generators that the cell does not make itself start from ``seed``, so that they too depend on its parameters alone.

    Args:
        function: takes the parameters as keywords and returns named results.
        parameters: of this cell.
        seed: from 0 to 2^64 - 1.
        may_be_nan: names of results that may hold NaN.
    """
    _seed_all(seed)
    wall, cpu = time.perf_counter(), time.process_time()
    try:
        results = function(**parameters)
        spent = time.process_time() - cpu, time.perf_counter() - wall
        packed = pack(results)
    except (Exception, SystemExit) as error:
        spent = time.process_time() - cpu, time.perf_counter() - wall
        below = error.__traceback__.tb_next  # without the frame of this function
        lines = traceback.format_exception(type(error), error, below or error.__traceback__)
        return Outcome(RAISED, None, "".join(lines)[-LONGEST_ERROR:].strip(), *spent)
    told = nan_told(unpack(packed), may_be_nan)
    return Outcome(NAN if told else DONE, packed, told, *spent)


def nan_told(results: Mapping[str, np.ndarray], may_be_nan: Collection[str]) -> str:
    """Return a sentence that names the results that hold NaN and must not, or nothing."""
    checked = {name: array for name, array in results.items() if name not in may_be_nan and array.dtype.kind in "fc"}
    bad = [name for name, array in checked.items() if np.isnan(array).any()]
    return f"{', '.join(bad)} is NaN, or holds NaN." if bad else ""


def seed_of(parameters: str) -> int:
    """Return a seed that depends on the parameters of a cell, given as text, and on nothing else."""
    return int.from_bytes(blake2b(parameters.encode(), digest_size=8).digest(), "little")


def _seed_all(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 - the old generator is the one that others may use unasked
    if torch := sys.modules.get("torch"):
        own = torch.default_generator.manual_seed  # a hundred times faster than the one that looks for devices
        (torch.manual_seed if torch.accelerator.is_available() else own)(seed % 2**63)
