"""The experiments of good_directions: the spectrum of the tangent features, and one trained joint model looked into."""

import numpy as np
import torch

from beyond_kernel.checks import one_of, real_number, whole_number
from beyond_kernel.escaping_the_kernel.good_directions import (
    STEPS,
    fit_joint_model,
    fit_regularised_model,
    learnt_directions,
    low_degree_count,
    split_linear_part,
)
from beyond_kernel.escaping_the_kernel.taylor_model import TaylorModel, tangent_gram, taylor_start
from beyond_kernel.foundations.inputs.laws import sphere
from beyond_kernel.foundations.learning.measures import learnt_fractions, principal_angles, risk
from beyond_kernel.foundations.learning.samples import Problem, draw_problem
from beyond_kernel.foundations.targets.target import Target, parse_target
from beyond_kernel.random_streams import generator_for

TEST_POINTS = 2000
"""Points on which the risk of one model is measured; it scatters by a few per cent of itself."""


def spread_target(count: int) -> str:
    """Return the text of a target with half of its energy in z1 and the other half spread over squared directions.

    Their signs alternate, since squares of one sign in all directions would add up to a constant on the sphere.

    Args:
        count: number of squared directions; with d - 1 of them the quadratic part is dense.

    Raises:
        BadParameter: if count is below 1.

    Chapter: good_directions.

    >>> spread_target(2)
    '(z1 + (h2(z2) - h2(z3))/sqrt(2))/sqrt(2)'
    """
    squares = [f"h2(z{i + 2})" for i in range(whole_number("count", count))]
    signed = squares[0] + "".join(f" {'+-'[i % 2]} {square}" for i, square in enumerate(squares) if i)
    return f"(z1 + ({signed})/sqrt({count}))/sqrt(2)"


def spectrum_cell(d: int, n: int, width: int, *, device: str = "cpu", seed: int) -> dict[str, np.ndarray | float]:
    """Return the eigenvalues of the tangent features of one network on n inputs from the sphere.

    Args:
        d: input dimension.
        n: number of inputs, above d.
        width: number of neurons m, even.
        device: where everything lies.
        seed: of inputs and network.

    Returns:
        ``eigenvalues`` of the Gram matrix over n, largest first; ``alignment``: least cosine of a principal angle
        between the leading d + 1 eigenvectors and the functions of degree at most one at the inputs.

    Raises:
        BadParameter: if a parameter is out of range.

    Chapter: good_directions.
    """
    whole_number("n", n, least=whole_number("d", d, least=2) + 1)
    X = sphere(n, d, generator_for(seed, "points", n, d)).to(device)
    start = taylor_start(width, d, generator_for(seed, "start", width, d), device=device)
    values, vectors = torch.linalg.eigh(tangent_gram(start, X))
    low = torch.linalg.qr(torch.cat([torch.ones_like(X[:, :1]), X], 1)).Q
    angles = principal_angles(vectors[:, n - low_degree_count(d) :], low)
    return {"eigenvalues": values.flip(0).cpu().numpy() / n, "alignment": float(angles.max().cos())}


def joint_cell(
    target: str,
    d: int,
    n: int,
    width: int,
    penalty: float,
    *,
    protected: int | None = None,
    steps: int = STEPS,
    law: str = "sphere",
    precision: str = "float32",
    device: str = "cpu",
    seed: int,
) -> dict[str, np.ndarray | float]:
    """Train the joint model once, without label noise, and look into it.

    Args:
        target: text of the target, scaled to E f^2 = 1 under Gaussian inputs.
        d: input dimension.
        n: training samples, all the labels that are seen; above d.
        width: number of neurons m, even.
        penalty: weight of the regulariser; at 0 there is none.
        protected: number of directions that it spares, at most n; d + 1 where it is left out.
        steps: of gradient descent.
        law, precision, device: as in ``draw_problem``; "float32" or "float64".
        seed: of directions, data and start. The start is the same for all penalties.

    Returns:
        ``risk``; ``network``: risk of the network itself with these moves; ``loss``: training error; ``cosine`` of the
        leading learnt direction with the range of the target's expected Hessian, NaN where that is zero;
        ``eigenvalues`` of sum_r a_r w_r w_r', largest absolute value first; ``learnt``: fractions of the target's parts
        of degree one and two in the prediction, NaN for an absent part; and for informative, bad and good directions
        ``seen`` and ``fresh``: mean square of f_L at training and fresh inputs, and ``squares``: squared length of the
        move. Errors and mean squares are over Var f*.

    Raises:
        BadParameter: if a parameter is out of range.

    Chapter: good_directions.
    """
    whole_number("n", n, least=whole_number("d", d, least=2) + 1)
    truth = parse_target(target, d, seed).normalised()
    dtype = getattr(torch, one_of("precision", precision, ("float64", "float32")))
    problem = draw_problem(truth, n, 0.0, seed, law, TEST_POINTS, dtype, device)
    options = {"width": width, "steps": steps}
    if real_number("penalty", penalty, least=0):
        options |= {"penalty": penalty, "protected": protected}
    fit = fit_regularised_model if penalty else fit_joint_model
    model = fit(problem, generator_for(seed, "start", width, d), **options)
    found, directions = learnt_directions(model)
    errors, split = _errors(model, problem), _split(model, problem)
    return {"cosine": _cosine(directions[:, 0], truth), "eigenvalues": found.cpu().numpy(), **errors, **split}


def _errors(model: TaylorModel, problem: Problem) -> dict[str, np.ndarray | float]:
    train, test, unit = problem.train, problem.test, problem.variance
    prediction = model(test.X)
    return {
        "risk": risk(prediction, test.truth, unit).value,
        "network": risk(model.network_output(test.X), test.truth, unit).value,
        "loss": risk(model(train.X), train.y, unit).value,
        "learnt": _learnt(prediction, problem),
    }


def _split(model: TaylorModel, problem: Problem) -> dict[str, np.ndarray]:
    X, fresh = problem.train.X, problem.test.X
    split = split_linear_part(model, X, torch.cat([X, fresh]), low_degree_count(X.shape[1]))
    seen, other = (
        (part.square().mean(1) / problem.variance).cpu().numpy()
        for part in split.values.split([len(X), len(fresh)], dim=1)
    )
    return {"seen": seen, "fresh": other, "squares": split.squares.cpu().numpy()}


def _cosine(direction: torch.Tensor, truth: Target) -> float:
    """Return the length of the projection of a unit vector on the range of the expected Hessian."""
    rank = truth.hessian_rank()
    if not rank:
        return float("nan")
    values, vectors = torch.linalg.eigh(truth.expected_hessian().to(direction))
    return float((vectors[:, values.abs().argsort(descending=True)[:rank]].T @ direction).norm())


def _learnt(prediction: torch.Tensor, problem: Problem) -> np.ndarray:
    parts = torch.stack([problem.task.part(k)(problem.test.X) for k in (1, 2)], 1)
    there = [k for k in range(2) if bool(parts[:, k].any())]
    learnt = np.full(2, np.nan)
    if there:
        learnt[there] = learnt_fractions(prediction - prediction.mean(), parts[:, there]).cpu().numpy()
    return learnt
