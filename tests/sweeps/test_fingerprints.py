"""A fingerprint changes with everything of ours that decides what a function computes, and with nothing else."""

import dataclasses
import functools
import importlib
import itertools
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from trial_cells import drawn

from beyond_kernel.kernel_regime.degree_by_degree_cells import learning_cell
from beyond_kernel.sweeps.fingerprints import fingerprint, importable, stale_modules


@dataclasses.dataclass(frozen=True)
class Held:
    """Holds a tensor, as a network does."""

    matrix: torch.Tensor


def made(source: str):
    """Return the function ``cell`` of a text, as if it stood in a notebook."""
    space = {"__name__": "__main__"}
    exec(source, space)
    return space["cell"]


BASE = "K = 2\ndef helper(x):\n    return K * x\nclass C:\n    def go(self, x):\n        return helper(x)\n"
CELL = "def cell(seed, add=1):\n    inner = lambda x: x + 1\n    return {'value': C().go(seed) + inner(add)}\n"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("K = 2", "K = 3"),
        ("K * x", "K + x"),
        ("return helper(x)", "return helper(x + 1)"),
        ("add=1", "add=2"),
        ("x: x + 1", "x: x + 2"),
        ("'value'", "'other'"),
        ("C().go(seed)", "C().go(add)"),
    ],
)
def test_whatever_a_notebook_function_uses_counts(old, new):
    changed = (BASE + CELL).replace(old, new)
    assert changed != BASE + CELL
    assert fingerprint(made(changed)).code != fingerprint(made(BASE + CELL)).code


@pytest.mark.parametrize(
    ("old", "new"),
    [("K = 2", "\n\nK = 2  # two\nunused = 7"), ("    inner", "    # nearby\n    inner"), ("K * x", "(K * x)")],
)
def test_places_comments_and_what_is_not_used_do_not_count(old, new):
    changed = (BASE + CELL).replace(old, new)
    assert fingerprint(made(changed)).code == fingerprint(made(BASE + CELL)).code


def test_values_that_a_function_closes_over_count():
    def closing(thing):
        def cell(seed):
            return {"value": thing, "seed": seed}

        return fingerprint(cell).code

    things = [1, 1.0, True, "1", None, [1], (1,), {1}, {"a": 1}, len, made]
    things += [np.zeros(2), np.zeros(3), np.zeros(2, "f4"), torch.zeros(2), torch.ones(2)]
    things += [functools.partial(made, 1), functools.partial(made, 2)]
    codes = [closing(thing) for thing in things]
    assert len(set(codes)) >= len(things) - 1, "an array and a tensor of the same numbers may be one"
    assert codes == [closing(thing) for thing in things]


def test_every_entry_of_a_large_array_counts_also_inside_of_an_object():
    def told(entry):
        matrix = torch.zeros(60, 30)
        matrix[30, 15] = entry
        return fingerprint(functools.partial(made, Held(matrix))).code

    assert told(0) == told(0) and told(0) != told(1)


