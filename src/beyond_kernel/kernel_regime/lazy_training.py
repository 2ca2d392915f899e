"""Lazy training: a scaled two-layer network, its gradient descent, and the tangent model that it becomes."""

import math
from dataclasses import dataclass, replace

import torch

from beyond_kernel.checks import BadParameter, matrix, real_number, vector, whole_number
from beyond_kernel.foundations.learning.descent import descend, full_batch
from beyond_kernel.foundations.learning.networks import LossGradient, symmetric_init
from beyond_kernel.foundations.learning.taylor import neuron_terms
from beyond_kernel.kernel_regime.activations import Activation, Elementwise, activation_of
from beyond_kernel.kernel_regime.empirical_kernel import empirical_tangent_kernel


@dataclass(frozen=True)
class ScaledNetwork:
    """The network f(x) = scale m^{-1/2} sum_j a_j sigma(<w_j, x>), that is alpha h(x) with alpha = scale.

    Attributes:
        W: first-layer weights, one neuron a row, of shape (m, d).
        a: head, of shape (m,).
        scale: alpha, above 0.
        activation: sigma, by name or as a function, see ``activation_of``.

    Source: Chizat, Oyallon, Bach 2019, for the scale. Chapter: lazy_training.
    """

    W: torch.Tensor
    a: torch.Tensor
    scale: float
    activation: str | Elementwise | Activation = "relu"

    def __post_init__(self) -> None:
        vector("a", self.a, len(matrix("W", self.W)))
        real_number("scale", self.scale, above=0)
        object.__setattr__(self, "activation", activation_of(self.activation))

    def __call__(self, X: torch.Tensor) -> torch.Tensor:
        """Return f at the rows of X, of shape (n,)."""
        features = self.activation(matrix("X", X, self.W.shape[1]) @ self.W.T)
        return features @ self.a * (self.scale / len(self.a) ** 0.5)

    def loss_gradient(self, X: torch.Tensor, y: torch.Tensor) -> LossGradient:
        """Return the loss (1/n) |f(X) - y|^2 and its gradient in W and in a.

        With r = f(X) - y and c = 2 scale / (n sqrt(m)) the gradients are c diag(a) sigma'(X W^T)^T diag(r) X and
        c sigma(X W^T)^T r.

        Source: the chain rule. Chapter: lazy_training.
        """
        factor = self.scale / len(self.a) ** 0.5
        before = X @ self.W.T
        features, slopes = self.activation.function(before), self.activation.derivative(before)
        residuals = torch.addmv(y, features, self.a, beta=-1, alpha=factor)
        pull = residuals * (2 * factor / len(y))
        by_name = {"W": (slopes.T @ (pull[:, None] * X)).mul_(self.a[:, None]), "a": features.T @ pull}
        return LossGradient(residuals.square().mean(), by_name, slopes)

    def gram(self, X: torch.Tensor, Z: torch.Tensor | None = None) -> torch.Tensor:
        """Return the tangent kernel of h, not of alpha h, at these weights, of shape (n, k)."""
        return empirical_tangent_kernel(X, Z, self.W, self.a, self.activation)

    def length(self) -> float:
        """Return the Euclidean norm of all weights."""
        return math.sqrt(float(self.W.square().sum() + self.a.square().sum()))

    def distance(self, other: "ScaledNetwork") -> float:
        """Return the Euclidean norm of the difference of all weights."""
        return replace(self, W=self.W - other.W, a=self.a - other.a).length()


def symmetric_start(
    width: int,
    d: int,
    scale: float,
    generator: torch.Generator,
    activation: str | Elementwise | Activation = "relu",
    device: torch.device | str | None = None,
) -> ScaledNetwork:
    """Draw a network whose output is zero up to rounding: the second half of its neurons cancels the first.

    Args:
        width: m, even.
        d: dimension of the inputs.
        scale: alpha, above 0.
        generator: source of w_j ~ N(0, I_d / d) and a_j = +-1.
        activation: sigma.
        device: where the network is to lie; the generator's own where it is left out.

    Raises:
        BadParameter: if width is odd or below 2, d below 1, scale not above 0 or the activation unknown.

    Chapter: lazy_training.
    """
    drawn = symmetric_init(width, d, generator, device=device)
    return ScaledNetwork(drawn.W, drawn.a, scale, activation)


def independent_start(
    width: int,
    d: int,
    scale: float,
    generator: torch.Generator,
    activation: str | Elementwise | Activation = "relu",
    device: torch.device | str | None = None,
) -> ScaledNetwork:
    """Draw a network with the same law of each neuron, all independent: its output at the start is of order scale.

    Arguments and errors as in ``symmetric_start``. Chapter: lazy_training.
    """
    drawn = symmetric_init(2 * whole_number("width", width), d, generator, device=device)
    return ScaledNetwork(drawn.W[:width], drawn.a[:width], scale, activation)


def gradient_descent(
    network: ScaledNetwork, X: torch.Tensor, y: torch.Tensor, step: float, steps: int
) -> ScaledNetwork:
    """Train both layers by full-batch gradient descent on (1/n) |f(X) - y|^2 with step size step / scale^2.

    The division makes the speed of f, not that of the weights, the same for every scale: at first order f moves by
    -(2 step / n) K (f - y) a step, K the tangent kernel of h.

    Args:
        network: the start.
        X: inputs, of shape (n, d).
        y: labels, of shape (n,).
        step: size of a step before the division, above 0.
        steps: their number, at least 0.

    Returns:
        The trained network.

    Raises:
        BadParameter: if a shape or a number does not fit, or if a weight is no longer finite.

    Source: Chizat, Oyallon, Bach 2019, for the step divided by scale^2. Chapter: lazy_training.
    """
    vector("y", y, len(matrix("X", X, network.W.shape[1])))
    rate = real_number("step", step, above=0) / network.scale**2
    return descend(network, full_batch(X, y), {"W": rate, "a": rate}, steps)


