"""The experiments on the quadratic part: sizes against the width, many directions, and what training has moved."""

from dataclasses import replace

import torch

from beyond_kernel.checks import BadParameter, whole_number
from beyond_kernel.escaping_the_kernel.quadratic_ntk import (
    fit_quadratic_model,
    moved_along,
    random_signs,
    signed_linear_parts,
    silenced_square,
    with_random_signs,
)
from beyond_kernel.escaping_the_kernel.taylor_model import taylor_start, train_taylor
from beyond_kernel.foundations.inputs.laws import sphere
from beyond_kernel.foundations.learning.measures import risk
from beyond_kernel.foundations.learning.samples import draw_problem, draw_sample
from beyond_kernel.foundations.targets.target import parse_target
from beyond_kernel.kernel_regime.activations import AnyActivation
from beyond_kernel.random_streams import generator_for

POINTS = 300
"""Inputs on which sizes are averaged; a fourth power of a normal scatters by some per cent over them."""
REMAINDER_DRAWS = 8
"""Choices of signs of which the remainder is averaged; each costs a pass through the network, and they agree well."""
TEST_POINTS = 2000
"""Inputs on which risks are measured."""


def scaling_cell(
    width: int,
    d: int,
    activation: AnyActivation = "shifted sigmoid",
    draws: int = 64,
    *,
    device: str = "cpu",
    seed: int,
) -> dict[str, float]:
    """Return mean squares of the Taylor terms when one twin of each pair moves by m^{-1/4} along one direction.

    Args:
        width: m, even.
        d: input dimension; inputs are uniform on the sphere of radius sqrt(d).
        activation: sigma, without kinks.
        draws: random signs of the moves over which is averaged, where there are signs.
        device: where everything lies.
        seed: of inputs, start and signs; the direction is the first axis, which is as good as any.

    Returns:
        ``linear`` and ``remainder``, mean squares of f_L and f - f_L - f_Q over inputs for aligned moves,
        ``linear_signs`` and ``remainder_signs`` with random signs, ``quadratic`` of f_Q, which both share; and
        ``silenced``, what ``linear_signs`` is on average over all signs.

    Raises:
        BadParameter: if a parameter is out of range.

    Chapter: quadratic_ntk.
    """
    start = taylor_start(width, d, generator_for(seed, "start", width, d), activation, device=device)
    X = sphere(POINTS, d, generator_for(seed, "points", d)).to(device)
    aligned = moved_along(start, torch.eye(d, dtype=X.dtype, device=X.device)[0])
    signs = random_signs(width, draws, generator_for(seed, "signs", width, d)).to(X)
    silent, quadratic = signed_linear_parts(aligned, X, signs), aligned.quadratic_part(X)
    few = signs[:, :REMAINDER_DRAWS]
    outputs = [replace(aligned, W=aligned.W * sign[:, None]).network_output(X) for sign in few.T]
    linear = aligned.linear_part(X)
    parts = {
        "linear": linear,
        "quadratic": quadratic,
        "remainder": aligned.network_output(X) - linear - quadratic,
        "linear_signs": silent,
        "remainder_signs": torch.stack(outputs, 1) - silent[:, :REMAINDER_DRAWS] - quadratic[:, None],
    }
    squares = {name: float(part.square().mean()) for name, part in parts.items()}
    return {**squares, "silenced": float(silenced_square(aligned, X).mean())}


def balanced_quadratic(directions: int) -> str:
    """Return the text of a sum of squares of several directions whose signs alternate, of mean square one.

    Args:
        directions: their number R.

    Raises:
        BadParameter: if it is below 1.

    Chapter: quadratic_ntk.

    >>> balanced_quadratic(3)
    '(h2(z1) - h2(z2) + h2(z3))/sqrt(3)'
    """
    terms = [f"h2(z{i + 1})" for i in range(whole_number("directions", directions))]
    joined = terms[0] + "".join((" - " if i % 2 == 0 else " + ") + term for i, term in enumerate(terms[1:]))
    return f"({joined})/sqrt({directions})"


def moves_cell(
    target: str, d: int, n: int, width: int, steps: int, noise: float, *, device: str = "cpu", seed: int
) -> dict[str, object]:
    """Train the quadratic model and return what its moves look like, and what the network does with them.

    Args:
        target: text of the target, scaled to mean square one.
        d: input dimension; inputs are uniform on the sphere of radius sqrt(d).
        n: training samples.
        width: m, even.
        steps: the most steps of training.
        noise: standard deviation of the label noise.
        device: where everything lies.
        seed: of everything drawn.

    Returns:
        ``eigenvalues`` of sum_r a_r w_r w_r', largest size first, of shape (d,); ``cosine``: length of the projection
        of its first eigenvector on the hidden directions; ``longest``: the largest |w_r|; ``linear``:
        mean square of f_L at these moves, and ``silenced``, what it is on average over random signs of them; ``risk``
        of f_Q, ``network_risk`` of the network f itself at the same moves and ``signed_risk`` with random signs.

    Raises:
        BadParameter: if a parameter is out of range, or the target has no directions.

    Chapter: quadratic_ntk.
    """
    truth = parse_target(target, d, seed).normalised()
    if truth.directions is None:
        raise BadParameter(f"target = {target!r} has no directions: there is nothing for the moves to find.")
    problem = draw_problem(truth, n, noise, seed, "sphere", TEST_POINTS, device=device)
    fitted = fit_quadratic_model(problem, generator_for(seed, "quadratic model"), width, steps)
    values, vectors = torch.linalg.eigh(fitted.model.outer_product())
    order = values.abs().argsort(descending=True)
    first = truth.directions.to(vectors).T @ vectors[:, order[0]]
    signed = with_random_signs(fitted.model, generator_for(seed, "signs", width, d))
    outputs = {
        "risk": fitted,
        "network_risk": fitted.model.network_output,
        "signed_risk": signed.network_output,
    }
    test, variance = problem.test, problem.variance
    return {
        "eigenvalues": values[order].cpu().numpy(),
        "cosine": float(first.norm()),
        "longest": float(fitted.model.W.norm(dim=1).max()),
        "linear": float(fitted.model.linear_part(test.X).square().mean()),
        "silenced": float(silenced_square(fitted.model, test.X).mean()),
        **{name: risk(output(test.X), test.truth, variance).value for name, output in outputs.items()},
    }


def saddle_cell(
    target: str, d: int, n: int, width: int, steps: int, jitter: float, *, device: str = "cpu", seed: int
) -> dict[str, object]:
    """Train f_Q by gradient descent from moves of a given size and return its training loss before and after each step.

    Args:
        target: text of the target, scaled to mean square one.
        d: input dimension; inputs are uniform on the sphere of radius sqrt(d).
        n: training samples, without label noise.
        width: m, even.
        steps: steps of training.
        jitter: standard deviation of the entries of the moves at the start.
        device: where everything lies.
        seed: of everything drawn.

    Returns:
        ``losses``, of shape (steps + 1,).

    Raises:
        BadParameter: if a parameter is out of range.

    Chapter: quadratic_ntk.
    """
    truth = parse_target(target, d, seed).normalised()
    sample = draw_sample(truth, n, 0.0, generator_for(seed, "saddle", n, d), "sphere", device=device)
    start = taylor_start(width, d, generator_for(seed, "start", width, d), jitter=jitter, device=device)
    losses: list[torch.Tensor] = []
    observe = lambda taken, model, loss: losses.append(loss)  # noqa: E731
    train_taylor(start, sample.X, sample.y, steps=steps, parts=["quadratic"], observe=observe)
    return {"losses": torch.stack(losses).cpu().numpy()}
