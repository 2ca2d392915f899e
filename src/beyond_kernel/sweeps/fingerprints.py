"""Which version of the code computes a cell: a digest of a function and of the modules that it uses."""

import ast
import dataclasses
import dis
import functools
import importlib.util
import inspect
import site
import sys
import sysconfig
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

# This module is loaded by every worker process: it needs the standard library and nothing slower.

PACKAGE = "beyond_kernel"
LIBRARIES = tuple(
    str(Path(place).resolve())
    for place in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), *site.getsitepackages()}
)


@dataclass(frozen=True)
class Fingerprint:
    """A function at one version of its code.

    Attributes:
        name: module and qualified name, and what a ``functools.partial`` has set.
        code: digest of the function's own code and of all of ``modules``.
        modules: digests of the modules that it uses, by name.
    """

    name: str
    code: str
    modules: dict[str, str]


def fingerprint(function: Callable) -> Fingerprint:
    """Return the name of a function and the digest of everything of ours that decides what it computes.

    A function that a module holds is known by its module's file; one of a script or a notebook cell by its compiled
    code, and by the functions, classes and values that it names, theirs included. To either come the files of the
    modules that are imported on the way, in the package, in the function's own package, and outside of the installed
    libraries. Comments, docstrings of modules' files, blank lines and places in a file do not count; other versions of
    the installed libraries do not either.

    Args:
        function: a function, or a ``functools.partial`` of one.

    Raises:
        TypeError: if it is neither.
    """
    inner = innermost(function)
    if not isinstance(inner, types.FunctionType):
        raise TypeError(f"{function!r:.80} cannot be swept: a function is needed, or a functools.partial of one.")
    gathered = _Gathered(inner.__module__.partition(".")[0])
    own = gathered.value(function)
    modules = dict(sorted(gathered.modules.items()))
    return Fingerprint(f"{inner.__module__}.{name_of(function)}", _hashed([own, *map(str, modules.items())]), modules)


def name_of(value: Any) -> str:
    """Return how a function is called in a store, with what a ``functools.partial`` has set, in few words."""
    if isinstance(value, functools.partial):
        options = [*map(name_of, value.args), *(f"{key}={name_of(item)}" for key, item in value.keywords.items())]
        return f"{name_of(value.func)}({', '.join(options)})"
    return getattr(value, "__qualname__", None) or f"{value!r:.40}"


def innermost(function: Callable) -> Callable:
    """Return what is inside of all ``functools.partial``."""
    while isinstance(function, functools.partial):
        function = function.func
    return function


def importable(name: str) -> bool:
    """Say whether another process with this one's import path finds the same module under its name."""
    module, path = sys.modules.get(name), None
    if module is None or name == "__main__" or not getattr(module, "__file__", None):
        return False
    for part in _with_parents(name):
        found = (finder.find_spec(part, path) for finder in sys.meta_path if hasattr(finder, "find_spec"))
        spec = next(filter(None, found), None)
        if spec is None:
            return False
        path = spec.submodule_search_locations
    return spec.origin is not None and Path(spec.origin).resolve() == Path(module.__file__).resolve()


def in_module(function: Callable) -> bool:
    """Say whether another process can import this very function, or class, by its name."""
    if not importable(function.__module__):
        return False
    found = sys.modules[function.__module__]
    for part in function.__qualname__.split("."):
        found = getattr(found, part, None)
    return found is function


class _Gathered:
    """What was met on the way through a function's code: modules, with the digests of their files."""

    def __init__(self, top: str):
        self.modules: dict[str, str] = {}
        self._tops = {PACKAGE, top}
        self._seen: dict[int, Any] = {}  # keeps what it names alive, so that no id is used twice

    def value(self, value: Any) -> str:
        """Return a text that differs when what the value does differs."""
        if id(value) in self._seen:
            return "again"
        if not isinstance(value, str | bytes | int | float | complex | bool | None):
            self._seen[id(value)] = value
        if isinstance(value, functools.partial):
            return self._of("partial", [value.func, *value.args, value.keywords])
        if isinstance(value, types.FunctionType | type) and in_module(value):
            self.module(value.__module__)
            return f"{value.__module__}.{value.__qualname__}"
        if isinstance(value, types.FunctionType):
            return self._function(value)
        if isinstance(value, type):
            kept = [item for name, item in sorted(vars(value).items()) if name not in ("__dict__", "__weakref__")]
            return self._of(value.__qualname__, [*value.__bases__, *kept])
        if isinstance(value, types.ModuleType):
            self.module(value.__name__)
            return value.__name__
        return self._plain(value)

    def _plain(self, value: Any) -> str:
        if isinstance(value, dict):
            return self._of("dict", [part for item in value.items() for part in item])
        if isinstance(value, list | tuple):
            return self._of(type(value).__name__, value)
        if isinstance(value, set | frozenset):
            return f"set {sorted(map(repr, value))}"
        if isinstance(value, staticmethod | classmethod | functools.cached_property):
            return self.value(value.__func__ if hasattr(value, "__func__") else value.func)
        if isinstance(value, property):
            return self._of("property", [value.fget, value.fset])
        if hasattr(value, "detach"):
            value = value.detach().cpu().numpy()
        if hasattr(value, "tobytes") and hasattr(value, "dtype"):
            return f"array {value.dtype} {getattr(value, 'shape', ())} {_hashed([value.tobytes().hex()])}"
        wrapped = getattr(value, "__wrapped__", None)
        if wrapped is not None:
            return self.value(wrapped)
        if dataclasses.is_dataclass(value):  # its repr may leave out most of a tensor
            return self._of(
                "dataclass", [type(value), *(getattr(value, field.name) for field in dataclasses.fields(value))]
            )
        if " at 0x" in repr(value):  # an object that does not say what it is: its class and what it holds
            return self._of("object", [type(value), getattr(value, "__dict__", None)])
        return f"{type(value).__name__} {value!r}"

    def _of(self, kind: str, parts: Any) -> str:
        return f"{kind}({', '.join(self.value(part) for part in parts)})"

    def _function(self, function: types.FunctionType) -> str:
        named = {name: function.__globals__[name] for name in _globals_of(function.__code__)
                 if name in function.__globals__}  # fmt: skip
        cells = {name: cell.cell_contents for name, cell in _closure(function)}
        parts = [function.__defaults__, function.__kwdefaults__, named, cells]
        for statement in _imports_of(function.__code__):
            self.module(statement)
        return f"function {_code(function.__code__)} {self._of('uses', parts)}"

    def module(self, name: str) -> None:
        """Take a module's file into account, and what it imports in turn."""
        if name in self.modules or (path := self._counted(name)) is None:
            return
        digest, imported = _read_module(name, path, path.stat().st_mtime_ns, path.stat().st_size)
        self.modules[name] = digest
        for other in imported:
            self.module(other)

    def _counted(self, name: str) -> Path | None:
        top = name.partition(".")[0]
        if top in sys.stdlib_module_names:
            return None
        module = sys.modules.get(name)
        origin = getattr(module, "__file__", None) if module else _origin(name)
        if not origin or not origin.endswith(".py") or not Path(origin).is_file():
            return None
        if top not in self._tops and str(Path(origin).resolve()).startswith(LIBRARIES):
            return None
        return Path(origin)


