"""Spherical online SGD of one neuron in d dimensions, for many replicas at once: the plain simulation.

Every step draws a fresh x ~ N(0, I_d) for each replica, labels it y = f(<u, x>) + noise, moves the weight against the
gradient of the loss at this one sample, along the sphere, and puts it back on the sphere:
w <- (w + c (x - <w, x> w)) / |w + c (x - <w, x> w)|, c = rate * pull(<w, x>, y), where the pull is minus the derivative
of the loss by <w, x>.
"""

from collections.abc import Callable, Iterator

import torch

from beyond_kernel.checks import BadParameter, matrix, real_number, vector, whole_number
from beyond_kernel.feature_learning.scaled_link import ScaledLink, learning_link, scaled_link
from beyond_kernel.foundations.exponents.links import AnyLink

Pull = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""From pre-activations and labels, each (R,), to minus the derivative of the loss by the pre-activation."""


def square_pull(activation: AnyLink | ScaledLink) -> Pull:
    """Return the pull (y - g(z)) g'(z) of the loss (g(z) - y)^2 / 2.

    Args:
        activation: g, scaled to mean zero and variance one.

    Raises:
        BadParameter: if the activation has no derivative to learn by.

    Chapter: information_exponent.
    """
    g = learning_link(activation)
    return lambda z, y: (y - g(z)) * g.derivative(z)


def correlation_pull(activation: AnyLink | ScaledLink) -> Pull:
    """Return the pull y g'(z) of the loss -y g(z).

    Args:
        activation: g, scaled to mean zero and variance one.

    Raises:
        BadParameter: if the activation has no derivative to learn by.

    Chapter: information_exponent.
    """
    g = learning_link(activation)
    return lambda z, y: y * g.derivative(z)


def draw_weights(replicas: int, d: int, generator: torch.Generator) -> torch.Tensor:
    """Draw weights that are uniform on the sphere, float64 (replicas, d), on the device of the generator.

    Args:
        replicas: R, at least 1.
        d: dimension, at least 2.
        generator: source of the weights.

    Raises:
        BadParameter: if a number is out of range.

    Chapter: information_exponent.
    """
    shape = (whole_number("replicas", replicas), whole_number("d", d, least=2))
    W = torch.randn(shape, generator=generator, dtype=torch.float64, device=generator.device)
    return W / W.norm(dim=1, keepdim=True)


def online_sgd(
    link: AnyLink | ScaledLink,
    pull: Pull,
    W: torch.Tensor,
    u: torch.Tensor,
    rates: torch.Tensor,
    generator: torch.Generator,
    *,
    noise: float = 0.0,
) -> Iterator[torch.Tensor]:
    """Give the weights at the start and after each step, without end.

    A step draws the inputs, standard normal, (R, d), in the dtype of W, then the label noise if there is any.

    Args:
        link: f, scaled to mean zero and variance one.
        pull: of the loss, such as ``square_pull``.
        W: weights at the start, one replica a row, shape (R, d), each of norm one.
        u: the hidden direction, a unit vector of shape (d,).
        rates: step size of each replica, shape (R,).
        generator: source of the samples; they are drawn on its device.
        noise: standard deviation of Gaussian noise on the label, in units of that of the label.

    Yields:
        Tensor of shape (R, d), dtype and device of W; the first is W, then a new one at each step.

    Raises:
        BadParameter: if a shape is wrong, a norm is not one, or an argument is out of range.

    Source: Ben Arous, Gheissari and Jagannath (2021). Chapter: information_exponent.

    >>> start = draw_weights(2, 5, torch.Generator().manual_seed(0))
    >>> u, rates = torch.eye(5, dtype=torch.float64)[0], torch.full((2,), 0.1, dtype=torch.float64)
    >>> next(online_sgd("he1", square_pull("he1"), start, u, rates, torch.Generator().manual_seed(1))).shape
    torch.Size([2, 5])
    """
    replicas, d = matrix("W", W).shape
    vector("u", u, d), vector("rates", rates, replicas), real_number("noise", noise, least=0)
    if not _unit(W).all() or not _unit(u):
        raise BadParameter("W and u are not accepted: each row of W, and u, must have norm one.")
    return _steps(scaled_link(link), pull, W, u.to(W), rates.to(W), generator, noise)


def simulated_hitting_steps(steps: Iterator[torch.Tensor], u: torch.Tensor, budget: int, level: float) -> torch.Tensor:
    """Return how many steps each replica needs until |<u, w>| reaches a level; inf where the budget ends before.

    Args:
        steps: of ``online_sgd``.
        u: the hidden direction, shape (d,).
        budget: the most steps, at least 1.
        level: above 0 and below 1.

    Returns:
        Tensor of shape (R,), dtype and device of the weights; 0 where the start has reached the level.

    Raises:
        BadParameter: if an argument is out of range.

    Chapter: information_exponent.
    """
    vector("u", u), whole_number("budget", budget), real_number("level", level, above=0, most=0.999999)
    times = None
    for step, W in zip(range(budget + 1), steps, strict=False):
        found = (W @ u.to(W)).abs() >= level
        times = W.new_full((len(W),), torch.inf) if times is None else times
        times = torch.where(found & times.isinf(), step, times)
        if step % 16 == 0 and not times.isinf().any():
            break
    return times


def _steps(
    f: ScaledLink,
    pull: Pull,
    W: torch.Tensor,
    u: torch.Tensor,
    rates: torch.Tensor,
    generator: torch.Generator,
    noise: float,
) -> Iterator[torch.Tensor]:
    here = {"generator": generator, "dtype": W.dtype}
    while True:
        yield W
        X = torch.randn(W.shape, device=generator.device, **here).to(W.device)
        y = f(X @ u)
        if noise:
            y = y + noise * torch.randn(len(W), device=generator.device, **here).to(W.device)
        z = (W * X).sum(1)
        c = rates * pull(z, y)
        W = torch.addcmul((1 - c * z)[:, None] * W, c[:, None], X)  # w + c (x - z w)
        W = W / W.norm(dim=1, keepdim=True)


def _unit(rows: torch.Tensor) -> torch.Tensor:
    return (rows.norm(dim=-1) - 1).abs() < 1e-4  # float32 keeps a norm to 1e-6
