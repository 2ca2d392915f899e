"""A chapter refuses a bad, missing or misspelt parameter in one sentence."""

import pytest

from beyond_kernel.chapter_parameters import chapter_parameters
from beyond_kernel.checks import BadParameter, whole_number


def test_a_misspelt_injected_parameter_is_named_with_the_nearest():
    namespace = {"In": ["", "width = 4", "# Parameters\nwidht = 8\nwidth = 6\n"], "width": 6, "widht": 8}
    with pytest.raises(BadParameter, match="'widht' is no parameter of this chapter .did you mean 'width'"):
        chapter_parameters(namespace, width=whole_number)
    namespace["In"] = ["", "width = 4", "# Parameters\nwidth = 6\n", "unrelated = 1"]
    chapter_parameters(namespace, width=whole_number)


def test_chapter_parameters_checks_values_in_order_and_presence():
    with pytest.raises(BadParameter, match="d = -3"):
        chapter_parameters({"d": -3}, d=whole_number)
    with pytest.raises(BadParameter, match="seed has no value"):
        chapter_parameters({"d": 3}, d=whole_number, seed=whole_number)
