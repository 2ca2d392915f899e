"""Activation functions by name or as a callable, with derivatives and kinks, and a check that they can be used."""

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch.nn import functional

from beyond_kernel.checks import BadParameter, one_of

REACH = 40.0
"""Kinks are looked for in [-40, 40]; pre-activations are of order one."""
MOST_KINKS = 12

Elementwise = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Activation:
    """An activation function that has passed the checks of ``activation_of``.

    Attributes:
        name: its name, or that of the callable.
        function: sigma, elementwise.
        derivative: sigma', elementwise; at a kink the value that automatic differentiation takes.
        kinks: points where sigma' or sigma'' jumps.

    Chapter: tangent_kernel.
    """

    name: str
    function: Elementwise
    derivative: Elementwise
    kinks: tuple[float, ...] = ()

    def __call__(self, z: torch.Tensor) -> torch.Tensor:
        """Return sigma at every entry of z."""
        return self.function(z)


AnyActivation = str | Elementwise | Activation


def activation_of(activation: AnyActivation) -> Activation:
    """Return an activation given by name or by an elementwise torch function, whose derivative autograd takes.

    Args:
        activation: a key of ``ACTIVATIONS``; or a function that takes a floating-point tensor and returns one of the
            same shape, each entry from its own entry alone.

    Raises:
        BadParameter: if the name is not known; or if the function returns another shape, mixes entries, is not finite,
            jumps, has more than 12 kinks, grows faster than a polynomial, or autograd cannot differentiate it.
        TypeError: if it is neither a name nor a function of a tensor that returns a floating-point tensor.

    Chapter: tangent_kernel.
    """
    if isinstance(activation, Activation):
        return activation
    if isinstance(activation, str):
        return ACTIVATIONS[one_of("activation", activation, tuple(ACTIVATIONS))]
    if not callable(activation):
        raise TypeError(f"activation = {activation!r} is not accepted: it must be a name or a function of a tensor.")
    return _checked(activation)


def derivative_of(function: Elementwise) -> Elementwise:
    """Return the derivative of an elementwise torch function by automatic differentiation.

    Args:
        function: takes a floating-point tensor and returns one of the same shape.

    Raises:
        BadParameter: when the derivative is taken, if the function leaves torch's differentiable operations.

    Chapter: tangent_kernel.
    """

    def derivative(z: torch.Tensor) -> torch.Tensor:
        with torch.enable_grad():
            z = z.detach().requires_grad_()
            values = function(z)
            if not values.requires_grad:
                raise BadParameter(
                    f"activation {_name(function)} cannot be differentiated: it must be made of differentiable "
                    "torch operations."
                )
            (slope,) = torch.autograd.grad(values.sum(), z)
        return slope.detach()

    return derivative


def second_derivative(function: Elementwise) -> Elementwise:
    """Return the function sigma'', by two backward passes; forward mode costs seconds when it is first used.

    Args:
        function: elementwise, made of differentiable torch operations.

    Source: the chain rule. Chapters: tangent_kernel, quadratic_ntk.

    >>> second_derivative(lambda z: z**3)(torch.tensor([2.0])).tolist()
    [12.0]
    """

    def second(z: torch.Tensor) -> torch.Tensor:
        with torch.enable_grad():
            z = z.detach().requires_grad_()
            (slope,) = torch.autograd.grad(function(z).sum(), z, create_graph=True)
            if not slope.requires_grad:
                return torch.zeros_like(z)
            (bend,) = torch.autograd.grad(slope.sum(), z, allow_unused=True)
        return torch.zeros_like(z) if bend is None else bend.detach()

    return second


@functools.lru_cache(maxsize=64)
def _checked(function: Elementwise) -> Activation:
    name = _name(function)
    low, high = -REACH - 0.0123, REACH + 0.0371  # the grid misses all round numbers
    grid = torch.linspace(low, high, 4001, dtype=torch.float64, device="cpu")
    _require_elementwise(name, function, grid)
    _require_polynomial_growth(name, function)
    if jumps := _jumps(function, grid):
        raise BadParameter(
            f"activation {name} jumps at z = {jumps[0]:.4g}: no derivative exists there, so it has no tangent kernel, "
            "and no closed form is known for it here."
        )
    derivative = derivative_of(function)
    if not torch.isfinite(derivative(grid)).all():
        raise BadParameter(f"activation {name} has a derivative that is not finite.")
    kinks = _jumps(derivative, grid)
    if len(kinks) <= MOST_KINKS:
        kinks = sorted({*kinks, *_jumps(second_derivative(function), grid)})
    if len(kinks) > MOST_KINKS:
        raise BadParameter(f"activation {name} has more than {MOST_KINKS} kinks in [-40, 40]: at most that many.")
    return Activation(name, function, derivative, tuple(kinks))


