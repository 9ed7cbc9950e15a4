from __future__ import annotations

from api.figures import COLUMNS, figures_of, policies_of

FIGURE = {"value": 0.8123, "low": 0.5, "high": 0.95, "n": 40, "verdict": "enough"}
NONE = {"value": None, "low": 0.0, "high": 1.0, "n": 0, "verdict": "insufficient"}


def test_an_evaluation_becomes_rows_of_a_table() -> None:
    judged = {"n": 40, "auprc": FIGURE, "precision": FIGURE, "recall": NONE}
    rows = list(figures_of(judged))
    assert rows[0] == ("auprc", "0.812", "[0.500, 0.950]", 40, "enough")
    assert rows[2] == ("recall", "", "[0.000, 1.000]", 0, "insufficient")
    assert {len(row) for row in rows} == {len(COLUMNS)}


def test_policies_without_a_label_are_left_out() -> None:
    evaluation = {"policies": {"b": {"n": 1}, "a": {"n": 2}, "c": {"n": 0}}}
    assert [policy for policy, _ in policies_of(evaluation)] == ["a", "b"]
    assert list(policies_of({})) == []
