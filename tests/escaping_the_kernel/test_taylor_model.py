"""The Taylor model against forward-mode derivatives, autograd, an explicit Jacobian and steps worked out by hand."""

from dataclasses import dataclass, replace

import pytest
import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.escaping_the_kernel.taylor_model import TaylorModel, tangent_gram, taylor_start, train_taylor
from beyond_kernel.foundations.inputs.laws import sphere
from beyond_kernel.foundations.learning.descent import descend, full_batch
from beyond_kernel.foundations.learning.taylor import taylor_terms
from beyond_kernel.kernel_regime.activations import ACTIVATIONS
from beyond_kernel.random_streams import generator_for

TOLERANCE = {torch.float64: 1e-11, torch.float32: 2e-5}
"""Largest difference that rounding makes of sums over a few dozen terms of order one."""
SMOOTH = [name for name, known in ACTIVATIONS.items() if not known.kinks]


@dataclass(frozen=True)
class PlainNetwork:
    """m^{-1/2} sum_r a_r sigma(<w_r, x>), written neuron by neuron: knows nothing of twins, starts or moves."""

    W: torch.Tensor
    a: torch.Tensor
    activation: str

    def __call__(self, X):
        sigma = ACTIVATIONS[self.activation].function
        return sum(sign * sigma(X @ w) for sign, w in zip(self.a, self.W, strict=True)) / len(self.W) ** 0.5


def moved(dtype=torch.float64, width=12, d=5, n=9, activation="shifted sigmoid", seed=0):
    """Return a model that has moved, inputs and labels."""
    model = taylor_start(width, d, generator_for(seed, "start"), activation, jitter=0.5, dtype=dtype)
    X = sphere(n, d, generator_for(seed, "points"), dtype)
    return model, X, torch.sin(3 * X[:, 0]) + X[:, 1]


def plain(model, moved=True):
    weights = torch.cat([model.W0, model.W0])
    half = len(model.W0)
    signs = torch.tensor([1.0] * half + [-1.0] * half, dtype=weights.dtype)
    return PlainNetwork(weights + model.W if moved else weights, signs, model.activation)


def jacobian(model, X):
    """Return the derivatives of the plain network in all its weights at the start, of shape (n, m d)."""
    start = plain(model, moved=False)
    values = lambda W: replace(start, W=W)(X)  # noqa: E731
    return torch.func.jacrev(values)(start.W).flatten(1)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("activation", SMOOTH)
def test_parts_are_taylor_terms_by_forward_mode(activation, dtype):
    model, X, _ = moved(dtype, activation=activation)
    terms = taylor_terms(plain(model, moved=False), plain(model), X, order=2)
    close = {"rtol": 20 * TOLERANCE[dtype], "atol": 20 * TOLERANCE[dtype]}
    torch.testing.assert_close(terms[0], torch.zeros_like(terms[0]), **close)
    torch.testing.assert_close(model.linear_part(X), terms[1], **close)
    torch.testing.assert_close(model.quadratic_part(X), terms[2], **close)
    torch.testing.assert_close(model(X), terms[1] + terms[2], **close)
    torch.testing.assert_close(model.network_output(X), plain(model)(X), **close)
    assert model(X).dtype == model.network_output(X).dtype == dtype


def test_blocks_of_rows_change_nothing():
    model, _, _ = moved(width=4)
    X = sphere(5000, 5, generator_for(1, "many"))
    for part in (model.linear_part, model.quadratic_part, model.network_output):
        torch.testing.assert_close(part(X)[4990:], part(X[4990:]))


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_the_start_is_zero_and_its_weights_have_length_one(dtype):
    start = taylor_start(50, 7, generator_for(0), dtype=dtype)
    X = sphere(20, 7, generator_for(1), dtype)
    assert not start.W.any() and not start(X).any()
    assert float(start.network_output(X).abs().max()) < TOLERANCE[dtype]
    torch.testing.assert_close(start.W0.norm(dim=1), torch.ones(25, dtype=dtype))
    assert start.width == 50 and start.W0.dtype == start.W.dtype == dtype


def test_jitter_is_a_standard_deviation_and_leaves_the_start_alone():
    still, jittered = (taylor_start(400, 30, generator_for(3), jitter=jitter) for jitter in (0.0, 0.02))
    assert torch.equal(still.W0, jittered.W0)
    assert float(jittered.W.std()) == pytest.approx(0.02, rel=0.03)  # 12,000 draws: 0.65 per cent


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_the_gram_matrix_is_that_of_the_explicit_jacobian(dtype):
    model, X, _ = moved(dtype)
    Z = sphere(4, 5, generator_for(2, "others"), dtype)
    J, J_others = jacobian(model, X), jacobian(model, Z)
    torch.testing.assert_close(tangent_gram(model, X), J @ J.T)
    torch.testing.assert_close(tangent_gram(model, X, Z), J @ J_others.T)
    assert torch.equal(tangent_gram(model, X), tangent_gram(model, X).T)


