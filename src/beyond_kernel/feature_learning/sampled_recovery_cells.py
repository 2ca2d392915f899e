"""The experiments of chapter local_recovery on samples: pure functions of one cell's parameters."""

from collections.abc import Sequence

import torch

from beyond_kernel.checks import real_number, whole_number
from beyond_kernel.feature_learning.absolute_teacher import AbsoluteTeacher, drawn_teacher, plane_teacher
from beyond_kernel.feature_learning.local_recovery import recovered_mass, total_mass
from beyond_kernel.feature_learning.sampled_recovery import LEVEL_STEPS, SAMPLED_DECAYS, recover, sampled_risk
from beyond_kernel.feature_learning.trained_network import fit_trained_network
from beyond_kernel.foundations.learning.measures import risk
from beyond_kernel.foundations.learning.sample_search import GROWTH, search_samples
from beyond_kernel.foundations.learning.samples import Problem, Sample, draw_sample
from beyond_kernel.random_streams import generator_for


def recovery_needs_cell(
    weights: Sequence[float],
    d: int,
    level: float,
    noise: float,
    width: int,
    *,
    angles: Sequence[float] | None = None,
    least_angle: float = 40.0,
    degrees: float = 5.0,
    decays: Sequence[float] = SAMPLED_DECAYS,
    steps: int = LEVEL_STEPS,
    start: float = 8.0,
    growth: float = GROWTH,
    n_max: int = 5000,
    device: str = "cpu",
    seed: int,
) -> dict[str, float]:
    """Find how many labelled samples bring a share of the student's mass to the teacher's neurons.

    Each size is a sample of its own, in single precision; all its labels are used in all three stages, and no other.

    Args:
        weights: of the teacher's neurons.
        d: dimension of the inputs.
        level: share of the mass that is to be recovered, below 1.
        noise: standard deviation of the label noise.
        width: neurons of the student.
        angles: of the teacher's neurons in a plane drawn at random, in degrees; None for directions drawn in R^d.
        least_angle: between two drawn directions, in degrees.
        degrees: angle to a neuron of the teacher up to which mass counts as recovered.
        decays: weight decay of one level after another; the last should be about the noise of the gradient.
        steps: of each level.
        start: first n in units of d.
        growth: factor between two sizes.
        n_max: largest size.
        device: where everything lies.
        seed: of teacher, samples and student.

    Returns:
        ``needed``: n from which on the share stays at or above the level, interpolated in log n; NaN above ``n_max``.

    Raises:
        BadParameter: if a parameter is out of range.
    """
    teacher = _teacher(weights, angles, d, least_angle, seed, device)
    missing = 1 - real_number("level", level, least=0, most=0.999)

    def missed(n: int) -> float:
        sample = _sample(teacher, n, noise, device, seed)
        W, a = recover(sample.X, sample.y, width, generator_for(seed, "student", width, n), decays, steps)
        return 1 - float(recovered_mass(W, a, teacher.V.to(W), degrees))

    first = real_number("start", start, above=0) * d
    search = search_samples(missed, [missing], first, growth=growth, n_min=d + 2, n_max=n_max)
    return {"needed": search.needed(missing)}


def sampled_recovery_cell(
    weights: Sequence[float],
    d: int,
    ratio: float,
    noise: float,
    width: int,
    *,
    angles: Sequence[float] | None = None,
    least_angle: float = 40.0,
    degrees: float = 5.0,
    decays: Sequence[float] = SAMPLED_DECAYS,
    steps: int = LEVEL_STEPS,
    device: str = "cpu",
    seed: int,
) -> dict[str, float]:
    """Run the three stages on n = ratio d samples with decreasing weight decay, and rivals on the same samples.

    Returns:
        ``recovered``, the share of the mass within some degrees of the teacher's neurons; ``mass``, all of it in units
        of the teacher's; ``risk``, E (f - f*)^2 / Var f*; and the same ``..._longer``, with two smaller decays after
        the others; ``..._constant``, with the last decay in all steps; ``..._random``, with random directions instead
        of stage 1; ``..._without`` decay; ``..._small``, without decay from a small start.

    Raises:
        BadParameter: if a parameter is out of range.
    """
    teacher = _teacher(weights, angles, d, least_angle, seed, device)
    sample = _sample(teacher, _size(ratio, d), noise, device, seed)
    found: dict[str, float] = {}
    nothing = [0.0] * len(decays)
    rivals = {
        "": (decays, "stages"),
        "_longer": ([*decays, decays[-1] / 3, decays[-1] / 10], "stages"),
        "_constant": ([decays[-1]] * len(decays), "stages"),
        "_random": (decays, "random directions"),
        "_without": (nothing, "stages"),
        "_small": (nothing, "small"),
    }
    for name, (schedule, begin) in rivals.items():
        generator = generator_for(seed, "student", width, len(sample))
        W, a = recover(sample.X, sample.y, width, generator, schedule, steps, begin)
        found[f"recovered{name}"] = float(recovered_mass(W, a, teacher.V.to(W), degrees))
        found[f"mass{name}"] = float(total_mass(W, a)) / teacher.mass
        found[f"risk{name}"] = sampled_risk(W, a, sample.X, sample.y, teacher)
    return found


def trained_recovery_cell(
    weights: Sequence[float],
    d: int,
    ratio: float,
    noise: float,
    width: int,
    *,
    angles: Sequence[float] | None = None,
    least_angle: float = 40.0,
    degrees: float = 5.0,
    device: str = "cpu",
    seed: int,
) -> dict[str, float]:
    """Train the book's ReLU network on the samples of ``sampled_recovery_cell`` and look where its mass lies.

    Its step size, decay and length are chosen by its risk on a fifth of the samples, as everywhere in the book.

    Returns:
        ``recovered``, the share of the mass |a_j| |w_j| within some degrees of the teacher's neurons, up to sign;
        ``risk``, E (f - f*)^2 / Var f*.

    Raises:
        BadParameter: if a parameter is out of range.
    """
    teacher = _teacher(weights, angles, d, least_angle, seed, device)
    sample = _sample(teacher, _size(ratio, d), noise, device, seed)
    test = draw_sample(
        teacher.task(), 4000, 0.0, generator_for(seed, "recovery test", d), dtype=torch.float32, device=device
    )
    problem = Problem(sample, test, teacher.task())
    model = fit_trained_network(problem, generator_for(seed, "trained student", width), width)
    W, a = model.network.W, model.network.a
    return {
        "recovered": float(recovered_mass(W, a, teacher.V.to(W), degrees)),
        "risk": risk(model(test.X), test.truth, problem.variance).value,
    }


def _teacher(
    weights: Sequence[float], angles: Sequence[float] | None, d: int, least_angle: float, seed: int, device: str
) -> AbsoluteTeacher:
    if angles is None:
        return drawn_teacher(weights, d, least_angle, seed, device)
    return plane_teacher(angles, weights, d, seed, device)


def _size(ratio: float, d: int) -> int:
    return max(round(real_number("ratio", ratio, above=0) * whole_number("d", d)), d + 2)


def _sample(teacher: AbsoluteTeacher, n: int, noise: float, device: str, seed: int) -> Sample:
    generator = generator_for(seed, "recovery sample", n, teacher.V.shape[1])
    return draw_sample(teacher.task(), n, noise, generator, dtype=torch.float32, device=device)
