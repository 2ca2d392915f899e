"""Show the code of the package in a chapter, so that a page never carries a second copy of it."""

import inspect
import textwrap
from collections.abc import Callable
from typing import Any


def show_source(*functions: Callable) -> Any:
    """Return the source of functions of this package as a highlighted listing for a notebook, docstrings left out.

    Args:
        functions: functions or classes of ``beyond_kernel``.

    Raises:
        ValueError: if one of them is not part of this package.

    >>> show_source(show_source).data.splitlines()[1][:15]
    'def show_source'
    """
    for function in functions:
        if not getattr(function, "__module__", "").startswith("beyond_kernel."):
            raise ValueError(f"{function!r} is not part of beyond_kernel: only the package's own code is shown.")
    from IPython.display import Markdown  # only a notebook has a use for it

    listing = "\n\n".join(_without_docstring(function) for function in functions)
    return Markdown(f"```python\n{listing}\n```")


def _without_docstring(function: Callable) -> str:
    source, docstring = textwrap.dedent(inspect.getsource(function)).rstrip(), function.__doc__
    if docstring is None:
        return source
    start = source.index('"""')
    end = source.index('"""', start + 3) + 3
    return source[:start].rstrip() + source[end:]
