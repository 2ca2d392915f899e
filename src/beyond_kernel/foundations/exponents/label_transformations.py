"""What a transformation of the label can say about a hidden direction: E[h_k(z) | y] of noiseless labels y = f(z)."""

import math
from dataclasses import dataclass

import torch

from beyond_kernel.checks import BadParameter, vector, whole_number
from beyond_kernel.foundations.exponents.links import AnyLink, Link, as_link, refuse_constant
from beyond_kernel.foundations.targets.hermite import hermite_table

MOST_DEGREE = 40
_REACH = 10.0  # the normal law has 1e-23 beyond
_CELLS = 16_384
_LEVELS = 257
_TAIL_LEVELS = 64  # at either end: a high degree has most of its energy there
_HALVINGS = 46  # from a cell of 1e-3 to the spacing of doubles
_LEAST_CHANCE = 1e-12


def threshold_correlations(link: AnyLink, max_degree: int = 12) -> torch.Tensor:
    """Return for k = 1, ..., max_degree the largest |correlation| of h_k(z) with 1{f(z) > t} over many levels t.

    These are lower bounds on sqrt(E E[h_k | y]^2), the most that any transformation of the label has.

    Args:
        link: as for ``information_exponent``, of one variable.
        max_degree: from 1 to 40.

    Returns:
        float64 tensor of shape (max_degree,).

    Raises:
        BadParameter: if the link is constant, not finite, oscillates too fast or depends on several directions.

    Source: derived here. Chapter: hermite_calculus.
    """
    whole_number("max_degree", max_degree, most=MOST_DEGREE)
    _, chances, moments = _above_levels(as_link(link), max_degree)
    return (moments / (chances * (1 - chances)).sqrt()).abs().amax(1)


@dataclass(frozen=True, eq=False)
class LabelTransformation:
    """T(y) = E[h_k(z) | y] averaged over cells of labels; the function of the label that knows most of h_k.

    Attributes:
        k: the degree.
        edges: ends of the cells, ascending, float64 (c - 1,); a cell holds its upper end.
        values: T on the cells, float64 (c,).
        energy: E T(y)^2, at most E E[h_k | y]^2, which is its limit for fine cells.

    Chapter: hermite_calculus.
    """

    k: int
    edges: torch.Tensor
    values: torch.Tensor
    energy: float

    def __call__(self, y: torch.Tensor) -> torch.Tensor:
        """Return T at the labels y, shape (n,), dtype and device of y."""
        return self.values.to(vector("y", y))[torch.bucketize(y.contiguous(), self.edges.to(y))]


def label_transformation(link: AnyLink, k: int) -> LabelTransformation:
    """Return T(y) = E[h_k(z) | y], y = f(z), as a step function on some 400 cells of labels.

    Args:
        link: as for ``information_exponent``, of one variable.
        k: the degree, from 1 to 40.

    Raises:
        BadParameter: as ``threshold_correlations``.

    Source: Damian, Pillaud-Vivien, Lee and Bruna (2024). Chapter: hermite_calculus.
    """
    edges, chances, values = _in_cells(as_link(link), whole_number("k", k, most=MOST_DEGREE))
    return LabelTransformation(k, edges, values[-1], float(chances @ values[-1] ** 2))


def label_energies(link: AnyLink, max_degree: int = 12) -> torch.Tensor:
    """Return E E[h_k(z) | y]^2 for k = 1, ..., max_degree: the energy of the best transformation in each degree.

    Computed on cells of labels, hence from below; off by at most 0.03 up to degree 6 for the named links.

    Args:
        link: as for ``information_exponent``, of one variable.
        max_degree: from 1 to 40.

    Returns:
        float64 tensor of shape (max_degree,), each between 0 and 1.

    Raises:
        BadParameter: as ``threshold_correlations``.

    Source: derived here. Chapter: hermite_calculus.
    """
    whole_number("max_degree", max_degree, most=MOST_DEGREE)
    _, chances, values = _in_cells(as_link(link), max_degree)
    return values**2 @ chances


