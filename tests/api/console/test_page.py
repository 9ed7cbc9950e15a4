from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any, cast

import pytest

from api.console.kept import Answers, Kept
from api.console.page import CHART_WAIT_S, Ask, Page
from api.errors import FigurePending
from labeling.errors import NotFound, NothingToDo

PENDING: Kept[int] = Kept(None)
THERE: Kept[int] = Kept(1)
FAILED: Kept[int] = Kept(None, None, NothingToDo("no round is closed yet"))


@pytest.fixture
def answers() -> Iterator[Answers]:
    made = Answers()
    yield made
    made.close()


def asked(answers: Answers, chart: str, began_s: float | None = None) -> Ask:
    """A request for a chart alone."""
    request = cast(Any, SimpleNamespace(query_params={"chart": chart}))
    nobody = cast(Any, None)
    return Ask(request, nobody, nobody, answers, began_s=time.monotonic() if began_s is None else began_s)


@pytest.mark.parametrize(
    ("figures", "error"),
    [
        ({"a": PENDING}, FigurePending),
        ({"a": FAILED, "b": PENDING}, FigurePending),
        ({"a": FAILED}, NothingToDo),
        ({"a": FAILED, "b": THERE}, NotFound),
        ({"a": THERE}, NotFound),
        ({}, NotFound),
    ],
)
def test_why_a_chart_is_not_there(answers: Answers, figures: Mapping[str, Kept[int]], error: type[Exception]) -> None:
    for chart in ("drawn", ""):
        with pytest.raises(error):
            asked(answers, chart).show(Page("Title", "none.html", figures))


def test_a_failed_figures_error_does_not_grow_with_each_look(answers: Answers) -> None:
    for _ in range(3):
        with pytest.raises(NothingToDo) as raised:
            asked(answers, "drawn").show(Page("Title", "none.html", {"a": FAILED}))
    assert len(raised.traceback) == 3  # here, show, and where it is raised


def test_all_figures_of_a_chart_are_waited_for_together(answers: Answers) -> None:
    go = threading.Event()
    late = asked(answers, "drawn", began_s=time.monotonic() - CHART_WAIT_S)
    try:
        assert all(late.kept(name, lambda: go.wait(60)).pending for name in "abc")
    finally:
        go.set()
