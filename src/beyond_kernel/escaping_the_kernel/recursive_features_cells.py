"""The experiments of chapter recursive_features, each a pure function of one cell's parameters, run over a grid."""

import functools
import math
from collections.abc import Sequence

import numpy as np
import torch

from beyond_kernel.checks import BadParameter, one_of, real_number, whole_number
from beyond_kernel.escaping_the_kernel.learnt_metrics import (
    first_layer_metric,
    metric_correlation,
    outer_product_of_gradients,
    polynomial_kernel,
    trace_share,
)
from beyond_kernel.escaping_the_kernel.modular_addition import (
    circulant_share,
    form_values,
    metric_of_forms,
    modular_pairs,
    quadratic_forms,
)
from beyond_kernel.escaping_the_kernel.recursive_features import (
    ROUNDS,
    fit_metric,
    fit_recursive_features,
    recursive_rounds,
)
from beyond_kernel.foundations.learning.heads import SCALES
from beyond_kernel.foundations.learning.kernel_ridge import tuned_kernel_ridge
from beyond_kernel.foundations.learning.learners import Learner, Predictor, label_of, risk_of
from beyond_kernel.foundations.learning.sample_search import search_samples
from beyond_kernel.foundations.learning.samples import Problem, draw_problem
from beyond_kernel.foundations.targets.target import Target, parse_target
from beyond_kernel.random_streams import generator_for

CHOICES = ("leave-one-out", "generalised cross-validation")
"""How length and penalty are chosen in each round, the rule of the book, and a cheaper one that may mislead."""
TAIL = 0.01
"""Share of the test points, those farthest out in the hidden coordinates, that is called the tail."""


def rounds_cell(
    target: str,
    d: int,
    n: int,
    noise: float,
    *,
    rounds: int = ROUNDS,
    scales: Sequence[float] = SCALES,
    choice: str = CHOICES[0],
    device: str = "cpu",
    seed: int,
) -> dict:
    """Run recursive features round by round; round 0 is the Gaussian kernel with M = I.

    Returns:
        Arrays by round, ``risks``, ``left_out`` (the error that chooses), ``shares`` of the metric's trace in the
        hidden subspace, and ``lengths`` in units of sqrt(d); then of the round of least left-out error: ``risk``,
        ``share``, and ``tail``, the part of its risk at the ``TAIL`` of the test points.

    Raises:
        BadParameter: if ``choice`` is not one of ``CHOICES``; as ``recursive_rounds``.
    """
    most = {"leave-one-out": None, "generalised cross-validation": 0}[one_of("choice", choice, CHOICES)]
    truth, problem = _problem(target, d, n, noise, device, seed)
    fit = functools.partial(fit_metric, scales=scales, most_left_out=most)
    found = recursive_rounds(problem.train, rounds, fit)
    found += found[-1:] * (rounds + 1 - len(found))  # a constant predictor stays what it is
    squares = [_squares(predictor, problem) for predictor in found]
    metrics = [predictor.kernel.keywords["metric"] for predictor in found]
    left_out = np.array([predictor.fit.loss for predictor in found])
    shares = np.array([trace_share(metric, truth.directions) for metric in metrics])
    best = int(left_out.argmin())
    far = (problem.test.X @ truth.directions.to(problem.test.X)).square().sum(1).argsort(descending=True)
    outside = far[: math.ceil(TAIL * len(far))]
    return {
        "risks": np.array([float(values.mean()) for values in squares]),
        "left_out": left_out,
        "shares": shares,
        "lengths": np.array([predictor.kernel.keywords["length"] / d**0.5 for predictor in found]),
        "risk": float(squares[best].mean()),
        "share": float(shares[best]),
        "tail": float(squares[best][outside].sum() / squares[best].sum().clamp(min=1e-300)),
    }


def metrics_cell(
    first: Learner, second: Learner, target: str, d: int, n: int, noise: float, *, device: str = "cpu", seed: int
) -> dict:
    """Learn a metric in four ways from one sample and hold them against one another.

    Args:
        first: a learner whose predictor has a two-layer ``network``: one giant step, say.
        second: another, such as a network that is trained to the end.
        target: text of the target.
        d: input dimension.
        n: training samples.
        noise: standard deviation of the label noise.
        device: where everything lies.
        seed: of directions, data and what the learners draw.

    Returns:
        ``recursive``, ``first``, ``second`` and ``gradient``: eigenvalues, of trace d, descending, of the metric of
        recursive features, of W'W of both networks, and of the average gradient outer product of the second predictor;
        ``shares`` of their traces in the hidden subspace, in this order; ``to_first`` and ``to_second``: correlation
        of the recursive metric with the two W'W; ``ansatz``: of the second's W'W with its average gradient outer
        product; ``to_target``: of the recursive metric with the target's own; ``risks``: of recursive features, of the
        second predictor, and of Gaussian kernels with its W'W and with its average gradient outer product.
    """
    truth, problem = _problem(target, d, n, noise, device, seed)
    recursive = fit_recursive_features(problem, generator_for(seed, "recursive features"))
    models = [learner(problem, generator_for(seed, label_of(learner))) for learner in (first, second)]
    layers = [first_layer_metric(model.network) for model in models]
    metrics = {
        "recursive": recursive.kernel.keywords["metric"],
        "first": layers[0],
        "second": layers[1],
        "gradient": outer_product_of_gradients(models[1], problem.train.X),
    }
    spectra = {name: torch.linalg.eigvalsh(M).flip(0) * (d / float(M.trace())) for name, M in metrics.items()}
    own = outer_product_of_gradients(truth, problem.test.X)
    kernels = [fit_metric(problem.train, metrics[name]) for name in ("second", "gradient")]
    return {
        **{name: values.cpu().numpy() for name, values in spectra.items()},
        "shares": np.array([trace_share(metric, truth.directions) for metric in metrics.values()]),
        "to_first": metric_correlation(metrics["recursive"], metrics["first"]),
        "to_second": metric_correlation(metrics["recursive"], metrics["second"]),
        "ansatz": metric_correlation(metrics["second"], metrics["gradient"]),
        "to_target": metric_correlation(metrics["recursive"], own),
        "risks": np.array([_risk(model, problem) for model in (recursive, models[1], *kernels)]),
    }


