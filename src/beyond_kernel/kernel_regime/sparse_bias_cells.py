"""The experiments on constant negative biases: one trained network, and kernel regression on each degree."""

import functools
from dataclasses import replace

import numpy as np
import torch

from beyond_kernel.foundations.inputs.harmonics import sphere_energies
from beyond_kernel.foundations.inputs.laws import sphere
from beyond_kernel.foundations.learning.kernel_ridge import kernel_ridge
from beyond_kernel.foundations.learning.measures import excess_risk
from beyond_kernel.foundations.learning.samples import Problem, draw_problem
from beyond_kernel.foundations.targets.target import Target, parse_target
from beyond_kernel.kernel_regime.degree_by_degree import degrees_of
from beyond_kernel.kernel_regime.lazy_training import stable_step
from beyond_kernel.kernel_regime.learning_curve import predict_best
from beyond_kernel.kernel_regime.sparse_bias import (
    blind_fraction,
    empirical_kernel,
    kernel_losses,
    sparse_bias_init,
    sparse_bias_kernel,
    sparse_bias_profile,
    train_first_layer,
)
from beyond_kernel.kernel_regime.spectrum import SphereSpectrum, sphere_spectrum
from beyond_kernel.random_streams import generator_for


def deviation(sampled: torch.Tensor, gram: torch.Tensor, factors: torch.Tensor, neurons: int) -> float:
    """Return the distance of a sampled kernel from its limit in units of the distance that chance makes.

    An entry factor * P is sampled as factor times the share of ``neurons`` independent neurons that are active at both
    inputs, whose variance is P (1 - P) / neurons. Returned is the root of sum (sampled - K)^2 / sum of the variances.

    Args:
        sampled: kernel of a finite network, of shape (n, n).
        gram: its limit K, of shape (n, n).
        factors: <x, x'> / d + 1, of shape (n, n).
        neurons: number of independent neurons.

    Source: derived here. Chapter: sparse_bias.
    """
    both = gram / factors
    chance = factors.square() * both * (1 - both) / neurons
    return float(((sampled - gram).square().sum() / chance.sum()).sqrt())


def training_cell(
    target: str, d: int, n: int, width: int, steps: int, offset: float, *, device: str = "cpu", seed: int
) -> dict[str, np.ndarray | float]:
    """Train the first layer of one network in float32 and return what happens to its loss and its activity.

    Args:
        target: text of the target; it is scaled to E f^2 = 1 under Gaussian inputs.
        d: input dimension.
        n: training points on the sphere, without label noise.
        width: m, even.
        steps: gradient steps.
        offset: B.
        device: where everything lies.
        seed: of everything drawn.

    Returns:
        ``losses`` and ``active`` before each step and after the last; ``predicted``: losses of the kernel;
        ``smallest`` and ``largest``: eigenvalues of the kernel; ``deviation`` of the network's kernel at the start;
        ``blind``: share of 500 fresh inputs that no neuron of the drawn network sees.

    Raises:
        BadParameter: if a parameter is out of range.

    Chapter: sparse_bias.
    """
    truth = parse_target(target, d, seed).normalised()
    X = sphere(n, d, generator_for(seed, "points", n, d)).to(device)
    y = truth(X)
    gram = sparse_bias_kernel(X, offset=offset)
    step = stable_step(gram)
    network = sparse_bias_init(width, d, offset, generator_for(seed, "network", width, d), torch.float32, device)
    training = train_first_layer(network, X.float(), y.float(), step, steps)
    values = torch.linalg.eigvalsh(gram)
    sampled = empirical_kernel(network, X.float()).double()
    fresh = sphere(500, d, generator_for(seed, "fresh", d), torch.float32).to(device)
    return {
        "losses": training.losses.cpu().numpy(),
        "active": training.active.cpu().numpy(),
        "predicted": kernel_losses(gram, y, step, steps).cpu().numpy(),
        "smallest": float(values[0]),
        "largest": float(values[-1]),
        "deviation": deviation(sampled, gram, X @ X.T / d + 1, width // 2),
        "blind": blind_fraction(network, fresh),
    }


def degree_risk_cell(
    target: str, d: int, n: int, noise: float, offset: float, *, device: str = "cpu", seed: int
) -> dict[str, np.ndarray]:
    """Fit kernel ridge regression with K_B to the part of each degree of a target, each as a task of its own.

    Args:
        target: text of the target; each of its parts is scaled to E f^2 = 1 under Gaussian inputs.
        d: input dimension.
        n: training points on the sphere.
        noise: standard deviation of the label noise.
        offset: B.
        device: where everything lies.
        seed: of everything drawn.

    Returns:
        ``risks``: excess risk of each degree of ``degrees_of``, in units of the part's mean square.

    Raises:
        BadParameter: if a parameter is out of range.

    Chapter: sparse_bias.
    """
    parts = _parts(target, d, seed)
    problems = [draw_problem(part, n, noise, seed, "sphere", 500, 1000, device=device) for part in parts]
    # the streams of inputs do not depend on the target: the same tensors for all parts, so that one kernel serves all
    problems = [_on_inputs_of(problems[0], problem) for problem in problems]
    kernel = functools.lru_cache(maxsize=3)(functools.partial(sparse_bias_kernel, offset=offset))
    risks = []
    for problem in problems:
        prediction = kernel_ridge(problem, kernel)(problem.test.X)
        risk = excess_risk(prediction, problem.test.truth).value
        risks.append(risk / float(problem.test.truth.square().mean()))
    return {"risks": np.array(risks)}


def bias_spectrum(d: int, offset: float) -> SphereSpectrum:
    """Return the eigenvalues of K_B on the sphere.

    Args:
        d: input dimension, at least 3.
        offset: B.

    Raises:
        BadParameter: if a parameter is out of range.

    Source: Funk-Hecke formula, ``sphere_spectrum``. Chapter: sparse_bias.
    """
    return sphere_spectrum(lambda cosines: sparse_bias_profile(cosines, offset), d)


def predicted_risks(target: str, d: int, n: int, noise: float, offset: float) -> dict[str, np.ndarray]:
    """Predict what ``degree_risk_cell`` measures, from the eigenvalues of K_B alone.

    Args:
        target, d, n, noise, offset: as in ``degree_risk_cell``.

    Returns:
        ``risks``: predicted excess risk of each degree, in units of the part's mean square.

    Raises:
        BadParameter: if a parameter is out of range.

    Source: ``learning_curve.predict_best``. Chapter: sparse_bias.
    """
    spectrum = bias_spectrum(d, offset)
    risks = []
    for part in _parts(target, d, 0):
        energies = sphere_energies(part)
        risks.append(predict_best(spectrum, energies, n, noise).risk / float(energies.sum()))
    return {"risks": np.array(risks)}


def _parts(target: str, d: int, seed: int) -> list[Target]:
    truth = parse_target(target, d, seed)
    return [truth.part(k).normalised() for k in degrees_of(truth)]


def _on_inputs_of(shared: Problem, problem: Problem) -> Problem:
    """Return a problem with the inputs of another one, which are equal, as the very same tensors."""
    return replace(
        problem,
        train=replace(problem.train, X=shared.train.X),
        validation=replace(problem.validation, X=shared.validation.X),
        test=replace(problem.test, X=shared.test.X),
    )
