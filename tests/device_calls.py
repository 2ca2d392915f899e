"""Each learner, and for each cell the arguments with which tests run it on several devices."""

import functools
from dataclasses import replace

import torch
from device_calls_of_recovery import RECOVERY_CELLS
from device_calls_of_symmetry import SYMMETRY_CELLS
from device_calls_of_transfer import TRANSFER_CELLS

from beyond_kernel.escaping_the_kernel.depth_separation import fit_clipped_head, fit_linear_head, fit_norm_stump
from beyond_kernel.escaping_the_kernel.good_directions import fit_joint_model, fit_regularised_model
from beyond_kernel.escaping_the_kernel.known_form import fit_known_form
from beyond_kernel.escaping_the_kernel.line_and_quadratic import fit_line_and_quadratic
from beyond_kernel.escaping_the_kernel.logistic_head import fit_logistic_head
from beyond_kernel.escaping_the_kernel.quadratic_ntk import (
    fit_degree_two_kernel,
    fit_quadratic_model,
    fit_tangent_model,
)
from beyond_kernel.escaping_the_kernel.recursive_features import fit_oracle_kernel, fit_recursive_features
from beyond_kernel.escaping_the_kernel.trained_layer import fit_clipped_layer, fit_trained_layer
from beyond_kernel.feature_learning.degree_kernels import fit_polynomial_kernel, fit_quadratic_ridge
from beyond_kernel.feature_learning.metric_kernel import fit_metric_kernel, fit_two_moments
from beyond_kernel.feature_learning.one_step import fit_one_step
from beyond_kernel.feature_learning.several_steps import fit_fresh_samples, fit_same_samples
from beyond_kernel.feature_learning.structured_inputs import (
    fit_first_component,
    fit_inner_product_kernel,
    fit_known_direction,
    fit_normalised_step,
)
from beyond_kernel.feature_learning.trained_network import fit_trained_network
from beyond_kernel.foundations.learning.networks import symmetric_init
from beyond_kernel.kernel_regime.kernel_learners import (
    fit_gaussian_kernel,
    fit_oracle,
    fit_random_feature_kernel,
    fit_random_features,
    fit_tangent_kernel,
)
from beyond_kernel.kernel_regime.laplace_kernel import fit_laplace_kernel
from beyond_kernel.transfer.fine_tuning import fit_fine_tuned
from beyond_kernel.transfer.frozen_representation import (
    fit_transferred,
    fit_transferred_metric,
    pretrain,
    pretrain_metric,
)

TARGET = "He2(z1)/sqrt(2) + z2*z3 + He3(z1)/3"


def fit_pretrained(problem, generator):
    """Run the learner that transfers on a network that was trained where the problem lies."""
    network = pretrain(problem.task, 400, 200, 0.0, 0, device=problem.train.X.device)
    return fit_transferred(problem, generator, network.to(problem.train.X))


def fit_signs(problem, generator):
    """Run the logistic head, which takes labels from 0 to 1, on whether the labels are above zero."""
    train = replace(problem.train, y=(problem.train.y > 0).to(problem.train.y))
    return fit_logistic_head(replace(problem, train=train), generator, width=60)


def fit_with_learnt_metric(problem, generator):
    """Run the learner that keeps a metric on one that was learnt where the problem lies."""
    metric = pretrain_metric(problem.task, 100, 0.0, 0, device=problem.train.X.device)
    return fit_transferred_metric(problem, generator, metric)


