"""The kernels of the two-layer network at infinite width for any activation: closed forms and Hermite series."""

import math
from dataclasses import dataclass

import torch

from beyond_kernel.checks import BadParameter, matrix, real_number
from beyond_kernel.foundations.learning.arc_cosine import relu_means
from beyond_kernel.kernel_regime.activations import ACTIVATIONS, Activation, AnyActivation, activation_of
from beyond_kernel.kernel_regime.dual_quadrature import HermiteSeries, hermite_series, mean_of_products

BLOCK = 256
"""Rows of a Gram matrix that are computed at once, so that the intermediates stay in cache."""


def dual_random_feature_kernel(
    X: torch.Tensor,
    Z: torch.Tensor | None = None,
    bias: float = 0.0,
    activation: AnyActivation = "relu",
) -> torch.Tensor:
    """Return E sigma(w . x + b) sigma(w . z + b), w ~ N(0, I_d / d), b ~ N(0, bias^2), for any activation.

    A bias is the weight of one more input coordinate of constant value bias sqrt(d). The two pre-activations are then
    Gaussian with variances |x|^2 / d, |z|^2 / d and covariance x . z / d of the so extended inputs.

    Args:
        X: of shape (n, d).
        Z: of shape (k, d); X itself when left out, and then the result is symmetric and its diagonal exact.
        bias: standard deviation of the biases, at least 0.
        activation: a name or an elementwise torch function, see ``activation_of``.

    Returns:
        The kernel, of shape (n, k), dtype and device of X.

    Raises:
        BadParameter: if shapes do not fit, an entry is not finite, bias is negative, or the activation cannot be used.

    Source: Cho and Saul 2009 (relu); Williams 1997 (erf); ``CLOSED_FORMS`` for the others that have one here; Daniely,
    Frostig, Singer 2016 (Hermite series). Chapter: tangent_kernel.
    """
    return _kernel(X, Z, bias, activation, tangent=False)


def dual_tangent_kernel(
    X: torch.Tensor,
    Z: torch.Tensor | None = None,
    bias: float = 0.0,
    activation: AnyActivation = "relu",
) -> torch.Tensor:
    """Return the tangent kernel of f(x) = m^{-1/2} sum_j a_j sigma(w_j . x + b_j), a_j = +-1, for m to infinity.

    The head contributes the random-feature kernel, the first layer
    (x . z + bias^2 d) E sigma'(w . x + b) sigma'(w . z + b).

    Args:
        X: of shape (n, d).
        Z: of shape (k, d); X itself when left out, and then the result is symmetric and its diagonal exact.
        bias: standard deviation of the biases, at least 0.
        activation: a name or an elementwise torch function, see ``activation_of``.

    Returns:
        The kernel, of shape (n, k), dtype and device of X.

    Raises:
        BadParameter: as ``dual_random_feature_kernel``.

    Source: Jacot, Gabriel, Hongler 2018; the sources there for the two expectations. Chapter: tangent_kernel.
    """
    return _kernel(X, Z, bias, activation, tangent=True)


def erf_means(covariance: torch.Tensor, x_variance: torch.Tensor, z_variance: torch.Tensor, order: int) -> torch.Tensor:
    """Return E erf(u) erf(v) for order 0 and E erf'(u) erf'(v) for order 1, (u, v) Gaussian with mean zero.

    With c the covariance and D = (1 + 2 var u) (1 + 2 var v) the first is (2 / pi) arcsin(2 c / sqrt(D)) and the second
    (4 / pi) / sqrt(D - 4 c^2).

    Args:
        covariance: of u and v, any shape.
        x_variance: of u, broadcast against it.
        z_variance: of v, broadcast against it.
        order: 0 for the function, 1 for its derivative.

    Source: Williams 1997; the second is the derivative of the first by c. Chapter: tangent_kernel.
    """
    product = (1 + 2 * x_variance) * (1 + 2 * z_variance)
    if order:
        return (4 / math.pi) / (product - 4 * covariance.square()).sqrt()
    return (2 / math.pi) * torch.asin(2 * covariance / product.sqrt())


def sine_means(
    covariance: torch.Tensor, x_variance: torch.Tensor, z_variance: torch.Tensor, order: int
) -> torch.Tensor:
    """Return E sin u sin v for order 0 and E cos u cos v for order 1, (u, v) Gaussian with mean zero.

    They are exp(-(var u + var v) / 2) times sinh(c) and cosh(c), here as products of factors that cannot overflow.

    Args:
        covariance: c, of u and v, any shape.
        x_variance: of u, broadcast against it.
        z_variance: of v, broadcast against it.
        order: 0 for the function, 1 for its derivative.

    Source: the characteristic function of u - v and u + v. Chapter: tangent_kernel.
    """
    size = covariance.abs()
    front = torch.exp(size - (x_variance + z_variance) / 2) / 2
    if order:
        return front * (1 + torch.exp(-2 * size))
    return -front * covariance.sign() * torch.expm1(-2 * size)


