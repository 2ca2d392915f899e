"""What a frozen first layer can be worth where its source saw other directions, or saw some of them hardly at all."""

import math

import torch
from scipy.integrate import quad

from beyond_kernel.checks import BadParameter, matrix, one_of, real_number, whole_number
from beyond_kernel.foundations.targets.hidden_directions import drawn_directions
from beyond_kernel.foundations.targets.target import Target, parse_target

TURNED = ("one", "all")
"""Which directions of the target are turned, that of its last variable or those of all its variables."""


def turned_target(source: Target, text: str, angle: float, turned: str) -> Target:
    """Return a target whose variables lie at an angle to the source's variables of the same name, with E f^2 = 1.

    A turned direction is cos(angle) u_i + sin(angle) v_i, where v_i is a direction of which neither task knows.

    Args:
        source: the source task, whose seed and dimension the target has too.
        text: the target as text.
        angle: in degrees, from 0 to 90.
        turned: one of ``TURNED``.

    Raises:
        BadParameter: if the text is no target, an argument is out of range, or d has no room for so many directions.

    Chapter: frozen_representation.

    >>> source = parse_target("h2(z1)", 6)
    >>> target = turned_target(source, "h3(z1)", 60, "one")
    >>> round(float(source.directions.T @ target.directions), 6)  # the cosine of 60 degrees
    0.5
    """
    real_number("angle", angle, least=0, most=90)
    plain = parse_target(text, source.dim, source.seed)
    variables = _turned_variables(plain, turned)
    old = max(source.frame.shape[1], plain.frame.shape[1])
    if old + len(variables) > source.dim:
        raise BadParameter(
            f"d = {source.dim} is too small: source and target have {old} variables, and {len(variables)} directions "
            "more are turned into."
        )
    frame = drawn_directions(source.dim, old + len(variables), source.seed)
    cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    directions = frame[:, :old].clone()
    for new, variable in enumerate(variables, start=old):
        directions[:, variable - 1] = cosine * frame[:, variable - 1] + sine * frame[:, new]
    return parse_target(text, source.dim, source.seed, directions=directions).normalised()


def turned_floor(target: Target, angle: float, turned: str, outside: int = 0) -> float:
    """Return the risk that is left, after any number of samples, by functions with few factors outside of a subspace.

    The Hermite product of degree k in the turned variables is expanded in products of the old directions u_i and the
    new ones v_i. Each of its k factors falls outside with probability sin(angle)^2, as in a binomial law:
    h_k(c u + s v) = sum_i (k over i)^(1/2) c^(k-i) s^i h_{k-i}(u) h_i(v) with c^2 + s^2 = 1. What has more than
    ``outside`` factors outside is out of reach. Neurons within the old subspace have none; a little energy outside of
    it adds, to first order, functions with one. Derived here.

    Args:
        target: polynomial, with variables as in ``turned_target``, at any angle; only its coefficients are read.
        angle: in degrees, from 0 to 90.
        turned: one of ``TURNED``.
        outside: most factors that are reached outside of the subspace.

    Returns:
        A share of the target's variance, between 0 and 1.

    Raises:
        BadParameter: if an argument is out of range, or the target is constant.

    Chapter: frozen_representation.

    >>> round(turned_floor(parse_target("h2(z1)", 6), 45, "one"), 6)  # 1 less the fourth power of the cosine
    0.75
    """
    lost = math.sin(math.radians(real_number("angle", angle, least=0, most=90))) ** 2
    whole_number("outside", outside, least=0)
    variables = set(_turned_variables(target, turned))
    energies: dict[int, float] = {}
    for index, value in target.coefficients.items():
        if index:
            k = sum(power for variable, power in index if variable in variables)
            square = float(value) ** 2 * math.prod(math.factorial(power) for _, power in index)
            energies[k] = energies.get(k, 0.0) + square
    kept = {
        k: sum(math.comb(k, i) * lost**i * (1 - lost) ** (k - i) for i in range(min(k, outside) + 1)) for k in energies
    }
    return max(0.0, 1 - sum(energies[k] * kept[k] for k in energies) / sum(energies.values()))


def learnt_shares(source: Target, directions: torch.Tensor) -> torch.Tensor:
    """Return the share of a neuron's energy that lies along each direction after one step on infinitely many samples.

    The step points along H w, H the expected Hessian of the source, and w is isotropic. With the eigenvalues
    lambda_i of H, the share of eigenvector i is E lambda_i^2 w_i^2 / sum_j lambda_j^2 w_j^2, which is
    |lambda_i| / (|lambda_1| + |lambda_2|) if there are two. Higher terms of the gradient, smaller by a factor of
    about sqrt(d), are left out. Derived here.

    Args:
        source: the source task, with H not 0.
        directions: orthonormal columns, of shape (d, k).

    Returns:
        Shares, of shape (k,).

    Raises:
        BadParameter: if the shape does not fit or H is 0.

    Chapter: frozen_representation.

    >>> source = parse_target("h2(z1) + h2(z2)/4", 6)
    >>> [round(share, 6) for share in learnt_shares(source, source.directions).tolist()]
    [0.8, 0.2]
    """
    matrix("directions", directions)
    if len(directions) != source.dim:
        raise BadParameter(f"directions has {len(directions)} rows: it must have {source.dim}.")
    values, vectors = torch.linalg.eigh(source.expected_hessian())
    largest = float(values.abs().max())
    if largest == 0:
        raise BadParameter(
            f"source {source.text!r:.60} has the expected Hessian 0: one step has no limit of this kind."
        )
    squares = [float(value / largest) ** 2 for value in values]
    shares = torch.tensor([_mean_share(i, squares) for i in range(len(squares))], dtype=torch.float64, device="cpu")
    return (shares @ (vectors.T @ directions.to(vectors)).square()).to(directions)


def _turned_variables(target: Target, turned: str) -> list[int]:
    """Return the numbers of the variables that are turned."""
    variables = sorted({variable for index in target.coefficients for variable, _ in index})
    if not variables:
        raise BadParameter(f"target {target.text!r:.60} is constant: it must have a variable to turn.")
    return variables if one_of("turned", turned, TURNED) == "all" else variables[-1:]


def _mean_share(i: int, squares: list[float]) -> float:
    """Return E a_i w_i^2 / sum_j a_j w_j^2 for standard normal w: 1 / S is the integral of exp(-t S) over t > 0."""
    if squares[i] < 1e-18:
        return 0.0

    def integrand(angle: float) -> float:
        t = math.tan(angle)
        product = math.prod((1 + 2 * square * t) ** -0.5 for square in squares)
        return squares[i] / (1 + 2 * squares[i] * t) * product * (1 + t * t)

    return quad(integrand, 0, math.pi / 2, limit=200)[0]
