"""Tokens and the error that carries a position."""

import pickle

import pytest

from beyond_kernel.foundations.targets.tokens import TargetError, tokens


def test_tokens_carry_their_positions():
    found = [(token.text, token.position) for token in tokens(" He2(z1)**3 +\t.5*z12 ")]
    assert found == [
        ("He2", 2),
        ("(", 5),
        ("z1", 6),
        (")", 8),
        ("**", 9),
        ("3", 11),
        ("+", 13),
        (".5", 15),
        ("*", 17),
        ("z12", 18),
        ("", 22),
    ]


@pytest.mark.parametrize("character", ["$", "é", "√", "１", "'", "\x00"])
def test_every_character_becomes_a_token(character):
    token = tokens(f"z1{character}")[1]
    assert (token.kind, token.text, token.position) == ("other", character, 3)


def test_an_error_survives_a_worker_process():
    error = TargetError("z1+", "expected more", 4)
    copy = pickle.loads(pickle.dumps(error))
    assert isinstance(copy, ValueError) and str(copy) == str(error) and copy.position == 4


def test_a_long_text_is_shown_around_the_fault():
    text = "z1+" * 100 + "?" + "+z1" * 100
    message = str(TargetError(text, "fault", 301))
    assert "?" in message and len(message) < 150 and "at position 301" in message
