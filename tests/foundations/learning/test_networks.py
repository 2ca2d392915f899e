"""The two-layer network against its formula, gradients against autograd, and the draws from which all starts."""

import pytest
import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.foundations.learning.networks import (
    BLOCK,
    TwoLayerNetwork,
    random_network,
    symmetric_init,
    with_new_biases,
)
from beyond_kernel.kernel_regime.lazy_training import ScaledNetwork


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_network_is_its_formula(dtype):
    generator = torch.Generator().manual_seed(0)
    W, a, b, X = (torch.randn(*s, generator=generator, dtype=dtype) for s in [(6, 3), (6,), (6,), (11, 3)])
    network = TwoLayerNetwork(W, a, b)
    for x, value in zip(X, network(X), strict=True):
        expected = sum(a[j] * max(float(W[j] @ x + b[j]), 0.0) for j in range(6))
        assert float(value) == pytest.approx(float(expected), rel=1e-4 if dtype == torch.float32 else 1e-12)
    assert network(X).dtype == dtype


def test_blocks_do_not_change_the_answer():
    generator = torch.Generator().manual_seed(1)
    network = TwoLayerNetwork(*(torch.randn(*s, generator=generator) for s in [(4, 2), (4,), (4,)]))
    X = torch.randn(BLOCK + 5, 2, generator=generator)
    assert torch.allclose(network(X), network.features(X) @ network.a, atol=1e-5)


def drawn(dtype):
    """Weights, inputs and labels with biases of both signs and a head that is not +-1."""
    generator = torch.Generator().manual_seed(4)
    shapes = [(6, 3), (6,), (6,), (11, 3), (11,)]
    return (torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype) for shape in shapes)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradient_of_the_two_layer_network_is_that_of_autograd(dtype):
    W, a, b, X, y = drawn(dtype)
    leaves = [tensor.clone().requires_grad_() for tensor in (W, a, b)]
    inner = X @ leaves[0].T + leaves[2]
    loss = (torch.relu(inner) @ leaves[1] - y).square().mean()
    slopes = torch.autograd.grad(loss, leaves)
    found = TwoLayerNetwork(W, a, b).loss_gradient(X, y)
    digits = {"rtol": 1e-4, "atol": 1e-5} if dtype == torch.float32 else {"rtol": 1e-11, "atol": 1e-12}
    assert torch.allclose(found.loss, loss.detach(), **digits) and set(found.by_name) == {"W", "a", "b"}
    for name, slope in zip(("W", "a", "b"), slopes, strict=True):
        assert torch.allclose(found.by_name[name], slope, **digits) and found.by_name[name].dtype == dtype, name
    assert torch.equal(found.slopes, (inner > 0).to(dtype))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("activation", ["tanh", "erf", "relu", "softplus"])
def test_gradient_of_the_scaled_network_is_that_of_autograd(activation, dtype):
    W, a, _, X, y = drawn(dtype)
    leaves = [W.clone().requires_grad_(), a.clone().requires_grad_()]
    function = torch.nn.functional.softplus if activation == "softplus" else getattr(torch, activation)
    loss = (1.7 / 6**0.5 * function(X @ leaves[0].T) @ leaves[1] - y).square().mean()
    slopes = torch.autograd.grad(loss, leaves)
    found = ScaledNetwork(W, a, 1.7, activation).loss_gradient(X, y)
    digits = {"rtol": 1e-4, "atol": 1e-5} if dtype == torch.float32 else {"rtol": 1e-10, "atol": 1e-11}
    assert torch.allclose(found.loss, loss.detach(), **digits) and set(found.by_name) == {"W", "a"}
    for name, slope in zip(("W", "a"), slopes, strict=True):
        assert torch.allclose(found.by_name[name], slope, **digits) and found.by_name[name].dtype == dtype, name


def test_random_neurons_are_unit_vectors_of_their_subspace_with_normal_biases():
    generator = torch.Generator().manual_seed(5)
    basis = torch.linalg.qr(torch.randn(9, 2, generator=generator, dtype=torch.float64)).Q
    network = random_network(4000, basis, generator)
    assert torch.allclose(network.W.norm(dim=1), torch.ones(4000, dtype=torch.float64))
    assert torch.allclose(network.W @ basis @ basis.T, network.W, atol=1e-12) and not network.a.any()
    angles = torch.atan2(*(network.W @ basis).T)
    for moment in (angles.cos().mean(), angles.sin().mean(), (2 * angles).cos().mean(), (2 * angles).sin().mean()):
        assert abs(float(moment)) < 0.05  # uniform on the circle: 0 +- 0.011
    assert abs(float(network.b.mean())) < 0.07 and float(network.b.var()) == pytest.approx(1, abs=0.1)  # four sigma


