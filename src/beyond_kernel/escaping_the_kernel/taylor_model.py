"""The second-order Taylor model f_L + f_Q of a two-layer network around a symmetric start, without any Jacobian.

The network is f(x; W) = m^{-1/2} sum_r a_r sigma(<w0_r + w_r, x>). Neurons come in twins: both have the same start
w0_r, of length one, and their signs a_r are +1 and -1, so that f(x; 0) = 0. Heads stay; only the moves w_r are trained.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

import torch

from beyond_kernel.checks import BadParameter, matrix, one_of, real_number, vector, whole_number
from beyond_kernel.foundations.inputs.laws import sphere
from beyond_kernel.foundations.learning.networks import BLOCK, LossGradient, even_width
from beyond_kernel.kernel_regime.activations import AnyActivation, activation_of, second_derivative

PARTS = ("linear", "quadratic")
"""The two terms of the Taylor model, by which ``train_taylor`` names what it trains."""
Observer = Callable[[int, "TaylorModel", torch.Tensor], None]


@dataclass(frozen=True)
class TaylorModel:
    """The model f_L + f_Q at a start and a move; it is called at inputs of shape (n, d).

    Attributes:
        W0: distinct weights at the start, of length one, of shape (m/2, d).
        W: the moves, of shape (m, d), those of the twins with sign -1 in the second half.
        activation: sigma, a name or a function, without kinks.

    Source: Bai and Lee 2020 for the quadratic part; Nichani, Bai and Lee 2022 for both. Chapter: quadratic_ntk.
    """

    W0: torch.Tensor
    W: torch.Tensor
    activation: AnyActivation = "shifted sigmoid"

    def __post_init__(self) -> None:
        half, d = matrix("W0", self.W0).shape
        if matrix("W", self.W, d).shape[0] != 2 * half:
            raise BadParameter(f"W has {self.W.shape[0]} rows: it must have {2 * half}, two for each row of W0.")
        _smooth(self.activation)

    @property
    def width(self) -> int:
        """Number of neurons m, twins counted twice."""
        return len(self.W)

    def slopes(self, X: torch.Tensor) -> torch.Tensor:
        """Return sigma'(<w0_r, x>) / sqrt(m) at every input and distinct neuron, of shape (n, m/2)."""
        matrix("X", X, self.W0.shape[1])
        return _smooth(self.activation)[1](X @ self.W0.T) / self.width**0.5

    def bends(self, X: torch.Tensor) -> torch.Tensor:
        """Return sigma''(<w0_r, x>) / (2 sqrt(m)) at every input and distinct neuron, of shape (n, m/2)."""
        matrix("X", X, self.W0.shape[1])
        return _smooth(self.activation)[2](X @ self.W0.T) / (2 * self.width**0.5)

    def linear_part(self, X: torch.Tensor) -> torch.Tensor:
        """Return f_L = m^{-1/2} sum_r a_r sigma'(<w0_r, x>) <w_r, x>, of shape (n,)."""
        matrix("X", X, self.W0.shape[1])
        first, second = self.W.chunk(2)
        return torch.cat([(self.slopes(rows) * (rows @ (first - second).T)).sum(1) for rows in X.split(BLOCK)])

    def quadratic_part(self, X: torch.Tensor) -> torch.Tensor:
        """Return f_Q = (1/2) m^{-1/2} sum_r a_r sigma''(<w0_r, x>) <w_r, x>^2, of shape (n,)."""
        matrix("X", X, self.W0.shape[1])
        apart, along = _by_twins(self)
        parts = (self.bends(rows) * (rows @ apart.T) * (rows @ along.T) for rows in X.split(BLOCK))
        return torch.cat([part.sum(1) for part in parts])

    def __call__(self, X: torch.Tensor) -> torch.Tensor:
        """Return f_L + f_Q at the rows of X, of shape (n,)."""
        return self.linear_part(X) + self.quadratic_part(X)

    def network_output(self, X: torch.Tensor) -> torch.Tensor:
        """Return the network f(x; W) itself, of shape (n,); what it has beyond f_L + f_Q is the remainder."""
        matrix("X", X, self.W0.shape[1])
        sigma, weights = _smooth(self.activation)[0], self.W + torch.cat([self.W0, self.W0])
        halves = (sigma(rows @ weights.T).chunk(2, dim=1) for rows in X.split(BLOCK))
        return torch.cat([(first - second).sum(1) for first, second in halves]) / self.width**0.5

    def outer_product(self) -> torch.Tensor:
        """Return sum_r a_r w_r w_r', symmetric, of shape (d, d); its large eigenvectors are what f_Q has learnt."""
        first, second = self.W.chunk(2)
        return first.T @ first - second.T @ second

    def loss_gradient(self, X: torch.Tensor, y: torch.Tensor) -> LossGradient:
        """Return the loss (1/n) |f_L(X) + f_Q(X) - y|^2 and its gradient in W.

        Source: the chain rule. Chapter: quadratic_ntk.
        """
        slopes, bends = self.slopes(X), self.bends(X)
        first, second = (X @ self.W.T).chunk(2, dim=1)
        residuals = ((slopes + bends * (first + second)) * (first - second)).sum(1) - y
        pulled = X * (2 / len(y) * residuals)[:, None]
        upper, lower = ((slopes + 2 * bends * inner).T @ pulled for inner in (first, second))
        slopes = torch.cat([slopes, slopes], 1) * self.width**0.5
        return LossGradient(residuals.square().mean(), {"W": torch.cat([upper, -lower])}, slopes)


