"""Two-layer networks whose biases all start at one negative constant: sparse activation, its kernel and its price.

The network of the seed paper is f(x) = m^{-1/2} sum_j a_j relu(<w_j, x> / sqrt(d) + b_j) with w_j ~ N(0, I_d),
b_j = -B and |x|^2 = d. The book keeps W = w / sqrt(d), so that a gradient step of size eta on w is one of size eta / d
on W. Heads a_j / sqrt(m) stay as they are drawn.
"""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.special import ndtr, owens_t

from beyond_kernel.checks import BadParameter, matrix, real_number, vector, whole_number
from beyond_kernel.foundations.learning.descent import descend, full_batch
from beyond_kernel.foundations.learning.networks import LossGradient, TwoLayerNetwork, symmetric_init

ROUNDING = 1e-13
"""Relative difference of two lengths up to which they count as equal, as on a sphere in float64."""

BLOCK = 256
"""Rows of a kernel that are computed at once, so that the intermediates stay small."""


def sparse_bias_kernel(X: torch.Tensor, Z: torch.Tensor | None = None, offset: float = 0.0) -> torch.Tensor:
    """Return K_B(x, z) = (<x, z> / d + 1) P(<w, x> >= B and <w, z> >= B), w ~ N(0, I_d / d), B = ``offset``.

    The tangent kernel of the first layer and its biases, m to infinity. With h = B sqrt(d) / |x|, k = B sqrt(d) / |z|
    the two pre-activations exceed B with probability

        (Phi(-h) + Phi(-k)) / 2 - T(h, cot alpha) - T(k, cot beta),       T Owen's function,

    where alpha and beta are the angles at the ends x and z of the triangle 0, x, z. For inputs of length sqrt(d) it is
    Phi(-B) - 2 T(B, sqrt((1 - rho) / (1 + rho))), rho the cosine. Angles are taken from lengths of differences, which
    keep their digits where x and z are nearly parallel. Values of Owen's function are in float64 for every dtype.

    Args:
        X: of shape (n, d).
        Z: of shape (k, d); X itself when left out, and then the diagonal (|x|^2 / d + 1) Phi(-h) is exact.
        offset: B, the negative of the bias at the start; a negative B makes more than half of the neurons active.

    Returns:
        The kernel, of shape (n, k).

    Raises:
        BadParameter: if shapes do not fit, an entry or the offset is not finite, or a row is zero.

    Source: Yang et al. 2023 for the kernel, Owen 1956 for the probability. Chapter: sparse_bias.
    """
    d = matrix("X", X).shape[1]
    real_number("offset", offset)
    other = X if Z is None else matrix("Z", Z, d)
    first, second = _scaled("X", X), _scaled("Z", other)
    out = torch.cat([_both_active(rows, second, offset) for rows in first.split(BLOCK)]).to(X.dtype)
    out *= X @ other.T / d + 1
    if Z is None:
        out = (out + out.T) / 2  # a product may differ from its mirror image in the last bit
        lengths = first.norm(dim=1)
        out.diagonal().copy_((lengths.square() + 1) * torch.special.ndtr(-offset / lengths))
    return out


def sparse_bias_profile(cosines: torch.Tensor, offset: float) -> torch.Tensor:
    """Return K_B at inputs of length sqrt(d) with the given cosines: (t + 1) (Phi(-B) - 2 T(B, sqrt((1-t)/(1+t)))).

    Args:
        cosines: t, between -1 and 1, of any shape.
        offset: B.

    Raises:
        BadParameter: if a cosine lies outside [-1, 1] or the offset is not finite.

    Source: Owen 1956. Chapter: sparse_bias.
    """
    real_number("offset", offset)
    if not bool((cosines.abs() <= 1).all()):
        raise BadParameter("cosines holds a value outside of [-1, 1]: no angle has it.")
    t = cosines.double()
    return ((t + 1) * (ndtr(-offset) - 2 * _owens_t(offset, ((1 - t) / (1 + t)).sqrt()))).to(cosines)


