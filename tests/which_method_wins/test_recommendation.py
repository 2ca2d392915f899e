"""Words of a recommendation: a run confirms only where it had something to compare."""

import math

import pytest

from beyond_kernel.which_method_wins.live_run import Outcome
from beyond_kernel.which_method_wins.recommendation import beaten, judgement, recommendation
from beyond_kernel.which_method_wins.which_method_wins import NOBODY, RIVALS

KERNEL, STEP, RECURSIVE = RIVALS
NONE = Outcome(NOBODY, math.inf, NOBODY)
FIRST = Outcome(RECURSIVE, 120.0, RECURSIVE)
OTHER = Outcome(STEP, 80.4, KERNEL)
ALL = dict.fromkeys(RIVALS, 1000)


@pytest.mark.parametrize(
    ("predicted", "measured", "tried", "told"),
    [
        (FIRST, FIRST, ALL, "confirms"),
        (FIRST, OTHER, ALL, "contradicts"),
        (NONE, OTHER, ALL, "contradicts"),
        (NONE, NONE, ALL, "confirms"),
        (FIRST, NONE, ALL, "contradicts"),
        (FIRST, FIRST, {RECURSIVE: 1000}, "neither"),  # nobody to beat
        (FIRST, FIRST, {RECURSIVE: 1000, KERNEL: 100}, "neither"),  # the other stopped before
        (FIRST, FIRST, {RECURSIVE: 1000, KERNEL: 120}, "confirms"),
        (FIRST, OTHER, {STEP: 1000, KERNEL: 1000, RECURSIVE: 60}, "neither"),  # the predicted one stopped before
        (FIRST, OTHER, {STEP: 1000, KERNEL: 1000}, "neither"),
        (FIRST, NONE, {RECURSIVE: 100, KERNEL: 1000}, "neither"),
        (NONE, NONE, {RECURSIVE: 1000, KERNEL: 400}, "neither"),
    ],
)
def test_a_run_judges_only_what_it_compared(predicted, measured, tried, told):
    assert judgement(predicted, measured, 1000, tried).startswith(told)
    words = recommendation(predicted, measured, 1000, 0.25, tried)
    assert f"The run {judgement(predicted, measured, 1000, tried)} the prediction." in words


def test_words_say_what_the_numbers_say():
    words = recommendation(FIRST, OTHER, 1000, 0.25, {STEP: 500, KERNEL: 500, RECURSIVE: 90})
    assert "recursive features should need the fewest samples, about 120." in words
    assert f"In this run {STEP} came first, from 80 samples on, against Gaussian kernel; recursive features." in words
    assert "Not run as far" not in words
    assert f"Recommendation: {STEP}, with the fewest samples. Where labels cost nothing, Gaussian kernel" in words
    alone = recommendation(FIRST, FIRST, 1000, 0.25, {RECURSIVE: 1000, KERNEL: 60})
    assert "with no other method run as far. Not run as far: Gaussian kernel (to 60)." in alone
    assert alone.endswith(
        "Recommendation: recursive features, with the fewest samples and the least computing on them."
    )


def test_beaten_are_those_run_as_far():
    assert beaten(FIRST, {RECURSIVE: 1000, KERNEL: 119, STEP: 120}) == [STEP]
    assert beaten(NONE, ALL) == []
