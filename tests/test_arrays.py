"""Whatever is no tensor of the right shape ends in one sentence that names the argument, in every public function."""

import importlib
import inspect
import pkgutil

import numpy as np
import pytest
import torch
from array_calls import CALLS as KERNEL_CALLS
from array_calls_of_certificates import BATCHED, CERTIFICATE_CALLS
from array_calls_of_networks import NETWORK_CALLS
from array_calls_of_recovery import RECOVERY_CALLS
from array_calls_of_symmetry import SYMMETRY_CALLS
from array_calls_of_transfer import TRANSFER_CALLS

import beyond_kernel
from beyond_kernel.checks import BadParameter

ROOMS = ("foundations", "kernel_regime", "feature_learning", "escaping_the_kernel", "transfer", "which_method_wins")


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
CALLS = KERNEL_CALLS | NETWORK_CALLS | RECOVERY_CALLS | SYMMETRY_CALLS | CERTIFICATE_CALLS | TRANSFER_CALLS

INNER = {  # pieces of kernels and of training loops, which get what these have checked
    "escaping_the_kernel.clipped_neuron.clipped_gradient",
    "feature_learning.population_kernel.check_neurons",
    "feature_learning.population_kernel.check_rows",
    "foundations.inputs.radial_inputs.radius_above",
    "foundations.inputs.radii.ks_distance",
    "foundations.learning.arc_cosine.relu_means",
    "foundations.learning.krylov.shifted_solutions",
    "kernel_regime.dual_kernels.erf_means",
    "kernel_regime.dual_kernels.identity_means",
    "kernel_regime.dual_kernels.sine_means",
    "kernel_regime.dual_kernels.square_means",
    "kernel_regime.dual_quadrature.hermite_series",
    "kernel_regime.dual_quadrature.mean_of_products",
    "kernel_regime.dual_quadrature.product_mean",
    "kernel_regime.sparse_bias.sparse_bias_profile",
    "transfer.link_correlations.link_products",
}
CASES = [(name, argument) for name in CALLS for argument in PUBLIC.get(name, (None, []))[1] if argument in CALLS[name]]
ANY_SHAPE = BATCHED | {
    ("feature_learning.scaling_laws.learnt_share", "overlaps"),
    ("feature_learning.scaling_laws.remaining_loss", "shares"),
    ("escaping_the_kernel.clipped_neuron.clip", "z"),
    ("feature_learning.trained_network.trainable_init", "like"),
    ("foundations.targets.hermite.hermite", "x"),
    ("transfer.rank_one_task.network_risk", "rows"),
    ("foundations.targets.hermite.hermite_table", "x"),
}


def test_no_public_function_is_forgotten():
    assert set(PUBLIC) - INNER == set(CALLS)


@pytest.mark.parametrize("name", CALLS)
def test_the_calls_work_with_tensors_of_the_right_shape(name):
    PUBLIC[name][0](**CALLS[name])


@pytest.mark.parametrize(("name", "argument"), CASES)
def test_an_array_that_is_no_tensor_or_has_another_shape_is_named_in_one_sentence(name, argument):
    right = CALLS[name][argument]
    faults = [right.numpy(), right.tolist(), torch.relu, right.long()]
    faults += [] if (name, argument) in ANY_SHAPE else [right[None], right.reshape(-1)[0]]
    for fault in faults:
        with pytest.raises((BadParameter, TypeError)) as caught:
            PUBLIC[name][0](**(CALLS[name] | {argument: fault}))
        sentence = str(caught.value)
        assert "\n" not in sentence and sentence.endswith(".") and len(sentence) < 250
        assert " must " in sentence and sentence.startswith((f"{argument} ", f"{argument}["))
        if isinstance(fault, np.ndarray):
            assert sentence.endswith(f"such as torch.as_tensor({argument}).")
