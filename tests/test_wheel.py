"""The wheel holds the whole package, and computes where nothing is installed but what it declares."""

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
DATA = {f"beyond_kernel/which_method_wins/stored_needs.{kind}" for kind in ("csv", "json")}
"""What the package holds besides modules: the stored sweep."""
SOURCES = ("src", "pyproject.toml", "README.md", "LICENSE", "LICENSE-TEXT")

ALONE = """
import importlib, pkgutil, sys
from importlib.machinery import PathFinder

class Declared(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.split(".")[0] in ABSENT else super().find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = Declared
sys.path[:0] = [WHEEL]
import beyond_kernel
assert beyond_kernel.__file__.startswith(WHEEL), beyond_kernel.__file__
"""
EVERY_MODULE = """
names = [info.name for info in pkgutil.walk_packages(beyond_kernel.__path__, "beyond_kernel.")]
for name in names:
    if not name.endswith("__main__"):
        importlib.import_module(name)
print(len(names))
"""
ONE_STEP = """
import math
from beyond_kernel.feature_learning.one_step_cells import variant_cell
from beyond_kernel.sweeps import sweep
fixed = {"target": "(h2(z1) + z1*z2)/2", "d": 8, "ratio": 32.0, "variant": "Algorithm 1", "width": 60, "noise": 0.1}
found = sweep(variant_cell, {"seed": [0, 1]}, workers=0, **fixed)
assert found.risk.shape == (2,) and (found.risk > 0).all() and (found.risk < 1).all(), found.risk.values
print(found.overlap.values.min() > 2 / 8)
"""
EXTRAS = """
for name in ("IPython", "nbformat", "yaml", "dask", "pytest"):
    try:
        importlib.import_module(name)
    except ModuleNotFoundError:
        continue
    print(name)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Return the wheel that pip makes of a copy of the sources, so that the tree stays clean."""
    copy, out = tmp_path_factory.mktemp("sources"), tmp_path_factory.mktemp("wheel")
    for name in SOURCES:
        ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
        into = copy / name
        shutil.copytree(ROOT / name, into, ignore=ignored) if (ROOT / name).is_dir() else shutil.copy(ROOT / name, into)
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--wheel-dir", str(out)]
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", *options, str(copy)]
    made = subprocess.run(command, capture_output=True, text=True)
    assert made.returncode == 0, made.stdout + made.stderr
    (file,) = out.iterdir()
    return file


@pytest.fixture(scope="module")
def unpacked(wheel, tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    zipfile.ZipFile(wheel).extractall(folder)
    return folder


def declared() -> set[str]:
    """Return the names of the dependencies without an extra, and of all that they need here."""
    found: set[str] = set()
    todo = [Requirement(text) for text in PROJECT["dependencies"]]
    while todo:
        requirement = todo.pop()
        name = canonicalize_name(requirement.name)
        if name not in found and (requirement.marker is None or requirement.marker.evaluate({"extra": ""})):
            found.add(name)
            todo += [Requirement(text) for text in requires(name) or []]
    return found


def absent() -> set[str]:
    """Return every top-level module that belongs to installed projects which the package does not declare."""
    kept = declared()
    owners = packages_distributions().items()
    return {module for module, projects in owners if not {canonicalize_name(name) for name in projects} & kept}


def alone(folder: Path, code: str) -> str:
    """Run code in a Python that sees the wheel and what it declares; return what was printed."""
    given = {"WHEEL": str(folder), "ABSENT": absent() - {"beyond_kernel"}}
    lines = "".join(f"{name} = {value!r}\n" for name, value in given.items())
    done = subprocess.run(
        [sys.executable, "-I", "-W", "error", "-c", lines + ALONE + code],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_holds_every_module_its_data_both_licences_and_nothing_else(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    modules = {path.relative_to(ROOT / "src").as_posix() for path in (ROOT / "src").rglob("*.py")}
    assert {name for name in names if ".dist-info/" not in name} == modules | DATA
    about = {name.split(".dist-info/")[1] for name in names if ".dist-info/" in name}
    assert {"licenses/LICENSE", "licenses/LICENSE-TEXT", "METADATA"} <= about
    assert wheel.name.startswith(f"beyond_kernel-{PROJECT['version']}-py3-none-any")


def test_what_the_wheel_asks_for_is_what_is_declared(wheel):
    file = zipfile.ZipFile(wheel)
    (metadata,) = [name for name in file.namelist() if name.endswith("METADATA")]
    asked = re.findall(r"^Requires-Dist: ([^;\n]+)$", file.read(metadata).decode(), re.M)
    assert {str(Requirement(text)) for text in asked} == {str(Requirement(text)) for text in PROJECT["dependencies"]}


def test_every_module_can_be_imported_without_the_extras(unpacked):
    modules = [path for path in (unpacked / "beyond_kernel").rglob("*.py") if path.parent != unpacked / "beyond_kernel"]
    assert int(alone(unpacked, EVERY_MODULE)) >= len(modules)


def test_one_step_finds_the_hidden_plane_without_the_extras(unpacked):
    """Two of eight directions matter: a random neuron has 2/8 of its energy there, a neuron after the step has more."""
    assert alone(unpacked, ONE_STEP) == "True\n"


def test_the_extras_are_out_of_reach(unpacked):
    """Without this the two tests above would show nothing: these are installed here."""
    assert {"IPython", "nbformat", "yaml", "dask", "pytest"} <= absent()
    assert alone(unpacked, EXTRAS) == ""
