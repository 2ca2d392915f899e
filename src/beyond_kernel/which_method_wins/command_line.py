"""The map of the book in a terminal: predict, exponents and costs of a target that is given as text."""

import argparse
import json
import math
import re
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, NoReturn

from beyond_kernel.checks import BadParameter, real_number, whole_number
from beyond_kernel.foundations.targets.grammar import parse_polynomial

COLUMNS = 100
"""Width of everything that is printed for a reader."""
_GAP = "  "
_LINK = re.compile("[A-Za-z]+|he[1-9][0-9]?")
_TARGET_AFTER_A_MINUS = re.compile(r"-[^-].*z[0-9]|-\s*z[0-9]")
_WORDS = """\
A target is a polynomial in z1, z2, ..., hidden coordinates of Gaussian inputs, such as
"h2(z1) + z2*z3" or "(z1 + z2)^3/2". He3 is the Hermite polynomial of leading coefficient one, h3
that of mean square one."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says, and print it; return 2, with one sentence on the error stream, if it cannot be.

    Args:
        arguments: of the command line; those of this process where they are left out.

    Chapter: which_method_wins.
    """
    given = sys.argv[1:] if arguments is None else arguments
    chosen = _parser().parse_args([f" {word}" if _TARGET_AFTER_A_MINUS.match(word) else word for word in given])
    answers: dict[str, Callable] = {"predict": _predict, "exponents": _exponents, "costs": _costs}
    try:
        data, text = answers[chosen.command](chosen)
        print(json.dumps(_strict(data), indent=1, ensure_ascii=False, allow_nan=False) if chosen.json else text)
    except BadParameter as error:
        print(" ".join(str(error).split()), file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader of the output has seen enough
        sys.stderr.close()
    return 0


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Say in one line what is wrong and where help is, and leave with status 2."""
        self.exit(2, f"{self.prog}: {message} ({self.prog} --help says what is accepted)\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m beyond_kernel", description=f"{__doc__}\n\n{_WORDS}", formatter_class=_Plain)
    commands = parser.add_subparsers(dest="command", required=True, metavar="predict | exponents | costs")
    for name, words in (
        ("predict", "the samples that each method of the book is predicted to need"),
        ("exponents", "degree, rank and exponents of a target, or the exponents of a link such as relu"),
        ("costs", "the order of samples of each method, and what decides it"),
    ):
        command = commands.add_parser(
            name, help=words, description=f"Print {words}.\n\n{_WORDS}", formatter_class=_Plain
        )
        command.add_argument("text", metavar="TEXT", help="the target")
        command.add_argument("--json", action="store_true", help="as JSON, without rounding")
        if name == "predict":
            _predict_options(command)
    return parser


class _Plain(argparse.RawDescriptionHelpFormatter):
    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=COLUMNS)


def _predict_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--d", type=int, required=True, metavar="D", help="dimension of the inputs")
    words = "standard deviation of the label noise, in the units of the target (default 0.1)"
    command.add_argument("--noise", type=float, default=0.1, metavar="NOISE", help=words)
    words = "risk to be reached: E (f - f*)^2 over the variance of f*, between 0 and 1 (default 0.25)"
    command.add_argument("--threshold", type=float, default=0.25, metavar="RISK", help=words)
    command.add_argument("--source", metavar="TEXT", help="a task on the same directions that has been learnt before")


def _predict(chosen: argparse.Namespace) -> tuple[Any, str]:
    text, source = chosen.text.strip(), None if chosen.source is None else chosen.source.strip()
    parse_polynomial(text, whole_number("d", chosen.d))  # refused before torch is loaded, which takes a second
    if source is not None:
        try:
            parse_polynomial(source, chosen.d)
        except BadParameter as error:
            raise BadParameter(f"--source: {error}") from None
    real_number("noise", chosen.noise, least=0)
    from beyond_kernel.which_method_wins.predictions import predict, prediction_columns

    found = predict(text, chosen.d, chosen.noise, chosen.threshold, source)
    asked = {"target": text, "d": chosen.d, "noise": chosen.noise, "threshold": chosen.threshold, "source": source}
    columns = prediction_columns(found)
    numbers = dict(zip(columns["method"], columns["numbers that decide"], strict=True))
    shown = {name: columns[name] for name in ("method", "samples", "range", "order", "how")}
    head = (
        f"Samples for a risk of {chosen.threshold:g}: {text}, d = {chosen.d}, noise {chosen.noise:g}, Gaussian inputs"
    )
    told = [head, *_lines(shown), "", *_lines({"method": list(numbers), "what decides": list(numbers.values())})]
    return asked | {"predictions": [asdict(row) for row in found]}, "\n".join(
        [*textwrap.wrap(told[0], COLUMNS), *told[1:]]
    )


def _exponents(chosen: argparse.Namespace) -> tuple[Any, str]:
    text = chosen.text.strip()
    if not _LINK.fullmatch(text):
        parse_polynomial(text, _most_variable(text))
    from beyond_kernel.which_method_wins.target_facts import target_facts

    facts = target_facts(text)
    columns = {"": list(facts), text[:60]: [_shown(value) for value in facts.values()]}
    return {"target": text} | facts, "\n".join(_lines(columns))


def _costs(chosen: argparse.Namespace) -> tuple[Any, str]:
    text = chosen.text.strip()
    parse_polynomial(text, _most_variable(text))
    from beyond_kernel.which_method_wins.sample_costs import sample_costs

    costs = sample_costs(text)
    columns = {
        "method": [cost.learner for cost in costs],
        "samples": [cost.order for cost in costs],
        "what decides": [cost.reason if cost.holds else f"not met: {cost.condition} ({cost.reason})" for cost in costs],
    }
    rows = [asdict(cost) | {"order": cost.order} for cost in costs]
    return {"target": text, "costs": rows}, "\n".join(
        [f"Order of samples in the dimension d: {text}"[:COLUMNS], *_lines(columns)]
    )


def _most_variable(text: str) -> int:
    """Return the highest index of a variable, at least one; the parser itself says what is wrong with the text."""
    return max([1, *(int(digits[:9]) for digits in re.findall("z([0-9]+)", text))])


def _lines(columns: Mapping[str, Sequence[str]]) -> list[str]:
    """Return a table as lines of at most ``COLUMNS`` characters: the last column is wrapped."""
    heads, *rows = [list(columns), *zip(*columns.values(), strict=True)]
    table = [row for row in [heads, *rows] if any(row)]
    widths = [max(len(row[place]) for row in table) for place in range(len(heads) - 1)]
    margin = sum(widths) + len(_GAP) * len(widths)
    lines = []
    for row in table:
        first = _GAP.join(text.ljust(width) for text, width in zip(row, widths, strict=False))
        pieces = textwrap.wrap(row[-1], max(COLUMNS - margin, 20)) or [""]
        lines.append(f"{first}{_GAP}{pieces[0]}".rstrip())
        lines += [" " * margin + piece for piece in pieces[1:]]
    return lines


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "-"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _strict(value: Any) -> Any:
    """Return data without NaN and infinities, which strict JSON has no words for; they become null."""
    if isinstance(value, dict):
        return {key: _strict(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
