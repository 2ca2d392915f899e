"""The experiments of chapter scaling_laws: chains side by side, one network that learns all tasks, and its rivals."""

import numpy as np
import torch

from beyond_kernel.checks import BadParameter, one_of, real_number, whole_number
from beyond_kernel.feature_learning.overlap_chain import correlation_rule, square_rule, start_overlaps
from beyond_kernel.feature_learning.overlap_equation import overlap_equation
from beyond_kernel.feature_learning.quadratic_student import small_start, train_expected, train_sampled
from beyond_kernel.feature_learning.scaling_laws import (
    fitted_law,
    learning_times,
    learnt_share,
    remaining_loss,
    strengths,
    task_overlaps,
)
from beyond_kernel.foundations.learning.learners import Learner, label_of
from beyond_kernel.foundations.learning.measures import risk
from beyond_kernel.foundations.learning.samples import draw_problem
from beyond_kernel.foundations.targets.hidden_directions import drawn_directions
from beyond_kernel.foundations.targets.target import Target, parse_target
from beyond_kernel.random_streams import generator_for

STARTS = ("same", "random")
"""Whether each chain starts at an overlap of d^-1/2, or at that of a random neuron, its sign made positive."""
LOSSES = {"square": square_rule, "correlation": correlation_rule}
"""The steps by the name of their loss."""
POINTS = 160
"""Numbers of steps at which a run is looked at, evenly spaced in their logarithm; two neighbours differ by a few per
cent, and so do learning times."""
MOST_STEPS = 1_000_000
"""Steps after which a run is refused; they take about a minute for a few hundred chains."""
SETTLED = 1e-6
"""A chain under the square loss whose 1 - m^2 is below it has arrived."""


def chains_cell(
    link: str,
    beta: float,
    n_tasks: int,
    d: int,
    rate: float,
    runs: int,
    *,
    start: str = STARTS[0],
    loss: str = "square",
    power: float = 1.0,
    device: str = "cpu",
    seed: int,
) -> dict[str, np.ndarray | float]:
    """Run the chains of P tasks side by side, each with steps of (rate / d) a_p^power, several times.

    Args:
        link: f of the labels and of the neurons, by name or as text.
        beta: a_p = p^-beta; above 1/2.
        n_tasks: P, at least 8.
        d: dimension.
        rate: step size of task 1 in units of 1 / d.
        runs: independent runs of all tasks.
        start: one of ``STARTS``.
        loss: one of ``LOSSES``.
        power: of the strength in the step.
        device: where the starts and the results lie.
        seed: of everything drawn.

    Returns:
        ``at``: numbers of steps; ``losses`` (steps, runs); ``single``: what is left of the loss of each task, a mean
        over runs (steps, tasks); ``times``: learning times (runs, tasks), inf where there is none; and by name what
        ``fitted_law`` finds.

    Raises:
        BadParameter: if a parameter is out of range, or the run would take more than ``MOST_STEPS`` steps.

    Chapter: scaling_laws.
    """
    one_of("start", start, STARTS)
    rule = LOSSES[one_of("loss", loss, tuple(LOSSES))]
    a = strengths(whole_number("n_tasks", n_tasks, least=8), real_number("beta", beta, above=0.5), device)
    at = steps_of_chains(link, beta * power, n_tasks, d, rate)
    rates = (rate / d * a**power).repeat(whole_number("runs", runs))
    generator = generator_for(seed, "chains", link, n_tasks, d, start, loss)
    starts = torch.full_like(rates, d**-0.5)
    if start == "random":
        starts = start_overlaps(torch.full_like(rates, d, dtype=torch.int64), generator).abs()
    settled = SETTLED if loss == "square" else 0.0
    overlaps = task_overlaps(link, rule, rates, starts, d, at.tolist(), generator, settled=settled)
    shares = learnt_share(link, overlaps).reshape(len(at), runs, n_tasks)
    losses, times = remaining_loss(shares, a).cpu().numpy(), learning_times(at.tolist(), shares).cpu().numpy()
    single = (1 - shares.square()).mean(1)
    return {"at": at, "losses": losses, "single": single.cpu().numpy(), "times": times} | _law(
        at, losses, times, beta, power
    )


def student_cell(
    beta: float,
    n_tasks: int,
    d: int,
    width: int,
    rate: float,
    batch: int,
    *,
    size: float = 0.01,
    device: str = "cpu",
    seed: int,
) -> dict[str, np.ndarray | float]:
    """Train one quadratic network on the sum of all tasks from small random neurons, by samples and by their mean.

    Args:
        beta: a_p = p^-beta; above 1/2.
        n_tasks: P, from 8 to d.
        d: dimension.
        width: m.
        rate: step size.
        batch: fresh samples a step.
        size: length of a neuron at the start.
        device: where everything lies.
        seed: of directions, neurons and inputs.

    Returns:
        ``at``: numbers of samples; ``losses`` and ``expected``: risk with sampled and with mean gradients (steps,);
        ``single``: what is left of the loss of each task (steps, tasks); ``times``: samples until each task is learnt
        (tasks,); and by name what ``fitted_law`` finds.

    Raises:
        BadParameter: if a parameter is out of range, the run would take more than ``MOST_STEPS`` steps, or it diverges.

    Chapter: scaling_laws.
    """
    a = strengths(whole_number("n_tasks", n_tasks, least=8, most=d), real_number("beta", beta, above=0.5), device)
    U = drawn_directions(d, n_tasks, seed).to(a)
    W = small_start(width, d, size, generator_for(seed, "student", width, d), device)
    first = np.log(d / (width * size**2)) / (4 * real_number("rate", rate, above=0))
    at = _log_spaced(first / 8, 2 * first * n_tasks**beta)
    generator = generator_for(seed, "inputs", d, batch)
    found = train_sampled(W, U, a, rate, batch, at.tolist(), generator)
    expected = train_expected(W, U, a, rate, at.tolist())
    losses, samples = found.losses.cpu().numpy(), batch * at
    times = learning_times(samples.tolist(), found.shares).cpu().numpy()
    return {
        "at": samples,
        "losses": losses,
        "expected": expected.losses.cpu().numpy(),
        "single": (1 - found.shares).square().cpu().numpy(),
        "times": times,
    } | _law(samples, losses[:, None], times[None], beta, 1.0)


