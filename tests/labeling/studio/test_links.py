from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling.errors import InvalidInput
from labeling.records import Task, TaskKind, TaskState
from labeling.studio.links import BLURRED, IMAGE, PATH, Links
from labeling.studio.payload import NO_CAPTION, difference, task_data

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(hours=24)
LINKS = Links("https://goldfold.example/sub", "s" * 32, DAY, lambda: NOW)
TASK = Task("t-1", TaskKind.BLIND, "r-1", "i-1", "hate", "1.0.0", "a caption", "00", 2, TaskState.QUEUED,
            None, None, None, "", NOW, NOW, modality="image")  # fmt: skip
OTHER = replace(TASK, task_id="t-2")
SENT = task_data(TASK, LINKS)


def at(hours: float) -> Links:
    return replace(LINKS, clock=lambda: NOW + timedelta(hours=hours))


def test_an_image_task_holds_links_its_caption_and_an_opaque_id() -> None:
    assert set(SENT) == {"text", "task_id", IMAGE, BLURRED}
    assert (SENT["text"], SENT["task_id"]) == ("a caption", "t-1")
    assert all(str(SENT[field]).startswith("https://goldfold.example/sub/media/t.") for field in (IMAGE, BLURRED))
    assert task_data(replace(TASK, text=""), LINKS)["text"] == NO_CAPTION
    assert "s" * 32 not in repr(LINKS)


def test_a_text_has_no_link_and_an_image_cannot_do_without() -> None:
    assert set(task_data(replace(TASK, modality="text"), LINKS)) == {"text", "task_id"}
    for use in (lambda: task_data(TASK), lambda: difference(TASK, SENT)):
        with pytest.raises(InvalidInput, match="media_link_secret is not set"):
            use()


@given(hours=st.floats(-1000, 1000), address=st.sampled_from([LINKS.base_url, "https://new.example"]))
def test_a_link_of_ours_is_no_edit_however_old_and_wherever_the_service_is_now(hours: float, address: str) -> None:
    now = replace(at(hours), base_url=address)
    assert difference(TASK, SENT, now) == ""
    assert difference(TASK, task_data(TASK, now), LINKS) == ""


@given(hours=st.floats(-100, 100).filter(lambda hours: abs(hours - 12) > 0.01))
def test_a_link_is_old_from_half_of_its_life_on(hours: float) -> None:
    assert at(hours).are_old(TASK, SENT) == (hours >= 12)


def test_a_link_for_another_address_is_old() -> None:
    assert replace(LINKS, base_url="https://new.example").are_old(TASK, SENT)


@pytest.mark.parametrize(
    "changed",
    [
        {IMAGE: task_data(OTHER, LINKS)[IMAGE]},
        {BLURRED: task_data(OTHER, LINKS)[BLURRED]},
        {BLURRED: SENT[IMAGE]},  # what should be blurred would be clear
        {IMAGE: SENT[BLURRED]},
        {IMAGE: str(SENT[IMAGE]).replace("goldfold.example", "elsewhere.example")},
        {IMAGE: str(SENT[IMAGE]).replace("/sub/", "/")},
        {IMAGE: f"https://elsewhere.example/?{SENT[IMAGE]}"},
        {IMAGE: f"{SENT[IMAGE]}A"},
        {IMAGE: replace(LINKS, secret="x" * 32).data(TASK)[IMAGE]},
        {IMAGE: "https://elsewhere.example/a.png"},
        {IMAGE: f"https://elsewhere.example{PATH}"},
        {IMAGE: None},
        {IMAGE: 7},
        {"text": "other words"},
        {"task_id": "t-2"},
    ],
)
def test_whatever_else_stands_there_is_an_edit(changed: dict[str, object]) -> None:
    (field,) = changed
    assert (
        difference(TASK, SENT | changed, LINKS) == f"data.{field} is not what was sent: it was edited in Label Studio"
    )
    gone = {key: value for key, value in SENT.items() if key != field}
    assert difference(TASK, gone, LINKS)
