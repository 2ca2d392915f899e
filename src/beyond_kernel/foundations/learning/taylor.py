"""Taylor expansions of a network along a move of its weights: by forward-mode derivatives, and neuron by neuron."""

import math
from collections.abc import Callable, Sequence
from dataclasses import fields, replace

import torch

from beyond_kernel.checks import BadParameter, matrix, vector, whole_number
from beyond_kernel.foundations.learning.networks import Network

Elementwise = Callable[[torch.Tensor], torch.Tensor]


def taylor_terms(start: Network, end: Network, X: torch.Tensor, order: int) -> torch.Tensor:
    """Return the terms of the Taylor expansion of t -> f(x; start + t (end - start)) at t = 0, taken at t = 1.

    Term k is the k-th derivative over k!, by k nested forward-mode derivatives: the oracle for every closed form, at a
    cost that doubles with each order. Row 0 is f at the start, row 1 the tangent model's change.

    Args:
        start: the network around which is expanded, of any class whose weights are its tensors.
        end: a network of the same class, with weights of the same shapes.
        X: inputs, of shape (n, d).
        order: the highest k, at least 0.

    Returns:
        Terms, of shape (order + 1, n). The sum of all rows is f at the end if f is a polynomial in t of that degree.

    Raises:
        BadParameter: if the networks differ in more than the values of their weights, or order is negative.

    Source: Taylor's theorem. Chapter: lazy_training.

    >>> from beyond_kernel.foundations.learning.networks import TwoLayerNetwork
    >>> one = torch.ones(1)
    >>> start, end = TwoLayerNetwork(one[:, None], one, 0 * one), TwoLayerNetwork(2 * one[:, None], 2 * one, 0 * one)
    >>> taylor_terms(start, end, one[:, None], order=2).flatten().tolist()  # (1 + t) (1 + t) at t = 1
    [1.0, 2.0, 1.0]
    """
    moves = _moves(start, end)
    whole_number("order", order, least=0)
    matrix("X", X)
    values: Elementwise = lambda t: replace(start, **{name: w + t * dw for name, (w, dw) in moves.items()})(X)  # noqa: E731
    zero, terms = torch.zeros((), dtype=X.dtype, device=X.device), []
    for k in range(order + 1):
        terms.append(values(zero) / math.factorial(k))
        values = _slope(values)
    return torch.stack(terms)


def neuron_terms(
    derivatives: Sequence[Elementwise],
    inner: tuple[torch.Tensor, torch.Tensor],
    heads: tuple[torch.Tensor, torch.Tensor],
) -> torch.Tensor:
    """Return the Taylor terms of sum_j a_j sigma(u_j) when u_j moves by du_j and a_j by da_j, in closed form.

    Term k is sum_j [a_j sigma^(k)(u_j) du_j^k / k! + da_j sigma^(k-1)(u_j) du_j^(k-1) / (k-1)!]; for k = 0 the
    second part is absent.

    Args:
        derivatives: sigma, sigma', sigma'', ..., each elementwise; as many as orders wanted, 0 included.
        inner: u and du, each of shape (n, m).
        heads: a and da, each of shape (m,), with whatever factor stands in front of the sum.

    Returns:
        Terms, of shape (len(derivatives), n).

    Raises:
        BadParameter: if shapes do not fit or no derivative is given.

    Source: the chain rule. Chapter: lazy_training.
    """
    (u, du), (a, da) = inner, heads
    matrix("du", du, matrix("u", u).shape[1])
    vector("da", da, len(vector("a", a, u.shape[1])))
    if not derivatives:
        raise BadParameter("derivatives is empty: give sigma at least.")
    rows, before = [], None
    for k, derivative in enumerate(derivatives):
        current = derivative(u) * du**k / math.factorial(k)
        rows.append(current @ a if before is None else current @ a + before @ da)
        before = current
    return torch.stack(rows)


def elementwise_derivatives(function: Elementwise, order: int) -> list[Elementwise]:
    """Return sigma, sigma', ..., up to an order, each by forward mode from the one before.

    Args:
        function: elementwise, made of differentiable torch operations.
        order: the highest, at least 0.

    Raises:
        BadParameter: if order is negative.
    """
    found = [function]
    for _ in range(whole_number("order", order, least=0)):
        found.append(_slope(found[-1]))
    return found


def _slope(function: Elementwise) -> Elementwise:
    return lambda z: torch.func.jvp(function, (z,), (torch.ones_like(z),))[1]


def _moves(start: Network, end: Network) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Return each of the weights at the start with its move; what is no tensor must agree."""
    if type(start) is not type(end):
        raise BadParameter(f"end is a {type(end).__name__} and start a {type(start).__name__}: both must be the same.")
    moves = {}
    for name in (field.name for field in fields(start)):
        one, other = getattr(start, name), getattr(end, name)
        if not isinstance(one, torch.Tensor):
            if one != other:
                raise BadParameter(
                    f"{name} is {one!r:.40} at the start and {other!r:.40} at the end: no weight moves it."
                )
        elif one.shape != other.shape:
            raise BadParameter(f"{name} has shape {tuple(one.shape)} at the start and {tuple(other.shape)} at the end.")
        else:
            moves[name] = (one, other - one)
    return moves
