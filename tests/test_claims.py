"""The ledger decides by its tolerance, prints what does not change with rounding, and hands over complete data."""

import json
import math
from xml.etree import ElementTree

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


REASON = "the risk stays above 0.1 at every size"


def test_what_could_not_be_measured_is_no_failure_and_says_why():
    claim = Ledger("c").claim("x", "S.", measured=math.nan, at_least=0.65, unmeasured=REASON, **WORDS)
    assert (claim.holds, claim.unmeasured, claim.outside) == (None, REASON, "")


def test_a_reason_for_no_measurement_decides_nothing_where_there_is_one():
    """A chapter may give the reason beforehand: it must excuse neither a failure nor a success."""
    assert holds(0.7, at_least=0.65, unmeasured=REASON) is True
    claim = Ledger("c").claim("x", "S.", measured=0.6, at_least=0.65, unmeasured=REASON, **WORDS)
    assert (claim.holds, claim.unmeasured) == (False, "")
    assert holds(math.inf, at_most=1.0, unmeasured=REASON) is False


def test_outside_the_range_comes_before_what_could_not_be_measured():
    both = {"outside": "d is small", "unmeasured": REASON}
    claim = Ledger("c").claim("x", "S.", measured=math.nan, at_least=0.65, **both, **WORDS)
    assert (claim.holds, claim.outside, claim.unmeasured) == (None, "d is small", "")


def test_verdict_prints_words_and_no_measured_number(capsys):
    ledger = Ledger("one_step")
    ledger.claim("a", "First.", measured=0.123456, at_least=0.1, **WORDS)
    ledger.claim("b", "Second.", measured=9.87654, at_most=1, **WORDS)
    ledger.claim("c", "Third.", measured=0.5, at_most=1, outside="d is small", **WORDS)
    ledger.claim("d", "Fourth.", measured=math.nan, at_most=1, unmeasured=REASON, **WORDS)
    ledger.verdict()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "HOLDS  one_step/a: First. [at least 0.1]"
    assert lines[1] == "DOES NOT HOLD  one_step/b: Second. [at most 1]"
    assert lines[2] == "OUTSIDE THE RANGE CLAIMED (d is small)  one_step/c: Third. [at most 1]"
    assert lines[3] == f"COULD NOT BE MEASURED HERE ({REASON})  one_step/d: Fourth. [at most 1]"
    assert "0.123" not in "".join(lines) and "9.87" not in "".join(lines)


def emitted(ledger, monkeypatch):
    """Return what a ledger displays, by media type."""
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda data, raw: shown.append(data))
    ledger.emit()
    (data,) = shown
    return data


def test_emitted_data_is_complete_json(monkeypatch):
    ledger = Ledger("one_step")
    ledger.claim("a", "First.", measured=math.nan, at_least=0.1, spread=[0.3, 0.1, 0.2], **WORDS)
    (row,) = json.loads(json.dumps(emitted(ledger, monkeypatch)[MIME], allow_nan=False))
    assert row["id"] == "one_step/a" and row["holds"] is False and row["measured"] == "nan"
    assert row["spread"] == "0.1 to 0.3 over 3" and row["tolerance"] == "at least 0.1"
    fields = "id statement source test predicted measured spread tolerance why holds outside unmeasured"
    assert set(row) == set(fields.split())


def test_the_reader_sees_the_measurement_beside_prediction_and_tolerance(monkeypatch):
    ledger = Ledger("one_step")
    words = WORDS | {"predicted": -1.25}
    ledger.claim("slope", "It falls.", measured=-1.2666, at_most=-1, spread=[-1.4, -1.1, -1.3], **words)
    ledger.claim("later", "It ends.", measured=math.nan, at_most=1, unmeasured=REASON, **WORDS)
    data = emitted(ledger, monkeypatch)
    first, second = data["text/plain"].splitlines()
    assert first == (
        "one_step/slope: measured -1.27 (range -1.4 to -1.1 over 3), predicted -1.25, tolerance at most -1"
    )
    assert second == "one_step/later: measured –, predicted 1, tolerance at most 1"
    rows = [[*row.itertext()] for row in ElementTree.fromstring(data["text/html"]).iter("tr")]
    assert rows == [
        ["claim", "measured", "predicted", "tolerance", "range over seeds"],
        ["It falls.", "-1.27", "-1.25", "at most -1", "-1.4 to -1.1 over 3"],
        ["It ends.", "–", "1", "at most 1", "–"],
    ]


def test_a_spread_of_nothing_is_nothing(monkeypatch):
    claim = Ledger("c").claim("x", "S.", measured=math.nan, at_most=1, spread=[math.nan] * 3, **WORDS)
    assert claim.spread == ""


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
    for reason in ("outside", "unmeasured"):
        with pytest.raises(BadParameter, match=f"{reason} = ' '"):
            ledger.claim("x", "S.", measured=math.nan, at_least=0, **{reason: " "}, **WORDS)
    with pytest.raises(BadParameter, match="makes no claim"):
        ledger.verdict()
