"""A listing is the code itself, less its docstring."""

import ast
import inspect

import pytest

from beyond_kernel.feature_learning.one_step import giant_step, one_step_features
from beyond_kernel.sources import show_source


def test_listing_is_the_code_without_its_docstring():
    shown = show_source(giant_step, one_step_features).data
    assert shown.startswith("```python\n") and shown.endswith("\n```")
    listed = ast.parse(shown.removeprefix("```python\n").removesuffix("\n```"))
    for function, node in zip((giant_step, one_step_features), listed.body, strict=True):
        (original,) = ast.parse(inspect.getsource(function)).body
        assert ast.get_docstring(node) is None
        assert ast.unparse(node.body) == ast.unparse(original.body[1:])


def test_other_people_s_code_is_not_shown():
    with pytest.raises(ValueError, match="not part of beyond_kernel"):
        show_source(len)