def square_means(
    covariance: torch.Tensor, x_variance: torch.Tensor, z_variance: torch.Tensor, order: int
) -> torch.Tensor:
    """Return E u^2 v^2 = var u var v + 2 c^2 for order 0 and E 4 u v = 4 c for order 1, arguments as ``sine_means``.

    Source: Isserlis' theorem. Chapter: tangent_kernel.
    """
    return 4 * covariance if order else x_variance * z_variance + 2 * covariance.square()


def identity_means(
    covariance: torch.Tensor, x_variance: torch.Tensor, z_variance: torch.Tensor, order: int
) -> torch.Tensor:
    """Return E u v = c for order 0 and 1 for order 1, arguments as ``sine_means``. Chapter: tangent_kernel."""
    return torch.ones_like(covariance) if order else covariance


CLOSED_FORMS = {
    "relu": relu_means,
    "erf": erf_means,
    "sine": sine_means,
    "square": square_means,
    "identity": identity_means,
}
"""Both expectations as a function of covariance and variances, by name of the activation. Many more have one, such as
every power of the ramp, exponentials and all polynomials; a callable goes through the series, whatever it is."""


@dataclass(frozen=True)
class _Means:
    """E f(u) f(v) for blocks of rows, f = sigma for order 0 and sigma' for order 1."""

    activation: Activation
    order: int
    x_variances: torch.Tensor
    z_variances: torch.Tensor
    series: tuple[HermiteSeries, HermiteSeries] | None

    def block(self, rows: slice, columns: slice, covariance: torch.Tensor, skip: torch.Tensor | None) -> torch.Tensor:
        x_variances, z_variances = self.x_variances[rows, None], self.z_variances[columns]
        if self.series is None:
            return CLOSED_FORMS[self.activation.name](covariance, x_variances, z_variances, self.order)
        scale = (x_variances * z_variances).sqrt_().clamp_(min=torch.finfo(covariance.dtype).tiny)
        return mean_of_products(*self.series, rows, columns, (covariance / scale).clamp_(-1, 1), skip)

    def diagonal(self) -> torch.Tensor:
        v = self.x_variances
        if self.series is None:
            return CLOSED_FORMS[self.activation.name](v, v, v, self.order)
        return self.series[0].energies.to(v).expand(len(v))


def _means(activation: Activation, order: int, x_variances: torch.Tensor, z_variances: torch.Tensor) -> _Means:
    if activation.name in CLOSED_FORMS and activation is ACTIVATIONS.get(activation.name):
        return _Means(activation, order, x_variances, z_variances, None)
    function = (activation.function, activation.derivative)[order]
    first = hermite_series(function, x_variances.sqrt(), activation.kinks)
    same = z_variances is x_variances
    second = first if same else hermite_series(function, z_variances.sqrt(), activation.kinks)
    return _Means(activation, order, x_variances, z_variances, (first, second))


def _kernel(
    X: torch.Tensor, Z: torch.Tensor | None, bias: float, activation: AnyActivation, tangent: bool
) -> torch.Tensor:
    d = matrix("X", X).shape[1]
    real_number("bias", bias, least=0)
    chosen = activation_of(activation)
    first = _extended(X, bias)
    second = first if Z is None else _extended(matrix("Z", Z, d), bias)
    if second.dtype != X.dtype:
        raise BadParameter(f"Z is of dtype {second.dtype} and X of {X.dtype}: both must be the same.")
    x_variances = first.square().sum(1) / d
    z_variances = x_variances if Z is None else second.square().sum(1) / d
    means = [_means(chosen, order, x_variances, z_variances) for order in range(2 if tangent else 1)]
    out = torch.empty(len(first), len(second), dtype=X.dtype, device=X.device)
    for start in range(0, len(first), BLOCK):
        rows, columns = slice(start, start + BLOCK), slice(start if Z is None else 0, None)
        inner = first[rows] @ second[columns].T
        skip = None if Z is not None else torch.ones_like(inner, dtype=torch.bool).tril(0).triu(0)
        values = [mean.block(rows, columns, inner / d, skip) for mean in means]
        out[rows, columns] = values[0] + inner * values[1] if tangent else values[0]
        if Z is None:
            square = out[rows, rows]
            square.copy_((square + square.T) / 2)  # a product may differ from its mirror image in the last bit
            out[start + BLOCK :, rows] = out[rows, start + BLOCK :].T
    if Z is None:
        diagonal = [mean.diagonal() for mean in means]
        out.diagonal().copy_(diagonal[0] + d * x_variances * diagonal[1] if tangent else diagonal[0])
    return _finite(chosen, out)


def _finite(activation: Activation, gram: torch.Tensor) -> torch.Tensor:
    if not torch.isfinite(gram.sum()) and not torch.isfinite(gram).all():
        raise BadParameter(
            f"the kernel of activation {activation.name!r} is not finite: the inputs are too long for it."
        )
    return gram


def _extended(points: torch.Tensor, bias: float) -> torch.Tensor:
    if bias == 0:
        return points
    constant = torch.full_like(points[:, :1], bias * points.shape[1] ** 0.5)
    return torch.cat([points, constant], 1)
