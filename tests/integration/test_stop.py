"""One person stops an item: it leaves Label Studio, the lake and the ledger's texts, and does not come back."""

from __future__ import annotations

from pathlib import Path

import pytest

from labeling.records import Answer, Outcome
from labeling.store.lake import LanceLake
from labeling.studio.embedded import EmbeddedStudio
from labeling.studio.label_config import build_result
from tests.integration.command import ROUND, rows
from tests.integration.test_bad_studio import SYNC, answer, stocked, there

pytestmark = [pytest.mark.studio, pytest.mark.slow]


def test_a_flag_takes_an_item_away_everywhere_until_a_lead_lifts_it(
    tmp_path: Path, studio_server: EmbeddedStudio, annotators: dict[str, str]
) -> None:
    site = stocked(tmp_path / "site", studio_server, STUDIO_SETTLE_S="0")
    site.result(*ROUND)
    flagged, *others = site.tasks()
    answer(studio_server, next(iter(annotators.values())), flagged, build_result(Answer(Outcome.LEGAL_STOP)))
    done = site.result(*SYNC)
    assert (done["events"], done["stopped"], done["removed"]) == (1, 1, 1)
    assert there(studio_server, site.tasks()).keys() == {task.task_id for task in others}
    assert {task.task_id: (task.state, task.text) for task in site.tasks()}[flagged.task_id] == ("withdrawn", "")
    lake = LanceLake(site.data / "lake")
    assert len(lake.ids()) == 39
    assert all(flagged.item_id not in lake.ids(group) for group in lake.groups())

    file = site.write("again.jsonl", *rows(40))
    assert site.result("ingest", file)["stopped"] == 1
    (stub,) = site.result("stops")
    assert stub["item_id"] == flagged.item_id
    again = site.result(*SYNC)
    assert (again["stopped"], again["removed"], again["sent"]) == (0, 0, 0)

    site.result("stops", "--lift", stub["external_id"], "--reason", "a drawing")
    assert site.result("ingest", file)["added"] == 1
    assert site.result("stops") == []
