"""The functions that learners and cells are made of return the dtype and the device of their input."""

import pytest
import torch
from pretend_device import another_device

from beyond_kernel.escaping_the_kernel import clipped_neuron, norm_score
from beyond_kernel.feature_learning import one_step, one_step_theory
from beyond_kernel.foundations.exponents.label_transformations import label_transformation
from beyond_kernel.foundations.exponents.single_index import single_index
from beyond_kernel.foundations.inputs.balls import BallIndicator
from beyond_kernel.foundations.learning import measures
from beyond_kernel.foundations.learning.descent import descend, full_batch, mini_batches, online
from beyond_kernel.foundations.learning.networks import TwoLayerNetwork, random_network, symmetric_init, with_new_biases
from beyond_kernel.foundations.learning.ridge import fit_kernel_ridge, fit_ridge, ridge_path
from beyond_kernel.foundations.learning.samples import Sample, draw_matched_sample, draw_sample, noisy
from beyond_kernel.foundations.learning.taylor import taylor_terms
from beyond_kernel.foundations.learning.teachers import relu_teacher
from beyond_kernel.foundations.targets.hermite import hermite_table
from beyond_kernel.foundations.targets.hermite_tensors import derivatives, stein_terms, tensor_expansion
from beyond_kernel.foundations.targets.target import parse_target
from beyond_kernel.kernel_regime import sketch
from beyond_kernel.kernel_regime.dual_kernels import dual_random_feature_kernel, dual_tangent_kernel
from beyond_kernel.kernel_regime.empirical_kernel import empirical_tangent_kernel
from beyond_kernel.kernel_regime.laplace_kernel import laplace_kernel
from beyond_kernel.kernel_regime.lazy_training import ScaledNetwork, tangent_fit
from beyond_kernel.kernel_regime.sparse_bias import kernel_losses, sparse_bias_kernel
from beyond_kernel.kernel_regime.tangent_kernel import random_feature_kernel, tangent_kernel
from beyond_kernel.random_streams import generator_for

D = 6
CLOSE = {torch.float64: 1e-10, torch.float32: 1e-3}
truth = parse_target("He2(z1)/sqrt(2) + z2*z3 + He3(z1)/3 + z2", D).normalised()


def stream() -> torch.Generator:
    return generator_for(0, "devices")


def network(X: torch.Tensor) -> TwoLayerNetwork:
    """Return the same neurons for every precision and device."""
    drawn = symmetric_init(20, D, stream())
    return TwoLayerNetwork(drawn.W, drawn.a, torch.ones_like(drawn.b) / 3).to(X)


def scaled(X: torch.Tensor) -> ScaledNetwork:
    return ScaledNetwork(network(X).W, network(X).a, 2.0, "tanh")


def kernel_coefficients(X: torch.Tensor) -> torch.Tensor:
    """Return predictions: coefficients of a small penalty keep few digits in single precision."""
    gram, y = tangent_kernel(X, bias=1.0), truth(X)
    return gram @ fit_kernel_ridge(gram, y, levels=(0.1, 1.0)).coefficients


def trained(X: torch.Tensor, batches) -> torch.Tensor:
    return descend(network(X), batches, {"W": 0.01, "a": 0.01, "b": 0.01}, 5)(X)


def like(X: torch.Tensor) -> dict:
    return {"dtype": X.dtype, "device": X.device}


def sketched(X: torch.Tensor) -> torch.Tensor:
    drawn = sketch.draw_tensor_sketch(20, D, 30, stream())
    return sketch.sketched_features(X, network(X).W, drawn, "tanh")


def moved(X: torch.Tensor) -> TwoLayerNetwork:
    start = symmetric_init(20, D, stream())
    return one_step.giant_step(TwoLayerNetwork(start.W, start.a, start.b).to(X), X, truth(X), 2.0)


def descended(X: torch.Tensor) -> torch.Tensor:
    F = clipped_neuron.draw_erf_features(10, D, stream())(X)
    metric = clipped_neuron.whitener(F, 0.1)
    y = (X[:, 0] > 0).to(X)
    return clipped_neuron.train_clipped_neuron(F, y, F.new_zeros(11) + 0.1, rate=0.1, steps=5, metric=metric).weights


