"""A neuron on inputs with a spike under spherical online SGD, as a Markov chain of two numbers.

Inputs are x ~ N(0, I_d + theta mu mu^T), labels y = f(<u, x>) + noise with <u, mu> = cosine. Let e be the unit vector
of span(u, mu) that is orthogonal to mu. A neuron w of norm one is known by a = <w, mu> and b = <w, e>: with
r = sqrt(1 - a^2 - b^2), independent standard normal g1, g2, g3 and Q ~ chi^2_{d-3}, the sample of a step is

    <x, mu> = sqrt(1 + theta) g1,  <x, e> = g2,  <w, x> = z = a <x, mu> + b <x, e> + r g3,
    |x|^2 = <x, mu>^2 + g2^2 + g3^2 + Q,

and the spherical step w <- (w + c (x - z w)) / |w + c (x - z w)| moves a and b by

    (a, b) <- ((a, b) + c ((<x, mu>, <x, e>) - z (a, b))) / sqrt(1 + c^2 (|x|^2 - z^2)).

So (a, b) is a Markov chain, equal in law to the simulation in d dimensions, and a step costs the same whatever d is.

The inner loop runs on arrays of one entry a replica, where numpy is faster than torch: chance is drawn by the generator
in blocks, the loop runs on the processor, and results are tensors on the device of the starts. Normal variables are
drawn in single precision, as in ``overlap_chain``; all that follows is in double.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from beyond_kernel.checks import BadParameter, list_of, matrix, real_number, vector, whole_number
from beyond_kernel.feature_learning.scaled_link import ScaledLink
from beyond_kernel.transfer.spiked_neuron import SpikedNeuron

_BLOCK = 1024  # steps whose random numbers are drawn at once
_MOST_DRAWS = 2**18  # and at most this many of each kind: what stays in cache


@dataclass(frozen=True)
class SpikedRun:
    """What some neurons went through.

    Attributes:
        states: the states (a, b) at the recorded steps, of shape (T, R, 2).
        overlaps: the overlaps with u at the same steps, of shape (T, R).
        reached: first step after which the overlap is at least the level, inf where it never is, of shape (R,); for an
            even link the size of the overlap counts.
    """

    states: torch.Tensor
    overlaps: torch.Tensor
    reached: torch.Tensor


def spiked_sgd(
    task: SpikedNeuron,
    starts: torch.Tensor,
    rates: torch.Tensor,
    at: Sequence[int],
    generator: torch.Generator,
    *,
    level: float = 0.9,
) -> SpikedRun:
    """Run spherical online SGD on the loss (f(<w, x>) - y)^2 / 2, a fresh sample a step, and keep some of the states.

    Args:
        task: inputs, link and noise.
        starts: states (a, b) of the replicas, of shape (R, 2).
        rates: step size of each, of shape (R,), above 0.
        at: numbers of steps after which states are kept, ascending; 0 is the start.
        generator: source of the samples, on the processor.
        level: of ``reached``, above 0 and below 1.

    Returns:
        Float64 tensors on the device of ``starts``.

    Raises:
        BadParameter: if an argument is out of range, or a state becomes NaN.
        TypeError: if starts or rates are no floating-point tensors.

    Source: the chain is derived here; Jones-McCormick, Jagannath and Sen (2025) start online SGD from a component.
    Chapter: unlabelled_pretraining.
    """
    state, eta = _state(starts), _rates(rates, len(starts))
    real_number("level", level, above=0, most=0.999999)
    wanted = np.asarray(list_of("at", list(at), lambda name, value: whole_number(name, value, least=0)))
    if (np.diff(wanted) <= 0).any():
        raise BadParameter(f"at = {wanted[:5].tolist()}... is not accepted: it must be ascending.")
    kept = np.empty((len(wanted), *state.shape))
    kept[wanted == 0] = state
    reached = np.where(_height(task, state) >= level, 0.0, np.inf)
    rows, steps = _rows(len(eta)), int(wanted[-1])
    for first in range(0, steps, rows):
        path = _run_block(task, state, eta, min(rows, steps - first), generator)
        state, hit = path[-1], _height(task, path) >= level
        inside = (wanted > first) & (wanted <= first + len(path))
        kept[inside] = path[wanted[inside] - first - 1]
        reached = np.where(np.isinf(reached) & hit.any(0), first + hit.argmax(0) + 1.0, reached)
    found = (np.moveaxis(kept, 1, 2), np.tensordot(task.direction, kept, (0, 1)), reached)
    return SpikedRun(*(torch.as_tensor(array, device="cpu").to(starts.device) for array in found))


def spiked_hits(
    task: SpikedNeuron,
    starts: torch.Tensor,
    rates: torch.Tensor,
    budget: int,
    generator: torch.Generator,
    *,
    level: float = 0.9,
) -> torch.Tensor:
    """Return after how many steps of ``spiked_sgd`` the overlap is at least a level for the first time.

    Replicas leave once they are there.

    Args:
        task: inputs, link and noise.
        starts: states (a, b) of the replicas, of shape (R, 2).
        rates: step size of each, of shape (R,), above 0.
        budget: the most steps.
        generator: source of the samples, on the processor.
        level: above 0 and below 1; for an even link the size of the overlap counts.

    Returns:
        float64 tensor of shape (R,) on the device of ``starts``; inf where the budget ends before.

    Raises:
        BadParameter: if an argument is out of range, or a state becomes NaN.
        TypeError: if starts or rates are no floating-point tensors.

    Source: derived here. Chapter: unlabelled_pretraining.
    """
    state, eta = _state(starts), _rates(rates, len(starts))
    steps = whole_number("budget", budget)
    real_number("level", level, above=0, most=0.999999)
    reached = np.where(_height(task, state) >= level, 0.0, np.inf)
    alive, first = np.flatnonzero(np.isinf(reached)), 0
    while len(alive) and first < steps:
        path = _run_block(task, state[:, alive], eta[alive], min(_rows(len(alive)), steps - first), generator)
        hit = _height(task, path) >= level
        reached[alive] = np.where(hit.any(0), first + hit.argmax(0) + 1.0, np.inf)
        state[:, alive], first = path[-1], first + len(path)
        alive = alive[~hit.any(0)]
    return torch.as_tensor(reached, device="cpu").to(starts.device)


def spiked_samples(
    task: SpikedNeuron, steps: int, replicas: int, generator: torch.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw what a sample shows to a neuron: <x, mu>, <x, e> and g3, stacked; |x|^2; and the label, a step a row.

    Args:
        task: inputs, link and noise.
        steps: number of samples for each replica.
        replicas: R.
        generator: source of the samples, on the processor.

    Returns:
        Arrays of shape (3, steps, R), (steps, R) and (steps, R).

    Chapter: unlabelled_pretraining.
    """
    x = _normal((3, steps, replicas), generator)
    x[0] *= math.sqrt(1 + task.strength)
    halves = torch.full((steps, replicas), (task.dim - 3) / 2, dtype=torch.float64, device="cpu")
    squares = (x**2).sum(0) + 2 * torch._standard_gamma(halves, generator=generator).numpy()
    y = task.link.values(task.direction[0] * x[0] + task.direction[1] * x[1])
    return x, squares, y + task.noise * _normal(y.shape, generator) if task.noise else y


