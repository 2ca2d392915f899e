"""Each check passes what it should and refuses the rest with the name, the value and what is accepted."""

import math

import numpy as np
import pytest
import torch

from beyond_kernel.checks import BadParameter, floating, list_of, matrix, one_of, real_number, vector, whole_number


def test_good_values_pass_unchanged():
    assert whole_number("d", 5) == 5 and whole_number("seed", -2, least=None) == -2
    assert real_number("noise", 0, least=0) == 0.0 and isinstance(real_number("noise", 1), float)
    assert one_of("law", "sphere", ["gaussian", "sphere"]) == "sphere"
    assert list_of("dims", (1, 2), whole_number) == [1, 2]
    X, y = torch.ones(3, 2), torch.ones(3)
    assert matrix("X", X, 2) is X and vector("y", y, 3) is y


@pytest.mark.parametrize("value", [0, -3, 2.0, "5", True, None])
def test_whole_number_refuses(value):
    with pytest.raises(BadParameter, match="d = .* a whole number of at least 1"):
        whole_number("d", value)


@pytest.mark.parametrize("value", [-0.1, math.nan, math.inf, "0.1", False, None])
def test_real_number_refuses(value):
    with pytest.raises(BadParameter, match="noise = .* a finite number of at least 0"):
        real_number("noise", value, least=0)


def test_ends_of_ranges():
    assert real_number("x", 1, least=0, most=1) == 1
    with pytest.raises(BadParameter, match="from 0 to 1"):
        real_number("x", 1.01, least=0, most=1)
    with pytest.raises(BadParameter, match="above 0"):
        real_number("step", 0.0, above=0)
    with pytest.raises(BadParameter, match="of at most 4"):
        whole_number("k", 5, least=None, most=4)


def test_names_lists_and_tensors_refuse():
    with pytest.raises(BadParameter, match="did you mean 'sphere'"):
        one_of("law", "spere", ["gaussian", "sphere"])
    with pytest.raises(BadParameter, match=r"dims\[1\] = 0"):
        list_of("dims", [3, 0], whole_number)
    with pytest.raises(BadParameter, match="at least 2"):
        list_of("dims", [3], whole_number, least_length=2)
    with pytest.raises(BadParameter, match=r"X has shape \(3, 2\).*\(n, 4\)"):
        matrix("X", torch.ones(3, 2), 4)
    with pytest.raises(BadParameter, match="1 entries that are not finite"):
        vector("y", torch.tensor([1.0, math.nan]))
    with pytest.raises(TypeError, match="X is of type list"):
        matrix("X", [[1.0]])
    with pytest.raises(TypeError, match="torch.int64"):
        matrix("X", torch.ones(2, 2, dtype=torch.int64))


WANTED = "it must be a floating-point torch tensor"


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            np.ones((2, 2)),
            "X is of type ndarray: " + WANTED + ", such as torch.as_tensor(X).",
        ),
        (
            np.ones((2, 2), dtype=int),
            "X is of type ndarray: " + WANTED + ", such as torch.as_tensor(X, dtype=torch.float64).",
        ),
        (
            [[1.0]],
            "X is of type list: " + WANTED + ", such as torch.as_tensor(X, dtype=torch.float64).",
        ),
        (
            torch.ones(2, 2).bool(),
            "X is of type torch.bool: " + WANTED + ", such as X.double().",
        ),
        (
            torch.relu,
            "X is of type builtin_function_or_method: " + WANTED + ", the values themselves and no function.",
        ),
        (None, "X is of type NoneType: " + WANTED + "."),
        (3.0, "X is of type float: " + WANTED + "."),
    ],
    ids=["numpy", "numpy, whole numbers", "list", "truth values", "function", "nothing", "number"],
)
def test_what_is_no_tensor_is_told_how_to_become_one(given, sentence):
    for check in (matrix, vector, floating):
        with pytest.raises(TypeError) as caught:
            check("X", given)
        assert str(caught.value) == sentence
    if "as_tensor" in sentence or "double()" in sentence:  # the remedy works
        remedy = sentence.split("such as ")[1].removesuffix(".")
        made = eval(remedy, {"X": given, "torch": torch})
        assert matrix("X", made) is made


def test_in_a_notebook_the_sentence_stands_alone():
    assert BadParameter("d = 0 is out of range.")._render_traceback_() == ["BadParameter: d = 0 is out of range."]