FOLLOW = {
    "target": truth,
    "part of a target": lambda X: truth.part(2)(X),
    "tensors of a target": lambda X: tensor_expansion(truth, X),
    "Hessian of a target": lambda X: X @ truth.expected_hessian().to(X) @ truth.directions.to(X),
    "single index": single_index("relu", D).normalised(),
    "single index of a callable": single_index(torch.tanh, D),
    "ball": lambda X: BallIndicator(D, 2.0, "two spheres")(X),
    "teacher": relu_teacher(3, D, seed=0),
    "Hermite table": lambda X: hermite_table(4, X),
    "derivatives": lambda X: derivatives(truth, X, 2),
    "Stein's terms": lambda X: torch.cat(stein_terms(truth, X, 2), 1),
    "label transformation": lambda X: label_transformation("relu", 2)(X[:, 0].clone()),
    "sample": lambda X: draw_sample(truth, 9, 0.1, stream(), **like(X)).y,
    "noise": lambda X: noisy(truth(X), 0.5, stream()),
    "neurons": lambda X: network(X).features(X),
    "new biases": lambda X: with_new_biases(network(X).to(X.double()), stream()).to(X)(X),
    "gradient": lambda X: network(X).loss_gradient(X, truth(X)).by_name["W"],
    "full batches": lambda X: trained(X, full_batch(X, truth(X))),
    "mini-batches": lambda X: trained(X, mini_batches(Sample(X, truth(X)), 7, stream())),
    "fresh samples": lambda X: trained(X, online(truth, 8, 0.1, stream(), **like(X))),
    "Taylor terms": lambda X: taylor_terms(scaled(X), scaled(X * 2), X, 2),
    "ridge path": lambda X: ridge_path(X, truth(X), X.new_tensor([0.1, 1.0])),
    "ridge": lambda X: fit_ridge(X, truth(X)).coefficients,
    "kernel ridge": kernel_coefficients,
    "overlap": lambda X: measures.subspace_overlap(X, truth.directions.to(X)),
    "overlap with directions as they come": lambda X: measures.energy_per_direction(X, truth.directions),
    "angles": lambda X: measures.principal_angles(measures.leading_subspace(X, 2), truth.directions.to(X)),
    "learnt fractions": lambda X: measures.learnt_fractions(X[:, 0], X[:, :2]),
    "linear part": lambda X: one_step.moment_linear_part(X, truth(X))(X),
    "linear part by least squares": lambda X: one_step.least_squares_linear_part(X, truth(X))(X),
    "no linear part": lambda X: one_step.no_linear_part(X, truth(X))(X),
    "correlations": lambda X: one_step.correlations(network(X).W, X, truth(X)),
    "giant step": lambda X: moved(X)(X),
    "population gradient": lambda X: one_step_theory.population_correlation(truth, X),
    "linear part of the population": lambda X: one_step_theory.linear_correlation(truth, X),
    "random-feature kernel": lambda X: random_feature_kernel(X, X[:5], bias=1.0),
    "tangent kernel": lambda X: tangent_kernel(X),
    "dual kernel, closed": lambda X: dual_tangent_kernel(X, X[:5], activation="erf"),
    "dual kernel, smooth": lambda X: dual_tangent_kernel(X, bias=0.5, activation="tanh"),
    "dual kernel, kinks": lambda X: dual_random_feature_kernel(X, activation=torch.nn.functional.leaky_relu),
    "dual kernel, two dimensions": lambda X: dual_tangent_kernel(X, 1.0001 * X[:4], activation=torch.abs),
    "kernel of a network": lambda X: empirical_tangent_kernel(X, None, network(X).W, network(X).a, "softplus"),
    "kernel of twins": lambda X: empirical_tangent_kernel(X, X[:4], network(X).W, 2 * network(X).a),
    "all gradients": lambda X: sketch.gradient_features(X, network(X).W),
    "one direction": lambda X: sketch.direction_features(X, network(X).W, X[:20], "gelu"),
    "sketch": sketched,
    "variance of a sketch": lambda X: sketch.tensor_sketch_variance(X[:, :4], X, 30),
    "Laplace kernel": lambda X: laplace_kernel(X, X[:5], length=2.0),
    "clipped neuron": descended,
    "score of the norm": lambda X: norm_score.norm_score(1.5)(X.norm(dim=1)),
    "sparse-bias kernel": lambda X: sparse_bias_kernel(X / X.norm(dim=1, keepdim=True) * D**0.5, offset=0.4),
    "losses of a kernel": lambda X: kernel_losses(tangent_kernel(X) / 50, truth(X), 0.1, 5),
    "tangent fit": lambda X: tangent_fit(tangent_kernel(X), truth(X), 0.01, 20).coefficients,
    "scaled network": lambda X: scaled(X).loss_gradient(X, truth(X)).by_name["a"],
}


@pytest.fixture
def X() -> torch.Tensor:
    return torch.randn(30, D, generator=stream(), dtype=torch.float64, device="cpu")


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")  # torch's own
@pytest.mark.parametrize("dtype", CLOSE, ids=str)
@pytest.mark.parametrize("name", FOLLOW)
def test_a_function_follows_its_input(X, name, dtype):
    expected = FOLLOW[name](X)
    with another_device() as device:
        found = FOLLOW[name](X.to(device, dtype))
        assert found.dtype == dtype and found.device.type == device.type
        torch.testing.assert_close(found.cpu().double(), expected, rtol=CLOSE[dtype], atol=CLOSE[dtype])


def test_networks_lie_where_they_are_asked_to(X):
    with another_device() as device:
        there = X.to(device)
        assert symmetric_init(8, D, stream(), device=device).W.device.type == device.type
        assert random_network(8, there[:D].T.contiguous()[:, :2], stream()).b.device.type == device.type
        sample = draw_matched_sample(truth, 5, 0.1, stream(), stream(), device)
        assert {sample.X.device.type, sample.y.device.type} == {device.type}
