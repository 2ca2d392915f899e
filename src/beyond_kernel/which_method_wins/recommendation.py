"""A recommendation in words: what was predicted, what a run found, and whether the run had anything to compare."""

from collections.abc import Mapping

from beyond_kernel.which_method_wins.live_run import Outcome
from beyond_kernel.which_method_wins.predictions import rounded
from beyond_kernel.which_method_wins.which_method_wins import NOBODY, estimated_seconds

CONFIRMS, CONTRADICTS, NEITHER = "confirms", "contradicts", "neither confirms nor contradicts"


def beaten(measured: Outcome, tried: Mapping[str, int]) -> list[str]:
    """Return the methods that a run compared with the first one, those run to at least as many samples as it took.

    Args:
        measured: who came first.
        tried: the largest size at which each method was run.

    Chapter: which_method_wins.

    >>> beaten(Outcome("a", 120.0, "a"), {"a": 400, "b": 400, "c": 100})
    ['b']
    """
    return [label for label, size in tried.items() if label != measured.first and size >= measured.samples]


def judgement(predicted: Outcome, measured: Outcome, n: int, tried: Mapping[str, int]) -> str:
    """Return whether a run confirms who needs the fewest samples, contradicts it, or does neither.

    It does neither where the first one had no other to beat, or where the method predicted first was not run as far.

    Args:
        predicted: from predicted borders.
        measured: from those of the run.
        n: the budget.
        tried: the largest size at which each method was run.

    Chapter: which_method_wins.
    """
    if measured.first == NOBODY:
        if predicted.first == NOBODY:
            return CONFIRMS if all(size >= n for size in tried.values()) else NEITHER
        return CONTRADICTS if tried.get(predicted.first, 0) >= predicted.samples else NEITHER
    others = beaten(measured, tried)
    if not others or predicted.first not in (NOBODY, measured.first, *others):
        return NEITHER
    return CONFIRMS if predicted.first == measured.first else CONTRADICTS


def recommendation(predicted: Outcome, measured: Outcome, n: int, threshold: float, tried: Mapping[str, int]) -> str:
    """Return in words what was predicted, what the run found against whom, and what follows.

    Args:
        predicted: from predicted borders.
        measured: from those of the run.
        n: the budget.
        threshold: risk to be reached.
        tried: the largest size at which each method was run; all of them methods of the stored sweep.

    Chapter: which_method_wins.
    """
    if predicted.first == NOBODY:
        told = f"no method is predicted to be below {threshold:g} with {n:,} samples"
    else:
        told = f"{predicted.first} should need the fewest samples, about {rounded(predicted.samples)}"
    words = [f"Predicted: {told}."]
    if measured.first == NOBODY:
        words.append("In this run none got there.")
        short = {label: size for label, size in tried.items() if size < n}
    else:
        others = beaten(measured, tried)
        against = f", against {'; '.join(others)}" if others else ", with no other method run as far"
        words.append(f"In this run {measured.first} came first, from {round(measured.samples):,} samples on{against}.")
        short = {label: size for label, size in tried.items() if label not in (measured.first, *others)}
    if short:
        words.append(f"Not run as far: {'; '.join(f'{label} (to {size:,})' for label, size in short.items())}.")
    words.append(f"The run {judgement(predicted, measured, n, tried)} the prediction.")
    seconds = [estimated_seconds(label, n) for label in tried]
    words.append(f"One fit with all {n:,} labels takes about {_clock(min(seconds))} to {_clock(max(seconds))} s.")
    words.append(_advice(measured, n, threshold))
    return " ".join(words)


def _clock(seconds: float) -> str:
    return f"{seconds:.2g}" if seconds < 10 else f"{seconds:.0f}"


def _advice(measured: Outcome, n: int, threshold: float) -> str:
    if measured.first == NOBODY:
        return f"Recommendation: more samples than {n:,}, less noise, or a higher risk than {threshold:g}."
    if measured.first == measured.cheapest:
        return f"Recommendation: {measured.first}, with the fewest samples and the least computing on them."
    return (
        f"Recommendation: {measured.first}, with the fewest samples. Where labels cost nothing, {measured.cheapest} "
        "computes least, each method on as many labels as it needs."
    )