def sparse_bias_init(
    width: int,
    d: int,
    offset: float,
    generator: torch.Generator,
    dtype: torch.dtype = torch.float64,
    device: torch.device | str | None = None,
) -> TwoLayerNetwork:
    """Draw a network whose output is zero up to rounding, with heads +-1/sqrt(m) and all biases at -B.

    The two halves of the network are twins with opposite heads, so m/2 neurons are independent.

    Args:
        width: m, even.
        d: input dimension.
        offset: B.
        generator: source of the weights.
        dtype: of all three tensors.
        device: where the network is to lie; the generator's own where it is left out.

    Raises:
        BadParameter: if width is odd or below 2, d is below 1, or the offset is not finite.

    Source: Yang et al. 2023 for the bias; Damian, Lee, Soltanolkotabi 2022 for the twins. Chapter: sparse_bias.
    """
    drawn = symmetric_init(width, d, generator, dtype, device)
    return TwoLayerNetwork(drawn.W, drawn.a / width**0.5, torch.full_like(drawn.b, -real_number("offset", offset)))


def active_fraction(network: TwoLayerNetwork, X: torch.Tensor) -> float:
    """Return the share of pairs of an input and a neuron in which the neuron is active, <w_j, x> + b_j > 0.

    Args:
        network: the network.
        X: inputs, of shape (n, d).

    Raises:
        BadParameter: if X has another dimension than the network.

    Chapter: sparse_bias.
    """
    return float(_active(network, X).double().mean())


def blind_fraction(network: TwoLayerNetwork, X: torch.Tensor) -> float:
    """Return the share of inputs at which no neuron is active: the network and its gradient are zero there.

    At the start of ``sparse_bias_init``, on the sphere, it is (1 - Phi(-B))^{m/2} on average.

    Args:
        network: the network.
        X: inputs, of shape (n, d).

    Raises:
        BadParameter: if X has another dimension than the network.

    Chapter: sparse_bias.
    """
    matrix("X", X, network.W.shape[1])
    highest = torch.addmm(network.b, X, network.W.T).amax(1)
    return float((highest <= 0).double().mean())


def empirical_kernel(network: TwoLayerNetwork, X: torch.Tensor) -> torch.Tensor:
    """Return the kernel of the gradients in sqrt(d) W and b: (<x, x'> / d + 1) sum_j a_j^2 1[j active at x and x'].

    Args:
        network: the network.
        X: inputs, of shape (n, d).

    Returns:
        The kernel, of shape (n, n). For ``sparse_bias_init`` its mean is ``sparse_bias_kernel``.

    Raises:
        BadParameter: if X has another dimension than the network.

    Chapter: sparse_bias.
    """
    gates = _active(network, X).to(X.dtype) * network.a
    return (X @ X.T / X.shape[1] + 1) * (gates @ gates.T)


@dataclass(frozen=True)
class Training:
    """A trained network with its loss and its share of active pairs before each step and after the last.

    Attributes:
        network: the network at the end.
        losses: mean squared error on the training points, of shape (steps + 1,).
        active: as ``active_fraction``, of shape (steps + 1,).
    """

    network: TwoLayerNetwork
    losses: torch.Tensor
    active: torch.Tensor


def train_first_layer(network: TwoLayerNetwork, X: torch.Tensor, y: torch.Tensor, step: float, steps: int) -> Training:
    """Train first layer and biases by gradient descent on the mean squared error; the head stays.

    A step of size ``step`` on the weights sqrt(d) W is one of size ``step`` / d on W.

    Args:
        network: where to start.
        X: inputs, of shape (n, d).
        y: labels, of shape (n,).
        step: step size for sqrt(d) W and b.
        steps: number of steps.

    Raises:
        BadParameter: if shapes do not fit, the step is not above 0 or steps is below 1.

    Source: derived here; the setting of Yang et al. 2023. Chapter: sparse_bias.
    """
    d = matrix("X", X, network.W.shape[1]).shape[1]
    vector("y", y, len(X))
    real_number("step", step, above=0)
    losses, active = [], []

    def observe(_: int, __: TwoLayerNetwork, gradient: LossGradient) -> None:
        losses.append(gradient.loss)
        active.append(gradient.slopes.mean())

    rates = {"W": step / d, "b": step}
    trained = descend(network, full_batch(X, y), rates, whole_number("steps", steps), observe=observe)
    return Training(trained, torch.stack(losses), torch.stack(active))


