"""Whatever is no tensor of the right shape ends in one sentence that names the argument, in every public function."""

import importlib
import inspect
import pkgutil
from dataclasses import replace

import numpy as np
import pytest
import torch

import beyond_kernel
from beyond_kernel.checks import BadParameter
from beyond_kernel.escaping_the_kernel.taylor_model import taylor_start
from beyond_kernel.feature_learning.overlap_chain import square_rule
from beyond_kernel.feature_learning.spiked_index import spiked_index
from beyond_kernel.foundations.learning.networks import TwoLayerNetwork, symmetric_init
from beyond_kernel.foundations.learning.samples import Problem, Sample
from beyond_kernel.foundations.targets.target import parse_target
from beyond_kernel.kernel_regime.lazy_training import symmetric_start
from beyond_kernel.kernel_regime.sketch import draw_tensor_sketch
from beyond_kernel.kernel_regime.spectrum import kernel_spectrum

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

X, y, W, a = drawn(12, 5), drawn(12), drawn(6, 5), drawn(6)
FRAME = torch.linalg.qr(drawn(5, 2))[0]
GRAM = X @ X.T + torch.eye(12, dtype=X.dtype)
TARGET = parse_target("z1*z2 + h3(z1)", 5)
NETWORK = TwoLayerNetwork(W, a, torch.zeros_like(a))
SYMMETRIC = symmetric_init(6, 5, torch.Generator().manual_seed(0))
PROJECTOR = torch.linalg.qr(GRAM)[0][:, :3]
TAYLOR = taylor_start(20, 5, torch.Generator().manual_seed(0), jitter=0.1)
SCALED = symmetric_start(6, 5, 1.0, torch.Generator().manual_seed(0), "erf")
MOVED = replace(SCALED, W=SCALED.W + 0.1)
SPECTRUM = kernel_spectrum("random features", 5)
ENERGIES = TARGET.energy_by_degree()
KERNEL = {"X": X, "Z": drawn(3, 5)}
COVARIANCES = {
    "covariance": 0.1 * X[:3, :3],
    "x_variance": torch.ones(3, dtype=X.dtype),
    "z_variance": torch.ones(3, dtype=X.dtype),
}
CALLS = {
    "escaping_the_kernel.recursive_features.average_gradient_outer_product": {
        "X": X,
        "coefficients": y,
        "length": 2.0,
        "metric": torch.eye(5, dtype=X.dtype),
    },
    "escaping_the_kernel.learnt_metrics.trace_share": {"metric": GRAM[:5, :5], "directions": FRAME},
    "escaping_the_kernel.learnt_metrics.metric_correlation": {"first": GRAM[:5, :5], "second": GRAM[5:10, 5:10]},
    "escaping_the_kernel.learnt_metrics.outer_product_of_gradients": {"function": TARGET, "X": X},
    "escaping_the_kernel.learnt_metrics.polynomial_kernel": KERNEL
    | {"metric": torch.eye(5, dtype=X.dtype), "offset": 1.0, "degree": 2},
    "escaping_the_kernel.modular_addition.circulant_share": {"block": GRAM},
    "escaping_the_kernel.modular_addition.form_values": {"forms": GRAM[None, :5, :5], "X": X},
    "escaping_the_kernel.modular_addition.metric_of_forms": {"forms": GRAM[None, :5, :5], "X": X},
    "escaping_the_kernel.modular_addition.quadratic_forms": {
        "X": X,
        "outputs": drawn(12, 2),
        "metric": torch.eye(5, dtype=X.dtype),
    },
    "escaping_the_kernel.clipped_neuron.clip": {"z": y},
    "escaping_the_kernel.clipped_neuron.train_clipped_neuron": {
        "features": X,
        "y": y,
        "start": drawn(5),
        "metric": torch.eye(5, dtype=X.dtype),
        "rate": 0.1,
        "steps": 1,
    },
    "escaping_the_kernel.clipped_neuron.whitener": {"features": X, "damping": 0.1},
    "escaping_the_kernel.good_directions.protected_directions": {"gram": GRAM, "protected": 3},
    "escaping_the_kernel.good_directions.unprotected_energy": {
        "values": y,
        "projector": PROJECTOR,
    },
    "escaping_the_kernel.good_directions.split_linear_part": {"model": TAYLOR, "protected": 3} | KERNEL,
    "escaping_the_kernel.known_form.refit": {"train": Sample(X, y), "direction": FRAME[:, 0]},
    "escaping_the_kernel.logistic_head.logistic_regression": {
        "features": X,
        "y": y.sigmoid(),
        "start": drawn(5),
        "penalty": 0.1,
    },
    "escaping_the_kernel.norm_score.mean_feature": {"norms": y.abs()},
    "escaping_the_kernel.norm_score.score_weights": {"b": y, "balance": 0.5},
    "escaping_the_kernel.quadratic_ntk.moved_along": {"start": TAYLOR, "direction": FRAME[:, 0]},
    "escaping_the_kernel.quadratic_ntk.signed_linear_parts": {"model": TAYLOR, "X": X, "signs": drawn(20, 3).sign()},
    "escaping_the_kernel.quadratic_ntk.silenced_square": {"model": TAYLOR, "X": X},
    "escaping_the_kernel.taylor_model.tangent_gram": {"start": TAYLOR} | KERNEL,
    "escaping_the_kernel.taylor_model.train_taylor": {
        "model": TAYLOR,
        "X": X,
        "y": y,
        "projector": PROJECTOR,
        "fitted": PROJECTOR,
        "steps": 1,
    },
    "escaping_the_kernel.recursive_features.fit_metric": {"train": Sample(X, y), "metric": torch.eye(5, dtype=X.dtype)},
    "escaping_the_kernel.trained_layer.draw_layers": {
        "count": 1,
        "width": 4,
        "X": X,
        "generator": torch.Generator().manual_seed(0),
    },
    "feature_learning.network_progress.hermite_coefficients": {
        "network": NETWORK,
        "orders": [(1, 1)],
        "directions": FRAME,
    },
    "feature_learning.network_progress.monomial_values": {"X": X, "supports": [(1, 2)]},
    "feature_learning.network_progress.target_coefficients": {
        "task": parse_target("z1*z2", 5, directions=FRAME),
        "orders": [(1, 1)],
        "directions": FRAME,
    },
    "feature_learning.trained_network.trainable_init": {
        "width": 4,
        "d": 5,
        "generator": torch.Generator().manual_seed(0),
        "like": X,
    },
    "feature_learning.one_step.moment_linear_part": {"X": X, "y": y},
    "feature_learning.one_step.least_squares_linear_part": {"X": X, "y": y},
    "feature_learning.one_step.no_linear_part": {"X": X, "y": y},
    "feature_learning.one_step.correlations": {"W": W, "X": X, "y": y},
    "feature_learning.one_step.loss_gradient": {"network": SYMMETRIC, "X": X, "y": y},
    "feature_learning.one_step.giant_step": {"network": SYMMETRIC, "X": X, "y": y, "step": 1.0},
    "feature_learning.online_sgd.online_sgd": {
        "link": "he2",
        "pull": torch.mul,
        "W": torch.nn.functional.normalize(W, dim=1),
        "u": FRAME[:, 0],
        "rates": a.abs(),
        "generator": torch.Generator(),
    },
    "feature_learning.online_sgd.simulated_hitting_steps": {
        "steps": iter([W]),
        "u": FRAME[:, 0],
        "budget": 1,
        "level": 0.5,
    },
    "feature_learning.batch_reuse.reuse_rule": {
        "activation": "he3",
        "rates": a.abs(),
        "inner_rates": a.abs(),
    },
    "feature_learning.label_spectrum.label_spectrum": {"X": X, "weights": y},
    "feature_learning.label_spectrum.label_weights": {"link": "he3", "y": y, "transformation": "bell"},
    "feature_learning.label_spectrum.spectral_direction": {"X": X, "weights": y},
    "feature_learning.smoothed_loss.smoothed_rule": {
        "activation": "he3",
        "rates": a.abs(),
        "dims": [9] * 6,
        "radii": a.abs(),
    },
    "feature_learning.smoothed_loss.smoothed_slope": {
        "activation": "he3",
        "z1": y,
        "Q": y.abs() + 1,
        "d": 9,
        "radius": 1.0,
    },
    "feature_learning.overlap_chain.correlation_rule": {"activation": "he2", "rates": a.abs()},
    "feature_learning.overlap_chain.hitting_steps": {
        "link": "he2",
        "rule": square_rule("he2", a.abs()),
        "starts": 0.1 * a,
        "dims": [9] * 6,
        "budget": 3,
        "generator": torch.Generator(),
    },
    "feature_learning.overlap_chain.overlap_paths": {
        "link": "he2",
        "rule": square_rule("he2", a.abs()),
        "starts": 0.1 * a,
        "dims": [9] * 6,
        "at": [0, 2],
        "generator": torch.Generator(),
    },
    "feature_learning.overlap_chain.square_rule": {"activation": "he2", "rates": a.abs()},
    "feature_learning.spiked_gradient.gradient_parts": {
        "alignments": y / 10,
        "biases": y,
        "task": spiked_index("z1", 5, 0.5),
        "n": 20,
        "noise": 0.1,
    },
    "feature_learning.structured_inputs.inner_product_kernel": KERNEL | {"scale": 1.0},
    "feature_learning.structured_inputs.clipped": {"predictor": torch.sum, "y": y},
    "feature_learning.structured_inputs.drawn_start": {"width": 3, "X": X, "generator": torch.Generator()},
    "feature_learning.structured_inputs.gradient_directions": {"start": NETWORK, "X": X, "y": y},
    "feature_learning.structured_inputs.unit_variance": {"W": W, "X": X},
    "feature_learning.quadratic_student.expected_push": {"W": W, "directions": FRAME, "weights": y[:2].abs()},
    "feature_learning.quadratic_student.sampled_push": {"W": W, "X": X, "y": y},
    "feature_learning.quadratic_student.train_expected": {
        "W": W,
        "directions": FRAME,
        "weights": y[:2].abs(),
        "rate": 0.01,
        "at": [1, 3],
    },
    "feature_learning.quadratic_student.train_sampled": {
        "W": W,
        "directions": FRAME,
        "weights": y[:2].abs(),
        "rate": 0.01,
        "batch": 2,
        "at": [1, 3],
        "generator": torch.Generator().manual_seed(0),
    },
    "feature_learning.scaling_laws.learning_times": {"at": list(range(12)), "shares": X},
    "feature_learning.scaling_laws.learnt_share": {"link": "he2", "overlaps": 0.1 * y},
    "feature_learning.scaling_laws.remaining_loss": {"shares": X, "weights": y[:5].abs()},
    "feature_learning.scaling_laws.task_overlaps": {
        "link": "he2",
        "rule": square_rule,
        "rates": a.abs(),
        "starts": 0.1 * a,
        "d": 9,
        "at": [1, 4],
        "generator": torch.Generator(),
    },
    "feature_learning.one_step_theory.population_correlation": {"target": TARGET, "W": W},
    "feature_learning.one_step_theory.linear_correlation": {"target": TARGET, "W": W},
    "feature_learning.one_step_theory.predicted_overlap": {
        "n": 100,
        "d": 5,
        "hessian": TARGET.expected_hessian(),
        "label_variance": 1.0,
    },
    "feature_learning.sample_complexity.degree_to_learn": {"energies": ENERGIES, "threshold": 0.5},
    "foundations.inputs.laws.spiked_gaussian": {
        "n": 3,
        "d": 5,
        "generator": torch.Generator(),
        "direction": FRAME[:, 0],
        "strength": 1.0,
    },
    "foundations.inputs.spiked_inputs.first_component": {"X": X},
    "foundations.inputs.spiked_inputs.spiked_law": {"direction": FRAME[:, 0], "strength": 1.0},
    "foundations.inputs.spiked_inputs.whitening": {"X": X},
    "foundations.inputs.radial_inputs.ball_indicator": {"X": X, "radius": 1.0},
    "foundations.inputs.radii.hill_exponent": {"radii": y.abs() + 1, "count": 3},
    "foundations.inputs.targets_and_inputs.energy_gap": {"target": TARGET, "energies": ENERGIES},
    "foundations.inputs.targets_and_inputs.direction_signal": {"X": X, "y": y},
    "foundations.inputs.targets_and_inputs.leading_degree": {"energies": ENERGIES},
    "foundations.learning.descent.full_batch": {"X": X, "y": y},
    "foundations.learning.measures.risk": {"prediction": y, "truth": y + 1, "variance": 1.0},
    "foundations.learning.measures.subspace_overlap": {"W": W, "directions": FRAME},
    "foundations.learning.measures.energy_per_direction": {"W": W, "directions": FRAME},
    "foundations.learning.measures.principal_angles": {"first": FRAME, "second": FRAME},
    "foundations.learning.measures.leading_subspace": {"W": W, "rank": 2},
    "foundations.learning.measures.learnt_fractions": {"prediction": y, "parts": drawn(12, 2)},
    "foundations.learning.networks.random_network": {"width": 4, "directions": FRAME, "generator": torch.Generator()},
    "foundations.learning.ridge.ridge_path": {"features": X, "y": y, "penalties": a.abs()},
    "foundations.learning.ridge.kernel_ridge_path": {"gram": GRAM, "y": y, "penalties": a.abs()},
    "foundations.learning.ridge.fit_ridge": {"features": X, "y": y},
    "foundations.learning.ridge.fit_kernel_ridge": {"gram": GRAM, "y": y},
    "foundations.learning.samples.noisy": {"values": y, "noise": 0.1, "generator": torch.Generator()},
    "foundations.learning.taylor.taylor_terms": {"start": SCALED, "end": MOVED, "X": X, "order": 1},
    "foundations.targets.hermite.hermite": {"degree": 2, "x": y},
    "foundations.targets.hermite.hermite_table": {"max_degree": 2, "x": y},
    "foundations.targets.hermite_tensors.hermite_tensors": {"X": X, "k": 2},
    "foundations.targets.hermite_tensors.tensor_expansion": {"target": TARGET, "X": X},
    "foundations.targets.hermite_tensors.derivatives": {"function": TARGET, "X": X, "k": 1},
    "foundations.targets.hermite_tensors.stein_terms": {"function": TARGET, "X": X, "k": 1},
    "foundations.targets.hidden_directions.given_directions": {"directions": FRAME, "d": 5, "q": 2},
    "foundations.targets.target.parse_target": {"text": "z1*z2", "dim": 5, "directions": FRAME},
    "kernel_regime.dual_kernels.dual_random_feature_kernel": KERNEL,
    "kernel_regime.dual_kernels.dual_tangent_kernel": KERNEL,
    "kernel_regime.empirical_kernel.empirical_tangent_kernel": KERNEL | {"W": W, "a": a},
    "kernel_regime.gaussian_kernel.gaussian_kernel": KERNEL | {"metric": torch.eye(5, dtype=X.dtype)},
    "kernel_regime.lazy_training.gradient_descent": {"network": SCALED, "X": X, "y": y, "step": 0.1, "steps": 1},
    "kernel_regime.lazy_training.stable_step": {"gram": GRAM},
    "kernel_regime.lazy_training.tangent_fit": {"gram": GRAM, "residual": y, "step": 0.1, "steps": 3},
    "kernel_regime.lazy_training.kernel_drift": {"gram": GRAM, "gram_trained": GRAM},
    "kernel_regime.lazy_training.tangent_remainder": {"start": SCALED, "trained": MOVED, "X": X},
    "kernel_regime.lazy_training.remainder_bound": {
        "start": SCALED,
        "trained": MOVED,
        "X": X,
        "slope": 1.0,
        "bend": 1.0,
    },
    "kernel_regime.learning_curve.predict": {"spectrum": SPECTRUM, "energies": ENERGIES, "n": 50, "penalty": 0.1},
    "kernel_regime.learning_curve.predict_best": {"spectrum": SPECTRUM, "energies": ENERGIES, "n": 50},
    "kernel_regime.learning_curve.samples_for_risk": {"spectrum": SPECTRUM, "energies": ENERGIES, "risk": 0.9},
    "kernel_regime.sketch.tensor_sketch_variance": {"U": X, "V": X, "size": 8},
    "kernel_regime.laplace_kernel.laplace_kernel": KERNEL,
    "kernel_regime.laplace_kernel.typical_distance": {"X": X},
    "kernel_regime.sketch.values_and_slopes": {"X": X, "W": W},
    "kernel_regime.sketch.gradient_features": {"X": X, "W": W},
    "kernel_regime.sketch.direction_features": {"X": X, "W": W, "directions": drawn(6, 5)},
    "kernel_regime.sketch.sketched_features": {
        "X": X,
        "W": W,
        "sketch": draw_tensor_sketch(6, 5, 8, torch.Generator()),
    },
    "kernel_regime.sparse_bias.sparse_bias_kernel": KERNEL,
    "kernel_regime.sparse_bias.active_fraction": {"network": NETWORK, "X": X},
    "kernel_regime.sparse_bias.blind_fraction": {"network": NETWORK, "X": X},
    "kernel_regime.sparse_bias.empirical_kernel": {"network": NETWORK, "X": X},
    "kernel_regime.sparse_bias.train_first_layer": {"network": NETWORK, "X": X, "y": y, "step": 0.1, "steps": 1},
    "kernel_regime.sparse_bias.kernel_losses": {"gram": GRAM, "y": y, "step": 0.1, "steps": 2},
    "kernel_regime.staircase.first_layer_kernel": KERNEL,
    "kernel_regime.tangent_kernel.random_feature_kernel": KERNEL,
    "kernel_regime.tangent_kernel.tangent_kernel": KERNEL,
    "transfer.frozen_representation.fit_transferred_metric": {
        "problem": Problem(Sample(X, y), Sample(X, y)),
        "generator": torch.Generator(),
        "metric": torch.eye(5, dtype=X.dtype),
    },
}

INNER = {  # pieces of kernels and of training loops, which get what these have checked
    "escaping_the_kernel.clipped_neuron.clipped_gradient",
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
}
CASES = [(name, argument) for name in CALLS for argument in PUBLIC.get(name, (None, []))[1] if argument in CALLS[name]]
ANY_SHAPE = {
    ("feature_learning.scaling_laws.learnt_share", "overlaps"),
    ("feature_learning.scaling_laws.remaining_loss", "shares"),
    ("escaping_the_kernel.clipped_neuron.clip", "z"),
    ("feature_learning.trained_network.trainable_init", "like"),
    ("foundations.targets.hermite.hermite", "x"),
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