def _require_elementwise(name: str, function: Elementwise, z: torch.Tensor) -> None:
    with torch.no_grad():
        values = function(z)
        if not isinstance(values, torch.Tensor) or not values.is_floating_point():
            kind = values.dtype if isinstance(values, torch.Tensor) else type(values).__name__
            raise TypeError(f"activation {name} returned {kind}: it must return a floating-point torch tensor.")
        if values.shape != z.shape:
            raise BadParameter(
                f"activation {name} returned shape {tuple(values.shape)} for shape {tuple(z.shape)}: "
                "it must act on each entry."
            )
        if not torch.isfinite(values).all():
            bad = float(z[~torch.isfinite(values)].abs().min())
            raise BadParameter(f"activation {name} is not finite at |z| = {bad:.4g}.")
        few = function(z[:100].reshape(10, 10))
        if few.shape != (10, 10) or not torch.allclose(few.reshape(-1), values[:100], rtol=1e-9, atol=1e-12):
            raise BadParameter(f"activation {name} mixes entries: each value must depend on its own entry alone.")


def _require_polynomial_growth(name: str, function: Elementwise) -> None:
    """Compare the exponents of growth log2(M(2R) / M(R)), M(R) the largest |sigma| on [-R, R]: constant for powers."""
    with torch.no_grad():
        sizes = []
        for reach in (64.0, 128.0, 256.0, 512.0):
            grid = torch.linspace(-reach, reach, 4001, dtype=torch.float64, device="cpu")
            largest = function(grid).abs().max()
            sizes.append(max(float(largest), 1e-300))
    exponents = [math.log2(b / a) if math.isfinite(b) else math.inf for a, b in zip(sizes, sizes[1:], strict=False)]
    if not exponents[-1] <= max(4.0, 1.5 * exponents[0] + 1):
        raise BadParameter(
            f"activation {name} grows faster than a polynomial: its kernel depends on rare, huge pre-activations "
            "or does not exist."
        )


def _jumps(function: Elementwise, grid: torch.Tensor) -> list[float]:
    """Return the points where an elementwise function jumps: its difference over an interval survives halving it."""
    low, high = grid[:-1], grid[1:]
    at_low, at_high = function(low).detach(), function(high).detach()
    scale = 1e-3 * torch.maximum(at_low.abs(), at_high.abs()).clamp(min=1e-3)
    for _ in range(34):
        alive = (at_high - at_low).abs() > 1e-4 * scale  # a smooth function leaves after a few halvings
        if not alive.any():
            return []
        low, high, at_low, at_high, scale = (part[alive] for part in (low, high, at_low, at_high, scale))
        middle = (low + high) / 2
        between = function(middle).detach()
        left = (between - at_low).abs() >= (at_high - between).abs()
        low, at_low = torch.where(left, low, middle), torch.where(left, at_low, between)
        high, at_high = torch.where(left, middle, high), torch.where(left, between, at_high)
    kept = (at_high - at_low).abs() > scale
    return [round(float(point), 10) + 0.0 for point in ((low + high) / 2)[kept]]


def _name(function: Elementwise) -> str:
    return repr(getattr(function, "__name__", type(function).__name__))


def _normal_density(z: torch.Tensor) -> torch.Tensor:
    return torch.exp(-z.square() / 2) / math.sqrt(2 * math.pi)


def _sigmoid_slope(z: torch.Tensor) -> torch.Tensor:
    values = torch.sigmoid(z)
    return values * (1 - values)


ACTIVATIONS = {
    item.name: item
    for item in (
        Activation("relu", torch.relu, lambda z: torch.relu(z).sign(), (0.0,)),
        Activation("erf", torch.erf, lambda z: torch.exp(-z.square()) * (2 / math.sqrt(math.pi))),
        Activation("tanh", torch.tanh, lambda z: 1 - torch.tanh(z).square()),
        Activation("sigmoid", torch.sigmoid, _sigmoid_slope),
        Activation("shifted sigmoid", lambda z: torch.sigmoid(z - 1), lambda z: _sigmoid_slope(z - 1)),
        Activation("softplus", lambda z: torch.logaddexp(z, torch.zeros_like(z)), torch.sigmoid),
        Activation("gelu", functional.gelu, lambda z: torch.special.ndtr(z) + z * _normal_density(z)),
        Activation("silu", functional.silu, lambda z: torch.sigmoid(z) + z * _sigmoid_slope(z)),
        Activation("sine", torch.sin, torch.cos),
        Activation("identity", lambda z: z.clone(), torch.ones_like),
        Activation("square", torch.square, lambda z: 2 * z),
    )
}
"""The activations known by name; "shifted sigmoid" is z -> sigmoid(z - 1), used by Nichani, Bai and Lee 2022."""
