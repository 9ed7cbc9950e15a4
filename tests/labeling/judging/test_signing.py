from __future__ import annotations

from dataclasses import replace

import pytest

from labeling.errors import IntegrityError
from labeling.judging.signing import signed, verify_chain
from labeling.model_records import GateRow

SECRET = "a secret of thirty-two characters"


def chain(secret: str = SECRET) -> list[GateRow]:
    rows: list[GateRow] = []
    for number in range(3):
        previous = rows[-1].row_hash if rows else ""
        rows.append(signed(f"gate-{number}", {"verdict": "pass", "p": 0.1 + number}, previous, secret))
    return rows


def test_what_was_written_verifies() -> None:
    assert verify_chain(chain(), SECRET) == 3
    assert verify_chain(chain(""), "") == 3
    assert verify_chain([], SECRET) == 0


@pytest.mark.parametrize("number", range(3))
def test_a_verdict_that_was_edited_is_named(number: int) -> None:
    rows = chain()
    rows[number] = replace(rows[number], body={"verdict": "fail", "p": 0.1 + number})
    with pytest.raises(IntegrityError, match=f"gate-{number}: what it says was changed"):
        verify_chain(rows, SECRET)


def test_a_row_that_was_taken_out_is_noticed_by_the_next() -> None:
    rows = chain()
    with pytest.raises(IntegrityError, match="gate-2: the verdict before it is missing"):
        verify_chain([rows[0], rows[2]], SECRET)


def test_a_chain_that_was_written_anew_lacks_the_signature() -> None:
    forged = chain("")
    assert verify_chain(forged, "") == 3
    with pytest.raises(IntegrityError, match="gate-0 is not signed with gate_secret"):
        verify_chain(forged, SECRET)
    with pytest.raises(IntegrityError, match="gate-0 is not signed"):
        verify_chain(chain("another secret of thirty-two chars"), SECRET)
