"""The experiments on constant negative biases: one trained network, and kernel regression on each degree."""

import numpy as np
import torch

from beyond_kernel.foundations.inputs.harmonics import sphere_energies
from beyond_kernel.foundations.inputs.laws import sphere
from beyond_kernel.foundations.learning.measures import risk
from beyond_kernel.foundations.learning.ridge import fit_kernel_ridge
from beyond_kernel.foundations.learning.samples import draw_problem
from beyond_kernel.foundations.targets.target import Target, parse_target
from beyond_kernel.kernel_regime.degree_by_degree import degrees_of
from beyond_kernel.kernel_regime.lazy_training import stable_step
from beyond_kernel.kernel_regime.learning_curve import predict_best, samples_for_risk, sphere_variance
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

TEST_POINTS = 2000
"""Points on the sphere on which the risk of a part is measured; they scatter by a few per cent of it."""


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
    target: str,
    d: int,
    n: int,
    noise: float,
    offset: float,
    *,
    degree: int | None = None,
    device: str = "cpu",
    seed: int,
) -> dict[str, np.ndarray]:
    """Fit kernel ridge regression with K_B to the part of each degree of a target, each as a task of its own.

    Args:
        target: text of the target; each of its parts is scaled to E f^2 = 1 under Gaussian inputs.
        d: input dimension.
        n: training points on the sphere, all the labels that are seen.
        noise: standard deviation of the label noise.
        offset: B.
        degree: of the only part that is fitted; all of ``degrees_of`` where it is left out.
        device: where everything lies.
        seed: of everything drawn.

    Returns:
        ``risks``: E (f - f*)^2 / Var f* on the sphere for each degree of ``degrees_of``.

    Raises:
        BadParameter: if a parameter is out of range, or a part is constant on the sphere.

    Chapter: sparse_bias.
    """
    parts = _parts(target, d, seed, degree)
    problems = [draw_problem(part, n, noise, seed, "sphere", TEST_POINTS, device=device) for part in parts]
    # the streams of inputs do not depend on the target: one kernel serves all parts
    X, fresh = problems[0].train.X, problems[0].test.X
    gram, across = sparse_bias_kernel(X, offset=offset), sparse_bias_kernel(fresh, X, offset)
    risks = []
    for part, problem in zip(parts, problems, strict=True):
        prediction = across @ fit_kernel_ridge(gram, problem.train.y).coefficients
        risks.append(risk(prediction, problem.test.truth, sphere_variance(part)).value)
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
        ``risks``: predicted risk of each degree of ``degrees_of``.

    Raises:
        BadParameter: if a parameter is out of range, or a part is constant on the sphere.

    Source: ``learning_curve.predict_best``. Chapter: sparse_bias.
    """
    spectrum, parts = bias_spectrum(d, offset), _parts(target, d, 0)
    found = [predict_best(spectrum, sphere_energies(part), n, noise).risk / sphere_variance(part) for part in parts]
    return {"risks": np.array(found)}


def samples_for_part(target: str, degree: int, d: int, noise: float, offset: float, level: float) -> float:
    """Predict how many samples kernel ridge regression with K_B needs for the part of one degree of a target.

    Args:
        target, d, noise, offset: as in ``degree_risk_cell``.
        degree: of the part.
        level: risk to be reached.

    Returns:
        The number of samples; infinite where the kernel does not hold the degree.

    Raises:
        BadParameter: if a parameter is out of range, or the part is constant on the sphere.

    Source: ``learning_curve.samples_for_risk``. Chapter: sparse_bias.
    """
    part = parse_target(target, d, 0).part(degree).normalised()
    spectrum = bias_spectrum(d, offset)
    return samples_for_risk(spectrum, sphere_energies(part), level * sphere_variance(part), noise)


def _parts(target: str, d: int, seed: int, degree: int | None = None) -> list[Target]:
    truth = parse_target(target, d, seed)
    return [truth.part(k).normalised() for k in (degrees_of(truth) if degree is None else [degree])]
