"""The experiments of structured_inputs, each a pure function of one cell's parameters."""

import torch

from beyond_kernel.checks import one_of, real_number, whole_number
from beyond_kernel.feature_learning.spiked_gradient import (
    gradient_parts,
    luck_overlap,
    predicted_gradient_overlap,
)
from beyond_kernel.feature_learning.spiked_index import SpikedIndex, spiked_index
from beyond_kernel.feature_learning.structured_inputs import (
    clipped,
    drawn_start,
    fit_halves,
    fit_normalised_step,
    gradient_directions,
)
from beyond_kernel.foundations.inputs.spiked_inputs import first_component, whitening
from beyond_kernel.foundations.learning.learners import Learner, label_of, risk_of
from beyond_kernel.foundations.learning.measures import risk, subspace_overlap
from beyond_kernel.foundations.learning.ridge import LEVELS
from beyond_kernel.foundations.learning.samples import Problem, Sample, draw_problem
from beyond_kernel.random_streams import generator_for


def spiked_risk_cell(
    learner: Learner,
    link: str,
    d: int,
    psi: float,
    beta: float,
    noise: float,
    *,
    cosine: float = 1.0,
    whiten: bool = False,
    n_test: int = 5000,
    precision: str = "float64",
    device: str = "cpu",
    seed: int,
) -> dict[str, float]:
    """Train one learner on n = psi d samples of a single index whose inputs have a spike d^beta.

    All learners see the same problem, and all spikes stretch the same Gaussian draws.

    Args:
        learner: a function of a problem and a generator, options set.
        link: text of the link.
        d: input dimension.
        psi: samples in units of d.
        beta: exponent of the spike.
        noise: standard deviation of the label noise.
        cosine: of the angle between spike and target.
        whiten: whether inputs are first multiplied by the inverse root of the training sample's second moment.
        n_test: points on which the risk is measured.
        precision: "float64" or "float32", in which the same draws are given to the learner; a kernel takes half of the
            time in float32, a learner that draws in the dtype of its inputs draws others.
        device: where everything lies.
        seed: of directions, data and whatever the learner draws.

    Returns:
        ``risk`` in units of the variance of the target on the test points: links of degree four have heavy tails, and
        most of the luck of the draw drops out of the ratio.

    Chapter: structured_inputs.
    """
    _, problem = _problem(link, d, psi, beta, noise, device, seed, cosine, n_test)
    if whiten:
        problem = _whitened(problem)
    problem = _in_dtype(problem, getattr(torch, one_of("precision", precision, ("float64", "float32"))))
    return {"risk": risk_of(learner, problem, generator_for(seed, label_of(learner))).value * _unit(problem)}


def spiked_gradient_cell(
    link: str, d: int, psi: float, beta: float, noise: float, width: int, *, device: str = "cpu", seed: int
) -> dict[str, float]:
    """Take the first gradient of each neuron and hold it against the spike, which lies on the target.

    Returns:
        Squared cosines with the spike, ``overlap`` and ``predicted`` as means over neurons; ``permuted``, the same with
        the labels dealt out anew among the inputs; ``chance``, what is predicted for that; ``component``, that of the
        first principal component of the inputs.
    """
    task, problem = _problem(link, d, psi, beta, noise, device, seed, n_test=1)
    X, y = problem.train.X, problem.train.y
    generator = generator_for(seed, "first gradient")
    start = drawn_start(whole_number("width", width), X, generator)
    order = torch.randperm(len(y), generator=generator, device=generator.device).to(X.device)
    spike = task.spike[:, None].to(X)
    found = {"overlap": y, "permuted": y[order]}
    shares = {
        name: float(subspace_overlap(gradient_directions(start, X, labels), spike).mean())
        for name, labels in found.items()
    }
    return shares | {
        "predicted": float(predicted_gradient_overlap(start, task, len(y), noise).mean()),
        "chance": luck_overlap((1 + task.strength) / (d - 1)),
        "component": float(subspace_overlap(first_component(X)[None], spike)[0]),
    }


def luck_cell(
    link: str, d: int, psi: float, beta: float, noise: float, width: int, *, device: str = "cpu", seed: int
) -> dict[str, float]:
    """Work out the first gradient's overlap with the spike, and without luck; no sample is drawn, so d may be large.

    Returns:
        ``overlap``, the expected squared cosine with the spike, and ``without_luck``, what it would be if each gradient
        had its mean along the spike; both are means over neurons of uniform direction.
    """
    task = spiked_index(link, d, beta, seed)
    generator = generator_for(seed, "alignments", d)
    u, b = torch.randn(2, whole_number("width", width), generator=generator, dtype=torch.float64, device="cpu")
    alignments = u / (u**2 + d - 1).sqrt()  # the other d - 1 squares by their mean, off by d^{-1/2} of it
    n = round(real_number("psi", psi, above=0) * d)
    parts = gradient_parts(alignments.to(device), b.to(device), task, n, noise)
    return {"overlap": float(parts.overlap.mean()), "without_luck": float(parts.without_luck.mean())}


def penalty_cell(
    link: str, d: int, psi: float, beta: float, noise: float, *, device: str = "cpu", seed: int
) -> dict[str, float]:
    """Take the step on half of the samples and fit the head of as many neurons on the other half.

    Returns:
        The risks ``chosen``, with the penalty of least left-out error; ``tiny``, with the least of the grid alone;
        ``tiny_clipped`` and ``chosen_clipped``, the same held between the least and the largest label; ``reused``, of
        the learner that takes step and head on all samples; ``largest``, the largest prediction of ``tiny`` in size,
        in units of the largest label.
    """
    _, problem = _problem(link, d, psi, beta, noise, device, seed)
    X, y = problem.test.X, problem.train.y
    width = (len(y) + 1) // 2
    chosen, tiny = (
        fit_halves(problem, generator_for(seed, "halves"), width, levels) for levels in (LEVELS, LEVELS[:1])
    )
    reused = fit_normalised_step(problem, generator_for(seed, label_of(fit_normalised_step)), width)
    models = {"chosen": chosen, "tiny": tiny, "reused": reused}
    models |= {f"{name}_clipped": clipped(models[name], y) for name in ("chosen", "tiny")}
    truth = problem.test.truth
    risks = {name: risk(model(X), truth, problem.variance).value * _unit(problem) for name, model in models.items()}
    return risks | {"largest": float(tiny(X).abs().max() / y.abs().max())}


def _problem(
    link: str,
    d: int,
    psi: float,
    beta: float,
    noise: float,
    device: str,
    seed: int,
    cosine: float = 1.0,
    n_test: int = 5000,
) -> tuple[SpikedIndex, Problem]:
    task = spiked_index(link, d, beta, seed, cosine)
    n = round(real_number("psi", psi, above=0) * d)
    return task, draw_problem(task, n, noise, seed, n_test=n_test, device=device)


def _unit(problem: Problem) -> float:
    """Return the exact variance of the target over that on the test points."""
    return problem.variance / float(problem.test.truth.var(correction=0))


def _whitened(problem: Problem) -> Problem:
    """Return the problem with all inputs multiplied by the inverse root of the training sample's second moment."""
    root = whitening(problem.train.X)
    parts = [Sample(part.X @ root, part.y, part.truth) for part in (problem.train, problem.test)]
    return Problem(*parts, problem.task)


def _in_dtype(problem: Problem, dtype: torch.dtype) -> Problem:
    """Return the problem with all inputs, labels and noise-free values in a dtype."""
    parts = [Sample(part.X.to(dtype), part.y.to(dtype), part.truth.to(dtype)) for part in (problem.train, problem.test)]
    return Problem(*parts, problem.task)
