"""Assemble the sources of the site from pages and executed chapters, and have Jupyter Book build it."""

import base64
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import founding
import ledger
import nbformat
from parameter_table import folded, parameter_table
from plan import BuildError, Run
from runs import RECORD, clock, kernel_environment, tagged

COMPLAINT = re.compile(r"\b(WARNING|ERROR|CRITICAL): |^[\w.]*Error: .|^Extension error|threw an exception")
JUPYTER_BOOK = "from jupyter_book.cli.main import main; main()"


def assemble(root: Path, runs: Sequence[Run]) -> ledger.Claims:
    """Write _build/source from configuration, pages and executed chapters, and return the claims.

    Raises:
        BuildError: if claims are missing or incomplete.
    """
    source = root / "_build" / "source"
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(root / "book", source / "book", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("_config.yml", "_toc.yml"):
        shutil.copy2(root / name, source / name)
    notebooks = {run.chapter: nbformat.read(run.output, as_version=4) for run in runs}
    claims = {chapter: ledger.claims_of(notebook) for chapter, notebook in notebooks.items()}
    ledger.check(claims, root)
    for chapter, notebook in notebooks.items():
        path = source / "chapters" / f"{chapter}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(site_copy(notebook), path)
        write_figures(notebook, source / "book" / "figures")
    titles = {chapter: title(notebook) for chapter, notebook in notebooks.items()}
    ledger.write_page(source / "book" / "claims.md", claims, titles)
    founding.write_page(source / "book", claims)
    ledger.write_data(root / "_build" / "claims.json", claims, runs[0].profile)
    return claims


def site_copy(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Return an executed chapter as the site shows it.

    A table says what the parameters mean and what they were; their cell is folded, and the one in which papermill set
    them is hidden, so that a downloaded copy still runs with them. A note at the foot says how the page was made.
    """
    made = notebook.metadata[RECORD]
    for key in ("papermill", RECORD):
        notebook.metadata.pop(key, None)
    cells = []
    for cell in notebook.cells:
        cell.metadata.pop("papermill", None)
        for output in cell.get("outputs", []):
            output.get("data", {}).pop(ledger.MIME, None)  # read by the ledger; Sphinx does not know the type
        if tagged(cell, "injected-parameters"):
            cell.metadata["tags"].append("remove-cell")
        if tagged(cell, "parameters"):
            shown = parameter_table(cell.source, dict(made["parameters"]), made["profile"])
            cells.append(markdown("parameters-used", shown))
            cell = folded(cell)
        cells.append(cell)
    cells.append(markdown("about-this-run", run_note(made)))
    notebook.cells = cells
    return notebook


def write_figures(notebook: nbformat.NotebookNode, folder: Path) -> None:
    """Write each named figure of an executed chapter as <name>.png, so that a page can show the one of this run."""
    folder.mkdir(exist_ok=True)
    for cell in notebook.cells:
        name = cell.metadata.get("mystnb", {}).get("figure", {}).get("name")
        images = [out.data["image/png"] for out in cell.get("outputs", []) if "image/png" in out.get("data", {})]
        if name and images:
            (folder / f"{name}.png").write_bytes(base64.b64decode(images[-1]))


def markdown(name: str, text: str) -> nbformat.NotebookNode:
    """Return a Markdown cell with an id of its own."""
    return nbformat.v4.new_markdown_cell(text, id=name)


def run_note(made: Mapping[str, Any]) -> str:
    """Return the note at the foot of a chapter: profile, seed, time, machine and versions."""
    versions = ", ".join(f"{name} {number}" for name, number in made["versions"].items())
    seed = dict(made["parameters"]).get("seed", "none")
    return (
        ":::{admonition} About this run\n:class: run-note\n"
        f"{made['profile'].capitalize()} profile, seed {seed}. It took {clock(made['seconds'])} with one "
        f"BLAS thread on a machine with {ledger.plain(made['machine'])}. "
        f"Python {made['python']}, {ledger.plain(versions)}.\n:::"
    )


def title(notebook: nbformat.NotebookNode) -> str:
    """Return the text of the first heading of a notebook."""
    found = re.search(r"^# (.+)$", notebook.cells[0].source, re.MULTILINE)
    return found[1].strip() if found else "Untitled"


def build_html(root: Path) -> Path:
    """Build the site anew and return its index page; every warning of Sphinx is an error.

    Raises:
        BuildError: with the warnings, if there are any.
    """
    build = root / "_build"
    # A cached page would not repeat its warnings, and one that was removed would stay.
    for stale in ("html", ".doctrees"):
        shutil.rmtree(build / stale, ignore_errors=True)
    options = ["build", str(build / "source"), "--path-output", str(root), "-W", "-n", "--keep-going"]
    result = subprocess.run(
        [sys.executable, "-c", JUPYTER_BOOK, *options],
        env=kernel_environment(root),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    log = build / "site.log"
    log.write_text(result.stdout, "utf-8")
    if result.returncode:
        head = f"Jupyter Book ended with {result.returncode}; all that it wrote is in {log}."
        raise BuildError(f"{head}\n{complaints(result.stdout)}")
    return build / "html" / "index.html"


def complaints(text: str) -> str:
    """Return the warnings and errors in the output of Jupyter Book, or its end if there are none."""
    colourless = re.sub(r"\x1b\[[0-9;]*m", "", text).splitlines()
    found = [line for line in colourless if COMPLAINT.search(line)]
    return "\n".join(f"  {line}" for line in found or colourless[-15:])
