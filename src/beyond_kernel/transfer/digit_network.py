"""A two-layer network with one output a class, trained for some hundred steps; its decay is chosen on a fifth."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from beyond_kernel.checks import list_of, real_number, whole_number
from beyond_kernel.foundations.learning.adam import Adam
from beyond_kernel.foundations.learning.held_out import split_fifth
from beyond_kernel.foundations.learning.samples import Sample
from beyond_kernel.transfer.real_digits import ClassProblem

RATE = 0.03
"""First step size of Adam, which falls linearly to 0."""
DECAYS = (0.1, 0.3, 1.0, 3.0)
"""Candidates for the decay of the weights, in units of the step size."""
BATCH = 32
"""Samples of a batch."""
NEURONS = 256
"""Neurons of the network.

In trials on both sets of digits, 100 and 400 labels, twice as many, twice the steps, half or twice the rate took 0.05
of the error of a tuned Gaussian kernel off at most.
"""
PRECISION = torch.float32
"""Of the training, whatever that of the sample."""


@dataclass(frozen=True)
class DigitNetwork:
    """The function x -> offset + A relu(W (x - mean) + b).

    Attributes:
        W: neurons, of shape (m, d).
        A: output weights, of shape (k, m).
        b: biases, of shape (m,).
        mean: of the inputs trained on, of shape (d,).
        offset: outputs without any neuron, of shape (k,).
    """

    W: torch.Tensor
    A: torch.Tensor
    b: torch.Tensor
    mean: torch.Tensor
    offset: torch.Tensor

    def __call__(self, X: torch.Tensor) -> torch.Tensor:
        """Return the outputs at the rows of X, of shape (len(X), k)."""
        return self.offset + ((X - self.mean) @ self.W.T + self.b).relu_() @ self.A.T


def fit_network(problem: ClassProblem, generator: torch.Generator, width: int = NEURONS) -> DigitNetwork:
    """Train all weights by Adam on the squared error, from small neurons, then choose, then train on all of the sample.

    Args:
        problem: its training sample, of at least five rows.
        generator: source of the fifth, the starts and the batches.
        width: m, at least 1.

    Raises:
        BadParameter: if the width is below 1, or there are too few rows.

    Source: Adam with decoupled decay; start, rate and decays are our own. Chapter: real_digits.
    """
    whole_number("width", width)
    kept, held = split_fifth(problem.train, generator)
    networks = train_networks(kept, RATE, DECAYS, width, generator)
    losses = [float((network(held.X) - held.y).square().sum()) for network in networks]
    best = DECAYS[losses.index(min(losses))]
    return train_networks(problem.train, RATE, [best], width, generator)[0]


def steps_for(n: int) -> int:
    """Return the number of steps for n samples, 250 up to 800 samples and 600 above. Chapter: real_digits."""
    return 250 if n <= 800 else 600


def train_networks(
    train: Sample,
    rate: float,
    decays: Sequence[float],
    width: int,
    generator: torch.Generator,
    steps: int | None = None,
) -> list[DigitNetwork]:
    """Train networks side by side, from one start and on the same batches, each with a decay of its own.

    Args:
        train: labelled rows, with outputs of shape (n, k).
        rate: first step size, above 0.
        decays: of the weights, biases among them, in units of the step size, one a network.
        width: number of neurons.
        generator: source of the start and the batches.
        steps: of Adam; ``steps_for`` of n where it is left out.

    Raises:
        BadParameter: if there is no decay, or a number is out of range.

    Chapter: real_digits.
    """
    real_number("rate", rate, above=0)
    count = len(list_of("decays", list(decays), lambda name, value: real_number(name, value, least=0)))
    mean, offset = train.X.mean(0), train.y.mean(0)
    X, Y = (train.X - mean).to(PRECISION), (train.y - offset).to(PRECISION)
    weights = [part.repeat(count, 1, 1) for part in _start(width, X, Y, generator)]
    W, A, b, c = weights
    steps = steps_for(len(X)) if steps is None else steps
    shrinks = torch.tensor(decays, dtype=PRECISION, device=X.device)[:, None, None]
    adam = Adam(weights, torch.full_like(shrinks, rate), steps, shrinks)
    for rows in _batches(len(X), steps, generator):
        inputs, wanted = X[rows.to(X.device)], Y[rows.to(X.device)].T
        values = (W.flatten(0, 1) @ inputs.T).view(count, width, -1) + b
        features = values.relu()
        pulls = (A @ features + c - wanted) * (2 / len(inputs))
        backwards = (A.mT @ pulls) * (values > 0)
        first = (backwards.flatten(0, 1) @ inputs).view_as(W)
        adam.step([first, pulls @ features.mT, backwards.sum(2, keepdim=True), pulls.sum(2, keepdim=True)])
    W, A, b, c = (part.to(train.X) for part in weights)
    return [DigitNetwork(W[j], A[j], b[j, :, 0], mean, offset + c[j, :, 0]) for j in range(count)]


def _start(width: int, X: torch.Tensor, Y: torch.Tensor, generator: torch.Generator) -> list[torch.Tensor]:
    """Return small neurons, output weights of norm about one a class, and biases 0, in columns."""
    d, k = X.shape[1], Y.shape[1]
    W, A = (
        torch.randn(shape, generator=generator, dtype=torch.float64, device="cpu").to(X) * size
        for shape, size in (((width, d), 0.05 * (2 / d) ** 0.5), ((k, width), width**-0.5))
    )
    return [W, A, X.new_zeros(width, 1), X.new_zeros(k, 1)]


def _batches(n: int, steps: int, generator: torch.Generator) -> tuple[torch.Tensor, ...]:
    """Return places of rows from a stream of orders, one after the other, each of all rows."""
    size = min(BATCH, n)
    orders = [torch.randperm(n, generator=generator, device="cpu") for _ in range(-(-steps * size // n))]
    return torch.cat(orders).split(size)[:steps]
