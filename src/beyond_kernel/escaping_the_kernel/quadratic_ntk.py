"""The quadratic part of a network as a learner of its own, beside the tangent model; and random signs for its moves.

Around a symmetric start moves of size m^{-1/4} make f_Q of order one, and f_L of order m^{1/4} unless something
silences it: signs drawn at random for the moves do, and f_Q does not see them.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from beyond_kernel.checks import BadParameter, list_of, matrix, real_number, vector, whole_number
from beyond_kernel.escaping_the_kernel.taylor_model import TaylorModel, tangent_gram, taylor_start, train_taylor
from beyond_kernel.foundations.learning.held_out import split_fifth
from beyond_kernel.foundations.learning.kernel_ridge import KernelPredictor, kernel_ridge
from beyond_kernel.foundations.learning.learners import labelled
from beyond_kernel.foundations.learning.ridge import LEVELS
from beyond_kernel.foundations.learning.samples import Problem, Sample
from beyond_kernel.kernel_regime.activations import AnyActivation

JITTERS = (0.005, 0.02, 0.08)
"""Candidates for the size of the moves at the start, in units in which sigma'' has mean square one."""
STOPS = len(LEVELS)
"""Steps at which training may be stopped, equally spaced; with three sizes at the start as many choices as a kernel has
with its lengths and penalties, if there are as many steps."""
RATE = 0.3
"""Step size in the same units; half and twice of it led to about the same risks (d = 20, n = 90 to 358)."""


def moved_along(start: TaylorModel, direction: torch.Tensor) -> TaylorModel:
    """Return a model in which one twin of each pair has moved by m^{-1/4} along a direction and the other has stayed.

    All moves point the same way, so that f_L = m^{1/4} / 2 times the mean of sigma'(<w0_r, x>), times <direction, x>.

    Args:
        start: whose start weights are kept.
        direction: of shape (d,).

    Raises:
        BadParameter: if the direction has another length than the inputs.

    Source: derived here. Chapter: quadratic_ntk.
    """
    vector("direction", direction, start.W0.shape[1])
    W = torch.zeros_like(start.W)
    W[: len(start.W0)] = direction.to(W) / start.width**0.25
    return replace(start, W=W)


def random_signs(width: int, draws: int, generator: torch.Generator) -> torch.Tensor:
    """Return independent signs +1 or -1, each with chance one half, of shape (width, draws), in float64.

    Args:
        width: number of neurons.
        draws: number of choices.
        generator: their source, on whose device they lie.

    Raises:
        BadParameter: if a number is below 1.
    """
    shape = (whole_number("width", width), whole_number("draws", draws))
    heads = torch.randint(2, shape, generator=generator, device=generator.device)
    return 2 * heads.to(torch.float64) - 1


def with_random_signs(model: TaylorModel, generator: torch.Generator) -> TaylorModel:
    """Return the model with the move of each neuron multiplied by +1 or -1, each with chance one half.

    f_Q stays as it is, since it is even in each move. f_L has mean zero over the signs, and the mean square
    (1/m) sum_r sigma'(<w0_r, x>)^2 <w_r, x>^2.

    Args:
        model: whose moves get the signs.
        generator: source of the signs.

    Source: Bai and Lee 2020, as their authors tell it; the mean square is derived here. Chapter: quadratic_ntk.
    """
    return replace(model, W=model.W * random_signs(model.width, 1, generator).to(model.W))


def signed_linear_parts(model: TaylorModel, X: torch.Tensor, signs: torch.Tensor) -> torch.Tensor:
    """Return f_L for several choices of signs of the moves at once: one product, for one computation of sigma'.

    Args:
        model: a start and its moves.
        X: inputs, of shape (n, d).
        signs: +1 or -1 for each neuron, one choice a column, of shape (m, k).

    Returns:
        Values of f_L, of shape (n, k).

    Raises:
        BadParameter: if X has another dimension or signs another number of rows than the model.

    Chapter: quadratic_ntk.
    """
    if matrix("signs", signs).shape[0] != model.width:
        raise BadParameter(f"signs has {signs.shape[0]} rows: it must have one for each of the {model.width} neurons.")
    slopes = model.slopes(X)
    return (torch.cat([slopes, -slopes], 1) * (X @ model.W.T)) @ signs.to(X)


def silenced_square(model: TaylorModel, X: torch.Tensor) -> torch.Tensor:
    """Return the mean of f_L(x)^2 over random signs of the moves, (1/m) sum_r sigma'(<w0_r, x>)^2 <w_r, x>^2.

    Args:
        model: a start and its moves.
        X: inputs, of shape (n, d).

    Returns:
        Mean squares, of shape (n,).

    Raises:
        BadParameter: if X has another dimension than the model.

    Source: derived here. Chapter: quadratic_ntk.
    """
    matrix("X", X, model.W0.shape[1])
    first, second = (X @ model.W.T).square().chunk(2, dim=1)
    return (model.slopes(X).square() * (first + second)).sum(1)


@labelled("tangent model")
def fit_tangent_model(
    problem: Problem,
    generator: torch.Generator,
    width: int = 600,
    activation: AnyActivation = "shifted sigmoid",
) -> KernelPredictor:
    """Fit f_L alone: ridge regression with the Gram matrix of a drawn network, the penalty by leave-one-out.

    Args:
        problem: its training sample.
        generator: source of the start.
        width: m, even.
        activation: sigma, without kinks.

    Raises:
        BadParameter: as ``taylor_start`` and ``kernel_ridge``.

    Chapters: quadratic_ntk, good_directions.
    """
    X = problem.train.X
    start = taylor_start(width, X.shape[1], generator, activation, dtype=X.dtype, device=X.device)
    return kernel_ridge(problem.train, functools.partial(tangent_gram, start))


@labelled("degree-two kernel")
def fit_degree_two_kernel(problem: Problem, generator: torch.Generator) -> KernelPredictor:
    """Fit ridge regression with the kernel <x, z>^2 / d^2, which holds quadratic forms and nothing else.

    It is fixed beforehand and told the degree of the target: the rival for who learns quadratic forms.

    Args:
        problem: its training sample.
        generator: not used; nothing is drawn.

    Raises:
        BadParameter: as ``kernel_ridge``.

    Chapter: quadratic_ntk.
    """
    return kernel_ridge(problem.train, _squared_products)


def _squared_products(X: torch.Tensor, Z: torch.Tensor | None = None) -> torch.Tensor:
    return (X @ (X if Z is None else Z).T / X.shape[1]).square()


@dataclass(frozen=True)
class QuadraticPredictor:
    """The function f_Q of a trained model.

    Attributes:
        model: the start and its moves.
        jitter: standard deviation of the moves at the start, as chosen.
        steps: steps of training, as chosen.
    """

    model: TaylorModel
    jitter: float
    steps: int

    def __call__(self, X: torch.Tensor) -> torch.Tensor:
        """Return f_Q at the rows of X, of shape (n,)."""
        return self.model.quadratic_part(X)


@labelled("quadratic model")
def fit_quadratic_model(
    problem: Problem,
    generator: torch.Generator,
    width: int = 600,
    steps: int = 200,
    activation: AnyActivation = "shifted sigmoid",
    jitters: Sequence[float] = JITTERS,
) -> QuadraticPredictor:
    """Fit f_Q alone by gradient descent from small random moves, their size and the stop by a held-out fifth.

    A model is trained on four fifths of the sample for each size; size and time of least error on the other fifth are
    kept, and the model is trained anew on the whole sample. Sizes and step are in units in which sigma'' has mean
    square one on the training inputs, so that a multiple of sigma is fitted as well as sigma itself. Training is in
    float32.

    Args:
        problem: its training sample, of at least five points.
        generator: source of the start, of the moves and of the held-out fifth; all sizes see the same draws.
        width: m, even.
        steps: the most that are taken.
        activation: sigma, without kinks.
        jitters: candidates for the standard deviation of the moves at the start, above 0.

    Raises:
        BadParameter: if a parameter is out of range, there are fewer than five points, or sigma'' vanishes at them; as
            ``train_taylor``.

    Source: Bai and Lee 2020 for the model. Chapters: quadratic_ntk, good_directions.
    """
    whole_number("steps", steps)
    list_of("jitters", jitters, lambda name, value: real_number(name, value, above=0))
    X, y = problem.train.X.float(), problem.train.y.float()
    start = taylor_start(width, X.shape[1], generator, activation, jitter=1.0, dtype=torch.float32, device=X.device)
    kept, held = split_fifth(Sample(X, y), generator)
    unit = float(start.bends(X).square().mean().sqrt()) * 2 * width**0.5
    if not unit:
        raise BadParameter(f"activation = {activation!r} has no second derivative at these inputs: f_Q is zero.")
    train = functools.partial(train_taylor, rate=RATE / unit, parts=["quadratic"])
    stops = {round(steps * (place + 1) / STOPS) for place in range(STOPS)} - {0}
    best = (float("inf"), 0.0, 0)
    for jitter in jitters:
        size = jitter / unit**0.5
        errors: list[tuple[float, float, int]] = []
        observe = functools.partial(_note_error, errors, stops, held, size)
        train(replace(start, W=size * start.W), kept.X, kept.y, steps=steps, observe=observe)
        best = min(best, *errors)
    _, size, taken = best
    trained = train(replace(start, W=size * start.W), X, y, steps=taken)
    W0, W = (tensor.to(problem.train.X) for tensor in (trained.W0, trained.W))
    return QuadraticPredictor(replace(trained, W0=W0, W=W), size, taken)


def _note_error(
    errors: list[tuple[float, float, int]],
    stops: set[int],
    held: Sample,
    size: float,
    taken: int,
    model: TaylorModel,
    _: torch.Tensor,
) -> None:
    """Note the error on held-out samples at each stop, with the size of the moves at the start and the steps taken."""
    if taken in stops:
        errors.append((float((model.quadratic_part(held.X) - held.y).square().mean()), size, taken))
