"""The chain's own arithmetic; tampering in a real ledger is in ``test_audit``."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from labeling.golden.chain import START, event_hash, first_break, row_hash
from labeling.golden_records import GoldEvent
from labeling.records import GoldAction
from tests.labeling.golden.made import NOW


def linked(count: int, erased: bool = False) -> list[GoldEvent]:
    """A chain of that many events, each of an item of its own; with ``erased`` the first item goes at last."""
    events: list[GoldEvent] = []
    last = START[1]
    for n in range(1, count + 1 + erased):
        row: dict[str, object] | None = {"item": n, "text": f"words of {n}"} if n <= count else None
        action = GoldAction.FOLDED if n <= count else GoldAction.ERASED
        item = f"i{n}" if n <= count else "i1"
        bare = GoldEvent(n, item, "harm", action, "ann", "why", NOW, None, row, row_hash(row), last, "")
        events.append(replace(bare, sha256=event_hash(bare)))
        last = events[-1].sha256
    return events


def head(events: list[GoldEvent]) -> tuple[int, str]:
    return (events[-1].number, events[-1].sha256) if events else START


@given(st.integers(0, 6))
def test_a_whole_chain_holds(count: int) -> None:
    events = linked(count)
    assert first_break(events, head(events)) == ""


@given(st.integers(1, 6), st.data())
def test_whatever_is_taken_out_moved_or_changed_breaks_it(count: int, data: st.DataObject) -> None:
    events = linked(count)
    place = data.draw(st.integers(0, count - 1))
    kind = data.draw(st.sampled_from(["out", "moved", "reason", "row"]))
    broken = list(events)
    if kind == "out":
        del broken[place]
    elif kind == "moved":
        broken.insert(data.draw(st.integers(0, count - 1)), broken.pop(place))
    elif kind == "reason":
        broken[place] = replace(broken[place], reason="other")
    else:
        broken[place] = replace(broken[place], row={"item": -1})
    assert (first_break(broken, head(events)) == "") == (broken == events)


def test_a_forger_who_hashes_anew_must_hash_everything_that_follows() -> None:
    events = linked(3)
    forged = replace(events[0], reason="forged")
    events[0] = replace(forged, sha256=event_hash(forged))
    assert "event 2" in first_break(events, head(events))


def test_a_text_may_go_and_a_row_with_its_erased_item() -> None:
    events = linked(2)
    events[0] = replace(events[0], row={"item": 1, "text": ""})
    assert first_break(events, head(events)) == ""
    events[0] = replace(events[0], row=None)
    assert "its row was taken away" in first_break(events, head(events))
    events = linked(2, erased=True)
    events[0] = replace(events[0], row=None)
    assert first_break(events, head(events)) == ""
