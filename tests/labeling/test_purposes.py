from __future__ import annotations

from labeling.purposes import BRIDGE, NEW, OLD, is_old_side, purpose
from labeling.records import Round, RoundState
from tests.labeling.golden.made import NOW


def round_(**plan: object) -> Round:
    return Round("r", RoundState.OPEN, 0, dict(plan), {}, "", (), NOW, NOW)


def test_an_ordinary_round_has_no_purpose() -> None:
    assert (purpose(round_()), is_old_side(round_())) == ("", False)
    assert [is_old_side(round_(purpose=BRIDGE, side=side)) for side in (OLD, NEW)] == [True, False]
    assert not is_old_side(round_(purpose="relabel", side=OLD))
