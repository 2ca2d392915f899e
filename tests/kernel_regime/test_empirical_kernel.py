"""The kernel of a finite network against its Jacobian by automatic differentiation, and its limit."""

import pytest
import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.foundations.inputs.laws import gaussian
from beyond_kernel.kernel_regime.activations import ACTIVATIONS, activation_of
from beyond_kernel.kernel_regime.dual_kernels import dual_tangent_kernel
from beyond_kernel.kernel_regime.empirical_kernel import empirical_tangent_kernel
from beyond_kernel.random_streams import generator_for

D, WIDTH = 5, 11


def network(seed=0, dtype=torch.float64):
    draws = generator_for(seed, "network")
    return gaussian(WIDTH, D, draws, dtype) / D**0.5, gaussian(WIDTH, 1, draws, dtype)[:, 0]


def jacobian(function, W, a, X):
    def f(W, a, x):
        return torch.dot(a, function(W @ x)) / len(a) ** 0.5

    parts = torch.func.vmap(torch.func.jacrev(f, argnums=(0, 1)), in_dims=(None, None, 0))(W, a, X)
    return torch.cat([part.flatten(1) for part in parts], 1)


@pytest.mark.parametrize("name", list(ACTIVATIONS))
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
def test_equals_the_product_of_autograd_jacobians(name, dtype, tolerance):
    """Any head, not only +-1; both with Z and without."""
    W, a = network(dtype=dtype)
    X, Z = (gaussian(n, D, generator_for(n, "points"), dtype) for n in (7, 4))
    function = ACTIVATIONS[name].function
    left, right = (jacobian(function, W, a, points) for points in (X, Z))
    scale = float((left @ left.T).abs().max())
    assert torch.allclose(empirical_tangent_kernel(X, None, W, a, name), left @ left.T, atol=tolerance * scale)
    assert torch.allclose(empirical_tangent_kernel(X, Z, W, a, name), left @ right.T, atol=tolerance * scale)


def test_a_callable_is_as_good_as_a_name():
    W, a = network()
    X = gaussian(6, D, generator_for(0, "points"))
    expected = jacobian(torch.nn.functional.mish, W, a, X)
    found = empirical_tangent_kernel(X, None, W, a, torch.nn.functional.mish)
    assert torch.allclose(found, expected @ expected.T, atol=1e-12)


def test_mirrored_blocks_are_the_full_product():
    """More rows than two blocks: the half that is not computed must be the mirror image, exactly."""
    W, a = network(1)
    X = gaussian(600, D, generator_for(1, "points"))
    half = empirical_tangent_kernel(X, None, W, a, "tanh")
    assert torch.equal(half, half.T)
    assert torch.allclose(half, empirical_tangent_kernel(X, X.clone(), W, a, "tanh"), atol=1e-13)


def test_one_neuron_worked_by_hand():
    """w = (1, 2), a = 3, x = (1, 1), z = (2, 0), square: (9 * 6 * 4) * 2 + 9 * 4 = 468."""
    row = lambda *entries: torch.tensor([entries], dtype=torch.float64)  # noqa: E731
    found = empirical_tangent_kernel(
        row(1, 1), row(2, 0), row(1, 2), torch.tensor([3.0], dtype=torch.float64), "square"
    )
    assert float(found) == pytest.approx(468)


def test_mean_over_networks_is_the_limit():
    X = gaussian(4, D, generator_for(2, "points"))
    draws = generator_for(3, "networks")
    ones = torch.ones(20, dtype=torch.float64)
    grams = [empirical_tangent_kernel(X, None, gaussian(20, D, draws) / D**0.5, ones, "erf") for _ in range(600)]
    grams = torch.stack(grams)
    errors = (grams.mean(0) - dual_tangent_kernel(X, activation="erf")).abs() / (grams.std(0) / 600**0.5)
    assert float(errors.max()) < 4.5


def test_bad_input_is_refused_with_a_sentence():
    W, a = network()
    X = gaussian(3, D, generator_for(4, "points"))
    with pytest.raises(BadParameter, match=r"W has shape \(11, 5\)"):
        empirical_tangent_kernel(X[:, :4], None, W, a)
    with pytest.raises(BadParameter, match="a has shape"):
        empirical_tangent_kernel(X, None, W, a[:4])
    with pytest.raises(BadParameter, match="W is of dtype torch.float32"):
        empirical_tangent_kernel(X, None, W.to(torch.float32), a)
    with pytest.raises(BadParameter, match="not finite"):
        empirical_tangent_kernel(X / 0, None, W, a)
    with pytest.raises(BadParameter, match="grows faster"):
        empirical_tangent_kernel(X, None, W, a, torch.exp)
    assert activation_of("relu").name == "relu"
