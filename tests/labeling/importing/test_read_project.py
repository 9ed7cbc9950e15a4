from __future__ import annotations

from collections.abc import Callable

import pytest

from labeling.errors import StudioGone
from labeling.importing.answers import label_map
from labeling.importing.formats import Fields
from labeling.importing.read import read_project
from labeling.records import Outcome
from labeling.studio.client import StudioClient
from tests.labeling.shop import policy
from tests.labeling.studio.conftest import annotators, client, people, studio_server, wire

__all__ = ["annotators", "client", "people", "studio_server", "wire"]

CONFIG = """<View><Text name="body" value="$body"/><Choices name="verdict" toName="body" choice="single">
<Choice value="spam"/><Choice value="ham"/></Choices></View>"""


@pytest.mark.studio
def test_a_project_of_somebody_else_is_read_with_its_people(
    client: StudioClient, people: Callable[[int], StudioClient]
) -> None:
    project = client.create_project("Somebody's own", "", CONFIG, {})
    numbers = client.import_tasks(project, [{"body": f"words {n}", "key": f"k-{n}"} for n in range(3)])
    prediction = {"task": numbers[2], "result": [_choice("spam")], "model_version": "m1", "score": 0.9}
    client._call.post("/api/predictions/", prediction)  # Goldfold itself uploads none
    for person, choice in ((0, "spam"), (1, "ham")):
        people(person).annotate(numbers[0], [_choice(choice)], 2.5)
    people(0).annotate(numbers[2], [_choice("spam")])
    labels = label_map(policy("spam", "junk"), "verdict", ["spam=violates", "ham=allowed"])
    items = read_project(client, project, labels, Fields("body", "key"))
    assert [item.fields["external_id"] for item in items] == ["k-0", "k-1", "k-2"]
    assert [(a.annotator.split("@")[0], a.answer.outcome, a.assisted) for a in items[0].answers] == [
        ("annotator-1", Outcome.VIOLATES, False),
        ("annotator-2", Outcome.ALLOWED, False),
    ]
    assert items[0].answers[0].lead_time_s == 2.5
    assert items[1].answers == ()
    assert [answer.assisted for answer in items[2].answers] == [True]
    with pytest.raises(StudioGone):
        read_project(client, 999_999, labels, Fields("body", "key"))


def _choice(value: str) -> dict[str, object]:
    return {"from_name": "verdict", "to_name": "body", "type": "choices", "value": {"choices": [value]}}
