"""One clipped neuron, x -> min(max(<w, x>, 0), 1), on frozen error-function features, trained by gradient descent.

The loss (1/n) sum_i (clip(<w, phi_i>) - y_i)^2 is not convex: a sample whose pre-activation lies outside of (0, 1) does
not pull any more, and a neuron that lies outside at every sample is dead.
"""

from dataclasses import dataclass

import torch

from beyond_kernel.checks import BadParameter, floating, matrix, real_number, vector, whole_number


@dataclass(frozen=True)
class ErfFeatures:
    """The frozen features phi(x) = (erf(<u_1, x> + b_1), ..., erf(<u_m, x> + b_m)), and a constant 1 where asked for.

    Attributes:
        U: one neuron a row, of shape (m, d).
        b: biases, of shape (m,).
        constant: whether the last feature is 1, whose weight is a bias of the output neuron.

    Source: Safran and Lee (2022), equation (2), which has no constant. Chapter: depth_separation.
    """

    U: torch.Tensor
    b: torch.Tensor
    constant: bool = True

    def __post_init__(self) -> None:
        vector("b", self.b, len(matrix("U", self.U)))

    def __call__(self, X: torch.Tensor) -> torch.Tensor:
        """Return the features at the rows of X, of shape (n, m), or (n, m + 1) with the constant."""
        matrix("X", X, self.U.shape[1])
        features = torch.addmm(self.b.to(X), X, self.U.to(X).T).erf_()
        return torch.cat([features, features.new_ones(len(X), 1)], 1) if self.constant else features


def draw_erf_features(width: int, d: int, generator: torch.Generator, constant: bool = True) -> ErfFeatures:
    """Draw u ~ N(0, I_d / 4) and b ~ N(0, 1/4), in float64.

    Args:
        width: m, number of neurons, at least 1.
        d: dimension of the inputs, at least 1.
        generator: source of the neurons; they lie on its device until features are taken.
        constant: whether a constant feature is added.

    Raises:
        BadParameter: if width or d is below 1.

    Source: Safran and Lee (2022), Assumption 7. Chapter: depth_separation.
    """
    shape, place = (whole_number("width", width), whole_number("d", d)), generator.device
    U = torch.randn(shape, generator=generator, dtype=torch.float64, device=place) / 2
    b = torch.randn(width, generator=generator, dtype=torch.float64, device=place) / 2
    return ErfFeatures(U, b, constant)


def clip(z: torch.Tensor) -> torch.Tensor:
    """Return min(max(z, 0), 1), entry by entry, in the shape of z.

    Source: the output neuron of Safran and Lee (2022), equation (2). Chapter: depth_separation.

    >>> clip(torch.tensor([-0.5, 0.25, 3.0])).tolist()
    [0.0, 0.25, 1.0]
    """
    return floating("z", z).clamp(0, 1)


@dataclass(frozen=True)
class ClippedGradient:
    """The loss of a clipped neuron, its gradient, and how many samples it hears.

    Attributes:
        loss: mean of (clip(F w) - y)^2.
        gradient: of the loss in w, of shape (m,).
        active: share of the samples whose pre-activation lies in (0, 1); the others have gradient zero.
    """

    loss: float
    gradient: torch.Tensor
    active: float


def clipped_gradient(features: torch.Tensor, y: torch.Tensor, w: torch.Tensor) -> ClippedGradient:
    """Return the loss (1/n) |clip(F w) - y|^2 and its gradient (2/n) F' ((clip(F w) - y) 1[0 < F w < 1]).

    Args:
        features: F, of shape (n, m).
        y: labels, of shape (n,).
        w: weights of the neuron, of shape (m,).

    Source: the chain rule; the loss is that of Safran and Lee (2022), equation (6). Chapter: depth_separation.
    """
    inner = features @ w
    residuals = clip(inner) - y
    heard = ((inner > 0) & (inner < 1)).to(inner)
    gradient = features.T @ (residuals * heard) * (2 / len(y))
    return ClippedGradient(float(residuals.square().mean()), gradient, float(heard.mean()))


@dataclass(frozen=True)
class ClippedPath:
    """What gradient descent on a clipped neuron has passed through, before each step and after the last.

    Attributes:
        weights: of shape (steps + 1, m).
        losses: training losses, of shape (steps + 1,).
        active: shares of the samples that are heard, of shape (steps + 1,).
    """

    weights: torch.Tensor
    losses: torch.Tensor
    active: torch.Tensor


def train_clipped_neuron(
    features: torch.Tensor,
    y: torch.Tensor,
    start: torch.Tensor,
    *,
    rate: float,
    steps: int,
    metric: torch.Tensor | None = None,
    momentum: float = 0.0,
) -> ClippedPath:
    """Take steps v <- momentum v + P grad, w <- w - rate v of full-batch gradient descent on a clipped neuron.

    Args:
        features: F, of shape (n, m).
        y: labels, of shape (n,).
        start: weights to begin with, of shape (m,).
        rate: step size, above 0.
        steps: their number, at least 0.
        metric: P, symmetric, of shape (m, m), such as ``whitener``; the identity when left out.
        momentum: from 0 up to 1.

    Raises:
        BadParameter: if shapes do not fit, an entry is not finite or a number is out of range.
        TypeError: if an array is no floating-point tensor.

    Source: gradient descent, as in Safran and Lee (2022), Theorem 8, there without P and momentum.
    Chapter: depth_separation.
    """
    n, m = matrix("features", features).shape
    y, w = vector("y", y, n).to(features), vector("start", start, m).to(features).clone()
    if metric is not None and matrix("metric", metric, m).shape[0] != m:
        raise BadParameter(f"metric has shape {tuple(metric.shape)}: it must be square, ({m}, {m}).")
    real_number("rate", rate, above=0)
    real_number("momentum", momentum, least=0, most=1)
    speed, passed = torch.zeros_like(w), []
    for _ in range(whole_number("steps", steps, least=0)):
        found = clipped_gradient(features, y, w)
        passed.append((w, found))
        speed = momentum * speed + (found.gradient if metric is None else metric.to(w) @ found.gradient)
        w = w - rate * speed
    passed.append((w, clipped_gradient(features, y, w)))
    losses, active = (features.new_tensor([getattr(g, name) for _, g in passed]) for name in ("loss", "active"))
    return ClippedPath(torch.stack([w for w, _ in passed]), losses, active)


def whitener(features: torch.Tensor, damping: float) -> torch.Tensor:
    """Return (C + damping c I)^{-1}, with C = F'F / n and c the mean of its diagonal: all directions are seen alike.

    Args:
        features: F, of shape (n, m).
        damping: above 0; the larger, the slower the directions in which the features hardly vary.

    Raises:
        BadParameter: if ``features`` is no finite matrix or damping is not above 0.

    Source: natural-gradient preconditioning of a linear model, derived here. Chapter: depth_separation.
    """
    n, m = matrix("features", features).shape
    second = features.T @ features / n
    level = real_number("damping", damping, above=0) * second.diagonal().mean()
    return torch.linalg.inv(second + level * torch.eye(m, dtype=features.dtype, device=features.device))