LEARNERS = {
    "random-feature kernel": fit_random_feature_kernel,
    "tangent kernel": fit_tangent_kernel,
    "Gaussian kernel": fit_gaussian_kernel,
    "polynomial kernel": functools.partial(fit_polynomial_kernel, degree=3),
    "quadratic ridge": fit_quadratic_ridge,
    "recursive features": fit_recursive_features,
    "oracle kernel": fit_oracle_kernel,
    "random features": functools.partial(fit_random_features, width=200),
    "oracle": functools.partial(fit_oracle, width=200),
    "one step": functools.partial(fit_one_step, width=200),
    "one step, metric kernel": functools.partial(fit_metric_kernel, width=200),
    "two moments": fit_two_moments,
    "steps on the same samples": functools.partial(fit_same_samples, width=200),
    "steps on fresh samples": functools.partial(fit_fresh_samples, width=200),
    "tangent model": functools.partial(fit_tangent_model, width=60),
    "quadratic model": functools.partial(fit_quadratic_model, width=60, steps=100),
    "degree-two kernel": fit_degree_two_kernel,
    "joint model": functools.partial(fit_joint_model, width=60, steps=100),
    "joint model, regularised": functools.partial(fit_regularised_model, width=60, steps=100),
    "line and quadratic model": functools.partial(fit_line_and_quadratic, width=60, steps=100),
    "known form": fit_known_form,
    "trained network": functools.partial(fit_trained_network, width=30, steps=300),
    "linear head": functools.partial(fit_linear_head, width=60),
    "clipped head": functools.partial(fit_clipped_head, width=60),
    "logistic head": fit_signs,
    "trained layer": functools.partial(fit_trained_layer, width=20, steps=60),
    "trained layer, clipped": functools.partial(fit_clipped_layer, width=20, steps=60),
    "Laplace kernel": fit_laplace_kernel,
    "norm stump": fit_norm_stump,
    "transferred": fit_pretrained,
    "transferred metric": fit_with_learnt_metric,
    "fine-tuned": functools.partial(
        fit_fine_tuned, network=symmetric_init(20, 6, torch.Generator().manual_seed(0)), steps=100
    ),
    "one step, normalised": functools.partial(fit_normalised_step, width=200),
    "first principal component": functools.partial(fit_first_component, width=200),
    "known direction": functools.partial(fit_known_direction, width=200),
    "inner-product kernel": fit_inner_product_kernel,
}
TRANSFER = {"source": TARGET, "target": "z1*z2", "d": 5, "sizes": [40], "repeats": 1, "source_ratio": 4.0, "width": 20}
STEP = {"target": TARGET, "d": 6, "ratio": 4.0, "width": 20, "noise": 0.5}
LAZY = {"d": 5, "n": 20, "width": 30, "scale": 2.0, "steps": 20, "noise": 0.1}
LAW = {"law": "half heavy-tailed", "d": 6, "n": 400}
SPIKED = {"link": "z1 + h2(z1)", "d": 5, "psi": 8.0, "beta": 0.7, "noise": 0.1}
BALL = {"law": "half heavy-tailed", "radius": 1.0, "d": 5, "n": 60, "width": 20}
STAIRS = {"d": 6, "width": 8, "rate_scale": 1.0, "rate_power": 1.0, "steps": 30}
LEAKY = {"width": 6, "size": 0.01, "leak": 0.2, "rate": 1.0}
OWN_CELLS = {
    "learner_risk_cell": [
        {"learner": learner, "target": TARGET, "d": 6, "n": 60, "noise": 0.1, "n_test": 80}
        for learner in LEARNERS.values()
    ],
    "gradient_cell": [STEP],
    "overlap_cell": [STEP],
    "variant_cell": [STEP | {"variant": variant} for variant in ("Algorithm 1", "no preprocessing", "least squares")],
    "schedule_cell": [STEP | {"schedule": "two steps, half of the samples each"}],
    "step_size_cell": [STEP | {"step_scale": 1.0}],
    "undecayed_step_cell": [STEP | {"step_scale": 1.0}],
    "dual_cell": [{"link": link, "correlation": 0.5, "n": 200} for link in ("relu", "sign", "z1^2")],
    "stein_cell": [{"target": TARGET, "q": 3, "k": 2, "n": 200}],
    "direction_cell": [
        {"link": link, "d": 5, "n": 300, "transformed": transformed}
        for link, transformed in (("relu", True), ("He2(z1)", True), ("He3(z1)", False))
    ],
    "sampled_energy_cell": [{"max_degree": 6, "n": 300}],
    "radius_cell": [LAW, LAW | {"law": "two spheres"}, LAW | {"law": "small Gaussian"}],
    "above_cell": [LAW | {"radii": [0.5, 1.0, 2.0]}],
    "radius_width_cell": [LAW],
    "running_mean_cell": [LAW],
    "ball_cell": [
        BALL | {"learner": learner, "layer_steps": 30, "n_test": 50}
        for learner in (
            "linear head",
            "clipped head",
            "logistic head",
            "trained layer",
            "Laplace kernel",
            "Gaussian kernel",
        )
    ],
    "turned_up_cell": [BALL | {"learner": "linear head"}],
    "profile_cell": [BALL | {"shells": 3}],
    "momentum_cell": [BALL | {"step": 0.5, "momentum": 0.9, "steps": 10}],
    "score_cell": [{"law": "two spheres", "radius": 1.4, "d": 5, "widths": [200], "n_test": 40}],
    "energy_gap_cell": [{"text": TARGET, "d": 6}],
    "scaling_cell": [{"width": 20, "d": 5, "draws": 2}],
    "moves_cell": [{"target": "h2(z1)", "d": 5, "n": 30, "width": 20, "steps": 20, "noise": 0.1}],
    "saddle_cell": [{"target": "h2(z1)", "d": 5, "n": 30, "width": 20, "steps": 5, "jitter": 0.01}],
    "spectrum_cell": [{"d": 4, "n": 20, "width": 10}],
    "joint_cell": [
        {"target": "z1 + h2(z2)", "d": 4, "n": 15, "width": 20, "penalty": penalty, "steps": 10}
        for penalty in (0.0, 1.0)
    ],
    "rounds_cell": [
        {"target": TARGET, "d": 5, "n": 40, "noise": 0.1, "rounds": 1, "choice": choice}
        for choice in ("leave-one-out", "generalised cross-validation")
    ],
    "rank_path_cell": [LEAKY | {"law": law, "d": 30, "n": 8, "steps": 10} for law in ("gaussian", "clusters")],
    "third_cell": [LEAKY | {"level": 2.0, "n": 8, "steps": 10}],
    "labels_cell": [LEAKY | {"target": "z1*z2", "d": 5, "n": 30, "steps": 10, "n_test": 50}],
    "flips_cell": [LEAKY | {"d": 40, "n": 10, "flips": 0.2, "distance": 4.0, "steps": 10, "n_test": 50}],
    "axes_cell": [LEAKY | {"d": 40, "n": 10, "distance": 4.0, "steps": 10, "n_test": 50}],
    "chains_cell": [
        {"link": "he2", "beta": 1.0, "n_tasks": 8, "d": 8, "rate": 0.2, "runs": 2, "start": start, "loss": loss}
        for start, loss in (("same", "square"), ("random", "correlation"))
    ],
    "student_cell": [{"beta": 1.0, "n_tasks": 8, "d": 8, "width": 8, "rate": 0.05, "batch": 16}],
    "shares_cell": [{"learner": fit_gaussian_kernel, "beta": 1.0, "n_tasks": 8, "d": 8, "n": 30, "n_test": 50}],
    "metrics_cell": [
        {"first": functools.partial(fit_one_step, width=20), "target": "z1*z2", "d": 5, "n": 40, "noise": 0.1}
        | {"second": functools.partial(fit_trained_network, width=10, steps=50)}
    ],
    "hitting_cell": [{"link": "he2", "dims": [8, 16], "groups": 2, "searches": 4, "noise": 0.1, "loss": "square"}],
    "equation_cell": [{"link": "he1", "d": 9, "step": 0.5, "loss": "square", "replicas": 4, "horizon": 1.0}],
    "smoothing_cell": [{"link": "he3", "dims": [32], "groups": 1, "searches": 2, "patience": 0.1}],
    "reuse_cell": [{"link": "he3", "dims": [32], "q": 0.25, "groups": 1, "searches": 2, "patience": 0.1}],
    "single_use_cell": [{"link": "he3", "dims": [32], "q": 0.25, "groups": 1, "searches": 2, "patience": 0.1}],
    "spectral_cell": [
        {"link": "he3", "d": 6, "ratio": 5.0, "transformation": name} for name in ("bell", "conditional mean")
    ],
    "mean_cell": [{"link": "he3", "d": 6, "ratio": 5.0}],
    "law_cell": [{"link": "he2", "d": 6, "loss": "square", "steps": 5, "replicas": 10, "noise": 0.1}],
    "head_cell": [{"target": "z1*z2", "d": 5, "n": 40, "noise": 0.1}],
    "needed_cell": [
        {"learner": functools.partial(fit_one_step, width=20), "target": "z1*z2", "d": 5, "thresholds": [0.8, 0.5]}
        | {"noise": 0.1, "n_max": 60, "n_test": 80}
    ],
    "directions_cell": [{"target": "z1*z2", "d": 5, "level": 0.6, "width": 20, "noise": 0.1, "n_max": 60}],
    "head_sample_cell": [STEP],
    "samples_needed_cell": [{"target": "z1*z2", "d": 5, "threshold": 0.5, "noise": 0.1, "n_max": 60}],
    "modular_cell": [{"modulus": 5, "share": 0.7, "rounds": 2}],
    "spike_cell": [{"d": 6, "n": 50, "strength": 4.0}],
    "spiked_risk_cell": [
        {"learner": functools.partial(fit_first_component, width=10), "n_test": 50, **SPIKED, **options}
        for options in ({"cosine": 0.5}, {"whiten": True})
    ],
    "spiked_gradient_cell": [SPIKED | {"width": 10}],
    "penalty_cell": [SPIKED],
    "luck_cell": [SPIKED | {"width": 10}],
    "learning_cell": [
        {"target": "z1*z2 + z1", "d": 5, "n": 40, "noise": 0.1, "n_test": 50} | options
        for options in ({"kernel": "tangent"}, {"kernel": "random features", "twin": True})
    ],
    "samples_cell": [{"degree": 2, "d": 5, "kernel": "tangent", "noise": 0.1, "n_max": 60, "n_test": 50}],
    "widest_cell": [{"task": "z1", "d": 5, "n": 20, "steps": 20, "noise": 0.1}],
    "draws_cell": [{"task": "z1", "d": 5, "n": 20, "width": 30, "steps": 20, "noise": 0.1, "draws": 2}],
    "lazy_cell": [
        LAZY | {"task": "3 relu neurons"},
        LAZY | {"task": "z1*z2", "activation": "tanh", "start": "independent"},
        LAZY | {"task": "z1", "activation": torch.nn.functional.elu},
    ],
    "training_cell": [{"target": "z1*z2", "d": 5, "n": 20, "width": 40, "steps": 10, "offset": 0.3}],
    "staircase_path_cell": [STAIRS | {"target": "z1 + z1*z2", "every": 10}],
    "staircase_times_cell": [STAIRS | {"target": "z1 + z1*z2"}],
    "gaussian_times_cell": [
        STAIRS | {"target": "z1 + z1*z2", "orders": [(1, 0), (1, 1)], "angle": 0.0},
        STAIRS | {"target": "z1*z2", "orders": [(2, 0), (0, 2)], "angle": 45.0, "turned": True},
    ],
    "parity_cell": [STAIRS | {"degree": 2, "every": 10}],
    "degree_risk_cell": [{"target": TARGET, "d": 5, "n": 30, "noise": 0.1, "offset": 0.5}],
    "kernel_width_cell": [
        {"d": 4, "widths": [20], "n": 15, "repeats": 1, "activation": activation}
        for activation in ("relu", "erf", "tanh", torch.nn.functional.leaky_relu)
    ],
    "sketch_cell": [{"d": 4, "features": 40, "n": 15}, {"d": 4, "features": 40, "n": 15, "activation": "gelu"}],
    "staircase_cell": [
        {"d": 4, "n": 20, "activation": "relu", "kernel": "first layer"},
        {"d": 4, "n": 20, "activation": "tanh", "law": "gaussian", "bias": 0.5},
    ],
    "transfer_cell": [
        TRANSFER | {"learner": learner, "noise": 0.1}
        for learner in (
            "transferred",
            "transferred metric",
            "oracle",
            "oracle kernel",
            "one step",
            "Gaussian kernel",
            "recursive features",
        )
    ],
}
CELLS = OWN_CELLS | RECOVERY_CELLS | SYMMETRY_CELLS | TRANSFER_CELLS
