"""The command in a terminal: what it prints fits, its JSON is strict, what it cannot do it says in one sentence."""

import json
import math
import subprocess
import sys

import pytest

from beyond_kernel.which_method_wins.command_line import COLUMNS, main
from beyond_kernel.which_method_wins.predictions import predict
from beyond_kernel.which_method_wins.sample_costs import sample_costs

TEXTS = [
    "He2(z1) + z2*z3",
    "-z1 + z1*z2*z3",
    "(h2(z1) - h2(z2) + h2(z1)*h2(z2) + h3(z1))/2",
    "h9(z1) + z2*z3*z4*z5 + z6*z7*z8 - z9*z10 + z11 + z12^4",
]


def ask(capsys, *words):
    """Run the command in this process and return its status and what it printed."""
    try:
        status = main([str(word) for word in words])
    except SystemExit as left:
        status = left.code
    return status, capsys.readouterr()


def strict(text):
    """Read JSON and refuse what strict JSON has not."""

    def refuse(word):
        raise AssertionError(f"{word} is no JSON")

    return json.loads(text, parse_constant=refuse)


@pytest.mark.parametrize("text", TEXTS)
def test_tables_fit_and_hold_every_method(capsys, text):
    for words in (("predict", text, "--d", 60), ("costs", text), ("exponents", text)):
        status, told = ask(capsys, *words)
        assert status == 0 and told.err == ""
        assert max(map(len, told.out.splitlines())) <= COLUMNS
        if words[0] != "exponents":
            assert all(cost.learner in told.out for cost in sample_costs(text))


@pytest.mark.parametrize("text", TEXTS)
def test_json_is_strict_and_holds_what_the_functions_return(capsys, text):
    _, told = ask(
        capsys, "predict", text, "--d", 60, "--noise", 0.5, "--threshold", 0.4, "--source", "h2(z1)", "--json"
    )
    found = strict(told.out)
    assert (found["d"], found["noise"], found["threshold"], found["source"]) == (60, 0.5, 0.4, "h2(z1)")
    for row, expected in zip(found["predictions"], predict(text, 60, 0.5, 0.4, "h2(z1)"), strict=True):
        assert row["learner"] == expected.learner and row["reason"] == expected.reason
        assert row["n"] == (expected.n if math.isfinite(expected.n) else None)
    _, told = ask(capsys, "costs", text, "--json")
    assert [row["order"] for row in strict(told.out)["costs"]] == [cost.order for cost in sample_costs(text)]
    _, told = ask(capsys, "exponents", text, "--json")
    assert strict(told.out)["target"] == text


def test_exponents_in_words(capsys):
    _, told = ask(capsys, "exponents", "h2(z1) + h3(z2)")
    lines = {line[:20].strip(): line[20:].strip() for line in told.out.splitlines()}
    assert lines["degree"] == "3" and lines["rank of the Hessian"] == "1" and lines["degenerate Hessian"] == "yes"
    assert lines["generative exponent"] == "-"
    assert ask(capsys, "exponents", "relu")[0] == 0


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("predict", "0", "--d", 4), "it holds no variable"),
        (("predict", "z1 - z1 + 3", "--d", 4), "it is constant"),
        (("predict", "z5", "--d", 4), "z5"),
        (("predict", "z1 + *", "--d", 4), "at position 6"),
        (("predict", "z1", "--d", 0), "d = 0"),
        (("predict", "z1", "--d", 2 * 10**6), "d = 2000000"),
        (("predict", "z1", "--d", "four"), "invalid int value"),
        (("predict", "z1"), "--d"),
        (("predict", "z1", "--d", 4, "--noise", -1), "noise = -1"),
        (("predict", "z1", "--d", 4, "--noise", "nan"), "noise = nan"),
        (("predict", "z1", "--d", 4, "--threshold", 1), "threshold = 1"),
        (("predict", "z1", "--d", 4, "--source", "z9"), "--source: target 'z9'"),
        (("predict", "h13(z1)", "--d", 4), "13"),
        (("exponents", "rel"), "link = 'rel' is not known"),
        (("exponents", "__import__('os')"), "position"),
        (("costs", ""), "the text is empty"),
        (("costs", "relu"), "relu"),
        (("guess", "z1"), "guess"),
        ((), "required"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(capsys, words, told):
    status, said = ask(capsys, *words)
    assert status == 2 and said.out == ""
    assert told in said.err and len(said.err.splitlines()) == 1 and "Traceback" not in said.err


def test_help(capsys):
    for words in (("--help",), ("predict", "--help"), ("costs", "--help")):
        status, told = ask(capsys, *words)
        assert status == 0 and max(map(len, told.out.splitlines())) <= COLUMNS


def test_the_module_runs_and_refuses_before_torch_is_loaded():
    """A second's wait for help or a misprint would be for nothing; the numbers need torch."""
    code = (
        "import sys; from beyond_kernel.which_method_wins.command_line import main;"
        "status = main(['predict', 'z1 +', '--d', '4']); sys.exit(10 * status + ('torch' in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 20
    run = [sys.executable, "-m", "beyond_kernel", "exponents", "h3(z1)", "--json"]
    told = subprocess.run(run, capture_output=True, text=True, check=True)
    assert strict(told.stdout)["information exponent"] == 3 and told.stderr == ""
