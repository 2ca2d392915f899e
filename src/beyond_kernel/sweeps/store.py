"""Finished cells in one SQLite file: a row each, written the moment the cell ends."""

import contextlib
import os
import sqlite3
import struct
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from beyond_kernel.sweeps.results import DONE, Outcome

# This module is loaded by every worker process: it needs the standard library and nothing slower.

APPLICATION = 0x424B5357  # "BKSW", stands in the file's header: whose file it is
FORMAT = 1
MAGIC = b"SQLite format 3\x00"
PATIENCE = 60_000  # milliseconds that a writer waits for another one
SCHEMA = f"""
CREATE TABLE functions (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL, code TEXT NOT NULL, versions TEXT NOT NULL,
  used REAL NOT NULL DEFAULT 0, UNIQUE (name, code));
CREATE TABLE cells (
  key BLOB PRIMARY KEY, function INTEGER NOT NULL REFERENCES functions (id), parameters TEXT NOT NULL,
  status TEXT NOT NULL, result BLOB, error TEXT NOT NULL, cpu REAL NOT NULL, wall REAL NOT NULL, ended REAL NOT NULL,
  digest BLOB NOT NULL) WITHOUT ROWID;
PRAGMA application_id = {APPLICATION};
PRAGMA user_version = {FORMAT};
"""
PUT = """
INSERT INTO cells VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (key) DO UPDATE SET status = excluded.status, result = excluded.result, error = excluded.error,
  cpu = excluded.cpu, wall = excluded.wall, ended = excluded.ended, digest = excluded.digest
WHERE cells.status != 'done'
"""


class StoreError(RuntimeError):
    """A store that cannot be used, in one sentence; what it held before is still there."""

    def _render_traceback_(self) -> list[str]:
        return [f"{type(self).__name__}: {self}"]


@dataclass(frozen=True)
class Version:
    """A function as a store knows it.

    Attributes:
        id: its number in the file.
        name: module and name.
        code: digest of its code and of the modules it uses.
        versions: of Python and the libraries with which its first cell was run, as text.
    """

    id: int
    name: str
    code: str
    versions: str = ""


def cell_key(name: str, code: str, parameters: str) -> bytes:
    """Return the key of one cell: function, version of its code, parameters as text."""
    return blake2b("\n".join([name, code, parameters]).encode(), digest_size=16).digest()


class Store:
    """An open store. Several processes may write to one file; every write is a transaction of its own.

    Args:
        path: of the file; created where there is none.
        lasting: False for a file that nobody needs after a power cut.
        known: True for a file that another process of the same sweep has examined.

    Raises:
        StoreError: if the file is damaged or is no store, which leaves it as it is, or if it cannot be written.
    """

    def __init__(self, path: Path | str, lasting: bool = True, known: bool = False):
        self.path, self.lasting = Path(path), lasting
        with self._told():
            if not self.path.exists() and not known:
                _create(self.path)
            if not known:
                examine(self.path)
            if not os.access(self.path, os.W_OK) or not os.access(self.path.parent, os.W_OK):
                raise StoreError(f"{self.path} cannot be written: the file or its folder is read-only.")
            self._connection = sqlite3.connect(self.path, timeout=PATIENCE / 1000, isolation_level=None)
            self._connection.execute(f"PRAGMA synchronous = {'NORMAL' if lasting else 'OFF'}")

    def version(self, name: str, code: str, versions: str) -> Version:
        """Return the row of a function at one version of its code, made where there is none."""
        with self._told():
            insert = "INSERT OR IGNORE INTO functions (name, code, versions) VALUES (?, ?, ?)"
            self._connection.execute(insert, (name, code, versions))
            select = "SELECT id, name, code, versions FROM functions WHERE name = ? AND code = ?"
            return Version(*self._connection.execute(select, (name, code)).fetchone())

    def versions(self) -> list[Version]:
        """Return all functions at all versions of their code, the one that a sweep used last at the end."""
        with self._told():
            rows = self._connection.execute("SELECT id, name, code, versions FROM functions ORDER BY used, id")
            return [Version(*row) for row in rows]

    def touch(self, version: Version) -> None:
        """Note that a version was used now."""
        with self._told():
            self._connection.execute("UPDATE functions SET used = ? WHERE id = ?", (time.time(), version.id))

    def put(self, version: Version, parameters: str, outcome: Outcome) -> None:
        """Write how a cell ended; a cell that is done is never replaced.

        Raises:
            StoreError: if the file cannot take it; all cells before are safe.
        """
        key = cell_key(version.name, version.code, parameters)
        told = (parameters, outcome.status, outcome.result, outcome.error, outcome.cpu, outcome.wall, time.time())
        with self._told():
            self._connection.execute(PUT, (key, version.id, *told, _digest(version, *told)))

    def get(self, version: Version, parameters: str) -> Outcome | None:
        """Return how a cell ended, or None.

        Raises:
            StoreError: if the row is not as it was written.
        """
        key = cell_key(version.name, version.code, parameters)
        columns = "parameters, status, result, error, cpu, wall, ended, digest"
        with self._told():
            row = self._connection.execute(f"SELECT {columns} FROM cells WHERE key = ?", (key,)).fetchone()
        return _checked(self.path, version, *row) if row else None

    def holds(self, version: Version) -> bool:
        """Say whether there is any cell of a version."""
        with self._told():
            query = "SELECT 1 FROM cells WHERE function = ? LIMIT 1"
            return self._connection.execute(query, (version.id,)).fetchone() is not None

    def is_done(self, version: Version, parameters: str) -> bool:
        """Say whether a cell is done."""
        outcome = self.get(version, parameters)
        return outcome is not None and outcome.status == DONE

    def cells(self, version: Version) -> Iterator[tuple[str, Outcome, float]]:
        """Yield parameters, outcome and time of writing of every cell of one version, in the order of writing.

        Raises:
            StoreError: if a row is not as it was written.
        """
        columns = "parameters, status, result, error, cpu, wall, ended, digest"
        with self._told():
            query = f"SELECT {columns} FROM cells WHERE function = ? ORDER BY ended, key"
            for row in self._connection.execute(query, (version.id,)):
                yield row[0], _checked(self.path, version, *row), row[6]

    def counts(self) -> list[tuple[Version, str, int, float]]:
        """Return for each version and status the number of cells and their CPU seconds."""
        query = "SELECT status, COUNT(*), SUM(cpu) FROM cells WHERE function = ? GROUP BY status ORDER BY status"
        with self._told():
            return [
                (version, *row) for version in self.versions() for row in self._connection.execute(query, (version.id,))
            ]

    def remove(self, version: Version) -> int:
        """Remove a version of a function with its cells; return how many cells went."""
        with self._told():
            self._connection.execute("BEGIN IMMEDIATE")
            gone = self._connection.execute("DELETE FROM cells WHERE function = ?", (version.id,)).rowcount
            self._connection.execute("DELETE FROM functions WHERE id = ?", (version.id,))
            self._connection.execute("COMMIT")
        return gone

    def compact(self) -> None:
        """Give the space of removed cells back to the disk."""
        with self._told():
            self._connection.execute("VACUUM")

    def close(self) -> None:
        """Close the file; a disk that is full leaves the last cells in the file's journal, where they are safe."""
        with contextlib.suppress(sqlite3.Error):
            self._connection.close()

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _told(self) -> contextlib.AbstractContextManager:
        return _told(self.path)


