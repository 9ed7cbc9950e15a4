from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from api.console.charts import Chart, Series, chart_of
from labeling.errors import NotFound

LINE = Chart(
    "recall",
    "Recall",
    "line",
    "week",
    "recall",
    [Series("ours", ["1", "2", "3"], [0.5, None, 0.7], [0.4, None, 0.6], [0.6, None, 0.8], links=["/console/x"] * 3)],
    marks=[("2", "new policy")],
    y_range=(0, 1),
)
ROWS = Series("have", ["1", "2"], ["a", "=b"])
HEAT = Chart("strata", "Have", "heat", "severity", "policy", [ROWS], z=[[1, 2], [3, None]])
LANES = [Series("x", ["a", "b"], [1, 2]), Series("y", ["a", "b"], [2, 0])]
BARS = Chart("lanes", "Lanes", "bar", "lane", "picks", LANES)
POINTS = Chart("map", "Map", "points", "", "", [Series("gold", [0.1, 0.2], [1, 2], notes=["i1", "i2"])])


@pytest.mark.parametrize("chart", [LINE, HEAT, BARS, POINTS], ids=lambda chart: chart.chart_id)
def test_every_kind_is_a_picture_and_a_table(chart: Chart) -> None:
    with Image.open(io.BytesIO(chart.png())) as picture:
        assert picture.size == (1200, 675)
        assert len(set(picture.convert("L").tobytes())) > 10  # something is drawn
    rows = list(csv.reader(io.StringIO(chart.csv())))
    assert len({len(row) for row in rows}) == 1


def test_browser_and_table_say_the_same_numbers() -> None:
    told = LINE.plotly()
    (trace,) = told["data"]
    rows = list(csv.DictReader(io.StringIO(LINE.csv())))
    assert [row["recall"] for row in rows] == ["0.5", "", "0.7"]
    assert trace["y"] == [0.5, None, 0.7]
    assert trace["error_y"]["array"] == pytest.approx([0.1, None, 0.1], nan_ok=True)
    assert trace["customdata"] == ["/console/x"] * 3
    assert told["layout"]["yaxis"]["range"] == [0, 1]
    assert told["layout"]["annotations"][0]["text"] == "new policy"
    json.dumps(told, allow_nan=False)


def test_a_table_runs_no_formula() -> None:
    assert "'=b" in HEAT.csv()
    risky = Chart("c", "t", "bar", "x", "y", [Series("=1+1", ["@x"], [1])])
    assert risky.csv().splitlines()[1] == "'=1+1,'@x,1,,"


def test_a_cells_shade_follows_its_value() -> None:
    assert [HEAT.shade(value) for value in (1, 2, 3, None)] == [0, 4, 9, 0]
    assert Chart("c", "t", "heat", "", "", [Series("s", ["1"], ["a"])], z=[[2.0]]).shade(2.0) == 0


@given(st.lists(st.tuples(st.floats(-5, 5), st.floats(0, 3), st.floats(0, 3)), min_size=1, max_size=5))
def test_an_interval_reaches_never_below_nothing(points: list[tuple[float, float, float]]) -> None:
    values = [y for y, _, _ in points]
    series = Series("s", list(range(len(points))), values, [y - d for y, d, _ in points], [y + u for y, _, u in points])
    (trace,) = Chart("c", "t", "line", "x", "y", [series]).plotly()["data"]
    assert all(each >= 0 for each in trace["error_y"]["array"] + trace["error_y"]["arrayminus"])


def test_a_chart_that_is_not_there_names_those_that_are() -> None:
    assert chart_of([LINE], "recall") is LINE
    with pytest.raises(NotFound, match="it has recall"):
        chart_of([LINE], "precision")
