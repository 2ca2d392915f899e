"""What other methods make of labelled inputs with a spike, each a pure function of one cell's parameters."""

import torch

from beyond_kernel.checks import real_number, whole_number
from beyond_kernel.feature_learning.label_spectrum import label_weights, spectral_direction
from beyond_kernel.foundations.inputs.spiked_inputs import first_component, whitening
from beyond_kernel.foundations.learning.learners import Learner, label_of, risk_of
from beyond_kernel.foundations.learning.samples import draw_problem
from beyond_kernel.random_streams import generator_for
from beyond_kernel.transfer.spiked_neuron import spiked_neuron, spiked_task


def spectral_start_cell(
    link: str,
    d: int,
    ratio: float,
    strength: float,
    cosine: float,
    noise: float,
    *,
    device: str = "cpu",
    seed: int,
) -> dict[str, float]:
    """Look for u in one eigenvector of ratio * d labelled inputs, weighted by a function of their labels.

    Args:
        link: text of the link.
        d: dimension.
        ratio: labelled inputs in units of d.
        strength: theta, of the spike.
        cosine: of the angle between spike and direction.
        noise: standard deviation of the label noise.
        device: where everything lies.
        seed: of directions and data.

    Returns:
        Absolute cosines with u, ``labelled`` of the leading eigenvector of the mean of exp(-y^2) (x x' - I),
        ``whitened`` of the same with inputs that are first whitened by their own second moment (NaN below d inputs),
        and ``component`` of their first principal component, to which labels say nothing.

    Raises:
        BadParameter: if a parameter is out of range.

    Source: Damian, Pillaud-Vivien, Lee and Bruna (2024) for such spectra. Chapter: unlabelled_pretraining.
    """
    task = spiked_task(spiked_neuron(link, d, strength, cosine), seed)
    n = max(2, round(real_number("ratio", ratio, above=0) * d))
    sample = draw_problem(task, n, noise, seed, n_test=1, device=device).train
    X, u = sample.X, task.directions[:, 0].to(sample.X)
    weights = label_weights(link, sample.y, "bell")
    found = {"labelled": spectral_direction(X, weights), "component": first_component(X)}
    if n > 2 * d:
        root = whitening(X)
        found["whitened"] = torch.nn.functional.normalize(root @ spectral_direction(X @ root, weights), dim=0)
    return {"whitened": float("nan")} | {name: float((v @ u).abs()) for name, v in found.items()}


def spiked_learner_cell(
    learner: Learner,
    link: str,
    d: int,
    ratio: float,
    strength: float,
    cosine: float,
    noise: float,
    *,
    n_test: int = 5000,
    device: str = "cpu",
    seed: int,
) -> dict[str, float]:
    """Train a learner on ratio * d labelled inputs of the same task that the neuron is trained on.

    Args:
        learner: a function of a problem and a generator, options set.
        link: text of the link.
        d: dimension.
        ratio: labelled inputs in units of d.
        strength: theta, of the spike.
        cosine: of the angle between spike and direction.
        noise: standard deviation of the label noise.
        n_test: points on which the risk is measured.
        device: where everything lies.
        seed: of directions, data and whatever the learner draws.

    Returns:
        ``risk`` in units of the variance of the target on the test points, as in ``spiked_risk_cell``.

    Raises:
        BadParameter: if a parameter is out of range.

    Chapter: unlabelled_pretraining.
    """
    task = spiked_task(spiked_neuron(link, d, strength, cosine), seed)
    n = max(2, round(real_number("ratio", ratio, above=0) * whole_number("d", d, least=4)))
    problem = draw_problem(task, n, noise, seed, n_test=n_test, device=device)
    unit = problem.variance / float(problem.test.truth.var(correction=0))
    return {"risk": risk_of(learner, problem, generator_for(seed, label_of(learner))).value * unit}
