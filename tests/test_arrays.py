"""Whatever is no tensor of the right shape ends in one sentence that names the argument, in every public function."""

import importlib
import inspect
import pkgutil

import numpy as np
import pytest
import torch

import beyond_kernel
from beyond_kernel.checks import BadParameter

ROOMS = ("foundations", "kernel_regime", "feature_learning", "escaping_the_kernel", "transfer")


def drawn(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)), dtype=torch.float64)


def public_functions():
    """Return, by module and name, the public functions of the kit with an argument that is a tensor, and its names."""
    found = {}
    for module in pkgutil.walk_packages(beyond_kernel.__path__, "beyond_kernel."):
        if module.name.split(".")[1] not in ROOMS or module.name.endswith("_cells"):
            continue
        for name, value in vars(importlib.import_module(module.name)).items():
            if inspect.isfunction(value) and value.__module__ == module.name and not name.startswith("_"):
                parameters = inspect.signature(value).parameters.values()
                arrays = [p.name for p in parameters if p.annotation in (torch.Tensor, torch.Tensor | None)]
                if arrays:
                    found[f"{module.name.split('.', 1)[1]}.{name}"] = (value, arrays)
    return found


PUBLIC = public_functions()