def _in_cells(link: Link, max_degree: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the levels between cells of labels, the chance of each cell, and the mean of h_1, h_2, ... in it."""
    edges, above, moments = _above_levels(link, max_degree)
    chances = -torch.nn.functional.pad(torch.nn.functional.pad(above, (1, 0), value=1.0), (0, 1)).diff()
    in_cell = -torch.nn.functional.pad(moments, (1, 1)).diff()
    return edges, chances, in_cell / chances.clamp(min=_LEAST_CHANCE) * (chances > _LEAST_CHANCE)


def _above_levels(link: Link, max_degree: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return levels t, P(f > t) and E[h_k 1{f > t}] for k = 1, ..., max_degree, shape (max_degree, levels).

    The set where f > t is a union of intervals, and the integral of h_k over (a, b) with the normal density phi is
    (h_{k-1}(a) phi(a) - h_{k-1}(b) phi(b)) / sqrt(k). So only the ends matter, found by halving.
    """
    one_variable(link)
    z = torch.linspace(-_REACH, _REACH, _CELLS + 1, dtype=torch.float64, device="cpu")
    values = link(z)
    levels = _levels(link, z, values)
    below = torch.searchsorted(levels, values)  # how many levels the value exceeds
    row, cell = _crossings(below)
    enters = below[cell + 1] > below[cell]
    ends = _halved(link, levels[row], enters, z[cell], z[cell + 1])
    sign = 2 * enters.to(z) - 1
    density = torch.exp(-(ends**2) / 2) / math.sqrt(2 * math.pi)
    starts_inside = (torch.arange(len(levels), device=z.device) < below[0]).to(z)
    chances = starts_inside.index_add(0, row, sign * torch.special.ndtr(-ends))
    roots = torch.arange(1, max_degree + 1, dtype=z.dtype, device=z.device).sqrt()[:, None]
    terms = sign * density * hermite_table(max_degree - 1, ends) / roots
    moments = torch.zeros(max_degree, len(levels), dtype=z.dtype, device=z.device).index_add(1, row, terms)
    kept = (chances > _LEAST_CHANCE) & (chances < 1 - _LEAST_CHANCE)
    return levels[kept], chances[kept], moments[:, kept]


def _levels(link: Link, z: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """Return levels at quantiles of the label and around its extrema, where E[h_k | y] may jump.

    Left out are levels at which two ends may hide between neighbouring points: those nearer to an extremum than its
    margin, and those that a grid of half the points crosses less often.
    """
    refuse_constant(link)
    order = values.argsort()
    below = torch.exp(-(z[order] ** 2) / 2).cumsum(0)
    even = (torch.arange(_LEVELS, dtype=z.dtype, device=z.device) + 0.5) / _LEVELS
    tail = 10 ** torch.linspace(-7, math.log10(float(even[0])), _TAIL_LEVELS, dtype=z.dtype, device=z.device)
    wanted = torch.cat([tail, even, 1 - tail]) * below[-1]
    quantiles = values[order][torch.searchsorted(below, wanted)]
    tops, margins = _extrema(values)
    around = [(tops + side * margins)[:_TAIL_LEVELS] for side in (-1.5, 1.5)]
    levels = torch.cat([quantiles, *around]).unique()
    below = torch.searchsorted(levels, values)
    fine, coarse = (_crossings(below[::step])[0].bincount(minlength=len(levels)) for step in (1, 2))
    clear = (fine == coarse) & ((levels[:, None] - tops).abs() > margins).all(1)
    if clear.sum() < len(levels) / 2:
        raise BadParameter(f"link {link.name} oscillates too fast: a grid of {_CELLS} cells misses level sets.")
    return levels[clear]


def _extrema(values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the values at local extrema of a grid and a margin for each, beyond which no true extremum lies.

    The margin, how far the values fall in two cells on the flatter side, is zero beside a plateau or a jump; such
    points are left out.
    """
    found = []
    for sign in (1, -1):
        line = sign * values
        middle = line[2:-2]
        margins = middle - torch.maximum(line[:-4], line[4:])
        peak = (middle >= line[1:-3]) & (middle >= line[3:-1]) & (margins > 0)
        found.append((sign * middle[peak], margins[peak]))
    tops, margins = (torch.cat(pair) for pair in zip(*found, strict=True))
    return tops, margins


def _crossings(below: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the level and the cell of each crossing, by number; two neighbours cross all levels between them."""
    low, high = torch.minimum(below[:-1], below[1:]), torch.maximum(below[:-1], below[1:])
    count = high - low
    cell = torch.arange(len(count), device=count.device).repeat_interleave(count)
    place = torch.arange(len(cell), device=count.device) - (count.cumsum(0) - count)[cell]
    return low[cell] + place, cell


def _halved(
    link: Link, levels: torch.Tensor, enters: torch.Tensor, low: torch.Tensor, high: torch.Tensor
) -> torch.Tensor:
    """Return where f crosses the levels between ``low`` and ``high``, a kink or a jump included."""
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        beyond = (link(middle) > levels) == enters
        low, high = torch.where(beyond, low, middle), torch.where(beyond, middle, high)
    return (low + high) / 2


def one_variable(link: Link) -> Link:
    """Return the link if it depends on one direction only, in whatever coordinates it is written.

    Raises:
        BadParameter: otherwise.
    """
    if link.target is not None and link.target.rank > 1:
        raise BadParameter(f"link {link.name} has rank {link.target.rank}: it must have rank 1, a single direction.")
    return link
