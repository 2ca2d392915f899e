"""Online SGD of a two-layer ReLU network in all its weights, in the mean-field scaling."""

import itertools
import math
from collections.abc import Callable, Iterator

import numpy as np
import torch

from beyond_kernel.checks import BadParameter, one_of, real_number, whole_number
from beyond_kernel.foundations.inputs.laws import INPUT_LAWS, sample_inputs
from beyond_kernel.foundations.learning.networks import TwoLayerNetwork, even_width
from beyond_kernel.foundations.learning.tasks import Task

BIAS_RANGE = 0.5
"""Biases start uniform between minus and plus this."""
BLOCK_STEPS = 64
"""Steps whose samples are drawn at once."""

Observer = Callable[[int, TwoLayerNetwork], bool]
Block = tuple[np.ndarray, np.ndarray]


def mean_field_start(
    width: int,
    d: int,
    generator: torch.Generator,
    dtype: torch.dtype = torch.float64,
    device: torch.device | str | None = None,
) -> TwoLayerNetwork:
    """Draw a network of output zero, f(x) = (1/m) sum_j h_j relu(<w_j, x> + b_j), with a_j = h_j / m.

    Neurons come in pairs with h_j = +1 and -1; the two share w ~ N(0, I_d / d) and b uniform on [-1/2, 1/2].

    Args:
        width: m, even.
        d: input dimension, at least 1.
        generator: source of the weights.
        dtype: of all three tensors; both precisions see the same draws, rounded.
        device: where the network is to lie; the generator's own where it is left out.

    Raises:
        BadParameter: if width is odd or below 2, or d is below 1.

    Source: the mean-field scaling of Abbe, Boix-Adsera and Misiakiewicz 2022; pairs as in ``symmetric_init``.
    Chapter: staircases.

    >>> network = mean_field_start(4, 3, torch.Generator().manual_seed(0))
    >>> float(network(torch.ones(1, 3, dtype=torch.float64)))
    0.0
    """
    half, here = even_width("width", width) // 2, generator.device
    shape = (half, whole_number("d", d))
    W = torch.randn(shape, generator=generator, dtype=torch.float64, device=here) / d**0.5
    b = BIAS_RANGE * (2 * torch.rand(half, generator=generator, dtype=torch.float64, device=here) - 1)
    signs = torch.ones(half, dtype=torch.float64, device=here)
    drawn = TwoLayerNetwork(torch.cat([W, W]), torch.cat([signs, -signs]) / width, torch.cat([b, b]))
    return drawn.to(torch.zeros(1, dtype=dtype, device=device or here))


def network_sgd(
    network: TwoLayerNetwork,
    task: Task,
    rate: float,
    batch: int,
    steps: int,
    generator: torch.Generator,
    *,
    law: str = "hypercube",
    every: int = 10,
    share: float = 0.0,
    observe: Observer | None = None,
) -> TwoLayerNetwork:
    """Train all weights of a network by online SGD on half the square loss: no sample is seen twice.

    With residuals r = y - f(x) on a fresh batch of size B, and heads h_j = m a_j, each step adds to the weights

        h_j += (rate / B) sum r relu(<w_j, x> + b_j),    (w_j, b_j) += (rate / B) sum r h_j gate_j (x, 1),

    all from the values before the step; gate_j is 1 where the neuron is active. In the weights of ``network`` this is
    ``descend`` with the rates m rate / 2 for W and b and rate / (2 m) for a. The loop runs in numpy on the CPU, where
    matrices of this size are fastest, in the dtype of the network; the result lies where the network lay. Gaussian
    samples are drawn in single precision, five times faster than in double, and both precisions see the same ones.

    Args:
        network: the start, which is left as it is.
        task: f*, whose labels are without noise.
        rate: step size, above 0.
        batch, steps: B, samples a step; number of steps at most.
        generator: source of the samples, on the CPU.
        law: of the inputs, a key of ``INPUT_LAWS``.
        every: steps between two calls of ``observe``.
        share: calls come no closer than this share of the steps taken, at the next multiple of ``every``.
        observe: called with the number of steps taken and the network; training ends once it returns True.

    Raises:
        BadParameter: if a number is out of range, the law is not known, or a weight is no longer finite.

    Source: as in Figure 1 of Abbe, Boix-Adsera and Misiakiewicz 2023, but with batches and a ReLU. Chapter: staircases.
    """
    real_number("rate", rate, above=0)
    real_number("share", share, least=0)
    one_of("law", law, list(INPUT_LAWS))
    for name, value in (("batch", batch), ("steps", steps), ("every", every)):
        whole_number(name, value)
    W, a, b = (tensor.detach().cpu().numpy().copy() for tensor in (network.W, network.a, network.b))
    weights = W, a * len(a), b
    samples, due = _samples(task, batch, generator, law, network.W.dtype), every
    with np.errstate(over="ignore", invalid="ignore"):  # weights that have diverged are found below
        for taken, (X, y) in enumerate(itertools.islice(samples, steps), start=1):
            _step(*weights, X, y, rate)
            if taken < min(due, steps):
                continue
            if not all(np.isfinite(array).all() for array in weights):
                raise BadParameter(f"rate = {rate:g} makes training diverge within {taken} steps: take a smaller one.")
            if taken == due:
                due = every * math.ceil(max(taken + every, (1 + share) * taken) / every)
                if observe is not None and observe(taken, _packed(weights, network.W)):
                    break
    return _packed(weights, network.W)


def _step(W: np.ndarray, heads: np.ndarray, b: np.ndarray, X: np.ndarray, y: np.ndarray, rate: float) -> None:
    """Take one step in place."""
    inner = X @ W.T + b
    features = np.maximum(inner, 0)
    pull = (y - features @ heads / len(heads)) * (rate / len(y))
    gates = (inner > 0) * (pull[:, None] * heads)
    heads += pull @ features
    W += gates.T @ X
    b += gates.sum(0)


def _samples(task: Task, batch: int, generator: torch.Generator, law: str, dtype: torch.dtype) -> Iterator[Block]:
    """Return fresh batches without end, drawn a block of them at a time."""
    while True:
        X = _inputs(law, BLOCK_STEPS * batch, task.dim, generator, dtype)
        y = task(X).numpy()
        X = X.numpy()
        for start in range(0, len(X), batch):
            yield X[start : start + batch], y[start : start + batch]


def _inputs(law: str, n: int, d: int, generator: torch.Generator, dtype: torch.dtype) -> torch.Tensor:
    if law == "gaussian":
        return torch.randn(n, d, generator=generator, dtype=torch.float32, device=generator.device).to(dtype)
    return sample_inputs(law, n, d, generator, dtype)


def _packed(weights: tuple[np.ndarray, np.ndarray, np.ndarray], like: torch.Tensor) -> TwoLayerNetwork:
    """Return copies of the weights as a network in the dtype and on the device of a tensor."""
    W, heads, b = weights
    return TwoLayerNetwork(*(torch.from_numpy(array.copy()).to(like) for array in (W, heads / len(heads), b)))
