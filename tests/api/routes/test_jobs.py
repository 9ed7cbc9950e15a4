from __future__ import annotations

from api.auth import Role
from tests.api.client import assert_problem
from tests.api.routes.conftest import Site
from tests.api.site import stock

PATH = "/v1/jobs"


def test_a_score_job_starts_once_and_is_seen(site: Site) -> None:
    stock(site.goldfold, 5)
    for _ in range(2):
        response = site.ask("POST", f"{PATH}/score", json={"job_id": "nightly"})
        assert response.status_code == 202
        assert site.service.jobs.result("nightly")["scored"] == 5
    job = site.get(f"{PATH}/nightly", Role.VIEWER)
    assert (job["state"], job["kind"], job["error"]) == ("done", "score", None)
    assert job["result"]["scored"] == 5
    assert [one["job_id"] for one in site.get(PATH, Role.VIEWER)] == ["nightly"]
    assert site.ask("POST", f"{PATH}/nightly/cancel").json()["state"] == "done"
    assert_problem(site.ask("POST", f"{PATH}/sync", json={"job_id": "nightly"}), 409, "'nightly' is taken")


def test_a_sync_without_label_studio_fails_and_says_the_cure(site: Site) -> None:
    response = site.ask("POST", f"{PATH}/sync", json={"full": True})
    job_id = response.json()["job_id"]
    assert job_id.startswith("sync-")
    assert list(site.service.jobs.follow(job_id))[-1].state == "failed"
    assert "studio_token is not set" in site.get(f"{PATH}/{job_id}")["error"]


def test_the_list_is_bounded_and_newest_first(site: Site) -> None:
    for number in range(3):
        site.ask("POST", f"{PATH}/score", json={"job_id": f"job-{number}"})
    assert [one["job_id"] for one in site.get(f"{PATH}?limit=2")] == ["job-2", "job-1"]
    for limit in (0, 501, "x"):
        assert_problem(site.ask("GET", f"{PATH}?limit={limit}"), 422, "query.limit")


def test_what_does_not_fit_is_named(site: Site) -> None:
    assert_problem(site.ask("GET", f"{PATH}/nobody"), 404, "no job has the id 'nobody'")
    assert_problem(site.ask("POST", f"{PATH}/nobody/cancel"), 404, "nobody")
    assert_problem(site.ask("POST", f"{PATH}/score", json={"job_id": "a/b"}), 422, "body.job_id")
    assert_problem(site.ask("POST", f"{PATH}/sync", json={"fully": True}), 422, "body.fully")


def test_starting_and_cancelling_is_for_engineers(site: Site) -> None:
    for path in ("score", "sync", "x/cancel"):
        site.refused("POST", f"{PATH}/{path}", Role.ENGINEER, json={})
