"""The examples in the docstrings are true, and the functions that a reader calls first have one."""

import doctest
import importlib
import inspect
import pkgutil

import pytest

import beyond_kernel

NEED_AN_EXTRA = {"beyond_kernel.sweeps.cluster", "beyond_kernel.sweeps.__main__"}
MODULES = [
    module.name
    for module in pkgutil.walk_packages(beyond_kernel.__path__, "beyond_kernel.")
    if module.name not in NEED_AN_EXTRA
]
FIRST = 30


def examples_of(name: str) -> list[doctest.DocTest]:
    """Return the documented objects of a module that have examples."""
    module = importlib.import_module(name)
    return [test for test in doctest.DocTestFinder(exclude_empty=True).find(module) if test.examples]


@pytest.mark.parametrize("name", MODULES)
def test_examples_give_what_they_say(name):
    runner = doctest.DocTestRunner(verbose=False)
    said: list[str] = []
    for test in examples_of(name):
        runner.run(test, out=said.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(said)


def test_the_functions_that_a_reader_calls_first_have_an_example():
    found = {test.name for name in MODULES for test in examples_of(name)}
    assert len(found) >= FIRST


def test_an_example_that_lies_is_seen():
    lie = doctest.DocTestParser().get_doctest(">>> 1 + 1\n3\n", {}, "lie", None, 0)
    runner = doctest.DocTestRunner(verbose=False)
    runner.run(lie, out=lambda text: None)
    assert runner.summarize(verbose=False).failed == 1


def test_every_public_function_says_what_it_is():
    """One sentence at least, for whatever the reference pages show."""
    silent = []
    for name in MODULES:
        module = importlib.import_module(name)
        for label, item in vars(module).items():
            ours = getattr(item, "__module__", None) == name and not label.startswith("_")
            if ours and (inspect.isfunction(item) or inspect.isclass(item)) and not inspect.getdoc(item):
                silent.append(f"{name}.{label}")
    assert silent == []
