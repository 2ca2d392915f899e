"""Networks that share their weights over shifts or over all permutations, and their online SGD on orbit parities."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from beyond_kernel.checks import BadParameter, list_of, matrix, one_of, real_number, whole_number
from beyond_kernel.foundations.inputs.laws import hypercube
from beyond_kernel.foundations.learning.networks import TwoLayerNetwork

SHARINGS = ("plain", "cyclic", "symmetric")
"""How a network shares its weights, not at all, over all shifts, or over all permutations of the coordinates."""
BLOCK_STEPS = 64
"""Steps whose samples are drawn at once."""

Support = tuple[int, ...]
Observer = Callable[[int, Callable[[], "SharedNetwork"]], bool]


class Diverged(BadParameter):
    """A step size with which weights do not stay finite."""


def input_views(X: torch.Tensor, sharing: str) -> torch.Tensor:
    """Return what the neurons look at: the input, all its shifts, or the sum of its coordinates over root d.

    Args:
        X: inputs, shape (n, d).
        sharing: one of ``SHARINGS``.

    Returns:
        Views, shape (n, 1, d) for plain, (n, d, d) for cyclic, (n, 1, 1) for symmetric.

    Raises:
        BadParameter: if X is no matrix or the sharing is not known.
        TypeError: if X is no floating-point tensor.

    Chapter: symmetry_barrier.
    """
    d = matrix("X", X).shape[1]
    if one_of("sharing", sharing, SHARINGS) == "symmetric":
        return X.sum(1)[:, None, None] / d**0.5
    return X[:, _places(d, sharing).to(X.device)]


@dataclass(frozen=True)
class SharedNetwork:
    """The network f(x) = V^(-1/2) sum_v f_0(x_v) over the V views x_v of an input, f_0 a two-layer network.

    Attributes:
        network: f_0, of as many inputs as a view has.
        sharing: one of ``SHARINGS``.
    """

    network: TwoLayerNetwork
    sharing: str

    def __post_init__(self) -> None:
        one_of("sharing", self.sharing, SHARINGS)

    def __call__(self, X: torch.Tensor) -> torch.Tensor:
        """Return f at the rows of X, of shape (n,)."""
        views = input_views(X, self.sharing)
        flat = self.network(views.reshape(-1, views.shape[2]))
        return flat.reshape(views.shape[:2]).sum(1) / views.shape[1] ** 0.5


@dataclass(frozen=True)
class OrbitParity:
    """A target: the sum of the parities of all sets in the orbit of a set, over the root of their number.

    Attributes:
        support: the set, as numbers of coordinates from 0 on.
        sharing: the group under which its orbit is taken, one of ``SHARINGS``.
        dim: the dimension d.
    """

    support: Support
    sharing: str
    dim: int

    def __post_init__(self) -> None:
        one_of("sharing", self.sharing, SHARINGS)
        check_support(self.support, self.dim)

    def __call__(self, X: torch.Tensor) -> torch.Tensor:
        """Return its values at the rows of X, of shape (n,)."""
        matrix("X", X, self.dim)
        if self.sharing == "symmetric":
            return _elementary(X, len(self.support))
        moved = _places(self.dim, self.sharing)[:, list(self.support)]
        sets = torch.unique(moved.sort(1).values, dim=0).to(X.device)
        return X[:, sets].prod(2).sum(1) / len(sets) ** 0.5


def check_support(support: Sequence[int], d: int) -> None:
    """Refuse what is no set of coordinates.

    Raises:
        BadParameter: if it is empty, or its entries are not different numbers from 0 to d - 1.

    Chapter: symmetry_barrier.
    """
    whole_number("d", d, least=2)
    places = list_of("support", support, lambda name, value: whole_number(name, value, least=0, most=d - 1))
    if len(set(places)) < len(places):
        raise BadParameter(f"support = {tuple(places)} names a coordinate twice: it must be a set of them.")


def parity_network(
    support: Sequence[int],
    d: int,
    width: int,
    dtype: torch.dtype = torch.float64,
    device: torch.device | str = "cpu",
) -> TwoLayerNetwork:
    """Return weights with which a two-layer network is the parity of a set, on the cube and up to rounding.

    The parity is a function of s, the sum of the k coordinates: (-1)^k at s = -k, and the other sign after each step
    of two. So it is the broken line through these points, for which k + 1 neurons are enough: a constant, the first
    slope, and k - 1 kinks. They are repeated as often as the width allows, with heads divided by this number.

    Args:
        support: different coordinates, numbered from 0.
        d: dimension.
        width: number of neurons, at least k + 1; those that are left over have weights 0.
        dtype: of the weights.
        device: where they are to lie.

    Raises:
        BadParameter: if the support is no set of coordinates, or the width is too small.

    Source: derived here. Chapter: symmetry_barrier.
    """
    check_support(support, d)
    k = len(support)
    copies = whole_number("width", width, least=k + 1) // (k + 1)
    W, a, b = (torch.zeros(*shape, dtype=dtype, device=device) for shape in ((width, d), (width,), (width,)))
    last = (-1) ** k
    for copy in range(copies):
        rows = slice(copy * (k + 1), (copy + 1) * (k + 1))
        slopes = [-last] + [2 * last * (-1) ** j for j in range(k - 1)]
        a[rows] = torch.tensor([last, *slopes], dtype=dtype, device=device) / copies
        b[rows] = torch.tensor([1, *(k - 2 * j for j in range(k))], dtype=dtype, device=device)
        W[copy * (k + 1) + 1 : (copy + 1) * (k + 1), list(support)] = 1
    return TwoLayerNetwork(W, a, b)


def shared_sgd(
    start: SharedNetwork,
    targets: Sequence[OrbitParity],
    rate: float,
    batch: int,
    steps: int,
    generator: torch.Generator,
    *,
    copies: bool = False,
    observe: Observer | None = None,
) -> SharedNetwork:
    """Train all weights by online SGD on half the square loss, in the mean-field scaling; no sample is seen twice.

    The label is the sum of the targets. With heads h_j = m a_j each step adds to (w_j, b_j) and to h_j the rate times
    the mean over the batch of r times their derivative of m f, r = y - f(x), as ``network_sgd`` does. The loop runs in
    numpy on the CPU, where matrices of this size are fastest, in the dtype of the network; samples are drawn in blocks
    of 64 steps, and the result lies where the network lay.

    Args:
        start: the network before training, which is left as it is.
        targets: at least one, all of one dimension.
        rate: step size, above 0.
        batch: samples a step.
        steps: number of steps at most.
        generator: source of the samples, on the CPU.
        copies: whether a step takes each sample with all its shifts, under the label of the sample.
        observe: called after each step with the number of steps and a function that returns the network as it is then;
            training ends once it returns True.

    Raises:
        BadParameter: if a number is out of range or there is no target.
        Diverged: if a weight is no longer finite.

    Source: derived here; the scaling as in ``network_sgd``. Chapter: symmetry_barrier.
    """
    real_number("rate", rate, above=0)
    for name, value in (("batch", batch), ("steps", steps)):
        whole_number(name, value)
    if not targets:
        raise BadParameter("targets is empty: it must hold at least one target.")
    W, a, b = (tensor.detach().cpu().numpy().copy() for tensor in (start.network.W, start.network.a, start.network.b))
    weights = W, a * len(a), b
    samples = _samples(targets, start, batch, generator, copies)

    def look() -> SharedNetwork:
        if not all(np.isfinite(array).all() for array in weights):
            raise Diverged(f"rate = {rate:g} makes training diverge within {steps} steps: it must be smaller.")
        W, heads, b = (torch.from_numpy(array.copy()).to(start.network.W) for array in weights)
        return replace(start, network=TwoLayerNetwork(W, heads / len(heads), b))

    for taken, (views, y) in enumerate(itertools.islice(samples, steps), start=1):
        _step(*weights, views, y, rate)
        if observe is not None and observe(taken, look):
            break
    return look()


def _step(W: np.ndarray, heads: np.ndarray, b: np.ndarray, views: np.ndarray, y: np.ndarray, rate: float) -> None:
    """Take one step in place, on views of shape (batch, V, p); weights may diverge, which the caller sees."""
    batch, number, p = views.shape
    root = number**0.5
    flat = views.reshape(-1, p)
    with np.errstate(over="ignore", invalid="ignore"):
        inner = flat @ W.T
        inner += b
        gates = (inner > 0).astype(W.dtype)
        pooled = (inner * gates).reshape(batch, number, -1).sum(1) / root
        pull = (y - pooled @ heads / len(heads)) * (rate / batch)
        gates *= np.repeat(pull / root, number)[:, None] * heads
        heads += pull @ pooled
        W += gates.T @ flat
        b += gates.sum(0)


def _samples(
    targets: Sequence[OrbitParity], start: SharedNetwork, batch: int, generator: torch.Generator, copies: bool
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Return fresh batches of views and labels without end, drawn a block of them at a time."""
    dtype, d = start.network.W.dtype, targets[0].dim
    each = batch * d if copies else batch
    while True:
        X = hypercube(BLOCK_STEPS * batch, d, generator, dtype)
        y = sum(target(X) for target in targets).numpy()
        if copies:
            X, y = input_views(X, "cyclic").reshape(-1, d), np.repeat(y, d)
        views = input_views(X, start.sharing).numpy()
        for first in range(0, len(X), each):
            yield views[first : first + each], y[first : first + each]


def _places(d: int, sharing: str) -> torch.Tensor:
    """Return for each view which coordinate stands at which of its places, shape (V, d)."""
    places = torch.arange(d, device="cpu")
    return (places + places[:, None]) % d if sharing == "cyclic" else places[None]


def _elementary(X: torch.Tensor, k: int) -> torch.Tensor:
    """Return the elementary symmetric polynomial of degree k at each row over the root of its number of terms."""
    sums = [X.new_ones(len(X)), *(X.new_zeros(len(X)) for _ in range(k))]
    for column in X.T:
        sums = [sums[0], *(sums[j] + column * sums[j - 1] for j in range(1, k + 1))]
    terms = 1
    for j in range(k):
        terms = terms * (X.shape[1] - j) // (j + 1)
    return sums[k] / terms**0.5