def examine(path: Path) -> None:
    """Refuse a file that is no store, is of a newer format, or is damaged; nothing is written.

    Args:
        path: of a file that exists.

    Raises:
        StoreError: with the reason.
    """
    with _told(path):
        with path.open("rb") as file:
            header = file.read(100)
        if len(header) < 100 or not header.startswith(MAGIC) or header[68:72] != struct.pack(">I", APPLICATION):
            raise StoreError(f"{path} is no store of a sweep, or its beginning is damaged; it was left as it is.")
        (written,) = struct.unpack(">I", header[60:64])
        if written != FORMAT:
            raise StoreError(f"{path} is a store of format {written}, this package reads format {FORMAT}.")
        journal = path.with_name(path.name + "-wal")
        if journal.exists() and journal.stat().st_size:
            faults = _faults(f"{path.absolute().as_uri()}?mode=ro")
        else:
            faults = _faults(f"{path.absolute().as_uri()}?mode=ro&immutable=1")  # makes no files beside it
        if faults and not journal.exists():
            raise StoreError(f"{path} is damaged ({faults[0]}); it was left as it is.")
        if faults and _faults(f"{path.absolute().as_uri()}?mode=ro"):  # again: another process may have been at work
            raise StoreError(f"{path} is damaged ({faults[0]}); it was left as it is.")


def _faults(uri: str) -> list[str]:
    connection = sqlite3.connect(uri, uri=True, timeout=PATIENCE / 1000)
    try:
        found = [row[0] for row in connection.execute("PRAGMA quick_check(3)") if row[0] != "ok"]
        connection.execute("SELECT key, digest FROM cells LIMIT 1").fetchone()
        return found
    except sqlite3.DatabaseError as error:
        return [str(error)]
    finally:
        connection.close()


def _create(path: Path) -> None:
    """Make an empty store beside its place and move it there in one step, so that no half of one is ever seen."""
    if not path.parent.is_dir():
        raise StoreError(f"{path} cannot be made: there is no folder {path.parent}.")
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    os.close(handle)
    try:
        connection = sqlite3.connect(name)
        try:
            connection.executescript(SCHEMA)
            connection.execute("PRAGMA journal_mode = WAL")
        finally:
            connection.close()
        with contextlib.suppress(FileExistsError):  # another process was faster: its store is as good
            os.link(name, path)
    finally:
        os.unlink(name)


def _digest(version: Version, *told: object) -> bytes:
    text = repr((version.name, version.code, *told)).encode()
    return blake2b(text, digest_size=16).digest()


def _checked(path: Path, version: Version, *row: object) -> Outcome:
    *told, digest = row
    if _digest(version, *told) != digest:
        raise StoreError(f"{path} is damaged (a cell is not as it was written); it was left as it is.")
    _, status, result, error, cpu, wall, _ = told
    return Outcome(status, result, error, cpu, wall)


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    """Turn what SQLite and the system say into one sentence."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise StoreError(f"{path} cannot be used ({error}); what it held is safe.") from error
    except sqlite3.DatabaseError as error:
        raise StoreError(f"{path} is damaged ({error}); it was left as it is.") from error
    except OSError as error:
        raise StoreError(f"{path} cannot be used ({error.strerror or error}); what it held is safe.") from error
