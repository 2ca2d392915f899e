"""A layer of neurons that are all trained, with a linear output or a clipped one, by Adam on small batches.

Several step sizes are trained side by side on the same batches; a random fifth of the sample, never trained on, says
which of them is returned, and after how many steps.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from beyond_kernel.checks import BadParameter, list_of, matrix, one_of, real_number, whole_number
from beyond_kernel.escaping_the_kernel.clipped_neuron import clip
from beyond_kernel.foundations.learning.adam import Adam
from beyond_kernel.foundations.learning.held_out import split_fifth
from beyond_kernel.foundations.learning.learners import labelled
from beyond_kernel.foundations.learning.samples import Problem, Sample

RATES = (0.003, 0.01, 0.03)
"""Step sizes of Adam among which a held-out fifth chooses; each falls linearly to zero."""
BATCH = 100
"""Samples in a batch."""
LOOKS = 20
"""Times that the held-out fifth is looked at, evenly spread over the steps."""


@dataclass(frozen=True)
class Layers:
    """Several networks f(x) = c + m^{-1/2} sum_j a_j sigma(<w_j, x> + b_j), of one shape, with or without a clip on f.

    Attributes:
        W: of shape (k, d, m), one network after the other.
        b: of shape (k, 1, m).
        a: of shape (k, m, 1).
        c: of shape (k, 1, 1).
        activation: "relu" or "erf".
        clipped: whether the output is cut to [0, 1].
    """

    W: torch.Tensor
    b: torch.Tensor
    a: torch.Tensor
    c: torch.Tensor
    activation: str
    clipped: bool

    def __post_init__(self) -> None:
        one_of("activation", self.activation, ("relu", "erf"))

    @property
    def weights(self) -> tuple[torch.Tensor, ...]:
        """W, b, a and c."""
        return self.W, self.b, self.a, self.c

    def outputs(self, X: torch.Tensor) -> torch.Tensor:
        """Return the outputs of all networks at the rows of X, of shape (k, n)."""
        matrix("X", X, self.W.shape[1])
        values = self._unclipped(self._hidden(self._inner(X)))
        return clip(values) if self.clipped else values

    def __call__(self, X: torch.Tensor) -> torch.Tensor:
        """Return the outputs of the first network, of shape (n,)."""
        return self.outputs(X)[0]

    def gradients(self, X: torch.Tensor, y: torch.Tensor) -> list[torch.Tensor]:
        """Return the gradients in W, b, a and c of the mean squared error of each network on one batch.

        Source: the chain rule. Chapter: depth_separation.
        """
        inner = self._inner(X)
        hidden = self._hidden(inner)
        values = self._unclipped(hidden)
        residuals = (clip(values) - y) * ((values > 0) & (values < 1)) if self.clipped else values - y
        pull = (residuals * (2 / len(y)))[:, :, None]
        scaled = pull / self.a.shape[1] ** 0.5
        back = scaled * self.a.mT * self._slopes(inner)
        over = X.T.expand(len(self.W), -1, -1)
        return [over @ back, back.sum(1, keepdim=True), hidden.mT @ scaled, pull.sum(1, keepdim=True)]

    def only(self, number: int) -> "Layers":
        """Return the network of this number alone, its tensors copied."""
        kept = (tensor[number : number + 1].clone() for tensor in self.weights)
        return Layers(*kept, self.activation, self.clipped)

    def _inner(self, X: torch.Tensor) -> torch.Tensor:
        return torch.baddbmm(self.b, X.expand(len(self.W), -1, -1), self.W)

    def _hidden(self, inner: torch.Tensor) -> torch.Tensor:
        return inner.relu() if self.activation == "relu" else inner.erf()

    def _slopes(self, inner: torch.Tensor) -> torch.Tensor:
        if self.activation == "relu":
            return (inner > 0).to(inner)
        return (2 / math.pi**0.5) * (-inner.square()).exp()

    def _unclipped(self, hidden: torch.Tensor) -> torch.Tensor:
        return (hidden @ self.a / self.a.shape[1] ** 0.5 + self.c)[:, :, 0]


def draw_layers(
    count: int, width: int, X: torch.Tensor, generator: torch.Generator, activation: str = "relu", clipped: bool = False
) -> Layers:
    """Return equal networks at one random start: w ~ N(0, I_d), b ~ N(0, 1), a = 0 and c = 1/2.

    Args:
        count: k, how many.
        width: m, number of neurons.
        X: inputs, whose dimension, dtype and device the networks take.
        generator: source of the neurons.
        activation: "relu" or "erf".
        clipped: whether the output is cut to [0, 1].

    Raises:
        BadParameter: if a number is below 1 or the activation is another.

    Chapter: depth_separation.
    """
    shape = (matrix("X", X).shape[1], whole_number("width", width))
    here = generator.device
    W = torch.randn(shape, generator=generator, dtype=torch.float64, device=here).to(X)
    b = torch.randn(1, width, generator=generator, dtype=torch.float64, device=here).to(X)
    whole_number("count", count)
    a, c = X.new_zeros(count, width, 1), X.new_full((count, 1, 1), 0.5)
    return Layers(W.repeat(count, 1, 1), b.repeat(count, 1, 1), a, c, activation, clipped)


def train_layers(
    layers: Layers, train: Sample, held_out: Sample, generator: torch.Generator, *, rates: Sequence[float], steps: int
) -> Layers:
    """Train one network with each step size by Adam, and return the best of all at the best of ``LOOKS`` moments.

    Args:
        layers: as many networks as rates; they are left as they are.
        train: samples of which batches are drawn, with replacement.
        held_out: samples that say which network is returned, and from when.
        generator: source of the batches, the same for all networks.
        rates: first step sizes, above 0, which fall linearly to 0.
        steps: their number, at least 1.

    Raises:
        BadParameter: if a number is out of range, or no network had a finite error on the held-out samples.

    Source: Adam of Kingma and Ba 2015, with its usual constants. Chapter: depth_separation.
    """
    sizes = list_of("rates", rates, lambda name, value: real_number(name, value, above=0), len(layers.W))
    moving = Layers(*(tensor.clone() for tensor in layers.weights), layers.activation, layers.clipped)
    adam = Adam(moving.weights, train.X.new_tensor(sizes)[:, None, None], steps)
    looks = {1 + (steps - 1) * k // LOOKS for k in range(1, LOOKS + 1)}
    best, least = None, math.inf
    for step in range(1, steps + 1):
        rows = torch.randint(len(train), (BATCH,), generator=generator, device=generator.device).to(train.X.device)
        adam.step(moving.gradients(train.X[rows], train.y[rows]))
        if step in looks:
            errors = (moving.outputs(held_out.X) - held_out.y).square().mean(1).nan_to_num(math.inf)
            if float(errors.min()) < least:
                best, least = moving.only(int(errors.argmin())), float(errors.min())
    if best is None:
        raise BadParameter(f"rates = {sizes} make training diverge: take smaller ones.")
    return best


def fit_layer(
    problem: Problem,
    generator: torch.Generator,
    *,
    clipped: bool,
    activation: str = "relu",
    width: int = 100,
    steps: int = 800,
    rates: Sequence[float] = RATES,
) -> Layers:
    """Train all weights of a layer; step size and number of steps are chosen on a fifth of the sample.

    Args:
        problem: its training sample; all of its labels count, the held-out fifth too.
        generator: source of the held-out fifth, then of neurons and batches.
        clipped: whether the output is cut to [0, 1], in training as in prediction.
        activation: "relu" or "erf".
        width: m, number of neurons.
        steps: of Adam, each on ``BATCH`` samples.
        rates: step sizes.

    Raises:
        BadParameter: as ``split_fifth``, ``draw_layers`` and ``train_layers``.

    Chapter: depth_separation.
    """
    train, held_out = split_fifth(problem.train, generator)
    layers = draw_layers(len(rates), width, train.X, generator, activation, clipped)
    return train_layers(layers, train, held_out, generator, rates=rates, steps=steps)


@labelled("trained layer")
def fit_trained_layer(problem: Problem, generator: torch.Generator, **options) -> Layers:
    """Train a layer with a linear output: ``fit_layer`` without the clip.

    Args:
        problem, generator, options: as in ``fit_layer``.

    Raises:
        BadParameter: as ``fit_layer``.

    Chapter: depth_separation.
    """
    return fit_layer(problem, generator, clipped=False, **options)


@labelled("trained layer, clipped")
def fit_clipped_layer(problem: Problem, generator: torch.Generator, **options) -> Layers:
    """Train a layer whose output is clipped in the loss: ``fit_layer`` with the clip.

    Args:
        problem, generator, options: as in ``fit_layer``.

    Raises:
        BadParameter: as ``fit_layer``.

    Chapter: depth_separation.
    """
    return fit_layer(problem, generator, clipped=True, **options)
