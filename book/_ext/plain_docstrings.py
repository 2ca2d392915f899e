"""Let docstrings keep the mathematics of plain text: ``|H w|``, ``z1*z2`` and ``x_`` are no markup.

In reStructuredText a bar, an asterisk and a trailing underscore begin or end something; what a docstring means by
them is the sign itself, but for *stressed* words, ``code`` and blocks after a double colon. They are escaped before
napoleon turns the sections of a docstring into markup of its own.
"""

import re

from sphinx.application import Sphinx

STRESSED = r"(?<!\w)\*\w[\w -]*\*(?!\w)"
SIGN = re.compile(rf"(?P<stressed>{STRESSED})|[|*\\]|(?<=\w)_(?!\w)")


def escape(line: str) -> str:
    """Return a line whose signs are no markup, but for what stands between double backticks."""
    pieces = line.split("``")
    plain = [SIGN.sub(lambda found: found["stressed"] or f"\\{found[0]}", piece) for piece in pieces]
    return "``".join(pieces[i] if i % 2 else plain[i] for i in range(len(pieces)))


def escape_all(lines: list[str]) -> list[str]:
    """Return the lines of a docstring, escaped outside of blocks after a double colon."""
    found, block = [], None  # the indentation of the line that opened a block
    for line in lines:
        depth = len(line) - len(line.lstrip())
        if block is not None and line.strip() and depth <= block:
            block = None
        found.append(line if block is not None else escape(line))
        block = depth if block is None and line.rstrip().endswith("::") else block
    return found


def escape_docstring(app: Sphinx, what: str, name: str, thing: object, options: object, lines: list[str]) -> None:
    """Escape all lines of a docstring in place."""
    lines[:] = escape_all(lines)


def setup(app: Sphinx) -> dict:
    """Register with Sphinx, ahead of napoleon."""
    app.connect("autodoc-process-docstring", escape_docstring, priority=100)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