def taylor_start(
    width: int,
    d: int,
    generator: torch.Generator,
    activation: AnyActivation = "shifted sigmoid",
    jitter: float = 0.0,
    dtype: torch.dtype = torch.float64,
    device: torch.device | str = "cpu",
) -> TaylorModel:
    """Draw a symmetric start: distinct weights uniform on the unit sphere, each with a twin of opposite sign.

    Args:
        width: m, even.
        d: input dimension.
        generator: source of the weights, and after them of the moves.
        activation: sigma, a name or a function, without kinks.
        jitter: standard deviation of the entries of the moves; with 0 nothing has moved, and f_L = f_Q = 0. There the
            gradient of f_Q vanishes too, so that the quadratic part alone cannot leave it.
        dtype: of all tensors; all precisions see the same draws.
        device: where they are to lie.

    Raises:
        BadParameter: if width is odd or below 2, d is below 1, jitter is negative, or the activation is unknown or has
            a kink.

    Source: Nichani, Bai and Lee 2022, as in their published code. Chapter: quadratic_ntk.

    >>> start = taylor_start(4, 3, torch.Generator().manual_seed(0))
    >>> start.W0.shape, start.network_output(torch.ones(1, 3, dtype=torch.float64)).tolist()
    (torch.Size([2, 3]), [0.0])
    """
    half = even_width("width", width) // 2
    real_number("jitter", jitter, least=0)
    _smooth(activation)
    W0 = (sphere(half, d, generator, torch.float64) / d**0.5).to(dtype).to(device)
    W = torch.zeros(width, d, dtype=dtype, device=device)
    if jitter:
        draws = torch.randn(width, d, generator=generator, dtype=torch.float64, device=generator.device)
        W = (jitter * draws).to(dtype).to(device)
    return TaylorModel(W0, W, activation)


def tangent_gram(start: TaylorModel, X: torch.Tensor, Z: torch.Tensor | None = None) -> torch.Tensor:
    """Return the tangent kernel <grad f(x; 0), grad f(z; 0)> = (2/m) sum_r sigma'(<w0_r, x>) sigma'(<w0_r, z>) <x, z>.

    The sum runs over the m/2 distinct neurons; the 2 counts the twins. In matrices 2 (A_X A_Z') * (X Z').

    Args:
        start: of which the start weights are used, not the moves.
        X: of shape (n, d).
        Z: of shape (k, d); X itself when left out, and then the kernel is symmetric to the last bit.

    Returns:
        The kernel, of shape (n, k).

    Raises:
        BadParameter: if shapes do not fit or an entry is not finite.

    Source: Jacot, Gabriel and Hongler 2018. Chapter: quadratic_ntk.
    """
    slopes = start.slopes(X)
    others, inputs = (slopes, X) if Z is None else (start.slopes(matrix("Z", Z, X.shape[1])), Z)
    kernel = 2 * (slopes @ others.T) * (X @ inputs.T)
    return (kernel + kernel.T) / 2 if Z is None else kernel