def stable_step(gram: torch.Tensor) -> float:
    """Return the step n / (4 lambda), lambda the largest eigenvalue of the Gram matrix: a quarter of the stable limit.

    The tangent model is stable below n / lambda. The rest of the room is for a kernel that grows while it is trained.

    Args:
        gram: tangent kernel of h on the training inputs, symmetric, of shape (n, n).

    Raises:
        BadParameter: if gram is not square.

    Source: derived here, from I - (2 step / n) K. Chapter: lazy_training.
    """
    n = len(matrix("gram", gram))
    matrix("gram", gram, n)
    return n / (4 * float(torch.linalg.eigvalsh(gram)[-1]))


@dataclass(frozen=True)
class TangentFit:
    """The tangent model after some steps of gradient descent.

    Attributes:
        coefficients: c, so that f(x) = f_0(x) + sum_i c_i K(x_i, x), of shape (n,).
        distance: how far all weights of alpha h have moved, times alpha: the root of c^T K c.
    """

    coefficients: torch.Tensor
    distance: float


def tangent_fit(gram: torch.Tensor, residual: torch.Tensor, step: float, steps: int) -> TangentFit:
    """Run gradient descent on the tangent model in one go: c = (I - (I - 2 step K / n)^steps) K^{-1} residual.

    Args:
        gram: K, tangent kernel of h at the start on the training inputs, of shape (n, n).
        residual: labels less the output at the start, y - f_0(X), of shape (n,).
        step: as in ``gradient_descent``, before the division by scale^2.
        steps: number of steps.

    Raises:
        BadParameter: if shapes do not fit, step is not above 0 or steps is negative.

    Source: derived here; one eigendecomposition for any number of steps. Chapter: lazy_training.
    """
    n = len(vector("residual", residual))
    values, vectors = torch.linalg.eigh(matrix("gram", gram, n))
    rate = 2 * real_number("step", step, above=0) / n
    whole_number("steps", steps, least=0)
    shrunk = rate * values.clamp(min=0)  # rounding may leave an eigenvalue below zero
    seen = shrunk > torch.finfo(gram.dtype).eps
    summed = torch.where(seen, (1 - (1 - shrunk) ** steps) / shrunk.where(seen, 1 + shrunk), steps)
    coefficients = rate * (vectors @ (summed * (vectors.T @ residual)))
    return TangentFit(coefficients, math.sqrt(max(0.0, float(coefficients @ gram @ coefficients))))


def kernel_drift(gram: torch.Tensor, gram_trained: torch.Tensor) -> float:
    """Return |K' - K| / |K| in the Frobenius norm, K the tangent kernel at the start and K' after training.

    Args:
        gram: K, of shape (n, n).
        gram_trained: K', of the same shape.

    Raises:
        BadParameter: if the shapes differ or an entry is not finite.

    Chapter: lazy_training.
    """
    if matrix("gram", gram).shape != matrix("gram_trained", gram_trained).shape:
        raise BadParameter(f"gram_trained has shape {tuple(gram_trained.shape)}: it must be {tuple(gram.shape)}.")
    return float((gram_trained - gram).norm() / gram.norm())


def tangent_remainder(start: ScaledNetwork, trained: ScaledNetwork, X: torch.Tensor) -> torch.Tensor:
    """Return f(x) less its first-order Taylor expansion around the start, at the rows of X, of shape (n,).

    The expansion in all weights adds alpha m^{-1/2} sum_j (da_j sigma(u_j) + a_j sigma'(u_j) du_j) to the start's
    output, with u_j = <w_j, x> at the start and du_j = <dw_j, x>.

    Args:
        start: the network before training.
        trained: the same network after training.
        X: inputs, of shape (n, d).

    Source: ``neuron_terms`` of order zero and one. Chapter: lazy_training.
    """
    factor, sigma = start.scale / len(start.a) ** 0.5, start.activation
    inner = matrix("X", X, start.W.shape[1]) @ start.W.T, X @ (trained.W - start.W).T
    heads = factor * start.a, factor * (trained.a - start.a)
    return trained(X) - neuron_terms([sigma.function, sigma.derivative], inner, heads).sum(0)


def remainder_bound(
    start: ScaledNetwork, trained: ScaledNetwork, X: torch.Tensor, slope: float, bend: float
) -> torch.Tensor:
    """Bound |tangent_remainder| by alpha m^{-1/2} sum_j (slope |da_j du_j| + bend |a_j| du_j^2 / 2), of shape (n,).

    It is quadratic in the movement. With |dW|^2 + |da|^2 = D^2, |a_j| <= A and |x| >= 1 it is at most
    alpha m^{-1/2} (slope + bend A) |x|^2 D^2 / 2.

    Args:
        start: the network before training.
        trained: the same network after training.
        X: inputs, of shape (n, d).
        slope: largest value of |sigma'|.
        bend: largest value of |sigma''|, which must exist everywhere.

    Raises:
        BadParameter: if slope or bend is negative, or the activation has a kink.

    Source: derived here, Taylor's theorem neuron by neuron. Chapter: lazy_training.
    """
    real_number("slope", slope, least=0)
    real_number("bend", bend, least=0)
    if start.activation.kinks:
        raise BadParameter(f"activation {start.activation.name!r} has a kink: no bound of second order exists there.")
    moved = (matrix("X", X, start.W.shape[1]) @ (trained.W - start.W).T).abs()
    cross = moved @ (trained.a - start.a).abs()
    return (slope * cross + bend / 2 * moved.square() @ start.a.abs()) * (start.scale / len(start.a) ** 0.5)
