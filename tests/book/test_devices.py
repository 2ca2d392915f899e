"""Tensors follow the device of what they meet: no tensor is made without a word about where it lies."""

import ast
from collections.abc import Iterator

import pytest
from test_imports import name_of, python_files

FACTORIES = {
    *("arange", "as_tensor", "asarray", "empty", "empty_strided", "eye", "full", "linspace", "logspace", "ones"),
    *("scalar_tensor", "tensor", "tril_indices", "triu_indices", "zeros"),
    *("normal", "rand", "randint", "randn", "randperm", "Generator"),
}
NEVER = {"set_default_device", "set_default_dtype", "set_default_tensor_type", "cuda", "Tensor"}


def silent_factories(tree: ast.AST) -> Iterator[str]:
    """Yield the calls that make a tensor without its device, and those that change where others make theirs."""
    moved = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr == "to"}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "torch":
            yield from (f"line {node.lineno}: {alias.name} without torch" for alias in node.names if hides(alias.name))
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        called, of_torch = node.func.attr, isinstance(node.func.value, ast.Name) and node.func.value.id == "torch"
        silent = of_torch and called in FACTORIES and all(keyword.arg != "device" for keyword in node.keywords)
        left = of_torch and called == "from_numpy" and id(node) not in moved
        if silent or left or (called in NEVER and (of_torch or called == "cuda")):
            yield f"line {node.lineno}: {called}"


def hides(name: str) -> bool:
    return name in FACTORIES | NEVER | {"from_numpy", "*"}


@pytest.mark.parametrize("path", python_files("src"), ids=name_of)
def test_each_tensor_is_made_on_a_named_device(path):
    """A table that is computed once says ``device="cpu"``, and is moved to its reader by ``.to(X)``."""
    assert list(silent_factories(ast.parse(path.read_text(encoding="utf-8")))) == []


@pytest.mark.parametrize(
    "line",
    [
        "torch.zeros(n, dtype=X.dtype)",
        "y = torch.randn(n, generator=generator, dtype=dtype).to(X)",
        "torch.as_tensor(levels)",
        "table = torch.from_numpy(nodes)",
        "torch.Generator().manual_seed(0)",
        "torch.set_default_device(device)",
        "X.cuda()",
        "torch.Tensor([1.0])",
        "from torch import zeros",
        "def f(places):\n    return [torch.tensor(axis) - 1 for axis in places]",
    ],
)
def test_the_check_sees_what_it_forbids(line):
    assert len(list(silent_factories(ast.parse(line)))) == 1


@pytest.mark.parametrize(
    "line",
    [
        "torch.zeros(n, dtype=X.dtype, device=X.device)",
        "torch.randn(n, generator=generator, device=generator.device).to(X)",
        "torch.from_numpy(nodes).to(X)",
        "(torch.from_numpy(part).to(X) for part in rule)",
        "torch.as_tensor(nodes, device='cpu')",
        "torch.zeros_like(X) + X.new_ones(3) + torch.relu(X)",
        "np.zeros(3) + list.index(3)",
        "from torch import Tensor_of_another_kind",
    ],
)
def test_the_check_lets_pass_what_follows_its_input(line):
    assert list(silent_factories(ast.parse(line))) == []
