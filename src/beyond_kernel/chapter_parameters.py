"""Checks of the parameters of a chapter, in the notebook that papermill runs: no part of what a cell computes."""

import ast
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from beyond_kernel.checks import BadParameter, list_of, nearest, one_of, real_number, whole_number

__all__ = ["BadParameter", "chapter_parameters", "known_parameter", "list_of", "one_of", "real_number", "whole_number"]
"""What a chapter needs in order to check its parameters, the checks of single values among them."""


def chapter_parameters(namespace: Mapping[str, Any], **checks: Callable[[str, Any], Any]) -> None:
    """Check the parameters of a chapter, and refuse one that papermill set but the chapter does not declare.

    Args:
        namespace: the notebook's ``globals()``.
        checks: for each declared parameter a function of its name and value that raises if the value is bad.

    Raises:
        BadParameter: for the first undeclared or bad parameter.
    """
    for cell in namespace.get("In", []):
        if cell.startswith("# Parameters\n"):
            for name in _assigned(cell):
                known_parameter(name, list(checks))
    for name, check in checks.items():
        if name not in namespace:
            raise BadParameter(f"{name} has no value: the parameters cell must set it.")
        check(name, namespace[name])


def known_parameter(name: str, declared: Sequence[str]) -> str:
    """Return ``name`` if the chapter declares it.

    Raises:
        BadParameter: otherwise, with the declared names and the nearest one.
    """
    if name not in declared:
        raise BadParameter(
            f"{name!r} is no parameter of this chapter{nearest(name, declared)}. It takes: {', '.join(declared)}."
        )
    return name


def _assigned(source: str) -> list[str]:
    targets = [node.targets[0] for node in ast.parse(source).body if isinstance(node, ast.Assign)]
    return [target.id for target in targets if isinstance(target, ast.Name)]