def shares_cell(
    learner: Learner,
    beta: float,
    n_tasks: int,
    d: int,
    n: int,
    *,
    n_test: int = 4000,
    device: str = "cpu",
    seed: int,
) -> dict[str, np.ndarray | float]:
    """Train any learner on n samples of the sum of all tasks and return its risk and what it has learnt of each task.

    Args:
        learner: a function of a problem and a generator, options set.
        beta: a_p = p^-beta; above 1/2.
        n_tasks: P, from 8 to d.
        d: dimension.
        n: training samples, without label noise; every label that the learner sees is one of them.
        n_test: points on which risk and shares are measured.
        device: where everything lies.
        seed: of directions, data and what the learner draws.

    Returns:
        ``risk``, and ``shares``: E f h_2(<u_p, x>) / a_p of the fitted f (tasks,).

    Raises:
        BadParameter: if a parameter is out of range.

    Chapter: scaling_laws.
    """
    truth = sum_of_tasks(beta, n_tasks, d, seed)
    problem = draw_problem(truth, n, 0.0, seed, n_test=n_test, device=device)
    X, values = problem.test.X, problem.test.truth
    prediction = learner(problem, generator_for(seed, label_of(learner)))(X)
    U = truth.frame[:, :n_tasks].to(X)
    features = ((X @ U).square() - 1) / 2**0.5
    a = torch.nn.functional.normalize(strengths(n_tasks, beta, device).to(X), dim=0)
    missing = (values - prediction) @ features / len(X)  # E f* h_2 = a_p is exact: only what is missing is sampled
    return {
        "risk": risk(prediction, values, truth.variance).value,
        "shares": (1 - missing / a).cpu().numpy(),
    }


def sum_of_tasks(beta: float, n_tasks: int, d: int, seed: int) -> Target:
    """Return the target sum_p p^-beta h_2(z_p), scaled to mean square one, with hidden directions from the seed.

    Args:
        beta: a_p = p^-beta; above 1/2.
        n_tasks: P, from 8 to d.
        d: dimension.
        seed: of the directions.

    Raises:
        BadParameter: if an argument is out of range.

    Chapter: scaling_laws.
    """
    a = strengths(whole_number("n_tasks", n_tasks, least=8, most=d), real_number("beta", beta, above=0.5))
    text = " + ".join(f"{value:.8f}*h2(z{p})" for p, value in enumerate(a.tolist(), start=1))
    return parse_target(text, d, seed).normalised()


def steps_of_chains(link: str, beta: float, n_tasks: int, d: int, rate: float) -> np.ndarray:
    """Return the steps at which chains are looked at, up to one and a half times the time of the last task.

    Args:
        link: f of the labels and of the neurons, by name or as text.
        beta: task p is expected to need T_1 p^beta steps.
        n_tasks: P.
        d: dimension.
        rate: step size of task 1 in units of 1 / d, above 0.

    Returns:
        ``POINTS`` ascending whole numbers, evenly spaced in their logarithm.

    Raises:
        BadParameter: if a parameter is out of range, task 1 would stall, or the run would take too many steps.

    Source: T_1 by the differential equation of the overlap. Chapter: scaling_laws.
    """
    here = torch.tensor([real_number("rate", rate, above=0) / d], dtype=torch.float64, device="cpu")
    first = overlap_equation(link, square_rule(link, here), d).steps_to(0.8, d**-0.5)
    if not np.isfinite(first):
        raise BadParameter(f"rate = {rate:g} is too large for the link {link!r}: task 1 stalls; it must be smaller.")
    return _log_spaced(first / 8, 1.5 * first * n_tasks**beta)


def _log_spaced(low: float, high: float) -> np.ndarray:
    if high > MOST_STEPS:
        raise BadParameter(
            f"the run would take {high:.2g} steps: n_tasks and beta must be smaller, or the rate larger, so that it "
            f"takes at most {MOST_STEPS:,}."
        )
    places = np.rint(np.geomspace(max(low, 1.0), high, POINTS)).astype(int)
    return np.maximum.accumulate(places - np.arange(POINTS)) + np.arange(POINTS)  # ascending, no number twice


def _law(at: np.ndarray, losses: np.ndarray, times: np.ndarray, beta: float, power: float) -> dict:
    return fitted_law(at, losses, times, beta, power)._asdict()