def test_new_biases_are_standard_normal_and_nothing_else_changes():
    network = symmetric_init(4000, 3, torch.Generator().manual_seed(6))
    fresh = with_new_biases(network, torch.Generator().manual_seed(7))
    assert torch.equal(fresh.W, network.W) and torch.equal(fresh.a, network.a) and not network.b.any()
    assert abs(float(fresh.b.mean())) < 0.07 and float(fresh.b.var()) == pytest.approx(1, abs=0.1)  # four sigma
    assert torch.equal(fresh.b, with_new_biases(network, torch.Generator().manual_seed(7)).b)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_draws_have_the_precision_that_is_asked_for(dtype):
    generator = torch.Generator().manual_seed(8)
    start = symmetric_init(6, 3, generator, dtype)
    for network in (start, with_new_biases(start, generator), random_network(5, torch.eye(3, dtype=dtype), generator)):
        assert network.W.dtype == network.a.dtype == network.b.dtype == dtype
    other = start.to(torch.ones(1, dtype=torch.float64))
    assert other.W.dtype == other.a.dtype == other.b.dtype == torch.float64


def test_symmetric_start_is_zero_and_has_the_stated_law():
    network = symmetric_init(4000, 20, torch.Generator().manual_seed(2))
    X = torch.randn(50, 20, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    assert network(X).abs().max() < 1e-11  # cancellation of 4,000 terms of order one
    assert torch.equal(network.W[:2000], network.W[2000:])
    assert torch.equal(network.a[:2000], -network.a[2000:])
    assert set(network.a.tolist()) == {-1.0, 1.0} and not network.b.any()
    # variance 1/d: 40,000 entries give it to 0.7 % (one sigma); 4 % leaves room
    assert float(network.W[:2000].var()) == pytest.approx(1 / 20, rel=0.04)
    assert abs(float(network.a[:2000].mean())) < 0.1  # four sigma of 2,000 signs


def test_bad_input_is_refused_with_a_sentence():
    generator = torch.Generator()
    with pytest.raises(BadParameter, match="width = 5 is odd"):
        symmetric_init(5, 3, generator)
    with pytest.raises(BadParameter, match="width = 0 is out of range"):
        symmetric_init(0, 3, generator)
    with pytest.raises(BadParameter, match="d = -3"):
        symmetric_init(4, -3, generator)
    with pytest.raises(BadParameter, match=r"a has shape \(3,\)"):
        TwoLayerNetwork(torch.ones(4, 2), torch.ones(3), torch.ones(4))
    with pytest.raises(BadParameter, match=r"shape \(n, 3\)"):
        symmetric_init(4, 3, generator)(torch.ones(5, 2, dtype=torch.float64))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_network_survives_a_file_of_plain_tensors(dtype, tmp_path):
    network = with_new_biases(symmetric_init(6, 3, torch.Generator().manual_seed(2), dtype), torch.Generator())
    torch.save(network.state_dict(), tmp_path / "network.pt")
    loaded = TwoLayerNetwork.from_state_dict(torch.load(tmp_path / "network.pt", weights_only=True))
    X = torch.randn(9, 3, generator=torch.Generator().manual_seed(3), dtype=dtype)
    assert torch.equal(loaded(X), network(X)) and loaded(X).dtype == dtype
    for name in ("W", "a", "b"):
        assert torch.equal(getattr(loaded, name), getattr(network, name))


def test_what_is_saved_is_a_copy_without_history_and_no_larger_than_the_network(tmp_path):
    store = torch.randn(100_000, 3, requires_grad=True)
    network = TwoLayerNetwork(store[:4], torch.ones(4), torch.zeros(4))
    state = network.state_dict()
    assert not any(tensor.requires_grad for tensor in state.values())
    state["a"][0] = 7
    assert float(network.a[0]) == 1
    torch.save(state, tmp_path / "network.pt")
    assert (tmp_path / "network.pt").stat().st_size < 10_000  # 20 numbers and the frame of the file


@pytest.mark.parametrize(
    ("change", "error", "sentence"),
    [
        (
            lambda state: {**state, "c": state["a"]},
            BadParameter,
            "state has the names W, a, b, c: it must have W, a, b",
        ),
        (lambda state: {"W": state["W"]}, BadParameter, "state has the names W: it must have W, a, b"),
        (lambda state: {**state, "a": state["a"][:2]}, BadParameter, r"a has shape \(2,\): it must have shape \(4,\)"),
        (lambda state: {**state, "W": state["a"]}, BadParameter, r"W has shape \(4,\)"),
        (
            lambda state: {**state, "b": state["b"].float()},
            BadParameter,
            "torch.float32 on cpu and torch.float64 on cpu",
        ),
        (lambda state: {**state, "b": state["b"].numpy()}, TypeError, r"b is of type ndarray.*torch.as_tensor\(b\)"),
        (lambda state: list(state.values()), TypeError, "state is of type list: it must map the names W, a, b"),
    ],
)
def test_what_is_no_saved_network_is_refused_in_a_sentence(change, error, sentence):
    state = symmetric_init(4, 3, torch.Generator().manual_seed(0)).state_dict()
    with pytest.raises(error, match=sentence):
        TwoLayerNetwork.from_state_dict(change(state))
