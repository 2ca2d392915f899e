"""The parameters of a chapter as a table: default, the value of this run, and the meaning that their comments give."""

import ast
import io
import re
import tokenize
from collections.abc import Mapping
from typing import Any

import ledger
import nbformat

LABEL = "Parameters as code"


def meanings(source: str) -> dict[str, str]:
    """Return what the comment of each assignment says: the one behind it, else the one on a line of its own above."""
    comments = _comments(source)
    lines = source.splitlines()
    found = {}
    for name, node in _assignments(source).items():
        above = node.lineno - 1
        alone = above >= 1 and lines[above - 1].lstrip().startswith("#")
        text = comments.get(node.end_lineno) or (comments.get(above) if alone else None) or ""
        found[name] = text.strip("# ")
    return found


def parameter_table(source: str, used: Mapping[str, Any], profile: str) -> str:
    """Return the table as MyST.

    Args:
        source: the code of the cell tagged ``parameters``.
        used: every parameter with the value of this run.
        profile: "quick" or "full".
    """
    told = meanings(source)
    defaults = {name: ast.literal_eval(node.value) for name, node in _assignments(source).items()}
    head = ["Parameter", "Default", "This run", "Meaning"]
    rows = [
        [_code(name), _code(repr(value)), _code(repr(used.get(name, value))), ledger.plain(told[name]) or "–"]
        for name, value in defaults.items()
    ]
    body = "\n".join(("* - " if i == 0 else "  - ") + cell for row in [head, *rows] for i, cell in enumerate(row))
    title = f"Parameters of the run on this page ({profile} profile)"
    return f"```{{list-table}} {title}\n:header-rows: 1\n:class: parameters\n:widths: 16 22 22 40\n\n{body}\n```"


def folded(cell: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Return a cell whose code is folded on the page under the label ``LABEL``."""
    cell.metadata["tags"] = [*cell.metadata.get("tags", []), "hide-input"]
    label = {"code_prompt_show": LABEL, "code_prompt_hide": LABEL}
    cell.metadata["mystnb"] = {**cell.metadata.get("mystnb", {}), **label}
    return cell


def _code(text: str) -> str:
    """Return a text as code, between as many backticks as it takes."""
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence}{text}{fence}"


def _assignments(source: str) -> dict[str, ast.Assign]:
    """Return the assignments ``name = value`` by name."""
    nodes = [node for node in ast.parse(source).body if isinstance(node, ast.Assign)]
    return {node.targets[0].id: node for node in nodes if isinstance(node.targets[0], ast.Name)}


def _comments(source: str) -> dict[int, str]:
    """Return the comments by the number of their line."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {token.start[0]: token.string for token in tokens if token.type == tokenize.COMMENT}
