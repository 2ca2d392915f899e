"""Where the mean step of online SGD leads on inputs with a spike: a flow of the two numbers of ``spiked_chain``.

With step size s / d and time t = s * labels / d the states (a, b) follow, for large d,

    d(a, b)/dt = E[c (<x, mu> - z a, <x, e> - z b)] - (s / 2) E[c^2] (a, b),   c = (y - f(z)) f'(z),

whose first term is the gradient of the mean loss along the sphere and whose second is what the noise of a step costs.
As s goes to 0 the second goes away: that is the gradient flow.
"""

import itertools
import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from scipy.integrate import solve_ivp
from scipy.special import roots_hermitenorm

from beyond_kernel.checks import BadParameter, list_of, matrix, real_number
from beyond_kernel.transfer.spiked_chain import pre_activations
from beyond_kernel.transfer.spiked_neuron import SpikedNeuron, state_overlaps

_POINTS = 801  # times at which a path is looked at
_NODES = 24  # exact for polynomials up to degree 47 in each of three variables


def mean_change(task: SpikedNeuron, states: torch.Tensor, *, step: float = 0.0) -> torch.Tensor:
    """Return d(a, b)/dt at some states, by quadrature over three normal variables.

    Args:
        task: inputs, link and noise.
        states: (a, b), of shape (R, 2), with a^2 + b^2 at most 1.
        step: step size s in units of 1 / d; 0 for the gradient flow.

    Returns:
        float64 tensor of shape (R, 2) on the device of ``states``.

    Raises:
        BadParameter: if an argument is out of range.
        TypeError: if ``states`` is no floating-point tensor.

    Source: derived here. Chapter: unlabelled_pretraining.
    """
    real_number("step", step, least=0)
    rows = matrix("states", states, 2).detach().cpu().double().numpy()
    nodes = _nodes(task)
    found = np.array([_change(task, nodes, row, step) for row in rows])
    return torch.as_tensor(found, device="cpu").to(states.device)


def flow_paths(task: SpikedNeuron, starts: torch.Tensor, times: Sequence[float], *, step: float = 0.0) -> torch.Tensor:
    """Return the states that the flow passes at some times.

    Args:
        task: inputs, link and noise.
        starts: states at time 0, of shape (R, 2).
        times: ascending, from 0 on, at least two.
        step: step size s in units of 1 / d; 0 for the gradient flow.

    Returns:
        float64 tensor of shape (T, R, 2) on the device of ``starts``.

    Raises:
        BadParameter: if an argument is out of range.
        TypeError: if ``starts`` is no floating-point tensor.

    Source: derived here. Chapter: unlabelled_pretraining.
    """
    real_number("step", step, least=0)
    clock = list_of("times", list(times), lambda name, value: real_number(name, value, least=0), 2)
    if (np.diff(clock) <= 0).any():
        raise BadParameter(f"times = {clock[:4]}... are not accepted: they must be ascending.")
    rows = matrix("starts", starts, 2).detach().cpu().double().numpy()
    nodes = _nodes(task)

    def change(_: float, state: np.ndarray) -> np.ndarray:
        return _change(task, nodes, state, step)

    paths = [solve_ivp(change, (0.0, clock[-1]), row, "LSODA", clock, rtol=1e-6, atol=1e-9).y.T for row in rows]
    return torch.as_tensor(np.stack(paths, 1), device="cpu").to(starts.device)


def flow_labels(
    task: SpikedNeuron, starts: torch.Tensor, step: float, *, level: float = 0.9, horizon: float = 8.0
) -> torch.Tensor:
    """Return the labels, in units of d, after which the flow of each start is at a level of overlap; inf where never.

    Args:
        task: inputs, link and noise.
        starts: states (a, b), of shape (R, 2).
        step: step size s in units of 1 / d, above 0.
        level: above 0 and below 1; for an even link the size of the overlap counts.
        horizon: the longest time t = s * labels / d.

    Returns:
        float64 tensor of shape (R,) on the device of ``starts``.

    Raises:
        BadParameter: if an argument is out of range.
        TypeError: if ``starts`` is no floating-point tensor.

    Source: derived here. Chapter: unlabelled_pretraining.
    """
    real_number("step", step, above=0), real_number("level", level, above=0, most=0.999999)
    clock = torch.linspace(0, real_number("horizon", horizon, above=0), _POINTS, dtype=torch.float64, device="cpu")
    paths = flow_paths(task, starts, clock.tolist(), step=step)
    heights = state_overlaps(task, paths.reshape(-1, 2)).reshape(len(clock), -1)
    hit = (heights.abs() if task.is_even else heights) >= level
    first = clock.to(hit.device)[hit.double().argmax(0)] / step
    return torch.where(hit.any(0), first, torch.full_like(first, math.inf))


def _nodes(task: SpikedNeuron) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what does not depend on the state: inputs (3, N), their labels without noise, and weights, (N,) each."""
    g, weights = _grid()
    x = np.stack([math.sqrt(1 + task.strength) * g[0], g[1], g[2]])
    return x, task.link.values(task.direction[0] * x[0] + task.direction[1] * x[1]), weights


def _change(
    task: SpikedNeuron, nodes: tuple[np.ndarray, np.ndarray, np.ndarray], state: np.ndarray, step: float
) -> np.ndarray:
    x, y, weights = nodes
    state = state / max(1.0, math.hypot(*state))  # a solver may try points outside the ball
    z = pre_activations(x, state)
    slopes = task.link.slopes(z)
    pulls = (y - task.link.values(z)) * slopes
    c = weights * pulls
    drift = x[:2] @ c - (c @ z) * state
    if step:
        drift = drift - step / 2 * (c @ pulls + task.noise**2 * (weights @ slopes**2)) * state
    return drift


@lru_cache(maxsize=1)
def _grid() -> tuple[np.ndarray, np.ndarray]:
    """Return nodes (3, N) and weights (N,) of a product rule for three standard normal variables."""
    z, weights = roots_hermitenorm(_NODES)
    g = np.stack([axis.ravel() for axis in np.meshgrid(z, z, z, indexing="ij")])
    products = np.array([math.prod(item) for item in itertools.product(weights / weights.sum(), repeat=3)])
    return g, products
