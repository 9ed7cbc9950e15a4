from __future__ import annotations

import pytest

from labeling.decision_records import ErrorType
from labeling.quality.judged import Judged, error_type, label

YES, OTHER, NO = "harm:violates/threat", "harm:violates/slur", "harm:allowed"


def test_the_four_types_of_error() -> None:
    assert error_type(NO, YES) is ErrorType.OVER
    assert error_type(YES, NO) is ErrorType.UNDER
    assert error_type(YES, "harm:context_missing") is ErrorType.UNDER
    assert error_type(YES, OTHER) is ErrorType.WRONG_SELECTION
    assert error_type(YES, "technical") is ErrorType.TECHNICAL
    assert error_type(YES, YES) is None
    assert (label("harm", "violates", "threat"), label("harm", "allowed")) == (YES, NO)


def test_who_decided_is_sorted_by_source() -> None:
    table = Judged.of(
        {
            "item": ["a", "a", "b", "c"],
            "gold": [YES, YES, NO, NO],
            "given": [YES, NO, NO, NO],
            "error": ["", "", "technical", ""],
            "source": ["", "model", "agent", "human"],
            "person": ["ann", "m1", "", "bob"],
            "group": ["g", "g", "", ""],
        }
    )
    assert table.cohorts["person"].names == ("ann", "bob")
    assert table.cohorts["person"].codes.tolist() == [0, -1, -1, 1]
    assert (table.cohorts["model"].names, table.cohorts["agent"].names) == (("m1",), ("agent",))
    assert [table.actor.names[c] for c in table.actor.codes] == ["human", "model:m1", "agent:agent", "human"]
    assert table.wrong.tolist() == [False, True, True, False]
    assert table.given.names[table.given.codes[2]] == "technical"
    assert table.group.codes.tolist() == [2, 2, 0, 1]
    assert table.cluster.codes.tolist() == [-1] * 4


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"gold": ["x", ""]}, "gold: row 1 is empty"),
        ({"team": ["x"]}, "team: 1 values for 2 items"),
        ({"source": ["human", "robot"]}, "source: 'robot' is none of human, model, agent"),
    ],
)
def test_a_bad_column_is_named(changes: dict[str, list[str]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Judged.of({"item": ["a", "b"], "gold": ["x", "y"], "given": ["x", "y"], **changes})
    with pytest.raises(ValueError, match="given: this column is missing"):
        Judged.of({"item": ["a"], "gold": ["x"]})
