"""Arguments that fit, for each public function of tensors in the foundations and the kernel regime."""

from dataclasses import replace

import torch

from beyond_kernel.escaping_the_kernel.taylor_model import taylor_start
from beyond_kernel.foundations.learning.networks import TwoLayerNetwork, symmetric_init
from beyond_kernel.foundations.targets.target import parse_target
from beyond_kernel.kernel_regime.lazy_training import symmetric_start
from beyond_kernel.kernel_regime.sketch import draw_tensor_sketch
from beyond_kernel.kernel_regime.spectrum import kernel_spectrum


def drawn(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)), dtype=torch.float64)


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
}
