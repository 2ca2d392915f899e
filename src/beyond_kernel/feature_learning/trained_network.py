"""A two-layer network trained to the end by Adam, its step size and weight decay chosen on held-out labels.

It is the rival that every figure of feature learning owes its reader. All pairs of step size and weight decay are
trained side by side on the same batches, all their weights in one matrix.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from beyond_kernel.checks import floating, list_of, real_number, whole_number
from beyond_kernel.foundations.learning.adam import Adam
from beyond_kernel.foundations.learning.held_out import split_fifth
from beyond_kernel.foundations.learning.learners import labelled
from beyond_kernel.foundations.learning.networks import TwoLayerNetwork
from beyond_kernel.foundations.learning.samples import Problem, Sample

RATES = (0.01, 0.03, 0.1)
"""Candidates for the first step size of Adam. In trials 0.1 was chosen for few samples, 0.01 or 0.03 for many."""
DECAYS = (0.01, 0.1)
"""Candidates for the weight decay, in units of the step size."""
BATCH = 32
"""Samples of a batch. In trials 128 with smaller steps was worse, since the noise of small batches helps."""
CHECK_EVERY = 200
"""Steps between two looks at the held-out samples."""
PATIENCE = 1000
"""Steps without a better look after which training ends. In trials (three targets, d = 12) going on changed the risk by
four hundredths at most."""
PRECISION = torch.float32
"""Of the training, whatever that of the sample, as the noise of a batch is far above rounding; half of the time."""


@dataclass(frozen=True)
class TrainedNetwork:
    """The function x -> offset + network(x), with what was chosen on the held-out samples.

    Attributes:
        network: all weights after training, those of the best look at the held-out samples.
        offset: mean of the labels trained on, which was taken off before training.
        rate: chosen first step size.
        decay: chosen weight decay.
        loss: mean squared error on the held-out samples, the least of many, so there to choose by, not to report.
        steps: number of steps after which it was least.
    """

    network: TwoLayerNetwork
    offset: float
    rate: float
    decay: float
    loss: float
    steps: int

    def __call__(self, X: torch.Tensor) -> torch.Tensor:
        """Return predictions of shape (n,)."""
        return self.network(X) + self.offset


@labelled("trained network")
def fit_trained_network(
    problem: Problem,
    generator: torch.Generator,
    width: int = 200,
    steps: int | None = None,
    rates: Sequence[float] = RATES,
    decays: Sequence[float] = DECAYS,
) -> TrainedNetwork:
    """Train all weights of a two-layer ReLU network by Adam with decoupled weight decay, step sizes falling to 0.

    A fifth of the training sample is held out. On it step size and decay are chosen, and the step at which training
    would better have stopped, which ends it ``PATIENCE`` steps later; every held-out label is one of the n. The rest is
    trained on in batches of 32.

    Training is in ``PRECISION``; the network that is returned has the precision of the sample.

    Args:
        problem: its training sample, of at least five points.
        generator: source of the held-out part, the initial weights and the batches.
        width: m, at least 1.
        steps: of Adam; ``default_steps`` of n where it is left out.
        rates: candidates for the first step size, above 0; it falls linearly to 0.
        decays: candidates for the weight decay, at least 0.

    Raises:
        BadParameter: if there are too few samples, or an option is out of range.

    Source: Adam with decoupled decay as in ``torch.optim.AdamW``; start and grids are our own. Chapter: one_step.

    >>> from beyond_kernel.foundations.learning.samples import draw_problem
    >>> from beyond_kernel.foundations.targets.target import parse_target
    >>> problem = draw_problem(parse_target("h2(z1)", 6), n=300, noise=0.0, seed=0)
    >>> model = fit_trained_network(problem, torch.Generator().manual_seed(0), width=50, steps=1000)
    >>> bool((model(problem.test.X) - problem.test.truth).square().mean() < 0.1)
    True
    """
    (n, d), kind = problem.train.X.shape, problem.train.X.dtype
    steps = default_steps(n) if steps is None else whole_number("steps", steps)
    whole_number("width", width)
    list_of("rates", rates, lambda name, value: real_number(name, value, above=0))
    list_of("decays", decays, lambda name, value: real_number(name, value, least=0))
    kept, held = split_fifth(problem.train, generator)
    offset, scale = float(kept.y.mean()), float(kept.y.std(correction=0)) or 1.0
    fit, choose = (Sample(part.X.to(PRECISION), ((part.y - offset) / scale).to(PRECISION)) for part in (kept, held))
    start = trainable_init(width, d, generator, fit.X[:0])
    pairs = [(rate, decay) for rate in rates for decay in decays]
    best, which, loss, taken = _train(start, _batches(fit, steps, generator), choose, pairs, steps)
    network = TwoLayerNetwork(best.W.to(kind), best.a.to(kind) * scale, best.b.to(kind))
    return TrainedNetwork(network, offset, *pairs[which], loss * scale**2, taken)


def default_steps(n: int) -> int:
    """Return the number of steps for n samples: 4,000 up to 600, 8,000 up to 2,000 and 12,000 above.

    >>> [default_steps(n) for n in (600, 601, 2001)]
    [4000, 8000, 12000]
    """
    return 4000 if n <= 600 else 8000 if n <= 2000 else 12_000


def trainable_init(width: int, d: int, generator: torch.Generator, like: torch.Tensor) -> TwoLayerNetwork:
    """Draw a network from which all weights are trained: w_j ~ N(0, I / d), a_j ~ N(0, 1) / m, biases 0.

    Args:
        width: m.
        d: input dimension.
        generator: source of the weights.
        like: a tensor whose dtype and device the weights take.

    Chapter: one_step.
    """
    here, dtype = generator.device, floating("like", like).dtype
    W = torch.randn(width, d, generator=generator, dtype=dtype, device=here).to(like) / d**0.5
    a = torch.randn(width, generator=generator, dtype=dtype, device=here).to(like) / width
    return TwoLayerNetwork(W, a, torch.zeros_like(a))


class SideBySide:
    """Copies of one network, one for each pair of step size and decay, trained on the same batches.

    All weights stand in one matrix of shape (d + 2, copies m), a neuron a column: its w, its b, its a. A step is then
    two matrix products for the first layers of all copies, and one pass of Adam over the matrix.

    Args:
        start: the network that all copies start from.
        pairs: first step size and weight decay of each copy.
        steps: after which the step sizes have fallen to 0.

    Chapter: one_step.
    """

    def __init__(self, start: TwoLayerNetwork, pairs: Sequence[tuple[float, float]], steps: int) -> None:
        self._width, self._copies = len(start.W), len(pairs)
        column = torch.cat([start.W.T, start.b[None], start.a[None]])
        self._weights = column.repeat(1, self._copies)
        self._gradient = torch.empty_like(self._weights)
        rates, decays = column.new_tensor(pairs).repeat_interleave(self._width, dim=0).T
        self._adam = Adam([self._weights], rates, steps, decays)

    def values(self, extended: torch.Tensor) -> torch.Tensor:
        """Return the outputs of all copies at inputs with a last column of ones, of shape (n, copies)."""
        return self._values(self._features(extended))

    def step(self, extended: torch.Tensor, y: torch.Tensor) -> None:
        """Move all copies by one step of Adam on the mean squared error of a batch."""
        features = self._features(extended)
        pull = ((self._values(features) - y[:, None]) * (2 / len(y)))[:, :, None]  # (n, copies, 1)
        self._gradient[-1] = (self._by_copy(features) * pull).sum(0).view(-1)
        gates = torch.gt(features, 0, out=torch.empty_like(features))  # not through a mask, which is slower
        self._by_copy(gates).mul_(pull)
        torch.mm(extended.T, gates.mul_(self._weights[-1]), out=self._gradient[:-1])
        self._adam.step([self._gradient])

    def network(self, copy: int) -> TwoLayerNetwork:
        """Return one copy as a network of its own."""
        block = self._weights[:, copy * self._width : (copy + 1) * self._width]
        return TwoLayerNetwork(block[:-2].T.contiguous(), block[-1].clone(), block[-2].clone())

    def _features(self, extended: torch.Tensor) -> torch.Tensor:
        return (extended @ self._weights[:-1]).relu_()

    def _values(self, features: torch.Tensor) -> torch.Tensor:
        return self._by_copy(features * self._weights[-1]).sum(2)

    def _by_copy(self, columns: torch.Tensor) -> torch.Tensor:
        return columns.view(-1, self._copies, self._width)


def _train(
    start: TwoLayerNetwork,
    batches: Iterator[tuple[torch.Tensor, torch.Tensor]],
    held: Sample,
    pairs: Sequence[tuple[float, float]],
    steps: int,
) -> tuple[TwoLayerNetwork, int, float, int]:
    """Return the copy of least held-out error over all looks, its index, that error and the steps taken by then."""
    together = SideBySide(start, pairs, steps)
    X, y = _extended(held.X), held.y
    best, which, least, when = start, 0, math.inf, 0
    for taken, batch in enumerate(batches, start=1):
        together.step(*batch)
        if taken % CHECK_EVERY and taken < steps:
            continue
        losses = (together.values(X) - y[:, None]).square().mean(0).nan_to_num(nan=math.inf)
        copy = int(losses.argmin())
        if float(losses[copy]) < least:
            best, which, least, when = together.network(copy), copy, float(losses[copy]), taken
        elif taken - when >= PATIENCE:
            break
    return best, which, least, when


def _batches(sample: Sample, steps: int, generator: torch.Generator) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yield batches from a stream of orders, one after the other, each of all points."""
    extended, y = _extended(sample.X), sample.y
    size = min(BATCH, len(y))
    orders = math.ceil(steps * size / len(y))
    stream = [torch.randperm(len(y), generator=generator, device=generator.device) for _ in range(orders)]
    for rows in torch.cat(stream).to(y.device).split(size)[:steps]:
        yield extended[rows], y[rows]


def _extended(X: torch.Tensor) -> torch.Tensor:
    return torch.cat([X, X.new_ones(len(X), 1)], 1)