def test_loss_gradient_is_that_of_autograd_and_fits_descent():
    model, X, y = moved()
    W = model.W.clone().requires_grad_()
    loss = (replace(model, W=W)(X) - y).square().mean()
    (wanted,) = torch.autograd.grad(loss, W)
    found = model.loss_gradient(X, y)
    torch.testing.assert_close(found.by_name["W"], wanted)
    assert float(found.loss) == pytest.approx(float(loss.detach()))
    sigma = ACTIVATIONS["shifted sigmoid"].derivative
    torch.testing.assert_close(found.slopes, sigma(X @ torch.cat([model.W0, model.W0]).T))
    plain_descent = descend(model, full_batch(X, y), {"W": 0.3}, steps=4)
    torch.testing.assert_close(train_taylor(model, X, y, steps=4, rate=0.3, momentum=0.0).W, plain_descent.W)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("parts", [("linear",), ("quadratic",), ("linear", "quadratic")])
def test_training_is_heavy_ball_on_the_gradients_of_autograd(parts, dtype):
    """Three steps with a penalty on what f_L has outside two directions, by torch's own optimiser."""
    model, X, y = moved(dtype)
    U = torch.linalg.qr(torch.randn(len(X), 2, generator=generator_for(5), dtype=dtype))[0]
    J = jacobian(model, X)
    W = model.W.clone().requires_grad_()
    optimiser = torch.optim.SGD([W], lr=0.2, momentum=0.7)
    for _ in range(3):
        linear = J @ W.flatten()
        quadratic = replace(model, W=W).quadratic_part(X)
        loss = sum((part for part, name in ((linear, "linear"), (quadratic, "quadratic")) if name in parts), -y)
        loss = loss.square().mean()
        if "linear" in parts:
            loss = loss + 0.4 * (linear - U @ (U.T @ linear)).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    options = {"steps": 3, "rate": 0.2, "momentum": 0.7, "parts": parts, "projector": U, "penalty": 0.4}
    before = model.W.clone()
    trained = train_taylor(model, X, y, **options)
    torch.testing.assert_close(trained.W, W.detach(), rtol=20 * TOLERANCE[dtype], atol=20 * TOLERANCE[dtype])
    assert torch.equal(model.W, before)


def test_the_observer_sees_each_step_and_the_end():
    model, X, y = moved()
    seen = []
    train_taylor(model, X, y, steps=3, rate=0.1, observe=lambda *step: seen.append((step[0], float(step[2]))))
    assert [taken for taken, _ in seen] == [0, 1, 2, 3]
    assert seen[0][1] == pytest.approx(float((model(X) - y).square().mean()))
    assert seen[3][1] < seen[0][1]


def test_the_linear_part_alone_ends_at_least_squares_with_its_own_gram_matrix():
    """From W = 0 gradient descent tends to the interpolant of least norm, K(x, X) K(X, X)^{-1} y."""
    start = taylor_start(40, 4, generator_for(0))
    X, Z = sphere(6, 4, generator_for(1)), sphere(50, 4, generator_for(2))
    y = X[:, 0] * X[:, 1]
    trained = train_taylor(start, X, y, steps=20_000, rate=2.0, parts=["linear"])
    wanted = tangent_gram(start, Z, X) @ torch.linalg.solve(tangent_gram(start, X), y)
    torch.testing.assert_close(trained.linear_part(Z), wanted, rtol=0, atol=1e-4)


def test_the_quadratic_part_alone_cannot_leave_zero():
    start, X, y = taylor_start(8, 5, generator_for(0)), *moved()[1:]
    assert not train_taylor(start, X, y, steps=5, parts=["quadratic"]).W.any()


def test_the_outer_product_sums_over_neurons_with_their_signs():
    model, _, _ = moved()
    signs = plain(model).a
    wanted = sum(sign * torch.outer(w, w) for sign, w in zip(signs, model.W, strict=True))
    torch.testing.assert_close(model.outer_product(), wanted)


def test_bad_input_ends_in_a_sentence():
    model, X, y = moved()
    with pytest.raises(BadParameter, match="width = 7 is odd"):
        taylor_start(7, 5, generator_for(0))
    with pytest.raises(BadParameter, match="'relu' has a kink"):
        taylor_start(8, 5, generator_for(0), "relu")
    with pytest.raises(BadParameter, match="W has 10 rows: it must have 12"):
        TaylorModel(model.W0, model.W[:10])
    with pytest.raises(BadParameter, match="momentum = 1.0 is out of range"):
        train_taylor(model, X, y, steps=1, momentum=1.0)
    with pytest.raises(BadParameter, match="parts = 'linear' is not accepted"):
        train_taylor(model, X, y, steps=1, parts="linear")
    with pytest.raises(BadParameter, match="parts = 'cubic' is not known"):
        train_taylor(model, X, y, steps=1, parts=["cubic"])
    with pytest.raises(BadParameter, match="projector has 3 rows: it must have one for each of the 9 samples"):
        train_taylor(model, X, y, steps=1, projector=torch.eye(3, dtype=torch.float64))
    with pytest.raises(BadParameter, match="penalty = 2 has no projector"):
        train_taylor(model, X, y, steps=1, penalty=2.0)
    with pytest.raises(BadParameter, match="makes training diverge"):
        train_taylor(model, X, y, steps=2000, rate=1e6)
    with pytest.raises(BadParameter, match="X has shape"):
        tangent_gram(model, X[:, :4])
