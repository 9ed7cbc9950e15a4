from __future__ import annotations

from api.console.charts import Basis
from api.console.series import basis_of, of_figures

KNOWN = {"value": 0.5, "low": 0.4, "high": 0.6, "n": 20, "licence": "sample: picks", "golden_version": "1.0.0"}
FEW = {"value": None, "low": 0.1, "high": 0.9, "n": 2, "licence": "sample: picks", "policy_version": "a 1.0.0, b 2.0.0"}
OTHER = {**KNOWN, "licence": "population: all", "policy_version": "a 1.0.0"}


def test_too_few_answers_are_no_point_and_say_how_few() -> None:
    series = of_figures("right", ["a", "b"], [KNOWN, FEW])
    assert (series.y, series.low, series.high, series.n) == ([0.5, None], [0.4, None], [0.6, None], [20, 2])
    assert series.told == ["n 20", "n 2"]


def test_what_figures_rest_on_is_told_once() -> None:
    assert basis_of([KNOWN, FEW, None, OTHER], "/v1/qa") == Basis(
        "sample: picks; population: all", "1.0.0", "a 1.0.0, b 2.0.0", "/v1/qa"
    )
    assert basis_of([]) == Basis()
