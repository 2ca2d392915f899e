"""One giant step on more source samples than memory holds: they are drawn in blocks, and again where they are many."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace

import torch

from beyond_kernel.checks import whole_number
from beyond_kernel.feature_learning.one_step import STEP_SCALE, LinearPart
from beyond_kernel.foundations.learning.networks import TwoLayerNetwork, symmetric_init, with_new_biases
from beyond_kernel.foundations.learning.samples import Sample, draw_sample
from beyond_kernel.foundations.targets.target import Target
from beyond_kernel.random_streams import generator_for

SOURCE_BLOCK = 16_384
"""Source samples that are drawn and used at once."""
MOST_KEPT = 2**25
"""Numbers up to which all inputs are kept for the second reading, 128 MiB in single precision; above, they are drawn
again, which costs a quarter more time."""


def source_blocks(
    source: Target,
    n: int,
    noise: float,
    seed: int,
    block: int = SOURCE_BLOCK,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
) -> Iterator[Sample]:
    """Yield n labelled samples of the source in blocks, the same ones at every call.

    Args:
        source: the source task.
        n: number of samples.
        noise: standard deviation of the label noise.
        seed: of the samples.
        block: samples drawn at once; another size is another draw.
        dtype: of inputs and labels.
        device: where they lie.

    Raises:
        BadParameter: if n or block is below 1; as ``draw_sample``.

    Chapter: frozen_representation.
    """
    whole_number("n", n)
    whole_number("block", block)
    for index, start in enumerate(range(0, n, block)):
        stream = generator_for(seed, "source block", source.dim, index)
        yield draw_sample(source, min(block, n - start), noise, stream, dtype=dtype, device=device)


def pretrain_streamed(
    source: Target,
    n: int,
    width: int,
    noise: float,
    seed: int,
    block: int = SOURCE_BLOCK,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
) -> TwoLayerNetwork:
    """Return the first layer and biases of Algorithm 1 after its step on n source samples, as ``pretrain`` does.

    The blocks are read twice: for the mean of y and of y x, and for the gradient of the labels without them.

    Args:
        source: the source task.
        n: its samples; each of their labels is paid for once.
        width: number of neurons, even.
        noise: standard deviation of the label noise.
        seed: of samples and weights.
        block: samples drawn at once.
        dtype: of the network; single precision is enough, and twice as fast.
        device: where the network lies.

    Raises:
        BadParameter: as ``source_blocks`` and ``symmetric_init``.

    Source: Damian, Lee, Soltanolkotabi 2022, Algorithm 1, lines 1 to 6. Chapter: frozen_representation.
    """
    weights = generator_for(seed, "source weights", source.dim)
    start = symmetric_init(width, source.dim, weights, dtype, device)
    drawn = (source, n, noise, seed, block, dtype, device)
    kept = list(source_blocks(*drawn)) if n * source.dim <= MOST_KEPT else None
    linear = _linear_part(kept or source_blocks(*drawn), n)
    half = start.W[: width // 2]
    total = torch.zeros_like(half)
    gates = half.new_empty(min(block, n), len(half))
    for part in kept or source_blocks(*drawn):
        active = torch.ge(part.X @ half.T, 0, out=gates[: len(part)])  # without truth values in between, a tenth faster
        total += active.T @ ((part.y - linear(part.X)) / n)[:, None].mul(part.X)
    step = 2 * STEP_SCALE * math.sqrt(source.dim)
    return with_new_biases(replace(start, W=step * start.a[:, None] * torch.cat([total, total])), weights)


def _linear_part(blocks: Iterable[Sample], n: int) -> LinearPart:
    """Return the moments of all blocks together: the mean of y, and that of y x."""
    alpha, beta = 0.0, 0.0
    for part in blocks:
        alpha, beta = alpha + float(part.y.sum()) / n, beta + part.X.T @ part.y / n
    return LinearPart(alpha, beta)
