"""What is to be run: chapters in the order of the table of contents, their parameters, the key of a run."""

import ast
import difflib
import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import yaml
from imports import files_of

PROFILES = ("full", "quick")
FORMAT = 1  # of what a run leaves behind; a new one makes every chapter run again


class BuildError(Exception):
    """Something that the reader or the author can mend; shown as its sentence, without a stack."""


@dataclass(frozen=True)
class Run:
    """One execution of one chapter.

    Attributes:
        chapter: its name, "part/idea".
        source: the committed notebook.
        output: where the executed copy goes.
        profile: "full" or "quick".
        parameters: every parameter with the value of this run.
        injected: those among them that papermill sets; the others keep the notebook's own value.
        timeout: in seconds, for the whole chapter.
        key: fingerprint of everything that decides the outcome.
    """

    chapter: str
    source: Path
    output: Path
    profile: str
    parameters: dict[str, Any]
    injected: dict[str, Any]
    timeout: float
    key: str


def pages(root: Path) -> list[str]:
    """Return every page of the table of contents in reading order, without suffix."""

    def walk(node: Any) -> list[str]:
        if isinstance(node, list):
            return [page for item in node for page in walk(item)]
        if not isinstance(node, dict):
            return []
        own = [node[key] for key in ("root", "file") if key in node]
        return own + [page for key in ("parts", "chapters", "sections") for page in walk(node.get(key, []))]

    return walk(yaml.safe_load((root / "_toc.yml").read_text("utf-8")))


def chapters(root: Path) -> list[str]:
    """Return the chapters of the table of contents, each as "part/idea"."""
    return [page.removeprefix("chapters/") for page in pages(root) if page.startswith("chapters/")]


def find_chapter(given: str, names: list[str]) -> str:
    """Return the chapter meant by a path, "part/idea" or "idea".

    Raises:
        BuildError: if there is none, with the nearest and all accepted names.
    """
    wanted = given.removesuffix(".ipynb")
    for name in names:
        if wanted in (name, name.split("/")[-1]) or f"/{wanted}".endswith(f"/chapters/{name}"):
            return name
    hint = nearest(wanted, [*names, *(name.split("/")[-1] for name in names)])
    raise BuildError(f"There is no chapter {given!r}{hint}. The chapters are: {', '.join(names)}.")


def declared_parameters(notebook: nbformat.NotebookNode, chapter: str) -> dict[str, Any]:
    """Return name and default of every parameter in the cell tagged ``parameters``.

    Raises:
        BuildError: if there is no such cell or it holds anything but assignments of literals.
    """
    cells = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    if len(cells) != 1:
        raise BuildError(f"{chapter} has {len(cells)} cells tagged `parameters`: it needs exactly one.")
    found = {}
    for node in ast.parse(cells[0].source).body:
        try:
            (target,) = node.targets
            found[target.id] = ast.literal_eval(node.value)
        except (AttributeError, ValueError):
            line = ast.unparse(node)
            raise BuildError(f"{chapter}: the parameters cell holds {line!r}, no `name = literal`.") from None
    return found


def assignments(texts: list[str]) -> dict[str, Any]:
    """Read ``name=value`` pairs, several in one text if need be: ``d=26 target="He2(z1) + z2*z3"``.

    Values are read as YAML; a number such as ``1e-3``, which YAML takes for text, becomes a number.

    Raises:
        BuildError: for a text without ``name=`` at its start or a value that is no YAML.
    """
    found = {}
    for text in texts:
        before, *rest = re.split(r"(?:^|\s)([A-Za-z_]\w*)\s*=(?!=)", text)
        if before.strip() or not rest:
            raise BuildError(f"--set {text!r} is not understood: write name=value.")
        for name, value in zip(rest[::2], rest[1::2], strict=True):
            found[name] = _value(name, value.strip())
    return found


def _value(name: str, text: str) -> Any:
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        raise BuildError(f"The value {text!r} of {name} is no YAML: put text into quotes.") from None
    try:
        return float(text) if isinstance(value, str) else value
    except ValueError:
        return value


