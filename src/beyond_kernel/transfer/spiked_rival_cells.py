"""What other methods make of labelled inputs with a spike, each a pure function of one cell's parameters."""

import math

import torch

from beyond_kernel.checks import real_number, whole_number
from beyond_kernel.feature_learning.label_spectrum import label_weights, spectral_direction
from beyond_kernel.foundations.inputs.spiked_inputs import first_component, spiked_law, whitening
from beyond_kernel.foundations.learning.learners import Learner, label_of, risk_of
from beyond_kernel.foundations.learning.samples import draw_problem
from beyond_kernel.random_streams import generator_for
from beyond_kernel.transfer.spiked_chain import spiked_hits
from beyond_kernel.transfer.spiked_neuron import SpikedNeuron, spiked_neuron, spiked_task
from beyond_kernel.transfer.spiked_wait_cells import LEVEL


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
        ``whitened`` of the same with inputs that are first whitened by their own second moment (NaN up to 2 d inputs),
        ``component`` of their first principal component, to which labels say nothing, and ``mean`` of the mean of y x.

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
    found["mean"] = torch.nn.functional.normalize(sample.y @ X, dim=0)
    if n > 2 * d:
        root = whitening(X)
        found["whitened"] = torch.nn.functional.normalize(root @ spectral_direction(X @ root, weights), dim=0)
    return {"whitened": float("nan")} | {name: float((v @ u).abs()) for name, v in found.items()}


def mean_start_cell(
    link: str,
    d: int,
    ratio: float,
    labels: float,
    step: float,
    strength: float,
    cosine: float,
    replicas: int,
    *,
    noise: float = 0.0,
    device: str = "cpu",
    seed: int,
) -> dict[str, float]:
    """Start the neuron at the mean of y x over its first ratio * d labelled inputs, and let it go on with others.

    Args:
        link: text of the link.
        d: dimension.
        ratio: labelled inputs of the mean, in units of d.
        labels: the most labels in all, in units of d.
        step: step size in units of 1 / d.
        strength: theta, of the spike.
        cosine: of the angle between spike and direction.
        replicas: neurons, each with inputs of its own.
        noise: standard deviation of the label noise.
        device: where starts lie, the chain runs on the processor.
        seed: of everything drawn.

    Returns:
        ``overlap``, the median one with u at the start; ``needed``, labels in units of d after which half of the
        neurons have been at 0.9, those of the mean included, NaN where that takes more than there are; ``found``, the
        share that has.

    Raises:
        BadParameter: if a parameter is out of range.

    Source: derived here. Chapter: unlabelled_pretraining.
    """
    task, generator = spiked_neuron(link, d, strength, cosine, noise), generator_for(seed, "mean start", link, d)
    n, each = max(2, round(real_number("ratio", ratio, above=0) * d)), whole_number("replicas", replicas)
    budget = round((real_number("labels", labels, above=ratio) - ratio) * d)
    starts = torch.stack([_mean_start(task, n, generator) for _ in range(each)]).to(device)
    rates = torch.full((each,), real_number("step", step, above=0) / d, dtype=torch.float64, device=device)
    needed = spiked_hits(task, starts, rates, max(1, budget), generator, level=LEVEL) / d + ratio
    middle = float(needed.quantile(0.5, interpolation="higher"))
    overlap = starts.cpu() @ torch.tensor(task.direction, dtype=torch.float64, device="cpu")
    return {
        "overlap": float(overlap.median()),
        "needed": middle if math.isfinite(middle) else math.nan,
        "found": float(needed.isfinite().double().mean()),
    }


def _mean_start(task: SpikedNeuron, n: int, generator: torch.Generator) -> torch.Tensor:
    """Return the state (a, b) of the normalised mean of y x over n explicit inputs, mu and e the first two axes."""
    spike, beside = torch.eye(task.dim, dtype=torch.float64, device="cpu")[:2]
    X = spiked_law(spike, task.strength)(n, task.dim, generator, torch.float64)
    y = task.link(X @ (task.direction[0] * spike + task.direction[1] * beside))
    y = y + task.noise * torch.randn(n, generator=generator, dtype=torch.float64, device="cpu")
    return torch.nn.functional.normalize(y @ X, dim=0)[:2]


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
