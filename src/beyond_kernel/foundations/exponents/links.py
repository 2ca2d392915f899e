"""Links: functions of one Gaussian variable, given by name, as the text of a polynomial, or as a callable."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from beyond_kernel.checks import BadParameter, real_number
from beyond_kernel.foundations.targets.hermite import gaussian_panels
from beyond_kernel.foundations.targets.target import Target, parse_target

_MOST_VARIABLES = 50
_FAR = 12.0  # a twelfth power still has all but 1e-16 of its second moment inside, e^(5z) all but 3 %
_MOST_FAR = 0.1
_PANELS = 2000  # of 24 points each, a thousandth apart
_CENTRE = 5.0


@dataclass(frozen=True, eq=False)
class Link:
    """A link with the points at which it is not smooth, and the exact polynomial where it is one.

    Attributes:
        name: what it is called in messages.
        function: takes a floating-point tensor of shape (n,) and returns one of the same shape.
        breakpoints: the points at which the function or one of its derivatives jumps.
        target: the exact polynomial, of one or several directions; None where the link is no polynomial. Of one
            direction v it may have any number of variables: the link is then t -> f(t v).

    Chapter: hermite_calculus.
    """

    name: str
    function: Callable[[torch.Tensor], torch.Tensor]
    breakpoints: tuple[float, ...] = ()
    target: Target | None = None

    def __repr__(self) -> str:
        return f"Link({self.name!r})"

    def __call__(self, z: torch.Tensor) -> torch.Tensor:
        """Return the values at the points z, shape (n,), dtype and device of z.

        Raises:
            BadParameter: if the function fails, or returns anything but finite numbers of this shape.
        """
        try:
            values = self.function(z)
        except Exception as fault:  # whatever a reader's function may do
            message = str(fault).splitlines()[0] if str(fault) else "no message"
            raise BadParameter(f"link {self.name} failed on a vector: {type(fault).__name__}: {message}") from fault
        if not isinstance(values, torch.Tensor) or values.shape != z.shape or values.is_complex():
            shown = tuple(values.shape) if isinstance(values, torch.Tensor) else type(values).__name__
            raise BadParameter(f"link {self.name} returned {shown} for {tuple(z.shape)}: it must map (n,) to (n,).")
        values = values.detach().to(z.dtype)
        if not torch.isfinite(values).all():
            place = float(z[~torch.isfinite(values)].abs().min())
            raise BadParameter(f"link {self.name} is not finite at |z| = {place:.4f}: it needs finite values.")
        return values


def _bump(z: torch.Tensor) -> torch.Tensor:
    return z**2 * torch.exp(-(z**2))


NAMED_LINKS: dict[str, tuple[Callable[[torch.Tensor], torch.Tensor], tuple[float, ...]]] = {
    "relu": (torch.relu, (0.0,)),
    "abs": (torch.abs, (0.0,)),
    "sign": (torch.sign, (0.0,)),
    "step": (lambda z: (z > 0).to(z), (0.0,)),
    "tanh": (torch.tanh, ()),
    "erf": (torch.erf, ()),
    "sigmoid": (torch.sigmoid, ()),
    "softplus": (torch.nn.functional.softplus, ()),
    "gelu": (torch.nn.functional.gelu, ()),
    "silu": (torch.nn.functional.silu, ()),
    "sin": (torch.sin, ()),
    "cos": (torch.cos, ()),
    "exp": (torch.exp, ()),
    "bump": (_bump, ()),
}
"""Links by name, each with its kinks; ``bump`` is z^2 exp(-z^2). ``he1`` to ``he12`` are He_1 to He_12."""


AnyLink = str | Callable[[torch.Tensor], torch.Tensor] | Target | Link


def as_link(link: AnyLink, breakpoints: Sequence[float] = ()) -> Link:
    """Return the link that a name, a text, a callable or a target stands for.

    Args:
        link: a name of ``NAMED_LINKS`` or he1 to he12; the text of a polynomial in z1, z2, ... (of rank above 1 only
            information exponent and leap accept it); a callable, float64 (n,) to (n,); a ``Target``.
        breakpoints: kinks and jumps of a callable; names know their own.

    Raises:
        BadParameter: if it is none of these, with what was expected.

    Chapter: hermite_calculus.

    >>> as_link("z1^3 - 3*z1")(torch.tensor([0.0, 2.0], dtype=torch.float64)).numpy().round(9).tolist()
    [0.0, 2.0]
    """
    if isinstance(link, Link):
        return link
    if isinstance(link, Target):
        return _polynomial(link)
    if isinstance(link, str):
        return _from_text(link.strip())
    if callable(link):
        cuts = tuple(sorted({real_number("breakpoints", point) for point in breakpoints}))
        return Link(getattr(link, "__name__", type(link).__name__), link, cuts)
    raise BadParameter(f"link = {link!r} is not accepted: it must be a name, the text of a polynomial, or a callable.")


def mean_and_variance(link: Link) -> tuple[float, float]:
    """Return mean and variance of a link at a standard normal variable, by fine sums on |z| <= 24.

    No point of the sums lies on a breakpoint: which value a jump has there would be a matter of rounding.

    Raises:
        BadParameter: if values are not finite, or more than a tenth of E f^2 lies at |z| > 12, as for a function
            that grows too fast to have a second moment.

    Chapter: hermite_calculus.
    """
    cuts = [cut for cut in link.breakpoints if abs(cut) < 2 * _FAR]
    edges = np.sort(np.concatenate([np.linspace(-2 * _FAR, 2 * _FAR, _PANELS + 1), cuts]))
    z, weights = gaussian_panels(edges, 24)
    values = link(z)
    squares = weights * values**2
    if not torch.isfinite(squares).all() or squares[z.abs() > _FAR].sum() > _MOST_FAR * squares.sum():
        raise BadParameter(
            f"link {link.name} has more than a tenth of its second moment at |z| > {_FAR:g}: "
            f"it grows too fast for the Gaussian law, or for this quadrature."
        )
    mean = float(weights @ values)
    return mean, float(weights @ (values - mean) ** 2)


def refuse_constant(link: Link) -> None:
    """Check that a link takes more than one value on |z| < 5, to twelve digits.

    Raises:
        BadParameter: if it is constant there.
    """
    values = link(torch.linspace(-_CENTRE, _CENTRE, 10_001, dtype=torch.float64, device="cpu"))
    if float(values.max() - values.min()) <= 1e-12 * max(1.0, float(values.abs().max())):
        raise BadParameter(f"link {link.name} is constant: it has no information or generative exponent.")


def _from_text(text: str) -> Link:
    if text in NAMED_LINKS:
        function, cuts = NAMED_LINKS[text]
        return Link(text, function, cuts)
    if degree := re.fullmatch("he([1-9][0-9]?)", text):
        text = f"He{degree[1]}(z1)"
    elif re.fullmatch("[A-Za-z]+", text):
        names = ", ".join(NAMED_LINKS)
        raise BadParameter(
            f"link = {text!r} is not known: it must be one of {names}, he1 to he12, or a polynomial as 'z1^3 - z1'."
        )
    named = [int(digits[:9]) for digits in re.findall("z([0-9]+)", text)]
    dim = min(max([1, *named]), _MOST_VARIABLES)
    return _polynomial(parse_target(text, dim, directions=torch.eye(dim, dtype=torch.float64, device="cpu")))


def _polynomial(target: Target) -> Link:
    """Return the link of a target; its function exists where the target depends on one direction at most."""
    name = repr(target.text)
    if target.rank > 1:
        return Link(name, _of_several_directions, (), target)
    axes = torch.eye(target.frame.shape[1], dtype=torch.float64, device="cpu")
    along = Target(target.text, len(axes), 0, axes, target.coefficients, target.scale)
    v = along.directions[:, 0] if along.rank else axes[0]
    return Link(name, lambda z: along(z[:, None] * v.to(z)), (), target)


def _of_several_directions(z: torch.Tensor) -> torch.Tensor:
    raise BadParameter("it depends on several directions: a link is a function of one")
