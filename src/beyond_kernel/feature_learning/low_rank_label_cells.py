"""What low rank is worth, for chapter implicit_low_rank: labels with a target, two axes of clusters, flipped labels."""

import torch

from beyond_kernel.checks import real_number, whole_number
from beyond_kernel.feature_learning.implicit_low_rank import (
    boundary_normal,
    network_values,
    stable_rank,
    third_over_first,
    train_in_span,
)
from beyond_kernel.feature_learning.implicit_low_rank_cells import labelled_inputs
from beyond_kernel.feature_learning.low_rank_theory import limit_point
from beyond_kernel.feature_learning.quadratic_student import small_start
from beyond_kernel.foundations.learning.kernel_ridge import KernelPredictor, kernel_ridge
from beyond_kernel.foundations.learning.samples import Problem, Sample, draw_inputs
from beyond_kernel.foundations.targets.hidden_directions import drawn_directions
from beyond_kernel.foundations.targets.target import parse_target
from beyond_kernel.kernel_regime.kernel_learners import fit_gaussian_kernel
from beyond_kernel.random_streams import generator_for


def labels_cell(
    target: str,
    d: int,
    n: int,
    width: int,
    size: float,
    leak: float,
    rate: float,
    steps: int,
    *,
    n_test: int = 2000,
    device: str = "cpu",
    seed: int,
) -> dict[str, float]:
    """Fit the signs of a polynomial on Gaussian inputs by a leaky network, a Gaussian kernel and a line.

    Args:
        target: a polynomial in z1, z2, ...; the labels are its signs.
        d: dimension.
        n: number of samples; kernel and line choose their penalties by leave-one-out on them.
        width, size, leak, rate, steps: as in ``rank_path_cell``.
        n_test: fresh points.
        device: where everything lies.
        seed: of everything drawn.

    Returns:
        ``network``, ``kernel``, ``line``: share of errors on fresh points; ``errors``: that of the network on its
        samples; ``rank``: its stable rank, ``third``: third singular value over the first; ``share``: part of |W|^2 in
        the hidden directions of the target.

    Raises:
        BadParameter: if a parameter is out of range.

    Chapter: implicit_low_rank.
    """
    polynomial = parse_target(target, d, seed)
    generator = generator_for(seed, "labels", d, n)
    X = draw_inputs("gaussian", n, d, generator, device=device)
    fresh = draw_inputs("gaussian", whole_number("n_test", n_test), d, generator, device=device)
    y, truth = (_sign(polynomial(inputs)) for inputs in (X, fresh))
    W0 = small_start(width, d, size, generator, device)
    W, values, kernel = _network_and_kernel(W0, Sample(X, y), Sample(fresh, truth), leak, rate, steps)
    line = kernel_ridge(Sample(X, y), _inner_products)
    hidden = polynomial.directions.to(X)
    return {
        "network": _wrong(network_values(W, fresh, leak), truth),
        "kernel": _wrong(kernel(fresh), truth),
        "line": _wrong(line(fresh), truth),
        "errors": _wrong(values, y),
        "rank": stable_rank(W),
        "third": third_over_first(W),
        "share": float((W @ hidden).square().sum() / W.square().sum()),
    }


def axes_cell(
    d: int,
    n: int,
    distance: float,
    width: int,
    size: float,
    leak: float,
    rate: float,
    steps: int,
    *,
    n_test: int = 1000,
    device: str = "cpu",
    seed: int,
) -> dict[str, float]:
    """Train on four Gaussian clusters on two axes, at both ends of each; the label is the axis.

    Args:
        d: dimension.
        n: number of samples.
        distance: of the four centres from the origin.
        width, size, leak, rate, steps: as in ``rank_path_cell``.
        n_test: fresh points.
        device: where everything lies.
        seed: of everything drawn.

    Returns:
        Shares of errors on fresh points, ``network``, ``quadratic`` (ridge with the kernel <x, z>^2), ``kernel``
        (Gaussian), both tuned by leave-one-out; ``errors`` of the network on its samples; ``agreement`` with its
        linear boundary on fresh points; ``third``, singular value over the first.

    Raises:
        BadParameter: if a parameter is out of range.

    Chapter: implicit_low_rank.
    """
    generator = generator_for(seed, "axes", d, n)
    (X, y), (fresh, truth) = (_on_axes(count, d, distance, generator, device) for count in (n, n_test))
    W0 = small_start(width, d, size, generator, device)
    W, values, kernel = _network_and_kernel(W0, Sample(X, y), Sample(fresh, truth), leak, rate, steps)
    quadratic = kernel_ridge(Sample(X, y), lambda X, Z=None: (_inner_products(X, Z) / d) ** 2)
    found = network_values(W, fresh, leak)
    return {
        "network": _wrong(found, truth),
        "quadratic": _wrong(quadratic(fresh), truth),
        "kernel": _wrong(kernel(fresh), truth),
        "errors": _wrong(values, y),
        "agreement": 1 - _wrong(found, fresh @ boundary_normal(W)),
        "third": third_over_first(W),
    }


