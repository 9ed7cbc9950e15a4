from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.console.charts import Basis, Chart, Series, chart_of
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
def test_every_kind_is_a_table(chart: Chart) -> None:
    rows = list(csv.reader(io.StringIO(chart.csv())))
    assert len(rows) > 2
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


def test_a_table_says_what_its_numbers_rest_on_where_that_is_known() -> None:
    series = Series("s", ["a", "b"], [0.5, None], n=[10, 0])
    plain = Chart("c", "t", "bar", "x", "y", [series])
    assert plain.csv().splitlines() == ["series,x,y,low,high,n", "s,a,0.5,,,10", "s,b,,,,0"]
    basis = Basis("population: all traffic", "1.1.0", items="/v1/gates")
    resting = Chart("c", "t", "bar", "x", "y", [series, LANES[0]], basis=basis)
    assert resting.csv().splitlines()[::3] == [
        "series,x,y,low,high,n,licence,golden_version",
        "x,a,1,,,,population: all traffic,1.1.0",
    ]
    assert basis.said == "population: all traffic · golden 1.1.0"
    (trace,) = plain.plotly()["data"]
    assert trace["hovertext"] == ["n 10", "n 0"]


def test_shares_are_per_cent_and_their_markers_whole() -> None:
    series = [Series("s", ["a"], [1.0])]
    for kind, low in (("points", -0.02), ("bar", 0)):
        chart = Chart("c", "t", kind, "x", "y", series, y_range=(0, 1), unit="share")  # type: ignore[arg-type]
        axis = chart.plotly()["layout"]["yaxis"]
        assert axis["range"] == pytest.approx([low, 1.02])
        assert axis["tickformat"] == ".0%"
    assert "tickformat" not in LINE.plotly()["layout"]["yaxis"]


@pytest.mark.parametrize(
    ("x", "axis"), [(["1", "2"], "category"), (["2026-01-05", "2026-01-12"], "date"), ([0.1, 0.2], "linear")]
)
def test_names_stay_names_and_days_are_days(x: list[str | float], axis: str) -> None:
    assert Chart("c", "t", "line", "x", "y", [Series("s", x, [1, 2])]).plotly()["layout"]["xaxis"]["type"] == axis
    assert Chart("c", "t", "bar", "x", "y", [Series("s", x, [1, 2])]).plotly()["layout"]["xaxis"]["type"] == "category"


def test_bars_of_long_names_lie() -> None:
    series = [Series("s", ["a policy of a long name", "b"], [1, 2], [0, 1], [2, 3])]
    told = Chart("c", "t", "bar", "policy", "picks", series).plotly()
    (trace,) = told["data"]
    assert (trace["orientation"], trace["x"], trace["y"]) == ("h", [1, 2], ["a policy of a long name", "b"])
    assert trace["error_x"]["array"] == [1, 1]
    assert told["layout"]["xaxis"]["title"]["text"] == "picks"
    assert told["layout"]["yaxis"]["title"]["text"] == "policy"


def test_what_was_not_measured_is_told_apart() -> None:
    target = Series("target", ["a", "b"], [0.9, 0.8], reference=True)
    points = Chart("c", "t", "points", "x", "y", [LANES[0], LANES[1], target]).plotly()
    assert [trace.get("meta") for trace in points["data"]] == [None, None, "reference"]
    assert [trace["offsetgroup"] for trace in points["data"]] == ["0", "1", "0"]
    assert points["layout"]["scattermode"] == "group"
    ideal = Series("ideal", [0, 1], [0, 1], reference=True)
    (line,) = Chart("c", "t", "line", "x", "y", [ideal]).plotly()["data"]
    assert (line["mode"], line["line"]["dash"]) == ("lines", "dash")


def test_what_a_mark_says_stands_where_there_is_room() -> None:
    marked = Chart("c", "t", "line", "x", "y", [Series("s", [0, 1], [0, 1])], marks=[(-1, "a"), (0.9, "b")])
    assert [each["xanchor"] for each in marked.plotly()["layout"]["annotations"]] == ["left", "right"]