def _origin(name: str) -> str | None:
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError, AttributeError):
        return None
    return spec.origin if spec else None


@functools.lru_cache(maxsize=4096)
def _read_module(name: str, path: Path, changed: int, size: int) -> tuple[str, tuple[str, ...]]:
    """Return digest and imports of a module's file; ``changed`` and ``size`` are there for the cache."""
    tree = ast.parse(path.read_bytes())
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    imported = tuple(dict.fromkeys(_imported(tree, package)))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and ast.get_docstring(
            node, clean=False
        ):
            node.body[0] = ast.Pass()
    return _hashed([ast.unparse(tree)]), imported


def _imported(tree: ast.AST, package: str) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _with_parents(alias.name)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, *([base] if base else [])])
            yield from _with_parents(base)
            yield from (f"{base}.{alias.name}" for alias in node.names)  # may be a module; counted only if it is


def _with_parents(name: str) -> Iterator[str]:
    parts = name.split(".")
    yield from (".".join(parts[: k + 1]) for k in range(len(parts)))


def _globals_of(code: types.CodeType) -> list[str]:
    found = {i.argval for i in dis.get_instructions(code) if i.opname in ("LOAD_GLOBAL", "LOAD_NAME")}
    for inner in _inner(code):
        found.update(_globals_of(inner))
    return sorted(found)


def _imports_of(code: types.CodeType) -> list[str]:
    found = {i.argval for i in dis.get_instructions(code) if i.opname == "IMPORT_NAME"}
    for inner in _inner(code):
        found.update(_imports_of(inner))
    return sorted(found)


def _inner(code: types.CodeType) -> list[types.CodeType]:
    return [constant for constant in code.co_consts if isinstance(constant, types.CodeType)]


def _closure(function: types.FunctionType) -> Iterator[tuple[str, types.CellType]]:
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            cell.cell_contents  # noqa: B018 - a cell may be empty still
        except ValueError:
            continue
        yield name, cell


def _code(code: types.CodeType) -> str:
    """Return a text of compiled code without the places in the file; a set's order is not told."""
    constants = [
        _code(item) if isinstance(item, types.CodeType)
        else str(sorted(map(repr, item))) if isinstance(item, frozenset)
        else f"{type(item).__name__} {item!r}"
        for item in code.co_consts
    ]  # fmt: skip
    flags = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags)
    return _hashed([code.co_code.hex(), *constants, repr((code.co_names, code.co_varnames, flags))])


def _hashed(texts: list[str]) -> str:
    return blake2b("\n".join(texts).encode(), digest_size=16).hexdigest()


def stale_modules(fingerprint: Fingerprint) -> list[str]:
    """Return the modules whose file has changed since this process imported them, as far as their functions tell."""
    stale = []
    for name in fingerprint.modules:
        module = sys.modules.get(name)
        if module is None or not getattr(module, "__file__", None):
            continue
        compiled = {
            c.co_qualname: _code(c) for c in _all_code(compile(Path(module.__file__).read_bytes(), name, "exec"))
        }
        loaded = [inspect.unwrap(f) for f in vars(module).values() if callable(f) and not isinstance(f, type)]
        own = [f for f in loaded if isinstance(f, types.FunctionType) and f.__module__ == name]
        if any(compiled.get(f.__qualname__) != _code(f.__code__) for f in own if "<" not in f.__qualname__):
            stale.append(name)
    return stale


def _all_code(code: types.CodeType) -> Iterator[types.CodeType]:
    for inner in _inner(code):
        yield inner
        yield from _all_code(inner)
