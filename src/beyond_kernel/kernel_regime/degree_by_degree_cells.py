"""What kernel ridge regression has learnt of each degree of a target from n samples, and when it has learnt one."""

import functools
import math

import numpy as np
import torch

from beyond_kernel.checks import one_of
from beyond_kernel.foundations.learning.kernel_ridge import kernel_ridge
from beyond_kernel.foundations.learning.measures import learnt_fractions, risk, samples_to_reach
from beyond_kernel.foundations.learning.samples import Law, draw_problem
from beyond_kernel.foundations.targets.target import parse_target
from beyond_kernel.kernel_regime.degree_by_degree import degrees_of, harmonic_product, spread
from beyond_kernel.kernel_regime.learning_curve import sphere_variance
from beyond_kernel.kernel_regime.spectrum import multiplicity
from beyond_kernel.kernel_regime.tangent_kernel import KERNELS


def learning_cell(
    target: str,
    d: int,
    n: int,
    kernel: str,
    noise: float,
    *,
    twin: bool = False,
    law: Law = "sphere",
    bias: float = 1.0,
    n_test: int = 4000,
    device: str = "cpu",
    seed: int,
) -> dict[str, np.ndarray | float]:
    """Fit kernel ridge regression on n samples and measure how much of each degree of the target it has learnt.

    The kernel is fixed, biases included, so that it is the one that the theory describes.

    Args:
        target: text of the target; it is scaled to E f^2 = 1 under Gaussian inputs.
        d: input dimension.
        n: training samples, all the labels that are seen.
        kernel: "random features" or "tangent".
        noise: standard deviation of the label noise.
        twin: replace the target by its twin on all d directions, ``spread``.
        law: of the inputs.
        bias: standard deviation of the neurons' biases.
        n_test: points on which the risk is measured, the same for every n.
        device: where everything lies.
        seed: of everything drawn.

    Returns:
        ``fractions``: for each degree of ``degrees_of`` the coefficient of the Hermite part, which on the sphere holds
        lower harmonics of order 1/d: 0 for nothing learnt and 1 for everything; ``risk``: E (f - f*)^2 / Var f* under
        the law of the inputs. A twin has the degrees of the energies on the sphere.

    Raises:
        BadParameter: if a parameter is out of range.

    Chapter: degree_by_degree.
    """
    fixed = functools.partial(KERNELS[one_of("kernel", kernel, tuple(KERNELS))], bias=bias)
    truth = parse_target(target, d, seed).normalised()
    if twin:
        truth = spread(truth)
    problem = draw_problem(truth, n, noise, seed, law, n_test, device=device)
    prediction = kernel_ridge(problem.train, fixed)(problem.test.X)
    parts = torch.stack([truth.part(k)(problem.test.X) for k in degrees_of(truth)], 1)
    variance = sphere_variance(truth) if law == "sphere" else problem.variance
    return {
        "fractions": learnt_fractions(prediction, parts).cpu().numpy(),
        "risk": risk(prediction, problem.test.truth, variance).value,
    }


def samples_cell(
    degree: int,
    d: int,
    kernel: str,
    noise: float,
    n_max: int,
    *,
    level: float = 0.25,
    n_test: int = 4000,
    device: str = "cpu",
    seed: int,
) -> dict[str, float]:
    """Raise n by factors of sqrt 2 until kernel ridge regression on a single degree has reached a risk on the sphere.

    The target is ``harmonic_product``. The ladder starts at a quarter of the number of its harmonics and ends where the
    risk has been reached at two sizes in a row: a lucky draw at a small size does not count.

    Args:
        degree: k.
        d: input dimension.
        kernel: "random features" or "tangent", with biases of standard deviation 1.
        noise: standard deviation of the label noise, beside a target of variance one.
        n_max: most training samples.
        level: risk to be reached.
        n_test: points on which the risk is measured.
        device: where everything lies.
        seed: of everything drawn.

    Returns:
        ``samples``: number of samples, interpolated in log n; NaN where n_max is not enough.

    Raises:
        BadParameter: if a parameter is out of range.

    Chapter: degree_by_degree.
    """
    truth = harmonic_product(degree, d, seed)
    fixed = functools.partial(KERNELS[one_of("kernel", kernel, tuple(KERNELS))], bias=1.0)

    def risk_at(n: int) -> float:
        problem = draw_problem(truth, n, noise, seed, "sphere", n_test, device=device)
        return risk(kernel_ridge(problem.train, fixed)(problem.test.X), problem.test.truth, 1.0).value

    sizes, risks, n = [], [], multiplicity(d, degree) / 4
    while n <= n_max and not (len(risks) > 1 and max(risks[-2:]) <= level):
        sizes.append(math.ceil(n))
        risks.append(risk_at(sizes[-1]))
        n *= math.sqrt(2)
    return {"samples": samples_to_reach(sizes, risks, level) if risks else math.nan}
