"""Rules about a chapter's code cells: short, at home on any machine, honest, and stored without outputs."""

import ast
import re
from collections.abc import Iterator

from chapter_cells import SHELL_LINE, Chapter, Fault, keywords, names_read
from count_lines import count

LONGEST_CELL = 15
LONGEST_LINE = 88
MOST_IN_VIEW = 100  # the aim is 80
LONGEST_FUNCTION = 5
INSTALL = re.compile(r"^\s*[%!].*$|\b(?:pip|conda|mamba)3?\s+install\b|-m\s+pip\b", re.M)
FILTERS = {"filterwarnings", "simplefilter", "catch_warnings"}
PATH_START = re.compile(r"^(/[A-Za-z_]|~|[A-Za-z]:[\\/])")
HOME = re.compile(r"(?<![\w.])/(?:home|Users|root|tmp)/|\b[A-Z]:\\")
ADDRESS = re.compile(r"\b(?:https?|ftp)://\S+")
NETWORK_MODULES = {"urllib", "requests", "http", "ftplib", "socket", "httpx", "aiohttp"}
NOTEBOOK_METADATA = {"kernelspec", "language_info"}
CELL_METADATA = {"tags", "mystnb"}


def code_parses(chapter: Chapter) -> Iterator[Fault]:
    """Every code cell is Python."""
    for cell in chapter.code:
        try:
            ast.parse(SHELL_LINE.sub("", cell.source))
        except SyntaxError as error:
            yield cell.number, f"line {error.lineno} does not parse: {error.msg}"


def cell_length(chapter: Chapter) -> Iterator[Fault]:
    """A cell fits on a screen, but for the list of imports, which is folded and must be in one place."""
    for cell in [cell for cell in chapter.code if "imports" not in cell.tags]:
        if (lines := len(cell.source.strip().splitlines())) > LONGEST_CELL:
            yield cell.number, f"{lines} lines of code; a cell has at most {LONGEST_CELL}"


def line_length(chapter: Chapter) -> Iterator[Fault]:
    """A line of code fits on the page, where a longer one would wrap and lose its indentation."""
    for cell in chapter.code:
        for number, line in enumerate(cell.source.splitlines(), 1):
            if len(line) > LONGEST_LINE:
                yield cell.number, f"line {number} has {len(line)} characters; a line has at most {LONGEST_LINE}"


def chapter_length(chapter: Chapter) -> Iterator[Fault]:
    """The code that a chapter leaves in view can be read in one sitting."""
    if (lines := count(chapter.notebook["cells"]).in_view) > MOST_IN_VIEW:
        yield None, f"{lines} lines of code are in view; a chapter shows at most {MOST_IN_VIEW}"


