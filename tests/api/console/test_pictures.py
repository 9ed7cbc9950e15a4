"""A picture shows the numbers of its chart: told by what matplotlib has drawn."""

from __future__ import annotations

import io
from typing import Any

import pytest
from matplotlib.axes import Axes
from matplotlib.container import ErrorbarContainer
from PIL import Image

from api.console.charts import Basis, Chart, Series
from api.console.pictures import WIDTH, figure_of, picture
from tests.api.console.test_charts import BARS, HEAT, LANES, LINE, POINTS


def _axes(chart: Chart) -> Axes:
    (axes,) = figure_of(chart).axes
    return axes


def _told(line: Any, axis: str) -> list[Any]:
    """Where the points of a line stand."""
    return list(getattr(line, f"get_{axis}data")())


def _ends(drawn: Any) -> list[float]:
    """The intervals of an error bar, from below."""
    (bars,) = drawn.lines[2]
    return [float(end[1]) for segment in bars.get_segments() for end in segment]


@pytest.mark.parametrize("chart", [LINE, HEAT, BARS, POINTS], ids=lambda chart: chart.chart_id)
def test_every_kind_is_a_picture(chart: Chart) -> None:
    with Image.open(io.BytesIO(picture(chart, "png"))) as made:
        assert made.size == (1200, 675)
        assert len(set(made.convert("L").tobytes())) > 10  # something is drawn


def test_a_pdf_is_the_same_each_time() -> None:
    made = picture(LINE, "pdf")
    assert made.startswith(b"%PDF")
    assert made == picture(LINE, "pdf")


def test_groups_stand_side_by_side() -> None:
    boxes = [box.get_bbox() for box in _axes(BARS).patches]  # type: ignore[attr-defined]
    assert [box.height for box in boxes] == [1, 2, 2, 0]
    assert [box.x0 for box in boxes] == pytest.approx([-WIDTH / 2, 1 - WIDTH / 2, 0, 1])
    assert all(box.width == pytest.approx(WIDTH / 2) for box in boxes)


def test_stacked_bars_stand_on_each_other_and_what_is_negative_hangs() -> None:
    more = [*LANES, Series("z", ["b", "a"], [3, -1])]
    boxes = [box.get_bbox() for box in _axes(Chart("c", "t", "bar", "x", "y", more, stacked=True)).patches]  # type: ignore[attr-defined]
    assert [(box.y0, box.y1) for box in boxes] == [(0, 1), (0, 2), (1, 3), (2, 2), (2, 5), (0, -1)]
    assert all(box.width == pytest.approx(WIDTH) for box in boxes)


def test_points_have_their_intervals_and_stand_beside_each_other() -> None:
    series = [
        Series("s", ["a", "b"], [0.5, None], [0.4, None], [0.7, None]),
        Series("t", ["a", "b"], [0.2, 0.3], [0.1, 0.2], [0.3, 0.4]),
    ]
    axes = _axes(Chart("c", "t", "points", "x", "y", series))
    first, second = (each for each in axes.containers if isinstance(each, ErrorbarContainer))
    assert _ends(second) == pytest.approx([0.1, 0.3, 0.2, 0.4])
    assert _ends(first)[:2] == pytest.approx([0.4, 0.7])
    assert _told(first.lines[0], "x") == pytest.approx([-0.2, 0.8])
    assert _told(second.lines[0], "x") == pytest.approx([0.2, 1.2])


def test_bars_of_long_names_lie() -> None:
    series = [Series("s", ["a policy of a long name", "b"], [1, 2])]
    axes = _axes(Chart("c", "t", "bar", "policy", "picks", series))
    assert [box.get_bbox().width for box in axes.patches] == [1, 2]  # type: ignore[attr-defined]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a policy of a long name", "b"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("picks", "policy")


def test_a_gap_stays_a_gap_and_a_target_is_dashed() -> None:
    ideal = Series("ideal", ["1", "3"], [0.6, 0.6], reference=True)
    axes = _axes(Chart("c", "t", "line", "x", "y", [*LINE.series, ideal], y_range=(0, 1), unit="share"))
    line, dashed = axes.lines[0], axes.lines[-1]
    assert [str(y) for y in _told(line, "y")] == ["0.5", "nan", "0.7"]
    assert (_told(dashed, "x"), dashed.get_linestyle()) == ([0, 2], "--")
    assert axes.get_ylim() == pytest.approx((-0.02, 1.02))
    assert axes.yaxis.get_major_formatter()(0.5) == "50%"


def test_a_picture_says_what_its_numbers_rest_on() -> None:
    chart = Chart("c", "t", "bar", "x", "y", LANES, basis=Basis("sample: picks", "1.0.0"))
    assert figure_of(chart).get_supxlabel() == "sample: picks · golden 1.0.0"