def head_cell(
    target: str, d: int, n: int, noise: float, degree: int = 4, *, device: str = "cpu", seed: int
) -> dict[str, float]:
    """Learn a metric by recursive features and fit two kernels with it, each tuned by leave-one-out.

    Returns:
        ``gaussian``: risk of recursive features; ``polynomial``: risk of the kernel (c + x' M z / d)^degree with the
        same metric M, c one of ``SCALES``.
    """
    _, problem = _problem(target, d, n, noise, device, seed)
    found = fit_recursive_features(problem, generator_for(seed, "recursive features"))
    metric = found.kernel.keywords["metric"]
    options = {"metric": metric, "degree": whole_number("degree", degree)}
    kernels = [functools.partial(polynomial_kernel, offset=offset, **options) for offset in SCALES]
    other = tuned_kernel_ridge(problem.train, kernels, most_left_out=n)
    return {"gaussian": _risk(found, problem), "polynomial": _risk(other, problem)}


def samples_needed_cell(
    target: str,
    d: int,
    threshold: float,
    noise: float,
    *,
    rounds: int = ROUNDS,
    scales: Sequence[float] = (1.0,),
    start: float = 2.0,
    growth: float = 2**0.5,
    n_max: int = 3000,
    device: str = "cpu",
    seed: int,
) -> dict[str, float]:
    """Find how many samples recursive features need to reach a risk: n grows from start d until it is reached.

    Without rounds it is the Gaussian kernel with M = I. Each n is a sample of its own. In single precision, which costs
    nothing at risks far above rounding.

    Returns:
        ``needed``: n at the threshold, interpolated in log n between the last two sizes; NaN above ``n_max``.
    """
    learner = functools.partial(fit_recursive_features, rounds=rounds, scales=scales)

    def risk_at(size: int) -> float:
        _, problem = _problem(target, d, size, noise, device, seed, n_test=4000, dtype=torch.float32)
        return risk_of(learner, problem, generator_for(seed, "recursive features")).value

    first = real_number("start", start, above=0) * d
    return {"needed": search_samples(risk_at, [threshold], first, growth=growth, n_max=n_max).needed(threshold)}


def modular_cell(modulus: int, share: float, rounds: int = 20, *, device: str = "cpu", seed: int) -> dict:
    """Learn addition modulo p from a share of all pairs by recursive features with a quadratic kernel.

    Returns:
        Arrays by round, ``train_loss``, the mean squared error, ``train_accuracy`` and ``test_accuracy``; and
        ``circulant``, the share of the variance in the last metric's off-diagonal block that depends on b - a alone.

    Raises:
        BadParameter: if the share leaves no pair to train or to test on, or an argument is out of range.
    """
    X, sums = modular_pairs(modulus, device=device)
    outputs = torch.nn.functional.one_hot(sums, modulus).to(X)
    generator = generator_for(seed, "modular addition", modulus)
    order = torch.randperm(len(X), generator=generator, device=generator.device).to(X.device)
    train, test = order.tensor_split([int(real_number("share", share, above=0, most=1) * len(X))])
    if min(len(train), len(test)) < 1:
        raise BadParameter(f"share = {share:g} leaves {len(train)} pairs to train and {len(test)} to test on.")
    metric, history = torch.eye(2 * modulus, dtype=X.dtype, device=X.device), []
    for _ in range(whole_number("rounds", rounds, least=0) + 1):
        forms = quadratic_forms(X[train], outputs[train], metric)
        values = form_values(forms, X)
        right = (values.argmax(1) == sums).to(X)
        loss = (values - outputs)[train].square().mean()
        history.append([float(loss), float(right[train].mean()), float(right[test].mean())])
        metric = metric_of_forms(forms, X[train])
    columns = np.array(history).T
    names = ("train_loss", "train_accuracy", "test_accuracy")
    block = metric[:modulus, modulus:]
    return dict(zip(names, columns, strict=True)) | {"circulant": circulant_share(block)}


def _problem(
    text: str,
    d: int,
    n: int,
    noise: float,
    device: str,
    seed: int,
    n_test: int = 10_000,
    dtype: torch.dtype = torch.float64,
) -> tuple[Target, Problem]:
    truth = parse_target(text, d, seed).normalised()
    return truth, draw_problem(truth, n, noise, seed, n_test=n_test, dtype=dtype, device=device)


def _risk(predictor: Predictor, problem: Problem) -> float:
    return float(_squares(predictor, problem).mean())


def _squares(predictor: Predictor, problem: Problem) -> torch.Tensor:
    return (predictor(problem.test.X) - problem.test.reference).square() / problem.variance