def train_taylor(
    model: TaylorModel,
    X: torch.Tensor,
    y: torch.Tensor,
    *,
    steps: int,
    rate: float = 2.0,
    momentum: float = 0.9,
    parts: Collection[str] = PARTS,
    projector: torch.Tensor | None = None,
    penalty: float = 0.0,
    fitted: torch.Tensor | None = None,
    observe: Observer | None = None,
) -> TaylorModel:
    """Train the moves by gradient descent with momentum on all samples, and return the model after the last step.

    The loss is (1/n) |g(X) - y|^2 with g the sum of the parts, plus penalty (1/n) |(I - U U') f_L(X)|^2 where a
    projector U is given. A step is V <- momentum V - rate gradient, W <- W + V.

    Args:
        model: where to start; it is left as it is.
        X: inputs, of shape (n, d).
        y: labels, of shape (n,).
        steps, rate, momentum: at least 0; above 0; at least 0 and below 1.
        parts: of the model that are trained: "linear", "quadratic" or both. The other is left out of the loss.
        projector: U, orthonormal (not checked), of shape (n, k): values of f_L in its span are free.
        penalty: weight of what lies outside, at least 0.
        fitted: values of further functions on the samples, orthonormal (not checked), of shape (n, k): at each step
            they are fitted by least squares to what g leaves of y, and the loss is that of what they leave.
        observe: called before each step, and once more at the end, with the number of steps taken, the model and the
            mean squared error on the samples.

    Raises:
        BadParameter: if a shape or a number does not fit, no part is named, or training diverges.

    Source: Nichani, Bai and Lee 2022 for the penalty. Chapters: quadratic_ntk, good_directions.
    """
    n = len(vector("y", y, len(matrix("X", X, model.W0.shape[1]))))
    _check_training(steps, rate, momentum, parts)
    _check_penalty(penalty, projector, fitted, n)
    slopes, bends = model.slopes(X) * ("linear" in parts), model.bends(X) * ("quadratic" in parts)
    twins = _by_twins(model)
    speeds = [torch.zeros_like(part) for part in twins]
    for taken in range(steps + 1):
        apart, along = (X @ part.T for part in twins)
        curved = bends * apart
        linear = (slopes * apart).sum(1)
        residuals = _outside(linear + (curved * along).sum(1) - y, fitted)
        if observe is not None:
            observe(taken, _of_twins(model, *twins), residuals.square().mean())
        if taken == steps:
            return _of_twins(model, *_finite(twins, rate, steps))
        pulled = X * residuals[:, None]
        gradients = torch.addcmul(slopes, bends, along).T @ pulled, curved.T @ pulled
        if penalty:
            gradients[0].add_(slopes.T @ (X * _outside(linear, projector)[:, None]), alpha=penalty)
        for part, speed, gradient in zip(twins, speeds, gradients, strict=True):
            part.add_(speed.mul_(momentum).sub_(gradient, alpha=4 * rate / n))


def _finite(twins: tuple[torch.Tensor, torch.Tensor], rate: float, steps: int) -> tuple[torch.Tensor, torch.Tensor]:
    if not bool(torch.isfinite(torch.cat(twins)).all()):
        raise BadParameter(f"rate = {rate:g} makes training diverge within {steps} steps: take a smaller one.")
    return twins


def _by_twins(model: TaylorModel) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the twins' differences and sums of moves: descent on them at twice the rate is descent on the moves."""
    first, second = model.W.chunk(2)
    return first - second, first + second


def _of_twins(model: TaylorModel, apart: torch.Tensor, along: torch.Tensor) -> TaylorModel:
    """Return the model with the moves of which the twins' differences and sums are given, each of shape (m/2, d)."""
    return replace(model, W=torch.cat([along + apart, along - apart]) / 2)


def _outside(values: torch.Tensor, basis: torch.Tensor | None) -> torch.Tensor:
    """Return what orthonormal columns leave of a vector; all of it where there are none."""
    return values if basis is None else values - basis @ (basis.T @ values)


def _check_penalty(penalty: float, projector: torch.Tensor | None, fitted: torch.Tensor | None, n: int) -> None:
    if real_number("penalty", penalty, least=0) and projector is None:
        raise BadParameter(f"penalty = {penalty:g} has no projector: give one, whose columns say what goes unpunished.")
    for name, values in (("projector", projector), ("fitted", fitted)):
        if values is not None and matrix(name, values).shape[0] != n:
            raise BadParameter(f"{name} has {values.shape[0]} rows: it must have one for each of the {n} samples.")


def _check_training(steps: int, rate: float, momentum: float, parts: Collection[str]) -> None:
    whole_number("steps", steps, least=0)
    real_number("rate", rate, above=0)
    if real_number("momentum", momentum, least=0) >= 1:
        raise BadParameter(f"momentum = {momentum!r} is out of range: it must be at least 0 and below 1.")
    if isinstance(parts, str) or not parts:
        raise BadParameter(
            f"parts = {parts!r} is not accepted: it must be a list of one or both of {', '.join(PARTS)}."
        )
    for part in parts:
        one_of("parts", part, PARTS)


def _smooth(activation: AnyActivation) -> tuple[Callable, Callable, Callable]:
    """Return sigma, sigma' and sigma'' of an activation without kinks."""
    known = activation_of(activation)
    if known.kinks:
        raise BadParameter(
            f"activation = {known.name!r} has a kink: a second-order Taylor model needs one that is smooth, such as "
            "'shifted sigmoid'."
        )
    return known.function, known.derivative, second_derivative(known.function)