def known(names: list[str], declared: list[str], chapter: str) -> None:
    """Refuse names that the chapter does not declare.

    Raises:
        BuildError: for the first of them, with the nearest and all accepted names.
    """
    for name in names:
        if name not in declared:
            hint, accepted = nearest(name, declared), ", ".join(declared)
            raise BuildError(f"{name!r} is no parameter of {chapter}{hint}. It takes: {accepted}.")


def nearest(given: str, options: list[str]) -> str:
    """Return a hint at the option that looks most like what was given, or nothing."""
    found = difflib.get_close_matches(given, options, n=1, cutoff=0.5)
    return f" (did you mean {found[0]!r}?)" if found else ""


def profile_parameters(profiles: dict, profile: str, chapter: str, declared: dict) -> dict[str, Any]:
    """Return what a profile sets for a chapter: nothing for quick, every declared parameter for full.

    Raises:
        BuildError: if book/profiles.yml and the notebook do not name the same parameters.
    """
    if profile == "quick":
        return {}
    given = (profiles["full"] or {}).get(chapter) or {}
    if set(given) != set(declared):
        difference = {"lacks": set(declared) - set(given), "has the unknown": set(given) - set(declared)}
        parts = [f"{verb} {', '.join(sorted(names))}" for verb, names in difference.items() if names]
        raise BuildError(f"book/profiles.yml, full, {chapter}: it {' and '.join(parts)}.")
    return given


def run_key(root: Path, chapter: str, notebook: nbformat.NotebookNode, parameters: dict[str, Any]) -> str:
    """Return the fingerprint of a run: notebook without outputs, parameters, pins and what the notebook imports.

    A module counts with all its bytes, docstrings included: what does not change a number may change a page.

    Raises:
        BuildError: if what the chapter imports cannot be found or read.
    """
    cells = [[cell.cell_type, cell.source, cell.metadata] for cell in notebook.cells]
    digest = hashlib.sha256(json.dumps([FORMAT, cells, parameters], sort_keys=True, default=str).encode())
    try:
        files = files_of([cell.source for cell in notebook.cells if cell.cell_type == "code"], root / "src")
    except ImportError as error:
        raise BuildError(f"{chapter}: {error}.") from None
    for path in [*files, root / "constraints.txt"]:
        content = path.read_bytes()
        digest.update(f"\0{path.relative_to(root).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def plan_all(root: Path, profile: str, names: list[str], settings: dict[str, Any], output: Path | None) -> list[Run]:
    """Return the runs of several chapters, see ``plan_run``.

    Raises:
        BuildError: with one line for each chapter that cannot be run.
    """
    runs, faults = [], []
    for name in names:
        try:
            runs.append(plan_run(root, profile, name, settings, output))
        except BuildError as error:
            faults.append(str(error))
    if faults:
        raise BuildError("\n".join(faults))
    return runs


def plan_run(root: Path, profile: str, chapter: str, settings: dict[str, Any], output: Path | None) -> Run:
    """Return the run of one chapter under a profile, with settings of the reader's own if there are any.

    Args:
        root: of the repository.
        profile: "full" or "quick".
        chapter: "part/idea".
        settings: parameters that override the profile; with any of them the run gets a file of its own.
        output: where to put the executed copy; None for the usual place.

    Raises:
        BuildError: for a missing notebook, unknown names, a profile that does not fit the notebook, or imports that
            cannot be followed.
    """
    source = root / "chapters" / f"{chapter}.ipynb"
    if not source.is_file():
        raise BuildError(f"_toc.yml names {chapter}, but chapters/{chapter}.ipynb is not there.")
    notebook = nbformat.read(source, as_version=4)
    profiles = yaml.safe_load((root / "book" / "profiles.yml").read_text("utf-8"))
    declared = declared_parameters(notebook, chapter)
    known(list(settings), list(declared), chapter)
    injected = {**profile_parameters(profiles, profile, chapter, declared), **settings}
    parameters = {**declared, **injected}
    key = run_key(root, chapter, notebook, parameters)
    own = root / "_build" / "own" / f"{chapter.split('/')[-1]}-{key[:8]}.ipynb"
    usual = own if settings else root / "_build" / "run" / profile / f"{chapter}.ipynb"
    timeout = 60.0 * profiles["timeout_minutes"][profile]
    return Run(chapter, source, output or usual, profile, parameters, injected, timeout, key)