def flips_cell(
    d: int,
    n: int,
    flips: float,
    distance: float,
    width: int,
    size: float,
    leak: float,
    rate: float,
    steps: int,
    *,
    n_test: int = 2000,
    device: str = "cpu",
    seed: int,
) -> dict[str, float]:
    """Train on two Gaussian clusters, a share of whose labels is flipped, and classify fresh points without flips.

    Args:
        d: dimension.
        n: number of samples.
        flips: share of flipped labels, from 0 to 0.5.
        distance: of the centres from the origin; the best classifier errs with chance Phi(-distance).
        width, size, leak, rate, steps: as in ``rank_path_cell``.
        n_test: fresh points.
        device: where everything lies.
        seed: of everything drawn.

    Returns:
        Shares of errors, ``errors`` of the network on its samples, flips included, and on fresh points ``network``,
        ``kernel`` (Gaussian, tuned), ``line`` (ridge, tuned), ``average`` (sign of <sum_i y_i x_i, x>) and ``margin``
        (linear, of largest margin; NaN where n is above d); ``rank``: stable rank of the network.

    Raises:
        BadParameter: if a parameter is out of range.

    Chapter: implicit_low_rank.
    """
    generator = generator_for(seed, "flips", d, n)
    X, clean = labelled_inputs("clusters", n, d, distance, generator, device)
    fresh, truth = labelled_inputs("clusters", whole_number("n_test", n_test), d, distance, generator, device)
    flipped = torch.rand(n, generator=generator, dtype=torch.float64, device="cpu").to(device)
    y = torch.where(flipped < real_number("flips", flips, least=0, most=0.5), -clean, clean)
    W0 = small_start(width, d, size, generator, device)
    W, values, kernel = _network_and_kernel(W0, Sample(X, y), Sample(fresh, truth), leak, rate, steps)
    margin = limit_point(X, y, 1.0).directions[0] if n <= d else None
    return {
        "errors": _wrong(values, y),
        "network": _wrong(network_values(W, fresh, leak), truth),
        "kernel": _wrong(kernel(fresh), truth),
        "line": _wrong(kernel_ridge(Sample(X, y), _inner_products)(fresh), truth),
        "average": _wrong(fresh @ (y @ X), truth),
        "margin": float("nan") if margin is None else _wrong(fresh @ margin, truth),
        "rank": stable_rank(W),
    }


def _network_and_kernel(
    W0: torch.Tensor, train: Sample, fresh: Sample, leak: float, rate: float, steps: int
) -> tuple[torch.Tensor, torch.Tensor, KernelPredictor]:
    """Return the weights of the trained network, its values on the samples, and the tuned Gaussian kernel."""
    (W,), (values,) = train_in_span(W0, train.X, train.y, leak, rate, [whole_number("steps", steps)])
    return W, values, fit_gaussian_kernel(Problem(train, fresh), generator_for(0, "nothing is drawn"))


def _on_axes(
    n: int, d: int, distance: float, generator: torch.Generator, device: str
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return inputs and labels: 1 on the first of two random axes, -1 on the second."""
    X = draw_inputs("gaussian", whole_number("n", n, least=2), d, generator, device=device)
    end, axis = (2 * torch.randint(2, (n,), generator=generator, device="cpu").to(X) - 1 for _ in range(2))
    first, second = (drawn_directions(d, 2, 0).to(X) * real_number("distance", distance, least=0)).T
    return X + end[:, None] * torch.where(axis[:, None] > 0, first, second), axis


def _inner_products(X: torch.Tensor, Z: torch.Tensor | None = None) -> torch.Tensor:
    return X @ (X if Z is None else Z).T


def _sign(values: torch.Tensor) -> torch.Tensor:
    """Return the signs, that of 0 being 1."""
    return 2 * (values >= 0).to(values) - 1


def _wrong(values: torch.Tensor, signs: torch.Tensor) -> float:
    return float((values * signs <= 0).double().mean())