def kernel_losses(gram: torch.Tensor, y: torch.Tensor, step: float, steps: int) -> torch.Tensor:
    """Return the losses of the infinitely wide network: residuals (I - 2 step K / n)^t y after t steps from f = 0.

    Args:
        gram: K, of shape (n, n).
        y: labels, of shape (n,).
        step: step size.
        steps: number of steps.

    Returns:
        Mean squared errors after 0, 1, ..., steps steps, of shape (steps + 1,).

    Raises:
        BadParameter: if shapes do not fit, the step is not above 0 or steps is below 1.

    Source: Jacot, Gabriel, Hongler 2018, for gradient descent in the square loss. Chapter: sparse_bias.
    """
    n = len(vector("y", y, len(matrix("gram", gram))))
    matrix("gram", gram, n)
    real_number("step", step, above=0)
    times = torch.arange(whole_number("steps", steps) + 1, dtype=gram.dtype, device=gram.device)
    values, vectors = torch.linalg.eigh(gram)
    decay = (1 - 2 * step * values / n).square() ** times[:, None]
    return decay @ (vectors.T @ y).square() / n


def _active(network: TwoLayerNetwork, X: torch.Tensor) -> torch.Tensor:
    matrix("X", X, network.W.shape[1])
    return X @ network.W.T + network.b > 0


def _scaled(name: str, points: torch.Tensor) -> torch.Tensor:
    if not points.any(dim=1).all():
        raise BadParameter(f"{name} has a row of zeros at {int((~points.any(dim=1)).nonzero()[0])}: no angle to it.")
    return points.double() / points.shape[1] ** 0.5


def _both_active(first: torch.Tensor, second: torch.Tensor, offset: float) -> torch.Tensor:
    """Return P(<g, x> >= B and <g, z> >= B), g ~ N(0, I), for rows x of ``first`` and z of ``second``, in float64."""
    x_norms, z_norms = first.norm(dim=1, keepdim=True), second.norm(dim=1)
    units, others = first / x_norms, second / z_norms[:, None]
    apart = torch.cdist(units, others, compute_mode="donot_use_mm_for_euclid_dist")  # 2 sin(theta / 2)
    along = torch.cdist(units, -others, compute_mode="donot_use_mm_for_euclid_dist")  # 2 cos(theta / 2)
    ratio = x_norms / z_norms
    if bool(((ratio - 1).abs() <= ROUNDING).all()):
        h = offset / float(x_norms[0])
        return ndtr(-h) - 2 * _owens_t(h, apart / along)
    h, k = offset / x_norms, offset / z_norms
    sine = apart * along / 2
    cot_alpha = (ratio - 1 + apart.square() / 2) / sine
    cot_beta = (1 / ratio - 1 + apart.square() / 2) / sine
    tails = (torch.special.ndtr(-h) + torch.special.ndtr(-k)) / 2
    return tails - _owens_t(h, cot_alpha) - _owens_t(k, cot_beta)


def _owens_t(h: torch.Tensor | float, slope: torch.Tensor) -> torch.Tensor:
    """Return Owen's T(h, slope) on the device of ``slope``; 0 / 0, two equal inputs, counts as slope 0."""
    h = h.cpu().numpy() if isinstance(h, torch.Tensor) else h
    return torch.from_numpy(owens_t(h, np.nan_to_num(slope.cpu().numpy()))).to(slope)