def short_functions(chapter: Chapter) -> Iterator[Fault]:
    """What needs more than a few lines is a function of the package, with a test."""
    for cell in chapter.code:
        for node in ast.walk(cell.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                if (lines := node.end_lineno - node.lineno + 1) > LONGEST_FUNCTION:
                    where = f"over {LONGEST_FUNCTION} it belongs to src/"
                    yield cell.number, f"{node.name} has {lines} lines; {where}"


def imports_in_one_place(chapter: Chapter) -> Iterator[Fault]:
    """The story's imports stand in the imports cell; a solution may import what only it needs."""
    for cell in chapter.code:
        if "imports" not in cell.tags and not cell.solution:
            for node in ast.walk(cell.tree):
                if isinstance(node, ast.Import | ast.ImportFrom):
                    yield cell.number, f"move `{ast.unparse(node)}` to the imports cell"


def no_install(chapter: Chapter) -> Iterator[Fault]:
    """A chapter runs no shell or notebook command and installs nothing."""
    for cell in chapter.code:
        for match in INSTALL.finditer(cell.source):
            yield cell.number, f"take out `{match[0].strip()}`: no shell or notebook commands, no installing"


def no_sys_path(chapter: Chapter) -> Iterator[Fault]:
    """The package is installed, so no path is bent."""
    for cell in chapter.code:
        for node in ast.walk(cell.tree):
            if isinstance(node, ast.Attribute) and ast.unparse(node) in ("sys.path", "os.chdir"):
                yield cell.number, f"take out `{ast.unparse(node)}`: the package is installed"


def no_warning_filters(chapter: Chapter) -> Iterator[Fault]:
    """A warning is seen, or its cause is mended."""
    for cell in chapter.code:
        for node in ast.walk(cell.tree):
            name = getattr(node, "attr", getattr(node, "id", ""))
            if isinstance(node, ast.Attribute | ast.Name) and name in FILTERS:
                yield cell.number, f"take out `{name}`: mend what warns"


def no_machine_paths(chapter: Chapter) -> Iterator[Fault]:
    """Nothing in a chapter belongs to one machine's folders."""
    for cell in chapter.code:
        strings = [text for text in _strings(cell.tree) if PATH_START.match(text) or HOME.search(text)]
        strings += [match for match in re.findall(r"\bPath\.home\b|\bexpanduser\b", cell.source)]
        for text in strings:
            yield cell.number, f"{text!r} is a path of one machine"
    for cell in chapter.cells:
        for match in HOME.finditer(cell.stdout if cell.is_code else cell.source):
            yield cell.number, f"the text holds a path of one machine ({match[0]!r})"


def no_network(chapter: Chapter) -> Iterator[Fault]:
    """A chapter computes what it shows; it fetches nothing."""
    for cell in chapter.code:
        found = ADDRESS.findall(cell.source)
        for node in ast.walk(cell.tree):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            found += [name for name in names if name.split(".")[0] in NETWORK_MODULES]
        for name in found:
            yield cell.number, f"`{name}`: a chapter reads nothing from the network"


def measured_by_the_run(chapter: Chapter) -> Iterator[Fault]:
    """What a claim calls measured comes out of the run."""
    typed_in = _typed_in(chapter)
    for cell in chapter.code:
        for call in cell.calls("claim"):
            measured = keywords(call).get("measured")
            if measured is not None and names_read([measured]) <= typed_in:
                yield cell.number, f"`measured={ast.unparse(measured)}` is typed in, not measured"


def outputs_stripped(chapter: Chapter) -> Iterator[Fault]:
    """Only the verdict's output is stored."""
    for cell in chapter.code:
        if cell.outputs and not cell.calls("verdict"):
            yield cell.number, "strip the stored output: only the verdict cell keeps its own"


def no_execution_counts(chapter: Chapter) -> Iterator[Fault]:
    """A run leaves no trace in the file, but for the verdict."""
    for cell in chapter.code:
        if (count := cell.data.get("execution_count")) is not None and not cell.calls("verdict"):
            yield cell.number, f"strip the execution count ({count})"


def plain_metadata(chapter: Chapter) -> Iterator[Fault]:
    """The file says that it runs on python3, and nothing about the machine or the editor."""
    metadata = chapter.notebook["metadata"]
    if (kernel := metadata.get("kernelspec", {}).get("name")) != "python3":
        yield None, f"the kernel must be named python3, not {kernel!r}"
    if "version" in metadata.get("language_info", {}):
        yield None, "strip language_info.version: it is the version of one machine"
    for key in sorted(set(metadata) - NOTEBOOK_METADATA):
        yield None, f"strip the notebook's metadata {key!r}"
    for cell in chapter.cells:
        for key in sorted(set(cell.data["metadata"]) - CELL_METADATA):
            yield cell.number, f"strip the cell's metadata {key!r}"


def _strings(tree: ast.AST) -> list[str]:
    """Return the strings of a cell, of an f-string only how it starts."""
    formatted = [node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)]
    tails = {id(part) for node in formatted for part in node.values[1:]}
    constants = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in tails]
    return [node.value for node in constants if isinstance(node.value, str)]


def _typed_in(chapter: Chapter) -> set[str]:
    """Return the names that only ever get constants, or values made of such names; no parameters."""
    values: dict[str, list[ast.expr]] = {}
    for node in [node for cell in chapter.code for node in ast.walk(cell.tree)]:
        for target in node.targets if isinstance(node, ast.Assign) else []:
            if isinstance(target, ast.Name) and target.id not in chapter.parameters:
                values.setdefault(target.id, []).append(node.value)
    found = {"float", "int", "abs", "round"}
    while more := {name for name, given in values.items() if _only_constants(given, found)} - found:
        found |= more
    return found


def _only_constants(values: list[ast.expr], typed_in: set[str]) -> bool:
    """Whether each value is a number or a computation with numbers; containers may be filled later."""
    containers = (ast.Dict, ast.List, ast.Set, ast.Tuple)
    return all(names_read([value]) <= typed_in and not isinstance(value, containers) for value in values)


RULES = (
    code_parses,
    cell_length,
    line_length,
    chapter_length,
    short_functions,
    imports_in_one_place,
    no_install,
    no_sys_path,
    no_warning_filters,
    no_machine_paths,
    no_network,
    measured_by_the_run,
    outputs_stripped,
    no_execution_counts,
    plain_metadata,
)
