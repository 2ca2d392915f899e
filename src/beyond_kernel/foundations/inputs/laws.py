"""Laws of the inputs with covariance the identity, and the Gaussian with a spike."""

from collections.abc import Callable

import torch

from beyond_kernel.checks import BadParameter, one_of, real_number, vector, whole_number


def gaussian(n: int, d: int, generator: torch.Generator, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    """Return n independent draws from N(0, I_d), shape (n, d).

    All laws draw in double precision and round to ``dtype``, so both precisions see the same sample.

    Args:
        n: number of draws, at least 1.
        d: dimension, at least 1.
        generator: source of the randomness; the result lies on its device.
        dtype: a floating-point dtype.

    Raises:
        BadParameter: if ``n`` or ``d`` is no whole number of at least 1.
        TypeError: if ``generator`` or ``dtype`` is of another kind.
    """
    _checked(n, d, generator, dtype)
    return _normal(n, d, generator).to(dtype)


def sphere(n: int, d: int, generator: torch.Generator, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    """Return n independent uniform draws from the sphere of radius sqrt(d), shape (n, d).

    A normal vector divided by its length has no preferred direction. Arguments and errors as in ``gaussian``.
    """
    _checked(n, d, generator, dtype)
    draws = _normal(n, d, generator)
    return (draws * (d**0.5 / draws.norm(dim=1, keepdim=True))).to(dtype)


def hypercube(n: int, d: int, generator: torch.Generator, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    """Return n independent uniform draws from {-1, +1}^d, shape (n, d).

    Arguments and errors as in ``gaussian``.
    """
    _checked(n, d, generator, dtype)
    bits = torch.randint(0, 2, (n, d), generator=generator, dtype=torch.int8, device=generator.device)
    return (2 * bits - 1).to(dtype)


def spiked_gaussian(
    n: int,
    d: int,
    generator: torch.Generator,
    dtype: torch.dtype = torch.float64,
    *,
    direction: torch.Tensor,
    strength: float,
) -> torch.Tensor:
    """Return n independent draws from N(0, I_d + theta mu mu^T), shape (n, d).

    A standard normal vector is stretched by sqrt(1 + theta) along mu. With ``strength`` 0 the draws are those of
    ``gaussian``. The covariance is not the identity, so this law is no entry of ``INPUT_LAWS``.

    Args:
        n: number of draws, at least 1.
        d: dimension, at least 1.
        generator: source of the randomness; the result lies on its device.
        dtype: a floating-point dtype.
        direction: the spike mu, of shape (d,) and length 1.
        strength: theta, above -1; the variance along mu is 1 + theta.

    Raises:
        BadParameter: if ``n``, ``d`` or ``strength`` is out of range, or ``direction`` is no unit vector of length d.
        TypeError: if ``generator``, ``dtype`` or ``direction`` is of another kind.

    Source: the input law of Ba, Erdogdu, Suzuki, Wang and Wu (2023). Chapter: targets_and_inputs.
    """
    _checked(n, d, generator, dtype)
    real_number("strength", strength, above=-1)
    mu = vector("direction", direction, d).to(generator.device, torch.float64)
    if abs(float(mu.norm()) - 1) > 1e-5:  # a unit vector in single precision has its length to within 1e-6
        raise BadParameter(f"direction has length {float(mu.norm()):.6g}: it must be a unit vector.")
    mu = mu / mu.norm()
    draws = _normal(n, d, generator)
    return (draws + ((1 + strength) ** 0.5 - 1) * torch.outer(draws @ mu, mu)).to(dtype)


INPUT_LAWS: dict[str, Callable[..., torch.Tensor]] = {
    "gaussian": gaussian,
    "sphere": sphere,
    "hypercube": hypercube,
}


def sample_inputs(
    law: str,
    n: int,
    d: int,
    generator: torch.Generator,
    dtype: torch.dtype = torch.float64,
    device: torch.device | str = "cpu",
) -> torch.Tensor:
    """Return n inputs of dimension d from the named law, shape (n, d).

    Args:
        law: a key of ``INPUT_LAWS``: gaussian, sphere or hypercube.
        n: number of inputs, at least 1.
        d: dimension, at least 1.
        generator: source of the randomness.
        dtype: a floating-point dtype.
        device: where the result is to lie.

    Raises:
        BadParameter: if the law is not known, or ``n`` or ``d`` is no whole number of at least 1.
        TypeError: if ``generator`` or ``dtype`` is of another kind.

    >>> from beyond_kernel.random_streams import generator_for
    >>> sample_inputs("hypercube", 100, 3, generator_for(0)).abs().unique().tolist()
    [1.0]
    """
    one_of("law", law, list(INPUT_LAWS))
    return INPUT_LAWS[law](n, d, generator, dtype).to(device)


def _normal(n: int, d: int, generator: torch.Generator) -> torch.Tensor:
    return torch.randn(n, d, generator=generator, dtype=torch.float64, device=generator.device)


def _checked(n: int, d: int, generator: torch.Generator, dtype: torch.dtype) -> None:
    whole_number("n", n)
    whole_number("d", d)
    if not isinstance(generator, torch.Generator):
        raise TypeError(f"generator = {generator!r} is not accepted: it must be a torch.Generator.")
    if not isinstance(dtype, torch.dtype) or not dtype.is_floating_point:
        raise TypeError(f"dtype = {dtype!r} is not accepted: it must be a floating-point torch dtype.")