def test_functions_that_name_each_other_have_an_end():
    source = (
        "def a(n):\n    return b(n)\ndef b(n):\n    return n and a(n - 1)\ndef cell(seed):\n    return {'v': a(seed)}\n"
    )
    assert fingerprint(made(source)).code == fingerprint(made(source)).code


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Return a function that writes a small package anew and gives the fingerprint of its cell."""
    files = {
        "ours/__init__.py": "",
        "ours/cells.py": '"""Cells."""\nfrom . import near\nfrom ours.deep import far\n\n\ndef cell(seed):\n'
        '    """Say."""\n    import ours.late\n    return {"v": near.f(seed) + far(seed)}\n',
        "ours/near.py": "import math\nfrom beyond_kernel import checks\n\n\ndef f(x):\n    return x\n",
        "ours/deep/__init__.py": "from ours.deep.sea import far\n",
        "ours/deep/sea.py": "def far(x):\n    return 2 * x\n",
        "ours/late.py": "LATE = 1\n",
        "ours/unused.py": "NOTHING = 1\n",
    }
    moments = itertools.count(10**18, 10**9)
    monkeypatch.syspath_prepend(tmp_path)

    def write(**changes):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            if (change := changes.get(path.stem)) and path.name != "__init__.py":
                assert change[0] in text
                path.write_text(text.replace(*change))
            moment = next(moments)
            os.utime(path, ns=(moment, moment))
        for name in [name for name in sys.modules if name == "ours" or name.startswith("ours.")]:
            del sys.modules[name]
        importlib.invalidate_caches()
        return fingerprint(importlib.import_module("ours.cells").cell)

    yield write
    for name in [name for name in sys.modules if name == "ours" or name.startswith("ours.")]:
        del sys.modules[name]


def test_modules_count_that_are_imported_on_the_way(package):
    first = package()
    assert set(first.modules) == {
        "ours", "ours.cells", "ours.near", "ours.deep", "ours.deep.sea", "ours.late", "beyond_kernel",
        "beyond_kernel.checks",
    }  # fmt: skip
    for module, change in {
        "near": ("return x", "return x + 0"), "sea": ("2 * x", "3 * x"), "late": ("LATE = 1", "LATE = 22"),
        "cells": ("near.f(seed)", "near.f(7)"),
    }.items():  # fmt: skip
        assert package(**{module: change}).code != first.code, module
    assert package(unused=("1", "22")).code == first.code
    assert package(cells=('"""Cells."""', '"""Other words."""  # here')).code == first.code
    assert package(near=("\n\n\ndef", "\n# a comment\ndef")).code == first.code
    assert package().code == first.code


def test_a_module_that_was_edited_after_its_import_is_seen(package, tmp_path):
    found = package()
    assert stale_modules(found) == []
    (tmp_path / "ours/near.py").write_text("def f(x):\n    return x + 100\n")
    assert stale_modules(found) == ["ours.near"]


def test_what_a_partial_sets_is_part_of_the_name():
    """Two learners in one cell are two functions: to prune the old code of one must not take the other's cells."""
    found = fingerprint(functools.partial(drawn, made, n=3))
    assert found.name == "trial_cells.drawn(made, n=3)"
    assert fingerprint(functools.partial(drawn, functools.partial(made, 2))).name == "trial_cells.drawn(made(2))"


def test_the_package_s_own_cells():
    found = fingerprint(learning_cell)
    assert found.name == "beyond_kernel.kernel_regime.degree_by_degree_cells.learning_cell"
    assert "beyond_kernel.foundations.learning.ridge" in found.modules and "beyond_kernel.claims" not in found.modules
    assert not [name for name in found.modules if name.split(".")[0] in ("torch", "numpy", "math")]
    assert stale_modules(found) == []


def test_another_process_finds_the_same_fingerprint():
    code = (
        "from trial_cells import drawn\nfrom beyond_kernel.sweeps.fingerprints import fingerprint\n"
        "def cell(seed):\n    return {'v': drawn(seed), 'w': seed in {'a', 'b', 'c', 'd'}}\n"
        "print(fingerprint(drawn).code, fingerprint(cell).code)"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    runs = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                       env=environment | {"PYTHONHASHSEED": seed}).stdout.split()
        for seed in ("1", "2")
    ]  # fmt: skip
    assert runs[0] == runs[1] and runs[0][0] == fingerprint(drawn).code


def test_what_can_be_imported_elsewhere():
    assert importable("beyond_kernel.sweeps.fingerprints") and importable("trial_cells")
    assert not importable("__main__") and not importable("no_such_module")


@pytest.mark.parametrize("thing", [len, 3, torch.nn.Linear(1, 1), torch.nn.Linear])
def test_only_functions_have_a_fingerprint(thing):
    with pytest.raises(TypeError, match="cannot be swept"):
        fingerprint(thing)
