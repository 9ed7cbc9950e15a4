from __future__ import annotations

from api.jobs.progress import forget, last_tick, tick


def test_the_newest_tick_stands_until_it_is_forgotten() -> None:
    assert last_tick("j1") == {}
    tick("j1", "score", 1, 9)
    tick("j1", "score", 2, 9)
    tick("j2", "pull", 1, 1)
    said = last_tick("j1")
    assert said == {"stage": "score", "done": 2, "total": 9}
    said["done"] = 7
    assert last_tick("j1")["done"] == 2
    for job_id in ("j1", "j2", "j2"):
        forget(job_id)
    assert last_tick("j1") == last_tick("j2") == {}
