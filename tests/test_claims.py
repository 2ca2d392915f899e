"""The ledger decides by its tolerance, prints what does not change with rounding, and hands over complete data."""

import json
import math

import pytest

from beyond_kernel.checks import BadParameter
from beyond_kernel.claims import MIME, Ledger

WORDS = {"source": "measured here", "test": "test_x", "why": "three standard errors", "predicted": 1.0}


def holds(measured: float, **tolerance) -> bool | None:
    return Ledger("c").claim("x", "A sentence.", measured=measured, **WORDS, **tolerance).holds


def test_a_claim_holds_inside_its_tolerance_and_fails_outside():
    assert holds(0.7, at_least=0.65) is True
    assert holds(0.6, at_least=0.65) is False
    assert holds(0.1, at_most=0.25) is True
    assert holds(0.3, at_most=0.25) is False
    assert holds(0.65, at_least=0.65, at_most=0.65) is True
    assert holds(2.0, at_least=0.5, at_most=1.5) is False
    assert holds(math.nan, at_least=0.0) is False


def test_outside_the_range_claimed_neither_holds_nor_fails():
    assert holds(0.7, at_least=0.65, outside="H is degenerate") is None
    assert holds(0.1, at_least=0.65, outside="H is degenerate") is None


def test_verdict_prints_words_and_no_measured_number(capsys):
    ledger = Ledger("one_step")
    ledger.claim("a", "First.", measured=0.123456, at_least=0.1, **WORDS)
    ledger.claim("b", "Second.", measured=9.87654, at_most=1, **WORDS)
    ledger.claim("c", "Third.", measured=0.5, at_most=1, outside="d is small", **WORDS)
    ledger.verdict()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "HOLDS  one_step/a: First. [at least 0.1]"
    assert lines[1] == "DOES NOT HOLD  one_step/b: Second. [at most 1]"
    assert lines[2] == "OUTSIDE THE RANGE CLAIMED (d is small)  one_step/c: Third. [at most 1]"
    assert "0.123" not in "".join(lines) and "9.87" not in "".join(lines)


def test_emitted_data_is_complete_json(monkeypatch):
    ledger = Ledger("one_step")
    ledger.claim("a", "First.", measured=math.nan, at_least=0.1, spread=[0.3, 0.1, 0.2], **WORDS)
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda data, raw: shown.append(data))
    ledger.emit()
    (row,) = json.loads(json.dumps(shown[0][MIME], allow_nan=False))
    assert row["id"] == "one_step/a" and row["holds"] is False and row["measured"] == "nan"
    assert row["spread"] == "0.1 to 0.3 over 3" and row["tolerance"] == "at least 0.1"
    fields = "id statement source test predicted measured spread tolerance why holds outside"
    assert set(row) == set(fields.split())


def test_stating_a_claim_again_replaces_it():
    ledger = Ledger("c")
    ledger.claim("x", "Old.", measured=0, at_least=1, **WORDS)
    ledger.claim("x", "New.", measured=2, at_least=1, **WORDS)
    assert [claim.statement for claim in ledger.claims.values()] == ["New."]


def test_incomplete_claims_are_refused():
    ledger = Ledger("c")
    with pytest.raises(BadParameter, match="no tolerance"):
        ledger.claim("x", "S.", measured=1, **WORDS)
    with pytest.raises(BadParameter, match="source = ''"):
        ledger.claim("x", "S.", measured=1, at_least=0, **{**WORDS, "source": ""})
    with pytest.raises(BadParameter, match="name = 'Not good'"):
        ledger.claim("Not good", "S.", measured=1, at_least=0, **WORDS)
    with pytest.raises(BadParameter, match="makes no claim"):
        ledger.verdict()
