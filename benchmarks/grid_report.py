"""What was measured on grids, as tables on the terminal and as Markdown."""

import datetime
import os
import platform
import sqlite3

from report import aligned, version_of

BUSY = ("grid of busy cells", "processes", "wall, s", "CPU of the cells, s", "wall / ideal", "to reach")
TRIVIAL = ("trivial cells", "cells", "wall a cell, µs", "against sweep", "keeps on disk")
KEEPS = {
    "sweep": "each cell as it ends",
    "sweep, fewer cells": "each cell as it ends",
    "sweep, all cells in the store": "all is there",
    "SQLite alone, one process": "each row; runs no cell",
}


def busy_rows(found: dict) -> list[tuple[str, ...]]:
    """Return one row for each way of running the busy cells.

    Args:
        found: of ``measure_grids``.
    """
    return [
        (row["what"], str(row["workers"]), f"{row['wall']:.3g}", f"{row['cpu']:.3g}", f"{row['over']:.3f}",
         f"{row['reach']:g}" if row["reach"] else "")
        for row in found["busy"]
    ]  # fmt: skip


def trivial_rows(found: dict) -> list[tuple[str, ...]]:
    """Return one row for each way of running the trivial cells; one that is missing says why.

    Args:
        found: of ``measure_grids``.
    """
    ours, rows = found["trivial"][0]["microseconds"], []
    for row in found["trivial"]:
        first, last = (row["what"], f"{row['cells']:,}"), KEEPS.get(row["what"], "nothing")
        if "missing" in row:
            rows.append((*first, row["missing"], "", last))
        else:
            rows.append((*first, f"{row['microseconds']:.3g}", f"{row['microseconds'] / ours:.2f}", last))
    return rows


def sentences(found: dict) -> list[str]:
    """Return what else was measured and under which circumstances, without the name of the machine.

    Args:
        found: of ``measure_grids``.
    """
    memory = "; ".join(
        f"{row['cells']:,} cells: {row['start']:.0f} MB before, {row['peak']:.0f} MB at most, {row['end']:.0f} MB after"
        for row in found["memory"]
    )
    busy = "" if found["quiet"] else ": **other work ran on the machine**"
    versions = [f"Python {platform.python_version()}", f"SQLite {sqlite3.sqlite_version}"]
    versions += [f"{name} {version_of(name)}" for name in ("joblib", "distributed")]
    return [
        f"two processes against one, busy cells: {found['speedup']['ratio']:.2f} times as fast "
        f"(to reach: {found['speedup']['reach']:g}).",
        f"memory of the calling process: {memory}; {found['bytes_per_cell']:.0f} bytes for each further cell.",
        f"time: wall clock, as the work is done in other processes; medians of {found['size']['rounds']} "
        "interleaved rounds; two processes where nothing else is said.",
        f"load average in the minute before: {found['load']:.2f}{busy}.",
        f"date: {datetime.date.today().isoformat()}; machine: {os.cpu_count()} cores.",
        f"versions: {', '.join(versions)}.",
    ]


def grids_markdown(found: dict) -> str:
    """Return both tables with their circumstances.

    Args:
        found: of ``measure_grids``.
    """
    parts = []
    for columns, rows in ((BUSY, busy_rows(found)), (TRIVIAL, trivial_rows(found))):
        lines = ["| " + " | ".join(columns) + " |", "|---" + "|--:" * (len(columns) - 2) + "|---|"]
        parts += ["\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]), ""]
    return "\n".join(parts + [f"- {sentence}" for sentence in sentences(found)])


def grids_plain(found: dict) -> str:
    """Return both tables for a terminal.

    Args:
        found: of ``measure_grids``.
    """
    tables = [aligned([BUSY, *busy_rows(found)]), "", aligned([TRIVIAL, *trivial_rows(found)])]
    return "\n".join(tables + [""] + sentences(found)).replace("**", "")