def pre_activations(x: np.ndarray, state: np.ndarray) -> np.ndarray:
    """Return <w, x> = a <x, mu> + b <x, e> + r g3 for one or many samples of each replica.

    Args:
        x: as ``spiked_samples`` stacks them, of shape (3, R) or (3, steps, R).
        state: a and b, of shape (2, R).

    Chapter: unlabelled_pretraining.
    """
    rest = np.sqrt(np.maximum(1 - state[0] * state[0] - state[1] * state[1], 0.0))  # rounding may leave it below 0
    return state[0] * x[0] + state[1] * x[1] + rest * x[2]


def chain_path(
    link: ScaledLink, state: np.ndarray, rates: np.ndarray, x: np.ndarray, squares: np.ndarray, y: np.ndarray
) -> np.ndarray:
    """Return the states after each step, of shape (steps, 2, R), from that before the first and the samples.

    Source: derived here. Chapter: unlabelled_pretraining.
    """
    path = np.empty((len(y), *state.shape))
    for row in range(len(y)):
        z = pre_activations(x[:, row], state)
        pull = rates * (y[row] - link.values(z)) * link.slopes(z)
        moved = state + pull * (x[:2, row] - z * state)
        state = np.divide(moved, np.sqrt(1 + pull * pull * np.maximum(squares[row] - z * z, 0.0)), out=path[row])
    return path


def _run_block(
    task: SpikedNeuron, state: np.ndarray, rates: np.ndarray, steps: int, generator: torch.Generator
) -> np.ndarray:
    with np.errstate(over="ignore", invalid="ignore"):  # a step that is far too large is refused below
        path = chain_path(task.link, state, rates, *spiked_samples(task, steps, len(rates), generator))
    if not np.isfinite(path[-1]).all():
        raise BadParameter(f"a state is not finite any more: the step size {rates.max():g} is too large.")
    return path


def _height(task: SpikedNeuron, path: np.ndarray) -> np.ndarray:
    """Return the overlaps of states of shape (2, R) or (steps, 2, R); for an even link their size."""
    overlaps = task.direction[0] * path[..., 0, :] + task.direction[1] * path[..., 1, :]
    return np.abs(overlaps) if task.is_even else overlaps


def _state(starts: torch.Tensor) -> np.ndarray:
    """Return starts as an array (2, R), one replica a column."""
    state = matrix("starts", starts, 2).detach().cpu().double().numpy().T.copy()
    if (longest := float((state**2).sum(0).max())) > 1 + 1e-6:
        raise BadParameter(f"starts holds a state with a^2 + b^2 = {longest:.4g}: it must be at most 1.")
    return state


def _rates(rates: torch.Tensor, replicas: int) -> np.ndarray:
    if (least := float(vector("rates", rates, replicas).min())) <= 0:
        raise BadParameter(f"rates holds {least:g}: a step size must be above 0.")
    return rates.detach().cpu().double().numpy()


def _normal(shape: tuple[int, ...], generator: torch.Generator) -> np.ndarray:
    return torch.randn(shape, generator=generator, dtype=torch.float32, device="cpu").double().numpy()


def _rows(replicas: int) -> int:
    return max(1, min(_BLOCK, _MOST_DRAWS // replicas))
